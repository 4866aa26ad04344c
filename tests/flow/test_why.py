"""describe certificate names the cause and the fix: each set-up is a real one, and so are the daemon's words."""
import base64
import http.server
import json
import re
import socket
import threading

import pytest

import world
from proc import has_ipv6, wait_for


def why(daemon, name="c", kind="certificate"):
    """The last part of describe, as one line; every line of it fits a terminal."""
    out = daemon.cli("describe", kind, name).stdout
    part = out[re.search(r"^Why ", out, re.M).start():]
    assert all(len(line) <= 80 for line in part.splitlines() if " " in line.strip()[12:]), part
    return " ".join(part.split())


def told(daemon, cause, *more, name="c", kind="certificate"):
    """Waits until that cause is named; with it stands a fix, what was said, and what is next."""
    def there():
        text = why(daemon, name, kind)
        assert "Cause: " + cause in text, text
        assert " Fix: " in text and " Said: " in text, text
        for word in more:
            assert word in text, (word, text)
        return text
    return wait_for(there, "the cause: " + cause, alive=daemon.process)


def issuer(ca, *solvers, **acme):
    return world.acme_issuer(ca, **dict(acme, **({"solvers": list(solvers)} if solvers else {})))


def test_name_missing(site, make_ca, daemons, folder_names):
    daemon = daemons(dns=folder_names.address).start()
    daemon.apply(issuer(site.ca), world.gateway(daemon.address, [world.listener("http", site.http_port)]),
                 world.certificate("c", "missing.test"))
    told(daemon, "The name does not exist in DNS, or has no address.", "missing.test", "Next try: ")


@pytest.fixture
def folder_names(box):
    """A name server that knows no addresses."""
    from acme_ca import NameServer
    server = NameServer(box, default_ipv4="", default_ipv6="")
    yield server
    server.stop()


def test_name_server_fails(site):
    site.ca.names.fails("broken.test")
    site.daemon.apply(issuer(site.ca), site.http_gateway(), world.certificate("c", "broken.test"))
    told(site.daemon, "The name servers of the domain fail.", "SERVFAIL")


def test_firewall(site, make_ca):
    """The CA finds nothing at the port it looks at; its words are told as they are."""
    ca = make_ca(http_port=9)
    ca.names.name(site.name, site.address)
    site.daemon.apply(issuer(ca), site.http_gateway(), world.certificate("c", site.name))
    text = told(site.daemon, "The CA cannot connect to port 80 of the name", "connection refused", "Next try: 20",
                "Failed: 20", "security groups")
    out = site.daemon.cli("describe", "certificate", "c").stdout
    assert "the CA has the order" in out and "the order is invalid: Connection" in out, (out, text)
    said = site.daemon.get("certificates", "c")["status"]["conditions"]
    assert any("connection refused" in c["message"] for c in said)


def test_port_held_by_another_server(site):
    with socket.create_server((site.address, site.http_port)):
        site.daemon.apply(issuer(site.ca), site.http_gateway(), world.certificate("c", site.name))
        told(site.daemon, "Another server of this host has port 80", "Stop that server")


def test_https_only(site):
    site.daemon.apply(issuer(site.ca), world.gateway(
        site.address, [world.listener("https", site.https_port, site.name, "c")]), world.certificate("c", site.name))
    told(site.daemon, "HTTP-01 is answered by an HTTP listener, and no Gateway has one.", "protocol HTTP on port 80")


@pytest.mark.skipif(not has_ipv6(), reason="this host has no IPv6")
def test_stale_aaaa(site):
    site.ca.names.name(site.name, site.address, "::1")
    site.daemon.apply(issuer(site.ca), site.http_gateway(), world.certificate("c", site.name))
    told(site.daemon, "The name has an AAAA record, and nothing listens on that IPv6 address.", "::1")


def test_one_of_two_addresses(site):
    other = "127.99.%s" % site.address.split(".", 2)[2]
    site.ca.names.name(site.name, site.address, other)
    site.daemon.apply(issuer(site.ca), site.http_gateway(), world.certificate("c", site.name))
    told(site.daemon, "One of the addresses of the name is this host's, and nothing listens there.", other)


def test_wildcard(site):
    site.daemon.apply(issuer(site.ca), site.http_gateway(), world.certificate("c", "*." + site.name))
    told(site.daemon, "A wildcard name cannot be proved over HTTP.", "dns01")


def test_no_solver(site):
    solver = {"selector": {"dnsNames": ["other.test"]}, "http01": {"gatewayHTTPRoute": {}}}
    site.daemon.apply(issuer(site.ca, solver), site.http_gateway(), world.certificate("c", site.name))
    told(site.daemon, "No solver of the issuer is for this name", "dnsZones")


def test_refused_by_policy(site, make_ca):
    ca = make_ca(block=["refused.test"])
    ca.names.name("www.refused.test", site.address)
    site.daemon.apply(issuer(ca), site.http_gateway(), world.certificate("c", "www.refused.test"))
    told(site.daemon, "The CA does not sign for this name", "Next try: 20")


def test_untrusted(site):
    bad = issuer(site.ca)
    del bad["spec"]["acme"]["caBundle"]
    site.daemon.apply(bad, site.http_gateway(), world.certificate("c", site.name))
    told(site.daemon, "The CA's own HTTPS certificate is signed by nobody this host trusts.", "caBundle")
    told(site.daemon, "The CA's own HTTPS certificate", name="ca", kind="clusterissuer")


def test_directory(site):
    bad = issuer(site.ca)
    bad["spec"]["acme"]["server"] = site.ca.directory.replace("/dir", "/nothing-here")
    site.daemon.apply(bad, site.http_gateway(), world.certificate("c", site.name))
    told(site.daemon, "spec.acme.server of the issuer is not the URL of an ACME directory.")


def test_deactivated_account(site):
    site.daemon.apply(issuer(site.ca), site.http_gateway())
    site.daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)
    done = site.daemon.cli("account", "deactivate", "ca", "--yes", "--wait")
    assert done.stdout.endswith("ca deactivated\n"), done
    site.daemon.apply(world.certificate("c", site.name))
    told(site.daemon, "The account at the CA is deactivated, by you or by the CA.", "privateKeySecretRef")


def test_issuer_missing(site):
    site.daemon.apply(site.http_gateway(), world.certificate("c", site.name))
    told(site.daemon, "The issuer that the Certificate names does not exist.", "spec.issuerRef")


def test_shared_secret(site):
    site.daemon.apply(world.self_signed(), world.certificate("a", site.name, issuer="self"))
    site.daemon.wait_ready_certificate("a")
    second = world.certificate("c", site.name, issuer="self")
    second["spec"]["secretName"] = "a"
    site.daemon.apply(second)
    told(site.daemon, "Two Certificates want the same Secret.", "secretName")


class Directory:
    """A CA that answers its directory and refuses every account with a problem of its own."""

    def __init__(self, folder, problem):
        import ssl
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def send(self, status, body, kind):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Replay-Nonce", "bm9uY2U")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            def do_GET(self):
                self.send(200, outer.listing, "application/json")

            def do_HEAD(self):
                self.send(200, {}, "application/json")

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send(problem.get("status", 400), dict(
                    problem, type="urn:ietf:params:acme:error:" + problem["type"]), "application/problem+json")

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        base = "https://localhost:%d" % self.server.server_address[1]
        self.directory = base + "/dir"
        self.ca_bundle = base64.b64encode((folder / "tls-ca.pem").read_bytes()).decode()
        self.listing = {"newNonce": base + "/nonce", "newAccount": base + "/account", "newOrder": base + "/order",
                        "revokeCert": base + "/revoke", "keyChange": base + "/key",
                        "meta": {"externalAccountRequired": problem["type"] == "externalAccountRequired"}}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.parametrize("problem, cause", [
    ({"type": "externalAccountRequired", "detail": "customers only"}, "The CA makes accounts only for its customers"),
    ({"type": "rateLimited", "status": 429, "detail": "too many new registrations"}, "The CA's limit is reached"),
])
def test_account_refused(site, problem, cause):
    ca = Directory(site.ca.folder, problem)
    try:
        site.daemon.apply(issuer(ca), site.http_gateway(), world.certificate("c", site.name))
        told(site.daemon, cause, problem["detail"])
    finally:
        ca.stop()


def test_wrong_binding(site):
    """The key ID or its HMAC key is not the CA's."""
    ca = Directory(site.ca.folder, {"type": "unauthorized", "status": 403, "detail": "unknown key ID"})
    try:
        bound = issuer(ca, externalAccountBinding={"keyID": "kid-1", "keySecretRef": {"name": "eab", "key": "secret"}})
        site.daemon.apply(world.secret("eab", {"secret": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"}, "Opaque",
                                       "sallyport-system"), bound, site.http_gateway(),
                          world.certificate("c", site.name))
        text = told(site.daemon, "The CA refuses the external account binding", "unknown key ID")
        assert "c2VjcmV0" not in text
    finally:
        ca.stop()


def test_nothing_is_wrong(site):
    site.up()
    assert "Why " not in site.daemon.cli("describe", "certificate", "edge-tls").stdout
    assert "Why " not in site.daemon.cli("describe", "clusterissuer", "ca").stdout
