"""FAULTS.md, section 1: nonces."""
import pytest


@pytest.mark.parametrize("step", ["newacct", "neworder", "authz", "chal", "order", "finalize", "cert"])
def test_f01_bad_nonce_once(make_client, client, lab, step):
    """Tried again at once with the nonce of the answer: nobody notices, and it costs one request."""
    if step == "newacct":
        lab.set("badnonce:step=newacct")
        client.up()
    else:
        client.up()
        lab.set("badnonce:step=" + step)
        client.issue()
    assert lab.hits() == 1
    fault = next(i for i, r in enumerate(lab.log()) if r.get("fault"))
    assert lab.log()[fault + 1]["step"] == step, "the very next request is the same again"
    assert lab.count("nonce") <= 1


def test_f02_storm(client, lab):
    client.up()
    client.asked += 1  # each request up to ten times: the dice may take more than twenty
    lab.set("badnonce:pct=40,times=0")
    client.issue(timeout=60)


def test_f03_for_ever(client, lab):
    """It gives up, says so, and comes back by itself when the back-off is over."""
    client.up()
    lab.set("badnonce:times=0")
    client.ask()
    client.told("BadNonce", "newOrder", "badNonce")
    assert lab.count("neworder") <= 10
    lab.clear()
    assert lab.count("neworder") == 0
    client.clock.forward(120)
    client.ready()


def test_f04_without_a_nonce(client, lab):
    client.up()
    lab.set("badnonce:step=finalize,times=2,nonce=none")
    client.issue()
    assert lab.hits() == 2 and lab.count("nonce") >= 1


def test_f05_bad_nonce_that_brings_a_bad_one(client, lab):
    client.up()
    lab.set("badnonce:step=any,times=4,nonce=bad")
    client.issue()
    assert lab.hits() == 4 and lab.count("nonce") >= 1


def test_f06_no_nonce_anywhere(client, lab):
    client.up()
    lab.set("nonce-missing")
    client.ask()
    client.told(None, timeout=60)
    assert len(lab.log()) <= 20
    lab.clear()
    client.clock.forward(120)
    client.ready()


def test_f07_garbage(client, lab):
    client.up()
    lab.set("nonce-garbage:step=neworder")
    client.issue()
    assert lab.hits() == 1
