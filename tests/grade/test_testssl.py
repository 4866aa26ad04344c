"""testssl.sh against an HTTPS listener with nothing set: no finding of severity LOW or above.

It takes minutes, so scripts/test runs it with --kits only. What the site decides is left out: whether
its certificate names a place for revocation, and the security fields of its responses. HSTS is shown
to be one filter away: the example of sallyport-httproute(5) is in the route, and then it is no finding.
"""
import json
import pathlib
import re
import shutil
import subprocess

import pytest

import web
import world
from proc import TOP, clean_env, free_port, run, wait_for

NAME = "www.example.com"
SEVERITIES = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
# Of the site, not of the listener; and what the tool says of the openssl that it runs.
LEFT_OUT = {
    "cert_revocation": "the test's authority names neither CRL nor OCSP",
    "security_headers": "fields of the site's own",
    "banner_server": "a field of the site's own",
}


def sign(box):
    """A chain as an authority would give it, for longer than the tool's least of 60 days."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    (box / "leaf.ext").write_text("subjectAltName=DNS:%s,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n"
                                  "keyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:FALSE\n" % NAME)
    run("openssl", "req", "-x509", *key, "-keyout", box / "ca.key", "-out", box / "ca.pem", "-days", "400",
        "-subj", "/CN=grade CA")
    run("openssl", "req", "-new", *key, "-keyout", box / "leaf.key", "-out", box / "leaf.csr", "-subj", "/CN=" + NAME)
    run("openssl", "x509", "-req", "-in", box / "leaf.csr", "-CA", box / "ca.pem", "-CAkey", box / "ca.key",
        "-CAcreateserial", "-days", "90", "-extfile", box / "leaf.ext", "-out", box / "leaf.pem")


def hsts_filter():
    """The filter as the manual's example writes it."""
    page = (pathlib.Path(TOP) / "man" / "sallyport-httproute.5").read_text()
    value = re.search(r"name: Strict-Transport-Security\n *value: (.*)\n", page)
    assert value, "sallyport-httproute(5) shows how to set Strict-Transport-Security"
    return {"type": "ResponseHeaderModifier", "responseHeaderModifier": {
        "set": [{"name": "Strict-Transport-Security", "value": value.group(1).replace("\\-", "-")}]}}


@pytest.mark.heavy
@pytest.mark.skipif(not shutil.which("testssl"), reason="Debian's testssl.sh is not installed")
def test_nothing_is_found_on_a_default_listener(daemon, origin, box):
    sign(box)
    port = free_port()
    daemon.apply(
        world.secret("edge-tls", {"tls.crt": (box / "leaf.pem").read_text(),
                                  "tls.key": (box / "leaf.key").read_text()}),
        world.gateway(daemon.address, [world.listener("https", port, secret="edge-tls")]),
        world.backend("app", (origin.host, origin.port)),
        world.route("site", world.rule("app", filters=[hsts_filter()])))
    daemon.wait_programmed()
    tls = web.tls_context(box / "ca.pem")
    wait_for(lambda: web.get(daemon.address, port, NAME, tls=tls).status == 200, "HTTPS")
    found = box / "found.json"
    done = subprocess.run(
        ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", daemon.address,
         "--add-ca", box / "ca.pem", "--jsonfile", found, "%s:%d" % (NAME, port)],
        env=clean_env(), capture_output=True, text=True, timeout=1500, stdin=subprocess.DEVNULL)
    findings = json.loads(found.read_text())
    by_id = {f["id"]: f for f in findings}
    assert len(findings) > 50 and "TLS1_3" in by_id, done.stdout[-3000:] + done.stderr[-3000:]
    assert by_id["HSTS_time"]["severity"] == "OK", by_id["HSTS_time"]
    bad = ["%s %s: %s" % (f["severity"], f["id"], f["finding"]) for f in findings
           if f["severity"] in SEVERITIES and f["id"] not in LEFT_OUT]
    assert not bad, "\n".join(bad)
