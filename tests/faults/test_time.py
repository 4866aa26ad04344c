"""FAULTS.md, section 9: clocks that jump, lifetimes that are short or long, and when the CA wants a renewal."""
import datetime
import itertools
import time

import pytest

import lab as faultlab
from proc import wait_for

DAY = 86400


def when(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()


def of_90_days(client, *more):
    """The next certificates begin now, as the client's clock has it, and end 90 days after the real now."""
    client.lab.set("cert-future:sec=%d,times=0" % client.clock.offset, *more)


def status(client, name="cert"):
    return client.daemon.get("certificates", name)["status"]


def renewal(client, name="cert"):
    """Seconds from the real now on."""
    return when(status(client, name)["renewalTime"]) - time.time()


def renewed(client, before, name="cert", timeout=30):
    wait_for(lambda: client.serial(name) not in (None, before), "a renewal of " + name, timeout,
             alive=client.daemon.process)


def settled(client, name="cert"):
    """The last attempt is over, and it was a good one."""
    client.daemon.wait_condition("certificates", name, "Issuing", "False", "Issued")
    assert client.failures(name) == 0


def test_f80_time_goes_on(client, lab):
    """Sixty-one days at once: what is due is renewed, and dated by the new day."""
    client.up()
    of_90_days(client)
    client.issue()
    first, orders = client.serial(), lab.orders()
    client.clock.forward(61 * DAY)
    of_90_days(client)
    renewed(client, first)
    settled(client)
    assert lab.orders() - orders == 1


def test_f80_host_has_slept_or_its_clock_is_set_back(make_client, lab, box):
    """The wall clock alone jumps: noticed within half a minute, forward and back."""
    clocks = [faultlab.Clock(box / name) for name in ("sleeper", "back")]
    for clock in clocks:
        clock.forward(20 * DAY)
    sleeper, back = [make_client(lab, **clock.env(), FAKETIME_DONT_FAKE_MONOTONIC="1") for clock in clocks]
    for client, clock in zip((sleeper, back), clocks):
        client.clock = clock
        client.up()
        of_90_days(client)
        client.issue("first")
    lab.set("authz-invalid:times=0")
    back.ask()
    back.told(None)
    lab.clear()
    serial = sleeper.serial("first")
    clocks[1].forward(-10 * DAY)  # the next try is ten days away
    clocks[0].forward(60 * DAY)
    of_90_days(back)
    renewed(sleeper, serial, "first", 60)
    wait_for(lambda: back.serial(), "the next try", 60, alive=back.daemon.process)


def test_f81_lifetimes_get_shorter(client, lab):
    """Each is renewed at half of its life: from days to minutes, with one order each."""
    client.up()
    client.clock.offset = 82 * DAY
    client.clock.forward(0)
    of_90_days(client)
    client.issue()
    orders, count = lab.orders(), 0
    while status(client)["notAfter"] and when(status(client)["notAfter"]) - time.time() - client.clock.offset > 1200:
        serial = client.serial()
        left = when(status(client)["notAfter"]) - time.time() - client.clock.offset
        due = renewal(client) - client.clock.offset
        assert 0.4 * left < due < 0.6 * left, (due, left)
        client.later(due - 20)
        of_90_days(client)
        client.later(21)
        renewed(client, serial)
        settled(client)
        count += 1
    assert count >= 8 and lab.orders() - orders == count


def test_f81_of_seconds(make_lab, make_client):
    """In real time: renewed again and again, never two orders for one certificate."""
    lab = make_lab("--validity", "8")
    client = make_client(lab).up()
    client.issue()
    serials = [client.serial()]
    for _ in range(2):
        renewed(client, serials[-1])
        serials.append(client.serial())
        notes = status(client)
        assert when(notes["notAfter"]) > time.time()
    assert lab.orders() - len(lab.issued()) in (0, 1) and client.failures() == 0
    assert [s for s in lab.issued() if s in serials] == serials
    gaps = [b["t"] - a["t"] for a, b in itertools.pairwise(lab.log("neworder"))]
    assert min(gaps) >= 2, gaps


def test_f82_for_centuries(make_lab, make_client):
    lab = make_lab("--validity", "9223372036", proxy=False)
    client = make_client(lab).up()
    client.issue()
    notes = status(client)
    life = when(notes["notAfter"]) - when(notes["notBefore"])
    assert life > 290 * 365 * DAY
    assert 0.6 * life < when(notes["renewalTime"]) - when(notes["notBefore"]) < 0.7 * life
    client.clock.forward(DAY)
    assert client.daemon.condition("certificates", "cert", "Ready")["status"] == "True"
    assert lab.orders() == 1


def test_f83_window_in_the_past(client, lab):
    """Renewed now, as the successor; what the CA explains is told."""
    lab.set("ari:start=%d,end=%d,retry_after=3600" % (30 * DAY, 31 * DAY))
    client.up()
    client.issue()
    wait_for(lambda: lab.count("ari") == 1, "the question")
    serial = client.serial()
    client.asked += 1
    lab.set("ari:start=-60,end=-1,retry_after=3600,url=https://ca.example/why")
    client.later(3700)
    renewed(client, serial)
    assert "replaces" in str(lab.log("neworder")[-1]["payload"])
    assert "https://ca.example/why" in client.daemon.text()


def test_f83_window_that_stays_in_the_past(client, lab):
    """Whatever certificate it is asked about: no loop of orders, and fewer each time."""
    lab.set("ari:start=-7200,end=-3600,retry_after=60")
    client.up()
    client.issue()
    counts = []
    for _ in range(3):
        for _ in range(24):
            client.later(3600)
        counts.append(lab.count("neworder"))
    assert counts[0] <= 5 and counts[2] - counts[0] <= 3, counts
    assert client.failures() == 0


def test_f84_window_moves(client, lab):
    """Later and earlier: each question moves the renewal."""
    lab.set("ari:start=%d,end=%d,retry_after=3600" % (10 * DAY, 11 * DAY))
    client.up()
    client.issue()
    for start in (10, 2, 40):
        lab.set("ari:start=%d,end=%d,retry_after=3600" % (start * DAY, (start + 1) * DAY))

        def moved():
            client.later(3700)
            return (start - 1) * DAY < renewal(client) < (start + 2) * DAY
        wait_for(moved, "a renewal in %d days" % start, every=0.2)
    assert lab.count("neworder") == 1
    lab.set("ari:start=%d,end=%d,retry_after=1" % (40 * DAY, 41 * DAY))

    def clamped():
        client.later(3700)
        info = status(client)["renewalInfo"]
        return 60 <= when(info["nextCheckTime"]) - when(info["checkedTime"]) <= 62
    wait_for(clamped, "the next question after a minute", every=0.2)


@pytest.mark.parametrize("mode", ["404", "500", "garbage", "inverted", "stall"])
def test_f85_no_window(client, lab, mode):
    """The lifetime decides, and no renewal waits for an answer."""
    ari = "ari:mode=%s,start=%d,end=%d,sec=2" % (mode, 5 * DAY, 6 * DAY)
    client.up()
    of_90_days(client, ari)
    client.daemon.restart()  # the directory is read again, now with renewalInfo
    client.issue()
    wait_for(lambda: lab.count("ari") >= 1, "the question")
    assert 55 * DAY < renewal(client) < 61 * DAY
    serial = client.serial()
    client.clock.forward(61 * DAY)
    of_90_days(client, ari)
    renewed(client, serial)
    assert client.failures() == 0


def test_f86_many_at_once(client, lab):
    """Due in the same moment: a few at a time, one order each, all of them."""
    many = 24
    client.up()
    of_90_days(client)
    for number in range(many):
        client.ask("c%d" % number)
    for number in range(many):
        client.ready("c%d" % number)
    before = {"c%d" % n: client.serial("c%d" % n) for n in range(many)}
    client.clock.forward(62 * DAY)
    lab.clear()
    of_90_days(client)

    def all_renewed():
        client.later(20)
        return all(client.serial(name) != serial for name, serial in before.items())
    wait_for(all_renewed, "all to be renewed", 90, every=0.2, alive=client.daemon.process)
    assert lab.count("neworder") == many and lab.count("cert") == many
    open_now = most = 0
    for request in lab.log():
        open_now += (request["step"] == "neworder") - (request["step"] == "cert")
        most = max(most, open_now)
    assert most <= 9, "%d orders at once" % most
