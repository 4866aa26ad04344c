"""DNS-01 end to end: every solver, wildcards, delegation, propagation, failures told."""
import base64
import json
import os
import re
import shutil
import tempfile

import pytest

import dns01
import world
from acme_ca import Pebble
from proc import TOP, free_port, wait_for
from test_certificates import shown

SYSTEM = "sallyport-system"
KEY = {"algorithm": "ECDSA", "size": 256}


def text_secret(name, **data):
    return world.secret(name, data, kind="Opaque", ns=SYSTEM)


def issuer(ca, dns01_solver, *more, **acme):
    return world.acme_issuer(ca, solvers=[{"dns01": dns01_solver}] + list(more), **acme)


@pytest.fixture
def records(ca):
    return dns01.Records(ca.names)


@pytest.fixture
def services():
    made = []

    def add(service):
        made.append(service)
        return service
    yield add
    for service in made:
        service.stop()


def wildcard(daemon, ca, name, *objects):
    """A certificate for name and *.name, by nothing but DNS-01; no listener is there."""
    daemon.apply(*objects)
    daemon.apply(world.certificate("wild", name, "*." + name, privateKey=KEY))
    daemon.wait_ready_certificate("wild", timeout=60)
    text = shown(daemon.get("secrets", "wild"))
    assert "DNS:%s" % name in text and "DNS:*.%s" % name in text, text


def cleaned_up(daemon, records, left=None):
    """No Challenge is left, and no record but what was there before."""
    def gone():
        found = daemon.list("challenges")
        assert found == [] and records.left() == (left or {}), (found, records.log)
        return True
    wait_for(gone, "the records to go", 30, alive=daemon.process)


def test_webhook(daemon, ca, records, services):
    """Two values of one name at once; both are taken away again."""
    name = "hook-%s.example.test" % daemon.address.replace(".", "-")
    hook = services(dns01.webhook(records, token="sesame"))
    wildcard(daemon, ca, name, text_secret("hook-token", token="sesame"),
             issuer(ca, {"webhook": {"url": hook.url + "/solve", "tokenSecretRef": {"name": "hook-token"},
                                     "config": {"flavour": "plain"}}}))
    assert records.most("_acme-challenge." + name) == 2, records.log
    cleaned_up(daemon, records)
    first = json.loads(hook.requests[0][3])
    assert first["kind"] == "ChallengePayload" and first["request"]["config"] == {"flavour": "plain"}
    assert first["request"]["dnsName"] == name


@pytest.fixture
def knot(box):
    """A real name server with a zone; it is what daemons(dns=knot.address) ask."""
    made = []

    def make(zone, **how):
        made.append(dns01.Knot(box, zone, **how))
        return made[-1]
    yield make
    for server in made:
        server.stop()


# The services' records are shown by the session's name server, the zone itself is Knot's.
def service_issuer(ca, member, **config):
    return issuer(ca, {member: config, "nameservers": [ca.names.address]})


def test_cloudflare(daemons, ca, records, services, knot):
    zone = "cf.example.test"
    daemon = daemons(dns=knot(zone, more="localhost A 127.0.0.1").address).start()
    api = services(dns01.cloudflare(records, zone, "t0ken"))
    wildcard(daemon, ca, "www." + zone, text_secret("cf", **{"api-token": "t0ken\n"}), service_issuer(
        ca, "cloudflare", url=api.url + "/client/v4", apiTokenSecretRef={"name": "cf"}))
    assert records.most("_acme-challenge.www." + zone) == 2
    cleaned_up(daemon, records)


def test_route53(daemons, ca, records, services, knot):
    """Values of others stay, and a change that somebody got in the way of is made anew."""
    zone = "aws.example.test"
    name = "_acme-challenge.www." + zone
    daemon = daemons(dns=knot(zone).address).start()
    api = services(dns01.route53(records, zone, races=2))
    records.set(name, ["somebody's own"])
    wildcard(daemon, ca, "www." + zone, text_secret("aws", **{"secret-access-key": "s3cret"}), service_issuer(
        ca, "route53", url=api.url, region="us-east-1", accessKeyID="AKID",
        secretAccessKeySecretRef={"name": "aws"}))
    assert records.most(name) == 3
    cleaned_up(daemon, records, {name: ["somebody's own"]})


def test_acme_dns_by_delegation(daemons, ca, records, services, knot):
    """The CNAME is followed; an account that writes elsewhere is told so."""
    zone, full = "del.example.test", "5f3a.auth.del.example.test"
    server = knot(zone, more="_acme-challenge.www CNAME %s." % full)
    daemon = daemons(dns=server.address).start()
    api = services(dns01.acme_dns(records, {"5f3a": ("user-1", "pass-1", full),
                                            "77aa": ("user-2", "pass-2", "77aa.auth.del.example.test")}))
    account = {"username": "user-2", "password": "pass-2", "subdomain": "77aa",
               "fulldomain": "77aa.auth.del.example.test", "allowfrom": []}
    ca.names.tell("set-cname", host="_acme-challenge.www.%s." % zone, target=full + ".")
    daemon.apply(text_secret("acme-dns", **{"acmedns.json": json.dumps({"www." + zone: account})}),
                 service_issuer(ca, "acmeDNS", host=api.url, accountSecretRef={"name": "acme-dns"}))
    daemon.apply(world.certificate("wild", "www." + zone, "*.www." + zone, privateKey=KEY))
    wait_for(lambda: "the account for it writes to 77aa.auth.del.example.test" in
             daemon.condition("certificates", "wild", "Ready")["message"], "the reason", 30)
    account.update(username="user-1", password="pass-1", subdomain="5f3a", fulldomain=full)
    daemon.apply(text_secret("acme-dns", **{"acmedns.json": json.dumps({"www." + zone: account})}))
    daemon.wait_ready_certificate("wild", timeout=60)
    assert records.most(full) == 2


@pytest.fixture
def knot_ca(knot, box):
    """knot_ca(zone): a name server, and an authority that asks it."""
    made = []

    def make(zone, **how):
        server = knot(zone, **how)
        where = box / "pebble"
        where.mkdir()
        made.append(Pebble(where, server, free_port()))
        return server, made[-1]
    yield make
    for pebble in made:
        pebble.stop()


def rfc2136(server, algorithm="HMACSHA256", **more):
    return {"rfc2136": dict({"nameserver": server.address, "tsigKeyName": "acme.key",
                             "tsigAlgorithm": algorithm, "tsigSecretSecretRef": {"name": "update-key"}}, **more)}


@pytest.mark.parametrize("algorithm, word, protocol", [
    ("hmac-sha256", "HMACSHA256", "UDP"), ("hmac-sha512", "HMACSHA512", "TCP"),
    ("hmac-sha1", "hmac-sha1", "UDP"), ("hmac-md5", "HMACMD5", "UDP")])
def test_rfc2136(daemons, knot_ca, algorithm, word, protocol):
    """Updates of a real server; the record goes again."""
    zone = "upd.example.test"
    server, ca = knot_ca(zone, algorithm=algorithm)
    daemon = daemons(dns=server.address).start()
    wildcard(daemon, ca, "www." + zone, text_secret("update-key", **{"tsig-secret-key": server.SECRET}),
             issuer(ca, rfc2136(server, word, protocol=protocol)))
    wait_for(lambda: daemon.list("challenges") == [] and server.txt("_acme-challenge.www." + zone) == [],
             "the records to go", 30)
    metrics = daemon.raw("GET", "/metrics")[1].decode()
    counted = dict(re.findall(r'^sallyport_dns01_records_total{provider="rfc2136",action="(\w+)",outcome="ok"} (\d+)$',
                              metrics, re.M))
    assert int(counted["present"]) >= 1 and int(counted["cleanup"]) >= 1, metrics
    assert "\nsallyport_dns01_propagation_timeouts_total 0\n" in metrics


def test_rfc2136_says_what_is_wrong(daemons, knot_ca):
    """A wrong secret, then a server that is not the zone's: told, and mended without a new order."""
    zone = "bad.example.test"
    server, ca = knot_ca(zone)
    daemon = daemons(dns=server.address).start()

    def told(words):
        wait_for(lambda: words in daemon.condition("certificates", "wild", "Ready")["message"], words, 60)
    daemon.apply(text_secret("update-key", **{"tsig-secret-key": base64.b64encode(b"another").decode()}),
                 issuer(ca, rfc2136(server)), world.certificate("wild", "*." + zone, privateKey=KEY))
    told("the secret of the key \"acme.key\" is not the server's")
    daemon.apply(text_secret("update-key", **{"tsig-secret-key": server.SECRET}))
    daemon.wait_ready_certificate("wild", timeout=60)
    assert ca.orders() == 1


def test_delegated_zone(daemons, knot_ca):
    """The record is made where the CNAME leads, and the solver of the wildcard's zone is taken."""
    zone = "dlg.example.test"
    server, ca = knot_ca(zone, more="_acme-challenge.www CNAME www.challenges.%s." % zone)
    daemon = daemons(dns=server.address).start()
    wildcard(daemon, ca, "www." + zone, text_secret("update-key", **{"tsig-secret-key": server.SECRET}),
             issuer(ca, rfc2136(server), {"http01": {"gatewayHTTPRoute": {}}}))
    wait_for(lambda: server.txt("www.challenges." + zone) == [], "the records to go", 30)


def test_a_challenge_deleted_by_hand_leaves_nothing(daemons, knot_ca, box):
    """Its record cannot be taken away now, and then the daemon is killed: it is not forgotten."""
    zone = "del.example.test"
    server, ca = knot_ca(zone)
    (box / "second").mkdir()
    second = dns01.Knot(box / "second", zone)  # lacks the record: the Challenge stays as it is
    daemon = daemons(dns=server.address).start()
    try:
        solver = rfc2136(server)
        solver["nameservers"] = [server.address, second.address]
        daemon.apply(text_secret("update-key", **{"tsig-secret-key": server.SECRET}), issuer(ca, solver),
                     world.certificate("wild", "*." + zone, privateKey=KEY))
        wait_for(lambda: len(server.txt("_acme-challenge." + zone)) == 1, "the record", 60)
        wait_for(lambda: daemon.list("challenges")[0]["status"].get("presented"), "it to be noted")
        daemon.apply(text_secret("update-key", **{"tsig-secret-key": base64.b64encode(b"another").decode()}))
        daemon.cli("delete", "certificate", "wild")
        wait_for(lambda: daemon.list("orders") == [], "the order to go")
        first = daemon.list("challenges")[0]["metadata"]
        daemon.raw("DELETE", "/apis/acme.cert-manager.io/v1/namespaces/default/challenges/" + first["name"])
        back = wait_for(lambda: [c for c in daemon.list("challenges") if c["metadata"]["uid"] != first["uid"]],
                        "the Challenge to be there again")
        assert back[0]["status"]["cleanUp"] is True
        daemon.kill()
        daemon.start()
        assert len(server.txt("_acme-challenge." + zone)) == 1
        daemon.apply(text_secret("update-key", **{"tsig-secret-key": server.SECRET}))
        wait_for(lambda: server.txt("_acme-challenge." + zone) == [], "the record to go", 60)
        wait_for(lambda: daemon.list("challenges") == [], "the Challenge to go", 60)
    finally:
        second.stop()


def test_a_server_that_lacks_the_record_is_named(daemons, knot_ca, box):
    """The CA is not told before every server shows it."""
    zone = "lag.example.test"
    server, ca = knot_ca(zone)
    (box / "second").mkdir()
    second = dns01.Knot(box / "second", zone)
    daemon = daemons(dns=server.address).start()
    try:
        solver = rfc2136(server)
        solver["nameservers"] = [server.address, second.address]
        daemon.apply(text_secret("update-key", **{"tsig-secret-key": server.SECRET}), issuer(ca, solver),
                     world.certificate("wild", "*." + zone, privateKey=KEY))
        wait_for(lambda: second.address + ": the record is not there" in
                 daemon.condition("certificates", "wild", "Ready")["message"], "the server's name", 60)
        assert "POST /chalZ/" not in ca.log()
        # After a kill it goes on where it was.
        daemon.kill()
        daemon.start()
        values = server.txt("_acme-challenge." + zone)
        assert len(values) == 1
        second.add("_acme-challenge." + zone, values[0])
        daemon.wait_ready_certificate("wild", timeout=60)
        assert ca.orders() == 1
        wait_for(lambda: server.txt("_acme-challenge." + zone) == [], "the record to go", 30)
    finally:
        second.stop()


HOOK_DNSAPI = """#!/usr/bin/env sh
dns_lab_add() {
	_debug "adding" "$1"
	LAB_TOKEN="${LAB_TOKEN:-$(_readaccountconf_mutable LAB_TOKEN)}"
	_saveaccountconf_mutable LAB_TOKEN "$LAB_TOKEN"
	export _H1="Authorization: Bearer $LAB_TOKEN"
	_answer="$(_post "{\\"name\\":\\"$1\\",\\"value\\":\\"$2\\"}" "$LAB_URL/add" "" "POST" "application/json")"
	if ! _contains "$_answer" '"fine"'; then
		_err "the lab says: $_answer"
		return 1
	fi
}
dns_lab_rm() {
	export _H1="Authorization: Bearer $LAB_TOKEN"
	_post "{\\"name\\":\\"$1\\",\\"value\\":\\"$2\\"}" "$LAB_URL/remove" >/dev/null
}
"""

HOOK_LEGO = """#!/bin/sh
set -eu
case $1 in present) verb=add ;; cleanup) verb=remove ;; esac
curl -sS -H "Authorization: Bearer $LAB_TOKEN" --data "{\\"name\\":\\"${2%.}\\",\\"value\\":\\"$3\\"}" "$LAB_URL/$verb"
"""

HOOK_RAW = """#!/bin/sh
set -eu
case $1 in present) verb=add ;; cleanup) verb=remove ;; esac
[ "$2" = -- ]
case $5 in "$4".*) ;; *) exit 7 ;; esac
value=$(printf %s "$5" | openssl dgst -sha256 -binary | openssl base64 -A | tr '+/' '-_' | tr -d =)
curl -sS -H "Authorization: Bearer $LAB_TOKEN" --data "{\\"name\\":\\"_acme-challenge.$3\\",\\"value\\":\\"$value\\"}" "$LAB_URL/$verb"
"""


def lab(records):
    def answer(method, path, query, headers, body):
        if headers.get("Authorization") != "Bearer sesame":
            return dns01.as_json("who are you?", 401)
        wanted = json.loads(body)
        {"/add": records.add, "/remove": records.remove}[path](wanted["name"], wanted["value"])
        return dns01.as_json("fine")
    return dns01.Service(answer)


@pytest.fixture
def hooks():
    """A folder that only its owner can write to, down from the root."""
    made = tempfile.mkdtemp(prefix="hooks.")
    os.chmod(made, 0o755)

    def add(name, text):
        path = os.path.join(made, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o755)
        return made
    yield add
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.parametrize("script, text, how", [
    ("dns_lab.sh", HOOK_DNSAPI, {}), ("lab", HOOK_LEGO, {"convention": "lego"}),
    ("raw", HOOK_RAW, {"convention": "lego", "mode": "RAW"})])
def test_exec(daemons, ca, records, services, hooks, script, text, how):
    folder = hooks(script, text)
    daemon = daemons("--hooks-dir", folder).start()
    name = "exec-%s.example.test" % daemon.address.replace(".", "-")
    wildcard(daemon, ca, name,
             text_secret("lab", LAB_TOKEN="sesame", LAB_URL=services(lab(records)).url),
             issuer(ca, {"exec": dict({"script": script, "secretRef": {"name": "lab"}}, **how)}))
    assert records.most("_acme-challenge." + name) == 2
    cleaned_up(daemon, records)


def test_exec_that_fails(daemons, ca, records, services, hooks):
    """What the script says stands in the condition, but for the Secret's values; a script of others is not run;
    one that hangs ends; the Secret does not choose which code runs."""
    folder = hooks("dns_lab.sh", HOOK_DNSAPI)
    hooks("tells", "#!/bin/sh\necho I was given $LAB_TOKEN\nexit 3\n")
    hooks("slow", "#!/bin/sh\necho still busy\nsleep 1000 &\necho $! >%s/child\nwait\n" % folder)
    hooks("open", "#!/bin/sh\n")
    os.chmod(os.path.join(folder, "open"), 0o777)
    daemon = daemons("--hooks-dir", folder).start()
    url = services(lab(records)).url

    def told(name, words, **solver):
        daemon.apply(issuer(ca, {"exec": dict({"secretRef": {"name": "lab"}}, **solver)}),
                     world.certificate(name, "*.%s.example.test" % name, privateKey=KEY))
        wait_for(lambda: words in daemon.condition("certificates", name, "Ready")["message"], words, 60)
    daemon.apply(text_secret("lab", LAB_TOKEN="wrong", LAB_URL=url))
    told("a", "dns_lab.sh: exit status 1; it said: the lab says: \"who are you?\"", script="dns_lab.sh")
    told("b", "may be written by others", script="open", convention="lego")
    told("c", "no end within 3 s; it said: still busy", script="slow", convention="lego", timeout="3s")
    told("d", "exit status 3; it said: I was given *****", script="tells", convention="lego")
    daemon.apply(text_secret("lab", PYTHONPATH="/tmp"))
    told("e", '"PYTHONPATH" of Secret lab can be no variable', script="tells", convention="lego")
    child = int(open(os.path.join(folder, "child")).read())
    wait_for(lambda: not os.path.exists("/proc/%d" % child) or
             open("/proc/%d/stat" % child).read().split()[2] == "Z", "its child to end", 30)


def test_the_wildcard_by_dns01_the_rest_by_http01(site, records, services):
    """Two solvers without selector: each name takes the first one that can do it."""
    hook = services(dns01.webhook(records))
    site.daemon.apply(world.acme_issuer(site.ca, solvers=[
        {"http01": {"gatewayHTTPRoute": {}}}, {"dns01": {"webhook": {"url": hook.url}}}]), site.http_gateway())
    site.daemon.apply(world.certificate("both", site.name, "*." + site.name, privateKey=KEY))
    site.daemon.wait_ready_certificate("both", timeout=60)
    assert records.most("_acme-challenge." + site.name) == 1


def test_deleted_meanwhile(daemons, ca, records, services):
    """A Certificate that goes while its record is there takes the record with it."""
    daemon = daemons().start()
    hook = services(dns01.webhook(records))
    name = "gone-%s.example.test" % daemon.address.replace(".", "-")
    nobody = "127.0.0.1:%d" % free_port(udp=True)
    daemon.apply(issuer(ca, {"webhook": {"url": hook.url}, "nameservers": [nobody]}),
                 world.certificate("wild", "*." + name, privateKey=KEY))
    wait_for(lambda: records.left(), "the record", 30)
    wait_for(lambda: "no answer of " + nobody in daemon.condition("certificates", "wild", "Ready")["message"],
             "the reason", 60)
    daemon.cli("delete", "certificate", "wild")
    cleaned_up(daemon, records)


def test_examples(daemon):
    """examples/dns01 is taken as it is."""
    folder = os.path.join(TOP, "examples", "dns01")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".yaml"):
            daemon.cli("apply", "-f", os.path.join(folder, name))
    assert {"rfc2136", "acme-dns", "cloudflare", "route53", "webhook", "exec"} <= {
        o["metadata"]["name"] for o in daemon.list("clusterissuers", None)}
