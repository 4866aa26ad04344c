"""Many long uploads at once, over every pair of protocols: all of each arrives, and none stands still."""
import json
import os
import subprocess
import zlib

import pytest

import world
from proc import clean_env, free_port
from test_backend_tls import ca_map, h2_origins, pki, policy  # noqa: F401 (fixtures)

NAME = "bulk.test"
UPLOADS = 12
AT_ONCE = 6
FRONTS = (("http", "--http1.1"), ("https", "--http1.1"), ("https", "--http2"))


@pytest.fixture
def ports(daemon, origin, pki, h2_origins, box):
    """A port without TLS and one with it, before three backends: HTTP/1.1, HTTP/2, HTTP/2 with TLS."""
    cert, key = pki.sign("front", "DNS:" + NAME)
    plain, secure = free_port(), free_port()
    h2c, h2 = h2_origins(), h2_origins(tls=pki.server("DNS:app.inside", alpn=("h2",)))
    daemon.apply(
        world.secret("front", {"tls.crt": cert.read_text(), "tls.key": key.read_text()}),
        world.gateway(daemon.address, [world.listener("http", plain), world.listener("https", secure, secret="front")]),
        ca_map(pki), policy("h2"),
        world.backend("h1", (origin.host, origin.port)),
        world.backend("h2c", (h2c.host, h2c.port), appProtocols=["gateway.envoyproxy.io/h2c"]),
        world.backend("h2", (h2.host, h2.port)),
        world.route("all", *[world.rule(name, path="/" + name, filters=[{"type": "URLRewrite", "urlRewrite": {
            "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/sink"}}}]) for name in ("h1", "h2c", "h2")]))
    daemon.wait_programmed()
    return {"http": plain, "https": secure}


def upload(daemon, scheme, port, version, path, file, box):
    """What came back for each of UPLOADS transfers, AT_ONCE at a time."""
    answers = [box / ("answer.%d" % i) for i in range(UPLOADS)]
    for answer in answers:
        answer.unlink(missing_ok=True)
    one = ["--silent", "--show-error", "--fail", "--insecure", version, "--max-time", "45", "--header", "Expect:",
           "--resolve", "%s:%d:%s" % (NAME, port, daemon.address), "--data-binary", "@%s" % file,
           "%s://%s:%d%s" % (scheme, NAME, port, path)]
    command = ["curl", "--parallel", "--parallel-max", str(AT_ONCE)]
    for answer in answers:
        command += one + ["--output", answer, "--next"]
    done = subprocess.run(command[:-1], env=clean_env(), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, "%s %s %s: exit status %d\n%s" % (scheme, version, path, done.returncode,
                                                                 done.stderr[-2000:])
    return [answer.read_bytes() for answer in answers]


@pytest.mark.parametrize("scheme,version", FRONTS)
def test_uploads_arrive(daemon, ports, box, scheme, version):
    file, content = box / "content", os.urandom(1 << 20)
    file.write_bytes(content)
    port = ports[scheme]
    due = {"length": len(content), "crc": zlib.crc32(content)}
    for said in upload(daemon, scheme, port, version, "/h1", file, box):
        assert json.loads(said) == due
    for echo in upload(daemon, scheme, port, version, "/h2c", file, box):
        assert echo == content
    for echo in upload(daemon, scheme, port, version, "/h2", file, box):
        assert echo == content
