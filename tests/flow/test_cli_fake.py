"""The command line against a server that says whatever a test wants: odd answers, cut streams, hostile text.

A server of a few lines on a Unix socket stands in for the daemon; it keeps objects, serves watches, and each
test may answer any request by itself. SALLYPORT names the program.
"""
import copy
import http.server
import json
import os
import pty
import re
import select
import socket
import socketserver
import subprocess
import threading
import time
import urllib.parse

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLI = os.environ.get("SALLYPORT", os.path.join(TOP, "build", "src", "sallyport"))
PATIENCE = 20

KINDS = {  # group/version -> rows of (plural, singular, Kind, short names, namespaced)
    "v1": [("namespaces", "namespace", "Namespace", ["ns"], False), ("secrets", "secret", "Secret", [], True),
           ("events", "event", "Event", ["ev"], True), ("services", "service", "Service", ["svc"], True)],
    "apps/v1": [("deployments", "deployment", "Deployment", ["deploy"], True)],
    "gateway.networking.k8s.io/v1": [("gateways", "gateway", "Gateway", ["gtw"], True),
                                     ("httproutes", "httproute", "HTTPRoute", [], True)],
    "cert-manager.io/v1": [("certificates", "certificate", "Certificate", ["cert"], True),
                           ("certificaterequests", "certificaterequest", "CertificateRequest", ["cr"], True),
                           ("issuers", "issuer", "Issuer", [], True),
                           ("clusterissuers", "clusterissuer", "ClusterIssuer", [], False)],
    "acme.cert-manager.io/v1": [("orders", "order", "Order", [], True),
                                ("challenges", "challenge", "Challenge", [], True)],
}


def status(code, reason, message, **details):
    return code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
                  "message": message, "details": details}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def address_string(self):
        return "unix"

    def answer(self, code, value, headers=()):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(code)
        for name, text in headers:
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def serve(self):
        fake = self.server.fake
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        fake.requests.append((self.command, self.path, self.headers, body))
        for method, path, function in list(fake.scripts):
            if method == self.command and re.fullmatch(path, url.path):
                if function(self, query, body) is not False:
                    return
        fake.serve(self, url.path, query, body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class Fake:
    """Objects by path, a version that counts, and whoever watches."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "s.sock")
        self.objects, self.history, self.version = {}, [], 10
        self.changed = threading.Condition()
        self.scripts, self.requests = [], []
        self.open = True
        self.server = Server(self.path, Handler)
        self.server.fake = self
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self):
        with self.changed:
            self.open = False
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()

    def script(self, method, path, function):
        self.scripts.insert(0, (method, path, function))

    # ---- what a test says

    def put(self, collection, name, ns="default", **fields):
        """Creates or changes an object, as a controller would; returns it."""
        group_version, plural = collection.rsplit("/", 1)
        kind = next(row[2] for row in KINDS[group_version] if row[0] == plural)
        with self.changed:
            path = self.object_path(group_version, plural, ns, name)
            old = self.objects.get(path)
            self.version += 1
            new = copy.deepcopy(old) if old else {
                "apiVersion": group_version, "kind": kind,
                "metadata": {"name": name, "uid": "uid-%d" % self.version, "generation": 1,
                             "creationTimestamp": "2026-01-01T00:00:00Z"}}
            if ns:
                new["metadata"]["namespace"] = ns
            new["metadata"].update(fields.pop("metadata", {}))
            new.update(copy.deepcopy(fields))
            new["metadata"]["resourceVersion"] = str(self.version)
            self.objects[path] = new
            self.note("MODIFIED" if old else "ADDED", path, new)
            return new

    def remove(self, path):
        with self.changed:
            self.version += 1
            gone = self.objects.pop(path)
            gone["metadata"]["resourceVersion"] = str(self.version)
            self.note("DELETED", path, gone)

    def note(self, kind, path, value):
        self.history.append((self.version, kind, path, value))
        self.changed.notify_all()

    def until_watched(self, plural, count=1):
        """Waits until a watch of the collection is open."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if sum("watch=true" in r[1] and plural in r[1] for r in self.requests) >= count:
                return
            time.sleep(0.005)
        raise AssertionError("nobody watches %s: %s" % (plural, [r[:2] for r in self.requests]))

    # ---- what the server does

    @staticmethod
    def object_path(group_version, plural, ns, name):
        root = "/api/v1" if group_version == "v1" else "/apis/" + group_version
        return "%s%s/%s/%s" % (root, "/namespaces/" + ns if ns else "", plural, name)

    def serve(self, handler, path, query, body):
        if path in ("/api/v1", "/apis") or re.fullmatch("/apis/[^/]+/[^/]+", path):
            return self.discovery(handler, path)
        if path == "/readyz":
            return handler.answer(200, b"ok\n")
        if path == "/version":
            return handler.answer(200, {"gitVersion": "v1.32.0-fake"})
        known = {p for p in self.objects}
        if handler.command == "GET" and path not in known and path.rsplit("/", 1)[-1] in self.plurals():
            return self.listing(handler, path, query)
        value = self.objects.get(path.removesuffix("/status"))
        if value is None:
            plural, name = path.rsplit("/", 2)[1:]
            return handler.answer(*status(404, "NotFound", '%s "%s" not found' % (plural, name), name=name, kind=plural))
        if handler.command == "DELETE":
            self.remove(path)
            return handler.answer(200, {"kind": "Status", "status": "Success"})
        if handler.command == "PUT":
            with self.changed:
                self.version += 1
                new = json.loads(body)
                new["metadata"]["resourceVersion"] = str(self.version)
                self.objects[path.removesuffix("/status")] = new
                self.note("MODIFIED", path.removesuffix("/status"), new)
            return handler.answer(200, new)
        return handler.answer(200, value)

    @staticmethod
    def plurals():
        return {row[0] for rows in KINDS.values() for row in rows}

    @staticmethod
    def discovery(handler, path):
        if path == "/apis":
            groups = [{"name": gv.split("/")[0], "versions": [{"groupVersion": gv, "version": "v1"}]}
                      for gv in KINDS if "/" in gv]
            return handler.answer(200, {"kind": "APIGroupList", "groups": groups})
        gv = path.removeprefix("/apis/").removeprefix("/api/")
        return handler.answer(200, {"groupVersion": gv, "resources": [
            {"name": r[0], "singularName": r[1], "kind": r[2], "shortNames": r[3], "namespaced": r[4], "verbs": []}
            for r in KINDS[gv]]})

    def selected(self, path, query, value_path):
        root, plural = path.rsplit("/", 1)
        wanted = re.fullmatch(re.escape(root) + ("" if "/namespaces/" in path else "(/namespaces/[^/]+)?") +
                              "/" + plural + "/([^/]+)", value_path)
        name = re.search("metadata.name=([^,]+)", query.get("fieldSelector", ""))
        return wanted and (not name or name[1] == value_path.rsplit("/", 1)[1])

    def listing(self, handler, path, query):
        if query.get("watch") == "true":
            return self.watch(handler, path, query)
        with self.changed:
            items = [v for p, v in sorted(self.objects.items()) if self.selected(path, query, p)]
            version = str(self.version)
        if "as=Table" in handler.headers.get("Accept", ""):
            return handler.answer(200, self.table(items, version))
        return handler.answer(200, {"kind": "List", "metadata": {"resourceVersion": version}, "items": items})

    @staticmethod
    def table(items, version):
        return {"kind": "Table", "metadata": {"resourceVersion": version},
                "columnDefinitions": [{"name": "Name", "type": "string", "format": "name", "priority": 0},
                                      {"name": "Note", "type": "string", "priority": 0}],
                "rows": [{"cells": [i["metadata"]["name"], i.get("note", "")],
                          "object": {"metadata": i["metadata"]}} for i in items]}

    def watch(self, handler, path, query):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        seen = int(query.get("resourceVersion") or 0)
        table = "as=Table" in handler.headers.get("Accept", "")
        with self.changed:
            if seen == 0:
                events = [(self.version, "ADDED", p, v) for p, v in sorted(self.objects.items())]
            else:
                events = [e for e in self.history if e[0] > seen]
            try:
                while self.open:
                    for version, kind, where, value in events:
                        seen = max(seen, version)
                        if self.selected(path, query, where):
                            value = self.table([value], str(version)) if table else value
                            handler.chunk(json.dumps({"type": kind, "object": value}).encode() + b"\n")
                    self.changed.wait(PATIENCE)
                    events = [e for e in self.history if e[0] > seen]
                handler.chunk(b"")
            except OSError:
                handler.close_connection = True


@pytest.fixture
def fake(tmp_path):
    # a path that is short enough for a socket
    directory = subprocess.run(["mktemp", "-d"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    server = Fake(directory)
    yield server
    server.close()
    os.unlink(server.path)
    os.rmdir(directory)


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return "exit %d\n--- stdout\n%s--- stderr\n%s" % (self.code, self.out, self.err)


def environment(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("SALLYPORT") and k not in ("NO_COLOR", "TERM")}
    env.update(more)
    return env


def start(server, *args, **more):
    env = environment(**more.pop("env", {}))
    return subprocess.Popen([CLI, "--socket", server.path, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=env, **more)


def finish(process, given=None):
    out, err = process.communicate(given, PATIENCE)
    return Result(process.returncode, out, err)


def run(server, *args, given=None, **more):
    return finish(start(server, *args, **more), given)


def on_terminal(server, *args, during=None, **env):
    """Runs it on a terminal of its own; gives the exit code and all that the terminal got.

    during(shown) runs meanwhile; shown(word) waits until the terminal got the word."""
    env = environment(**{"TERM": "xterm", **env})
    pid, fd = pty.fork()
    if pid == 0:
        try:
            os.execve(CLI, [CLI, "--socket", server.path, *args], env)
        finally:
            os._exit(127)
    got, end = bytearray(), time.monotonic() + PATIENCE
    changed = threading.Condition()

    def shown(word):
        with changed:
            changed.wait_for(lambda: word.encode() in got, PATIENCE)
    thread = threading.Thread(target=during, args=(shown,)) if during else None
    if thread:
        thread.start()
    while time.monotonic() < end:
        if not select.select([fd], [], [], 0.2)[0]:
            continue
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        with changed:
            got += data
            changed.notify_all()
    if thread:
        thread.join(PATIENCE)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    return code, got.decode(errors="replace").replace("\r\n", "\n")


GATEWAYS = "gateway.networking.k8s.io/v1/gateways"
CERTS = "cert-manager.io/v1/certificates"


def condition(kind, value, **more):
    return dict({"type": kind, "status": value, "reason": "Because", "message": "of something",
                 "lastTransitionTime": "2026-01-01T00:00:00Z"}, **more)


# ---- the connection


def test_no_daemon(tmp_path):
    r = finish(subprocess.Popen([CLI, "--socket", str(tmp_path / "none"), "get", "ns"], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=environment()))
    assert r.code == 1 and r.out == ""
    assert r.err == ("error: cannot connect to %s: No such file or directory; is sallyportd running? "
                     "(systemctl status sallyportd)\n" % (tmp_path / "none")), r


def test_socket_from_the_environment(fake):
    env = environment(SALLYPORT_SOCKET=fake.path)
    r = finish(subprocess.Popen([CLI, "version"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env))
    assert r.code == 0 and "Server Version: v1.32.0-fake" in r.out, r


def test_refused_connection(tmp_path):
    path = "/tmp/refused.%d" % os.getpid()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.close()
    try:
        r = finish(subprocess.Popen([CLI, "--socket", path, "get", "ns"], stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True, env=environment()))
        assert r.code == 1 and "Connection refused; is sallyportd running?" in r.err, r
    finally:
        os.unlink(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="root may connect everywhere: needs to become somebody else")
def test_no_permission(fake):
    os.chmod(os.path.dirname(fake.path), 0o755)
    os.chmod(fake.path, 0o600)
    try:
        r = run(fake, "get", "ns", user=65534, group=65534, extra_groups=[])
    except PermissionError:
        pytest.skip("the program lies where nobody may run it")
    assert r.code == 1 and "Permission denied; add yourself to group sallyport" in r.err, r


def test_socket_path_too_long():
    r = finish(subprocess.Popen([CLI, "--socket", "/" + "x" * 200, "get", "ns"], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=environment()))
    assert r.code == 1 and "at most 107 bytes" in r.err, r


def test_proxies_are_not_asked(fake):
    r = run(fake, "get", "ns", env={"http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"})
    assert r.code == 0, r


@pytest.mark.parametrize("answer, words", [
    (b"", "ended before the answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":", "ended before the answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "error: JSON"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "error: JSON"),
    (b"HTTP/1.1 502 Bad\r\nContent-Length: 6\r\n\r\n<html>", "the server answered 502: <html>"),
    (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "answered 302"),
    (b"garbage\r\n\r\n", "error: "),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + b"[" * 9, "error: JSON"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + b"[" * 100 + b"]" * 100, "deep"),
])
def test_odd_answers(fake, answer, words):
    def odd(handler, query, body):
        handler.wfile.write(answer)
        handler.close_connection = True
    fake.script("GET", "/api/v1", odd)
    r = run(fake, "get", "ns")
    assert r.code == 1 and words in r.err and r.out == "", r


# ---- usage


@pytest.mark.parametrize("args, words", [
    ((), "Usage:"),
    (("fly",), 'unknown command "fly"'),
    (("rollout", "undo"), "rollout needs a second word: status"),
    (("get",), "You must specify the type of resource"),
    (("get", "gateways", "--colour"), "unknown flag: --colour"),
    (("get", "gateways", "-o", "xml"), "json,jsonpath,name,wide,yaml"),
    (("get", "gateways", "-o", "jsonpath"), "no template given"),
    (("get", "gateway/a", "b"), '"b" is not of that form'),
    (("get", "gateway", "a", "-l", "x=y"), "name cannot be provided when a selector"),
    (("get", "gateway", "a", "-A"), "across all namespaces"),
    (("get", "gateways,secrets", "-w"), "single resource type"),
    (("delete", "gateway"), "no name was specified"),
    (("delete",), "you must specify the objects"),
    (("apply",), "must specify -f"),
    (("apply", "x.yaml"), "unexpected argument"),
    (("apply", "-f", "-", "--dry-run=maybe"), "Invalid dry-run value (maybe)"),
    (("apply", "-f", "-", "--validate=maybe"), "invalid --validate value"),
    (("wait", "gateway/a"), "must specify --for"),
    (("wait", "gateway/a", "--for=happiness"), "unrecognized condition"),
    (("wait", "gateway/a", "--for=delete", "--timeout=soon"), "a time is due"),
    (("patch", "gateway", "a"), "must specify --patch"),
    (("patch", "gateway", "a", "-p", "{}", "--type=magic"), "json, merge, strategic"),
    (("annotate", "gateway", "a"), "at least one annotation update"),
    (("annotate", "gateway", "a", "=x"), "the key is empty"),
    (("label", "gateway", "a", "k=v", "k-"), "given twice"),
    (("renew", "gateway/a"), "certificates are renewed"),
    (("status", "now"), "unexpected argument"),
])
def test_usage(fake, args, words):
    r = run(fake, *args)
    assert r.code == 2 and words in r.err and r.out == "", r


def test_help():
    for args in (["-h"], ["help"], ["get", "-h"], ["help", "get"], ["rollout", "status", "--help"]):
        r = finish(subprocess.Popen([CLI, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        assert r.code == 0 and "Usage:" in r.out and r.err == "", (args, r)


def test_unknown_kind(fake):
    r = run(fake, "get", "flowers")
    assert r.code == 1 and 'the server doesn\'t have a resource type "flowers"' in r.err, r
    r = run(fake, "apply", "-f", "-", given="apiVersion: v7\nkind: Flower\nmetadata: {name: x}\n")
    assert r.code == 1 and 'unable to recognize "STDIN": no matches for kind "Flower" in version "v7"' in r.err, r


# ---- what a terminal gets


HOSTILE = "x\033[2J\033]0;owned\007\x9b31m\u202eevil\r"


def assert_tame(text):
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text), repr(text)


def test_hostile_fields_on_a_terminal(fake):
    fake.put(GATEWAYS, "web", note=HOSTILE, metadata={"annotations": {"a": HOSTILE}},
             status={"conditions": [condition("Programmed", "False", message=HOSTILE)]})
    for args in (["get", "gateways"], ["get", "gateway", "web", "-o", "yaml"], ["get", "gateway", "web", "-o", "json"],
                 ["get", "gateway", "web", "-o", "jsonpath={.note}"], ["describe", "gateway", "web"], ["status"],
                 ["wait", "gateway/web", "--for=condition=Programmed", "--timeout=0"]):
        code, text = on_terminal(fake, *args, NO_COLOR="1")
        assert code in (0, 1) and "evil" in text, (args, text)
        assert_tame(text)


def test_hostile_errors_on_a_terminal(fake):
    def refuse(handler, query, body):
        handler.answer(*status(403, "Forbidden", HOSTILE), headers=[("Warning", '299 - "a\\"b \x9b31m"')])
    fake.script("GET", ".*/gateways", refuse)
    code, text = on_terminal(fake, "get", "gateways", NO_COLOR="1")
    assert code == 1 and "Error from server (Forbidden)" in text and 'Warning: a"b ' in text, text
    assert_tame(text)


def test_a_pipe_gets_the_bytes_as_they_are(fake):
    fake.put(GATEWAYS, "web", note="gr\u00fc\u00df \033[1m")
    assert run(fake, "get", "gateway", "web", "-o", "jsonpath={.note}").out == "gr\u00fc\u00df \033[1m"
    assert "\033" not in run(fake, "get", "gateways").out


def test_warnings(fake):
    fake.script("DELETE", ".*", lambda h, q, b: h.answer(
        200, {"kind": "Status"}, headers=[("Warning", '299 - "from the file \\"a.yaml\\""'), ("warning", "nonsense")]))
    r = run(fake, "delete", "gateway", "web", "--wait=false")
    assert r.code == 0 and r.err == 'Warning: from the file "a.yaml"\n', r
    assert r.out == 'gateway.gateway.networking.k8s.io "web" deleted\n', r


# ---- watches


def test_get_watch(fake):
    fake.put(GATEWAYS, "a", note="one")
    p = start(fake, "get", "gateways", "-w")
    assert p.stdout.readline() == "NAME   NOTE\n"
    assert p.stdout.readline() == "a      one\n"
    fake.until_watched("gateways")
    fake.put(GATEWAYS, "a", note="two")
    assert p.stdout.readline() == "a      two\n"
    fake.put(GATEWAYS, "b", note="three")
    assert p.stdout.readline() == "b      three\n"
    with fake.changed:
        fake.open = False
        fake.changed.notify_all()
    assert finish(p).code == 0


def test_get_watch_of_one_object(fake):
    fake.put(GATEWAYS, "a")
    p = start(fake, "get", "gateway", "a", "-w", "-o", "name")
    assert p.stdout.readline() == "gateway.gateway.networking.k8s.io/a\n"
    fake.until_watched("gateways")
    fake.put(GATEWAYS, "b")
    fake.put(GATEWAYS, "a")
    assert p.stdout.readline() == "gateway.gateway.networking.k8s.io/a\n"
    p.terminate()
    assert finish(p).out == ""


def test_get_watch_ends_with_an_error(fake):
    def expired(handler, query, body):
        if query.get("watch") != "true":
            return False
        handler.answer(200, b'{"type":"ERROR","object":{"kind":"Status","message":"too old"}}\n')
    fake.script("GET", ".*/gateways", expired)
    r = run(fake, "get", "gateways", "-w")
    assert r.code == 1 and "the watch ended: too old" in r.err, r


@pytest.mark.parametrize("line, words", [(b"no json\n", "an event of a watch"), (b"{}\n" * 3, "")])
def test_odd_events(fake, line, words):
    def odd(handler, query, body):
        if query.get("watch") != "true":
            return False
        handler.answer(200, line)
    fake.script("GET", ".*/gateways", odd)
    r = run(fake, "get", "gateways", "-w", "-o", "json")
    assert (r.code == 1 and words in r.err) if words else r.code == 0, r


# ---- wait


def test_wait_for_a_condition(fake):
    fake.put(GATEWAYS, "a", status={"conditions": [condition("Ready", "False")]})
    p = start(fake, "wait", "--for=condition=Ready", "gateway/a")
    fake.until_watched("gateways")
    fake.put(GATEWAYS, "other", status={"conditions": [condition("Ready", "True")]})
    fake.put(GATEWAYS, "a", status={"conditions": [condition("Ready", "True")]})
    r = finish(p)
    assert (r.code, r.out, r.err) == (0, "gateway.gateway.networking.k8s.io/a condition met\n", ""), r


def test_wait_wants_the_present_generation(fake):
    fake.put(GATEWAYS, "a", metadata={"generation": 2},
             status={"conditions": [condition("Ready", "True", observedGeneration=1)]})
    r = run(fake, "wait", "--for=condition=Ready", "gateway/a", "--timeout=0")
    assert r.code == 1 and "an older generation" in r.err, r
    fake.put(GATEWAYS, "a", status={"conditions": [condition("Ready", "True", observedGeneration=2)]})
    assert run(fake, "wait", "--for=condition=Ready", "gateway/a", "--timeout=0").code == 0


def test_wait_too_long(fake):
    fake.put(GATEWAYS, "a", status={"conditions": [condition("Ready", "False")]})
    r = run(fake, "wait", "--for=condition=Ready", "gateway", "a", "--timeout=300ms")
    assert r.code == 1 and r.out == "", r
    assert r.err.startswith("error: timed out waiting for the condition on gateways/a\n"
                            "gateway/a: Ready is False (Because): of something\n"), r


def test_wait_for_what_is_absent(fake):
    r = run(fake, "wait", "--for=condition=Ready", "gateway/a", "--timeout=60s")
    assert (r.code, r.err) == (1, 'Error from server (NotFound): gateways "a" not found\n'), r
    r = run(fake, "wait", "--for=condition=Ready", "gateway", "--all")
    assert (r.code, r.err) == (1, "error: no matching resources found\n"), r
    assert run(fake, "wait", "--for=delete", "gateway/a").code == 0


def test_wait_for_several(fake):
    for name in "ab":
        fake.put(GATEWAYS, name, status={"conditions": [condition("Ready", "True")]})
    fake.put(CERTS, "c", status={"conditions": [condition("Ready", "True")]})
    r = run(fake, "wait", "--for=condition=ready=true", "gateway/a", "gateway/b", "certificate/c")
    assert r.code == 0 and r.out.splitlines() == [
        "gateway.gateway.networking.k8s.io/a condition met", "gateway.gateway.networking.k8s.io/b condition met",
        "certificate.cert-manager.io/c condition met"], r


def test_wait_for_deletion_and_creation(fake):
    path = fake.put(GATEWAYS, "a") and fake.object_path("gateway.networking.k8s.io/v1", "gateways", "default", "a")
    p = start(fake, "wait", "--for=delete", "gateway/a")
    fake.until_watched("gateways")
    fake.remove(path)
    assert finish(p).code == 0
    p = start(fake, "wait", "--for=create", "gateway/a")
    fake.until_watched("gateways", 2)
    fake.put(GATEWAYS, "a")
    assert finish(p).out == "gateway.gateway.networking.k8s.io/a condition met\n"


def test_wait_deleted_meanwhile(fake):
    fake.put(GATEWAYS, "a")
    p = start(fake, "wait", "--for=condition=Ready", "gateway/a")
    fake.until_watched("gateways")
    fake.remove(fake.object_path("gateway.networking.k8s.io/v1", "gateways", "default", "a"))
    r = finish(p)
    assert r.code == 1 and "NotFound" in r.err, r


@pytest.mark.parametrize("last", [b"", b'{"type":"ERROR","object":{"code":410,"reason":"Expired"}}\n'])
def test_wait_goes_on_when_a_stream_ends(fake, last):
    """The server ends the first watches at once; the condition is met while none is open."""
    fake.put(GATEWAYS, "a")
    cut = []

    def end(handler, query, body):
        if query.get("watch") != "true" or len(cut) == 2:
            return False
        cut.append(1)
        if len(cut) == 2:
            fake.put(GATEWAYS, "a", status={"conditions": [condition("Ready", "True")]})
        handler.answer(200, last)
    fake.script("GET", ".*/gateways", end)
    r = run(fake, "wait", "--for=condition=Ready", "gateway/a")
    assert r.code == 0 and len(cut) == 2, r


def test_wait_ends_with_the_daemon(fake):
    fake.put(GATEWAYS, "a")
    p = start(fake, "wait", "--for=condition=Ready", "gateway/a", "--timeout=60s")
    fake.until_watched("gateways")
    fake.script("GET", ".*", lambda h, q, b: setattr(h, "close_connection", True))
    with fake.changed:
        fake.open = False
        fake.changed.notify_all()
    r = finish(p)
    assert r.code == 1 and "ended before the answer" in r.err, r


# ---- certificates


def issue(fake, name="site"):
    """What the controllers do, step by step; each call of the generator makes one step."""
    cert = fake.put(CERTS, name, spec={"dnsNames": ["a.test"]}, status={"conditions": [condition("Issuing", "True")]})
    yield "account"
    owner = [{"uid": cert["metadata"]["uid"]}]
    request = fake.put("cert-manager.io/v1/certificaterequests", name + "-1", metadata={"ownerReferences": owner})
    owner = [{"uid": request["metadata"]["uid"]}]
    order = fake.put("acme.cert-manager.io/v1/orders", name + "-1-7", metadata={"ownerReferences": owner})
    yield "order"
    owner = [{"uid": order["metadata"]["uid"]}]
    fake.put("acme.cert-manager.io/v1/challenges", name + "-1-7-0", metadata={"ownerReferences": owner},
             spec={"dnsName": "a.test"}, status={"state": "pending"})
    fake.put("acme.cert-manager.io/v1/orders", name + "-1-7", status={"state": "pending"})
    yield "challenge a.test"
    fake.put("v1/events", name + ".1", type="Warning", reason="Hm", message="odd", count=1,
             lastTimestamp="2099-01-01T00:00:00Z", involvedObject={"kind": "Challenge", "name": name + "-1-7-0"})
    fake.put("acme.cert-manager.io/v1/orders", name + "-1-7", status={"state": "ready"})
    yield "finalize"
    fake.put("acme.cert-manager.io/v1/orders", name + "-1-7", status={"state": "valid"})
    yield "certificate"
    fake.put(CERTS, name, status={"revision": 1, "conditions": [condition("Ready", "True")]})
    yield None


def test_wait_shows_the_steps_of_an_order(fake):
    steps = issue(fake)
    assert next(steps) == "account"
    p = start(fake, "wait", "--for=condition=Ready", "certificate/site")
    assert p.stderr.readline() == "certificate/site: account\n"
    fake.until_watched("orders")
    fake.until_watched("events")
    for word in steps:
        if word == "finalize":
            lines = {p.stderr.readline(), p.stderr.readline()}
            assert lines == {"Hm: odd\n", "certificate/site: finalize\n"}
        elif word:
            assert p.stderr.readline() == "certificate/site: %s\n" % word
    r = finish(p)
    assert (r.code, r.out, r.err) == (0, "certificate.cert-manager.io/site condition met\n", ""), r


@pytest.mark.parametrize("env, colours", [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_steps_on_a_terminal(fake, env, colours):
    steps = issue(fake)
    next(steps)

    def go_on(shown):
        fake.until_watched("certificates")
        shown("account")
        for word in steps:
            if word:
                shown(word.split()[0])
    code, text = on_terminal(fake, "wait", "--for=condition=Ready", "certificate/site", during=go_on, **env)
    assert code == 0 and "condition met" in text, text
    assert ("\033[1m" in text or "\033[32m" in text) == colours, repr(text)
    if env.get("TERM") == "dumb":
        assert "\033" not in text and "\r" not in text.replace("\r\n", ""), repr(text)
    else:  # one line, replaced
        assert "\r\033[K" in text and "finalize" in text, repr(text)
        shown = re.sub("\033\\[[0-9;]*[mK]", "", text)
        assert max(len(part) for part in re.split("[\r\n]", shown)) <= 79, repr(shown)


def test_renew(fake):
    fake.put(CERTS, "site", status={"revision": 1, "conditions": [condition("Ready", "True")]})
    r = run(fake, "renew", "certificate/site")
    assert (r.code, r.out) == (0, "certificate.cert-manager.io/site renewal triggered\n"), r
    method, path, _, body = fake.requests[-1]
    assert method == "PUT" and path.split("?")[0].endswith("/namespaces/default/certificates/site/status")
    got = {c["type"]: c for c in json.loads(body)["status"]["conditions"]}
    assert (got["Issuing"]["status"], got["Issuing"]["reason"]) == ("True", "ManuallyTriggered")
    assert got["Ready"]["status"] == "True" and len(got) == 2
    r = run(fake, "renew", "site")  # the condition is there already, and the kind goes without saying
    assert r.code == 0 and len(json.loads(fake.requests[-1][3])["status"]["conditions"]) == 2, r
    r = run(fake, "renew", "certificate/none")
    assert r.code == 1 and "NotFound" in r.err, r


def test_renew_again_after_a_conflict(fake):
    fake.put(CERTS, "site")
    tries = []

    def conflict(handler, query, body):
        tries.append(1)
        if len(tries) > 2:
            return False
        handler.answer(*status(409, "Conflict", "the object has been modified"))
    fake.script("PUT", ".*", conflict)
    r = run(fake, "renew", "certificate/site")
    assert r.code == 0 and len(tries) == 3, r


def renewed(fake, **then):
    fake.put(CERTS, "site", status={"revision": 1, "conditions": [condition("Ready", "True")]})
    p = start(fake, "renew", "certificate/site", "--wait", "--timeout=20s")
    fake.until_watched("certificates")
    fake.put(CERTS, "site", status={"revision": 1, "conditions": [condition("Ready", "True"),
                                                                  condition("Issuing", "True")]})
    fake.put(CERTS, "site", status=then)
    return finish(p)


def test_renew_and_wait(fake):
    r = renewed(fake, revision=2, conditions=[condition("Ready", "True")])
    assert r.code == 0 and r.out.endswith("certificate.cert-manager.io/site renewed (revision 2)\n"), r


def test_renew_that_fails(fake):
    r = renewed(fake, revision=1, lastFailureTime="2026-01-01T00:00:00Z",
                conditions=[condition("Ready", "True"), condition("Issuing", "False", message="the CA said no")])
    assert r.code == 1 and "the renewal failed: Issuing is False (Because): the CA said no" in r.err, r


def test_describe_tells_the_story_of_an_order(fake):
    for _ in issue(fake):
        pass
    cert = fake.objects[fake.object_path("cert-manager.io/v1", "certificates", "default", "site")]
    fake.put("v1/events", "later", type="Normal", reason="Issued", message="the certificate is there",
             lastTimestamp="2099-01-02T00:00:00Z", involvedObject={"kind": "Certificate", "name": "site",
                                                                   "uid": cert["metadata"]["uid"]})
    fake.put("v1/events", "alien", type="Normal", reason="Alien", message="of another",
             involvedObject={"kind": "Certificate", "name": "site-1", "uid": "other"})
    r = run(fake, "describe", "certificate", "site")
    assert r.code == 0, r
    tail = r.out[r.out.index("Last Order:"):]
    assert "Order:       site-1-7: valid" in tail and "a.test by" in tail, tail
    assert tail.index("Hm") < tail.index("Issued") and "Alien" not in tail, tail


# ---- rollout


def test_rollout_status(fake):
    fake.put("apps/v1/deployments", "web", spec={"replicas": 2}, status={})
    p = start(fake, "rollout", "status", "deployment/web")
    assert p.stdout.readline() == "Waiting for deployment spec update to be observed...\n"
    for st, line in (
            ({"updatedReplicas": 1}, "0 out of 2 new replicas have been updated...".replace("0", "1", 1)),
            ({"updatedReplicas": 2, "replicas": 3}, "1 old replicas are pending termination..."),
            ({"updatedReplicas": 2, "replicas": 2, "availableReplicas": 1},
             "1 of 2 updated replicas are available...")):
        fake.put("apps/v1/deployments", "web", status=dict(st, observedGeneration=1))
        assert p.stdout.readline() == 'Waiting for deployment "web" rollout to finish: %s\n' % line
    fake.put("apps/v1/deployments", "web", status={"observedGeneration": 1, "updatedReplicas": 2, "replicas": 2,
                                                   "availableReplicas": 2})
    r = finish(p)
    assert (r.code, r.out) == (0, 'deployment "web" successfully rolled out\n'), r
    assert run(fake, "rollout-status", "deploy", "web").code == 0
    assert run(fake, "rollout", "status", "deploy/none").code == 1
    r = run(fake, "rollout", "status", "gateway/web")
    assert r.code == 1 and "is for Deployments" in r.err, r


def test_rollout_that_does_not_come(fake):
    fake.put("apps/v1/deployments", "web", status={})
    r = run(fake, "rollout", "status", "deployment/web", "--timeout=200ms")
    assert r.code == 1 and "timed out waiting for the condition" in r.err, r
    r = run(fake, "rollout", "status", "deployment/web", "--watch=false")
    assert r.code == 0 and r.out.startswith("Waiting"), r


# ---- status


def healthy(fake):
    fake.put(GATEWAYS, "web", spec={"listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
             status={"addresses": [{"value": "0.0.0.0"}], "conditions": [condition("Programmed", "True")],
                     "listeners": [{"name": "http", "conditions": [condition("Programmed", "True")]}]})
    fake.put(CERTS, "site", spec={"dnsNames": ["a.test"], "issuerRef": {"name": "le", "kind": "ClusterIssuer"}},
             status={"notAfter": "2099-01-01T00:00:00Z", "renewalTime": "2098-12-01T00:00:00Z",
                     "conditions": [condition("Ready", "True")]})


def test_status_exit_codes(fake):
    healthy(fake)
    r = run(fake, "status", "--exit-code")
    assert r.code == 0 and r.out.startswith("OK: 1 listener, 0 routes, 1 certificate\n"), r
    fake.put("gateway.networking.k8s.io/v1/httproutes", "r", ns="shop",
             status={"parents": [{"conditions": [condition("Accepted", "False")]}]})
    r = run(fake, "status", "--exit-code")
    assert r.code == 1 and "HTTPRoute shop/r: Accepted is False" in r.out, r
    assert run(fake, "status", "--exit-code", "-n", "default").code == 0
    assert run(fake, "status").code == 0
    fake.put(CERTS, "site", status={"notAfter": "2020-01-01T00:00:00Z", "conditions": [condition("Ready", "True")]})
    r = run(fake, "status", "--exit-code")
    assert r.code == 2 and "Certificate site: has expired" in r.out, r
    report = json.loads(run(fake, "status", "-o", "json").out)
    assert report["state"] == "critical" and report["certificates"][0]["state"] == "expired"
    assert "..." not in r.out, r


def test_status_when_not_ready(fake):
    healthy(fake)
    fake.script("GET", "/readyz", lambda h, q, b: h.answer(503, b"not ready: the disk is full\n"))
    r = run(fake, "status", "--exit-code")
    assert r.code == 2 and "not ready: the disk is full" in r.out, r


def test_status_of_a_dead_daemon(tmp_path):
    def status_of(*args):
        return finish(subprocess.Popen([CLI, "--socket", str(tmp_path / "none"), "status", *args],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()))
    r = status_of()
    assert r.code == 1 and r.out == "" and "cannot connect" in r.err, r
    r = status_of("--exit-code")
    assert r.code == 2 and r.out.startswith("CRITICAL") and "cannot connect" in r.out and r.err == "", r
    assert json.loads(status_of("--exit-code", "-o", "json").out)["state"] == "critical"


# ---- delete waits


def test_delete_waits_until_it_is_gone(fake):
    path = fake.put(GATEWAYS, "a") and fake.object_path("gateway.networking.k8s.io/v1", "gateways", "default", "a")
    fake.script("DELETE", ".*", lambda h, q, b: h.answer(200, {"kind": "Status"}))  # later
    p = start(fake, "delete", "gateway", "a")
    fake.until_watched("gateways")
    assert p.poll() is None
    fake.remove(path)
    assert finish(p).code == 0
    fake.put(GATEWAYS, "a")
    r = run(fake, "delete", "gateway", "a", "--timeout=200ms")
    assert r.code == 1 and "timed out" in r.err, r
    assert run(fake, "delete", "gateway", "a", "--wait=false").code == 0


# ---- its own output


def test_output_that_cannot_be_written(fake):
    fake.put(GATEWAYS, "a")
    for args in (["get", "gateways"], ["get", "gateway", "a", "-o", "yaml"], ["version"], ["status"]):
        with open("/dev/full", "w") as full:
            p = subprocess.Popen([CLI, "--socket", fake.path, *args], stdout=full, stderr=subprocess.PIPE, text=True,
                                 env=environment())
            r = finish(p)
        assert r.code == 1 and "standard output cannot be written to" in r.err, (args, r)


def test_errors_stand_in_their_place(fake):
    """Piped into one file, what was done and what failed come in the order in which they happened."""
    fake.put(GATEWAYS, "a")
    fake.put(GATEWAYS, "c")
    p = subprocess.Popen([CLI, "--socket", fake.path, "delete", "gateway", "c", "b", "a"], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, env=environment())
    lines = finish(p).out.splitlines()
    assert len(lines) == 3 and '"b" not found' in lines[1], lines
