"""Running it: the manifests folder, metrics, logs, stopping under load."""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

import web
import world
from proc import clean_env, free_port, run, wait_for


def write(folder, name, *objects):
    """As an editor does: whole, then renamed."""
    (folder / (name + ".new")).write_text(world.documents(*objects))
    os.rename(folder / (name + ".new"), folder / name)


def config_map(name, value, ns="default"):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": ns},
            "data": {"value": value}}


@pytest.fixture
def manifests(box):
    folder = box / "manifests"
    folder.mkdir()
    return folder


# ---- the folder ----

def test_folder_is_applied_at_start_and_on_hup(daemons, manifests, origin, http_port):
    daemon = daemons("--manifests", manifests)
    # A Namespace that a file before its own needs: Namespaces come first.
    write(manifests, "10-app.yaml", config_map("a", "1", "team"), config_map("b", "1", "team"))
    write(manifests, "20-namespace.yaml", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
    write(manifests, "30-site.yaml", world.gateway(daemon.address, [world.listener("http", http_port)]),
          world.backend("app", (origin.host, origin.port)), world.route("site", world.rule("app")))
    daemon.start()
    assert web.get(daemon.address, http_port, "a.test").status == 200, "served when it is ready"
    source = daemon.get("configmaps", "a", "team")["metadata"]["annotations"]["sallyport.dev/source"]
    assert "10-app.yaml" in source

    # A change in a file is taken by SIGHUP, not before; what leaves a file is deleted.
    write(manifests, "10-app.yaml", config_map("a", "2", "team"))
    assert daemon.get("configmaps", "a", "team")["data"]["value"] == "1"
    daemon.process.send(signal.SIGHUP)
    wait_for(lambda: daemon.get("configmaps", "a", "team")["data"]["value"] == "2", "the change")
    wait_for(lambda: not daemon.exists("configmaps", "b", "team"), "b to be deleted")
    os.unlink(manifests / "10-app.yaml")
    daemon.process.send(signal.SIGHUP)
    wait_for(lambda: not daemon.exists("configmaps", "a", "team"), "a to be deleted with its file")

    # What came by the command line stays, whatever happens to files.
    daemon.apply(config_map("mine", "1"))
    daemon.restart()
    assert daemon.exists("configmaps", "mine")
    assert web.get(daemon.address, http_port, "a.test").status == 200


def test_half_a_file_changes_nothing(daemons, manifests):
    """A file that does not parse, or holds one wrong object, leaves its old objects in force."""
    daemon = daemons("--manifests", manifests)
    write(manifests, "a.yaml", config_map("a", "1"))
    write(manifests, "b.yaml", config_map("b", "1"))
    daemon.start()
    (manifests / "a.yaml").write_text("apiVersion: v1\nkind: Conf")
    write(manifests, "b.yaml", config_map("b", "2"))
    daemon.process.send(signal.SIGHUP)
    wait_for(lambda: daemon.get("configmaps", "b")["data"]["value"] == "2", "the good file")
    assert daemon.get("configmaps", "a")["data"]["value"] == "1"
    wait_for(lambda: daemon.logged(r"a\.yaml"), "the name of the file in the log")
    # One wrong object: nothing of its file is taken.
    write(manifests, "a.yaml", config_map("a", "3"), world.backend("wrong", ("127.0.0.1", 0)))
    write(manifests, "b.yaml", config_map("b", "3"))
    daemon.process.send(signal.SIGHUP)
    wait_for(lambda: daemon.get("configmaps", "b")["data"]["value"] == "3", "the good file")
    assert daemon.get("configmaps", "a")["data"]["value"] == "1"
    wait_for(lambda: daemon.logged(r"a\.yaml(.|\n)*spec\.endpoints\[0\]\.ip\.port"), "the reason in the log")
    # The same at a start.
    daemon.restart()
    assert daemon.get("configmaps", "a")["data"]["value"] == "1"


def test_change_of_a_file_owned_object_warns(daemons, manifests):
    daemon = daemons("--manifests", manifests)
    write(manifests, "a.yaml", config_map("a", "1"))
    daemon.start()
    done = daemon.apply(config_map("a", "by hand"))
    assert "a.yaml" in done.stderr and "Warning" in done.stderr, done.stderr
    assert daemon.get("configmaps", "a")["data"]["value"] == "by hand"
    daemon.process.send(signal.SIGHUP)
    wait_for(lambda: daemon.get("configmaps", "a")["data"]["value"] == "1", "the file's text to be back")


def test_reload_does_not_disturb_requests(daemons, manifests, ca, heavy_origin, make_site):
    daemon = daemons("--manifests", manifests)
    daemon.start()
    site = make_site(daemon, ca, heavy_origin)
    write(manifests, "site.yaml", *site.objects())
    daemon.process.send(signal.SIGHUP)
    wait_for(lambda: daemon.exists("certificates", "edge-tls"), "the certificate")
    daemon.wait_ready_certificate()
    wait_for(site.serial, "HTTPS")
    lost, count, end = [], [0], threading.Event()

    def load():
        try:
            with web.Connection(site.address, site.https_port, site.name, site.tls()) as kept:
                while not end.is_set():
                    assert kept.ask().status == 200
                    assert site.http().status == 200
                    count[0] += 2
        except Exception as e:  # noqa: BLE001
            lost.append(repr(e))
    thread = threading.Thread(target=load)
    thread.start()
    for n in range(10):
        write(manifests, "more.yaml", config_map("n", str(n)),
              world.route("more-%d" % n, world.rule("app", path="/%d" % n)))
        daemon.process.send(signal.SIGHUP)
        wait_for(lambda: daemon.exists("configmaps", "n") and
                 daemon.get("configmaps", "n")["data"]["value"] == str(n), "the reload")
    wait_for(lambda: count[0] > 100 or lost, "requests")
    end.set()
    thread.join(30)
    assert not lost


# ---- metrics ----

def fetch(url, method="GET"):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, method=method), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def test_metrics_listener_serves_three_pages_and_nothing_else(daemons, origin, http_port):
    port = free_port()
    daemon = daemons("--listen-metrics", "127.0.0.1:%d" % port).start()
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", (origin.host, origin.port)), world.route("site", world.rule("app")))
    daemon.wait_programmed()
    base = "http://127.0.0.1:%d" % port

    def counted():
        text = fetch(base + "/metrics")[1]
        return sum(float(v) for v in re.findall(r'^sallyport_requests_total\S* (\S+)$', text, re.M))
    before = counted()
    for _ in range(7):
        assert web.get(daemon.address, http_port, "a.test").status == 200
    wait_for(lambda: counted() == before + 7, "seven requests to be counted")
    assert fetch(base + "/readyz")[0] == 200 and fetch(base + "/livez")[0] == 200
    status, text = fetch(base + "/metrics")
    for line in text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? [-+0-9.eEinfNa]+", line), line
    for path in ("/", "/api", "/api/v1/secrets", "/apis", "/version", "/metrics/x", "/openapi/v2"):
        assert fetch(base + path)[0] in (403, 404), path
    for method in ("POST", "PUT", "DELETE"):
        assert fetch(base + "/metrics", method)[0] in (403, 404, 405), method


def test_metrics_keep_to_the_conventions(daemons):
    """Names, units and types as Prometheus has them; what it shows of every process is there too."""
    daemon = daemons().start()
    text = daemon.cli("get", "--raw", "/metrics").stdout
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    helps = dict(re.findall(r"^# HELP (\w+) (.+)$", text, re.M))
    samples = dict(re.findall(r"^(\w+)(?:\{.*\})? (\S+)$", text, re.M))
    assert set(types) == set(helps) and set(samples) <= set(types)
    for name, kind in types.items():
        assert kind in ("counter", "gauge"), name
        assert (kind == "counter") == name.endswith("_total"), name
        assert not re.search(r"_(ms|us|millis|micros|kb|mb|percent)(_|$)", name), name
    assert re.search(r'^sallyport_build_info\{version="[^"]+"\} 1$', text, re.M)
    assert 0 <= time.time() - float(samples["process_start_time_seconds"]) < 600
    assert float(samples["process_resident_memory_bytes"]) > 1 << 20
    assert 3 < float(samples["process_open_fds"]) <= float(samples["process_max_fds"])
    assert float(samples["process_cpu_seconds_total"]) > 0


def test_metrics_port_in_use(daemons):
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        error = daemons("--listen-metrics", "127.0.0.1:%d" % port).fails()
        assert str(port) in error and "in use" in error, error


# ---- logs ----

def test_access_log_as_text(daemons, box, origin, http_port):
    log = box / "access.log"
    daemon = daemons("--access-log", log).start()
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", (origin.host, origin.port)), world.route("site", world.rule("app", path="/a")))
    daemon.wait_programmed()
    web.get(daemon.address, http_port, "a.test", "/a?secret=1")
    wait_for(lambda: "GET /a" in log.read_text(), "the first line")  # each worker writes its own
    web.get(daemon.address, http_port, "a.test", "/none")
    lines = wait_for(lambda: len(log.read_text().splitlines()) >= 2 and log.read_text().splitlines(), "two lines")
    assert re.search(r'^127\.0\.0\.1 .*"GET /a.* HTTP/1\.1" 200 \d+ "a\.test" \d+\.\d+ ', lines[0]), lines
    assert re.search(r'"GET /none.* HTTP/1\.1" 404 ', lines[1]), lines
    assert os.stat(log).st_mode & 0o007 == 0
    # logrotate: moved away, then SIGUSR1: a new file.
    os.rename(log, box / "access.log.1")
    daemon.process.send(signal.SIGUSR1)
    wait_for(log.exists, "a new access log")
    web.get(daemon.address, http_port, "a.test", "/a/rotated")
    wait_for(lambda: "/a/rotated" in log.read_text(), "the line in the new file")


def test_access_log_as_json_survives_odd_requests(daemons, box, origin, http_port):
    log = box / "access.log"
    daemon = daemons("--access-log", log, "--access-log-format", "json").start()
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", (origin.host, origin.port)), world.route("site", world.rule("app")))
    daemon.wait_programmed()
    web.get(daemon.address, http_port, "a.test", "/a%22%7b")
    wait_for(lambda: "a.test" in log.read_text(), "the first line")  # each worker writes its own
    for odd in (b"GET /\"}\x01 HTTP/1.1\r\nHost: a\r\n\r\n", b"\xff\xfe\r\n\r\n", b"GET / HTTP/1.1\r\nHost: \"\\\r\n\r\n"):
        with socket.create_connection((daemon.address, http_port), 10) as sock:
            sock.sendall(odd)
            while sock.recv(4096):
                pass
    web.get(daemon.address, http_port, "a.test", "/last")
    lines = wait_for(lambda: "/last" in log.read_text() and log.read_text().splitlines(), "the lines")
    made = [json.loads(line) for line in lines]
    assert made[0]["status"] == 200 and made[0]["method"] == "GET" and made[0]["host"] == "a.test"
    assert [m["duration_ms"] >= 0 for m in made if m.get("path") == "/last"] == [True], made


def test_log_as_json(daemons):
    daemon = daemons("--log-format", "json").start()
    daemon.stop()
    lines = daemon.text().splitlines()
    assert len(lines) >= 2
    for line in lines:
        assert json.loads(line)


# ---- stopping ----

def test_stop_lets_requests_end(site, origin):
    """SIGTERM: the port closes, idle connections end at once, what is in flight gets its answer."""
    site.up()
    daemon = site.daemon
    idle = web.Connection(site.address, site.https_port, site.name, site.tls())
    assert idle.ask().status == 200
    busy = web.Connection(site.address, site.https_port, site.name, site.tls())
    busy.http.request("GET", "/slow", headers={"Host": site.name})
    h2 = site.h2()
    stream = h2.begin(target="/slow")
    wait_for(lambda: len(origin.seen("/slow")) == 2, "both requests at the service")
    daemon.process.send(signal.SIGTERM)
    assert idle.sock.recv(1) == b"", "an idle connection ends at once"

    def closed():
        try:
            socket.create_connection((site.address, site.https_port), 2).close()
            return False
        except ConnectionRefusedError:
            return True
    wait_for(closed, "the port to be closed")
    assert not daemon.process.ended()
    origin.release()
    response = busy.http.getresponse()
    assert response.status == 200 and response.read() and response.getheader("connection") == "close"
    assert h2.answers([stream])[0].status == 200
    h2.close()
    assert wait_for(lambda: daemon.process.ended() and (daemon.process.process.returncode,),
                    "the end")[0] == 0


def test_stop_does_not_wait_for_ever(daemons, ca, origin, make_site):
    daemon = daemons("--drain-timeout", "1").start()
    site = make_site(daemon, ca, origin).up()
    busy = web.Connection(site.address, site.https_port, site.name, site.tls())
    busy.http.request("GET", "/slow", headers={"Host": site.name})
    wait_for(lambda: origin.seen("/slow"), "the request at the service")
    daemon.stop(timeout=10)


@pytest.mark.heavy
def test_stop_under_load_loses_nothing(daemons, ca, heavy_origin, make_site):
    """Every request that was answered was answered whole; no connection that got an answer was cut."""
    daemon = daemons().start()
    site = make_site(daemon, ca, heavy_origin).up()
    broken, count, lock = [], [0], threading.Lock()

    def kept():
        tls = site.tls()
        while True:
            try:
                c = web.Connection(site.address, site.https_port, site.name, tls)
            except OSError:
                return  # the port is closed, or the handshake came too late
            with c:
                while True:
                    try:
                        answer = c.ask(target="/bytes?n=20000&chunked=1")
                    except (web.http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError,
                            web.ssl.SSLEOFError):
                        break  # idle connections end without a word; a client asks again
                    except Exception as e:  # noqa: BLE001
                        with lock:
                            broken.append(repr(e))
                        return
                    with lock:
                        count[0] += 1
                        if answer.status != 200 or len(answer.body) != 20000:
                            broken.append(repr(answer))
                    if c.ends:
                        break
    threads = [threading.Thread(target=kept) for _ in range(6)]
    for thread in threads:
        thread.start()
    wait_for(lambda: count[0] > 300, "load")
    daemon.stop()
    for thread in threads:
        thread.join(30)
    assert not broken, broken[:5]


def test_end_of_watches_at_stop(daemon):
    """A watch stays open until the daemon ends, and then ends at once."""
    watch = subprocess.Popen([world.program("SALLYPORT", "sallyport"), "--socket", daemon.socket, "get",
                              "configmaps", "-w", "-o", "name"], stdout=subprocess.PIPE, text=True,
                             env=clean_env())
    try:
        daemon.apply(config_map("seen", "1"))
        assert "seen" in watch.stdout.readline()
        daemon.stop(timeout=10)
        watch.wait(10)
    finally:
        watch.kill()
        watch.wait()
        watch.stdout.close()


def test_start_with_everything_stored_is_quick(site, figures):
    """After a restart the stored certificate is served from the first connection."""
    site.up()
    serial = site.serial()
    site.daemon.stop()
    timer = world.Deadline()
    site.daemon.launch()
    first = wait_for(site.serial, "HTTPS after the start", every=0.002)
    figures("start to the first HTTPS connection", "%.0f ms" % (timer.seconds() * 1000))
    assert first == serial


def test_status_for_monitoring(site):
    site.up()
    done = site.daemon.cli("status", "--exit-code")
    assert site.name in done.stdout and str(site.https_port) in done.stdout
    assert re.search(r"edge-tls .* \d+[dy] .* ready", done.stdout), done.stdout


def test_memory_does_not_grow_with_reloads(daemons, manifests):
    daemon = daemons("--manifests", manifests)
    write(manifests, "a.yaml", *(config_map("m%d" % n, "x" * 500) for n in range(200)))
    daemon.start()

    def reload(n):
        write(manifests, "z.yaml", config_map("z", str(n)))
        daemon.process.send(signal.SIGHUP)
        wait_for(lambda: daemon.exists("configmaps", "z") and
                 daemon.get("configmaps", "z")["data"]["value"] == str(n), "reload %d" % n)
    for n in range(10):
        reload(n)
    before = daemon.process.memory()
    for n in range(10, 60):
        reload(n)
    assert daemon.process.memory() - before < 4 << 20


def test_systemd_notify(daemons, box):
    """READY=1 when it serves, RELOADING and STOPPING as they happen."""
    path = str(box / "notify.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(path)
        inbox.settimeout(15)
        daemon = daemons(env={"NOTIFY_SOCKET": path})
        daemon.start()

        def until(word):
            while word not in inbox.recv(4096).decode():
                pass
        until("READY=1")
        daemon.process.send(signal.SIGTERM)
        until("STOPPING=1")
        assert daemon.process.process.wait(20) == 0


def test_version_agrees(daemons):
    daemon = daemons()
    version = run(daemon.program, "--version").stdout.split()[-1]
    assert version in run(world.program("SALLYPORT", "sallyport"), "version", "--client", check=False).stdout \
        or version in run(world.program("SALLYPORT", "sallyport"), "version", check=False).stdout
