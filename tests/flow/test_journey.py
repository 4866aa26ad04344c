"""The main job, end to end: a host gets its certificate and serves HTTPS."""

import pytest

import web
import world
from proc import run, wait_for


def test_whole_journey(site, ca, origin):
    """HTTP -> certificate -> HTTPS in both versions -> redirect -> renewal -> restart."""
    daemon = site.daemon
    orders, accounts = ca.orders(), ca.accounts()

    # Plain HTTP, from the service.
    daemon.apply(site.http_gateway(), world.backend("app", site.backend),
                 world.route("site", world.rule("app")))
    daemon.wait_programmed()
    answer = site.http("/hello?a=1")
    assert answer.status == 200 and answer.json()["service"] == "app"
    assert origin.requests[-1].target == "/hello?a=1"

    # A certificate by HTTP-01, then HTTPS with it.
    daemon.apply(world.acme_issuer(ca), site.gateway())
    daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)
    daemon.wait_ready_certificate()
    assert [u for u in ca.validations(site.name) if "/.well-known/acme-challenge/" in u]
    assert daemon.get("secrets", "edge-tls")["type"] == "kubernetes.io/tls"
    serial = wait_for(site.serial, "HTTPS", alive=daemon.process)
    assert site.https("/a").status == 200
    with site.h2() as connection:
        assert connection.ask(target="/b").json()["target"] == "/b"
    assert site.http("/").status == 200, "plain HTTP must stay up beside HTTPS"
    assert (ca.orders() - orders, ca.accounts() - accounts) == (1, 1)

    # HTTP redirects to HTTPS, whose address is exact: no :443.
    daemon.apply(
        world.route("site", world.rule("app"), section="https"),
        world.route("redirect", world.rule(filters=[world.redirect(scheme="https", statusCode=301)]),
                    section="http"))
    answer = wait_for(lambda: (lambda a: a.status == 301 and a)(site.http("/x?y=z")), "the redirect")
    assert answer.field("location") == "https://%s/x?y=z" % site.name
    assert site.https("/x").status == 200

    # Renewal passes HTTP-01 although everything is redirected; the old connection goes on.
    validations = len(ca.validations(site.name))
    with web.Connection(site.address, site.https_port, site.name, site.tls()) as kept:
        assert kept.ask().status == 200
        renewed = site.renew()
        assert kept.ask().status == 200 and kept.serial() == serial
    assert renewed != serial and ca.issued()[-1].lstrip("0") in renewed
    assert len(ca.validations(site.name)) > validations
    assert (ca.orders() - orders, ca.accounts() - accounts) == (2, 1)

    # Everything is back after a restart, and nothing is ordered again.
    daemon.restart()
    assert site.serial() == renewed
    assert site.https("/again").status == 200
    assert site.http("/").field("location") == "https://%s/" % site.name
    assert daemon.condition("certificates", "edge-tls", "Ready")["status"] == "True"
    assert (ca.orders() - orders, ca.accounts() - accounts) == (2, 1)


def test_authority_at_its_defaults(daemon, make_ca, origin, make_site):
    """Nonces refused, answers late, authorizations reused: as Pebble does unless told otherwise."""
    ca = make_ca(nonce_reject=None, va_sleep=None, authz_reuse=None)
    site = make_site(daemon, ca, origin)
    daemon.apply(*site.objects())
    daemon.wait_ready_certificate(timeout=60)
    assert wait_for(site.serial, "HTTPS")
    assert (ca.orders(), ca.accounts()) == (1, 1)


def test_authority_that_refuses_every_fourth_nonce(daemon, make_ca, origin, make_site):
    """By chance: ten times in a row, which ends a request, once in a hundred thousand runs."""
    ca = make_ca(nonce_reject=25)
    site = make_site(daemon, ca, origin).up()
    assert (ca.orders(), ca.accounts()) == (1, 1)
    assert site.https().status == 200


def test_trust_by_environment(daemons, ca, origin, make_site):
    """SSL_CERT_FILE is honoured where the issuer names no bundle, and nothing is trusted without."""
    daemon = daemons(env={"SSL_CERT_FILE": str(ca.ca_pem)}).start()
    site = make_site(daemon, ca, origin)
    issuer = world.acme_issuer(ca)
    del issuer["spec"]["acme"]["caBundle"]
    daemon.apply(issuer, *site.objects()[1:])
    daemon.wait_ready_certificate()
    assert wait_for(site.serial, "HTTPS")


def test_untrusted_authority_gets_no_request(daemon, ca, origin, make_site):
    site = make_site(daemon, ca, origin)
    issuer = world.acme_issuer(ca)
    del issuer["spec"]["acme"]["caBundle"]
    accounts = ca.accounts()
    daemon.apply(issuer, *site.objects()[1:])
    found = daemon.wait_condition("clusterissuers", "ca", "Ready", "False", "TLSVerificationFailed", ns=None)
    assert "certificate" in found["message"], found
    assert ca.accounts() == accounts
    # The way out is taken at once.
    issuer["spec"]["acme"]["skipTLSVerify"] = True
    daemon.apply(issuer)
    daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)
    daemon.wait_ready_certificate()


def test_self_signed(daemon, ca, origin, make_site):
    site = make_site(daemon, ca, origin)
    daemon.apply(world.self_signed(), *site.objects("self")[1:])
    daemon.wait_ready_certificate()
    shown = wait_for(lambda: run("openssl", "s_client", "-connect", "%s:%d" % (
        site.address, site.https_port), "-servername", site.name, data="").stdout, "a certificate")
    assert "self-signed certificate" in shown or "self signed certificate" in shown
    tls = web.tls_context(ca.root, verify=False)
    assert web.get(site.address, site.https_port, site.name, "/", tls).status == 200


def test_changed_issuer_reissues_while_the_old_certificate_serves(site, make_ca):
    """What is served verifies against the old root or the new one at every moment."""
    site.up()
    daemon, old = site.daemon, site.serial()
    other = make_ca()
    daemon.apply(world.acme_issuer(other, "other"))
    changed = daemon.get("certificates", "edge-tls")
    assert changed["spec"]["issuerRef"]["name"] == "ca"
    daemon.cli("annotate", "--overwrite", "gateway/edge", "cert-manager.io/cluster-issuer=other")
    new_tls = web.tls_context(other.root)
    seen = []

    def reissued():
        try:
            seen.append(web.served_serial(site.address, site.https_port, site.name, new_tls))
            return seen[-1]
        except web.ssl.SSLCertVerificationError:
            seen.append(site.serial())
            assert seen[-1] == old
    new = wait_for(reissued, "a certificate of the other authority", alive=daemon.process)
    assert new != old and other.orders() == 1
    daemon.wait_ready_certificate()


def test_names_of_a_certificate_change(site, ca):
    site.up()
    old = site.serial()
    second = "second-" + site.name
    ca.names.name(second, site.address)
    site.daemon.apply(site.gateway(more=[
        world.listener("second", site.https_port, second, "edge-tls")]))

    def both():
        with web.Connection(site.address, site.https_port, second, site.tls()) as connection:
            return sorted(v for _, v in connection.sock.getpeercert()["subjectAltName"])
    assert wait_for(both, "a certificate with both names", 30) == sorted([second, site.name])
    assert site.serial() != old


def test_short_lived_certificates_renew_by_themselves(daemon, make_ca, origin, make_site):
    """Lifetime 12 s: renewed when half is over, without being asked, and never expired."""
    ca = make_ca(validity=12)
    site = make_site(daemon, ca, origin).up()
    old = site.serial()
    new = wait_for(lambda: site.serial() != old and site.serial(), "renewal by itself", 30,
                   alive=daemon.process)
    assert new != old
    assert ca.orders() == 2


def test_https_before_the_first_certificate(daemon, ca, origin, make_site):
    """The handshake is refused with an alert; HTTP is up, and the status says what is missing."""
    site = make_site(daemon, ca, origin)
    daemon.apply(*site.objects(issuer=None)[1:])
    daemon.wait_condition("gateways", "edge", "ResolvedRefs", "False", "InvalidCertificateRef",
                          of=world.listener_status("https"))
    wait_for(lambda: site.http().status == 200, "HTTP")
    tls = web.tls_context(ca.root, verify=False)
    with pytest.raises((web.ssl.SSLError, ConnectionRefusedError)):
        web.get(site.address, site.https_port, site.name, "/", tls)
