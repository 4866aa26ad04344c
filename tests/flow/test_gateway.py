"""What a Gateway serves: names, ports, addresses, services, and what it says about requests."""
import os
import socket

import pytest

import web
import world
from proc import free_port, has_ipv6, wait_for


def test_several_gateways_and_names_share_a_port(daemon, origins, http_port):
    one, two, rest = origins("one"), origins("two"), origins("rest")
    daemon.apply(
        world.gateway(daemon.address, [world.listener("http", http_port, "one.test")], name="first"),
        world.gateway(daemon.address, [world.listener("http", http_port, "*.two.test"),
                                       world.listener("rest", http_port)], name="second"),
        *(world.backend(o.name, (o.host, o.port)) for o in (one, two, rest)),
        world.route("one", world.rule("one"), parent="first"),
        world.route("two", world.rule("two"), parent="second", section="http"),
        world.route("rest", world.rule("rest"), parent="second", section="rest"))
    daemon.wait_programmed("first")
    daemon.wait_programmed("second")

    def served(host):
        return web.get(daemon.address, http_port, host).field("x-origin")
    assert [served(h) for h in ("one.test", "a.two.test", "b.a.two.test", "two.test", "other.test")] \
        == ["one", "two", "two", "rest", "rest"]
    # One goes, the other stays; the port is not bound anew.
    with web.Connection(daemon.address, http_port, "a.two.test") as kept:
        assert kept.ask().status == 200
        daemon.cli("delete", "gateway", "first")
        wait_for(lambda: served("one.test") == "rest", "one.test to fall to the listener for all")
        assert kept.ask().status == 200


def test_same_name_twice_on_a_port_is_a_conflict(daemon, origin, http_port):
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port, "a.test")], "older"),
                 world.backend("app", (origin.host, origin.port)),
                 world.route("site", world.rule("app"), parent="older"))
    daemon.wait_programmed("older")
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port, "a.test")], "younger"))
    daemon.wait_condition("gateways", "younger", "Conflicted", "True", "HostnameConflict",
                          of=world.listener_status("http"))
    assert web.get(daemon.address, http_port, "a.test").status == 200


def test_certificate_by_name_and_none_for_a_stranger(site, ca):
    """SNI picks the certificate; a wrong name's certificate is never shown."""
    second = "second-" + site.name
    ca.names.name(second, site.address)
    site.daemon.apply(*site.objects(), site.gateway(more=[
        world.listener("second", site.https_port, second, "second-tls")]))
    for name in ("edge-tls", "second-tls"):
        site.daemon.wait_ready_certificate(name)
    site.daemon.wait_programmed()
    wait_for(site.serial, "HTTPS")
    assert web.served_serial(site.address, site.https_port, second, site.tls()) != site.serial()
    blind = web.tls_context(ca.root, verify=False)
    for stranger in ("stranger.test", None):
        with pytest.raises((web.ssl.SSLError, ConnectionResetError)):
            with socket.create_connection((site.address, site.https_port), 10) as raw:
                blind.wrap_socket(raw, server_hostname=stranger).close()


def test_sole_certificate_is_shown_without_a_name(site, ca):
    site.up()
    blind = web.tls_context(ca.root, verify=False)
    with socket.create_connection((site.address, site.https_port), 10) as raw:
        with blind.wrap_socket(raw) as tls:
            assert tls.getpeercert(binary_form=True)


def test_ipv6(daemon, origins, http_port):
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    port = free_port("::1")
    origin = origins("six", host="::1")
    daemon.apply(world.gateway("::1", [world.listener("http", port)]),
                 world.backend("app", ("::1", origin.port)),
                 world.route("site", world.rule("app")))
    daemon.wait_programmed()
    answer = web.get("::1", port, "six.test")
    assert (answer.status, answer.field("x-origin")) == (200, "six")
    assert origin.requests[-1].field("x-forwarded-for") == "::1"
    assert daemon.get("gateways", "edge")["status"]["addresses"] == [{"type": "IPAddress", "value": "::1"}]


def test_without_addresses_both_families_are_bound(daemon, origin):
    port = free_port()
    daemon.apply(world.gateway(None, [world.listener("http", port)]),
                 world.backend("app", (origin.host, origin.port)),
                 world.route("site", world.rule("app")))
    daemon.wait_programmed()
    assert web.get("127.0.0.1", port, "a.test").status == 200
    assert web.get(daemon.address, port, "a.test").status == 200
    if has_ipv6():
        assert web.get("::1", port, "a.test").status == 200


def test_unix_socket_service(daemon, origins, box, http_port):
    path = str(box / "app.sock")
    origin = origins("unix", path=path)
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", path), world.route("site", world.rule("app")))
    daemon.wait_programmed()
    with web.Connection(daemon.address, http_port, "a.test") as kept:
        for n in range(3):
            answer = kept.ask(target="/%d" % n)
            assert (answer.status, answer.field("x-origin")) == (200, "unix")
    assert origin.connections == 1, "the connection to the service is kept"


def test_service_by_name_follows_its_addresses(daemon, origins, names, http_port):
    """An fqdn endpoint: looked up by the daemon's own name server."""
    origin = origins("named", host="127.0.0.1")
    names.name("app.internal.test", "127.0.0.1")
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", ("app.internal.test", origin.port)),
                 world.route("site", world.rule("app")))
    daemon.wait_programmed()
    wait_for(lambda: web.get(daemon.address, http_port, "a.test").field("x-origin") == "named",
             "the named service")


def test_service_with_endpointslice(daemon, origin, http_port):
    service = {"apiVersion": "v1", "kind": "Service", "metadata": world.metadata("shop", "default"),
               "spec": {"ports": [{"name": "http", "port": 80, "targetPort": origin.port}]}}
    slices = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
              "metadata": world.metadata("shop-1", "default",
                                         labels={"kubernetes.io/service-name": "shop"}),
              "ports": [{"name": "http", "port": origin.port}],
              "endpoints": [{"addresses": [origin.host], "conditions": {"ready": True}}]}
    ref = {"name": "shop", "port": 80}
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]), service,
                 world.route("site", world.rule(ref)))
    daemon.wait_programmed()

    def status():
        return web.get(daemon.address, http_port, "a.test").status
    wait_for(lambda: status() == 503, "503 without ready endpoints")
    daemon.apply(slices)
    wait_for(lambda: status() == 200, "200 with an endpoint")
    daemon.cli("delete", "endpointslice", "shop-1")
    wait_for(lambda: status() == 503, "503 without its endpoint")


@pytest.mark.parametrize("where, want", [
    ("/none", 404), ("/gone", 500), ("/dead", 503), ("/garbage", 502), ("/slow", 504)])
def test_failures_are_short_plain_answers(daemons, origin, box, http_port, where, want):
    """404 no route, 500 dangling reference, 503 nobody listens, 502 no HTTP, 504 no answer."""
    settings = box / "sallyportd.yaml"
    settings.write_text("limits: {upstreamResponse: 300ms}\n")
    daemon = daemons("--config", settings).start()
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", (origin.host, origin.port)),
                 world.backend("nobody", ("127.0.0.1", free_port())),
                 world.route("gone", world.rule("missing", path="/gone")),
                 world.route("dead", world.rule("nobody", path="/dead")),
                 world.route("garbage", world.rule("app", path="/garbage")),
                 world.route("late", world.rule("app", path="/slow")))
    daemon.wait_programmed()
    answer = web.get(daemon.address, http_port, "a.test", where)
    assert answer.status == want
    assert len(answer.body) < 200 and (answer.field("content-type") or "").startswith("text/plain")


def test_forwarded_fields_are_ours(site, origin):
    """X-Forwarded-* tell what the daemon saw, and nothing that the client made up."""
    site.up()
    lies = {"X-Forwarded-For": "10.9.9.9", "X-Forwarded-Proto": "gopher",
            "X-Forwarded-Host": "evil.test"}
    site.https("/s", fields=lies)
    site.http("/p", fields=lies)
    secure, plain = origin.seen("/s")[0], origin.seen("/p")[0]
    assert secure.field("x-forwarded-for") == plain.field("x-forwarded-for") == "127.0.0.1"
    assert (secure.field("x-forwarded-proto"), plain.field("x-forwarded-proto")) == ("https", "http")
    assert secure.field("x-forwarded-host").split(":")[0] == site.name
    assert secure.field("host").split(":")[0] == site.name


def test_matching_and_header_filters(daemon, origins, http_port):
    a, b, c = origins("a"), origins("b"), origins("c")
    daemon.apply(
        world.gateway(daemon.address, [world.listener("http", http_port)]),
        *(world.backend(o.name, (o.host, o.port)) for o in (a, b, c)),
        world.route(
            "site", world.rule("a"), world.rule("b", path="/shop"),
            world.rule("c", matches=[
                {"path": {"type": "Exact", "value": "/shop"}, "method": "POST"},
                {"headers": [{"name": "x-test", "value": "yes"}, {"name": "X-Test", "value": "ignored"}]},
                {"queryParams": [{"name": "q", "value": "1"}]}]),
            world.rule("a", path="/set", filters=[{
                "type": "RequestHeaderModifier", "requestHeaderModifier": {
                    "set": [{"name": "x-set", "value": "new"}, {"name": "X-Set", "value": "ignored"}],
                    "add": [{"name": "x-add", "value": "2"}, {"name": "X-ADD", "value": "ignored"}],
                    "remove": ["x-gone"]}}])))
    daemon.wait_programmed()

    def served(target, method="GET", fields=None):
        return web.get(daemon.address, http_port, "a.test", target, None, method, fields).field("x-origin")
    assert served("/") == "a"
    assert served("/shop") == served("/shop/1") == "b"
    assert served("/shopping") == "a", "a prefix ends at a slash"
    assert served("/shop", "POST") == "c"
    assert served("/?q=1") == "c"
    assert served("/", fields={"X-Test": "yes"}) == "c"
    assert served("/shop/2", fields={"X-Test": "yes"}) == "b", "the longer path comes first"
    served("/set", fields={"X-Set": "old", "X-Add": "1", "X-Gone": "1"})
    got = a.seen("/set")[0]
    assert (got.field("x-set"), got.field("x-add"), got.field("x-gone")) == ("new", "1, 2", None)


def test_weights(daemon, origins, http_port):
    a, b = origins("a"), origins("b")
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("a", (a.host, a.port)), world.backend("b", (b.host, b.port)),
                 world.backend("c", (b.host, b.port)),
                 world.route("site", world.rule(world.to("a", 3), world.to("b", 1), world.to("c", 0))))
    daemon.wait_programmed()
    with web.Connection(daemon.address, http_port, "a.test") as kept:
        found = [kept.ask().field("x-origin") for _ in range(400)]
    assert 240 <= found.count("a") <= 360 and found.count("a") + found.count("b") == 400, found.count("a")


@pytest.mark.parametrize("how, want", [
    (dict(scheme="https"), (302, "https://h.test/p/q?r=s")),
    (dict(scheme="https", port=443, statusCode=301), (301, "https://h.test/p/q?r=s")),
    (dict(scheme="https", port=8443), (302, "https://h.test:8443/p/q?r=s")),
    (dict(hostname="other.test"), (302, "http://other.test:PORT/p/q?r=s")),
    (dict(path={"type": "ReplaceFullPath", "replaceFullPath": "/all"}), (302, "http://h.test:PORT/all?r=s")),
    (dict(path={"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}),
     (302, "http://h.test:PORT/new/q?r=s")),
])
def test_redirects(daemon, http_port, how, want):
    """The Location rules of the Gateway API, exactly."""
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.route("r", world.rule(path="/p", filters=[world.redirect(**how)])))
    daemon.wait_programmed()
    answer = web.get(daemon.address, http_port, "h.test", "/p/q?r=s")
    assert (answer.status, answer.field("location")) == (want[0], want[1].replace("PORT", str(http_port)))


def test_web_socket(site):
    """An upgraded connection carries bytes both ways, for as long as it likes."""
    site.up()
    with web.Connection(site.address, site.https_port, site.name, site.tls()) as connection:
        sock = connection.sock
        sock.sendall(b"GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                     b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                     % site.name.encode())
        head = b""
        while b"\r\n\r\n" not in head:
            piece = sock.recv(4096)
            assert piece, head
            head += piece
        assert head.startswith(b"HTTP/1.1 101 "), head
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        for message in (b"hello", os.urandom(100000)):
            sock.sendall(message)
            back = head.partition(b"\r\n\r\n")[2]
            head = b""
            while len(back) < len(message):
                piece = sock.recv(65536)
                assert piece, "closed after %d of %d bytes" % (len(back), len(message))
                back += piece
            assert back == message


def test_events_come_one_by_one(site, origin):
    """A stream of events is passed on as it comes, not when it ends."""
    site.up()
    with web.Connection(site.address, site.https_port, site.name, site.tls()) as connection:
        connection.http.request("GET", "/events", headers={"Host": site.name})
        response = connection.http.getresponse()
        assert response.readline() == b"data: first\n"
        origin.release()
        assert b"data: second" in response.read()


def test_dead_endpoint_costs_no_request(daemon, origin, http_port):
    """Of two endpoints one refuses connections: nothing was sent, so the other one is asked."""
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", ("127.0.0.1", free_port()), (origin.host, origin.port)),
                 world.route("site", world.rule("app")))
    daemon.wait_programmed()
    for n in range(60):
        assert web.get(daemon.address, http_port, "a.test", "/%d" % n).status == 200
        assert web.get(daemon.address, http_port, "a.test", "/p", None, "POST", body=b"x").status == 200


def test_service_that_restarts(daemon, origins, http_port):
    """Kept connections of the service that was are not used for the one that is."""
    first = origins("first")
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", (first.host, first.port)), world.route("site", world.rule("app")))
    daemon.wait_programmed()
    with web.Connection(daemon.address, http_port, "a.test") as kept:
        for _ in range(5):
            assert kept.ask().field("x-origin") == "first"
        first.stop()
        assert kept.ask().status in (502, 503)
        origins("second", port=first.port)
        wait_for(lambda: kept.ask().field("x-origin") == "second", "the new service")
        for _ in range(20):
            assert kept.ask("POST", body=b"x").field("x-origin") == "second"


def test_service_that_closes_after_each_answer(daemon, origin, http_port):
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", (origin.host, origin.port)), world.route("site", world.rule("app")))
    daemon.wait_programmed()
    with web.Connection(daemon.address, http_port, "a.test") as kept:
        for _ in range(50):
            assert kept.ask(target="/close").status == 200
            assert kept.ask("POST", target="/close", body=b"x").status == 200
    assert origin.connections >= 100


def test_second_daemon_does_not_share_a_port_in_silence(daemons, origin, http_port):
    """SO_REUSEPORT would let two daemons share the port; the second one is told instead."""
    first, second = daemons().start(), daemons().start()
    second.apply(world.gateway(first.address, [world.listener("http", http_port)], name="late"))
    second.cli("delete", "gateway", "late")
    first.apply(world.gateway(first.address, [world.listener("http", http_port)]))
    first.wait_programmed()
    second.apply(world.gateway(first.address, [world.listener("http", http_port)]))
    found = second.wait_condition("gateways", "edge", "Accepted", "False", "PortUnavailable",
                                  of=world.listener_status("http"))
    assert "sallyportd" in found["message"] and str(first.process.pid) in found["message"], found


def test_kept_connection_follows_changes(daemon, origins, http_port):
    """Routes change under a kept connection; a listener on another port comes and goes beside it."""
    a, b = origins("a"), origins("b")
    plain = world.gateway(daemon.address, [world.listener("http", http_port)])
    daemon.apply(plain, world.backend("a", (a.host, a.port)), world.backend("b", (b.host, b.port)),
                 world.route("site", world.rule("a")))
    daemon.wait_programmed()
    other = free_port(daemon.address)
    with web.Connection(daemon.address, http_port, "x.test") as kept:
        for _ in range(5):
            daemon.apply(world.route("site", world.rule("b")))
            wait_for(lambda: kept.ask().field("x-origin") == "b", "the change")
            daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port),
                                                        world.listener("more", other)]))
            wait_for(lambda: web.get(daemon.address, other, "x.test").status == 200, "the other port")
            daemon.apply(plain, world.route("site", world.rule("a")))
            wait_for(lambda: kept.ask().field("x-origin") == "a", "the change back")
    with pytest.raises(ConnectionRefusedError):
        web.get(daemon.address, other, "x.test")


def test_head_and_trailers_and_continue(daemon, origin, http_port):
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", (origin.host, origin.port)), world.route("site", world.rule("app")))
    daemon.wait_programmed()
    with web.Connection(daemon.address, http_port, "a.test") as kept:
        head = kept.ask("HEAD")
        assert head.status == 200 and head.body == b"" and int(head.field("content-length")) > 0
        assert kept.ask().status == 200, "the connection goes on after HEAD"
    with socket.create_connection((daemon.address, http_port), 10) as sock:
        sock.sendall(b"POST /sink HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"hello")
        answer = b""
        while b'"length": 5' not in answer:
            piece = sock.recv(4096)
            assert piece, answer
            answer += piece
    with socket.create_connection((daemon.address, http_port), 10) as sock:
        sock.sendall(b"POST /sink HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Trailer: 1\r\n\r\n")
        answer = b""
        while b'"length": 7' not in answer:
            piece = sock.recv(4096)
            assert piece, answer
            answer += piece


def test_http2_many_streams_and_big_answers(site):
    site.up()
    with site.h2() as connection:
        for _ in range(5):
            streams = [connection.begin(target="/bytes?n=%d" % (n * 7001)) for n in range(40)]
            for n, answer in enumerate(connection.answers(streams)):
                assert answer.status == 200 and len(answer.body) == n * 7001
