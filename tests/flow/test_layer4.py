"""Below HTTP: TLSRoute, TCPRoute and UDPRoute, from their manifests to bytes and datagrams."""
import socket
import socketserver
import ssl
import threading

import pytest

import web
import world
from proc import free_port, run, wait_for
from test_examples import Example

PATIENCE = 20


class Stream(socketserver.BaseRequestHandler):
    """Says its name first, then sends back what it gets until the client ends its side."""

    def handle(self):
        self.request.sendall(self.server.name + b"\n")
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        sock.sendto(self.server.name + b" " + data, self.client_address)


class TlsServer(socketserver.ThreadingTCPServer):
    """A service with a certificate of its own."""
    context = None

    def get_request(self):
        sock, peer = super().get_request()
        sock.settimeout(PATIENCE)
        return self.context.wrap_socket(sock, server_side=True), peer


class Service:
    """A little server on loopback, under a name."""

    def __init__(self, kind, handler, name, context=None):
        kind.daemon_threads = True
        kind.allow_reuse_address = True
        self.server = kind(("127.0.0.1", 0), handler, bind_and_activate=True)
        self.server.name = name.encode()
        self.server.context = context
        self.name = name
        self.host, self.port = self.server.server_address
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def object(self):
        return world.backend(self.name, (self.host, self.port))


@pytest.fixture
def services():
    made = []

    def make(kind, handler, name, context=None):
        made.append(Service(kind, handler, name, context))
        return made[-1]
    yield make
    for service in made:
        service.stop()


def route(kind, name, *refs, section=None, hostnames=None):
    made = world.route(name, world.rule(*refs), section=section, hostnames=hostnames)
    made["kind"] = kind
    return made


def listener(name, port, protocol, mode=None, hostname=None, secret=None):
    made = world.listener(name, port, hostname, protocol=protocol)
    if mode:
        made["tls"] = {"mode": mode}
        if secret:
            made["tls"]["certificateRefs"] = [{"name": secret}]
    return made


def accepted(daemon, plural, name):
    daemon.wait_condition(plural, name, "Accepted", of=world.parent_status)
    daemon.wait_condition(plural, name, "ResolvedRefs", of=world.parent_status)


def talk(sock, text):
    """Sends, ends its side, and reads to the end."""
    sock.settimeout(PATIENCE)
    sock.sendall(text)
    sock.shutdown(socket.SHUT_WR)
    return read_all(sock)


def read_all(sock):
    got = b""
    while data := sock.recv(65536):
        got += data
    return got


def wait_served(address, port, greeting):
    """Workers take a route over a moment after its status says that it is accepted."""
    def there():
        with socket.create_connection((address, port), PATIENCE) as sock:
            assert talk(sock, b"") == greeting
        return True
    wait_for(there, "a connection that says %r" % greeting)


def certificate(box, name):
    """Files of a key and a self-signed certificate, and a context that trusts it."""
    key, cert = box / (name + ".key"), box / (name + ".crt")
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=" + name,
        "-addext", "subjectAltName=DNS:" + name)
    trust = ssl.create_default_context(cafile=str(cert))
    return key, cert, trust


def test_tcp_route_is_followed_and_weighed(daemon, services, http_port):
    one, two = (services(socketserver.ThreadingTCPServer, Stream, n) for n in ("one", "two"))
    daemon.apply(world.gateway(daemon.address, [listener("tcp", http_port, "TCP")]),
                 one.object(), two.object(),
                 route("TCPRoute", "db", world.to("one", 1), world.to("two", 0)))
    daemon.wait_programmed()
    accepted(daemon, "tcproutes", "db")
    wait_served(daemon.address, http_port, b"one\n")
    large = b"x" * 3000000
    for text in (b"", b"hello", large):
        with socket.create_connection((daemon.address, http_port), PATIENCE) as sock:
            answers = []
            reader = threading.Thread(target=lambda s=sock: answers.append(read_all(s)))
            reader.start()
            sock.sendall(text)
            sock.shutdown(socket.SHUT_WR)
            reader.join()
        assert answers == [b"one\n" + text]
    # Another weight holds for the next connection; the one that runs stays where it is.
    with socket.create_connection((daemon.address, http_port), PATIENCE) as kept:
        assert kept.recv(4) == b"one\n"
        daemon.apply(route("TCPRoute", "db", world.to("one", 0), world.to("two", 1)))
        wait_served(daemon.address, http_port, b"two\n")
        assert talk(kept, b"still") == b"still"
    status = daemon.get("gateways", "edge")["status"]["listeners"][0]
    assert status["attachedRoutes"] == 1
    assert [k["kind"] for k in status["supportedKinds"]] == ["TCPRoute"]


def refused(address, port):
    """The reset may come before connect() has looked."""
    try:
        with socket.create_connection((address, port), PATIENCE) as sock:
            return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def test_connections_without_a_backend_are_refused(daemon, services, http_port):
    one = services(socketserver.ThreadingTCPServer, Stream, "one")
    daemon.apply(world.gateway(daemon.address, [listener("tcp", http_port, "TCP")]), one.object(),
                 world.backend("metadata", ("169.254.169.254", 80)))
    daemon.wait_programmed()
    assert refused(daemon.address, http_port), "no route"
    for name, reason in (("nobody", "BackendNotFound"), ("metadata", "RefNotPermitted")):
        daemon.apply(route("TCPRoute", "db", name))
        daemon.wait_condition("tcproutes", "db", "ResolvedRefs", "False", reason, of=world.parent_status)
        assert refused(daemon.address, http_port), name
    daemon.apply(route("TCPRoute", "db", "one"))
    accepted(daemon, "tcproutes", "db")
    wait_served(daemon.address, http_port, b"one\n")


def test_three_kinds_of_tls_share_a_port(daemon, services, origin, box, https_port):
    """HTTPS, TLS that ends here and TLS that is passed through, told apart by name."""
    own = certificate(box, "own.test")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(own[1], own[0])
    inner = services(socketserver.ThreadingTCPServer, Stream, "inner")
    outer = services(TlsServer, Stream, "outer", server)
    trusts = {"own.test": own[2]}
    secrets = []
    for name in ("ended.test", "web.test"):
        key, cert, trusts[name] = certificate(box, name)
        secrets.append(world.secret(name.replace(".", "-"), {"tls.key": key.read_text(),
                                                             "tls.crt": cert.read_text()}))
    daemon.apply(
        world.gateway(daemon.address, [
            listener("web", https_port, "HTTPS", "Terminate", "web.test", "web-test"),
            listener("ended", https_port, "TLS", "Terminate", "ended.test", "ended-test"),
            listener("passed", https_port, "TLS", "Passthrough", "*.test")]),
        *secrets, inner.object(), outer.object(), world.backend("app", (origin.host, origin.port)),
        world.route("site", world.rule("app"), section="web"),
        route("TLSRoute", "ended", "inner", section="ended", hostnames=["ended.test"]),
        route("TLSRoute", "passed", "outer", section="passed", hostnames=["own.test"]))
    daemon.wait_programmed()
    for name in ("ended", "passed"):
        accepted(daemon, "tlsroutes", name)

    def say(name, text, trust):
        with socket.create_connection((daemon.address, https_port), PATIENCE) as raw:
            with trust.wrap_socket(raw, server_hostname=name) as sock:
                sock.sendall(text)
                got = b""
                while not got.endswith(text):
                    data = sock.recv(65536)
                    assert data, got
                    got += data
                return got
    for name, greeting in (("ended.test", b"inner\n"), ("own.test", b"outer\n")):
        wait_for(lambda n=name: say(n, b"abc", trusts[n]), "a connection for " + name)
        assert say(name, b"abc", trusts[name]) == greeting + b"abc"
    wait_for(lambda: web.get(daemon.address, https_port, "web.test", tls=trusts["web.test"]).status == 200,
             "HTTPS")
    with socket.create_connection((daemon.address, https_port), PATIENCE) as raw:
        with trusts["web.test"].wrap_socket(raw, server_hostname="web.test") as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n")
            assert read_all(sock).startswith(b"HTTP/1.1 200 ")
    with pytest.raises((ssl.SSLError, ConnectionError)):  # no route has that name
        say("none.test", b"", trusts["own.test"])
    with socket.create_connection((daemon.address, https_port), PATIENCE) as raw:  # no listener has that name
        raw.sendall(client_hello("foreign.example"))
        try:
            assert read_all(raw) == b"", "an alert where TLS is passed through"
        except ConnectionResetError:
            pass


def client_hello(name):
    sent = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name).do_handshake()
    return sent.read()


def test_listeners_that_conflict_say_so(daemon, http_port):
    daemon.apply(world.gateway(daemon.address, [
        listener("web", http_port, "HTTP"), listener("tcp", http_port, "TCP"),
        listener("udp", http_port, "UDP")]))
    for name in ("web", "tcp"):
        daemon.wait_condition("gateways", "edge", "Conflicted", "True", "ProtocolConflict",
                              of=world.listener_status(name))
    daemon.wait_condition("gateways", "edge", "Programmed", of=world.listener_status("udp"))


def test_udp_route_is_followed(daemon, services):
    port = free_port(daemon.address, udp=True)
    one, two = (services(socketserver.ThreadingUDPServer, Datagram, n) for n in ("one", "two"))
    daemon.apply(world.gateway(daemon.address, [listener("dns", port, "UDP")]),
                 one.object(), two.object(), route("UDPRoute", "dns", "one"))
    daemon.wait_programmed()
    accepted(daemon, "udproutes", "dns")

    def client():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(PATIENCE)
        sock.connect((daemon.address, port))
        return sock

    def ask(sock, text):
        sock.send(text)
        return sock.recv(65536)

    def goes_to(name):
        def there():
            with client() as sock:
                sock.settimeout(0.5)  # a datagram may be lost
                assert ask(sock, b"c") == name + b" c"
            return True
        wait_for(there, "datagrams to go to " + name.decode())
    goes_to(b"one")
    with client() as first, client() as second:
        assert ask(first, b"a") == b"one a"
        assert ask(second, b"b") == b"one b"
        # A new client goes where the route says now, one that is known stays.
        daemon.apply(route("UDPRoute", "dns", "two"))
        goes_to(b"two")
        assert ask(first, b"d") == b"one d"
    daemon.apply(route("UDPRoute", "dns", "nobody"))
    daemon.wait_condition("udproutes", "dns", "ResolvedRefs", "False", "BackendNotFound",
                          of=world.parent_status)
    assert "udproutes" in daemon.cli("api-resources").stdout


def test_the_example(daemon, services, box):
    """examples/below-http, its listeners and services moved where they are free."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key, cert, trust = certificate(box, "mail.example.com")
    server.load_cert_chain(cert, key)
    behind = {9883: services(TlsServer, Stream, "mail", server).port,
              9432: free_port(),  # nobody there
              9433: services(socketserver.ThreadingTCPServer, Stream, "database").port,
              9300: services(socketserver.ThreadingUDPServer, Datagram, "dns").port}
    before = {8883: free_port(), 5432: free_port(), 5300: free_port(udp=True)}
    Example("below-http", box, daemon, [("port: %d$" % old, "port: %d" % new)
                                        for old, new in {**behind, **before}.items()]).apply()
    daemon.wait_programmed("below-http")
    for _ in range(4):
        wait_served("127.0.0.1", before[5432], b"database\n")

    def mail():
        with socket.create_connection(("127.0.0.1", before[8883]), PATIENCE) as raw:
            with trust.wrap_socket(raw, server_hostname="mail.example.com") as sock:
                return sock.recv(5) == b"mail\n"
    wait_for(mail, "mail")

    def dns():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.5)
            sock.connect(("127.0.0.1", before[5300]))
            sock.send(b"a")
            return sock.recv(100) == b"dns a"
    wait_for(dns, "dns")


def test_the_short_names_list_them(daemon):
    for word in ("tlsr", "tcpr", "udpr"):
        assert "No resources found" in daemon.cli("get", word).stderr
