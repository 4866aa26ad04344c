"""Backends that are spoken to with TLS or HTTP/2: who is believed, who is shown, what is shared."""
import concurrent.futures
import http.client
import socket
import ssl
import threading
import zlib

import pytest

import web
import world
from h2_origin import H2Origin
from origin import pattern_crc
from proc import run, wait_for


class Pki:
    """An authority and what it signs, made with openssl."""

    def __init__(self, box, name):
        self.box, self.name = box, name
        self.ca = box / (name + "-ca.pem")
        run("openssl", "req", "-x509", *self.new_key(), "-keyout", box / (name + "-ca.key"), "-out",
            self.ca, "-days", "2", "-subj", "/CN=" + name)

    @staticmethod
    def new_key():
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    def sign(self, what, *names, days="2"):
        """names: DNS:…, URI:…; (certificate, key)."""
        key, csr, pem, ext = (self.box / (what + end) for end in (".key", ".csr", ".pem", ".ext"))
        ext.write_text("subjectAltName=" + ",".join(names) + "\n")
        run("openssl", "req", "-new", *self.new_key(), "-keyout", key, "-out", csr, "-subj", "/CN=" + what)
        run("openssl", "x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey",
            self.box / (self.name + "-ca.key"), "-CAcreateserial", "-days", days, "-extfile", ext,
            "-out", pem)
        return pem, key

    def server(self, *names, alpn=("http/1.1",), clients=False, days="2"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.sign("server-" + str(abs(hash((names, days)))), *names, days=days))
        context.set_alpn_protocols(list(alpn))
        context.sni_callback = lambda link, name, _: setattr(link, "asked_for", name)
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca)
        return context


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"), "inside")


@pytest.fixture
def h2_origins():
    made = []

    def make(**how):
        made.append(H2Origin(**how))
        return made[-1]
    yield make
    for one in made:
        one.stop()


def ca_map(pki, name="inside-ca"):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": world.metadata(name, "default"),
            "data": {"ca.crt": pki.ca.read_text()}}


def policy(backend, hostname="app.inside", name=None, **validation):
    validation.setdefault("caCertificateRefs", [{"group": "", "kind": "ConfigMap", "name": "inside-ca"}])
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy",
            "metadata": world.metadata(name or backend, "default"),
            "spec": {"targetRefs": [{"group": "gateway.envoyproxy.io", "kind": "Backend",
                                     "name": backend}],
                     "validation": dict(validation, hostname=hostname)}}


def serve(daemon, port, *objects, backends):
    """backends: name -> service; each answers below /NAME."""
    made = [world.backend(name, (o.host, o.port), **more) for name, (o, more) in backends.items()]
    rules = [world.rule(name, path="/" + name, filters=[{"type": "URLRewrite", "urlRewrite": {
        "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}]) for name in backends]
    daemon.apply(world.gateway(daemon.address, [world.listener("http", port)]),
                 *objects, *made, world.route("all", *rules))
    daemon.wait_programmed()


def test_tls_of_the_backend_itself(daemon, origins, pki, http_port):
    """spec.tls instead of a policy; a policy that comes later holds."""
    app = origins("app", tls=pki.server("DNS:app.inside"))
    tls = {"caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "inside-ca"}], "sni": "app.inside"}

    def get():
        return web.get(daemon.address, http_port, "a.test", "/app/hello").status

    def backend(**more):
        one = world.backend("app", (app.host, app.port))
        one["spec"]["tls"] = dict(tls, **more)
        return one
    serve(daemon, http_port, backends={"app": (app, {})})
    daemon.apply(backend())
    wait_for(lambda: get() == 500, "the CA to be missed")
    daemon.wait_condition("httproutes", "all", "ResolvedRefs", "False",
                          of=lambda status: status["parents"][0])
    told = [c["message"] for c in daemon.get("httproutes", "all")["status"]["parents"][0]["conditions"]
            if c["type"] == "ResolvedRefs"]
    assert "spec.tls" in told[0] and "inside-ca does not exist" in told[0], told
    daemon.apply(ca_map(pki))
    wait_for(lambda: get() == 200, "TLS by spec.tls")
    daemon.apply(backend(sni="other.inside"))
    wait_for(lambda: get() == 502, "another name to be refused")
    daemon.apply(policy("app"))
    wait_for(lambda: get() == 200, "the policy to hold")
    daemon.cli("delete", "backendtlspolicy", "app")
    wait_for(lambda: get() == 502, "spec.tls to hold again")
    daemon.apply(world.backend("app", (app.host, app.port)))
    wait_for(lambda: get() not in (200, 500), "plain text again")
    for wrong, word in ((dict(insecureSkipVerify=True), "insecureSkipVerify"),
                        (dict(wellKnownCACertificates="System"), "must not contain both"),
                        (dict(minVersion="1.2"), "minVersion")):
        done = daemon.cli("apply", "-f", "-", data=world.documents(backend(**wrong)), check=False)
        assert done.returncode == 1 and word in done.stderr, done.stderr


def test_https_backend(daemons, origins, pki, http_port):
    daemon = daemons("--workers", "1").start()  # each has sessions of its own
    app = origins("app", tls=pki.server("DNS:app.inside"))
    serve(daemon, http_port, ca_map(pki), policy("app"), backends={"app": (app, {})})
    daemon.wait_condition("backendtlspolicies", "app", "Accepted",
                          of=lambda status: status["ancestors"][0])

    def get(path, **how):
        return web.get(daemon.address, http_port, "a.test", "/app" + path, **how)
    answer = get("/hello")
    assert answer.status == 200 and answer.field("x-origin") == "app"
    assert zlib.crc32(get("/bytes?n=3000000").body) == pattern_crc(3000000)
    assert zlib.crc32(get("/bytes?n=300000&chunked=1").body) == pattern_crc(300000)
    body = bytes(range(256)) * 8000
    taken = get("/sink", method="POST", body=body).json()
    assert (taken["length"], taken["crc"]) == (len(body), zlib.crc32(body))
    for _ in range(3):  # each on a connection of its own, which resumes the session of an earlier one
        assert get("/close").status == 200
    assert app.tls_seen[0][:2] == ("app.inside", False)
    assert app.tls_seen[-1][:2] == ("app.inside", True)


def test_who_is_believed(daemons, origins, pki, box, http_port):
    log = box / "access.log"
    daemon = daemons("--access-log", str(log)).start()
    stranger = Pki(box, "stranger")
    good, other = pki.server("DNS:app.inside", "URI:spiffe://inside/app"), pki.server("DNS:other.inside")
    services = {
        "good": origins("good", tls=good),
        "name": origins("name", tls=other),
        "stranger": origins("stranger", tls=stranger.server("DNS:app.inside")),
        "san": origins("san", tls=other),
        "uri": origins("uri", tls=good),
        "nouri": origins("nouri", tls=other),
        "expired": origins("expired", tls=pki.server("DNS:app.inside", days="-1")),
        "broken": origins("broken"),
    }
    uri = [{"type": "URI", "uri": "spiffe://inside/app"}]
    policies = [policy(n) for n in ("good", "name", "stranger", "expired")]
    policies += [policy("san", subjectAltNames=[{"type": "Hostname", "hostname": "other.inside"}]),
                 policy("uri", "any.inside", subjectAltNames=uri), policy("nouri", subjectAltNames=uri),
                 policy("broken", caCertificateRefs=[{"group": "", "kind": "Secret", "name": "none"}])]
    serve(daemon, http_port, ca_map(pki), *policies,
          backends={name: (service, {}) for name, service in services.items()})
    wants = {"good": 200, "san": 200, "uri": 200, "name": 502, "stranger": 502, "nouri": 502,
             "expired": 502, "broken": 500}
    for name, status in wants.items():
        answer = web.get(daemon.address, http_port, "a.test", "/%s/" % name)
        assert answer.status == status, name
    for name in ("name", "stranger", "nouri", "expired", "broken"):
        assert services[name].requests == [], name
    assert services["broken"].connections == 0
    words = {"name": "upstream_tls_name", "nouri": "upstream_tls_name",
             "stranger": "upstream_tls_untrusted", "expired": "upstream_tls_expired"}
    for name, word in words.items():
        wait_for(lambda: any("default/" + name in line and word in line
                             for line in log.read_text().splitlines()),
                 "%s in the line of %s: %s" % (word, name, log.read_text()))


def test_client_certificate(daemon, origins, pki, http_port):
    app = origins("app", tls=pki.server("DNS:app.inside", clients=True))
    serve(daemon, http_port, ca_map(pki), policy("app"), backends={"app": (app, {})})
    assert web.get(daemon.address, http_port, "a.test", "/app/").status == 502
    pem, key = pki.sign("edge.inside", "DNS:edge.inside")
    edge = world.gateway(daemon.address, [world.listener("http", http_port)])
    edge["spec"]["tls"] = {"backend": {"clientCertificateRef": {"name": "edge-client"}}}
    daemon.apply(edge)
    daemon.wait_condition("gateways", "edge", "ResolvedRefs", "False", "InvalidClientCertificateRef")
    data = {n: p.read_text() for n, p in (("tls.crt", pem), ("tls.key", key))}
    daemon.apply(world.secret("edge-client", data))
    daemon.wait_condition("gateways", "edge", "ResolvedRefs", "True")
    wait_for(lambda: web.get(daemon.address, http_port, "a.test", "/app/").status == 200,
             "the certificate to be shown")
    subject = dict(pair[0] for pair in app.tls_seen[-1][2]["subject"])
    assert subject["commonName"] == "edge.inside"


@pytest.mark.parametrize("secure", (False, True))
def test_http2_backend(daemon, h2_origins, pki, http_port, secure):
    """Many requests at once share a connection; content and trailers pass."""
    app = h2_origins(tls=pki.server("DNS:app.inside", alpn=("h2",)) if secure else None)
    objects = [ca_map(pki), policy("app")] if secure else []
    more = {} if secure else {"appProtocols": ["gateway.envoyproxy.io/h2c"]}
    serve(daemon, http_port, *objects, backends={"app": (app, more)})
    body = bytes(range(256)) * 2000

    def ask(number):
        return web.get(daemon.address, http_port, "a.test", "/app/%d?q=1" % number, method="POST",
                       body=body, fields={"TE": "trailers"})
    assert ask(0).body == body
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, range(1, 25)))
    assert [a.field("x-path") for a in answers] == ["/%d?q=1" % n for n in range(1, 25)]
    assert all(a.status == 200 and a.body == body for a in answers)
    # One for each worker at most, however many come at once.
    assert 1 <= app.connections < 24
    assert {r[":scheme"] for r in app.requests} == {"https" if secure else "http"}
    assert {r[":authority"] for r in app.requests} == {"a.test"}


def test_http2_backend_that_takes_few(daemon, h2_origins, http_port):
    app = h2_origins(most=2)
    serve(daemon, http_port, backends={"app": (app, {"appProtocols": ["gateway.envoyproxy.io/h2c"]})})
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(
            lambda n: web.get(daemon.address, http_port, "a.test", "/app/%d" % n).status, range(60)))
    assert set(statuses) == {200}


def echo_service(context, made):
    """A service that sends back what comes, over TLS, until the other side has ended."""
    def talk(raw):
        try:
            with context.wrap_socket(raw, server_side=True) as link:
                while True:
                    data = link.recv(65536)
                    if not data:
                        link.unwrap()
                        return
                    link.sendall(data)
        except (OSError, ssl.SSLError):
            raw.close()

    def accept():
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(raw,), daemon=True).start()
    listener = socket.create_server(("127.0.0.1", 0))
    made.append(listener)
    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()


def test_streams_to_a_backend_with_tls(daemon, pki, http_port):
    """TCPRoute: clear text in front, TLS behind; each side ends alone, and a wrong name is refused."""
    listeners = []
    where = echo_service(pki.server("DNS:app.inside"), listeners)
    route = world.route("all", world.rule("app"))
    route["kind"] = "TCPRoute"
    edge = world.gateway(daemon.address, [{"name": "tcp", "port": http_port, "protocol": "TCP"}])
    daemon.apply(edge, ca_map(pki), policy("app"), world.backend("app", where), route)
    daemon.wait_programmed()
    data = bytes(range(256)) * 4000

    def echo():
        with socket.create_connection((daemon.address, http_port), 20) as link:
            sender = threading.Thread(target=lambda: (link.sendall(data), link.shutdown(socket.SHUT_WR)))
            sender.start()
            pieces = []
            while piece := link.recv(65536):
                pieces.append(piece)
            sender.join()
            return b"".join(pieces)
    try:
        assert echo() == data
        daemon.apply(policy("app", "other.inside"))

        def refused():
            with socket.create_connection((daemon.address, http_port), 20) as link:
                try:
                    link.sendall(b"x")
                    return link.recv(1) == b""
                except ConnectionError:
                    return True
        wait_for(refused, "the stream to be refused")
    finally:
        for listener in listeners:
            listener.close()


def test_an_answer_that_is_cut_is_not_whole(daemon, pki, http_port):
    """Over TLS an answer without length ends with close_notify; without it somebody may have cut it."""
    answers = [True, False]  # says good-bye?

    def accept():
        while answers:
            raw, _ = listener.accept()
            link = context.wrap_socket(raw, server_side=True)
            while b"\r\n\r\n" not in link.recv(65536):
                pass
            link.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")
            if answers.pop(0):
                link.unwrap()
            link.close()
    context = pki.server("DNS:app.inside")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]), ca_map(pki),
                     policy("app"), world.backend("app", listener.getsockname()),
                     world.route("all", world.rule("app")))
        daemon.wait_programmed()
        assert web.get(daemon.address, http_port, "a.test").body == b"all of it"
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            web.get(daemon.address, http_port, "a.test")
