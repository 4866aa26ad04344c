"""A certificate authority that does its worst: the fixtures.

The scenarios are those of FAULTS.md in the lab beside the project (../shared/acme-lab): its proxy
injects each fault between the daemon and Pebble, and keeps count of what a client does that it must
not. Hours pass on a clock that the test sets.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "flow"))

import pytest  # noqa: E402

from fixtures import *  # noqa: E402,F401,F403
import lab as faultlab  # noqa: E402
from proc import wait_for  # noqa: E402
import world  # noqa: E402


def pytest_collection_modifyitems(items):
    missing = faultlab.what_is_missing()
    for item in items if missing else ():
        item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture(scope="session")
def _lab():
    made = faultlab.Lab()
    yield made
    made.stop()


@pytest.fixture
def lab(_lab):
    """The session's authority behind the proxy, with no fault and nothing counted yet."""
    _lab.clear()
    yield _lab
    _lab.clear()


@pytest.fixture
def make_lab():
    """make_lab("--eab", …): an authority of the test's own, with options of pebble-up."""
    made = []

    def make(*options, proxy=True):
        made.append(faultlab.Lab(*options, proxy=proxy))
        return made[-1]
    yield make
    for each in made:
        each.stop()


@pytest.fixture
def clock(box):
    """The daemon's time: clock.forward(seconds)."""
    return faultlab.Clock(box / "clock")


class Client:
    """A daemon with a clock, an issuer at the authority, an HTTP listener, and names of its own."""

    def __init__(self, daemon, clock, lab):
        self.daemon, self.clock, self.lab = daemon, clock, lab
        self.base = "n%s.example.com" % daemon.address.replace(".", "-")
        self.count = self.asked = 0

    def up(self, **acme):
        """The Gateway, and an issuer that is ready."""
        self.prepare(**acme)
        self.daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)
        return self

    def prepare(self, **acme):
        self.daemon.apply(world.gateway(self.daemon.address, [world.listener("http", self.lab.http_port)]),
                          self.issuer(**acme))
        self.daemon.wait_programmed()
        return self

    def issuer(self, name="ca", **acme):
        return world.acme_issuer(self.lab, name, **acme)

    def name(self):
        """A new name that leads to the listener."""
        self.count += 1
        made = "c%d.%s" % (self.count, self.base)
        self.lab.name(made, self.daemon.address)
        return made

    def ask(self, name="cert", names=1, issuer="ca", **spec):
        """Applies a Certificate, and waits for nothing; its names."""
        hosts = [self.name() for _ in range(names)]
        self.asked += 1
        spec.setdefault("privateKey", {"algorithm": "ECDSA", "size": 256})
        self.daemon.apply(world.certificate(name, *hosts, issuer=issuer, **spec))
        return hosts

    def ready(self, name="cert", timeout=30):
        return self.daemon.wait_ready_certificate(name, timeout=timeout)

    def issue(self, name="cert", timeout=30, **spec):
        """A certificate, within the first attempt."""
        hosts = self.ask(name, **spec)
        self.ready(name, timeout)
        assert self.failures(name) == 0, "more than one attempt"
        return hosts

    def lab_waits(self, step):
        """Waits until the authority has met a request of that step."""
        wait_for(lambda: self.lab.count(step) > 0, "a request: " + step, alive=self.daemon.process)

    def later(self, seconds):
        """Time goes on when every request has been answered."""
        def answered():
            text = self.daemon.raw("GET", "/metrics")[1].decode()
            return "sallyport_http_client_requests_waiting 0" in text
        wait_for(answered, "the authority's answers", alive=self.daemon.process)
        self.clock.forward(seconds)

    def failures(self, name="cert"):
        return self.daemon.get("certificates", name).get("status", {}).get("failedIssuanceAttempts", 0)

    def told(self, reason, *words, name="cert", timeout=30):
        """Waits until the Certificate says why it is not there, with these words; the message."""
        def there():
            found = self.daemon.condition("certificates", name, "Issuing")
            assert reason in (None, found["reason"]) and "next try" in found["message"], found
            assert all(w in found["message"] for w in words), found
            return found["message"]
        return wait_for(there, "%s: %s %s" % (name, reason, words), timeout, alive=self.daemon.process)

    def serial(self, name="cert"):
        """Of the stored certificate; None when there is none."""
        if not self.daemon.exists("secrets", name):
            return None
        data = self.daemon.get("secrets", name)["data"].get("tls.crt")
        return faultlab.serial_of(data) if data else None


@pytest.fixture
def make_client(daemons, clock):
    """make_client(lab): a daemon of the test's own on the test's clock, not asked for anything yet."""
    def make(lab, *flags, **env):
        daemon = daemons(*flags, env=dict(clock.env(), **env), dns=lab.dns).start()
        clock.daemons.append(daemon)
        return Client(daemon, clock, lab)
    return make


@pytest.fixture
def client(make_client, lab, clock):
    """A client at the session's authority; at the end the proxy must have seen nothing wrong."""
    made = make_client(lab)
    yield made
    wrong = lab.violations()
    if clock.offset:  # the proxy has a clock of its own
        wrong = [v for v in wrong if "Retry-After" not in v["what"]]
    assert wrong == []
    busiest = 0 if clock.offset else lab.busiest(10)
    assert busiest <= 20 * max(1, made.asked), "%d requests within 10 s" % busiest
