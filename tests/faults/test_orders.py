"""FAULTS.md, section 6: orders and authorizations."""
import base64
import socket

import pytest

from proc import run, wait_for
import world


def test_f51_authorization_invalid(client, lab):
    """The attempt ends at once, what the CA said is told for the name, and the next one comes after the back-off."""
    client.up()
    lab.set("authz-invalid:skip=3", "authz-pending:sec=100000", "order-pending:sec=100000")
    hosts = client.ask(names=3)
    said = client.told(None)
    assert any(h in said for h in hosts), said
    assert "did not match" in said and "Timeout during connect" in said, said  # its error, and the subproblem
    assert client.failures() == 1 and lab.count("neworder") == 1
    # The other names are given back: CAs count pending authorizations.
    def given_back():
        return len({r["path"] for r in lab.log("authz") if r["payload"] == {"status": "deactivated"}}) == 2
    wait_for(given_back, "the other authorizations to be deactivated", alive=client.daemon.process)
    lab.clear()
    client.clock.forward(150)
    client.ready()
    assert lab.count("neworder") == 1


@pytest.mark.parametrize("status", ["expired", "deactivated", "revoked"])
def test_f52_authorization_gone(client, lab, status):
    """A new order at once, once: the clock does not move."""
    client.up()
    lab.set("authz-state:status=" + status)
    client.ask()
    client.ready()
    assert lab.hits() == 1 and lab.count("neworder") == 2 and client.failures() == 0


def test_f52_gone_for_ever(client, lab):
    """Of the second order too: then the attempt has failed, is told, and waits."""
    client.up()
    lab.set("authz-state:status=revoked,times=0")
    client.ask()
    client.told("OrderLost", "authorization")
    client.later(30)
    assert lab.count("neworder") == 2 and client.failures() == 1


def test_f53_authorization_pending(client, lab):
    """No faster than Retry-After."""
    client.up()
    lab.set("authz-pending:sec=5,retry_after=2")
    client.issue()
    assert lab.count("authz") <= 6


def test_f53_pending_for_long(client, lab):
    """Without Retry-After the questions become rare; after ten minutes it gives up, and resumes."""
    client.up()
    lab.set("authz-pending:sec=100000", "order-pending:sec=100000")
    client.ask()
    client.lab_waits("chal")
    for _ in range(24):
        client.later(15)
    assert lab.count("authz") + lab.count("order") <= 60

    def gave_up():
        client.later(15)
        return "ValidationTimeout" in client.daemon.text()
    wait_for(gave_up, "ten minutes to pass", 60)
    client.told("ValidationTimeout", "10 minutes")
    lab.clear()
    client.clock.forward(150)
    client.ready(timeout=60)
    assert lab.count("neworder") == 0 and client.failures() == 0  # with the order that was there


def test_f54_authorization_reused(make_lab, make_client):
    lab = make_lab("--authz-reuse", "100")
    client = make_client(lab).up()
    hosts = client.issue("first")
    lab.clear()
    client.daemon.apply(world.certificate("second", *hosts, privateKey={"algorithm": "ECDSA", "size": 256}))
    client.ready("second")
    assert lab.count("chal") == 0
    assert lab.violations() == []


def test_f55_no_http01(client, lab):
    client.up()
    lab.set("no-http01")
    client.ask()
    client.told(None, "http-01", "dns-01", "tls-alpn-01")
    assert lab.count("chal") == 0


def test_f56_order_pending(client, lab):
    client.up()
    lab.set("order-pending:sec=2")
    client.issue()
    assert lab.count("neworder") == 1


def test_f57_processing_for_hours(client, lab):
    """Asked as often as the CA says, over a restart too; no second order."""
    client.up()
    lab.set("processing:sec=100000,retry_after=600")
    client.ask()
    wait_for(lambda: lab.count("finalize") == 1, "the order to be finalized")
    for hour in range(3):
        for _ in range(6):
            client.later(601)
        if hour == 1:
            client.daemon.restart()
    assert client.serial() is None and lab.count("neworder") == 1
    assert lab.count("order") <= 40
    assert "not to be asked before" in client.daemon.condition("certificates", "cert", "Issuing")["message"]
    lab.clear()
    client.later(601)
    client.ready(timeout=60)
    assert lab.count("neworder") == 0


def test_f57_processing_for_ever(client, lab):
    """After six hours the attempt has failed, with what the order says; the next one comes after a back-off."""
    client.up()
    lab.set("processing:sec=1000000,retry_after=3600")
    client.ask()
    wait_for(lambda: lab.count("finalize") == 1, "the order to be finalized")
    for _ in range(5):
        client.later(3700)
    assert client.failures() == 0 and lab.count("neworder") == 1

    def failed():
        client.later(600)
        return client.told("ProcessingTimeout", "processing", timeout=0.1)
    wait_for(failed, "the end of it", 60, every=0.2)


def test_f58_order_not_ready(client, lab):
    client.up()
    lab.set("order-notready")
    client.issue()
    assert lab.hits() == 1 and lab.count("neworder") == 1
    steps = [r["step"] for r in lab.log()]
    refused = steps.index("finalize")
    assert steps[refused + 1] == "order" and "finalize" in steps[refused + 2:]  # looked at before it is asked again


def test_f60_order_invalid(client, lab):
    client.up()
    lab.set("order-invalid")
    client.ask()
    client.told("ServerInternal", "the CA could not issue")  # its own error
    assert lab.count("neworder") == 1 and client.failures() == 1
    client.later(30)
    assert lab.count("neworder") == 1  # not before the back-off is over
    client.clock.forward(150)
    client.ready()


@pytest.mark.parametrize("spec", ["order-404", "order-expired"])
def test_f61_order_forgotten(client, lab, spec):
    """A new one at once, once."""
    client.up()
    lab.set(spec)
    client.ask()
    client.ready()  # the clock does not move: no back-off
    assert lab.hits() == 1 and lab.count("neworder") == 2 and client.failures() == 0


@pytest.mark.parametrize("spec", ["order-404", "order-expired"])
def test_f61_forgotten_again(client, lab, spec):
    """The one in its place is forgotten too: then the attempt has failed, and waits."""
    client.up()
    lab.set(spec + ":times=0")
    client.ask()
    client.told("OrderLost")
    assert lab.count("neworder") == 2 and client.failures() == 1


@pytest.mark.parametrize("spec", ["order-unknown", "order-nocert"])
def test_f62_order_of_no_known_status(client, lab, spec):
    client.up()
    lab.set(spec)
    client.ask()
    client.ready(timeout=60)
    assert lab.count("neworder") == 1


def test_f62_for_ever(client, lab):
    """It ends, with the status as it came."""
    client.up()
    lab.set("order-unknown:times=0")
    client.ask()
    client.lab_waits("order")

    def told():
        client.clock.forward(600)
        return client.told(None, "frobnicating", timeout=0.1)
    wait_for(told, "the end of it", 60, every=0.2)


def test_f63_no_location(client, lab):
    client.up()
    lab.set("no-location:step=neworder")
    client.ask()
    client.told(None, "Location")
    client.later(30)
    assert lab.hits() == 1 and lab.count("neworder") == 1  # not before the back-off is over
    client.clock.forward(150)
    client.ready()
    assert lab.count("neworder") <= 2  # Pebble lists the orders of an account: it is found there


def test_f64_bad_csr(client, lab):
    """Not again with the same key."""
    client.up()
    lab.set("bad-csr")
    client.ask()
    client.told(None, "badCSR")
    refused = client.daemon.list("certificaterequests", "default")[0]["spec"]["request"]
    client.clock.forward(90000)
    client.ready()
    assert lab.count("finalize") == 2
    public = [run("openssl", "req", "-noout", "-pubkey", data=base64.b64decode(r).decode()).stdout
              for r in (refused, client.daemon.list("certificaterequests", "default")[0]["spec"]["request"])]
    assert public[0] != public[1], "the refused key again"


def test_f65_names_refused(client, lab):
    client.up()
    lab.set("rejected:times=0")
    client.ask(names=3)
    client.told("RejectedIdentifier", "blocked.example.com", "policy forbids this name")
    asked = lab.count("neworder")
    client.later(12 * 3600)
    assert lab.count("neworder") == asked, "asked again within half a day"


def test_f65_blocked(make_lab, make_client):
    lab = make_lab("--block", "blocked.example.com")
    client = make_client(lab).up()
    lab.name("www.blocked.example.com", client.daemon.address)
    client.daemon.apply(world.certificate("cert", "www.blocked.example.com", client.name()))
    client.told(None, "blocked.example.com")


def test_f66_caa(client, lab):
    client.up()
    lab.set("caa:times=0")
    client.ask()
    client.told("Caa", "example.com")  # what the CA says that it found
    asked = lab.count("neworder")
    client.later(12 * 3600)
    assert lab.count("neworder") == asked, "asked again within half a day"
    lab.clear()
    client.later(24 * 3600)
    client.ready()


def test_f67_already_replaced(client, lab):
    lab.set("ari:start=86400,end=90000,retry_after=60")
    client.up()
    client.issue()
    lab.set("ari:start=-60,end=-1,retry_after=60", "already-replaced")
    serial = client.serial()
    client.daemon.cli("renew", "certificate/cert")
    client.asked += 1
    wait_for(lambda: client.serial() != serial, "the renewal")
    sent = [str(r["payload"]) for r in lab.log("neworder")][1:]
    assert "replaces" in sent[0] and "replaces" not in sent[1], sent


@pytest.mark.parametrize("value", ["../../../tmp/evil", "x%2e%2e", "<script>"])
def test_f68_evil_token(client, lab, value):
    client.up()
    lab.set("token-evil:value=" + value)
    client.ask()
    said = client.told("BadToken", "token")
    assert value not in said and value not in client.daemon.text()
    assert value not in str(client.daemon.list("orders", "default") + client.daemon.list("events", "default"))
    assert lab.count("chal") == 0 and client.daemon.list("challenges", "default") == []


def test_f69_foreign_urls(client, lab):
    """Nobody comes there, not even to look."""
    client.up()
    with socket.create_server(("127.0.0.9", 0)) as elsewhere:
        lab.set("url-foreign:base=https://127.0.0.9:%d" % elsewhere.getsockname()[1])
        client.ask()
        client.told("UntrustedURL", "127.0.0.9")
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
    assert client.serial() is None and lab.count("neworder") == 1


def test_f70_other_identifier(client, lab):
    client.up()
    lab.set("id-swap")
    client.ask()
    client.told("WrongIdentifier", "not ordered")
    assert lab.count("chal") == 0 and client.serial() is None
    assert "victim.example.org" not in str(client.daemon.list("challenges", "default"))
