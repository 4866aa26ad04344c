"""A real browser, with all that a page may want of a gateway. With --kits only: the browser is large."""
import base64
import hashlib
import shutil
import subprocess

import pytest

import world
from proc import Process, free_port, run
from browser_site import Site

NAME = "www.example.com"
WANTED = ["small 150", "upload 5242880", "download 8388608", "events 5", "websocket 20 clean", "left, then /after", "h2"]


def key_hash(cert):
    """What the browser is told to trust: this key, and no other."""
    key = subprocess.run("openssl x509 -in %s -noout -pubkey | openssl pkey -pubin -outform der" % cert, shell=True,
                         check=True, capture_output=True).stdout
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


@pytest.mark.heavy
@pytest.mark.skipif(not shutil.which("chromium"), reason="Debian's chromium is not installed")
def test_a_page_with_everything(daemon, box):
    cert, key, port = box / "site.pem", box / "site.key", free_port()
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
        "-out", cert, "-days", "30", "-subj", "/CN=" + NAME, "-addext", "subjectAltName=DNS:" + NAME)
    site = Site(daemon.address)
    daemon.apply(
        world.secret("site-tls", {"tls.crt": cert.read_text(), "tls.key": key.read_text()}),
        world.gateway(daemon.address, [world.listener("https", port, secret="site-tls")]),
        world.backend("app", site.server_address), world.route("site", world.rule("app")))
    daemon.wait_programmed()
    browser = Process("chromium", [
        "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--user-data-dir=%s" % (box / "profile"), "--ignore-certificate-errors-spki-list=" + key_hash(cert),
        "--host-resolver-rules=MAP %s %s" % (NAME, daemon.address), "--remote-debugging-port=0",
        "https://%s:%d/" % (NAME, port)], box / "chromium.log")
    try:
        assert site.reports.get(timeout=120).split("\n") == WANTED
    finally:
        browser.kill()
        site.shutdown()
