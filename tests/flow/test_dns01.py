"""DNS-01 end to end: every solver, wildcards, delegation, propagation, failures told."""
import base64
import json
import os
import shutil

import pytest

import dns01
import world
from proc import run, wait_for
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
