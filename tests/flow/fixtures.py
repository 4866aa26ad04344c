"""Fixtures of the flow and regression tests: the real daemon, the real command line, a local authority.

One authority serves the whole session; every test has a daemon of its own with a fresh state
directory, a socket, and a loopback address on which the session's two ports are free. When a test
fails, the ends of the logs are part of its report.
"""
import os
import pathlib
import resource
import shutil
import tempfile

import pytest

from acme_ca import NameServer, Pebble, make_tls_files
from origin import Origin
from proc import Process, free_port, wait_for
import web
import world


def pytest_configure(config):
    config.addinivalue_line("markers", "heavy: takes more than a few seconds")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.umask(0o022)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed and call.when in ("setup", "call"):
        for process in _shown(item):
            report.sections.append(("log", process.tail(80)))


def _shown(item):
    found = []
    for value in getattr(item, "funcargs", {}).values():
        if isinstance(value, world.Daemon):
            found.append(value.process)
        elif isinstance(value, (Pebble, NameServer, Site)):
            found.append(value.process if not isinstance(value, Site) else value.daemon.process)
        elif isinstance(value, Daemons):
            found.extend(d.process for d in value.made)
    return [p for i, p in enumerate(found) if p is not None and p not in found[:i]]


def folder(prefix):
    return pathlib.Path(tempfile.mkdtemp(prefix=prefix))


@pytest.fixture
def box():
    """A short-named folder (paths of sockets are at most 107 bytes)."""
    made = folder("flow.")
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def http_port():
    return free_port()


@pytest.fixture(scope="session")
def https_port():
    return free_port()


@pytest.fixture(scope="session")
def names():
    made = folder("names.")
    server = NameServer(made)
    yield server
    server.stop()
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def ca(names, http_port):
    """The session's authority: quick, and it refuses no good nonces."""
    made = folder("pebble.")
    pebble = Pebble(made, names, http_port)
    yield pebble
    pebble.stop()
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def make_ca(names, http_port):
    """make_ca(nonce_reject=…, va_sleep=…, …): an authority of this test's own."""
    made = []

    def make(**options):
        where = folder("pebble.")
        make_tls_files(where)
        made.append((Pebble(where, names, options.pop("http_port", http_port), **options), where))
        return made[-1][0]
    yield make
    for pebble, where in made:
        pebble.stop()
        shutil.rmtree(where, ignore_errors=True)


class Daemons:
    """daemons(flags…, env=…): daemons of this test's own, not started yet."""

    def __init__(self, dns):
        self.dns = dns
        self.made = []

    def __call__(self, *flags, env=None, dns=None):
        self.made.append(world.Daemon(env, flags, dns or self.dns))
        return self.made[-1]


@pytest.fixture
def daemons(names):
    made = Daemons(names.address)
    yield made
    wrong = []
    for daemon in made.made:
        try:
            daemon.remove()
        except AssertionError as e:
            wrong.append(str(e))
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def daemon(daemons):
    """A daemon that runs."""
    return daemons().start()


@pytest.fixture
def origins():
    """origins(name): a service that records its requests."""
    made = []

    def make(name="app", **where):
        made.append(Origin(name, **where))
        return made[-1]
    yield make
    for origin in made:
        origin.stop()


@pytest.fixture
def origin(origins):
    return origins()


@pytest.fixture
def heavy_origin(box):
    """A service in a process of its own; (host, port)."""
    port = free_port()
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "origin.py")
    process = Process("origin", ["/usr/bin/python3", script, "app", "127.0.0.1", port], box / "origin.log")
    wait_for(lambda: "listening" in process.text(), "the origin", alive=process)
    yield "127.0.0.1", port
    process.kill()


class Site:
    """A name, a Gateway with both doors, a service and an issuer: the shape of most tests."""

    def __init__(self, daemon, ca, origin, http_port, https_port):
        self.daemon, self.ca = daemon, ca
        self.address, self.http_port, self.https_port = daemon.address, http_port, https_port
        self.name = "n%s.example.test" % self.address.replace(".", "-")
        self.backend = (origin.host, origin.port) if isinstance(origin, Origin) else origin
        ca.names.name(self.name, self.address)

    def gateway(self, issuer="ca", more=()):
        return world.gateway(self.address, [
            world.listener("http", self.http_port),
            world.listener("https", self.https_port, self.name, "edge-tls")] + list(more),
            issuer=issuer)

    def http_gateway(self):
        return world.gateway(self.address, [world.listener("http", self.http_port)])

    def objects(self, issuer="ca"):
        return [world.acme_issuer(self.ca, "ca"), self.gateway(issuer),
                world.backend("app", self.backend), world.route("site", world.rule("app"))]

    def up(self):
        """Everything applied, and the certificate there."""
        self.daemon.apply(*self.objects())
        self.daemon.wait_ready_certificate()
        self.daemon.wait_programmed()
        wait_for(self.serial, "HTTPS")
        return self

    def tls(self, *alpn):
        return web.tls_context(self.ca.root, alpn or ("http/1.1",))

    def serial(self):
        return web.served_serial(self.address, self.https_port, self.name, self.tls())

    def http(self, target="/", method="GET", host=None, fields=None, body=None):
        return web.get(self.address, self.http_port, host or self.name, target, None, method, fields, body)

    def https(self, target="/", method="GET", fields=None, body=None):
        return web.get(self.address, self.https_port, self.name, target, self.tls(), method, fields, body)

    def h2(self):
        return web.H2Connection(self.address, self.https_port, self.name, self.tls("h2"))

    def curl(self, *arguments):
        return ["curl", "-sS", "--noproxy", "*", "--cacert", str(self.ca.root), "--resolve",
                "%s:%d:%s" % (self.name, self.https_port, self.address)] + [str(a) for a in arguments]

    def url(self, target="/"):
        return "https://%s:%d%s" % (self.name, self.https_port, target)

    def renew(self):
        """Asks for a renewal; the new serial once it is served."""
        old = self.serial()
        self.daemon.cli("renew", "certificate/edge-tls")
        return wait_for(lambda: self.serial() != old and self.serial(), "a new certificate", 60,
                        alive=self.daemon.process)


@pytest.fixture
def site(daemon, ca, origin, http_port, https_port):
    return Site(daemon, ca, origin, http_port, https_port)


@pytest.fixture
def make_site(http_port, https_port):
    def make(daemon, ca, origin):
        return Site(daemon, ca, origin, http_port, https_port)
    return make


@pytest.fixture
def figures(request, record_property):
    """figures("what", value): printed even when the test passes, and kept in the results file."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(what, value):
        record_property(what, value)
        with capture.global_and_fixture_disabled():
            print("\n    %s: %s" % (what, value), flush=True)
    return say

