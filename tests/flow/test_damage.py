"""Two hundred damages, one after the other: each is refused or told, and nobody else notices.

A working configuration has two halves. The one is never touched, and a client asks it for answers
throughout. The other is damaged: by wrong values, references to nothing, deleted objects, rivals,
bad certificates. Each damage ends in an error of the API or in a condition, and both name what is
wrong. Afterwards all is applied again and served as before.
DAMAGE_SEED and DAMAGE_COUNT choose another walk.
"""
import base64
import copy
import json
import os
import random
import resource
import socket
import threading

import pytest

import web
import world
from proc import free_port, run, wait_for

SEED = int(os.environ.get("DAMAGE_SEED", "20251"))
COUNT = int(os.environ.get("DAMAGE_COUNT", "200"))
PLURALS = {"Namespace": "namespaces", "Secret": "secrets", "Service": "services",
           "ConfigMap": "configmaps", "EndpointSlice": "endpointslices", "Gateway": "gateways",
           "HTTPRoute": "httproutes", "ReferenceGrant": "referencegrants", "Backend": "backends",
           "Certificate": "certificates", "GatewayClass": "gatewayclasses"}


def service(name, ns="default", port=80, app_protocol=None, **spec):
    one = {"name": "http", "port": port}
    if app_protocol:
        one["appProtocol"] = app_protocol
    return {"apiVersion": "v1", "kind": "Service", "metadata": world.metadata(name, ns),
            "spec": dict({"ports": [one]}, **spec)}


def endpoints(of, host, port, ns="default", ready=True):
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": world.metadata(of + "-1", ns, labels={"kubernetes.io/service-name": of}),
            "ports": [{"name": "http", "port": port}],
            "endpoints": [{"addresses": [host], "conditions": {"ready": ready}}]}


def grant(name, ns, from_kind, to_kind, to_group=""):
    return {"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
            "metadata": world.metadata(name, ns),
            "spec": {"from": [{"group": "gateway.networking.k8s.io", "kind": from_kind,
                               "namespace": "default"}],
                     "to": [{"group": to_group, "kind": to_kind}]}}


def to_service(name, ns=None, port=80, **more):
    ref = dict({"kind": "Service", "name": name, "port": port}, **more)
    return dict(ref, namespace=ns) if ns else ref


def namespace(name):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def pair(box, name):
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", box / (name + ".key"), "-out", box / (name + ".crt"), "-days", "2",
        "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name)
    return {"tls.crt": (box / (name + ".crt")).read_text(), "tls.key": (box / (name + ".key")).read_text()}


# Longer than any message, and cut anywhere they would be cut inside a character.
LONG_WORDS = [lead + char * 400 for lead in ("", "x", "xx", "xxx") for char in ("\u00e9", "\u20ac", "\U0001f511")]


class Town:
    """The configuration: what is kept, what is damaged, and how to speak to both."""

    def __init__(self, daemon, box, origin):
        self.daemon, self.box = daemon, box
        self.ports = [free_port() for _ in range(3)]
        self.pairs = {n: pair(box, n) for n in ("keep.test", "shop.test", "other.test")}
        here = (origin.host, origin.port)
        http, https, third = self.ports
        a = daemon.address
        self.kept = [
            world.secret("keep-tls", self.pairs["keep.test"]),
            world.gateway(a, [world.listener("http", http, "keep.test"),
                              world.listener("https", https, "keep.test", "keep-tls")], name="keep"),
            world.backend("keep", here),
            service("keep"), endpoints("keep", *here),
            world.route("keep", world.rule("keep", path="/backend"),
                        world.rule(to_service("keep"), path="/service"), parent="keep")]
        self.prey = [
            namespace("app"), namespace("gone"),
            world.secret("shop-tls", self.pairs["shop.test"]),
            world.secret("far-tls", self.pairs["other.test"], ns="app"),
            grant("secrets", "app", "Gateway", "Secret"),
            grant("services", "app", "HTTPRoute", "Service"),
            grant("backends", "gone", "HTTPRoute", "Backend", "gateway.envoyproxy.io"),
            world.gateway(a, [world.listener("http", http),
                              world.listener("https", https, "shop.test", "shop-tls")]),
            self.side(third),
            world.backend("app", here), world.backend("gone", here, ns="gone"),
            service("app"), endpoints("app", *here),
            service("far", ns="app"), endpoints("far", *here, ns="app"),
            world.route("one", world.rule("app", path="/one")),
            world.route("two", world.rule(to_service("app"), path="/two"), hostnames=["two.test"]),
            world.route("far", world.rule(to_service("far", "app"), path="/far")),
            world.route("gone", world.rule(dict(world.to("gone"), namespace="gone"), path="/gone")),
            world.route("shop", world.rule("app"), section="https"),
            world.route("side", world.rule("app"), parent="side")]

    def side(self, port):
        made = world.gateway(self.daemon.address, [world.listener("https", port, "other.test", "far-tls")],
                             name="side")
        made["spec"]["listeners"][0]["tls"]["certificateRefs"][0]["namespace"] = "app"
        return made

    def one(self, kind, name, ns="default"):
        for made in self.kept + self.prey:
            meta = made["metadata"]
            if (made["kind"], meta["name"], meta.get("namespace", "default")) == (kind, name, ns):
                return copy.deepcopy(made)
        raise AssertionError("no %s %s" % (kind, name))

    # Speaking.
    @staticmethod
    def address_of(made):
        return PLURALS[made["kind"]], made["metadata"]["name"], made["metadata"].get("namespace", "default")

    def put(self, made):
        """Creates or replaces; (status, message)."""
        plural, name, ns = self.address_of(made)
        for method, path in (("PUT", world.Daemon.path(plural, name, ns)),
                             ("POST", world.Daemon.path(plural, "", ns))):
            status, body = self.daemon.raw(method, path + "?fieldValidation=Strict", made)
            if status != 404:
                break
        return status, body.decode()

    def good(self, *wanted):
        for made in wanted:
            status, body = self.put(made)
            assert status in (200, 201), "%s: %s" % (made, body)

    def delete(self, plural, name, ns="default"):
        status, body = self.daemon.raw("DELETE", world.Daemon.path(plural, name, ns))
        assert status in (200, 202, 404), body

    def repair(self):
        """What is not of the configuration goes, all else is applied again."""
        wanted = {self.address_of(m) for m in self.kept + self.prey}
        for plural in ("gateways", "httproutes", "backends", "configmaps", "certificates", "services"):
            for found in self.daemon.list(plural):
                meta = found["metadata"]
                if (plural, meta["name"], meta["namespace"]) not in wanted:
                    self.delete(plural, meta["name"], meta["namespace"])
        for made in self.prey:
            if made["kind"] == "Secret":
                self.delete("secrets", *self.address_of(made)[1:])
        self.good(*self.prey)

    def answers(self):
        """What each route of the damaged half answers."""
        a, (http, https, third) = self.daemon.address, self.ports
        tls = web.tls_context(None, verify=False)
        found = [web.get(a, http, host, path).status for host, path in (
            ("any.test", "/one"), ("two.test", "/two"), ("any.test", "/far"), ("any.test", "/gone"),
            ("any.test", "/none"))]
        for port, host in ((https, "shop.test"), (third, "other.test")):
            found.append(web.get(a, port, host, "/", tls).status)
        return found

    def conditions(self):
        """Every condition of every Gateway and route, without times and generations."""
        out = {}
        for plural in ("gateways", "httproutes"):
            for found in self.daemon.list(plural):
                status = found["status"]
                places = [status] + status.get("listeners", []) + status.get("parents", [])
                out[plural, found["metadata"]["name"]] = [
                    sorted((c["type"], c["status"], c["reason"]) for c in p.get("conditions", []))
                    for p in places]
        return out

    def revision(self):
        status, body = self.daemon.raw("GET", "/apis/gateway.networking.k8s.io/v1/gateways")
        assert status == 200
        return json.loads(body)["metadata"]["resourceVersion"]


class Names:
    """A name server with a time to live of a second: what is not in names does not exist."""

    def __init__(self):
        self.names, self.asked = {}, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(2048)
            except OSError:
                return
            try:
                self.socket.sendto(self.answer(query), peer)
            except (IndexError, OSError):
                continue  # no question, or nobody waits for the answer

    def answer(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        end = at + 5
        kind = int.from_bytes(query[at + 1:at + 3], "big")
        addresses = self.names.get(".".join(labels))
        self.asked += 1
        given = addresses if addresses and kind == 1 else []
        flags = b"\x81\x80" if addresses is not None else b"\x81\x83"
        head = query[:2] + flags + b"\x00\x01" + len(given).to_bytes(2, "big") + bytes(4)
        return head + query[12:end] + b"".join(
            b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04" + socket.inet_aton(a) for a in given)

    def stop(self):
        self.socket.close()


class Customer:
    """Asks the untouched half all the time: kept and new connections, both doors."""

    def __init__(self, town):
        self.town, self.problems, self.count = town, [], 0
        self.end = threading.Event()
        self.thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self):
        a, (http, https, _) = self.town.daemon.address, self.town.ports
        self.tls = web.tls_context(self.town.box / "keep.test.crt")
        self.doors = [(a, http, "keep.test", None), (a, https, "keep.test", self.tls)]
        self.kept = [web.Connection(*door) for door in self.doors]
        self.thread.start()
        return self

    def _ask(self):
        while not self.end.wait(0.005):
            path = ("/backend", "/service")[self.count & 1]
            door = self.count >> 1 & 1
            try:
                if self.count & 4:
                    answer = self.kept[door].ask(target=path)
                else:
                    address, port, host, tls = self.doors[door]
                    answer = web.get(address, port, host, path, tls)
                if answer.status != 200:
                    self.problems.append("%s: %r" % (path, answer))
            except Exception as e:  # whatever goes wrong is told by the test
                self.problems.append("%s, door %d: %r" % (path, door, e))
                if len(self.problems) > 20:
                    return
            self.count += 1

    def __exit__(self, *what):
        self.end.set()
        self.thread.join()
        for connection in self.kept:
            connection.close()


# ---- damages: each gives back what it says, and where ----

class Refused:
    """The API says no: the object, what its message must hold."""

    def __init__(self, made, *words):
        self.made, self.words = made, words

    def judge(self, town):
        status, body = town.put(self.made)
        assert 400 <= status < 500, "status %d: %s" % (status, body[:500])
        for word in self.words:
            assert word in body, "%r is not in: %s" % (word, body[:1500])


class Told:
    """A condition says it: where, and what its message must hold."""

    def __init__(self, plural, name, kind, reason, *words, of=None, ns="default", status="False", put=(), delete=()):
        self.where, self.of, self.ns = (plural, name, kind), of, ns
        self.status, self.reason, self.words = status, reason, words
        self.puts, self.deletes = put, delete

    def judge(self, town):
        for made in self.puts:
            status, body = town.put(made)
            if 400 <= status < 500:  # said at once: as good
                for word in self.words:
                    assert word in body, "%r is not in: %s" % (word, body[:1500])
                return
            assert status in (200, 201), body
        for plural, name, ns in self.deletes:
            town.delete(plural, name, ns)

        def there():
            plural, name, kind = self.where
            found = town.daemon.condition(plural, name, kind, self.ns, self.of)
            assert found["status"] == self.status and self.reason in (None, found["reason"]), found
            for word in self.words:
                assert word in found["message"], "%r is not in: %s" % (word, found)
            assert all(c.isprintable() for c in found["message"]), found
            return True
        wait_for(there, "%s %s to say %s %s" % (self.where[:2] + (self.reason, self.words)),
                 alive=town.daemon.process)


class Raw:
    """Bytes that are no object: an error of the client, and the daemon goes on."""

    def __init__(self, body):
        self.body = body

    def judge(self, town):
        connection = world.SocketConnection(town.daemon.socket)
        connection.request("POST", world.Daemon.path("gateways"), body=self.body,
                           headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        assert 400 <= response.status < 500 and b"message" in body, (response.status, body[:300])


class Harmless:
    """Odd, but allowed: accepted, and what is older goes on."""

    def __init__(self, plural, name, *put):
        self.plural, self.name, self.puts = plural, name, put

    def judge(self, town):
        town.good(*self.puts)
        if self.plural == "httproutes":
            town.daemon.wait_condition(self.plural, self.name, "Accepted", of=world.parent_status)


def wrong_type(town, rng):
    """Some value of some object is of another type."""
    made = copy.deepcopy(rng.choice([m for m in town.prey if m["kind"] in (
        "Gateway", "HTTPRoute", "Backend", "Service", "ReferenceGrant")]))
    places = []

    def walk(value, name):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            told = key if isinstance(key, str) else name
            places.append((value, key, told))
            if isinstance(inner, (dict, list)):
                walk(inner, told)
    walk(made["spec"], "spec")
    holder, key, told = rng.choice(places)
    others = {str: 17, int: "seventeen", list: "a list", dict: [1], bool: "perhaps"}
    town.good(namespace("app"), namespace("gone"))
    holder[key] = others[type(holder[key])]
    return Refused(made, told)


def unknown_field(town, rng):
    made = town.one("HTTPRoute", "one")
    rng.choice([made["spec"], made["spec"]["rules"][0], made["spec"]["parentRefs"][0]])["colour"] = "red"
    return Refused(made, "colour")


def bad_number(town, rng):
    made = town.one("Gateway", "edge")
    made["spec"]["listeners"][0]["port"] = number = rng.choice([0, -1, 65536, 1 << 40, -(1 << 63)])
    return Refused(made, "port", str(number))


def bad_weight(town, rng):
    number = rng.choice([-1, 1000001, 1 << 33])
    return Refused(world.route("one", world.rule(world.to("app", number))), "weight", str(number))


def no_backend(town, rng):
    name = "nowhere-%d" % rng.randrange(1000)
    return Told("httproutes", "one", "ResolvedRefs", "BackendNotFound", name, of=world.parent_status,
                put=[town.one("Gateway", "edge"), world.route("one", world.rule(name, path="/one"))])


def no_port(town, rng):
    port = rng.randrange(81, 60000)
    return Told("httproutes", "two", "ResolvedRefs", "BackendNotFound", str(port), of=world.parent_status,
                put=[town.one("Gateway", "edge"), town.one("Service", "app"),
                     world.route("two", world.rule(to_service("app", port=port), path="/two"))])


def changed_port(town, rng):
    return Told("httproutes", "two", "ResolvedRefs", "BackendNotFound", "port 80", of=world.parent_status,
                put=[town.one("Gateway", "edge"), town.one("HTTPRoute", "two"),
                     service("app", port=rng.randrange(81, 60000))])


def no_service(town, rng):
    return Told("httproutes", "two", "ResolvedRefs", "BackendNotFound", "default/app", of=world.parent_status,
                put=[town.one("Gateway", "edge"), town.one("HTTPRoute", "two")],
                delete=[("services", "app", "default")])


def no_endpoints(town, rng):
    return Told("httproutes", "two", "ResolvedRefs", None, "EndpointSlice", of=world.parent_status, status="True",
                put=[town.one(k, n) for k, n in (("Gateway", "edge"), ("HTTPRoute", "two"), ("Service", "app"))],
                delete=[("endpointslices", "app-1", "default")])


def not_ready(town, rng):
    return Told("httproutes", "two", "ResolvedRefs", None, "ready", of=world.parent_status, status="True",
                put=[town.one(k, n) for k, n in (("Gateway", "edge"), ("HTTPRoute", "two"), ("Service", "app"))]
                + [endpoints("app", "127.0.0.1", 9, ready=False)])


def no_grant(town, rng):
    if rng.random() < 0.5:
        return Told("httproutes", "far", "ResolvedRefs", "RefNotPermitted", "app/far", of=world.parent_status,
                    put=[town.one("Gateway", "edge"), town.one("HTTPRoute", "far"), town.one("Service", "far", "app")],
                    delete=[("referencegrants", "services", "app")])
    return Told("gateways", "side", "ResolvedRefs", "RefNotPermitted", "app/far-tls",
                of=world.listener_status("https"), put=[town.one("Gateway", "side")],
                delete=[("referencegrants", "secrets", "app")])


def no_secret(town, rng):
    return Told("gateways", "edge", "ResolvedRefs", "InvalidCertificateRef", "shop-tls",
                of=world.listener_status("https"), put=[town.one("Gateway", "edge")],
                delete=[("secrets", "shop-tls", "default")])


def bad_secret(town, rng):
    good, other = town.pairs["shop.test"], town.pairs["other.test"]
    data, kind = rng.choice([
        ({"tls.crt": "nonsense", "tls.key": good["tls.key"]}, None),
        ({"tls.crt": good["tls.crt"], "tls.key": other["tls.key"]}, None),
        ({"tls.crt": good["tls.crt"][:300], "tls.key": good["tls.key"]}, None),
        ({"tls.crt": good["tls.crt"], "tls.key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}, None),
        ({"tls.crt": good["tls.key"], "tls.key": good["tls.crt"]}, None),
        (good, "Opaque"), (good, rng.choice(LONG_WORDS))])
    town.delete("secrets", "shop-tls")
    return Told("gateways", "edge", "ResolvedRefs", "InvalidCertificateRef", "tls",
                of=world.listener_status("https"),
                put=[town.one("Gateway", "edge"), world.secret("shop-tls", data, kind or "kubernetes.io/tls")])


def wrong_name(town, rng):
    town.delete("secrets", "shop-tls")
    return Told("gateways", "edge", "ResolvedRefs", None, "shop.test", of=world.listener_status("https"),
                status="True", put=[town.one("Gateway", "edge"),
                                    world.secret("shop-tls", town.pairs["other.test"])])


def rival(town, rng):
    http, https, third = town.ports
    number = rng.randrange(4)
    town.good(town.one("Gateway", "edge"), town.one("Gateway", "side"))
    wait_for(lambda: town.daemon.condition("gateways", "edge", "Accepted")["status"] == "True", "edge")
    late = [world.listener("x", http), world.listener("x", http, "keep.test"),
            world.listener("x", https, "keep.test", "keep-tls"), world.listener("x", https)][number]
    reason = "ProtocolConflict" if number == 3 else "HostnameConflict"
    # Both have that port: which is older is known to a second only, then the name decides.
    who = {0: "edge", 1: "keep", 2: "keep", 3: ""}[number]
    town.delete("gateways", "rival")
    return Told("gateways", "rival", "Conflicted", reason, "default/" + who, status="True",
                of=world.listener_status("x"),
                put=[world.gateway(town.daemon.address, [late], name="rival")])


def civil_war(town, rng):
    """Listeners of one Gateway that are not distinct."""
    port = free_port()
    pairs = [[world.listener("x", port), world.listener("y", port)],
             [world.listener("x", port, "a.test"), world.listener("y", port, "a.test")],
             [world.listener("x", port, "a.test"), world.listener("y", port, "b.test", "shop-tls")],
             [world.listener("x", port), world.listener("x", port, "b.test")]]
    number = rng.randrange(len(pairs))
    made = world.gateway(town.daemon.address, pairs[number], name="war")
    if number == 3:
        return Refused(made, "listeners[1]")
    return Told("gateways", "war", "Conflicted", None, status="True", of=world.listener_status("x"), put=[made])


def bad_regex(town, rng):
    text = rng.choice(["(", "[a", "a{2,1}", "(?<n", "a**?+*", "\\", "(a", "[[:foo:]]"])
    match = rng.choice([{"path": {"type": "RegularExpression", "value": "/" + text}},
                        {"headers": [{"type": "RegularExpression", "name": "x", "value": text}]},
                        {"queryParams": [{"type": "RegularExpression", "name": "x", "value": text}]}])
    return Told("httproutes", "one", "Accepted", "UnsupportedValue", "rules[0]", of=world.parent_status,
                put=[town.one("Gateway", "edge"),
                     world.route("one", world.rule("app", matches=[match]))])


def half_bad_regex(town, rng):
    """One rule of two is bad: the other is served."""
    bad = world.rule("app", matches=[{"path": {"type": "RegularExpression", "value": "/("}}])
    return Told("httproutes", "one", "PartiallyInvalid", None, "Dropped Rule: rules[0]", of=world.parent_status, status="True",
                put=[town.one("Gateway", "edge"), town.one("Backend", "app"),
                     world.route("one", bad, world.rule("app", path="/one"))])


def same_hostname(town, rng):
    """A route of the same name and path as an older one: the older one answers."""
    made = world.route("twin", world.rule("nowhere", path="/backend"), hostnames=["keep.test"], parent="keep")
    return Harmless("httproutes", "twin", made)


def twice_hostname(town, rng):
    made = world.route("one", world.rule("app", path="/one"), hostnames=["a.test", "a.test"])
    status, body = town.put(made)
    return Harmless("httproutes", "one", town.one("Gateway", "edge"), town.one("HTTPRoute", "one")) \
        if status == 200 else Refused(made, "hostnames")


def bad_hostname(town, rng):
    name = rng.choice(["UPPER.test", "a..test", "*.*.test", "a.*.test", "-a.test", "1.2.3.4", "x" * 254,
                       "b\u00fccher.test", "a.test\n", "a\u0000b.test", ""])
    return Refused(world.route("one", world.rule("app"), hostnames=[name]),
                   "u0000" if "\0" in name else "hostnames[0]")


def huge(town, rng):
    number = rng.randrange(4)
    if number == 0:
        return Refused({"apiVersion": "v1", "kind": "ConfigMap", "metadata": world.metadata("huge", "default"),
                        "data": {"a": "x" * (3 << 20)}})
    if number == 1:
        return Refused(world.route("one", *[world.rule("app", path="/%d" % i) for i in range(200)]), "rules")
    if number == 2:
        return Refused(world.gateway(town.daemon.address, [world.listener("l%d" % i, 20000 + i) for i in range(65)],
                                     name="huge"), "listeners")
    return Refused(world.backend("app", *[("127.0.0.1", 1 + i) for i in range(2000)]), "endpoints")


def no_namespace(town, rng):
    return Told("httproutes", "gone", "ResolvedRefs", None, "gone", of=world.parent_status,
                put=[town.one("Gateway", "edge"), namespace("gone")]
                + [town.one(k, n, "gone") for k, n in (("ReferenceGrant", "backends"), ("Backend", "gone"))]
                + [town.one("HTTPRoute", "gone")],
                delete=[("namespaces", "gone", None)])


def forbidden(town, rng):
    link = town.box / "innocent.sock"
    if not link.is_symlink():
        link.symlink_to(town.daemon.socket)
    where, word = rng.choice([
        (town.daemon.socket, "control socket"), (str(link), "control socket"),
        (os.path.dirname(town.daemon.socket) + "/state/../api.sock", "control socket"),
        ("/var/run/docker.sock", "docker"), ("/run/systemd/private", "systemd"), ("/proc/self/x", "/proc"),
        (("169.254.169.254", 80), "link-local"), (("fe80::1", 80), "link-local"),
        (("::ffff:169.254.169.254", 80), "link-local")])
    return Told("backends", "app", "Accepted", None, word, put=[world.backend("app", where)])


def bad_endpoint(town, rng):
    endpoint = rng.choice([{"ip": {"address": "999.1.1.1", "port": 80}}, {"ip": {"address": "127.0.0.1", "port": 0}},
                           {"fqdn": {"hostname": "bad_name..test", "port": 80}}, {"unix": {"path": "relative"}},
                           {"unix": {"path": "/" + "x" * 200}}, {}, {"ip": {"address": "127.0.0.1", "port": 1},
                                                                     "unix": {"path": "/x"}}])
    made = world.backend("app", ("127.0.0.1", 1))
    made["spec"]["endpoints"] = [endpoint]
    return Refused(made, "endpoints[0]")


def odd_protocol(town, rng):
    text = rng.choice(["kubernetes.io/nothing"] + LONG_WORDS)
    return Told("httproutes", "two", "ResolvedRefs", "UnsupportedProtocol", "appProtocol", of=world.parent_status,
                put=[town.one("Gateway", "edge"), town.one("HTTPRoute", "two"),
                     service("app", app_protocol=text)])


def external_name(town, rng):
    return Told("httproutes", "two", "ResolvedRefs", "InvalidKind", "ExternalName", of=world.parent_status,
                put=[town.one("Gateway", "edge"), town.one("HTTPRoute", "two"),
                     service("app", type="ExternalName", externalName="example.test")])


def bad_filter(town, rng):
    rewrite = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/"}}}
    filters, words = rng.choice([
        ([{"type": "RequestRedirect"}], ["filters"]), ([{"type": "Nonsense"}], ["filters"]),
        ([world.redirect(statusCode=200)], ["statusCode"]), ([world.redirect(port=70000)], ["port"]),
        ([world.redirect(scheme="ftp")], ["scheme"]), ([world.redirect(), rewrite], ["rules[0]"]),
        ([{"type": "ExtensionRef", "extensionRef": {"group": "a.test", "kind": "Foo", "name": "x"}}], ["rules[0]"]),
        ([{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "a b", "value": "x"}]}}], ["filters"]),
        ([{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "a", "value": "x\r\nb: c"}]}}],
         ["rules[0]"])])
    return Told("httproutes", "one", "Accepted", None, *words, of=world.parent_status,
                put=[town.one("Gateway", "edge"), world.route("one", world.rule("app", filters=filters))])


def no_parent(town, rng):
    number = rng.randrange(3)
    made = [world.route("one", world.rule("app"), parent="nobody"),
            world.route("one", world.rule("app"), section="nothing"),
            world.route("one", world.rule("app"), hostnames=["else.test"], parent="keep")][number]
    reason = ["NoMatchingParent", "NoMatchingParent", "NoMatchingListenerHostname"][number]
    return Told("httproutes", "one", "Accepted", reason, of=world.parent_status,
                put=[town.one("Gateway", "edge"), made])


def not_allowed(town, rng):
    made = world.route("stranger", world.rule(to_service("far")), ns="app")
    made["spec"]["parentRefs"][0]["namespace"] = "default"
    return Told("httproutes", "stranger", "Accepted", "NotAllowedByListeners", "allowedRoutes",
                of=world.parent_status, ns="app", put=[town.one("Gateway", "edge"), made])


def no_class(town, rng):
    made = town.one("Gateway", "edge")
    made["spec"]["gatewayClassName"] = "nothing"
    return Told("gateways", "edge", "Accepted", "Pending", "nothing", status="Unknown", put=[made])


def bad_address(town, rng):
    value, reason, word = rng.choice([("203.0.113.9", "AddressNotUsable", "203.0.113.9"),
                                      ("2001:db8::1", "AddressNotUsable", "2001:db8::1"),
                                      ("999.0.0.1", None, "999.0.0.1"), ("nonsense", None, "nonsense")])
    made = town.one("Gateway", "edge")
    made["spec"]["addresses"] = [{"type": "IPAddress", "value": value}]
    return Told("gateways", "edge", "Programmed" if reason else "Accepted", reason, word, put=[made])


def taken_port(town, rng):
    with socket.socket() as s:
        s.bind((town.daemon.address, 0))
        s.listen()
        port = s.getsockname()[1]
        made = world.gateway(town.daemon.address, [world.listener("http", port)], name="taken")
        Told("gateways", "taken", "Accepted", "PortUnavailable", str(port), "in use",
             of=world.listener_status("http"), put=[made]).judge(town)
    # Free again: it recovers by itself.
    return Told("gateways", "taken", "Programmed", None, status="True", of=world.listener_status("http"))


def bad_ref_kind(town, rng):
    made = town.one("Gateway", "edge")
    made["spec"]["listeners"][1]["tls"]["certificateRefs"] = [
        rng.choice([{"kind": "ConfigMap", "name": "x"}, {"group": "a.test", "kind": "Secret", "name": "Secret"}])]
    return Told("gateways", "edge", "ResolvedRefs", "InvalidCertificateRef", "kind",
                of=world.listener_status("https"), put=[made])


def bad_backend_kind(town, rng):
    return Told("httproutes", "one", "ResolvedRefs", "InvalidKind", "ConfigMap", of=world.parent_status,
                put=[town.one("Gateway", "edge"),
                     world.route("one", world.rule({"kind": "ConfigMap", "name": "x", "port": 1}))])


def itself(town, rng):
    """A route that leads to its own listener."""
    return Harmless("httproutes", "loop", town.one("Gateway", "edge"),
                    world.backend("self", (town.daemon.address, town.ports[0])),
                    world.route("loop", world.rule("self", path="/loop")))


def no_text(town, rng):
    deep = b'{"a":' * 5000 + b"1" + b"}" * 5000
    return Raw(rng.choice([b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"kind": "Gateway", "spec": "\x00"}', deep,
                           b'{"metadata": {"name": "\xc3"}}', b'{"a": 1, "a": 2}', b'{"a": 1e999}',
                           b'{"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":7}}',
                           json.dumps({"metadata": {"name": "a\x1b[31m"}, "spec": None}).encode()]))


def no_gateway(town, rng):
    return Told("httproutes", "one", "Accepted", "NoMatchingParent", "no Gateway", of=world.parent_status,
                put=[town.one("HTTPRoute", "one")], delete=[("gateways", "edge", "default")])


def lost_name(town, rng):
    name = "lost-%d.example.test" % rng.randrange(100)
    return Told("httproutes", "one", "ResolvedRefs", "BackendNotFound", name, of=world.parent_status,
                put=[town.one("Gateway", "edge"), town.one("HTTPRoute", "one"), world.backend("app", (name, 80))])


DAMAGES = [wrong_type, wrong_type, wrong_type, wrong_type, unknown_field, bad_number, bad_weight, no_backend, no_port,
           changed_port, no_service, no_endpoints, not_ready, no_grant, no_secret, bad_secret, bad_secret, wrong_name,
           rival, civil_war, bad_regex, half_bad_regex, same_hostname, twice_hostname, bad_hostname, huge,
           no_namespace, forbidden, bad_endpoint, odd_protocol, external_name, bad_filter, no_parent, not_allowed,
           no_class, bad_address, taken_port, bad_ref_kind, bad_backend_kind, itself, no_text, no_gateway, lost_name]


@pytest.fixture
def name_server():
    made = Names()
    yield made
    made.stop()


def each_damage(town, rng):
    """All of them at least once, then at random."""
    order = DAMAGES[:]
    rng.shuffle(order)
    return (order + [rng.choice(DAMAGES) for _ in range(COUNT)])[:COUNT]


@pytest.mark.heavy
def test_damages(daemons, name_server, box, origin, figures):
    figures("seed of the damages", SEED)
    daemon = daemons(dns=name_server.address).start()
    rng, town = random.Random(SEED), Town(daemon, box, origin)
    town.good(*town.kept)
    daemon.wait_programmed("keep")
    town.good(*town.prey)
    for name in ("edge", "side"):
        daemon.wait_programmed(name)
    good = [200, 200, 200, 200, 404, 200, 200]
    wait_for(lambda: town.answers() == good, "all routes to answer")
    conditions = town.conditions()
    done, wrong = [], []
    with Customer(town) as customer:
        for number, damage in enumerate(each_damage(town, rng)):
            done.append(damage.__name__)
            try:
                damage(town, rng).judge(town)
            except AssertionError as e:
                wrong.append("%d %s: %s" % (number, damage.__name__, e))
            assert not daemon.process.ended(), "ended after %s\n%s" % (done[-5:], daemon.process.tail())
            assert not customer.problems, "after %s: %s" % (done[-3:], customer.problems)
        town.repair()
        wait_for(lambda: town.answers() == good, "all routes to answer again; last: %s" % town.answers())
        wait_for(lambda: town.conditions() == conditions, "all conditions to be as before")
        settled = town.revision()
        begun = customer.count
        wait_for(lambda: customer.count > begun + 50 or customer.problems, "the customer")
        assert town.revision() == settled, "objects are written although nothing changes"
    assert not customer.problems, customer.problems
    figures("requests meanwhile, none lost", customer.count)
    assert not wrong, "seed %d, %d of %d:\n%s" % (SEED, len(wrong), len(done), "\n\n".join(wrong))


# ---- names that change ----

def test_name_that_goes_astray(daemons, name_server, origin, http_port):
    """A Backend's name: an address, another's, none, a forbidden one, and good again."""
    daemon = daemons(dns=name_server.address).start()
    good = [origin.host]

    def answer():
        return web.get(daemon.address, http_port, "a.test").status
    name_server.names["app.test"] = good
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", ("app.test", origin.port)), world.route("one", world.rule("app")))
    daemon.wait_programmed()
    wait_for(lambda: answer() == 200, "the name to resolve")
    for addresses, reason, word in ((None, "BackendNotFound", "app.test"),
                                    (["169.254.169.254"], "RefNotPermitted", "link-local"),
                                    (good + ["169.254.169.254"], "RefNotPermitted", "link-local"),
                                    ([], "BackendNotFound", "app.test")):
        if addresses is None:
            del name_server.names["app.test"]
        else:
            name_server.names["app.test"] = addresses
        found = daemon.wait_condition("httproutes", "one", "ResolvedRefs", "False", reason, of=world.parent_status)
        assert word in found["message"], found
        wait_for(lambda: answer() == 500, "500 while the name leads to %s" % addresses)
        name_server.names["app.test"] = good
        daemon.wait_condition("httproutes", "one", "ResolvedRefs", of=world.parent_status)
        wait_for(lambda: answer() == 200, "the name to be good again")


def test_endpoints_that_flap(daemon, origin, http_port):
    """Ready or not a hundred times: the last word holds, and a route beside it never notices."""
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 service("app"), endpoints("app", origin.host, origin.port),
                 world.backend("calm", (origin.host, origin.port)),
                 world.route("calm", world.rule("calm", path="/calm")),
                 world.route("one", world.rule(to_service("app"))))
    daemon.wait_programmed()
    path = world.Daemon.path("endpointslices", "app-1")
    for ready in [False, True] * 50 + [False]:
        status, body = daemon.raw("PUT", path, endpoints("app", origin.host, origin.port, ready=ready))
        assert status == 200, body
        assert web.get(daemon.address, http_port, "a.test", "/calm").status == 200
        wait_for(lambda: web.get(daemon.address, http_port, "a.test").status == (200 if ready else 503),
                 "what the endpoints say")


def test_secret_rotated_under_load(daemon, box, origin, https_port):
    """The pair of a listener is another fifty times: nobody's connection ends, no handshake fails."""
    pairs = [pair(box, "keep.test") for _ in range(2)]
    roots = web.tls_context(None, verify=False)
    daemon.apply(world.secret("tls", pairs[0]), world.backend("app", (origin.host, origin.port)),
                 world.gateway(daemon.address, [world.listener("https", https_port, "keep.test", "tls")]),
                 world.route("one", world.rule("app")))
    daemon.wait_programmed()
    door = (daemon.address, https_port, "keep.test", roots)
    kept = [web.Connection(*door) for _ in range(20)]
    try:
        for turn in range(50):
            daemon.raw("PUT", world.Daemon.path("secrets", "tls"), world.secret("tls", pairs[turn & 1]))
            assert kept[turn % 20].ask().status == 200
            assert web.get(daemon.address, https_port, "keep.test", "/", roots).status == 200
        for connection in kept:
            assert connection.ask().status == 200
    finally:
        for connection in kept:
            connection.close()


# ---- doors that cannot be opened ----

def test_same_address_twice(daemon, origin, http_port):
    made = world.gateway([daemon.address, daemon.address], [world.listener("http", http_port)])
    daemon.apply(made, world.backend("app", (origin.host, origin.port)), world.route("one", world.rule("app")),
                 check=False)
    if not daemon.exists("gateways", "edge"):
        return  # refused: as good
    found = daemon.wait_programmed()
    assert [a["value"] for a in found["status"]["addresses"]] == [daemon.address]
    assert web.get(daemon.address, http_port, "a.test").status == 200


def test_wildcard_beside_an_address(daemon, origins, http_port):
    """All addresses and one of them on the same port, in both orders: each has its own listener."""
    one, other = origins("one"), origins("other")
    wide = world.gateway(None, [world.listener("http", http_port)], name="wide")
    narrow = world.gateway(daemon.address, [world.listener("http", http_port)], name="narrow")
    daemon.apply(world.backend("one", (one.host, one.port)), world.backend("other", (other.host, other.port)),
                 world.route("one", world.rule("one"), parent="wide"),
                 world.route("other", world.rule("other"), parent="narrow"))
    for first, second in ((wide, narrow), (narrow, wide)):
        for made in (first, second):
            daemon.apply(made)
            daemon.wait_programmed(made["metadata"]["name"])
        wait_for(lambda: web.get("127.0.0.1", http_port, "a.test").json()["service"] == "one", "the wide one")
        wait_for(lambda: web.get(daemon.address, http_port, "a.test").json()["service"] == "other", "the narrow one")
        daemon.cli("delete", "gateway", "wide", "narrow")
        wait_for(lambda: not daemon.list("gateways"), "both to be gone")


def test_no_descriptors_left(daemon, http_port):
    """A listener without a socket says why, and has one soon after there are descriptors again."""
    pid = daemon.process.pid
    connection = world.SocketConnection(daemon.socket)

    def ask(method, plural, name="", body=None):
        connection.request(method, world.Daemon.path(plural, name), body=json.dumps(body) if body else None,
                           headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        data = response.read()
        assert response.status in (200, 201), data
        return json.loads(data)
    ask("GET", "gateways")
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    taken = {int(fd) for fd in os.listdir("/proc/%d/fd" % pid)}
    least = next(n for n in range(4096) if n not in taken)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (least, limits[1]))
    try:
        ask("POST", "gateways", body=world.gateway(None, [world.listener("http", http_port)]))
        found = ask("GET", "gateways", "edge")["status"]["listeners"][0]["conditions"]
        said = [c["message"] for c in found if c["type"] == "Programmed" and c["status"] == "False"]
        accepted = [c["message"] for c in found if c["type"] == "Accepted"]
        assert said and "Too many open files" in " ".join(said + accepted), found
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    connection.close()
    daemon.wait_programmed()


def test_thousand_routes_come_to_rest(daemon, origin, http_port):
    """When nothing changes, nothing is written, however much there is."""
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", (origin.host, origin.port)),
                 *[world.route("r%d" % i, world.rule("app", path="/%d" % i)) for i in range(1000)])

    def revision():
        return json.loads(daemon.raw("GET", world.Daemon.path("backends"))[1])["metadata"]["resourceVersion"]

    def told():
        found = daemon.get("gateways", "edge")["status"]["listeners"][0]["attachedRoutes"]
        assert found == 1000, found
        return all(r["status"].get("parents") for r in daemon.list("httproutes"))
    wait_for(told, "all routes to be attached", 120, every=0.3)
    before = revision()

    def rests():
        nonlocal before
        old, before = before, revision()
        return old == before
    wait_for(rests, "the last status to be written", every=1)
    for i in range(100):
        assert web.get(daemon.address, http_port, "a.test", "/%d" % i).status == 200
    assert revision() == before, "written although nothing changes"


@pytest.mark.parametrize("name", ["edge", "a" * 199 + "-" + "b" * 50])
def test_annotations_that_no_certificate_can_have(daemon, http_port, https_port, name):
    """A wrong annotation of a Gateway is told as an Event about it."""
    made = world.gateway(daemon.address, [world.listener("http", http_port),
                                          world.listener("https", https_port, "a.test", "tls")],
                         name=name, issuer="self")
    made["metadata"]["annotations"]["cert-manager.io/duration"] = "a fortnight"
    daemon.apply(world.self_signed(), made)

    def told():
        return [e for e in daemon.list("events", "default") if e["involvedObject"]["name"] == name
                and e["type"] == "Warning" and "duration" in e["message"]]
    wait_for(told, "an Event that names the annotation")
    made["metadata"]["annotations"]["cert-manager.io/duration"] = "2160h"
    daemon.apply(made)
    daemon.wait_ready_certificate("tls")


def test_long_words_in_conditions(daemon, box, http_port, https_port):
    """What is too long for a message is cut between two characters."""
    data = pair(box, "a.test")
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port),
                                                world.listener("https", https_port, "a.test", "tls")]),
                 world.route("one", world.rule(to_service("app"))))
    for text in LONG_WORDS:
        daemon.raw("DELETE", world.Daemon.path("secrets", "tls"))
        daemon.raw("DELETE", world.Daemon.path("services", "app"))
        for plural, made in (("secrets", world.secret("tls", data, text)), ("services", service("app", app_protocol=text))):
            status, body = daemon.raw("POST", world.Daemon.path(plural), made)
            assert status == 201 or 400 <= status < 500, body
        if daemon.exists("secrets", "tls"):
            wait_for(lambda: text[:20] in daemon.condition("gateways", "edge", "ResolvedRefs", of=world.listener_status(
                "https"))["message"], "the type of the Secret in the condition")
        if daemon.exists("services", "app"):
            wait_for(lambda: text[:20] in daemon.condition("httproutes", "one", "ResolvedRefs", of=world.parent_status)[
                "message"], "the protocol of the Service in the condition")
