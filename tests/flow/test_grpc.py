"""GRPCRoutes: what the gateway itself answers, and which kind of route has a hostname."""
import pytest

import web
import world
from proc import wait_for

CALL = {"content-type": "application/grpc", "te": "trailers"}


def grpc_route(name, *rules, hostnames=None, **more):
    return dict(world.route(name, *rules, hostnames=hostnames, **more), kind="GRPCRoute")


def call(daemon, port, host, path, fields=None):
    return web.get(daemon.address, port, host, path, method="POST", body=b"", fields=fields or CALL)


@pytest.mark.parametrize("path, code", [
    ("/shop.Cart/Pay", "12"),      # no rule takes it
    ("/shop.Cart/Add", "14"),      # the service has no endpoint
    ("/shop.Cart/Remove", "14"),   # there is no such service
])
def test_failures_are_told_in_the_words_of_grpc(daemon, http_port, path, code):
    def one(method, backend):
        return world.rule(backend, matches=[{"method": {"service": "shop.Cart", "method": method}}])
    nobody = world.backend("nobody")
    nobody["spec"]["endpoints"] = [{"ip": {"address": "127.0.0.1", "port": 1}}]
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]), nobody,
                 grpc_route("shop", one("Add", "nobody"), one("Remove", "gone"),
                            hostnames=["rpc.test"]))
    daemon.wait_programmed()
    answer = call(daemon, http_port, "rpc.test", path)
    assert (answer.status, answer.field("grpc-status")) == (200, code)
    assert answer.field("content-type") == "application/grpc" and answer.body == b""
    # What is no call never meets the route.
    assert call(daemon, http_port, "rpc.test", path, {"content-type": "text/plain"}).status == 404


def test_a_hostname_belongs_to_one_kind(daemon, origin, http_port):
    """The older route has it; when that goes, the other takes over."""
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", (origin.host, origin.port)),
                 world.route("site", world.rule("app"), hostnames=["www.test", "a.www.test"]))
    daemon.wait_programmed()
    daemon.apply(grpc_route("young", world.rule("app"), hostnames=["*.www.test"]))
    daemon.wait_condition("grpcroutes", "young", "Accepted", "False", "HostnameConflict",
                          of=world.parent_status)
    assert web.get(daemon.address, http_port, "a.www.test").status == 200
    daemon.cli("delete", "httproute", "site")
    daemon.wait_condition("grpcroutes", "young", "Accepted", "True", of=world.parent_status)
    wait_for(lambda: web.get(daemon.address, http_port, "a.www.test").status == 404,
             "requests that are no calls to be refused")
