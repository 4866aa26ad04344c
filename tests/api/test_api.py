#!/usr/bin/env python3
"""The control API over its Unix socket, served by tests/api/api_daemon (store in memory, a fake controller).

Run in the build directory, by `make check` or by hand; arguments name single tests as unittest does.
"""
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.dont_write_bytecode = True  # the sources may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "flow"))
from proc import free_port  # noqa: E402

DAEMON = os.environ.get("API_DAEMON", "tests/api/api_daemon")
PATIENCE = 20  # seconds that a condition may take before a test fails
GATEWAYS = "/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
SERVICES = "/api/v1/namespaces/default/services"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


def until(what, condition):
    """The first true value of condition(); fails when there is none in time."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError("waited in vain for " + what)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, response):
        self.code = response.status
        self.headers = response.headers
        self.text = response.read()
        self.type = response.headers.get("Content-Type", "")
        self.json = json.loads(self.text) if self.type == "application/json" and self.text else None
        self.warnings = response.headers.get_all("Warning") or []


def gateway(name="gw", port=80, **meta):
    return {"metadata": dict(meta, name=name),
            "spec": {"gatewayClassName": "c",
                     "listeners": [{"name": "http", "protocol": "HTTP", "port": port}]}}


def configmap(name="cm", data=None, **meta):
    return {"metadata": dict(meta, name=name), "data": data or {"k": "v"}}


class Api(unittest.TestCase):
    env = {}

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.socket = os.path.join(self.directory.name, "s.sock")
        self.log = open(os.path.join(self.directory.name, "log"), "w+")
        self.metrics_port = free_port()
        self.daemon = subprocess.Popen(
            [DAEMON, self.socket, "127.0.0.1:%d" % self.metrics_port], stderr=self.log,
            env=dict(os.environ, **self.env))
        until("the socket", self.listens)
        self.connection = UnixConnection(self.socket)

    def listens(self):
        if self.daemon.poll() is not None:
            raise AssertionError("the daemon ended: " + self.read_log())
        with socket.socket(socket.AF_UNIX) as sock:
            return sock.connect_ex(self.socket) == 0

    def tearDown(self):
        self.connection.close()
        if self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
        code = self.daemon.wait(PATIENCE)
        log = self.read_log()
        self.log.close()
        self.directory.cleanup()
        self.assertEqual(code, 0, log[-4000:])

    def read_log(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def ask(self, method, path, body=None, type="application/json", connection=None, **headers):
        connection = connection or self.connection
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            body = body if isinstance(body, (str, bytes)) else json.dumps(body)
            if type:
                headers["Content-Type"] = type
        connection.request(method, path, body=body, headers=headers)
        return Answer(connection.getresponse())

    def good(self, code, *args, **kwargs):
        answer = self.ask(*args, **kwargs)
        self.assertEqual(answer.code, code, answer.text)
        return answer

    def refused(self, code, reason, *args, **kwargs):
        answer = self.good(code, *args, **kwargs)
        self.assertEqual(answer.json["kind"], "Status")
        self.assertEqual(answer.json["status"], "Failure")
        self.assertEqual(answer.json["reason"], reason)
        self.assertEqual(answer.json["code"], code)
        return answer.json

    def watch(self, path):
        return Stream(self.socket, path)


class Stream:
    """A watch: its events one by one."""

    def __init__(self, path, target):
        self.connection = UnixConnection(path)
        self.connection.request("GET", target)
        self.response = self.connection.getresponse()

    def next(self):
        line = self.response.readline()
        return json.loads(line) if line else None

    def close(self):
        self.response.close()
        self.connection.close()


# ---------------------------------------------------------------- objects
class TestObjects(Api):
    def test_create_get_list_delete(self):
        made = self.good(201, "POST", CONFIGMAPS, configmap()).json
        self.assertEqual((made["kind"], made["apiVersion"]), ("ConfigMap", "v1"))
        self.assertEqual(made["metadata"]["namespace"], "default")
        for member in ("uid", "resourceVersion", "creationTimestamp"):
            self.assertIsInstance(made["metadata"][member], str, member)
        self.assertEqual(self.good(200, "GET", CONFIGMAPS + "/cm").json, made)
        listed = self.good(200, "GET", CONFIGMAPS).json
        self.assertEqual((listed["kind"], listed["items"]), ("ConfigMapList", [made]))
        self.assertEqual(self.good(200, "GET", "/api/v1/configmaps").json["items"], [made])
        self.assertEqual(self.good(200, "GET", "/api/v1/namespaces/sallyport-system/configmaps").json["items"], [])
        gone = self.good(200, "DELETE", CONFIGMAPS + "/cm").json
        self.assertEqual(gone["status"], "Success")
        self.assertEqual(gone["details"], {"name": "cm", "kind": "configmaps", "uid": made["metadata"]["uid"]})
        self.refused(404, "NotFound", "GET", CONFIGMAPS + "/cm")
        self.refused(404, "NotFound", "DELETE", CONFIGMAPS + "/cm")

    def test_yaml_and_bodies_without_type(self):
        self.good(201, "POST", CONFIGMAPS, "metadata: {name: a}\ndata: {k: v}\n", "application/yaml")
        self.good(201, "POST", CONFIGMAPS, configmap("b"), None)
        self.refused(415, "UnsupportedMediaType", "POST", CONFIGMAPS, configmap("c"), "text/html")

    def test_create_refusals(self):
        self.good(201, "POST", CONFIGMAPS, configmap())
        status = self.refused(409, "AlreadyExists", "POST", CONFIGMAPS, configmap())
        self.assertEqual(status["message"], 'configmaps "cm" already exists')
        self.assertEqual(status["details"]["name"], "cm")
        status = self.refused(404, "NotFound", "POST", "/api/v1/namespaces/nowhere/configmaps", configmap())
        self.assertEqual(status["message"], 'namespaces "nowhere" not found')
        self.refused(400, "BadRequest", "POST", CONFIGMAPS, configmap(namespace="other"))
        self.refused(400, "BadRequest", "POST", CONFIGMAPS, "{")
        self.refused(400, "BadRequest", "POST", CONFIGMAPS, "[]")
        self.refused(400, "BadRequest", "POST", CONFIGMAPS, "{\"metadata\":[]}")
        self.refused(400, "BadRequest", "POST", CONFIGMAPS, "")
        self.refused(400, "BadRequest", "POST", CONFIGMAPS, {"kind": "Secret", "metadata": {"name": "x"}})
        self.refused(422, "Invalid", "POST", CONFIGMAPS, {"metadata": {"name": "No"}})
        self.refused(405, "MethodNotAllowed", "POST", "/api/v1/configmaps", configmap())

    def test_invalid_names_every_field(self):
        body = gateway()
        body["spec"] = {"gatewayClassName": "c", "listeners": [{"name": "a", "protocol": "HTTP", "port": 0},
                                                               {"name": "b", "protocol": "HTTP", "port": 70000}]}
        status = self.refused(422, "Invalid", "POST", GATEWAYS, body)
        self.assertEqual(status["details"]["kind"], "Gateway")
        self.assertEqual(status["details"]["name"], "gw")
        self.assertEqual({cause["field"] for cause in status["details"]["causes"]},
                         {"spec.listeners[0].port", "spec.listeners[1].port"})
        self.assertTrue(status["message"].startswith('Gateway.gateway.networking.k8s.io "gw" is invalid: '))

    def test_field_validation(self):
        body = gateway()
        body["spec"]["colour"] = "red"
        status = self.refused(400, "BadRequest", "POST", GATEWAYS + "?fieldValidation=Strict", body)
        self.assertIn('unknown field "spec.colour"', status["message"])
        made = self.good(201, "POST", GATEWAYS + "?fieldValidation=Warn", body)
        self.assertEqual(made.warnings, ['299 - "unknown field \\"spec.colour\\""'])
        self.assertNotIn("colour", made.json["spec"])
        body["metadata"]["name"] = "quiet"
        self.assertEqual(self.good(201, "POST", GATEWAYS + "?fieldValidation=Ignore", body).warnings, [])
        self.refused(400, "BadRequest", "POST", GATEWAYS + "?fieldValidation=Maybe", body)

    def test_generate_name(self):
        body = {"metadata": {"generateName": "gen-"}}
        first = self.good(201, "POST", CONFIGMAPS, body).json["metadata"]["name"]
        second = self.good(201, "POST", CONFIGMAPS, body).json["metadata"]["name"]
        self.assertTrue(first.startswith("gen-") and second.startswith("gen-") and first != second)

    def test_update(self):
        made = self.good(201, "POST", CONFIGMAPS, configmap()).json
        made["data"] = {"k": "w"}
        after = self.good(200, "PUT", CONFIGMAPS + "/cm", made).json
        self.assertEqual(after["data"], {"k": "w"})
        self.assertGreater(int(after["metadata"]["resourceVersion"]), int(made["metadata"]["resourceVersion"]))
        status = self.refused(409, "Conflict", "PUT", CONFIGMAPS + "/cm", made)
        self.assertEqual(status["message"], 'Operation cannot be fulfilled on configmaps "cm": the object has been '
                         "modified; please apply your changes to the latest version and try again")
        last = self.good(200, "PUT", CONFIGMAPS + "/cm", configmap(data={"k": "x"})).json
        self.assertEqual(last["metadata"]["uid"], made["metadata"]["uid"])
        same = self.good(200, "PUT", CONFIGMAPS + "/cm", configmap(data={"k": "x"})).json
        self.assertEqual(same, last)
        self.refused(400, "BadRequest", "PUT", CONFIGMAPS + "/cm", configmap("other"))
        self.refused(404, "NotFound", "PUT", CONFIGMAPS + "/absent", configmap("absent"))
        self.refused(409, "Conflict", "PUT", CONFIGMAPS + "/cm", configmap(uid="another"))

    def test_dry_run(self):
        self.good(201, "POST", CONFIGMAPS + "?dryRun=All", configmap())
        self.refused(404, "NotFound", "GET", CONFIGMAPS + "/cm")
        made = self.good(201, "POST", CONFIGMAPS, configmap()).json
        self.refused(409, "AlreadyExists", "POST", CONFIGMAPS + "?dryRun=All", configmap())
        dry = self.good(200, "PATCH", CONFIGMAPS + "/cm?dryRun=All", {"data": {"k": "w"}}, MERGE).json
        self.assertEqual(dry["data"], {"k": "w"})
        self.good(200, "DELETE", CONFIGMAPS + "/cm?dryRun=All")
        self.good(200, "DELETE", CONFIGMAPS + "/cm", {"dryRun": ["All"]})
        self.assertEqual(self.good(200, "GET", CONFIGMAPS + "/cm").json, made)
        self.refused(400, "BadRequest", "POST", CONFIGMAPS + "?dryRun=Some", configmap("x"))

    def test_writes_settle(self):
        """The answer holds the status that a controller wrote, so replace after it does not conflict."""
        made = self.good(201, "POST", GATEWAYS, gateway()).json
        self.assertEqual(made["status"]["seen"], 1)
        self.assertEqual(made["metadata"]["generation"], 1)
        made["spec"]["listeners"][0]["port"] = 81
        after = self.good(200, "PUT", GATEWAYS + "/gw", made).json
        self.assertEqual((after["status"]["seen"], after["metadata"]["generation"]), (2, 2))

    def test_only_the_last_of_many_settles(self):
        """settle=false is answered when it is stored; settle=true waits although nothing is changed."""
        made = self.good(201, "POST", GATEWAYS + "?settle=false", gateway()).json
        self.assertNotIn("seen", made.get("status", {}))
        after = self.good(200, "PATCH", GATEWAYS + "/gw?settle=true", {"spec": made["spec"]}, MERGE).json
        self.assertEqual(after["status"]["seen"], 1)
        again = self.good(200, "PATCH", GATEWAYS + "/gw?settle=true", {"spec": made["spec"]}, MERGE).json
        self.assertEqual(again, after)

    def test_status_subresource(self):
        made = self.good(201, "POST", GATEWAYS, dict(gateway(), status={"seen": 77})).json
        self.assertEqual(made["status"]["seen"], 1)
        body = dict(gateway(port=99), status={"seen": 1, "addresses": []})
        after = self.good(200, "PUT", GATEWAYS + "/gw/status", body).json
        self.assertEqual(after["spec"], made["spec"])
        self.assertEqual(after["status"], {"seen": 1, "addresses": []})
        self.good(200, "PATCH", GATEWAYS + "/gw/status", {"status": {"addresses": None}}, MERGE)
        self.assertEqual(self.good(200, "GET", GATEWAYS + "/gw/status").json["status"], {"seen": 1})
        self.refused(404, "NotFound", "GET", CONFIGMAPS + "/cm/status")

    def test_versions_echo(self):
        self.good(201, "POST", GATEWAYS, gateway())
        old = GATEWAYS.replace("/v1/", "/v1beta1/")
        self.assertEqual(self.good(200, "GET", old + "/gw").json["apiVersion"], "gateway.networking.k8s.io/v1beta1")
        listed = self.good(200, "GET", old).json
        self.assertEqual((listed["apiVersion"], listed["items"][0]["apiVersion"]),
                         ("gateway.networking.k8s.io/v1beta1",) * 2)
        patch = [{"op": "test", "path": "/apiVersion", "value": "gateway.networking.k8s.io/v1beta1"}]
        self.good(200, "PATCH", old + "/gw", patch, JSON_PATCH)
        self.refused(404, "NotFound", "GET", GATEWAYS.replace("/v1/", "/v9/"))

    def test_file_owned_objects(self):
        """Only the folder says which file an object comes from."""
        source = {"sallyport.dev/source": "a.yaml"}
        made = self.good(201, "POST", CONFIGMAPS, configmap(annotations=source)).json
        self.assertNotIn("sallyport.dev/source", made["metadata"].get("annotations", {}))
        after = self.good(200, "PATCH", CONFIGMAPS + "/cm", {"metadata": {"annotations": source}}, MERGE).json
        self.assertEqual(after["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"])

    def test_changes_of_file_owned_objects_warn(self):
        path, source = SERVICES + "/from-file", "/etc/sallyport/manifests/shop.yaml"
        body = {"metadata": {"name": "from-file"}, "spec": {"ports": [{"port": 81}]}}
        for method, type, body in (("PUT", "application/json", body), ("PATCH", MERGE, {"metadata": {"labels": {"a": "b"}}}),
                                   ("PATCH", MERGE, {"metadata": {"annotations": None}, "spec": {"type": "NodePort"}}),
                                   ("PATCH", APPLY, {"metadata": {"name": "from-file"}, "spec": {"ports": [{"port": 82}]}}),
                                   ("DELETE", None, None)):
            before = self.good(200, "GET", path)
            self.assertEqual(before.json["metadata"]["annotations"]["sallyport.dev/source"], source)
            self.assertEqual(before.warnings, [])
            answer = self.good(200, method, path, body, type)
            self.assertEqual(answer.warnings, ['299 - "service/from-file comes from the file %s: the next reload '
                                               'brings the file\'s text back"' % source], method)
        self.refused(404, "NotFound", "GET", path)

    def test_delete_preconditions(self):
        uid = self.good(201, "POST", CONFIGMAPS, configmap()).json["metadata"]["uid"]
        self.refused(409, "Conflict", "DELETE", CONFIGMAPS + "/cm", {"preconditions": {"uid": "other"}})
        self.refused(409, "Conflict", "DELETE", CONFIGMAPS + "/cm", {"preconditions": {"resourceVersion": "1"}})
        self.refused(400, "BadRequest", "DELETE", CONFIGMAPS + "/cm", "[1]")
        self.good(200, "DELETE", CONFIGMAPS + "/cm", {"preconditions": {"uid": uid}, "propagationPolicy": "Background"})

    def test_delete_collection(self):
        for name in ("a", "b", "c"):
            self.good(201, "POST", CONFIGMAPS, configmap(name, labels={"of": "c" if name == "c" else "ab"}))
        self.good(200, "DELETE", CONFIGMAPS + "?labelSelector=of%3Dab&dryRun=All")
        self.assertEqual(len(self.good(200, "GET", CONFIGMAPS).json["items"]), 3)
        self.good(200, "DELETE", CONFIGMAPS + "?labelSelector=of%3Dab")
        self.assertEqual([item["metadata"]["name"] for item in self.good(200, "GET", CONFIGMAPS).json["items"]], ["c"])
        self.good(200, "DELETE", CONFIGMAPS)
        self.good(200, "DELETE", CONFIGMAPS)
        self.refused(405, "MethodNotAllowed", "DELETE", "/api/v1/namespaces")

    def test_namespaces(self):
        self.good(201, "POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
        inside = CONFIGMAPS.replace("default", "shop")
        self.good(201, "POST", inside, configmap())
        self.good(201, "POST", GATEWAYS.replace("default", "shop"), gateway())
        self.good(201, "POST", CONFIGMAPS, configmap())
        self.good(200, "DELETE", "/api/v1/namespaces/shop")
        self.refused(404, "NotFound", "GET", inside + "/cm")
        self.assertEqual(self.good(200, "GET", "/apis/gateway.networking.k8s.io/v1/gateways").json["items"], [])
        self.assertEqual(len(self.good(200, "GET", "/api/v1/configmaps").json["items"]), 1)
        self.refused(404, "NotFound", "POST", inside, configmap())
        for name in ("default", "sallyport-system"):
            self.refused(403, "Forbidden", "DELETE", "/api/v1/namespaces/" + name)

    def test_selectors(self):
        for name, labels in (("a", {"app": "x", "tier": "edge"}), ("b", {"app": "y"}), ("c", {})):
            self.good(201, "POST", CONFIGMAPS, configmap(name, labels=labels))
        for query, want in (("labelSelector=app%3Dx", "a"), ("labelSelector=app!%3Dx", "bc"),
                            ("labelSelector=app+in+(x,y)", "ab"), ("labelSelector=app%20notin%20(x)", "bc"),
                            ("labelSelector=tier", "a"), ("labelSelector=!tier", "bc"),
                            ("labelSelector=app,tier", "a"), ("fieldSelector=metadata.name%3Db", "b"),
                            ("fieldSelector=metadata.name!%3Db,metadata.namespace%3Ddefault", "ac"),
                            ("limit=1", "abc")):
            names = "".join(i["metadata"]["name"] for i in self.good(200, "GET", CONFIGMAPS + "?" + query).json["items"])
            self.assertEqual(names, want, query)
        self.refused(400, "BadRequest", "GET", CONFIGMAPS + "?labelSelector=a%3Db%3Dc")
        self.refused(400, "BadRequest", "GET", CONFIGMAPS + "?fieldSelector=data.k%3Dv")

    def test_events_by_object(self):
        events = "/api/v1/namespaces/default/events"
        for name in ("one", "two"):
            self.good(201, "POST", events, {
                "metadata": {"name": name}, "reason": "Tried", "type": "Normal", "message": "m",
                "involvedObject": {"kind": "Gateway", "name": name, "namespace": "default", "uid": "u-" + name}})
        found = self.good(200, "GET", events + "?fieldSelector=involvedObject.name%3Done,involvedObject.uid%3Du-one").json
        self.assertEqual([item["metadata"]["name"] for item in found["items"]], ["one"])

    def test_paths(self):
        for path in ("/", "/nope", "/api/v1/nope", "/apis/gateway.networking.k8s.io/v1/namespaces/default/nope",
                     "/apis/nope/v1/gateways", CONFIGMAPS + "/cm/nope", GATEWAYS + "/gw/status/more",
                     "/api/v1/namespaces/default/namespaces", "/api/v1/configmaps/cm", "/a" * 40):
            self.refused(404, "NotFound", "GET", path)
        self.good(201, "POST", CONFIGMAPS, configmap())
        self.refused(404, "NotFound", "GET", CONFIGMAPS + "%2Fcm")
        for path in (CONFIGMAPS + "/cm%00x", CONFIGMAPS + "/c%6", CONFIGMAPS + "?a=%zz"):
            self.refused(400, "BadRequest", "GET", path)
        self.refused(405, "MethodNotAllowed", "BREW", CONFIGMAPS)
        self.refused(405, "MethodNotAllowed", "POST", CONFIGMAPS + "/cm", configmap())
        self.assertEqual(self.good(200, "HEAD", CONFIGMAPS + "/cm").text, b"")

    def test_read_only_kinds(self):
        path = "/apis/operator.tigera.io/v1/tigerastatuses"
        self.good(200, "GET", path)
        self.refused(405, "MethodNotAllowed", "POST", path, {"metadata": {"name": "x"}})

    def test_deployments_are_stored_with_a_warning(self):
        body = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}}
        made = self.good(201, "POST", "/apis/apps/v1/namespaces/default/deployments", body)
        self.assertEqual(len(made.warnings), 1)
        self.assertIn("runs none", made.warnings[0])

    def test_secrets_are_not_logged(self):
        body = {"metadata": {"name": "s"}, "stringData": {"password": "hunter2-hunter2"}}
        path = "/api/v1/namespaces/default/secrets"
        made = self.good(201, "POST", path, body).json
        self.assertEqual(made["data"], {"password": "aHVudGVyMi1odW50ZXIy"})
        self.refused(422, "Invalid", "POST", path, {"metadata": {"name": "t"}, "data": {"p": "hunter2-hunter2"}})
        self.refused(400, "BadRequest", "POST", path, '{"data": "hunter2-hunter2",')
        self.assertIn("POST " + path + " 201", self.read_log())
        self.assertNotIn("hunter2", self.read_log())
        self.assertNotIn("aHVudGVyMi1odW50ZXIy", self.read_log())


# ---------------------------------------------------------------- patches
class TestPatches(Api):
    def setUp(self):
        super().setUp()
        self.good(201, "POST", GATEWAYS, gateway())

    def test_merge(self):
        after = self.good(200, "PATCH", GATEWAYS + "/gw", {"metadata": {"labels": {"a": "1", "b": "2"}}}, MERGE).json
        again = self.good(200, "PATCH", GATEWAYS + "/gw", {"metadata": {"labels": {"a": "1"}}}, MERGE).json
        self.assertEqual(again, after)
        after = self.good(200, "PATCH", GATEWAYS + "/gw", {"metadata": {"labels": {"a": None}}}, MERGE).json
        self.assertEqual(after["metadata"]["labels"], {"b": "2"})
        self.assertEqual(after["metadata"]["generation"], 1)
        self.refused(409, "Conflict", "PATCH", GATEWAYS + "/gw", {"metadata": {"resourceVersion": "1"}}, MERGE)
        self.refused(400, "BadRequest", "PATCH", GATEWAYS + "/gw", "7", MERGE)
        self.refused(400, "BadRequest", "PATCH", GATEWAYS + "/gw", {"metadata": {"name": "other"}}, MERGE)
        self.refused(422, "Invalid", "PATCH", GATEWAYS + "/gw", {"spec": {"listeners": []}}, MERGE)
        self.refused(404, "NotFound", "PATCH", GATEWAYS + "/absent", {}, MERGE)

    def test_json_patch(self):
        listener = {"name": "alt", "protocol": "HTTP", "port": 8080}
        after = self.good(200, "PATCH", GATEWAYS + "/gw",
                          [{"op": "add", "path": "/spec/listeners/-", "value": listener}], JSON_PATCH).json
        self.assertEqual([one["name"] for one in after["spec"]["listeners"]], ["http", "alt"])
        self.assertEqual(after["metadata"]["generation"], 2)
        for operation in ({"op": "test", "path": "/spec/listeners/0/name", "value": "z"},
                          {"op": "remove", "path": "/spec/nothing"}):
            self.refused(422, "Invalid", "PATCH", GATEWAYS + "/gw", [operation], JSON_PATCH)
        self.assertEqual(self.good(200, "GET", GATEWAYS + "/gw").json, after)

    def test_strategic(self):
        self.refused(415, "UnsupportedMediaType", "PATCH", GATEWAYS + "/gw", {}, STRATEGIC)
        self.good(201, "POST", SERVICES, {"metadata": {"name": "s"}, "spec": {"ports": [{"name": "a", "port": 80}]}})
        after = self.good(200, "PATCH", SERVICES + "/s", {"spec": {"ports": [{"name": "b", "port": 81}]}}, STRATEGIC).json
        self.assertEqual(sorted(port["port"] for port in after["spec"]["ports"]), [80, 81])
        after = self.good(200, "PATCH", SERVICES + "/s",
                          {"spec": {"ports": [{"port": 81, "$patch": "delete"}]}}, STRATEGIC).json
        self.assertEqual([port["port"] for port in after["spec"]["ports"]], [80])

    def test_apply(self):
        yaml = "metadata: {name: new, labels: {a: '1'}}\ndata: {x: '1', y: '2'}\n"
        made = self.good(201, "PATCH", CONFIGMAPS + "/new?fieldManager=m", yaml, APPLY).json
        self.good(200, "PATCH", CONFIGMAPS + "/new", {"metadata": {"labels": {"b": "2"}}}, MERGE)
        yaml = "metadata: {name: new, labels: {a: '3'}}\ndata: {x: '1'}\n"
        after = self.good(200, "PATCH", CONFIGMAPS + "/new", yaml, APPLY).json
        self.assertEqual(after["data"], {"x": "1"})
        self.assertEqual(after["metadata"]["labels"], {"a": "3", "b": "2"})
        self.assertEqual(after["metadata"]["uid"], made["metadata"]["uid"])
        self.assertNotIn("managedFields", after["metadata"])
        self.assertEqual(self.good(200, "PATCH", CONFIGMAPS + "/new", yaml, APPLY).json, after)
        after = self.good(200, "PATCH", GATEWAYS + "/gw", gateway(port=82), APPLY).json
        self.assertEqual((after["spec"]["listeners"][0]["port"], after["status"]["seen"]), (82, 2))
        self.refused(404, "NotFound", "PATCH", CONFIGMAPS.replace("default", "no") + "/x", "metadata: {}", APPLY)
        self.refused(400, "BadRequest", "PATCH", CONFIGMAPS + "/new", "a: 1\n---\nb: 2\n", APPLY)
        self.refused(415, "UnsupportedMediaType", "PATCH", CONFIGMAPS + "/new", "{}", "application/json")

    def test_patches_at_once(self):
        """Patches without a resourceVersion are all made, however they meet."""
        def add(name):
            connection = UnixConnection(self.socket)
            answer = self.ask("PATCH", GATEWAYS + "/gw", {"metadata": {"labels": {name: "x"}}}, MERGE, connection)
            connection.close()
            codes.append(answer.code)
        codes = []
        names = ["l%d" % i for i in range(8)]
        threads = [threading.Thread(target=add, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(codes, [200] * len(names))
        self.assertEqual(sorted(self.good(200, "GET", GATEWAYS + "/gw").json["metadata"]["labels"]), names)


# ---------------------------------------------------------------- tables
class TestTables(Api):
    def test_table(self):
        self.good(201, "POST", GATEWAYS, gateway(labels={"a": "b"}))
        table = self.good(200, "GET", GATEWAYS, Accept=TABLE).json
        self.assertEqual((table["kind"], table["apiVersion"]), ("Table", "meta.k8s.io/v1"))
        self.assertEqual([column["name"] for column in table["columnDefinitions"]],
                         ["Name", "Class", "Address", "Programmed", "Age"])
        row = table["rows"][0]
        self.assertEqual(row["cells"][:2], ["gw", "c"])
        self.assertEqual(row["object"]["kind"], "PartialObjectMetadata")
        self.assertEqual(row["object"]["metadata"]["labels"], {"a": "b"})
        self.assertNotIn("spec", row["object"])
        one = self.good(200, "GET", GATEWAYS + "/gw?includeObject=Object", Accept=TABLE).json
        self.assertEqual(one["rows"][0]["object"]["spec"]["gatewayClassName"], "c")
        none = self.good(200, "GET", GATEWAYS + "/gw?includeObject=None", Accept=TABLE).json
        self.assertNotIn("object", none["rows"][0])
        self.assertTrue(any(column["priority"] > 0 for column in self.good(
            200, "GET", "/apis/cert-manager.io/v1/certificates", Accept=TABLE).json["columnDefinitions"]))

    def test_metadata_only(self):
        self.good(201, "POST", CONFIGMAPS, configmap())
        accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        listed = self.good(200, "GET", CONFIGMAPS, Accept=accept).json
        self.assertEqual(listed["kind"], "PartialObjectMetadataList")
        self.assertNotIn("data", listed["items"][0])

    def test_other_accepts_get_json(self):
        for accept in ("application/json;as=Table;v=v9;g=meta.k8s.io", "text/html", "*/*", ";;,,=", ""):
            self.assertEqual(self.good(200, "GET", CONFIGMAPS, Accept=accept).json["kind"], "ConfigMapList")


# ---------------------------------------------------------------- watches
class TestWatches(Api):
    def test_from_the_beginning(self):
        self.good(201, "POST", CONFIGMAPS, configmap("old"))
        stream = self.watch(CONFIGMAPS + "?watch=true")
        event = stream.next()
        self.assertEqual((event["type"], event["object"]["metadata"]["name"]), ("ADDED", "old"))
        self.good(201, "POST", CONFIGMAPS, configmap("new"))
        self.good(201, "POST", CONFIGMAPS.replace("default", "sallyport-system"), configmap("elsewhere"))
        self.good(200, "PATCH", CONFIGMAPS + "/new", {"data": {"k": "w"}}, MERGE)
        gone = self.good(200, "DELETE", CONFIGMAPS + "/new")
        events = [stream.next() for _ in range(3)]
        self.assertEqual([event["type"] for event in events], ["ADDED", "MODIFIED", "DELETED"])
        self.assertEqual({event["object"]["metadata"]["name"] for event in events}, {"new"})
        versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
        self.assertEqual(versions, sorted(set(versions)))
        self.assertEqual(gone.json["status"], "Success")
        stream.close()

    def test_resume(self):
        self.good(201, "POST", CONFIGMAPS, configmap("a"))
        version = self.good(200, "GET", CONFIGMAPS).json["metadata"]["resourceVersion"]
        self.good(201, "POST", CONFIGMAPS, configmap("b"))
        self.good(200, "DELETE", CONFIGMAPS + "/a")
        stream = self.watch(CONFIGMAPS + "?watch=True&resourceVersion=" + version)
        self.assertEqual([(e["type"], e["object"]["metadata"]["name"]) for e in (stream.next(), stream.next())],
                         [("ADDED", "b"), ("DELETED", "a")])
        self.good(201, "POST", CONFIGMAPS, configmap("c"))
        self.assertEqual(stream.next()["object"]["metadata"]["name"], "c")
        stream.close()

    def test_unknown_versions_are_gone(self):
        for version in ("999999999", "x", "-1"):
            stream = self.watch(CONFIGMAPS + "?watch=1&resourceVersion=" + version)
            event = stream.next()
            self.assertEqual((event["type"], event["object"]["code"], event["object"]["reason"]),
                             ("ERROR", 410, "Expired"))
            self.assertIsNone(stream.next())
            stream.close()

    def test_selectors(self):
        """What leaves the selection is DELETED, what enters it ADDED."""
        stream = self.watch(CONFIGMAPS + "?watch=true&labelSelector=on")
        self.good(201, "POST", CONFIGMAPS, configmap("a"))
        self.good(200, "PATCH", CONFIGMAPS + "/a", {"metadata": {"labels": {"on": "1"}}}, MERGE)
        self.good(200, "PATCH", CONFIGMAPS + "/a", {"data": {"k": "2"}}, MERGE)
        self.good(200, "PATCH", CONFIGMAPS + "/a", {"metadata": {"labels": {"on": None}}}, MERGE)
        self.good(200, "DELETE", CONFIGMAPS + "/a")
        self.good(201, "POST", CONFIGMAPS, configmap("b", labels={"on": "1"}))
        self.assertEqual([(e["type"], e["object"]["metadata"]["name"]) for e in (stream.next() for _ in range(4))],
                         [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a"), ("ADDED", "b")])
        stream.close()
        stream = self.watch(CONFIGMAPS + "?watch=true&fieldSelector=metadata.name%3Db")
        self.assertEqual(stream.next()["object"]["metadata"]["name"], "b")
        stream.close()
        stream = self.watch(CONFIGMAPS + "/b?watch=true")
        self.assertEqual(stream.next()["object"]["metadata"]["name"], "b")
        stream.close()

    def test_tables_and_bookmarks(self):
        self.good(201, "POST", CONFIGMAPS, configmap())
        self.connection.request("GET", CONFIGMAPS + "?watch=true&sendInitialEvents=true&allowWatchBookmarks=true"
                                "&timeoutSeconds=1", headers={"Accept": TABLE})
        lines = [json.loads(line) for line in self.connection.getresponse().read().splitlines()]
        self.assertEqual([line["type"] for line in lines], ["ADDED", "BOOKMARK"])
        self.assertEqual(lines[0]["object"]["rows"][0]["cells"][:2], ["cm", 1])
        self.assertEqual(lines[1]["object"]["metadata"]["annotations"], {"k8s.io/initial-events-end": "true"})

    def test_timeout(self):
        stream = self.watch(CONFIGMAPS + "?watch=true&timeoutSeconds=1")
        self.assertIsNone(stream.next())
        stream.close()

    def test_clients_that_leave_are_found(self):
        streams = [self.watch(CONFIGMAPS + "?watch=true") for _ in range(20)]
        self.assertIn("sallyport_api_watches 20\n", self.good(200, "GET", "/metrics").text.decode())
        for stream in streams:
            stream.close()
        until("the end of the watches",
              lambda: "sallyport_api_watches 0\n" in self.good(200, "GET", "/metrics").text.decode())

    def test_limit(self):
        streams = [self.watch(CONFIGMAPS + "?watch=true") for _ in range(256)]
        self.refused(429, "TooManyRequests", "GET", CONFIGMAPS + "?watch=true")
        self.good(200, "GET", CONFIGMAPS)
        for stream in streams:
            stream.close()

    def test_many_events_to_many_watches(self):
        streams = [self.watch("/api/v1/configmaps?watch=true") for _ in range(10)]
        for i in range(50):
            self.good(201, "POST", CONFIGMAPS, configmap("n%02d" % i))
        for stream in streams:
            names = [stream.next()["object"]["metadata"]["name"] for _ in range(50)]
            self.assertEqual(names, ["n%02d" % i for i in range(50)])
            stream.close()

    def test_no_spinning_while_nothing_happens(self):
        streams = [self.watch(CONFIGMAPS + "?watch=true") for _ in range(5)]
        self.good(200, "GET", "/livez")
        before = self.cpu()
        time.sleep(1)
        self.assertLess(self.cpu() - before, 0.2)
        for stream in streams:
            stream.close()

    def cpu(self):
        with open("/proc/%d/stat" % self.daemon.pid, encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_watches_end_with_the_daemon(self):
        stream = self.watch(CONFIGMAPS + "?watch=true")
        self.daemon.send_signal(signal.SIGTERM)
        self.assertIsNone(stream.next())
        self.assertEqual(self.daemon.wait(PATIENCE), 0)
        self.assertFalse(os.path.exists(self.socket))
        stream.close()


class TestUnsettled(Api):
    """Without controllers writes are answered at once."""
    env = {"API_DAEMON_UNSETTLED": "1"}

    def test_slow_clients_are_told(self):
        stream = self.watch(CONFIGMAPS + "?watch=true")
        self.good(201, "POST", CONFIGMAPS, configmap(data={"k": "x" * 5000}))
        for i in range(4300):
            self.good(200, "PATCH", CONFIGMAPS + "/cm", {"data": {"i": str(i)}}, MERGE)
        events = []
        while True:
            event = stream.next()
            if event is None:
                break
            events.append(event)
        self.assertLess(len(events), 4300)
        self.assertEqual((events[-1]["type"], events[-1]["object"]["code"]), ("ERROR", 410))
        stream.close()


# ---------------------------------------------------------------- discovery, health
class TestDiscovery(Api):
    def test_groups(self):
        self.assertEqual(self.good(200, "GET", "/api").json["versions"], ["v1"])
        self.assertEqual(self.good(200, "GET", "/version/").json["major"], "1")
        groups = {group["name"]: group for group in self.good(200, "GET", "/apis?timeout=32s").json["groups"]}
        self.assertIn("cert-manager.io", groups)
        self.assertEqual(groups["gateway.networking.k8s.io"]["preferredVersion"],
                         {"groupVersion": "gateway.networking.k8s.io/v1", "version": "v1"})
        self.assertEqual(self.good(200, "GET", "/apis/apps").json["kind"], "APIGroup")
        for group in groups.values():
            for version in group["versions"]:
                self.assertTrue(self.good(200, "GET", "/apis/" + version["groupVersion"]).json["resources"])
        for path in ("/apis/nope", "/apis/nope/v1", "/apis/apps/v9", "/api/v2"):
            self.refused(404, "NotFound", "GET", path)
        self.refused(405, "MethodNotAllowed", "POST", "/apis", {})

    def test_resources(self):
        found = {one["name"]: one for one in
                 self.good(200, "GET", "/apis/gateway.networking.k8s.io/v1").json["resources"]}
        self.assertEqual(found["gateways"]["shortNames"], ["gtw"])
        self.assertEqual(found["gateways"]["categories"], ["gateway-api"])
        self.assertEqual(found["gateways"]["singularName"], "gateway")
        self.assertIn("deletecollection", found["gateways"]["verbs"])
        self.assertEqual(found["gateways/status"]["verbs"], ["get", "patch", "update"])
        core = {one["name"]: one for one in self.good(200, "GET", "/api/v1").json["resources"]}
        self.assertEqual((core["namespaces"]["namespaced"], core["secrets"]["namespaced"]), (False, True))

    def test_openapi(self):
        answer = self.good(200, "GET", "/openapi/v2")
        self.assertEqual(answer.type, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
        self.assertTrue(answer.text.startswith(b"\x0a\x032.0"))
        self.assertIn(b"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/gateways/{name}", answer.text)
        self.assertIn(b"/api/v1/namespaces/{name}", answer.text)

    def test_fields(self):
        paths = self.good(200, "GET", "/openapi/v3").json["paths"]
        self.assertIn("api/v1", paths)
        url = paths["apis/gateway.networking.k8s.io/v1"]["serverRelativeURL"]
        document = self.good(200, "GET", url).json
        path = document["paths"]["/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/gateways"]
        self.assertEqual(path["get"]["x-kubernetes-action"], "list")
        one = document["paths"]["/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/gateways/{name}"]
        self.assertIn("fieldValidation", [parameter["name"] for parameter in one["patch"]["parameters"]])
        schema = document["components"]["schemas"]["gateway.networking.k8s.io.v1.Gateway"]
        kind = {"group": "gateway.networking.k8s.io", "version": "v1", "kind": "Gateway"}
        self.assertEqual(schema["x-kubernetes-group-version-kind"], [kind])
        spec = schema["properties"]["spec"]
        self.assertIn("listeners", spec["required"])
        listener = spec["properties"]["listeners"]["items"]
        self.assertEqual(listener["required"], ["name", "port", "protocol"])
        port = listener["properties"]["port"]
        self.assertEqual((port["type"], port["minimum"], port["maximum"]), ("integer", 1, 65535))
        self.assertEqual(port["description"], "From 1 to 65535.")
        mode = listener["properties"]["tls"]["properties"]["mode"]
        self.assertEqual((mode["enum"], mode["default"]), (["Terminate", "Passthrough"], "Terminate"))
        core = self.good(200, "GET", paths["api/v1"]["serverRelativeURL"]).json
        data = core["components"]["schemas"]["v1.ConfigMap"]["properties"]["data"]
        self.assertEqual(data["additionalProperties"]["type"], "string")
        self.refused(404, "NotFound", "GET", "/openapi/v3/apis/example.com/v1")
        self.refused(404, "NotFound", "GET", "/openapi/v3/api/v9")

    def test_every_document(self):
        for name, where in self.good(200, "GET", "/openapi/v3").json["paths"].items():
            document = self.good(200, "GET", where["serverRelativeURL"]).json
            schemas = document["components"]["schemas"].values()
            self.assertTrue(schemas, name)
            for schema in schemas:
                self.assertIn("metadata", schema["properties"], name)

    def test_aggregated(self):
        for version in ("v2", "v2beta1"):
            accept = "application/json;g=apidiscovery.k8s.io;v=%s;as=APIGroupDiscoveryList" % version
            answer = self.good(200, "GET", "/apis", Accept=accept + ",application/json")
            self.assertEqual(answer.type, accept)
            body = json.loads(answer.text)
            self.assertEqual(body["apiVersion"], "apidiscovery.k8s.io/" + version)
            groups = {item["metadata"]["name"]: item["versions"] for item in body["items"]}
            plain = self.good(200, "GET", "/apis").json["groups"]
            self.assertEqual({name: [one["version"] for one in versions] for name, versions in groups.items()},
                             {one["name"]: [two["version"] for two in one["versions"]] for one in plain})
            gateway = next(one for one in groups["gateway.networking.k8s.io"][0]["resources"]
                           if one["resource"] == "gateways")
            self.assertEqual((gateway["scope"], gateway["singularResource"], gateway["shortNames"]),
                             ("Namespaced", "gateway", ["gtw"]))
            self.assertEqual(gateway["responseKind"]["kind"], "Gateway")
            self.assertEqual(gateway["subresources"][0]["verbs"], ["get", "patch", "update"])
            core = json.loads(self.good(200, "GET", "/api", Accept=accept).text)["items"]
            self.assertEqual([item["metadata"] for item in core], [{}])
        plain = "application/json,application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        self.assertEqual(self.good(200, "GET", "/api", Accept=plain).json["kind"], "APIVersions")


class TestReview(Api):
    """What may I do, and who am I?"""

    def review(self, group, kind, body, **kwargs):
        return self.good(201, "POST", "/apis/%s/v1/%ss" % (group, kind.lower()), body, **kwargs).json

    def test_access(self):
        spec = {"resourceAttributes": {"verb": "create", "resource": "gateways"}}
        review = self.review("authorization.k8s.io", "SelfSubjectAccessReview", {"spec": spec})
        self.assertEqual((review["kind"], review["spec"], review["status"]["allowed"]),
                         ("SelfSubjectAccessReview", spec, True))

    def test_rules(self):
        review = self.review("authorization.k8s.io", "SelfSubjectRulesReview", {"spec": {"namespace": "default"}})
        self.assertEqual(review["status"]["resourceRules"],
                         [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}])
        self.assertIs(review["status"]["incomplete"], False)

    def test_subject(self):
        review = self.review("authentication.k8s.io", "SelfSubjectReview", {})
        uid = os.getuid()
        self.assertEqual(review["status"]["userInfo"]["username"], "root" if uid == 0 else "uid:%d" % uid)

    def test_bodies(self):
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        protobuf = "application/vnd.kubernetes.protobuf"
        for body, type in ((b"k8s\0\x0a", protobuf), (b"\xff" * 5000, protobuf), ("[]", "application/json"),
                           ("3", "application/json"), ("", "application/json")):
            self.assertTrue(self.good(201, "POST", path, body, type=type).json["status"]["allowed"])
        self.refused(400, "BadRequest", "POST", path, "{")
        self.refused(405, "MethodNotAllowed", "GET", path)
        self.refused(405, "MethodNotAllowed", "POST", "/apis", {})


class TestHealth(Api):
    def metrics(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=PATIENCE)
        connection.request(method, path)
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    def test_on_the_socket(self):
        for path in ("/healthz", "/livez", "/readyz"):
            self.assertEqual(self.good(200, "GET", path).text, b"ok\n")
        self.daemon.send_signal(signal.SIGUSR1)
        answer = until("unready", lambda: [a for a in [self.ask("GET", "/readyz")] if a.code == 503])[0]
        self.assertIn(b"told so by a signal", answer.text)
        self.good(200, "GET", "/livez")

    def test_on_tcp(self):
        answer = self.metrics("GET", "/metrics")
        self.assertIn(b"fake_metric 1\n", answer.text)
        self.assertIn(b"sallyport_api_requests_total 0\n", answer.text)
        self.assertEqual(self.metrics("GET", "/readyz").code, 200)
        self.assertEqual(self.metrics("GET", "/livez").code, 200)
        for path in ("/", "/api", "/api/v1/secrets", "/metrics/x"):
            self.assertEqual(self.metrics("GET", path).code, 404)
        self.assertEqual(self.metrics("POST", "/metrics").code, 405)
        self.assertEqual(self.metrics("DELETE", "/api/v1/namespaces/default/configmaps").code, 405)


# ---------------------------------------------------------------- hostile clients, other users
class TestLimits(Api):
    def raw(self, data):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(PATIENCE)
        sock.connect(self.socket)
        try:
            sock.sendall(data)
        except BrokenPipeError:
            pass
        return sock

    def test_body_too_large(self):
        head = b"POST " + CONFIGMAPS.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
        sock = self.raw(head)
        self.assertIn(b" 413 ", sock.recv(4096))
        sock.close()
        self.refused(413, "RequestEntityTooLarge", "POST", CONFIGMAPS, b"x" * (3 << 20) + b"x")
        self.good(200, "GET", CONFIGMAPS)

    def test_body_too_large_in_chunks(self):
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        head = b"POST " + CONFIGMAPS.encode() + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        sock = self.raw(head + chunk * 4 + b"0\r\n\r\n")
        self.assertIn(b" 413 ", sock.recv(4096))
        sock.close()
        sock = self.raw(head)
        with self.assertRaises((BrokenPipeError, ConnectionResetError)):
            for _ in range(1000):
                sock.sendall(chunk)
        sock.close()

    def test_bodies_of_many_requests(self):
        """64 MiB of bodies are held; whoever comes then is told to come again."""
        head = b"POST " + CONFIGMAPS.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 3145728\r\n\r\n"
        socks = []
        for _ in range(32):  # 96 MiB: what waits in the kernel's buffers is not held yet
            sock = self.raw(head)
            sock.sendall(b"x" * 3145000)
            socks.append(sock)
        self.refused(429, "TooManyRequests", "POST", CONFIGMAPS, configmap(data={"k": "x" * 200000}))
        self.good(200, "GET", CONFIGMAPS)
        for sock in socks:
            sock.close()
        until("room", lambda: self.ask("POST", CONFIGMAPS, configmap()).code == 201)

    def test_object_too_large(self):
        status = self.ask("POST", CONFIGMAPS, configmap(data={"k": "x" * (2200 << 10)}))
        self.assertIn(status.code, (413, 422))
        self.refused(404, "NotFound", "GET", CONFIGMAPS + "/cm")

    def test_head_too_large(self):
        sock = self.raw(b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertRegex(sock.recv(4096), rb"HTTP/1\.[01] 4\d\d |^$")
        sock.close()
        self.good(200, "GET", CONFIGMAPS)

    def test_halves_and_nothing(self):
        socks = [self.raw(data) for data in (b"", b"GET", b"GET / HTTP/1.1\r\nHost: x\r\n",
                                             b"POST " + CONFIGMAPS.encode() +
                                             b" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"met")]
        self.good(200, "GET", CONFIGMAPS)
        for sock in socks:
            sock.close()
        self.good(200, "GET", CONFIGMAPS)

    def test_pipelined_requests(self):
        one = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
        sock = self.raw(one * 3)
        got = b""
        while got.count(b"ok\n") < 3:
            got += sock.recv(4096)
        sock.close()

    def test_garbage(self):
        for data in (b"\x00" * 100, b"\r\n\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n", b"\xff\xfe" * 2000,
                     b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                     b"PATCH " + CONFIGMAPS.encode() + b"/x HTTP/1.1\r\nHost: x\r\nContent-Type: \x01\r\n"
                     b"Content-Length: 2\r\n\r\n{}"):
            self.raw(data).close()
        self.good(200, "GET", CONFIGMAPS)

    def test_clients_that_do_not_wait_for_the_answer(self):
        socks = []
        for i in range(50):
            body = json.dumps(configmap("left%d" % i)).encode()
            socks.append(self.raw(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                  b"Content-Length: %d\r\n\r\n" % (CONFIGMAPS.encode(), len(body)) + body))
            if i % 2:
                socks.pop().close()
        until("the writes", lambda: len(self.good(200, "GET", CONFIGMAPS).json["items"]) >= 25)
        for sock in socks:
            sock.close()
        self.good(200, "GET", CONFIGMAPS)


@unittest.skipUnless(os.geteuid() == 0, "needs root to become other users")
class TestPeers(Api):
    """Who may use the socket: root, the owner, the group; not others."""
    env = {"API_DAEMON_GROUP": "daemon"}

    def ask_as(self, uid, gid, groups):
        """The status code that a user gets; the directory and the socket let everybody connect."""
        code = ("import http.client, os, socket, sys\n"
                "os.setgroups(%r); os.setgid(%d); os.setuid(%d)\n"
                "c = http.client.HTTPConnection('localhost')\n"
                "c.sock = socket.socket(socket.AF_UNIX); c.sock.connect(%r)\n"
                "c.request('GET', '/api/v1/namespaces'); print(c.getresponse().status)\n"
                % (groups, gid, uid, self.socket))
        return int(subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE).stdout)

    def test_peers(self):
        import grp
        group = grp.getgrnam("daemon").gr_gid
        info = os.stat(self.socket)
        self.assertEqual((info.st_gid, info.st_mode & 0o777), (group, 0o660))
        os.chmod(self.directory.name, 0o755)
        os.chmod(self.socket, 0o666)
        self.assertEqual(self.ask_as(65534, group, []), 200)
        self.assertEqual(self.ask_as(65534, 65534, [65534, group]), 200)
        self.assertEqual(self.ask_as(65534, 65534, []), 403)
        self.assertEqual(self.ask_as(65534, 65534, list(range(100000, 100200))), 403)
        self.assertEqual(self.ask_as(65534, 65534, list(range(100000, 100200)) + [group]), 200)
        self.assertIn("sallyport_api_refused_total 2\n", self.good(200, "GET", "/metrics").text.decode())


if __name__ == "__main__":
    unittest.main()
