"""FAULTS.md, section 4: connections to the authority, its TLS and its name."""
import socket

import pytest

from proc import wait_for
import world


@pytest.mark.parametrize("step", ["dir", "nonce", "newacct", "neworder", "authz", "chal", "order", "finalize", "cert"])
@pytest.mark.parametrize("what", ["close", "reset"])
def test_f34_f35_no_answer(client, lab, what, step):
    lab.set("%s:step=%s" % (what, step))
    client.prepare()
    client.daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)
    client.ask()
    client.ready()
    assert lab.hits() == 1


@pytest.mark.parametrize("step", ["newacct", "neworder", "chal", "finalize", "cert"])
def test_f36_answer_lost(client, lab, step):
    """What the CA did is found again: one account, one order, one certificate."""
    orders, accounts, issued = lab.orders(), lab.accounts(), len(lab.issued())
    lab.set("lost-reply:step=" + step)
    client.prepare()
    client.ask()
    client.ready()
    assert lab.hits() == 1
    assert lab.accounts() - accounts == 1
    assert lab.orders() - orders == 1
    assert len(lab.issued()) - issued == 1


@pytest.mark.parametrize("what", ["conn-close", "idle-close"])
def test_f37_connections_that_do_not_last(client, lab, what):
    client.up()
    lab.set(what)
    client.issue()


def test_f38_refused(client, lab):
    client.up()
    lab.set("refuse:sec=4")
    wait_for(lambda: not can_connect(lab), "the proxy to stop listening")
    client.ask()
    client.ready(timeout=60)


def can_connect(lab):
    host, port = lab.directory.split("/")[2].split(":")
    try:
        socket.create_connection((host, int(port)), 2).close()
        return True
    except OSError:
        return False


@pytest.mark.parametrize("what, words", [
    ("tls-expired", ("expired",)), ("tls-wrongname", ()), ("tls-untrusted", ()), ("tls-alert", ())])
def test_f39_tls(client, lab, what, words):
    """No request is sent over it; the condition says what is wrong; it works once that is mended."""
    lab.set(what)
    client.prepare()

    def told():
        found = client.daemon.condition("clusterissuers", "ca", "Ready", ns=None)
        assert found["status"] == "False" and found["reason"] == "TLSVerificationFailed" or what == "tls-alert", found
        assert found["reason"] != "Pending" and all(w in found["message"] for w in words), found
        return True
    wait_for(told, "the issuer to tell")
    assert lab.log() == []
    message = client.daemon.condition("clusterissuers", "ca", "Ready", ns=None)["message"]
    assert "next try at 20" in message, message
    if what != "tls-alert":  # whose certificate it is, and its days
        assert "issued by" in message.lower() or "issuer" in message.lower(), message
        assert message.count("20") >= 2, message
    for _ in range(3):  # at most once a minute
        client.later(15)
    assert lab.stats()["steps"][what] <= 2
    lab.clear()
    client.clock.forward(150)
    client.daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)
    client.issue()


def test_f39_tls_goes_bad(client, lab):
    """An account that is there already: the served certificate stays, renewal waits."""
    client.up()
    client.issue()
    serial = client.serial()
    lab.set("tls-untrusted")
    client.daemon.restart()  # a connection that is kept would do
    client.daemon.cli("renew", "certificate/cert")
    client.told(None)
    assert client.serial() == serial
    lab.clear()
    client.clock.forward(150)
    wait_for(lambda: client.serial() != serial, "the renewal")


def test_f40_name_of_the_authority(client, lab):
    """It does not resolve, or nobody answers: told, and another issuer goes on meanwhile."""
    lost = client.issuer("lost")
    lost["spec"]["acme"]["server"] = "https://nowhere.invalid.example.com/dir"
    lab.tell("set-servfail", host="nowhere.invalid.example.com.")
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        hole = client.issuer("hole")
        hole["spec"]["acme"]["server"] = "https://127.0.0.1:%d/dir" % silent.getsockname()[1]
        client.up()
        client.daemon.apply(lost, hole)

        def told():
            found = client.daemon.condition("clusterissuers", "lost", "Ready", ns=None)
            assert found["status"] == "False" and "nowhere.invalid.example.com" in found["message"], found
            assert found["reason"] != "Pending", found
            return True
        wait_for(told, "the issuer to tell of the name")
        client.issue()

        def silent_told():
            client.clock.forward(10)  # to connect may take as long, and it is tried a few times
            found = client.daemon.condition("clusterissuers", "hole", "Ready", ns=None)
            assert found["status"] == "False" and found["reason"] != "Pending", found
            return True
        wait_for(silent_told, "the issuer to tell of the silence", every=0.3)
