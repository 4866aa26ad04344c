"""ClientTrafficPolicy: who the client is behind a balancer or a proxy, and what the policy is told."""
import socket

import web
import world
from proc import wait_for


def policy(name, target="edge", section=None, **spec):
    ref = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": target}
    if section:
        ref["sectionName"] = section
    return {"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "ClientTrafficPolicy",
            "metadata": {"name": name, "namespace": "default"}, "spec": dict({"targetRefs": [ref]}, **spec)}


def first(status):
    return status["ancestors"][0]


def accepted(daemon, name, status="True", reason="Accepted"):
    return daemon.wait_condition("clienttrafficpolicies", name, "Accepted", status, reason, of=first)


def talk(address, port, text):
    """Sends, ends, and reads all that comes back."""
    with socket.create_connection((address, port), 20) as raw:
        raw.sendall(text)
        raw.shutdown(socket.SHUT_WR)
        got = b""
        while True:
            try:
                more = raw.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return got
            got += more


def up(daemon, origin, port, **more):
    daemon.apply(world.gateway(daemon.address, [world.listener("http", port)]),
                 world.backend("app", (origin.host, origin.port)),
                 world.route("site", world.rule("app")))
    daemon.wait_programmed()


def test_proxy_protocol(daemon, origin, http_port):
    up(daemon, origin, http_port)
    plain = b"GET /%s HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
    assert talk(daemon.address, http_port, plain % b"before").startswith(b"HTTP/1.1 200")
    daemon.apply(policy("balancer", proxyProtocol={}))
    accepted(daemon, "balancer")
    header = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 80\r\n"
    wait_for(lambda: talk(daemon.address, http_port, header + plain % b"named").startswith(b"HTTP/1.1 200"),
             "the policy to hold")
    assert origin.seen("/named")[0].field("x-forwarded-for") == "192.0.2.7"
    assert talk(daemon.address, http_port, plain % b"bare") == b""
    assert not origin.seen("/bare")
    daemon.apply(policy("balancer", proxyProtocol={"optional": True}))
    wait_for(lambda: talk(daemon.address, http_port, plain % b"bare").startswith(b"HTTP/1.1 200"),
             "a connection without a header")
    daemon.cli("delete", "clienttrafficpolicy", "balancer")
    wait_for(lambda: talk(daemon.address, http_port, header + plain % b"x").startswith(b"HTTP/1.1 400"),
             "the header to be a request")


def test_proxy_protocol_before_tls(site, origin):
    site.up()
    site.daemon.apply(policy("balancer", proxyProtocol={}))
    accepted(site.daemon, "balancer")

    def ask():
        raw = socket.create_connection((site.address, site.https_port), 20)
        raw.sendall(b"PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n")
        with site.tls().wrap_socket(raw, server_hostname=site.name) as secure:
            secure.sendall(b"GET /tls HTTP/1.1\r\nHost: %s\r\n\r\n" % site.name.encode())
            return secure.recv(65536)
    wait_for(lambda: ask().startswith(b"HTTP/1.1 200"), "TLS behind a header", 20)
    assert origin.seen("/tls")[0].field("x-forwarded-for") == "2001:db8::7"


def test_trusted_proxies(daemon, origin, http_port):
    up(daemon, origin, http_port)
    lies = {"X-Forwarded-For": "203.0.113.9, 198.51.100.4", "X-Forwarded-Proto": "https"}
    daemon.apply(policy("proxy", clientIPDetection={"xForwardedFor": {"trustedCIDRs": [
        "127.0.0.0/8", "198.51.100.0/24"]}}))
    accepted(daemon, "proxy")

    def seen():
        web.get(daemon.address, http_port, "a.test", "/t", fields=lies)
        last = origin.seen("/t")[-1]
        return last.field("x-forwarded-for"), last.field("x-forwarded-proto")
    wait_for(lambda: seen() == ("203.0.113.9, 198.51.100.4, 127.0.0.1", "https"), "the proxy to be believed")
    daemon.apply(policy("proxy", clientIPDetection={"xForwardedFor": {"trustedCIDRs": ["10.0.0.0/8"]}}))
    wait_for(lambda: seen() == ("127.0.0.1", "http"), "nobody to be believed")


def test_what_a_policy_is_told(daemon, origin, http_port):
    up(daemon, origin, http_port)
    daemon.apply(policy("older", proxyProtocol={"optional": True}))
    accepted(daemon, "older")
    daemon.apply(policy("lost", target="nobody"), policy("no-section", section="other"))
    accepted(daemon, "lost", "False", "TargetNotFound")
    accepted(daemon, "no-section", "False", "TargetNotFound")
    # A second listener on the port, and a policy for it alone.
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port),
                                                world.listener("more", http_port, "more.test")]))
    daemon.apply(policy("one-of-two", section="more"))
    found = accepted(daemon, "one-of-two", "False", "Conflicted")
    assert "shares port %d" % http_port in found["message"], found
    accepted(daemon, "older", "False", "Conflicted")
    assert web.get(daemon.address, http_port, "a.test").status == 200
    daemon.cli("delete", "clienttrafficpolicy", "one-of-two")
    accepted(daemon, "older")
    gone = daemon.apply(policy("bad", path={"disableMergeSlashes": True}), check=False)
    assert gone.returncode == 1 and "spec.path" in gone.stderr
