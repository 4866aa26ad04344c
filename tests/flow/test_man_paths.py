"""The examples of sallyport-httproute(5), Path normalisation, are what the daemon does."""
import os
import re
import socket

import world

PAGE = os.path.join(world.TOP, "man", "sallyport-httproute.5")


def examples():
    with open(PAGE, encoding="utf-8") as file:
        section = re.search(r"^\.Ss Path normalisation\n(.*?)^\.S[sh] ", file.read(), re.M | re.S).group(1)
    return re.findall(r"^\.It (/\S*) Ta (\S+)$", section, re.M)


def status_of(address, port, path):
    with socket.create_connection((address, port), 20) as raw:
        raw.sendall(b"GET %s HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n" % path.encode())
        got = raw.recv(65536)
    return got.split()[1].decode()


def test_paths_are_normalised_as_the_page_says(daemon, origin, http_port):
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]),
                 world.backend("app", (origin.host, origin.port)),
                 world.route("site", world.rule("app")))
    daemon.wait_programmed()
    found = examples()
    assert len(found) > 15
    for asked, sent in found:
        before = len(origin.requests)
        status = status_of(daemon.address, http_port, asked)
        reached = [request.target for request in origin.requests[before:]]
        assert (status, reached) == (("400", []) if sent == "400" else ("200", [sent])), asked
