"""The daemon under test, its command line, and the objects that tests give it."""
import fcntl
import http.client
import json
import os
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time

from proc import TOP, Process, clean_env, own_address, wait_for

GROUPS = {
    "namespaces": "/api/v1", "secrets": "/api/v1", "services": "/api/v1", "configmaps": "/api/v1",
    "events": "/api/v1", "endpointslices": "/apis/discovery.k8s.io/v1",
    "gatewayclasses": "/apis/gateway.networking.k8s.io/v1",
    "gateways": "/apis/gateway.networking.k8s.io/v1",
    "httproutes": "/apis/gateway.networking.k8s.io/v1",
    "grpcroutes": "/apis/gateway.networking.k8s.io/v1",
    "tlsroutes": "/apis/gateway.networking.k8s.io/v1",
    "tcproutes": "/apis/gateway.networking.k8s.io/v1",
    "udproutes": "/apis/gateway.networking.k8s.io/v1",
    "backendtlspolicies": "/apis/gateway.networking.k8s.io/v1",
    "listenersets": "/apis/gateway.networking.k8s.io/v1",
    "referencegrants": "/apis/gateway.networking.k8s.io/v1beta1",
    "backends": "/apis/gateway.envoyproxy.io/v1alpha1",
    "clienttrafficpolicies": "/apis/gateway.envoyproxy.io/v1alpha1",
    "clusterissuers": "/apis/cert-manager.io/v1", "issuers": "/apis/cert-manager.io/v1",
    "certificates": "/apis/cert-manager.io/v1", "certificaterequests": "/apis/cert-manager.io/v1",
    "orders": "/apis/acme.cert-manager.io/v1", "challenges": "/apis/acme.cert-manager.io/v1",
}
CLUSTER_SCOPED = ("namespaces", "gatewayclasses", "clusterissuers")


def program(variable, name):
    for path in (os.environ.get(variable), os.path.join(TOP, "build", "src", name)):
        if path and os.access(path, os.X_OK):
            return os.path.abspath(path)
    raise AssertionError("no %s: set %s, or build in build/" % (name, variable))


class SocketConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Daemon:
    """sallyportd with a state directory, a socket and a loopback address of its own."""

    def __init__(self, env=None, flags=(), dns=None):
        self.folder = tempfile.mkdtemp(prefix="sallyport.")
        self.state = os.path.join(self.folder, "state")
        os.mkdir(self.state, 0o700)
        self.socket = os.path.join(self.folder, "api.sock")
        self.log = os.path.join(self.folder, "sallyportd.log")
        self.address = own_address()
        self.env = dict(env or {})
        self.flags = list(flags)
        if dns:
            self.flags += ["--dns-servers", dns]
        self.prefix = []  # command that runs the program
        self.program = program("SALLYPORTD", "sallyportd")
        self.process = None

    # Life.
    def command(self, *flags):
        return self.prefix + [self.program, "--state-dir", self.state,
                "--socket", self.socket] + self.flags + list(flags)

    def launch(self, *flags):
        """Starts the program and waits for nothing."""
        self.process = Process("sallyportd", self.command(*flags), self.log, self.env)
        return self.process

    def start(self, *flags, timeout=60):
        self.launch(*flags)
        self.wait_ready(timeout)
        return self

    def wait_ready(self, timeout=60):
        wait_for(lambda: self.raw("GET", "/readyz")[0] == 200, "sallyportd to be ready", timeout,
                 alive=self.process)

    def stop(self, timeout=60):
        status = self.process.stop(signal.SIGTERM, timeout)
        assert status == 0, "exit status %s at SIGTERM\n%s" % (status, self.process.tail())

    def fails(self, *flags):
        """Starts it where it cannot start: exit status 1; what it says."""
        self.launch(*flags)
        status = wait_for(lambda: self.process.ended() and (self.process.process.returncode,),
                          "sallyportd to give up")[0]
        assert status == 1, "exit status %s\n%s" % (status, self.process.tail())
        return self.text()

    def restart(self, *flags):
        self.stop()
        return self.start(*flags)

    def kill(self):
        if self.process is not None:
            self.process.kill()

    def remove(self):
        """Ends it and takes its files away; what a sanitizer found, or a crash, fails the test."""
        process = self.process
        if process is None:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        if "ASAN_OPTIONS" in os.environ and not process.ended():
            process.send(signal.SIGTERM)  # to its end: leaks are told there
            process.send(signal.SIGTERM)
            process.process.wait(60)
        self.kill()
        wrong = re.search(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error: ", process.text())
        status = process.process.returncode
        text = process.tail(150)
        self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)
        assert not wrong and status in (0, 1, -signal.SIGKILL), "exit status %s\n%s" % (status, text)

    def text(self):
        return self.process.text()

    def logged(self, pattern):
        return re.search(pattern, self.text())

    # The API, as JSON.
    def raw(self, method, path, body=None, content="application/json", timeout=60):
        connection = SocketConnection(self.socket, timeout)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body),
                               headers={"Content-Type": content})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    @staticmethod
    def path(plural, name="", ns="default"):
        where = "" if plural in CLUSTER_SCOPED or ns is None else "/namespaces/" + ns
        return GROUPS[plural] + where + "/" + plural + ("/" + name if name else "")

    def get(self, plural, name, ns="default"):
        status, body = self.raw("GET", self.path(plural, name, ns))
        assert status == 200, "GET %s %s: %d %s" % (plural, name, status, body.decode()[:500])
        return json.loads(body)

    def list(self, plural, ns=None):
        status, body = self.raw("GET", self.path(plural, "", ns))
        assert status == 200, body
        return json.loads(body)["items"]

    def exists(self, plural, name, ns="default"):
        return self.raw("GET", self.path(plural, name, ns))[0] == 200

    def condition(self, plural, name, kind, ns="default", of=None):
        """The condition of that type; of picks the place where conditions are."""
        status = self.get(plural, name, ns).get("status", {})
        for condition in (of(status) if of else status).get("conditions", []):
            if condition["type"] == kind:
                return condition
        raise AssertionError("%s %s has no condition %s: %s" % (plural, name, kind, status))

    def wait_condition(self, plural, name, kind, status="True", reason=None, ns="default",
                       of=None, timeout=60):
        def there():
            found = self.condition(plural, name, kind, ns, of)
            assert found["status"] == status and reason in (None, found["reason"]), found
            return found
        return wait_for(there, "%s %s: %s=%s %s" % (plural, name, kind, status, reason or ""),
                        timeout, alive=self.process)

    # The command line.
    def cli(self, *arguments, data=None, check=True, env=None, timeout=60, cwd=None):
        command = [program("SALLYPORT", "sallyport"), "--socket", self.socket] + [str(a) for a in arguments]
        done = subprocess.run(command, input=data, capture_output=True, text=True, timeout=timeout,
                              env=dict(clean_env(), **(env or {})), cwd=cwd)
        if check:
            assert done.returncode == 0, "sallyport %s: exit %d\n%s%s" % (
                " ".join(command[3:]), done.returncode, done.stdout, done.stderr)
        return done

    def on_terminal(self, *arguments, columns=80):
        """What the command shows on a terminal of this width, without its colours."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen(
            [program("SALLYPORT", "sallyport"), "--socket", self.socket] + [str(a) for a in arguments],
            stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, env=dict(clean_env(), NO_COLOR="1"))
        os.close(slave)
        shown = b""
        try:
            while True:
                shown += os.read(master, 65536)
        except OSError:  # the other side is closed
            pass
        finally:
            os.close(master)
        assert process.wait(60) == 0, shown
        return shown.decode().replace("\r\n", "\n")

    def apply(self, *objects, check=True):
        return self.cli("apply", "-f", "-", data=documents(*objects), check=check)

    # What is often waited for.
    def wait_programmed(self, gateway="edge", ns="default"):
        """Until the Gateway is, and the workers have taken over what was published last: of several
        objects that were applied, the Gateway may have been the first."""
        def there():
            found = self.get("gateways", gateway, ns)
            by_type = {c["type"]: c for c in found["status"]["conditions"]}
            assert by_type["Programmed"]["status"] == "True", by_type["Programmed"]
            assert by_type["Programmed"]["observedGeneration"] == found["metadata"]["generation"]
            generations = re.findall(r"^sallyport_snapshot_(?:published|generation) (\d+)$",
                                     self.raw("GET", "/metrics")[1].decode(), re.M)
            assert len(generations) == 2 and len(set(generations)) == 1, generations
            return found
        return wait_for(there, "gateway %s programmed" % gateway, alive=self.process)

    def wait_ready_certificate(self, name="edge-tls", ns="default", timeout=60):
        return self.wait_condition("certificates", name, "Ready", ns=ns, timeout=timeout)


def documents(*objects):
    return "\n---\n".join(o if isinstance(o, str) else json.dumps(o) for o in objects)


def metadata(name, ns, annotations=None, labels=None):
    meta = {"name": name}
    if ns:
        meta["namespace"] = ns
    if annotations:
        meta["annotations"] = annotations
    if labels:
        meta["labels"] = labels
    return meta


def listener(name, port, hostname=None, secret=None, **more):
    made = dict({"name": name, "port": port, "protocol": "HTTPS" if secret else "HTTP"}, **more)
    if hostname:
        made["hostname"] = hostname
    if secret:
        made["tls"] = {"mode": "Terminate", "certificateRefs": [{"name": secret}]}
    return made


def gateway(address, listeners, name="edge", issuer=None, ns="default"):
    addresses = [address] if isinstance(address, str) else list(address or [])
    spec = {"gatewayClassName": "sallyport", "listeners": listeners}
    if addresses:
        spec["addresses"] = [{"type": "IPAddress", "value": a} for a in addresses]
    notes = {"cert-manager.io/cluster-issuer": issuer} if issuer else None
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": metadata(name, ns, notes), "spec": spec}


def backend(name, *endpoints, ns="default", **spec):
    """Endpoints: (host, port) for an address or a name, or the path of a socket."""
    made = []
    for endpoint in endpoints:
        if isinstance(endpoint, str):
            made.append({"unix": {"path": endpoint}})
        elif re.fullmatch(r"[0-9.]+|.*:.*", endpoint[0]):
            made.append({"ip": {"address": endpoint[0], "port": endpoint[1]}})
        else:
            made.append({"fqdn": {"hostname": endpoint[0], "port": endpoint[1]}})
    return {"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "Backend",
            "metadata": metadata(name, ns), "spec": dict({"endpoints": made}, **spec)}


def to(name, weight=None):
    ref = {"group": "gateway.envoyproxy.io", "kind": "Backend", "name": name}
    return ref if weight is None else dict(ref, weight=weight)


def rule(*refs, path=None, filters=None, **more):
    made = dict(more)
    if path:
        made["matches"] = [{"path": {"type": "PathPrefix", "value": path}}]
    if refs:
        made["backendRefs"] = [to(r) if isinstance(r, str) else r for r in refs]
    if filters:
        made["filters"] = filters
    return made


def redirect(**how):
    return {"type": "RequestRedirect", "requestRedirect": how}


def route(name, *rules, section=None, hostnames=None, parent="edge", ns="default"):
    parent_ref = {"name": parent}
    if section:
        parent_ref["sectionName"] = section
    spec = {"parentRefs": [parent_ref], "rules": list(rules)}
    if hostnames:
        spec["hostnames"] = hostnames
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": metadata(name, ns), "spec": spec}


def acme_issuer(ca, name="ca", **acme):
    return {"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer",
            "metadata": metadata(name, None),
            "spec": {"acme": dict({
                "server": ca.directory, "email": "admin@example.com", "caBundle": ca.ca_bundle,
                "privateKeySecretRef": {"name": name + "-account"},
                "solvers": [{"http01": {"gatewayHTTPRoute": {"parentRefs": [{"name": "edge"}]}}}],
            }, **acme)}}


def self_signed(name="self"):
    return {"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer",
            "metadata": metadata(name, None), "spec": {"selfSigned": {}}}


def certificate(name, *names, issuer="ca", ns="default", **spec):
    return {"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
            "metadata": metadata(name, ns),
            "spec": dict({"secretName": name, **({"dnsNames": list(names)} if names else {}),
                          "issuerRef": {"name": issuer, "kind": "ClusterIssuer"}}, **spec)}


def secret(name, data, kind="kubernetes.io/tls", ns="default"):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata(name, ns),
            "type": kind, "stringData": data}


def listener_status(name):
    """For wait_condition(of=…): the conditions of one listener."""
    return lambda status: next(l for l in status["listeners"] if l["name"] == name)


def parent_status(status):
    return status["parents"][0]


class Deadline:
    """How long something took, for figures that are printed."""

    def __init__(self):
        self.start = time.monotonic()

    def seconds(self):
        return time.monotonic() - self.start
