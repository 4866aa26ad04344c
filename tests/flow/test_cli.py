"""The verbs of the command line, as people use them, against a daemon: output, exit codes, what is stored.

SALLYPORT and SALLYPORTD name the programs; without SALLYPORTD's program the API alone (API_DAEMON) will do.
"""
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLI = os.environ.get("SALLYPORT", os.path.join(TOP, "build", "src", "sallyport"))
DAEMON = os.environ.get("SALLYPORTD", os.path.join(TOP, "build", "src", "sallyportd"))
API_DAEMON = os.environ.get("API_DAEMON", os.path.join(TOP, "build", "tests", "api", "api_daemon"))
PATIENCE = 20
GATEWAY = "gateway.gateway.networking.k8s.io"
# An address that nothing else has, and a high port: no right is needed.
MANIFEST = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: web
spec:
  gatewayClassName: sallyport
  addresses:
  - type: IPAddress
    value: 127.0.3.9
  listeners:
  - name: http
    protocol: HTTP
    port: 18080
---
apiVersion: v1
kind: Service
metadata:
  name: pages
  labels: {team: shop}
spec:
  ports:
  - port: 80
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  mode: "on"
"""


class Result:
    def __init__(self, process):
        self.code, self.out, self.err = process.returncode, process.stdout, process.stderr
        self.lines = self.out.splitlines()

    def __repr__(self):
        return "exit %d\n--- stdout\n%s--- stderr\n%s" % (self.code, self.out, self.err)


class Host:
    def __init__(self):
        self.directory = tempfile.mkdtemp()
        self.socket = os.path.join(self.directory, "s.sock")
        command = [API_DAEMON, self.socket]
        if os.path.exists(DAEMON):
            command = [DAEMON, "--state-dir", os.path.join(self.directory, "state"), "--socket", self.socket,
                       "--workers", "1"]
        self.log = open(os.path.join(self.directory, "log"), "w+")
        self.daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        end = time.monotonic() + PATIENCE
        while self("get", "ns").code != 0:
            assert self.daemon.poll() is None and time.monotonic() < end, self.said()
            time.sleep(0.02)

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def __call__(self, *args, given=None):
        return Result(subprocess.run([CLI, "--socket", self.socket, *args], input=given, text=True,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE))

    def ok(self, *args, given=None):
        r = self(*args, given=given)
        assert r.code == 0, (args, r)
        return r.out

    def json(self, *args):
        return json.loads(self.ok(*args, "-o", "json"))

    def stop(self):
        self.daemon.terminate()
        code = self.daemon.wait(PATIENCE)
        said = self.said()
        self.log.close()
        shutil.rmtree(self.directory)
        assert code == 0, said


@pytest.fixture(scope="module")
def daemon():
    host = Host()
    yield host
    host.stop()


@pytest.fixture
def host(daemon):
    """A daemon with nothing of an earlier test in it."""
    yield daemon
    for kind in ("gateways", "httproutes", "services", "configmaps", "certificates", "secrets"):
        daemon.ok("delete", kind, "--all")
    daemon.ok("delete", "namespace", "shop", "--ignore-not-found")


@pytest.fixture
def site(host, tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(MANIFEST)
    host.ok("apply", "-f", str(path))
    return path


# ---- apply, create, replace


def test_apply(host, tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(MANIFEST)
    words = lambda word: "%s/web %s\nservice/pages %s\nconfigmap/settings %s\n" % (GATEWAY, word, word, word)
    assert host.ok("apply", "-f", str(path), "--dry-run=server") == words("created (server dry run)")
    assert host.ok("apply", "-f", str(path), "--dry-run=client") == words("created (dry run)")
    assert host("get", "gateway", "web").code == 1
    assert host.ok("apply", "-f", str(path)) == words("created")
    assert host.ok("apply", "-f", str(path)) == words("unchanged")
    path.write_text(MANIFEST.replace('"on"', '"off"'))
    assert host.ok("apply", "-f", str(path), "--dry-run=server").endswith("configmap/settings configured (server dry run)\n")
    out = host.ok("apply", "-f", str(path))
    assert out == "%s/web unchanged\nservice/pages unchanged\nconfigmap/settings configured\n" % GATEWAY
    assert host.json("get", "cm", "settings")["data"] == {"mode": "off"}
    assert host.ok("apply", "-f", str(path), "-o", "name") == "%s/web\nservice/pages\nconfigmap/settings\n" % GATEWAY


def test_apply_from_stdin_folder_and_list(host, tmp_path):
    assert host.ok("apply", "-f", "-", given=MANIFEST).count("created") == 3
    (tmp_path / "a.yaml").write_text(MANIFEST)
    (tmp_path / "b.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "listed"}}]}))
    assert host.ok("apply", "-f", str(tmp_path)).splitlines()[3] == "configmap/listed created"
    r = host("apply", "-f", "-", given="")
    assert r.code == 1 and "no objects passed to apply" in r.err, r


def test_one_bad_document_does_not_stop_the_others(host):
    r = host("apply", "-f", "-", given=MANIFEST.replace("port: 18080", "port: 0\n    colour: red"))
    assert r.code == 1 and r.out == "service/pages created\nconfigmap/settings created\n", r
    assert 'unknown field "spec.listeners[0].colour"' in r.err, r
    r = host("apply", "-f", "-", "--validate=ignore", given=MANIFEST.replace("port: 18080", "port: 0\n    name: Q!"))
    assert r.code == 1, r
    r = host("apply", "-f", "-", "--validate=warn", given=MANIFEST.replace("mode:", "mode: x\ncolour:\n  mode:"))
    assert r.code == 0 and "Warning: unknown field" in r.err, r


def test_all_that_is_invalid_is_told_at_once(host):
    r = host("create", "-f", "-", given=MANIFEST.split("---")[0].replace("port: 18080", "port: 0").replace(
        "protocol: HTTP", "protocol: 'H T'"))
    assert r.code == 1 and r.err.startswith('The Gateway "web" is invalid: \n* spec.listeners[0].'), r
    assert r.err.count("\n* ") == 2, r


def test_create(host):
    assert host.ok("create", "-f", "-", given=MANIFEST).splitlines()[0] == GATEWAY + "/web created"
    r = host("create", "-f", "-", given=MANIFEST.split("---")[0])
    assert r.code == 1, r
    assert r.err == ('Error from server (AlreadyExists): error when creating "STDIN": '
                     'gateways.gateway.networking.k8s.io "web" already exists\n'), r
    assert host.ok("create", "namespace", "shop") == "namespace/shop created\n"
    r = host("create", "-n", "none", "-f", "-", given=MANIFEST.split("---")[0])
    assert r.code == 1 and 'namespaces "none" not found' in r.err, r
    out = host.ok("create", "-n", "shop", "-f", "-", "--dry-run=client", "-o", "yaml", given=MANIFEST.split("---")[2])
    assert "namespace: shop" in out and "uid" not in out
    r = host("create", "-n", "shop", "-f", "-", given=MANIFEST.replace("name: web", "name: web\n  namespace: other"))
    assert r.code == 1 and 'does not match the namespace "shop"' in r.err, r


def test_replace(site, host):
    changed = MANIFEST.replace('"on"', '"off"')
    assert host.ok("replace", "-f", "-", given=changed).splitlines() == [
        GATEWAY + "/web replaced", "service/pages replaced", "configmap/settings replaced"]
    assert host.json("get", "cm", "settings")["data"] == {"mode": "off"}
    old = host.ok("get", "cm", "settings", "-o", "yaml")
    host.ok("annotate", "cm", "settings", "a=b")
    r = host("replace", "-f", "-", given=old)
    assert r.code == 1 and "Error from server (Conflict)" in r.err, r
    r = host("replace", "-f", "-", given=changed.replace("name: settings", "name: none").split("---")[2])
    assert r.code == 1 and 'error when replacing "STDIN"' in r.err and "NotFound" in r.err, r
    uid = host.json("get", "cm", "settings")["metadata"]["uid"]
    assert host.ok("replace", "--force", "-f", "-", given=old) == "configmap/settings replaced\n"
    assert host.json("get", "cm", "settings")["metadata"]["uid"] != uid


# ---- patch, annotate, label


def test_patch(site, host):
    out = host.ok("patch", "gateway", "web", "--type=json", "--patch", """
  - op: add
    path: /spec/listeners/-
    value: {name: more, protocol: HTTP, port: 18081}
""")
    assert out == GATEWAY + "/web patched\n"
    merge = ["patch", "gateway/web", "--type=merge", "-p", '{"metadata":{"labels":{"a":"b"}}}']
    assert host.ok(*merge) == GATEWAY + "/web patched\n"
    assert host.ok(*merge) == GATEWAY + "/web patched (no change)\n"
    # the default: strategic where the kind knows it, else merge
    assert host.ok("patch", "svc", "pages", "-p", "spec: {ports: [{port: 80, name: http}, {port: 81, name: more}]}") == "service/pages patched\n"
    assert [p["port"] for p in host.json("get", "svc", "pages")["spec"]["ports"]] == [80, 81]
    assert host.ok("patch", "gateway", "web", "-p", "metadata: {labels: {a: c}}") == GATEWAY + "/web patched\n"
    assert [x["name"] for x in host.json("get", "gateway", "web")["spec"]["listeners"]] == ["http", "more"]
    r = host("patch", "gateway", "web", "--type=strategic", "-p", "{}")
    assert r.code == 1 and "UnsupportedMediaType" in r.err, r
    r = host("patch", "gateway", "web", "--type=json", "-p", '[{"op":"remove","path":"/spec/none"}]')
    assert r.code == 1 and "is invalid" in r.err or "Invalid" in r.err, r
    r = host("patch", "gateway", "web", "--type=json", "-p", "{}")
    assert r.code == 1 and "a list of operations" in r.err, r
    r = host("patch", "gateway", "none", "-p", "{}")
    assert r.code == 1 and "NotFound" in r.err, r
    dry = host.json("patch", "gateway", "web", "--type=merge", "-p", '{"spec":{"listeners":[]}}', "--dry-run=client")
    assert dry["spec"]["listeners"] == [] and len(host.json("get", "gateway", "web")["spec"]["listeners"]) == 2


def test_patch_file(site, host, tmp_path):
    (tmp_path / "p.yaml").write_text("data: {mode: file}\n")
    assert host.ok("patch", "cm", "settings", "--patch-file", str(tmp_path / "p.yaml")) == "configmap/settings patched\n"
    assert host.json("get", "cm", "settings")["data"] == {"mode": "file"}


def test_annotate_and_label(site, host):
    annotate = lambda *args: host("annotate", "gateway/web", *args)
    assert annotate("a.example/b=c", "d=e=f").out == GATEWAY + "/web annotated\n"
    assert host.json("get", "gateway", "web")["metadata"]["annotations"] == {"a.example/b": "c", "d": "e=f"}
    r = annotate("d=g")
    assert r.code == 1 and "'d' already has a value (e=f)" in r.err, r
    assert annotate("d=e=f").code == 0
    assert annotate("--overwrite", "d=g").code == 0
    assert annotate("--list").out == "a.example/b=c\nd=g\n"
    assert annotate("d-", "x-").err == 'annotation "x" not found.\n'
    assert host.json("get", "gateway", "web")["metadata"]["annotations"] == {"a.example/b": "c"}
    assert host.ok("label", "gateway", "web", "t=1") == GATEWAY + "/web labeled\n"
    assert host.ok("label", "gateway", "web", "t=1") == GATEWAY + "/web not labeled\n"
    r = host("label", "gateway", "web", "t=2")
    assert r.code == 1 and r.err == "error: 't' already has a value (1), and --overwrite is false\n", r
    assert host.ok("label", "gateways", "--all", "t-") == GATEWAY + "/web unlabeled\n"
    r = host("label", "gateway", "web", "t=not a label")
    assert r.code == 1 and "invalid" in r.err, r


# ---- get, describe


def test_get_tables(site, host):
    out = host.ok("get", "gateways").splitlines()
    assert re.fullmatch(r"NAME +CLASS +ADDRESS +PROGRAMMED +AGE", out[0]) and out[1].startswith("web    sallyport   ")
    assert host.ok("get", "gtw", "web", "--no-headers").startswith("web   sallyport")
    out = host.ok("get", "gateway,svc").splitlines()
    assert out[1].startswith(GATEWAY + "/web ") and out[2] == "" and out[4].startswith("service/pages "), out
    assert re.search(r"^pages +ClusterIP +\S+ +<none> +80/TCP +\S+$", host.ok("get", "svc"), re.M)
    assert "SELECTOR" in host.ok("get", "svc", "-o", "wide") and "SELECTOR" not in host.ok("get", "svc")
    out = host.ok("get", "services", "-A", "--show-labels").splitlines()
    assert out[0].startswith("NAMESPACE   NAME ") and out[1].startswith("default     pages ") and out[1].endswith("team=shop")
    assert host.ok("get", "services", "-l", "team=shop", "-o", "name") == "service/pages\n"
    assert host.ok("get", "services", "--field-selector", "metadata.name=x", "-o", "name") == ""


def test_get_nothing(host):
    r = host("get", "gateways")
    assert (r.code, r.out, r.err) == (0, "", "No resources found in default namespace.\n"), r
    assert host("get", "gateways", "-A").err == "No resources found\n"
    r = host("get", "gateway", "none")
    assert (r.code, r.err) == (1, 'Error from server (NotFound): gateways.gateway.networking.k8s.io "none" not found\n')
    r = host("get", "gateway", "none", "--ignore-not-found")
    assert (r.code, r.out, r.err) == (0, "", ""), r


def test_get_forms(site, host):
    one = host.json("get", "gateway", "web")
    assert one["kind"] == "Gateway"
    several = host.json("get", "gateway/web", "svc/pages")
    assert several["kind"] == "List" and [i["kind"] for i in several["items"]] == ["Gateway", "Service"]
    assert host.json("get", "gateways")["kind"] == "List"
    assert host.ok("get", "-f", str(site), "-o", "name") == GATEWAY + "/web\nservice/pages\nconfigmap/settings\n"
    assert host.ok("get", "cm/settings", "-o", "yaml").startswith('apiVersion: v1\ndata:\n  mode: "on"\nkind: ConfigMap\n')
    assert host.ok("get", "svc/pages", "-o", "jsonpath={.spec.ports[0].port}") == "80"
    assert host.ok("get", "svc", "-o", 'jsonpath={range .items[*]}{.metadata.name}{"\\n"}{end}') == "pages\n"
    r = host("get", "gateway", "web", "none", "-o", "name")
    assert r.code == 1 and r.out == GATEWAY + "/web\n" and '"none" not found' in r.err, r
    assert "ok" in host.ok("get", "--raw", "/readyz")
    assert host("get", "--raw", "/nonsense").code == 1


def test_describe(site, host):
    out = host.ok("describe", "gateway", "web")
    assert out.startswith("Name:         web\nNamespace:    default\n") and "Gateway Class Name:  sallyport" in out
    assert re.search(r"^ +Type +Status +Reason +Age +Message$", out, re.M) and "\nEvents:" in out
    host.ok("apply", "-f", "-", given="apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: hunter2}\n")
    out = host.ok("describe", "secret", "s")
    assert "key:  7 bytes" in out and "hunter2" not in out and "aHVudGVyMg" not in out
    assert host.ok("describe", "gateway", "we") .startswith("Name:         web")
    r = host("describe", "gateway", "none")
    assert r.code == 1 and "NotFound" in r.err, r


# ---- delete


def test_delete(site, host):
    assert host.ok("delete", "gateway", "web", "--dry-run=server") == GATEWAY + ' "web" deleted (server dry run)\n'
    assert host.ok("delete", "gateway", "web", "--dry-run=client") == GATEWAY + ' "web" deleted (dry run)\n'
    assert host.ok("delete", "gateway", "web") == GATEWAY + ' "web" deleted\n'
    r = host("delete", "-f", str(site))
    assert r.code == 1 and r.out == 'service "pages" deleted\nconfigmap "settings" deleted\n', r
    assert 'error when deleting "%s"' % site in r.err and "NotFound" in r.err, r
    assert host("delete", "-f", str(site), "--ignore-not-found").code == 0
    assert host("delete", "services", "-l", "team=shop").err == "No resources found\n"


def test_nothing_is_deleted_by_half_a_command(site, host):
    for args in (["gateway/web", "oops"], ["gateway/web", "flower/x"], ["gateway,flowers", "web"]):
        assert host("delete", *args).code in (1, 2)
    assert host("get", "gateway", "web").code == 0


def test_namespaces_take_what_is_in_them(host):
    host.ok("create", "namespace", "shop")
    host.ok("apply", "-n", "shop", "-f", "-", given=MANIFEST)
    assert host.ok("delete", "namespace", "shop") == 'namespace "shop" deleted\n'
    assert host.ok("get", "services", "-A", "-o", "name") == ""


# ---- kinds, version


def test_api_resources(host):
    out = host.ok("api-resources").splitlines()
    assert out[0].split() == ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]
    names = [line.split()[0] for line in out[1:]]
    assert names[:2] == ["configmaps", "events"] and names.index("orders") < names.index("gateways"), names
    assert any(line.split() == ["gateways", "gtw", "gateway.networking.k8s.io/v1", "true", "Gateway"] for line in out)
    assert "gateways.gateway.networking.k8s.io" in host.ok("api-resources", "-o", "name").splitlines()
    assert {line.split()[-2] for line in host.ok("api-resources", "--namespaced=false", "--no-headers").splitlines()} == {"false"}
    assert {line.split()[-3] for line in host.ok("api-resources", "--api-group=apps", "--no-headers").splitlines()} == {"apps/v1"}


def test_version(host):
    out = host.ok("version")
    assert re.fullmatch(r"Client Version: (v\S+)\nServer Version: \1\nAPI Version: v1\.\S+-sallyport\n", out), out
    assert set(host.json("version")) == {"clientVersion", "serverVersion"}


def test_wait(site, host):
    assert host.ok("wait", "--for=create", "gateway/web", "svc/pages").count("condition met") == 2
    r = host("wait", "--for=condition=Never", "gateway/web", "--timeout=0")
    assert r.code == 1 and "error: timed out waiting for the condition on gateways/web" in r.err, r
    assert "it has no condition Never yet" in r.err, r
