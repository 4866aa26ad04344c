"""examples/ as an administrator meets them: applied as they are, but for ports and the authority."""
import base64
import json
import os
import re
import shutil
import ssl

import pytest

import web
from h2_origin import H2Origin
from proc import TOP, Process, free_port, run, wait_for

SERVER = "https://acme-v02.api.letsencrypt.org/directory"


class Example:
    """A copy of one example in which ports (and, where asked, names) are those of the test."""

    def __init__(self, name, box, daemon, changes):
        self.folder = box / name
        shutil.copytree(os.path.join(TOP, "examples", name), self.folder)
        self.daemon = daemon
        for path in self.folder.rglob("*.yaml"):
            text = path.read_text()
            for old, new in changes:
                text = re.sub(old, new, text, flags=re.M)
            path.write_text(text)

    def apply(self, *names):
        arguments = [a for n in names or [""] for a in ("-f", str(self.folder / n))]
        return self.daemon.cli("apply", *arguments)


@pytest.fixture
def ports(daemon):
    """(http, https, changes): the doors of an example, moved where they are free."""
    http, https = free_port(), free_port()
    return http, https, [(r"port: 80$", "port: %d" % http), (r"port: 443$", "port: %d" % https)]


def acme_changes(ca):
    return [("server: " + re.escape(SERVER), "server: %s\n    caBundle: %s" % (ca.directory, ca.ca_bundle))]


def served(ask, what, status=200):
    """The first answer with that status: workers take a route over a moment after the Gateway."""
    def there():
        answer = ask()
        assert answer.status == status, answer
        return answer
    return wait_for(there, what)


def blind(ca):
    return web.tls_context(ca.root, verify=False)


def test_quickstart(daemon, ca, make_ca, origin, ports, box, names):
    http, https, changes = ports
    name = "www.example.com"
    names.name(name, "127.0.0.1")
    real = make_ca(http_port=http)
    example = Example("quickstart", box, daemon,
                      changes + acme_changes(real) + [("port: 8080", "port: %d" % origin.port)])
    example.apply()
    daemon.cli("wait", "--for=condition=Ready", "certificate/quickstart-tls", "--timeout=30s")
    answer = served(lambda: web.get("127.0.0.1", https, name, "/", blind(ca)), "HTTPS")
    assert answer.field("x-origin") == "app"
    answer = served(lambda: web.get("127.0.0.1", http, name, "/a"), "the redirect", 301)
    assert answer.field("location") == "https://www.example.com/a"
    # The README's second half: a real certificate.
    example.apply("", "letsencrypt/")
    daemon.cli("annotate", "--overwrite", "gateway/quickstart", "cert-manager.io/cluster-issuer=letsencrypt")
    tls = web.tls_context(real.root)
    wait_for(lambda: web.get("127.0.0.1", https, name, "/", tls).status == 200, "a real certificate", 30,
             alive=daemon.process)
    daemon.cli("wait", "--for=condition=Ready", "certificate/quickstart-tls", "--timeout=30s")
    assert name in daemon.cli("status").stdout


def test_tutorial(daemon, make_ca, origin, ports, box, names):
    http, https, changes = ports
    name = "shop.example.com"
    names.name(name, "127.0.0.1")
    ca = make_ca(http_port=http)
    example = Example("tutorial", box, daemon,
                      changes + acme_changes(ca) + [("port: 8080", "port: %d" % origin.port)])
    example.apply("1-http.yaml")
    daemon.cli("wait", "--for=condition=Programmed", "gateway/shop", "--timeout=30s")
    assert web.get("127.0.0.1", http, name).status == 200
    example.apply("2-https.yaml")
    wait_for(lambda: daemon.exists("certificates", "shop-tls"), "the Certificate")
    daemon.cli("wait", "--for=condition=Ready", "certificate/shop-tls", "--timeout=60s")
    with web.H2Connection("127.0.0.1", https, name, web.tls_context(ca.root, ("h2",))) as connection:
        assert connection.ask().status == 200
    assert web.get("127.0.0.1", http, name).status == 200
    example.apply("3-redirect.yaml")
    answer = wait_for(lambda: (lambda a: a.status == 301 and a)(web.get("127.0.0.1", http, name)), "the redirect")
    assert answer.field("location") == "https://shop.example.com/"
    assert web.get("127.0.0.1", https, name, "/", web.tls_context(ca.root)).status == 200
    daemon.cli("delete", *(a for f in ("3-redirect", "2-https", "1-http")
                           for a in ("-f", str(example.folder / (f + ".yaml")))), check=False)

    def gone():
        try:
            return not web.get("127.0.0.1", http, name)
        except ConnectionRefusedError:
            return True
    wait_for(gone, "the port to be closed")


def test_several_services(daemon, ca, ports, box):
    http, https, changes = ports
    shop, next_, api = free_port(), free_port(), free_port()
    blog = str(box / "blog.sock")
    example = Example("several-services", box, daemon, changes + [
        ("port: 8081", "port: %d" % shop), ("port: 8082", "port: %d" % next_),
        ("port: 8083", "port: %d" % api), ("/tmp/blog.sock", blog)])
    services = Process("services", [example.folder / "services.py", "shop=%d" % shop, "shop-next=%d" % next_,
                                    "shop-api=%d" % api, "blog=" + blog], box / "services.log")
    try:
        wait_for(lambda: services.text().count("listens") == 4, "the services", alive=services)
        example.apply()
        daemon.cli("wait", "-n", "front", "--for=condition=Ready", "certificate/shop-tls",
                   "certificate/blog-tls", "--timeout=30s")

        def served(host, target="/", **fields):
            return web.get("127.0.0.1", https, host, target, blind(ca), "GET",
                           {k.replace("_", "-"): v for k, v in fields.items()})
        wait_for(lambda: served("shop.example.com").status == 200, "the shop")
        assert served("blog.example.com").field("x-service") == "blog"
        answer = served("shop.example.com", "/api/things")
        assert answer.field("x-service") == "shop-api" and b"x-team: shop" in answer.body.lower()
        assert served("shop.example.com", X_Preview="yes").field("x-service") == "shop-next"
        found = {served("shop.example.com").field("x-service") for _ in range(100)}
        assert found == {"shop", "shop-next"}
        assert web.get("127.0.0.1", http, "blog.example.com").field("location") == "https://blog.example.com/"
    finally:
        services.kill()


def test_backend_protocols(daemon, origins, ports, box):
    http, _, changes = ports
    commands = re.findall(r"^    (openssl re.*|openssl x509.*|echo .*|\{ printf.*)$", open(os.path.join(
        TOP, "examples", "backend-protocols", "README.md"), encoding="utf-8").read(), re.M)
    for command in commands:
        run("sh", "-c", "cd %s && %s" % (box, command))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(box / "shop.pem", box / "shop.key")
    shop, api = origins("shop", tls=context), H2Origin()
    example = Example("backend-protocols", box, daemon, changes + [
        ("port: 8443", "port: %d" % shop.port), ("port: 50051", "port: %d" % api.port)])
    try:
        example.apply()
        daemon.cli("apply", "-f", box / "ca.yaml")
        daemon.wait_programmed("protocols")
        answer = served(lambda: web.get("127.0.0.1", http, "shop.example.com"), "the shop")
        assert answer.field("x-origin") == "shop"
        assert web.get("127.0.0.1", http, "api.example.com", "/a").field("x-path") == "/a"
    finally:
        api.stop()


def test_every_example_is_valid(daemons):
    """Offline, unchanged: what is in the folder is what an administrator applies."""
    folders = [root for root, _, files in os.walk(os.path.join(TOP, "examples"))
               if any(f.endswith(".yaml") for f in files)]
    assert len(folders) >= 4
    daemon = daemons()
    for folder in folders:
        run(daemon.program, "--check", folder)


def test_private_ca(daemon, origin, box):
    port = free_port()
    example = Example("private-ca", box, daemon,
                      [(r"port: 8443$", "port: %d" % port), (r"port: 8080$", "port: %d" % origin.port)])
    example.apply("1-authority.yaml", "2-client.yaml")
    for name in ("inside-ca", "alice"):
        daemon.cli("wait", "--for=condition=Ready", "certificate/" + name, "--timeout=30s")
    files = {}
    for secret, key in (("inside-ca", "tls.crt"), ("alice", "tls.crt"), ("alice", "tls.key")):
        text = daemon.cli("get", "secret", secret, "-o",
                          "jsonpath={.data['%s']}" % key.replace(".", "\\.")).stdout
        files[secret, key] = box / (secret + "." + key)
        files[secret, key].write_bytes(base64.b64decode(text))
    root = files["inside-ca", "tls.crt"]
    trusted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "inside-ca"},
               "data": {"ca.crt": root.read_text()}}
    (box / "trusted.json").write_text(json.dumps(trusted))
    daemon.cli("apply", "-f", str(box / "trusted.json"))
    example.apply("3-gateway.yaml")
    daemon.cli("wait", "--for=condition=Ready", "certificate/wiki-inside", "--timeout=30s")
    alice = web.tls_context(root)
    alice.load_cert_chain(files["alice", "tls.crt"], files["alice", "tls.key"])
    answer = served(lambda: web.get("127.0.0.1", port, "wiki.inside", "/", alice), "the wiki")
    assert answer.field("x-origin") == "app"
    with pytest.raises(OSError):
        web.get("127.0.0.1", port, "wiki.inside", "/", web.tls_context(root))
