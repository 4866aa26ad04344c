"""kill -9 at random moments of an issuance: nothing is lost, nothing is done twice."""
import os
import random
import sqlite3
import time

import pytest

from acme_ca import Relay
from proc import wait_for

ROUNDS = int(os.environ.get("FLOW_KILLS", "30"))


def stored_order_urls(state):
    """The order URLs that the database of a dead daemon knows."""
    path = os.path.join(state, "sallyport.db")
    if not os.path.exists(path):
        return []
    # A copy: opening a WAL database may change it.
    copy = path + ".look"
    for end in ("", "-wal"):
        if os.path.exists(path + end):
            with open(path + end, "rb") as source, open(copy + end, "wb") as target:
                target.write(source.read())
    try:
        db = sqlite3.connect(copy)
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        urls = set()
        for table in tables:
            for row in db.execute("SELECT * FROM \"%s\"" % table):
                for cell in row:
                    text = cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)
                    urls.update(part.split('"')[0].split("\\")[0]
                                for part in text.split("https://localhost")[1:] if "/my-order/" in part)
        db.close()
        return sorted(urls)
    finally:
        for end in ("", "-wal", "-shm"):
            if os.path.exists(copy + end):
                os.unlink(copy + end)


def issue(daemon, site):
    """Everything applied, nothing waited for."""
    daemon.apply(*site.objects())


def measure(daemons, ca, origin, make_site):
    """How long an issuance takes here, undisturbed."""
    daemon = daemons().start()
    site = make_site(daemon, ca, origin)
    start = time.monotonic()
    issue(daemon, site)
    daemon.wait_ready_certificate()
    took = time.monotonic() - start
    daemon.remove()
    return took


# What the authority writes when it has taken a request, from the first to the last of an issuance.
STEPS = ("POST /sign-me-up", "POST /order-plz", "POST /authZ/", "POST /chalZ/", "Attempting to validate",
         "POST /finalize-order/", "Issued certificate", "POST /certZ/")


def kill_after(daemon, site, seconds):
    """At some moment. The delay is the experiment, not a way to wait for something."""
    start = time.monotonic()
    issue(daemon, site)
    time.sleep(max(0.0, seconds - (time.monotonic() - start)))
    daemon.kill()


def kill_at_step(daemon, site, step, seconds):
    """That long after the authority took a request, which may be before its answer is read."""
    log = open(site.ca.process.log, errors="replace")
    log.seek(0, os.SEEK_END)
    issue(daemon, site)
    end = time.monotonic() + 20
    while step not in log.readline():
        assert time.monotonic() < end, "the authority never wrote " + step
    time.sleep(seconds)
    daemon.kill()
    log.close()


@pytest.mark.heavy
def test_kill_at_random_moments(daemons, ca, origin, make_site, figures):
    seed = int(os.environ.get("FLOW_SEED", random.SystemRandom().randrange(1 << 32)))
    dice = random.Random(seed)
    length = measure(daemons, ca, origin, make_site)
    figures("kill test", "seed %d (FLOW_SEED), %d kills over %.2f s" % (seed, ROUNDS, length))
    lost_answers = 0
    for round_ in range(ROUNDS):
        orders, accounts, issued = ca.orders(), ca.accounts(), len(ca.issued())
        gave_up = ca.gave_up()
        daemon = daemons()
        site = make_site(daemon, ca, origin)
        daemon.start()
        if round_ % 2:
            step, after = dice.choice(STEPS), dice.choice((0, 0, dice.uniform(0, 0.02)))
            kill_at_step(daemon, site, step, after)
        else:
            step, after = "apply", dice.uniform(0, length * 1.1)
            kill_after(daemon, site, after)
        told = "round %d, killed %.4f s after %s (seed %d)" % (round_, after, step, seed)
        # The answer to newOrder was lost when the authority has an order that the store has not.
        lost = ca.orders() - orders > 0 and not stored_order_urls(daemon.state)
        lost_answers += lost
        daemon.start()
        daemon.wait_ready_certificate()
        serial = wait_for(site.serial, "HTTPS after " + told)
        secret = daemon.get("secrets", "edge-tls")
        assert ca.accounts() - accounts == 1, told
        # It may also have looked for the token while nobody was there to answer, and given up.
        allowed = 2 if lost or ca.gave_up() > gave_up else 1
        assert ca.orders() - orders <= allowed, "%s: %d orders" % (told, ca.orders() - orders)
        assert len(ca.issued()) - issued == 1, told
        assert any(s.lstrip("0") in serial for s in ca.issued()[issued:]), told
        daemon.restart()
        assert site.serial() == serial, told
        assert daemon.get("secrets", "edge-tls")["data"] == secret["data"], told
        assert ca.orders() - orders <= allowed, told
        daemon.remove()
    figures("answers to newOrder that were lost", lost_answers)


def kill_in_renewal(daemon, site, step, seconds):
    """That long after the authority took a request of it (or after it was asked for)."""
    log = open(site.ca.process.log, errors="replace")
    log.seek(0, os.SEEK_END)
    daemon.cli("renew", "certificate/edge-tls")
    end = time.monotonic() + 20
    while step and step not in log.readline():
        assert time.monotonic() < end, "the authority never wrote " + step
    time.sleep(seconds)
    daemon.kill()
    log.close()


@pytest.mark.heavy
def test_kill_in_renewals(daemons, ca, origin, make_site, figures):
    """The old certificate is served until the new one is, which comes with one order."""
    seed = int(os.environ.get("FLOW_SEED", random.SystemRandom().randrange(1 << 32)))
    dice = random.Random(seed)
    rounds = max(1, ROUNDS // 3)
    figures("kills in renewals", "%d, seed %d (FLOW_SEED)" % (rounds, seed))
    daemon = daemons().start()
    site = make_site(daemon, ca, origin).up()
    for _ in range(rounds):
        accounts, orders, issued, gave_up = ca.accounts(), ca.orders(), len(ca.issued()), ca.gave_up()
        serial, known = site.serial(), stored_order_urls(daemon.state)
        step, after = dice.choice(("",) + STEPS[1:]), dice.choice((0, 0, dice.uniform(0, 0.02)))
        kill_in_renewal(daemon, site, step, after)
        told = "killed %.4f s after %s (seed %d)" % (after, step or "the command", seed)
        lost = ca.orders() - orders > 0 and stored_order_urls(daemon.state) == known
        daemon.start()
        wait_for(lambda: site.serial() != serial, "the renewal, " + told, 60, alive=daemon.process)
        daemon.wait_condition("certificates", "edge-tls", "Issuing", "False")
        allowed = 2 if lost or ca.gave_up() > gave_up else 1
        assert ca.accounts() == accounts and ca.orders() - orders <= allowed, told
        assert len(ca.issued()) - issued == 1, told
        assert any(s.lstrip("0") in site.serial() for s in ca.issued()[issued:]), told


@pytest.mark.parametrize("step", ["accounts in memory", "orders in the db", "POST /authZ/", "POST /chalZ/",
                                  "POST /finalize-order/", "Issued certificate", "POST /certZ/"])
def test_kill_when_an_answer_is_lost(daemons, make_ca, origin, make_site, step):
    """The authority has done it, the daemon was killed before it could know."""
    ca = make_ca()
    relay = Relay(ca)
    daemon = daemons().start()
    site = make_site(daemon, ca, origin)
    objects = site.objects()
    objects[0]["spec"]["acme"]["server"] = relay.directory
    relay.lose(step)
    daemon.apply(*objects)
    assert relay.lost.wait(60), "no answer was lost"
    daemon.kill()
    relay.lose_nothing()
    daemon.start()
    daemon.wait_ready_certificate()
    assert wait_for(site.serial, "HTTPS")
    assert ca.accounts() == 1
    assert len(ca.issued()) == 1
    # Pebble lists an account's orders, so even the one whose URL was lost is found again; only
    # what failed while nobody was there to answer is asked for once more.
    assert ca.orders() == 1 + (ca.gave_up() > 0)
    relay.stop()


def test_certificate_that_cannot_be_saved(daemons, make_ca, origin, make_site):
    """The disk refuses while the authority has the new certificate ready: nothing is ordered anew."""
    ca = make_ca()
    relay = Relay(ca)
    daemon = daemons().start()
    site = make_site(daemon, ca, origin)
    objects = site.objects()
    objects[0]["spec"]["acme"]["server"] = relay.directory
    daemon.apply(*objects)
    daemon.wait_ready_certificate()
    before = wait_for(site.serial, "HTTPS")
    relay.hold("Issued certificate")
    daemon.cli("renew", "edge-tls")
    assert relay.lost.wait(30), "no certificate was issued"
    # Writes fail: the database is not where it was.
    os.rename(daemon.state, daemon.state + ".gone")
    relay.go_on()

    def told():
        found = [c for c in daemon.get("certificates", "edge-tls")["status"]["conditions"]
                 if c["type"] == "StorageFailed"]
        return found and found[0]
    condition = wait_for(told, "the condition StorageFailed")
    assert condition["status"] == "True" and daemon.state in condition["message"], condition
    assert "StorageFailed" in daemon.cli("describe", "certificate", "edge-tls").stdout
    assert "sallyport_store_healthy 0" in daemon.raw("GET", "/metrics")[1].decode()
    assert site.serial() == before
    # It can be written again: what was ordered is saved and served.
    os.rename(daemon.state + ".gone", daemon.state)
    wait_for(lambda: site.serial() != before, "the new certificate", timeout=90)
    wait_for(lambda: not told(), "the condition to go")
    assert (ca.orders(), ca.accounts(), len(ca.issued())) == (2, 1, 2)
