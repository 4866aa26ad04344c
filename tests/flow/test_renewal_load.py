"""A renewal under load loses no request."""
import re
import subprocess
import threading

import pytest

import web
from proc import clean_env, wait_for

ENOUGH = 5000


class Load:
    """Requests without pause until stop(); counts what came back and what did not."""

    def __init__(self, site):
        self.site = site
        self.done = threading.Event()
        self.lock = threading.Lock()
        self.counts = {}
        self.lost = []
        self.serials = []
        self.programs = []
        jobs = [self.new_h1, self.new_h2, self.kept_h1, self.kept_h2,
                lambda: self.h2load("kept h1 (h2load)", "--h1", "-c", "4"),
                lambda: self.h2load("kept h2 (h2load)", "-c", "2", "-m", "10")]
        self.threads = [threading.Thread(target=job, daemon=True) for job in jobs]
        for thread in self.threads:
            thread.start()

    def good(self, what, n=1, serial=None):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + n
            if serial and serial not in self.serials:
                self.serials.append(serial)

    def total(self):
        with self.lock:
            return sum(self.counts.values())

    def request(self, what, ask, serial=None):
        answer = ask()
        assert answer.status == 200, answer
        self.good(what, 1, serial)

    def each(self, what, once):
        while not self.done.is_set():
            try:
                once()
            except Exception as e:  # noqa: BLE001 - whatever it is, a request was lost
                with self.lock:
                    self.lost.append("%s: %s: %s" % (what, type(e).__name__, e))
                return

    def new_h1(self):
        site = self.site
        tls = site.tls()

        def once():
            with web.Connection(site.address, site.https_port, site.name, tls) as c:
                self.request("new h1", c.ask, c.serial())
        self.each("new h1", once)

    def new_h2(self):
        site = self.site
        tls = site.tls("h2")

        def once():
            with web.H2Connection(site.address, site.https_port, site.name, tls) as c:
                self.request("new h2", c.ask, c.serial())
        self.each("new h2", once)

    def kept_h1(self):
        site = self.site
        kept = [None]

        def once():
            if kept[0] is None:
                kept[0] = web.Connection(site.address, site.https_port, site.name, site.tls())
            self.request("kept h1", kept[0].ask)
            if kept[0].ends:  # with notice, and after a whole answer
                kept[0].close()
                kept[0] = None
        self.each("kept h1", once)

    def kept_h2(self):
        kept = [None]

        def once():
            if kept[0] is None:
                kept[0] = self.site.h2()
            streams = [kept[0].begin() for _ in range(5)]
            for answer in kept[0].answers(streams):
                assert answer.status == 200, answer
            self.good("kept h2", 5)
            if kept[0].ended is not None:
                kept[0].close()
                kept[0] = None
        self.each("kept h2", once)

    def h2load(self, what, *flags):
        n = 400

        def once():
            site = self.site
            done = subprocess.run(
                ["h2load", "-n", str(n), *flags, "--connect-to", "%s:%d" % (site.address, site.https_port),
                 site.url()], capture_output=True, text=True, timeout=120, env=clean_env())
            found = re.search(r"requests: (\d+) total, \d+ started, \d+ done, (\d+) succeeded", done.stdout)
            assert found and (int(found[1]), int(found[2])) == (n, n), done.stdout + done.stderr
            self.good(what, n)
        self.each(what, once)

    def stop(self):
        self.done.set()
        for thread in self.threads:
            thread.join(120)


@pytest.mark.heavy
def test_renewal_under_load_loses_nothing(daemon, ca, heavy_origin, make_site, figures):
    site = make_site(daemon, ca, heavy_origin).up()
    serials = [site.serial()]
    load = Load(site)
    try:
        wait_for(lambda: load.total() > 500 or load.lost, "the load to run", 60)
        for _ in range(3):
            serials.append(site.renew())
            mark = load.total()
            wait_for(lambda: load.total() > mark + 500 or load.lost, "requests after a renewal", 60)
        wait_for(lambda: load.total() > ENOUGH or load.lost, "%d requests" % ENOUGH, 120)
    finally:
        load.stop()
    figures("requests during three renewals", "%d, lost: %d (%s)" % (
        load.total(), len(load.lost),
        ", ".join("%s %d" % pair for pair in sorted(load.counts.items()))))
    assert not load.lost, load.lost[:5]
    assert load.total() >= ENOUGH
    assert len(set(serials)) == 4
    assert set(load.serials) <= set(serials) and serials[-1] in load.serials
    assert all(load.counts.get(k, 0) >= 10 for k in ("new h1", "new h2", "kept h1", "kept h2")), load.counts
