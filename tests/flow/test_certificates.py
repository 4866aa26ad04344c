"""Certificates in all their variety: many, of other keys, for addresses, lost, overwritten, refused."""
import base64
import re

import pytest

import web
import world
from proc import run, wait_for


def shown(secret, *what):
    """What openssl says about the first certificate of a Secret."""
    pem = base64.b64decode(secret["data"]["tls.crt"]).decode()
    return run("openssl", "x509", "-noout", *(what or ("-text",)), data=pem).stdout


def test_many_at_once(daemon, ca, origin, make_site, figures):
    """25 Certificates in one apply: an order each, no more, and none is forgotten."""
    count = 25
    site = make_site(daemon, ca, origin)
    daemon.apply(world.acme_issuer(ca), site.http_gateway())
    daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)
    hosts = ["c%d.%s" % (n, site.name) for n in range(count)]
    for host in hosts:
        ca.names.name(host, site.address)
    orders, timer = ca.orders(), world.Deadline()
    daemon.apply(*(world.certificate("c%d" % n, host, privateKey={"algorithm": "ECDSA", "size": 256})
                   for n, host in enumerate(hosts)))

    def ready():
        return sum(c["type"] == "Ready" and c["status"] == "True" for o in daemon.list("certificates")
                   for c in o["status"]["conditions"]) == count
    wait_for(ready, "%d certificates" % count, 60, alive=daemon.process)
    figures("%d certificates" % count, "%.2f s" % timer.seconds())
    assert ca.orders() - orders == count


@pytest.mark.parametrize("key, words", [
    ({"algorithm": "ECDSA", "size": 256}, "prime256v1"), ({"algorithm": "ECDSA", "size": 384}, "secp384r1"),
    ({"algorithm": "RSA", "size": 3072}, r"3072 bit"),
])
def test_keys(site, key, words):
    site.daemon.apply(world.acme_issuer(site.ca), site.http_gateway(),
                      world.certificate("edge-tls", site.name, privateKey=key))
    site.daemon.wait_ready_certificate(timeout=60)
    assert re.search(words, shown(site.daemon.get("secrets", "edge-tls")))


def test_certificate_for_an_address(site):
    """RFC 8738: an identifier of type ip, looked at where it points to."""
    daemon = site.daemon
    daemon.apply(world.acme_issuer(site.ca), site.http_gateway(), world.certificate(
        "address", ipAddresses=[site.address], privateKey={"algorithm": "ECDSA", "size": 256}))
    daemon.wait_ready_certificate("address")
    assert "IP Address:" + site.address in shown(daemon.get("secrets", "address"))


def test_issuer_of_a_namespace(site):
    daemon, issuer = site.daemon, world.acme_issuer(site.ca)
    issuer["kind"] = "Issuer"
    issuer["metadata"]["namespace"] = "team"
    cert = world.certificate("c", site.name, ns="team")
    cert["spec"]["issuerRef"]["kind"] = "Issuer"
    daemon.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}, issuer,
                 site.http_gateway(), cert)
    daemon.wait_condition("issuers", "ca", "Ready", ns="team")
    daemon.wait_ready_certificate("c", ns="team")
    assert daemon.exists("secrets", "ca-account", "team"), "its account key is in its own namespace"


def test_lost_secret_comes_back(site):
    """A Secret that was deleted is asked for again; until then the old one is served, or none."""
    site.up()
    old = site.serial()
    site.daemon.cli("delete", "secret", "edge-tls")
    new = wait_for(lambda: site.serial() != old and site.serial(), "another certificate", 30)
    assert site.daemon.exists("secrets", "edge-tls") and new != old
    assert site.https().status == 200


def test_overwritten_secret_is_put_right(site, box):
    """Somebody writes another certificate into the Secret: it is not that of the Certificate."""
    site.up()
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
        box / "k", "-out", box / "c", "-days", "2", "-subj", "/CN=other.test", "-addext", "subjectAltName=DNS:other.test")
    old = site.serial()
    site.daemon.apply(world.secret("edge-tls", {"tls.crt": (box / "c").read_text(), "tls.key": (box / "k").read_text()}))
    wait_for(lambda: site.serial() != old, "a certificate of the authority", 30)
    assert site.name in shown(site.daemon.get("secrets", "edge-tls"))


def test_wildcard_names_what_it_would_need(site):
    """HTTP-01 cannot prove a wildcard: the authority is not troubled, the condition says why."""
    orders = site.ca.orders()
    site.daemon.apply(world.acme_issuer(site.ca), site.http_gateway(),
                      world.certificate("wild", "*." + site.name))
    found = wait_for(lambda: (lambda c: "wildcard" in c["message"].lower() and c)(
        site.daemon.condition("certificates", "wild", "Ready")), "the reason")
    assert "dns" in found["message"].lower(), found
    assert site.ca.orders() == orders


def test_rejected_name(site, make_ca):
    """The authority refuses the name: told in its words, and not asked again at once."""
    ca = make_ca(block=["refused.test"])
    ca.names.name("www.refused.test", site.address)
    site.daemon.apply(world.acme_issuer(ca), site.http_gateway(), world.certificate("c", "www.refused.test"))
    found = wait_for(lambda: (lambda c: c["status"] == "False" and c)(
        site.daemon.condition("certificates", "c", "Issuing")), "the refusal")
    assert "refused.test" in found["message"] and "next try" in found["message"], found
    assert len(re.findall("POST /order-plz", ca.log())) <= 2


def test_chain_is_whole(site):
    """Leaf and intermediate are served, the root is not, and the key belongs to the leaf."""
    site.up()
    out = run("openssl", "s_client", "-connect", "%s:%d" % (site.address, site.https_port), "-servername",
              site.name, "-showcerts", "-CAfile", site.ca.root, data="").stdout
    assert out.count("BEGIN CERTIFICATE") == 2 and "Verify return code: 0 (ok)" in out


def test_account_is_found_again_by_its_key(daemons, ca, origin, make_site):
    """Another daemon with the same account key: the authority makes no second account."""
    first = daemons().start()
    make_site(first, ca, origin).up()
    key = first.get("secrets", "ca-account", "sallyport-system")
    second = daemons().start()
    accounts = ca.accounts()
    second.apply({"apiVersion": "v1", "kind": "Secret", "type": key["type"], "data": key["data"],
                  "metadata": {"name": "ca-account", "namespace": "sallyport-system"}})
    make_site(second, ca, origin).up()
    assert ca.accounts() == accounts
    uri = [d.get("clusterissuers", "ca", None)["status"]["acme"]["uri"] for d in (first, second)]
    assert uri[0] == uri[1]


def test_authority_that_forgot_everything(daemon, make_ca, origin, make_site):
    """Its accounts are gone: registered again with the same key, and renewals go on."""
    ca = make_ca()
    site = make_site(daemon, ca, origin).up()
    key = daemon.get("secrets", "ca-account", "sallyport-system")["data"]
    ca.stop()
    ca.start()
    daemon.cli("renew", "certificate/edge-tls")
    fresh = web.tls_context(ca.root)
    wait_for(lambda: web.served_serial(site.address, site.https_port, site.name, fresh), "a certificate", 40)
    assert ca.accounts() == 1
    assert daemon.get("secrets", "ca-account", "sallyport-system")["data"] == key
