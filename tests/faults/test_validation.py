"""FAULTS.md, section 10: what the authority, and others, ask our listener for."""
import concurrent.futures
import http.client

import pytest

from proc import has_ipv6, wait_for
import web
import world

PATH = "/.well-known/acme-challenge/"


def challenge(client):
    """The token and the answer to it of the challenge under way."""
    def there():
        found = [c for c in client.daemon.list("challenges", "default") if c["status"].get("presented")]
        return found[0]["spec"]["token"], found[0]["spec"]["key"]
    return wait_for(there, "a challenge", alive=client.daemon.process)


def asked(client, token, host, method="GET", target=None):
    return web.get(client.daemon.address, client.lab.http_port, host, target or PATH + token, None, method)


@pytest.fixture
def pending(client, lab):
    """A challenge that the authority never comes to an end with; its name, token and answer."""
    client.up()
    lab.set("authz-pending:sec=100000,retry_after=60", "order-pending:sec=100000,retry_after=60")
    host = client.ask()[0]
    return (host,) + challenge(client)


def test_f87_three_validations_and_late(make_lab, make_client):
    """Answered until the authorization is final; then no more."""
    lab = make_lab("--va-sleep", "2")
    client = make_client(lab).up()
    host = client.ask()[0]
    token, key = challenge(client)
    answer = asked(client, token, host)
    assert (answer.status, answer.body.decode()) == (200, key)
    client.ready()
    assert lab.gave_up() == 0 and lab.orders() == 1 and lab.violations() == []
    wait_for(lambda: asked(client, token, host).status == 404, "the token to be forgotten")


@pytest.mark.parametrize("wrong", ["servfail", "elsewhere"])
def test_f88_name_leads_elsewhere(client, lab, wrong):
    """Told with what was found; no order is burnt; and it goes on when the name is right."""
    client.up()
    host = client.name()
    if wrong == "servfail":
        lab.tell("set-servfail", host=host + ".")
    else:
        lab.name(host, "127.0.0.9")
    client.daemon.apply(world.certificate("cert", host, privateKey={"algorithm": "ECDSA", "size": 256}))

    def told():
        found = client.daemon.condition("certificates", "cert", "Issuing")
        assert host in found["message"], found
        assert wrong == "servfail" or "127.0.0.9" in found["message"], found
        return True
    wait_for(told, "the self-check to say so", 40, alive=client.daemon.process)
    assert lab.count("neworder") == 0 and client.serial() is None
    if wrong == "servfail":
        lab.tell("clear-servfail", host=host + ".")
    lab.name(host, client.daemon.address)

    def goes_on():
        client.later(60)
        return client.serial()
    wait_for(goes_on, "the certificate", 60, every=0.2, alive=client.daemon.process)


def test_f89_only_ipv4(client, lab):
    client.up()
    client.issue()
    assert lab.count("chal") == 1


@pytest.mark.skipif(not has_ipv6(), reason="this host has no IPv6")
def test_f89_only_ipv6(make_client, make_lab):
    lab = make_lab("--ipv6", "::1", "--ipv4", "")
    client = make_client(lab)
    client.daemon.address = "::1"
    client.base = "six.example.com"
    client.up()
    client.issue()
    assert lab.count("chal") == 1 and lab.violations() == []


def test_f90_who_is_answered(client, lab, pending, origins):
    host, token, key = pending
    assert asked(client, token, host).body.decode() == key
    for same in (host.upper(), "%s:%d" % (host, lab.http_port), host + "."):
        assert asked(client, token, same).body.decode() == key, same
    absolute = asked(client, token, host, target="http://%s%s%s" % (host, PATH, token))
    assert absolute.body.decode() == key
    head = asked(client, token, host, "HEAD")
    assert head.status == 200 and head.body == b""
    # Only our own tokens, with their name; the rest is routed like any request.
    strange = [("x" * 43, host), (token, "other.example.com"), (token + "x", host), ("", host), ("..%2f", host)]
    for other, name in strange:
        answer = asked(client, other, name)
        assert answer.status in (400, 404) and key not in answer.body.decode(), (other, name)
    origin = origins("other client")
    client.daemon.apply(world.backend("other", (origin.host, origin.port)),
                        world.route("all", world.rule("other")))

    def routed():
        return asked(client, "x" * 43, host).status == 200 and origin.requests
    wait_for(routed, "the backend to be asked")
    assert asked(client, token, host).body.decode() == key


def test_f91_challenge_wins(client, lab, pending, origins):
    """Over a redirect to HTTPS, and over a route of exactly this path."""
    host, token, key = pending
    origin = origins("thief")
    client.daemon.apply(
        world.route("redirect", world.rule(filters=[world.redirect(scheme="https")])),
        world.backend("thief", (origin.host, origin.port)),
        world.route("exact", world.rule("thief", path=PATH + token), hostnames=[host]))
    wait_for(lambda: asked(client, "x" * 43, "any.example.com").status in (301, 302), "the redirect")
    wait_for(lambda: asked(client, token + "/sub", host).status == 200 and origin.requests, "the route")
    answer = asked(client, token, host)
    assert (answer.status, answer.body.decode()) == (200, key)
    lab.clear()
    client.later(70)
    client.ready()


def test_f92_flood(client, lab, pending):
    """Thousands of questions: the memory stays, and the authority is still answered."""
    host, token, _ = pending

    def flood(number):
        good = 0
        connection = http.client.HTTPConnection(client.daemon.address, lab.http_port, timeout=20)
        for n in range(300):
            connection.request("GET", PATH + (token if n % 3 == 0 else "t%d-%d" % (number, n)),
                               headers={"Host": host})
            response = connection.getresponse()
            response.read()
            good += response.status == 200
        connection.close()
        return good
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(flood, range(4)))
        before = client.daemon.process.memory()
        assert list(pool.map(flood, range(8))) == [100] * 8
        lab.clear()
        under_way = [pool.submit(flood, n) for n in range(4)]
        client.later(70)
        client.ready()
        for each in under_way:
            each.result()
    assert client.daemon.process.memory() - before < 8 << 20
    assert lab.gave_up() == 0 or client.failures() == 0
