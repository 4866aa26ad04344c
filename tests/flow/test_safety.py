"""A Gateway must not become a way to root: what no Backend may name, however it is written."""
import os
import socket

import pytest

import web
import world
from proc import free_port, wait_for


@pytest.fixture
def guarded(daemons, http_port):
    """A daemon with a metrics port, and a Gateway for routes that try."""
    daemon = daemons()
    daemon.metrics = free_port()
    daemon.start("--listen-metrics", "127.0.0.1:%d" % daemon.metrics)
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]))
    daemon.wait_programmed()
    return daemon


def assert_refused(daemon, http_port, target, word=None):
    """The route says why, and leads nowhere."""
    daemon.apply(target, world.route("try", world.rule("target")))
    found = daemon.wait_condition("httproutes", "try", "ResolvedRefs", "False", of=world.parent_status)
    assert word is None or word in found["message"], found
    answer = wait_for(lambda: (lambda a: a.status != 404 and a)(
        web.get(daemon.address, http_port, "a.test", "/api/v1/secrets")), "an answer")
    assert answer.status == 500, answer
    return found["message"]


def test_control_socket(guarded, http_port):
    message = assert_refused(guarded, http_port, world.backend("target", guarded.socket))
    assert guarded.socket in message


def test_control_socket_through_links(guarded, http_port, box):
    os.symlink(guarded.socket, box / "innocent.sock")
    os.symlink(guarded.folder, box / "folder")
    for path in (box / "innocent.sock", box / "folder" / "api.sock",
                 box / "folder" / ".." / os.path.basename(guarded.folder) / "api.sock"):
        assert_refused(guarded, http_port, world.backend("target", str(path)))
        guarded.cli("delete", "backend", "target")


@pytest.mark.parametrize("path", ["/run/docker.sock", "/var/run/docker.sock", "/run/../run/docker.sock",
                                  "/run/containerd/containerd.sock", "/run/podman/podman.sock",
                                  "/run/systemd/private", "/run/dbus/system_bus_socket"])
def test_sockets_that_give_root(guarded, http_port, path):
    assert_refused(guarded, http_port, world.backend("target", path))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0"])
def test_metrics_port(guarded, http_port, address):
    """On whatever address of this host: the port is ours."""
    assert_refused(guarded, http_port, world.backend("target", (address, guarded.metrics)))


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254"])
def test_link_local(guarded, http_port, address):
    assert_refused(guarded, http_port, world.backend("target", (address, 80)), "link-local")


def test_endpointslice_is_no_way_round(guarded, http_port):
    service = {"apiVersion": "v1", "kind": "Service", "metadata": world.metadata("s", "default"),
               "spec": {"ports": [{"port": 80}]}}
    slices = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
              "metadata": world.metadata("s-1", "default", labels={"kubernetes.io/service-name": "s"}),
              "ports": [{"port": guarded.metrics}], "endpoints": [{"addresses": ["127.0.0.1"]}]}
    guarded.apply(service, slices, world.route("try", world.rule({"name": "s", "port": 80})))
    guarded.wait_condition("httproutes", "try", "ResolvedRefs", "False", of=world.parent_status)
    wait_for(lambda: web.get(guarded.address, http_port, "a.test", "/metrics").status == 500, "500")


def test_name_that_leads_to_the_metrics_port(guarded, http_port, names):
    names.name("metrics.evil.test", "127.0.0.1")
    assert_refused(guarded, http_port, world.backend("target", ("metrics.evil.test", guarded.metrics)))


def test_name_that_leads_to_a_link_local_address(guarded, http_port, names):
    names.name("cloud.evil.test", "169.254.169.254")
    assert_refused(guarded, http_port, world.backend("target", ("cloud.evil.test", 80)), "link-local")


def test_link_that_is_turned_after_it_was_looked_at(guarded, http_port, box, origins):
    """Asked again when dialling: the path was innocent when the Backend was applied."""
    path = str(box / "app.sock")
    origins("innocent", path=str(box / "real.sock"))
    os.symlink(box / "real.sock", path)
    guarded.apply(world.backend("target", path), world.route("try", world.rule("target")))
    wait_for(lambda: web.get(guarded.address, http_port, "a.test").field("x-origin") == "innocent",
             "the innocent service")
    os.unlink(path)
    os.symlink(guarded.socket, path)

    def ask():  # a connection that is kept to the old service may serve one more
        return web.get(guarded.address, http_port, "a.test", "/close").status
    assert wait_for(lambda: (lambda s: s != 200 and s)(ask()), "the refusal") in (500, 502, 503)
    body = web.get(guarded.address, http_port, "a.test", "/api/v1/namespaces").body
    assert b"NamespaceList" not in body and b"Status" not in body


def test_path_that_appears_later(guarded, http_port, box):
    """A path without a socket yet is no offence; what appears there is looked at when dialling."""
    path = str(box / "later.sock")
    guarded.apply(world.backend("target", path), world.route("try", world.rule("target")))
    wait_for(lambda: web.get(guarded.address, http_port, "a.test").status in (502, 503), "nobody there")
    os.symlink(guarded.socket, path)
    for _ in range(3):
        answer = web.get(guarded.address, http_port, "a.test", "/api/v1/namespaces")
        assert answer.status in (500, 502, 503) and b"Namespace" not in answer.body


def test_control_socket_refuses_its_own_process(guarded):
    """Second line of defence; the first is that nothing dials it. Others may use it."""
    assert guarded.raw("GET", "/api/v1/namespaces")[0] == 200
    mode = os.stat(guarded.socket).st_mode & 0o777
    assert mode & 0o007 == 0, oct(mode)


def test_state_is_readable_by_its_owner_only(guarded):
    for folder, _, files in os.walk(guarded.state):
        for name in files:
            mode = os.stat(os.path.join(folder, name)).st_mode & 0o777
            assert mode & 0o077 == 0, "%s: %o" % (name, mode)


def test_allowed_backends_narrow_further(daemons, origin, box, http_port):
    settings = box / "sallyportd.yaml"
    settings.write_text("allowedBackends: [\"127.0.0.1/32:%d\"]\n" % origin.port)
    daemon = daemons("--config", settings).start()
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", (origin.host, origin.port)),
                 world.backend("other", (origin.host, origin.port + 1)),
                 world.route("fine", world.rule("app", path="/fine")),
                 world.route("not", world.rule("other", path="/not")))
    daemon.wait_condition("httproutes", "fine", "ResolvedRefs", of=world.parent_status)
    found = daemon.wait_condition("httproutes", "not", "ResolvedRefs", "False", of=world.parent_status)
    assert "allowedBackends" in found["message"]
    assert web.get(daemon.address, http_port, "a.test", "/fine").status == 200


def test_no_secret_in_the_log(site):
    """Keys and tokens stay out of the log, even at its most talkative."""
    site.daemon.restart("--log-level", "debug")
    site.up()
    site.renew()
    text = site.daemon.text()
    key = site.daemon.get("secrets", "edge-tls")["data"]["tls.key"]
    assert "PRIVATE KEY" not in text and key[:60] not in text
    for url in site.ca.validations(site.name):
        token = url.rsplit("/", 1)[1]
        assert token not in text or token + "." not in text, "a key authorization is logged"


def test_unknown_challenge_goes_to_the_service(site, origin):
    """A challenge path that is not ours is routed: a service may have a client of its own."""
    site.up()
    answer = site.http("/.well-known/acme-challenge/not-ours")
    assert answer.status == 200 and answer.json()["target"] == "/.well-known/acme-challenge/not-ours"


def test_slow_client_does_not_hold_others(site):
    """Half a request on each of 200 connections; everybody else is served."""
    site.up()
    kept = []
    for _ in range(200):
        sock = socket.create_connection((site.address, site.http_port), 10)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a")
        kept.append(sock)
    for _ in range(20):
        assert site.http().status == 200 and site.https().status == 200
    for sock in kept:
        sock.close()
