"""Bad input and bad weather: a clear error, nothing lost, and old traffic still served."""
import os
import re
import socket
import subprocess
import time

import pytest

import web
import world
from proc import free_port, run, wait_for


def refused(daemon, text, *words):
    """apply fails with exit status 1 and says each of the words."""
    done = daemon.cli("apply", "-f", "-", data=text, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    for word in words:
        assert word in done.stderr, "%r is not in: %s" % (word, done.stderr)
    return done.stderr


GOOD = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "good"}, "data": {"a": "b"}}


@pytest.mark.parametrize("text, words", [
    ("a: [1,\n", ["line 2"]),
    ("kind: Gateway\n\tname: x\n", ["line 2", "tab"]),
    ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, name: b}\n", ["line 3", "name"]),
    ("just text\n", []),
    ("a: &a [*a]\n", []),
    ("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n"
     "d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e]\n", []),
    ("[" * 5000 + "]" * 5000, []),
    ("kind: ConfigMap\nmetadata: {name: a}\n", ["apiVersion"]),
    ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {answer: yes}\n", ["answer", "quote"]),
    ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: UPPER}\n", ["metadata.name"]),
    ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ../../x}\n", ["metadata.name"]),
])
def test_malformed_yaml(daemon, text, words):
    refused(daemon, text, *words)
    assert daemon.apply(GOOD).returncode == 0, "the daemon takes the next document"


def test_every_wrong_field_is_named_at_once(daemon):
    text = world.documents(world.gateway("127.0.0.1", [
        {"name": "UPPER", "port": 70000, "protocol": "HTTP"},
        {"name": "b", "port": "eighty", "protocol": "HTTP"}]))
    refused(daemon, text, "edge", "spec.listeners[0].port", "70000", "spec.listeners[0].name",
            "spec.listeners[1].port")
    assert not daemon.exists("gateways", "edge")


@pytest.mark.parametrize("text, words", [
    ({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "a"}}, ["StatefulSet"]),
    ({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRout", "metadata": {"name": "a"}}, ["HTTPRout"]),
    ({"apiVersion": "gateway.networking.k8s.io/v9", "kind": "Gateway", "metadata": {"name": "a"}}, ["v9"]),
])
def test_unknown_kinds(daemon, text, words):
    refused(daemon, world.documents(text), *words)


def test_unknown_fields(daemon):
    text = world.documents(world.backend("app", ("127.0.0.1", 80), endpoint=[]))
    refused(daemon, text, "endpoint")
    daemon.cli("apply", "--validate=ignore", "-f", "-", data=text)


def test_good_documents_beside_a_bad_one(daemon):
    """Each document stands for itself; the exit status tells that one was refused."""
    bad = dict(GOOD, metadata={"name": "BAD"})
    done = daemon.cli("apply", "-f", "-", data=world.documents(GOOD, bad), check=False)
    assert done.returncode == 1 and "configmap/good created" in done.stdout
    assert "BAD" in done.stderr


def test_dangling_references(daemon, http_port, origin):
    """A condition for each, and what is whole is served."""
    daemon.apply(
        world.gateway(daemon.address, [world.listener("http", http_port),
                                       world.listener("https", http_port + 1, "a.test", "nowhere")]),
        world.backend("app", (origin.host, origin.port)),
        world.route("good", world.rule("app", path="/good")),
        world.route("half", world.rule("missing", path="/half")),
        world.route("orphan", world.rule("app"), parent="nobody"),
        world.certificate("c", "a.test", issuer="missing"))
    found = daemon.wait_condition("httproutes", "half", "ResolvedRefs", "False", "BackendNotFound",
                                  of=world.parent_status)
    assert "missing" in found["message"]
    found = daemon.wait_condition("gateways", "edge", "ResolvedRefs", "False", "InvalidCertificateRef",
                                  of=world.listener_status("https"))
    assert "nowhere" in found["message"]
    wait_for(lambda: "ClusterIssuer missing does not exist" in
             daemon.condition("certificates", "c", "Ready")["message"], "the Certificate to name its issuer")
    found = daemon.wait_condition("httproutes", "orphan", "Accepted", "False", of=world.parent_status)
    assert "no Gateway" in found["message"], found
    assert web.get(daemon.address, http_port, "a.test", "/good").status == 200
    assert web.get(daemon.address, http_port, "a.test", "/half").status == 500
    # The other end appears, and all is well without a nudge.
    daemon.apply(world.backend("missing", (origin.host, origin.port)))
    wait_for(lambda: web.get(daemon.address, http_port, "a.test", "/half").status == 200, "the Backend")


def test_cyclic_owners(daemon):
    """Two objects that own each other: stored, and gone together."""
    def owned_by(name, uid):
        made = world.certificate("b" if name == "a" else "a", "a.test", issuer="missing")
        made["metadata"]["ownerReferences"] = [{
            "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "name": name, "uid": uid, "controller": True}]
        return made
    daemon.apply(world.certificate("a", "a.test", issuer="missing"))
    daemon.apply(owned_by("a", daemon.get("certificates", "a")["metadata"]["uid"]))
    daemon.apply(owned_by("b", daemon.get("certificates", "b")["metadata"]["uid"]))
    assert daemon.exists("certificates", "a") and daemon.exists("certificates", "b")
    daemon.cli("delete", "certificate", "a")
    wait_for(lambda: not daemon.exists("certificates", "b"), "b to go with its owner")
    assert not daemon.exists("certificates", "a")


def test_route_that_leads_to_itself(daemon, http_port, origin):
    """A service that is the listener itself: an error, and everybody else is served."""
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("self", (daemon.address, http_port)),
                 world.backend("app", (origin.host, origin.port)),
                 world.route("loop", world.rule("self", path="/loop")),
                 world.route("good", world.rule("app", path="/good")))
    daemon.wait_programmed()
    assert web.get(daemon.address, http_port, "a.test", "/loop").status >= 400
    for _ in range(10):
        assert web.get(daemon.address, http_port, "a.test", "/good").status == 200


def pem(box, name, names="a.test"):
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", box / (name + ".key"), "-out", box / (name + ".crt"), "-days", "2",
        "-subj", "/CN=" + names, "-addext", "subjectAltName=DNS:" + names)
    return (box / (name + ".crt")).read_text(), (box / (name + ".key")).read_text()


def test_secret_with_a_key_that_does_not_match(daemon, box, http_port, https_port):
    crt, key = pem(box, "one")
    _, other = pem(box, "two")
    daemon.apply(world.secret("pair", {"tls.crt": crt, "tls.key": key}),
                 world.gateway(daemon.address, [world.listener("https", https_port, "a.test", "pair")]))
    daemon.wait_programmed()
    tls = web.tls_context(box / "one.crt")
    serial = web.served_serial(daemon.address, https_port, "a.test", tls)
    error = refused(daemon, world.documents(world.secret("pair", {"tls.crt": crt, "tls.key": other})),
                    "pair", "tls.key", "does not belong")
    assert "PRIVATE" not in error
    refused(daemon, world.documents(world.secret("pair", {"tls.crt": "nonsense", "tls.key": key})), "tls.crt")
    assert web.served_serial(daemon.address, https_port, "a.test", tls) == serial


def test_secret_that_never_was_a_pair(daemon, box, http_port, https_port):
    """Taken with a warning, as Kubernetes takes it; the listener says why it is not served, until it is put right."""
    crt, key = pem(box, "one")
    done = daemon.cli("apply", "-f", "-", data=world.documents(
        world.secret("pair", {"tls.crt": "Hello world\n", "tls.key": "Hello world\n"}),
        world.gateway(daemon.address, [world.listener("https", https_port, "a.test", "pair")])))
    for word in ("Warning:", "data[tls.crt]", "data[tls.key]", "no listener can serve it"):
        assert word in done.stderr, done.stderr
    found = daemon.wait_condition("gateways", "edge", "ResolvedRefs", "False", "InvalidCertificateRef",
                                  of=world.listener_status("https"))
    assert "default/pair" in found["message"], found
    daemon.apply(world.secret("pair", {"tls.crt": crt, "tls.key": key}))
    daemon.wait_condition("gateways", "edge", "ResolvedRefs", of=world.listener_status("https"))
    wait_for(lambda: web.served_serial(daemon.address, https_port, "a.test", web.tls_context(box / "one.crt")),
             "a handshake")


# ---- the disk ----

def with_small_disk(daemon, mib):
    """Its state directory becomes a file system of that size, seen through /proc/PID/root."""
    make = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    mount = "mount -t tmpfs -o size=%dm,mode=700 none %s" % (mib, daemon.state)
    if subprocess.run(make + ["sh", "-c", mount], capture_output=True).returncode != 0:
        pytest.skip("no mount namespace can be made here (unshare --mount)")
    daemon.prefix = make + ["sh", "-c", mount + " && exec \"$0\" \"$@\""]
    return daemon


def fill(path):
    """Leaves not one byte."""
    with open(path, "wb", buffering=0) as f:
        for size in (1 << 16, 1 << 12, 1 << 8, 1):
            try:
                while f.write(b"x" * size) == size:
                    pass
            except OSError:
                pass


def test_full_disk_while_it_runs(daemons, origin, http_port):
    daemon = with_small_disk(daemons(), 8).start()
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", (origin.host, origin.port)),
                 world.route("site", world.rule("app")), GOOD)
    daemon.wait_programmed()
    filler = "/proc/%d/root%s/filler" % (daemon.process.pid, daemon.state)
    fill(filler)
    data = {str(n): "x" * 1000 for n in range(600)}
    big = dict(GOOD, data=data, metadata={"name": "big"})
    error = wait_for(lambda: (lambda d: d.returncode and d)(daemon.cli(
        "apply", "-f", "-", data=world.documents(big), check=False)), "a write to fail").stderr
    assert "configmaps \"big\": not stored" in error and daemon.state in error, error
    assert "free some" in error, error
    # Serving and reading go on; readiness tells.
    assert web.get(daemon.address, http_port, "a.test").status == 200
    assert daemon.get("configmaps", "good")["data"] == GOOD["data"]
    assert not daemon.exists("configmaps", "big")
    status, body = daemon.raw("GET", "/readyz")
    assert status != 200 and daemon.state.encode() in body, body
    # Room again: it goes on by itself.
    os.unlink(filler)
    wait_for(lambda: daemon.cli("apply", "-f", "-", data=world.documents(big), check=False).returncode == 0,
             "writes after there is room")
    wait_for(lambda: daemon.raw("GET", "/readyz")[0] == 200, "readiness")
    assert daemon.get("configmaps", "big")["data"] == data


def test_corrupt_database(daemons):
    daemon = daemons().start()
    daemon.apply(GOOD)
    daemon.stop()
    path = os.path.join(daemon.state, "sallyport.db")
    with open(path, "r+b") as f:
        f.seek(0)
        f.write(os.urandom(200))
    damaged = open(path, "rb").read()
    error = daemon.fails()
    assert path in error and "backup" in error, error
    assert open(path, "rb").read() == damaged, "it must be left as it is"


def test_database_of_a_newer_version(daemons):
    daemon = daemons().start()
    daemon.stop()
    import sqlite3
    db = sqlite3.connect(os.path.join(daemon.state, "sallyport.db"))
    db.execute("PRAGMA user_version = 9999")
    db.close()
    error = daemon.fails()
    assert "newer" in error and "9999" in error, error


def test_database_that_vanishes_while_it_runs(daemons, origin, http_port):
    daemon = daemons().start()
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", (origin.host, origin.port)), world.route("site", world.rule("app")))
    daemon.wait_programmed()
    os.rename(daemon.state, daemon.state + ".gone")
    done = wait_for(lambda: (lambda d: d.returncode and d)(daemon.cli(
        "apply", "-f", "-", data=world.documents(dict(GOOD, data={"n": str(time.monotonic())})),
        check=False)), "a write to fail")
    assert "not stored" in done.stderr, done.stderr
    assert web.get(daemon.address, http_port, "a.test").status == 200
    os.rename(daemon.state + ".gone", daemon.state)


def test_state_directory_in_use(daemons):
    first = daemons().start()
    second = daemons()
    second.state = first.state
    error = second.fails()
    assert first.state in error and str(first.process.pid) in error, error
    assert first.raw("GET", "/readyz")[0] == 200


def test_socket_in_use(daemons):
    first = daemons().start()
    second = daemons()
    second.socket = first.socket
    assert first.socket in second.fails()
    assert first.raw("GET", "/readyz")[0] == 200


def as_nobody(daemon):
    """Makes daemon run without any rights, its folder its own; as root only."""
    if os.geteuid() != 0:
        return daemon
    nobody = 65534
    copy = os.path.join(daemon.folder, "sallyportd")
    run("cp", daemon.program, copy)
    run("chown", "-R", str(nobody), daemon.folder)
    daemon.program = copy
    daemon.prefix = ["setpriv", "--reuid=%d" % nobody, "--regid=%d" % nobody, "--clear-groups",
                     "--inh-caps=-all"]
    return daemon


def test_state_directory_that_may_not_be_written(daemons):
    daemon = as_nobody(daemons())
    if os.geteuid() == 0:
        run("chown", "root", daemon.state)
    os.chmod(daemon.state, 0o500)
    error = daemon.fails()
    assert daemon.state in error and "--state-dir" in error, error
    os.chmod(daemon.state, 0o700)


def test_no_permission_for_the_port(daemons):
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as f:
        if int(f.read()) <= 81:
            pytest.skip("here everybody may listen on port 81")
    daemon = as_nobody(daemons()).start()
    daemon.apply(world.gateway(daemon.address, [world.listener("http", 81)]))
    found = daemon.wait_condition("gateways", "edge", "Accepted", "False", "PortUnavailable",
                                  of=world.listener_status("http"))
    assert "81" in found["message"] and "CAP_NET_BIND_SERVICE" in found["message"], found


def test_port_in_use(daemon, origin):
    port = free_port(daemon.address)
    with socket.socket() as squatter:
        squatter.bind((daemon.address, port))
        squatter.listen()
        daemon.apply(world.gateway(daemon.address, [world.listener("http", port)]),
                     world.backend("app", (origin.host, origin.port)),
                     world.route("site", world.rule("app")))
        found = daemon.wait_condition("gateways", "edge", "Accepted", "False", "PortUnavailable",
                                      of=world.listener_status("http"))
        assert "in use" in found["message"] and str(port) in found["message"], found
        done = daemon.cli("status", "--exit-code", check=False)
        assert done.returncode != 0 and str(port) in done.stdout + done.stderr
    # The squatter has gone: it is tried again without being told.
    wait_for(lambda: web.get(daemon.address, port, "a.test").status == 200, "the port")


# ---- the world outside ----

def test_unreachable_authority(site):
    """The old certificate goes on; the condition names who cannot be reached, and the new URL helps."""
    site.up()
    daemon, serial = site.daemon, site.serial()
    port = free_port()
    issuer = world.acme_issuer(site.ca, "dead", server="https://localhost:%d/dir" % port)
    daemon.apply(issuer, world.certificate("other", site.name, issuer="dead"))

    def told():
        found = daemon.condition("clusterissuers", "dead", "Ready", ns=None)
        assert found["status"] == "False" and "localhost:%d" % port in found["message"], found
        return True
    wait_for(told, "a condition that names the authority")
    assert daemon.condition("certificates", "other", "Ready")["status"] == "False"
    assert site.serial() == serial and site.https().status == 200
    daemon.apply(world.acme_issuer(site.ca, "dead"))
    daemon.wait_condition("clusterissuers", "dead", "Ready", ns=None)
    daemon.wait_ready_certificate("other")


def test_authority_that_goes_away_during_renewal(daemon, make_ca, origin, make_site):
    """Renewal fails, the certificate that is there stays served."""
    ca = make_ca()
    site = make_site(daemon, ca, origin).up()
    serial, tls = site.serial(), site.tls()
    ca.stop()
    daemon.cli("renew", "certificate/edge-tls", check=False)
    wait_for(lambda: daemon.condition("certificates", "edge-tls", "Issuing")["message"]
             and site.serial() == serial, "the attempt")
    assert web.get(site.address, site.https_port, site.name, "/", tls).status == 200
    assert not daemon.process.ended()


def test_name_that_does_not_lead_here(site, names):
    """The self-check stops before the authority is asked, and says what to change."""
    orders = site.ca.orders()
    names.name(site.name, "127.0.0.1")  # of this host, but no listener of ours is bound there
    site.daemon.apply(*site.objects())

    def told():
        return [c["message"] for kind in ("certificates", "certificaterequests", "orders", "challenges")
                for o in site.daemon.list(kind) for c in o.get("status", {}).get("conditions", [])
                if "127.0.0.1" in c.get("message", "")] + [
            o["status"]["reason"] for kind in ("orders", "challenges") for o in site.daemon.list(kind)
            if "127.0.0.1" in o.get("status", {}).get("reason", "")]
    assert wait_for(told, "a condition that names the address", 30)
    assert site.ca.orders() == orders
    # Put right, and asked again: it goes through.
    names.name(site.name, site.address)
    site.daemon.cli("renew", "certificate/edge-tls")
    site.daemon.wait_ready_certificate()


def test_name_that_does_not_exist(site, names):
    orders = site.ca.orders()
    names.fails(site.name)
    site.daemon.apply(*site.objects())
    wait_for(lambda: site.name in str([o.get("status") for kind in ("certificates", "orders", "challenges")
                                       for o in site.daemon.list(kind)]), "a condition with the name")
    assert site.http().status == 200
    assert site.ca.orders() == orders


def test_dead_name_servers(daemons, ca, origin, http_port):
    """Nobody answers names: the API does, without waiting for them, and what is served is served."""
    a_question_waits = 5.0  # seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", 0))
        daemon = daemons(dns="127.0.0.1:%d" % hole.getsockname()[1]).start()
        issuer = world.acme_issuer(ca, server="https://acme.nowhere.test/dir")
        daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                     world.backend("app", (origin.host, origin.port)),
                     world.backend("named", ("app.nowhere.test", 80)),
                     world.route("good", world.rule("app", path="/good")),
                     world.route("named", world.rule("named", path="/named")),
                     issuer, world.certificate("c", "a.nowhere.test"))
        daemon.wait_programmed()
        wait_for(lambda: hole.recv(512, socket.MSG_DONTWAIT), "a question of the daemon")
        took = []
        end = time.monotonic() + 3
        while time.monotonic() < end:
            start = time.monotonic()
            assert daemon.raw("GET", "/api/v1/namespaces/default/configmaps")[0] == 200
            took.append(time.monotonic() - start)
            assert web.get(daemon.address, http_port, "a.test", "/good").status == 200
        assert max(took) < a_question_waits / 2, "the API took %.3f s" % max(took)
        assert sorted(took)[len(took) // 2] < 0.1, took
        assert web.get(daemon.address, http_port, "a.test", "/named").status in (500, 502, 503)
        start = time.monotonic()
        daemon.apply(GOOD)
        assert time.monotonic() - start < a_question_waits / 2


def test_offline_check_names_file_and_field(daemons, box):
    daemon = daemons()
    good, bad = box / "good.yaml", box / "bad.yaml"
    good.write_text(world.documents(world.backend("app", ("127.0.0.1", 80))))
    bad.write_text(world.documents(world.backend("app", ("127.0.0.1", 0))))
    assert run(daemon.program, "--check", good).returncode == 0
    done = run(daemon.program, "--check", good, bad, check=False)
    assert done.returncode == 1
    assert re.search(r"bad\.yaml(.|\n)*spec\.endpoints\[0\]\.ip\.port", done.stdout), done.stdout


def test_wrong_flags_and_settings(daemons, box):
    daemon = daemons()
    settings = box / "sallyportd.yaml"
    for text, words in (("workers: many\n", ["workers"]), ("workerz: 2\n", ["workerz"]),
                        ("limits: {head: 5}\n", ["limits.head", "1024"]), ("a: [\n", ["line"])):
        settings.write_text(text)
        done = run(daemon.program, "--config", settings, "--check", check=False)
        assert done.returncode == 2 and str(settings) in done.stderr or "workers" in done.stderr, done
        for word in words:
            assert word in done.stderr, done.stderr
    assert run(daemon.program, "--no-such", check=False).returncode == 2
