"""FAULTS.md, section 2: HTTP and server errors."""
import pytest

from proc import wait_for


def after_fault(lab, step):
    """Seconds between the first fault and the next request of that step; and how many there were."""
    log = lab.log(step)
    at = next(i for i, r in enumerate(log) if r.get("fault"))
    return log[at + 1]["t"] - log[at]["t"], len(log)


@pytest.mark.parametrize("step, code", [
    ("dir", 500), ("dir", 503), ("nonce", 502), ("newacct", 504), ("neworder", 500), ("neworder", 504),
    ("authz", 502), ("chal", 503), ("order", 504), ("finalize", 500), ("finalize", 503), ("cert", 502)])
def test_f08_server_error(client, lab, step, code):
    """Tried again in place: the certificate comes within the same attempt, with one order."""
    orders = lab.orders()
    lab.set("status:step=%s,code=%d" % (step, code))
    if step in ("dir", "newacct", "nonce"):
        client.prepare()
        client.daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)
    else:
        client.up()
    client.issue()
    assert lab.hits() == 1
    assert lab.orders() - orders == 1


@pytest.mark.parametrize("when", ["3", "date+3"])
@pytest.mark.parametrize("step", ["neworder", "finalize"])
def test_f09_f10_retry_after(client, lab, step, when):
    client.up()
    lab.set("status:step=%s,retry_after=%s" % (step, when))
    client.ask()
    client.ready()
    waited, _ = after_fault(lab, step)
    assert waited >= 2.9 if when == "3" else waited >= 2, "asked again after %.2f s" % waited


@pytest.mark.parametrize("when", ["-1", "soon", "1e99"])
def test_f11_retry_after_that_is_none(client, lab, when):
    client.up()
    lab.set("status:step=neworder,retry_after=" + when)
    client.ask()
    client.ready()


def test_f11_retry_after_of_ten_years(client, lab):
    """A day is the most that is waited for."""
    client.up()
    lab.set("status:step=neworder,retry_after=315360000")
    client.ask()
    client.told(None, "next try")
    lab.clear()
    client.clock.forward(23 * 3600)
    assert client.serial() is None and lab.count("neworder") == 0
    client.clock.forward(2 * 3600)
    client.ready()


def test_f12_page_of_a_balancer(client, lab):
    client.up()
    lab.set("status:step=neworder,html=1,times=0")
    client.ask()
    said = client.told(None, "503", timeout=120)
    assert "<" not in said and "Service Unavailable" in said and len(said) < 400, said
    lab.clear()
    client.clock.forward(120)
    client.ready()


def test_f13_a_fifth_of_all_requests(client, lab):
    client.up()
    orders = lab.orders()
    lab.set("status:pct=20,times=0")
    client.ask()
    client.ready(timeout=60)
    assert lab.orders() - orders == 1


def test_f15_rate_limit(client, lab):
    """Never for good, and nothing is asked for that account before the time."""
    client.up()
    lab.set("status:step=neworder,code=429,type=rateLimited,retry_after=3600")
    client.ask()
    said = client.told("RateLimited", "rateLimited")
    client.ask("second")
    client.told("RateLimited", "rateLimited", name="second")
    client.clock.forward(3500)
    assert lab.count("neworder") == 1 and client.serial() is None
    assert said.split("next try at ")[1][:10].startswith("20"), said
    client.clock.forward(200)
    client.ready()
    client.ready("second")


def test_f16_rate_limit_over_a_batch(client, lab):
    client.up()
    lab.set("ratelimit:step=neworder,limit=5,window=2")
    for number in range(15):
        client.ask("c%d" % number)
    for number in range(15):
        client.ready("c%d" % number, timeout=60)


def test_f17_rate_limit_without_a_time(client, lab):
    client.up()
    lab.set("status:step=neworder,code=429,type=rateLimited,times=0,detail=not-before-tomorrow")
    client.ask()
    client.told("RateLimited", "not-before-tomorrow")
    assert lab.count("neworder") <= 5
    lab.clear()
    client.clock.forward(150)
    client.ready()


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("step", ["nonce", "authz", "order"])
def test_f18_overload(client, lab, step, code):
    """Each step waits as it is told, and the order goes on."""
    client.up()
    orders = lab.orders()
    if step == "nonce":  # asked for when there are none
        client.daemon.restart()
    lab.set("status:step=%s,code=%d,times=3,retry_after=1" % (step, code))
    client.ask()
    client.ready(timeout=60)
    assert lab.orders() - orders == 1


def test_f19_redirect_of_the_directory(client, lab):
    lab.set("redirect:step=dir,url=" + lab.direct)
    client.prepare()
    client.daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)
    client.issue()


def test_f20_redirect_loop(client, lab):
    lab.set("redirect:step=dir,times=0")
    client.prepare()

    def told():
        found = client.daemon.condition("clusterissuers", "ca", "Ready", ns=None)
        assert found["status"] == "False" and lab.directory in found["message"], found
        assert "redirect" in found["message"].lower(), found
        return True
    wait_for(told, "the issuer to tell of the redirects")
    assert lab.count("dir") <= 20
    lab.clear()
    client.clock.forward(150)
    client.daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)


def test_f21_redirect_of_a_post(client, lab):
    client.up()
    lab.set("redirect:step=neworder,url=https://127.0.0.9:1/elsewhere")
    client.issue()
    assert lab.hits() == 1


def test_f22_wrong_content_type(client, lab):
    client.up()
    lab.set("bad-type")
    client.issue()


def test_f14_down_for_hours(make_lab, make_client):
    """It asks ever less often; the CA that comes back knows no account: it is made again with its key, and the
    certificate comes by itself."""
    lab = make_lab()
    client = make_client(lab).up()
    client.issue("before")
    serial, key = client.serial("before"), client.daemon.get("secrets", "ca-account", "sallyport-system")["data"]
    lab.down()
    client.ask()

    def told():
        client.later(20)
        return client.told(None, "next try", timeout=0.1)
    wait_for(told, "the outage to be told", 60, every=0.1)
    lab.clear()
    for _ in range(12):
        client.later(600)

    def tried():
        client.later(600)
        return lab.count("dir")
    wait_for(tried, "another try", 60, every=0.1)
    assert {r["step"] for r in lab.log()} == {"dir"}  # whether the CA is back is all that is asked
    # Minutes, hours, a day between the tries: at most one failure each time is written down.
    said = client.daemon.text().count("Retrying: ")
    assert 1 <= said <= 4, said
    lab.back()

    def there():
        client.later(6 * 3600)
        return client.serial()
    wait_for(there, "the certificate", 60, every=0.1, alive=client.daemon.process)
    assert lab.accounts() == 1 and lab.orders() == 1
    assert client.daemon.get("secrets", "ca-account", "sallyport-system")["data"] == key
    assert client.serial("before") == serial
