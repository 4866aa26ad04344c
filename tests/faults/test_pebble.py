"""Pebble as it comes: strict, short of nonces, with reuse, long chains, alternate roots, bindings and late validations."""
import base64
import re

import pytest

from proc import run
import world

PEM = "-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----"


def chain(client, name="cert"):
    text = base64.b64decode(client.daemon.get("secrets", name)["data"]["tls.crt"]).decode()
    return re.findall(PEM, text, re.S)


def issuer_of(pem):
    return run("openssl", "x509", "-noout", "-issuer", "-nameopt", "multiline", data=pem).stdout


def top_names(lab, count):
    """The common names of the alternative roots."""
    found = []
    for number in range(count):
        pem = lab.managed("roots/%d" % number)
        found.append(re.search(r"commonName *= (.*)", run("openssl", "x509", "-noout", "-subject", "-nameopt",
                                                          "multiline", data=pem).stdout).group(1))
    return found


def two_certificates(client):
    """One, and another of the same names; both within their first attempt."""
    hosts = client.issue("first")
    client.asked += 1
    client.daemon.apply(world.certificate("second", *hosts, privateKey={"algorithm": "ECDSA", "size": 256}))
    client.ready("second")
    assert client.failures("second") == 0
    assert client.lab.violations() == []


def test_strict_and_half_of_all_nonces_refused(make_lab, make_client):
    client = make_client(make_lab("--strict", "--nonce-reject", "50"))
    client.up()
    two_certificates(client)
    assert client.lab.orders() == 2


@pytest.mark.parametrize("reuse", [0, 50, 100])
def test_authorization_reuse(make_lab, make_client, reuse):
    client = make_client(make_lab("--authz-reuse", str(reuse))).up()
    two_certificates(client)
    # At 0 Pebble reuses a hundredth.
    assert client.lab.count("chal") in ((1,) if reuse == 100 else (1, 2))


def test_three_intermediates_and_a_preferred_root(make_lab, make_client):
    """The whole chain as the CA gives it, and the alternate one that ends at the wanted root."""
    lab = make_lab("--chain-length", "3", "--alternate-roots", "2")
    wanted = top_names(lab, 3)[2]
    client = make_client(lab).up(preferredChain=wanted)
    client.issue()
    blocks = chain(client)
    assert len(blocks) == 4 and wanted in issuer_of(blocks[-1])
    client.daemon.apply(client.issuer("plain", privateKeySecretRef={"name": "plain-account"}))
    client.daemon.wait_condition("clusterissuers", "plain", "Ready", ns=None)
    client.issue("plain", issuer="plain")
    blocks = chain(client, "plain")
    assert len(blocks) == 4 and top_names(lab, 1)[0] in issuer_of(blocks[-1])
    assert lab.violations() == []


def test_binding_and_late_validations(make_lab, make_client):
    """With everything that Pebble does by default: late, some nonces refused, half of the authorizations reused."""
    lab = make_lab("--eab", "--strict", "--va-sleep", "2", "--nonce-reject", "5", "--authz-reuse", "50")
    client = make_client(lab)
    client.daemon.apply(world.secret("eab", {"secret": lab.env["ACME_EAB_HMAC"]}, "Opaque", ns="sallyport-system"))
    client.up(externalAccountBinding={"keyID": lab.env["ACME_EAB_KID"],
                                      "keySecretRef": {"name": "eab", "key": "secret"}})
    names = ["c%d" % n for n in range(6)]
    for name in names:
        client.ask(name)
    for name in names:
        client.ready(name)
        assert client.failures(name) == 0
    assert lab.orders() == len(names) and lab.violations() == []
