"""An authority that answers in ways which the lab's proxy does not know: a rule of the test changes any answer.

Stands between the daemon and Pebble like the lab's faultproxy; Pebble makes its URLs from the Host that it is asked by.
"""
import base64
import http.client
import json
import re
import socket
import ssl
import struct
import threading

from acme_ca import make_tls_files

STEPS = (("/dir", "dir"), ("/nonce-plz", "nonce"), ("/sign-me-up", "newacct"), ("/my-account/", "acct"),
         ("/order-plz", "neworder"), ("/my-order/", "order"), ("/finalize-order/", "finalize"), ("/authZ/", "authz"),
         ("/chalZ/", "chal"), ("/certZ/", "cert"), ("/list-orderz/", "orders"))
HOP_BY_HOP = ("connection", "content-length", "transfer-encoding", "keep-alive")
PROBLEM = "urn:ietf:params:acme:error:"


class Answer:
    """What the authority said to a request; a rule changes it in place."""

    def __init__(self, step, payload, host):
        self.step, self.payload, self.host = step, payload, host
        self.status, self.headers, self.body = 200, [], b""
        self.raw = None       # sent instead of all else; then the connection is closed
        self.reset = False    # the connection is torn down

    def header(self, name):
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)

    def drop(self, name):
        self.headers = [(k, v) for k, v in self.headers if k.lower() != name.lower()]

    def put(self, name, value):
        self.drop(name)
        self.headers.append((name, value))

    def edit(self, change):
        """The body as JSON, changed by a function, or with members replaced."""
        data = json.loads(self.body)
        if callable(change):
            change(data)
        else:
            data.update(change)
        self.body = json.dumps(data).encode()

    def problem(self, status, kind, detail="as the test wants it", **more):
        self.status = status
        self.body = json.dumps(dict({"type": kind if ":" in kind else PROBLEM + kind, "detail": detail}, **more)).encode()
        self.put("Content-Type", "application/problem+json")
        self.drop("Location")

    def as_bytes(self, method):
        head = "HTTP/1.1 %d %s\r\n" % (self.status, http.client.responses.get(self.status, "Odd"))
        head += "".join("%s: %s\r\n" % pair for pair in self.headers)
        if self.status != 204 and self.header("Transfer-Encoding") is None:
            head += "Content-Length: %d\r\n" % len(self.body)
        return (head + "\r\n").encode("latin1") + (b"" if method == "HEAD" else self.body)


class Rule:
    def __init__(self, step, change, times, before):
        self.steps, self.change, self.left, self.before = step.split("+"), change, times, before


class OddCA:
    """The lab's authority behind answers of our own; what it lacks is asked of the lab."""

    def __init__(self, lab, folder):
        self._lab = lab
        self._bundle = make_tls_files(folder)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(folder / "tls.pem", folder / "tls.key")
        self._up = ssl.create_default_context(cafile=lab.env["ACME_CA_FILE"])
        self._lock = threading.Lock()
        self._rules, self.requests, self.hits = [], [], 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host = "127.0.0.1:%d" % self._socket.getsockname()[1]
        self.directory = "https://%s/dir" % self.host
        threading.Thread(target=self._accept, daemon=True).start()

    def __getattr__(self, name):
        return getattr(self._lab, name)

    @property
    def ca_bundle(self):
        return base64.b64encode(self._bundle.read_bytes()).decode()

    def stop(self):
        self._socket.close()

    def on(self, step, change, times=1, before=False):
        """change(answer) to so many answers of the step (0: all); before: the authority does not hear of it."""
        with self._lock:
            self._rules.append(Rule(step, change, times, before))

    def clear(self):
        with self._lock:
            self._rules, self.requests, self.hits = [], [], 0

    def count(self, step, **payload):
        with self._lock:
            return sum(s == step and all((p or {}).get(k) == v for k, v in payload.items()) for s, p in self.requests)

    # ---- one connection ----

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with self._tls.wrap_socket(connection, server_side=True) as peer, peer.makefile("rb") as read:
                while self._one(peer, read):
                    pass
        except (OSError, ValueError):
            pass

    def _one(self, peer, read):
        line = read.readline().decode("latin1").split()
        if len(line) < 2:
            return False
        headers = http.client.parse_headers(read)
        body = read.read(int(headers.get("Content-Length", 0)))
        answer = self._answer(line[0], line[1], headers, body)
        if answer.reset:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        peer.sendall(answer.as_bytes(line[0]) if answer.raw is None else answer.raw)
        return answer.raw is None

    def _rule(self, step, before):
        with self._lock:
            for rule in self._rules:
                if rule.before == before and (step in rule.steps or rule.steps == ["any"]) and rule.left >= 0:
                    rule.left = rule.left if rule.left == 0 else rule.left - 1 or -1
                    self.hits += 1
                    return rule
        return None

    def _answer(self, method, path, headers, body):
        step = next((s for p, s in STEPS if path.startswith(p)), "other")
        payload = json.loads(body)["payload"] if body else ""
        payload = json.loads(base64.urlsafe_b64decode(payload + "==") or b"null") if payload else None
        with self._lock:
            self.requests.append((step, payload))
        answer = Answer(step, payload, self.host)
        instead = self._rule(step, True)
        if instead:
            answer.headers = [("Replay-Nonce", self._nonce())]
            instead.change(answer)
            return answer
        self._forward(answer, method, path, headers, body)
        rule = self._rule(step, False)
        if rule:
            rule.change(answer)
        return answer

    def _forward(self, answer, method, path, headers, body):
        host, port = re.match(r"https://(.*):(\d+)/", self._lab.direct).groups()
        up = http.client.HTTPSConnection(host, int(port), context=self._up, timeout=60)
        kept = {k: v for k, v in headers.items() if k.lower() not in HOP_BY_HOP}
        up.request(method, path, body or None, kept)
        reply = up.getresponse()
        answer.status, answer.body = reply.status, reply.read()
        answer.headers = [(k, v) for k, v in reply.getheaders() if k.lower() not in HOP_BY_HOP]
        up.close()

    def _nonce(self):
        host, port = re.match(r"https://(.*):(\d+)/", self._lab.direct).groups()
        up = http.client.HTTPSConnection(host, int(port), context=self._up, timeout=60)
        up.request("HEAD", "/nonce-plz")
        nonce = up.getresponse().getheader("Replay-Nonce")
        up.close()
        return nonce
