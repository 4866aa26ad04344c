"""FAULTS.md, section 7: what the authority returns for a certificate."""
import base64

import pytest

from proc import wait_for


def pem(client, name="cert"):
    return base64.b64decode(client.daemon.get("secrets", name)["data"]["tls.crt"]).decode()


@pytest.mark.parametrize("spec", ["cert-wrongkey", "cert-wrongname", "cert-expired", "cert-noleaf", "cert-badsig",
                                  "cert-garbage", "cert-private"])
def test_f71_to_f74_refused(client, lab, spec):
    """Never installed; the one that is there stays; and there is no loop of orders."""
    client.up()
    client.issue()
    good = client.serial()
    lab.set(spec + ":times=0")
    orders = lab.count("neworder")
    client.daemon.cli("renew", "certificate/cert")
    client.told("CertificateRefused")
    assert client.serial() == good
    assert lab.count("neworder") - orders <= 1
    # An alert, and no key that came along is shown or kept.
    assert client.daemon.logged("refused") and "PRIVATE KEY" not in client.daemon.text()
    lab.clear()
    client.clock.forward(150)
    wait_for(lambda: client.serial() != good, "a good one")


def test_f73_future(client, lab):
    """Kept, and the old one stays until its time has come."""
    client.up()
    client.issue()
    good = client.serial()
    lab.set("cert-future:sec=3600")
    client.daemon.cli("renew", "certificate/cert")

    def refused_or_kept():
        return lab.hits() == 1
    wait_for(refused_or_kept, "the certificate to be fetched")
    client.daemon.wait_condition("certificates", "cert", "Issuing", "True", "NotYetValid")
    assert client.serial() == good
    lab.clear()
    client.clock.forward(3700)
    wait_for(lambda: client.serial() != good, "a new certificate")
    assert lab.count("neworder") == 0, "ordered anew although it was there"


@pytest.mark.parametrize("spec", ["cert-swapped", "cert-crlf"])
def test_f74_put_in_order(client, lab, spec):
    client.up()
    lab.set(spec)
    client.issue()
    assert pem(client).count("BEGIN CERTIFICATE") == 2
    assert "\r" not in pem(client)


def test_f74_leaf_only(client, lab):
    """Completed with the intermediate that is known from another certificate of the issuer; and told."""
    client.up()
    client.issue("first")
    lab.set("cert-nochain")
    client.ask()
    client.ready()
    blocks = [pem(client, n).split("-----BEGIN CERTIFICATE-----") for n in ("first", "cert")]
    assert len(blocks[1]) == 3 and blocks[1][2] == blocks[0][2]
    wait_for(lambda: "NoIntermediate" in client.daemon.text(), "the warning", alive=client.daemon.process)


def test_f74_leaf_only_for_the_first(client, lab):
    """Nothing is known to complete it with: taken as it is, and told."""
    client.up()
    lab.set("cert-nochain")
    client.issue()
    assert pem(client).count("BEGIN CERTIFICATE") == 1
    wait_for(lambda: "NoIntermediate" in client.daemon.text(), "the warning", alive=client.daemon.process)
