"""Much of everything: bytes, connections, calls; the figures are printed."""
import re
import shutil
import signal
import socket
import subprocess
import threading
import zlib

import pytest

import web
import world
from origin import pattern_crc
from proc import Process, clean_env, wait_for

GIB = 1 << 30
FLAT = 6 << 20  # bytes that a daemon may grow by while a body passes


class Watched:
    """The most resident memory that a process had inside the with block."""

    def __init__(self, process):
        self.process = process
        self.before = self.most = process.memory()
        self.end = threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self._look)
        self.thread.start()
        return self

    def _look(self):
        while not self.end.wait(0.02):
            self.most = max(self.most, self.process.memory())

    def __exit__(self, *what):
        self.end.set()
        self.thread.join()

    def grown(self):
        return self.most - self.before

    def __str__(self):
        return "%.1f MiB at most, grown by %.1f MiB" % (self.most / 2**20, self.grown() / 2**20)


@pytest.mark.heavy
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_gibibyte_down(daemon, ca, heavy_origin, make_site, figures, version):
    site = make_site(daemon, ca, heavy_origin).up()
    site.https()
    with Watched(daemon.process) as memory:
        curl = subprocess.Popen(site.curl(version, site.url("/bytes?n=%d" % GIB)),
                                stdout=subprocess.PIPE, env=clean_env())
        crc, length = 0, 0
        while True:
            piece = curl.stdout.read(1 << 20)
            if not piece:
                break
            crc = zlib.crc32(piece, crc)
            length += len(piece)
        assert curl.wait(60) == 0
    figures("1 GiB down, %s: daemon's memory" % version, memory)
    assert (length, crc) == (GIB, pattern_crc(GIB))
    assert memory.grown() < FLAT


@pytest.mark.heavy
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_gibibyte_up(daemon, ca, heavy_origin, make_site, figures, version, box):
    site = make_site(daemon, ca, heavy_origin).up()
    site.https()
    hole = box / "hole"
    with open(hole, "wb") as f:
        f.truncate(GIB)  # zeros that need no disk
    with Watched(daemon.process) as memory:
        done = subprocess.run(site.curl(version, "-T", hole, "-X", "POST", site.url("/sink")),
                              capture_output=True, env=clean_env(), timeout=120)
    figures("1 GiB up, %s: daemon's memory" % version, memory)
    assert done.returncode == 0, done.stderr
    assert web.json.loads(done.stdout)["length"] == GIB
    assert memory.grown() < FLAT


def test_slow_reader_holds_the_service_back(site, origin):
    """Back-pressure: who does not read costs buffers of one connection, not the body."""
    site.up()
    with Watched(site.daemon.process) as memory:
        with web.Connection(site.address, site.https_port, site.name, site.tls()) as c:
            c.sock.sendall(b"GET /bytes?n=%d HTTP/1.1\r\nHost: %s\r\n\r\n" % (64 << 20, site.name.encode()))
            c.sock.recv(1000)
            cpu = site.daemon.process.cpu()

            def stands_still():
                nonlocal cpu
                before, cpu = cpu, site.daemon.process.cpu()
                return cpu == before
            wait_for(stands_still, "the daemon to stand still", every=0.3)
    assert memory.grown() < FLAT, memory


@pytest.mark.heavy
def test_idle_tls_connections(daemon, ca, origin, make_site, figures):
    """5,000 of them cost under 20 KiB each."""
    count = 5000
    import resource
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < count + 500:
        pytest.skip("fewer than %d descriptors may be open here (ulimit -Hn)" % (count + 500))
    site = make_site(daemon, ca, origin).up()
    tls = site.tls()
    request = b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % site.name.encode()
    for _ in range(20):
        site.https()
    before = daemon.process.memory()
    kept = []
    try:
        for n in range(count):
            raw = socket.create_connection((site.address, site.https_port), 20)
            kept.append(tls.wrap_socket(raw, server_hostname=site.name))
            if n % 50 == 0:  # some have been used
                kept[-1].sendall(request)
                assert kept[-1].recv(4096).startswith(b"HTTP/1.1 200")
        after = daemon.process.memory()
        each = (after - before) / count
        figures("idle TLS connection", "%.1f KiB each (%d: %.1f MiB -> %.1f MiB)" % (
            each / 1024, count, before / 2**20, after / 2**20))
        assert site.https().status == 200
        assert each < 20 * 1024
        for sock in (kept[0], kept[-1], kept[count // 2]):
            sock.sendall(request)
            assert sock.recv(4096).startswith(b"HTTP/1.1 200")
    finally:
        for sock in kept:
            sock.close()


SOCKET_CALLS = ("read", "write", "readv", "writev", "recvfrom", "sendto", "recvmsg", "sendmsg", "recvmmsg",
                "sendmmsg", "splice", "sendfile", "connect", "socket", "close", "shutdown", "accept4",
                "setsockopt", "getsockopt", "epoll_ctl")


def counted_calls(daemon, box, work):
    """How often each system call was made while work() ran."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    log = box / "strace.txt"
    strace = Process("strace", ["strace", "-f", "-c", "-o", log, "-e", "trace=" + ",".join(SOCKET_CALLS),
                                "-p", daemon.process.pid], box / "strace.err")
    try:
        wait_for(lambda: "attached" in strace.text(), "strace to attach", alive=strace)
    except AssertionError as e:
        pytest.skip("strace may not attach here: %s" % strace.text().strip()[:200] or e)
    work()
    strace.stop(signal.SIGINT)
    calls = {}
    for line in log.read_text().splitlines():
        found = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
        if found and found[2] != "total":
            calls[found[2]] = int(found[1])
    return calls


@pytest.mark.heavy
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_four_socket_calls_a_request(daemon, ca, heavy_origin, make_site, box, figures, secure):
    """Proxied on kept connections: client read, upstream write, upstream read, client write."""
    site = make_site(daemon, ca, heavy_origin).up()
    n = 1000
    port = site.https_port if secure else site.http_port
    with web.Connection(site.address, port, site.name, site.tls() if secure else None) as kept:
        def ask():
            for _ in range(n):
                assert kept.ask().status == 200
        kept.ask()
        calls = counted_calls(daemon, box, ask)
    each = sum(calls.values()) / n
    figures("socket calls a proxied request (%s)" % ("https" if secure else "http"),
            "%.2f (%s)" % (each, ", ".join("%s %d" % c for c in sorted(calls.items()))))
    assert 3.9 <= each <= 4.1


def test_many_routes_answer_quickly(daemon, origin, http_port):
    """500 routes in one apply: served, and the API answers meanwhile."""
    routes = [world.route("r%d" % n, world.rule("app", path="/%d" % n), hostnames=["h%d.test" % n])
              for n in range(500)]
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", (origin.host, origin.port)), *routes)
    for n in (0, 250, 499):
        wait_for(lambda: web.get(daemon.address, http_port, "h%d.test" % n, "/%d" % n).status == 200,
                 "route %d" % n)
    assert web.get(daemon.address, http_port, "h1.test", "/2").status == 404
    daemon.wait_condition("gateways", "edge", "Programmed")
    assert daemon.get("gateways", "edge")["status"]["listeners"][0]["attachedRoutes"] == 500
