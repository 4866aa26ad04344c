"""Every example of the manual runs: against a real daemon, its command line and an authority.

A literal block of a page's EXAMPLES is a file when its first line is a comment with a file's name
("# gateway.yaml"), else it is a shell session: lines that begin with "$ " or "# " are commands, and
what follows one belongs to it. Files of manifests are checked by sallyportd --check, settings by
--config; commands run in one folder, page by page, and must all exit 0. What the manual takes from
a real host (paths below /etc and /var, ports 80 and 443, Let's Encrypt, systemctl) is replaced by
the sandbox's own; nothing else is changed and nothing is skipped.
"""
import os
import pathlib
import re
import shlex
import subprocess

import pytest

import world
from clients import Certbot, issue
from proc import TOP, clean_env, free_port, run, wait_for

MAN = pathlib.Path(TOP) / "man"
PAGES = sorted(p.name for p in MAN.iterdir() if p.suffix[1:].isdigit())
DIRECTORIES = ("https://acme-v02.api.letsencrypt.org/directory", "https://ca.example.net/acme/directory")

# Files of other pages that must be in force before a page's examples begin.
BEFORE = {
    "sallyport-httproute.5": ("letsencrypt.yaml", "gateway.yaml", "backends.yaml"),
    "sallyport-listenerset.5": ("letsencrypt.yaml",),
    "sallyport-grpcroute.5": ("letsencrypt.yaml", "gateway.yaml", "backends.yaml"),
    "sallyport-certificate.5": ("letsencrypt.yaml", "gateway.yaml", "inside.yaml"),
    "sallyport-troubleshooting.7": ("letsencrypt.yaml", "gateway.yaml", "redirect.yaml"),
}


class Block:
    """A literal block: a file to be saved, or a shell session."""

    def __init__(self, page, text):
        self.page = page
        self.text = text
        name = re.match(r"# (\S+\.yaml)\n", text)
        self.name = name.group(1) if name else None

    def commands(self):
        """The session's commands, each with its continuation lines."""
        commands = []
        for line in self.text.splitlines():
            if re.match(r"[$#] ", line):
                commands.append(line[2:])
            else:
                assert commands, "%s: neither a file nor a command: %s" % (self.page, line)
                commands[-1] += "\n" + line
        assert commands, "%s: an empty example" % self.page
        return commands


def plain(text):
    """A literal block's text without the escapes of roff."""
    for escape, meaning in (("\\e", "\\"), ("\\&", ""), ("\\-", "-"), ("\\(dq", '"')):
        text = text.replace(escape, meaning)
    return text


def blocks(page):
    examples = re.search(r"^\.Sh EXAMPLES\n((?:.*\n)*?)(?=\.Sh )", (MAN / page).read_text(), re.M)
    assert examples, "%s: no section EXAMPLES" % page
    section = examples.group(1)
    found = re.findall(r"^\.Bd .*-literal.*\n((?:.*\n)*?)\.Ed$", section, re.M)
    assert len(found) == len(re.findall(r"^\.Bd", section, re.M)), "%s: a block is not literal" % page
    assert found, "%s: no example" % page
    return [Block(page, plain(text)) for text in found]


class Sandbox:
    """A daemon, and a folder in which the manual's paths, ports and programs lead to it."""

    def __init__(self, box, daemons, ca, ports, origins):
        self.box = box
        for name in ("bin", "home", "work", "etc/manifests", "log", "run/app", "root"):
            (box / name).mkdir(parents=True)
        self.http, self.https = ports
        self.ca = ca
        self.daemon = daemons(
            "--manifests", str(box / "etc" / "manifests"), "--access-log", str(box / "log" / "access.log"),
            env={"SSL_CERT_FILE": str(ca.ca_pem)})
        self.origins = [origins("one"), origins("two")]
        self.words = {
            "/etc/sallyport/": "%s/etc/" % box, "/var/lib/sallyport/": self.daemon.state + "/",
            "/var/log/sallyport/": "%s/log/" % box, "/run/app/": "%s/run/app/" % box,
            "/root/": "%s/root/" % box, "/etc/letsencrypt": "%s/letsencrypt" % box}
        self.words.update((directory, ca.directory) for directory in DIRECTORIES)
        self.numbers = {
            "80": self.http, "443": self.https, "8000": free_port(), "8883": free_port(),
            "9090": free_port(),
            "8080": self.origins[0].port, "8081": self.origins[1].port}
        self.make_programs()
        self.make_files()

    def make_programs(self):
        cli, daemon = world.program("SALLYPORT", "sallyport"), world.program("SALLYPORTD", "sallyportd")
        connect = " ".join("--connect-to www.example.com:%s:127.0.0.1:%d" % (port, self.numbers[port])
                           for port in ("80", "443"))
        self.program("sallyport", 'exec %s "$@"' % shlex.quote(cli))
        self.program("sallyportd", 'exec %s "$@"' % shlex.quote(daemon))
        self.program("curl", 'exec /usr/bin/curl --noproxy "*" --cacert %s %s "$@"'
                     % (self.ca.root, connect))
        self.program("systemctl", '[ "$*" = "reload sallyportd" ] && exec kill -HUP "$(cat %s)"\n'
                     'echo "systemctl: $*" >&2; exit 1' % (self.box / "pid"))
        self.program("journalctl", 'case "$1 $2" in "-u sallyportd") exec tail -n 50 %s;; esac\n'
                     'echo "journalctl: $*" >&2; exit 1' % self.daemon.log)

    def program(self, name, script):
        path = self.box / "bin" / name
        path.write_text("#!/bin/sh\n%s\n" % script)
        path.chmod(0o755)

    def make_files(self):
        """What the examples presuppose: the authority's certificate, and one from elsewhere."""
        work = self.box / "work"
        (work / "ca.pem").write_bytes(self.ca.ca_pem.read_bytes())
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", work / "bought.key", "-out", work / "bought.crt", "-days", "2",
            "-subj", "/CN=bought.example.com", "-addext", "subjectAltName=DNS:bought.example.com")
        certbot = Certbot(self.box / "letsencrypt")
        certbot.account(self.ca.directory, run(
            "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256").stdout)
        certbot.lineage("moved.example.com", *issue(self.box, "moved.example.com"), self.ca.directory)
        (self.box / "etc" / "manifests" / "team.yaml").write_text(
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: team\n")

    def start(self):
        self.daemon.start()
        (self.box / "pid").write_text(str(self.daemon.process.pid))
        return self

    def here(self, text):
        """The text with the sandbox's paths, ports and authority."""
        for word, mine in self.words.items():
            text = text.replace(word, mine)
        return re.sub(r"((?:port|targetPort|Port)\"?: |127\.0\.0\.1:)(\d+)\b",
                      lambda m: m.group(1) + str(self.numbers.get(m.group(2), m.group(2))), text)

    def shell(self, script):
        """Runs commands as one shell session; its output. Any that fails is the test's failure."""
        env = dict(clean_env(), SALLYPORT_SOCKET=self.daemon.socket, HOME=str(self.box / "home"),
                   PATH="%s:/usr/sbin:%s" % (self.box / "bin", os.environ.get("PATH", "/usr/bin:/bin")))
        done = subprocess.run(["bash", "-e", "-x", "-o", "pipefail", "-c", script],
                              cwd=self.box / "work", env=env, capture_output=True, text=True, timeout=300,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == 0, "exit %d\n%s\n--- stdout ---\n%s\n--- stderr ---\n%s" % (
            done.returncode, script, done.stdout, done.stderr)
        return done.stdout

    def save(self, block):
        (self.box / "work" / block.name).write_text(self.here(block.text))
        if "\nkind:" in block.text:
            self.shell("sallyportd --check %s" % block.name)
        else:
            self.shell("sallyportd --check --config %s" % block.name)

    def play(self, block):
        if block.name:
            self.save(block)
        else:
            self.shell(self.here("\n".join(block.commands())))


def block_named(name):
    for page in PAGES:
        for block in blocks(page):
            if block.name == name:
                return block
    raise AssertionError("no example is called %s" % name)


@pytest.fixture
def sandbox(box, daemons, ca, http_port, https_port, origins):
    return Sandbox(box, daemons, ca, (http_port, https_port), origins).start()


@pytest.mark.parametrize("page", PAGES)
def test_every_example_of(page, sandbox):
    for name in BEFORE.get(page, ()):
        sandbox.save(block_named(name))
        sandbox.shell("sallyport apply -f " + name)
    if page == "sallyport-troubleshooting.7":
        make_trouble(sandbox)
    for block in blocks(page):
        sandbox.play(block)
    AFTER.get(page, lambda _: None)(sandbox)


def make_trouble(sandbox):
    """A request that ends in 503: its backend refuses the connection."""
    daemon = sandbox.daemon
    dead = sandbox.box / "run" / "app" / "dead.sock"
    daemon.apply(world.backend("dead", str(dead)),
                 world.route("dead", world.rule("dead", path="/dead"), parent="web", section="http"))
    wait_for(lambda: "503" in sandbox.shell(
        "curl -sS -o out -w '%{http_code}' http://www.example.com/dead"), "an answer with 503")
    wait_for(lambda: " 503 " in (sandbox.box / "log" / "access.log").read_text(), "the access log")


# What must have come of a page's examples.

def after_sallyport(sandbox):
    assert sandbox.daemon.list("gateways") == [], "delete -f leaves nothing"
    assert sandbox.origins[0].requests, "curl has reached the service"


def after_sallyportd(sandbox):
    assert sandbox.daemon.exists("namespaces", "team", None)
    assert (sandbox.box / "root" / "save.db").stat().st_size > 0


def after_httproute(sandbox):
    for name in ("shop", "to-https", "canary", "hsts"):
        sandbox.daemon.wait_condition("httproutes", name, "Accepted", of=world.parent_status)
        sandbox.daemon.wait_condition("httproutes", name, "ResolvedRefs", of=world.parent_status)


def after_backend(sandbox):
    sandbox.daemon.wait_condition("backends", "pages", "Accepted")


def after_certificate(sandbox):
    sandbox.daemon.wait_condition("certificates", "example-com", "Ready", timeout=60)
    assert sandbox.daemon.get("secrets", "bought")["type"] == "kubernetes.io/tls"


def after_gateway(sandbox):
    for name in ("web", "internal", "apps"):
        sandbox.daemon.wait_condition("gateways", name, "Accepted")


AFTER = {
    "sallyport.1": after_sallyport,
    "sallyportd.8": after_sallyportd,
    "sallyport-httproute.5": after_httproute,
    "sallyport-backend.5": after_backend,
    "sallyport-certificate.5": after_certificate,
    "sallyport-gateway.5": after_gateway,
}


def recovery_session():
    """The commands that sallyport-troubleshooting(7) gives for a damaged database."""
    text = (MAN / "sallyport-troubleshooting.7").read_text().partition(".Sh EXAMPLES")[0]
    found = re.findall(r"^\.Bd .*-literal.*\n((?:.*\n)*?)\.Ed$", text, re.M)
    assert len(found) == 1 and "sqlite3" in found[0], "one session saves a damaged database"
    return plain(found[0])


def test_recovery_from_a_damaged_database(sandbox):
    """What can be read is saved as the manual says, and the daemon starts with it."""
    daemon = sandbox.daemon
    names = ["n%03d" % n for n in range(300)]
    daemon.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in names))
    daemon.stop()
    database = pathlib.Path(daemon.state) / "sallyport.db"
    damage(database, b"n150")
    assert "is damaged" in daemon.fails()
    subprocess.run(["bash", "-e", "-c", recovery_session()], cwd=daemon.state, check=True,
                   env=clean_env(), capture_output=True, timeout=60)
    (database.parent / "new.db").rename(database)
    for name in ("sallyport.db-wal", "sallyport.db-shm"):
        (database.parent / name).unlink(missing_ok=True)
    daemon.start()
    saved = [o["metadata"]["name"] for o in daemon.list("namespaces")]
    assert len([n for n in names if n in saved]) > 200, saved


def damage(database, near):
    """Overwrites the head of the page in which those bytes stand last."""
    data = bytearray(database.read_bytes())
    size = int.from_bytes(data[16:18], "big")
    page = data.rindex(near) // size
    assert page > 1, "the page of the schema stays"
    data[page * size:page * size + 64] = b"\xff" * 64
    database.write_bytes(data)


def test_metrics_are_well_formed(daemon):
    """Each name is introduced once (Prometheus refuses more), and sallyport-metrics(7) knows it."""
    status, body = daemon.raw("GET", "/metrics")
    text, page = body.decode(), (MAN / "sallyport-metrics.7").read_text()
    assert status == 200
    for word in ("HELP", "TYPE"):
        names = re.findall(r"^# %s (\S+) " % word, text, re.M)
        assert names and len(names) == len(set(names)), names
        for name in names:
            known = "\n.It %s\n" % name.replace("sallyport_", "") in page
            assert known or re.search(r"^\.Cm .*\b%s\b" % name, page, re.M), name  # of every process
    samples = [line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(samples) == len(set(samples)), samples
