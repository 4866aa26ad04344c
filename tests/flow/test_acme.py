"""What a user does with an account and a certificate besides having them renewed: against Pebble."""
import socket
import subprocess

import pytest

import world
from proc import own_address, wait_for


def issuer(daemon):
    return daemon.get("clusterissuers", "ca", None)


def annotate(daemon, kind, name, note):
    daemon.cli("annotate", "--overwrite", kind, name, note)


def state_at_ca(ca, serial):
    """"Valid" or "Revoked", and the reason."""
    answer = ca.ask("/cert-status-by-serial/" + serial)
    return answer.decode() if answer else ""


def test_tls_alpn_without_port_80(daemon, ca, origin, make_site):
    """HTTPS listeners alone: validated by acme-tls/1 on the port that is served afterwards."""
    site = make_site(daemon, ca, origin)
    solver = [{"tlsALPN01": {}}]
    daemon.apply(
        world.acme_issuer(ca, solvers=solver),
        world.gateway(site.address, [world.listener("https", ca.tls_port, site.name, "edge-tls")], issuer="ca"),
        world.backend("app", site.backend), world.route("site", world.rule("app")))
    daemon.wait_ready_certificate()
    site.https_port = ca.tls_port
    wait_for(site.serial, "HTTPS")
    assert site.https().status == 200
    refused = subprocess.run(
        ["openssl", "s_client", "-connect", "%s:%d" % (site.address, ca.tls_port), "-servername", site.name,
         "-alpn", "acme-tls/1"], input="", capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode != 0, "the challenge is over: nobody speaks acme-tls/1 any more"
    daemon.apply(world.certificate("address", ipAddresses=[site.address],
                                   privateKey={"algorithm": "ECDSA", "size": 256}))
    daemon.wait_ready_certificate("address")


def test_account_has_a_new_key(site):
    """Rollover, then an order by the new key; the contact follows the spec; deactivation ends it."""
    site.up()
    daemon, before = site.daemon, issuer(site.daemon)["status"]["acme"]
    annotate(daemon, "clusterissuer", "ca", "sallyport.dev/account-rollover=1")
    daemon.wait_condition("clusterissuers", "ca", "AccountRollover", ns=None)
    wait_for(lambda: list(daemon.get("secrets", "ca-account", "sallyport-system")["data"]) == ["tls.key"],
             "one key in the Secret")
    after = issuer(daemon)["status"]["acme"]
    assert after["uri"] == before["uri"] and after["lastPrivateKeyHash"] != before["lastPrivateKeyHash"]
    site.renew()
    daemon.cli("patch", "clusterissuer", "ca", "--type=merge", "--patch", "spec: {acme: {email: ops@example.com}}")
    wait_for(lambda: issuer(daemon)["status"]["acme"]["lastRegisteredEmail"] == "ops@example.com", "the new contact")
    annotate(daemon, "clusterissuer", "ca", "sallyport.dev/account-deactivate=1")
    wait_for(lambda: [c["reason"] for c in issuer(daemon)["status"]["conditions"] if c["type"] == "Ready"]
             == ["AccountDeactivated"], "the end of the account")
    assert site.https().status == 200


def test_revoked_and_replaced(site):
    """keyCompromise: revoked at the authority, another certificate with another key is served."""
    site.up()
    old = site.serial()
    key = site.daemon.get("secrets", "edge-tls")["data"]["tls.key"]
    annotate(site.daemon, "certificate", "edge-tls", "sallyport.dev/revoke=keyCompromise")
    site.daemon.wait_condition("certificates", "edge-tls", "Revoked")
    wait_for(lambda: site.serial() not in (None, old), "another certificate", 30)
    assert site.daemon.get("secrets", "edge-tls")["data"]["tls.key"] != key
    assert "Revoked" in state_at_ca(site.ca, "%x" % old if isinstance(old, int) else old.lower())


def test_http01_by_several_gateways(daemon, ca):
    """A Gateway on each of three addresses, parentRefs that name two: whichever a name leads to answers, within one
    certificate too. Where none is left, no order is placed, and the address is told."""
    places = {"edge": daemon.address, "other": own_address(), "unnamed": own_address()}
    names = {gateway: "%s.n%s.example.test" % (gateway, address.replace(".", "-"))
             for gateway, address in places.items()}
    solver = {"http01": {"gatewayHTTPRoute": {"parentRefs": [{"name": "edge"}, {"name": "other"}]}}}
    listeners = {"edge": [world.listener("http", ca.http_port)],
                 "other": [world.listener("mine", ca.http_port, names["other"]),
                           world.listener("strange", ca.http_port, "strange.example.test")],
                 "unnamed": [world.listener("strange", ca.http_port, "strange.example.test")]}
    for gateway, address in places.items():
        ca.names.name(names[gateway], address)
        daemon.apply(world.gateway(address, listeners[gateway], name=gateway))
    for gateway in places:
        daemon.wait_programmed(gateway)
    daemon.apply(world.acme_issuer(ca, solvers=[solver]),
                 *[world.certificate(gateway, names[gateway]) for gateway in places],
                 world.certificate("all", *names.values()))
    for certificate in list(places) + ["all"]:
        daemon.wait_ready_certificate(certificate)
    orders = ca.orders()
    daemon.cli("delete", "gateway", "other")

    def refused():
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((places["other"], ca.http_port), 5).close()
        return True
    wait_for(refused, "the listener to end")
    daemon.apply(world.certificate("late", names["other"]))

    def told():
        found = daemon.condition("certificates", "late", "Issuing")
        assert places["other"] in found["message"], found
        return True
    wait_for(told, "the self-check to name the address", alive=daemon.process)
    assert ca.orders() == orders
