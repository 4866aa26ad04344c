"""FAULTS.md, section 3: bodies of answers."""
import pytest


@pytest.mark.parametrize("spec", [
    "malformed:step=neworder", "malformed:step=finalize", "json-type:step=order", "json-type:step=authz",
    "json-type:step=neworder", "empty:step=authz", "empty:step=neworder", "empty:step=cert",
    "truncate:step=neworder", "truncate:step=cert", "truncate:step=order"])
def test_f23_to_f26_not_what_it_should_be(client, lab, spec):
    """Transient: asked again, and at most one order more where the CA's answer to newOrder was lost."""
    client.up()
    orders = lab.orders()
    lab.set(spec)
    client.ask()
    client.ready(timeout=60)
    assert lab.hits() == 1
    assert lab.orders() - orders <= (2 if "neworder" in spec else 1)


@pytest.mark.parametrize("step", ["dir", "neworder", "cert"])
def test_f27_huge(client, lab, step):
    """The read stops at the cap, and nothing of it stays in memory."""
    client.prepare()
    if step != "dir":
        client.daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)
    else:
        client.daemon.cli("delete", "clusterissuer", "ca")
    before = client.daemon.process.memory()
    lab.set("huge:step=%s,mib=64" % step)
    if step == "dir":
        client.prepare()
    client.ask()
    client.ready(timeout=90)
    assert lab.hits() == 1
    assert client.daemon.process.memory() - before < 4 << 20


@pytest.mark.parametrize("step", ["neworder", "authz", "order"])
def test_f28_deep(client, lab, step):
    client.up()
    before = client.daemon.process.cpu()
    lab.set("deep:step=" + step)
    client.ask()
    client.ready(timeout=60)
    assert lab.hits() == 1
    assert client.daemon.process.cpu() - before < 2


def test_f29_slow(client, lab):
    client.up()
    lab.set("slow:step=cert,ms=1")
    client.issue(timeout=60)


def test_f29_f30_too_slow_and_silent(client, lab):
    """The certificate that waits for a CA that hardly speaks holds nobody up, and is not forgotten."""
    client.up()
    lab.set("slow:step=cert,ms=2000")
    client.ask()
    client.lab_waits("cert")
    lab.clear()
    client.issue("other")
    client.clock.forward(61)
    client.ready(timeout=60)
    lab.clear()
    lab.set("stall:step=order,sec=90")
    client.ask("third")
    client.lab_waits("order")
    client.clock.forward(61)
    client.ready("third", timeout=60)


@pytest.mark.parametrize("step", ["dir", "neworder", "cert"])
def test_f31_big_headers(client, lab, step):
    client.prepare()
    client.daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)
    if step == "dir":
        client.daemon.cli("delete", "clusterissuer", "ca")
    lab.set("big-headers:step=" + step)
    client.prepare()
    client.ask()
    client.ready(timeout=60)
    assert lab.hits() == 1


@pytest.mark.parametrize("spec", ["odd-challenges", "odd-challenges:bad=1"])
def test_f32_unknown_members(client, lab, spec):
    client.up()
    lab.set(spec)
    client.issue()


def test_f33_date_a_day_off(client, lab):
    client.up()
    lab.set("date-skew", "status:step=neworder,retry_after=date+2")
    client.issue()
