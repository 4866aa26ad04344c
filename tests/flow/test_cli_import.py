"""import certbot, import acme.sh: accounts and certificates go on where they were, and nothing is ordered."""
import base64
import json

import pytest

from clients import AcmeSh, Certbot, issue
from proc import run

SERVER = "https://acme-v02.api.letsencrypt.org/directory"


@pytest.fixture(scope="module")
def account_key():
    return run("openssl", "genrsa", "2048").stdout


@pytest.fixture
def certbot(box):
    return Certbot(box / "letsencrypt")


@pytest.fixture
def acmesh(box):
    return AcmeSh(box / "acme.sh")


# ---- the real thing: an account and a certificate of a running authority


@pytest.fixture
def there(site):
    """What another client would have: account key, chain and key, from a daemon that is gone then."""
    site.up()
    account = site.daemon.get("secrets", "ca-account", "sallyport-system")["data"]["tls.key"]
    pair = site.daemon.get("secrets", "edge-tls")["data"]
    uri = site.daemon.get("clusterissuers", "ca", None)["status"]["acme"]["uri"]
    site.daemon.stop()
    return {"account": base64.b64decode(account).decode(), "uri": uri, "name": site.name, "ca": site.ca,
            "chain": base64.b64decode(pair["tls.crt"]).decode(), "key": base64.b64decode(pair["tls.key"]).decode()}


def taken_over(daemons, there, tool, folder):
    """Imports into a new daemon; the certificate is ready, nothing was ordered, the account is the same."""
    ca = there["ca"]
    orders, accounts = ca.orders(), ca.accounts()
    daemon = daemons(env={"SSL_CERT_FILE": str(ca.ca_pem)}).start()
    done = daemon.cli("import", tool, folder)
    name = there["name"].replace(".", "-")
    daemon.wait_ready_certificate(name)
    daemon.wait_condition("clusterissuers", "localhost-%d" % ca.port, "Ready", ns=None)
    issuer = daemon.get("clusterissuers", "localhost-%d" % ca.port, None)
    assert issuer["status"]["acme"]["uri"] == there["uri"], issuer
    assert ca.accounts() == accounts and ca.orders() == orders
    assert daemon.list("certificaterequests") == [] and daemon.list("orders") == []
    pair = daemon.get("secrets", name)["data"]
    assert base64.b64decode(pair["tls.key"]).decode() == there["key"]
    again = daemon.cli("import", tool, folder)
    assert "exists already and was left as it is" in again.stdout and "created" not in again.stdout
    return done


def test_certbot_goes_on(there, daemons, certbot):
    server = there["ca"].directory
    certbot.account(server, there["account"])
    certbot.lineage(there["name"], there["chain"], there["key"], server)
    done = taken_over(daemons, there, "certbot", certbot.root)
    assert done.stderr.startswith("1 certificate, 1 account\n"), done


def test_acmesh_goes_on(there, daemons, acmesh):
    server = there["ca"].directory
    acmesh.account(server, there["account"])
    acmesh.domain(there["name"], there["chain"], there["key"], server)
    done = taken_over(daemons, there, "acme.sh", acmesh.root)
    assert done.stderr.startswith("1 certificate, 1 account\n"), done


# ---- what is made of the settings


def objects(daemon, tool, folder, *flags, check=True):
    """The objects that would be made, by kind and name; and what was said."""
    done = daemon.cli("import", tool, folder, "--dry-run", "-o", "json", *flags, check=check)
    found, rest, decoder = {}, done.stdout.strip(), json.JSONDecoder()
    while rest:
        made, end = decoder.raw_decode(rest)
        found[made["kind"], made["metadata"]["name"]] = made
        rest = rest[end:].strip()
    return found, done


def test_certbot_settings(daemon, certbot, account_key, box):
    certbot.account(SERVER, account_key, email="me@example.com")
    certbot.account("https://acme-staging-v02.api.letsencrypt.org/directory", account_key, "unused")
    certbot.lineage("www.shop.test", *issue(box, "www.shop.test", "shop.test", "192.0.2.9"), SERVER, reuse_key="True",
                    renew_hook="systemctl reload nginx", preferred_chain="ISRG Root X1", installer="nginx")
    certbot.lineage("old.test", *issue(box, "old.test", "*.old.test", key=("-newkey", "rsa:2048")), SERVER,
                    authenticator="dns-cloudflare")
    conf = certbot.root / "renewal" / "old.test.conf"
    conf.write_text(conf.read_text().replace("# renew_before", "renew_before"))
    made, done = objects(daemon, "certbot", certbot.root, "-n", "default")
    shop = made["Certificate", "www-shop-test"]["spec"]
    assert sorted(shop["dnsNames"]) == ["shop.test", "www.shop.test"] and shop["ipAddresses"] == ["192.0.2.9"], shop
    assert shop["privateKey"] == {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Never"}, shop
    assert "renewBefore" not in shop and made["Certificate", "old-test"]["spec"]["renewBefore"] == "2592000s"
    assert made["Certificate", "old-test"]["spec"]["privateKey"] == {"algorithm": "RSA", "size": 2048}
    issuer = made["ClusterIssuer", "letsencrypt"]["spec"]["acme"]
    assert issuer["server"] == SERVER and issuer["email"] == "me@example.com", issuer
    assert issuer["preferredChain"] == "ISRG Root X1" and issuer["solvers"] == [{"http01": {"gatewayHTTPRoute": {}}}]
    key = base64.b64decode(made["Secret", "letsencrypt-account"]["data"]["tls.key"]).decode()
    assert run("openssl", "rsa", "-check", "-noout", data=key).stdout.strip() == "RSA key ok"
    assert run("openssl", "pkey", "-pubout", data=key).stdout == run("openssl", "pkey", "-pubout", data=account_key).stdout
    for words in ("systemctl reload nginx is not run", "installer nginx", "dns-cloudflare", "--all takes it over"):
        assert words in done.stderr, (words, done.stderr)
    more, _ = objects(daemon, "certbot", certbot.root, "--all")
    assert ("ClusterIssuer", "letsencrypt-staging") in more


def test_acmesh_settings(daemon, acmesh, account_key, box):
    zero = "https://acme.zerossl.com/v2/DV90"
    acmesh.account(zero, account_key, CA_EMAIL="me@example.com", CA_EAB_KEY_ID="kid-1", CA_EAB_HMAC_KEY="c2VjcmV0")
    acmesh.domain("*.wild.test", *issue(box, "*.wild.test"), zero, Le_Webroot="dns_cf",
                  Le_ReloadCmd="__ACME_BASE64__START_c2VydmljZQ==__ACME_BASE64__END_", Le_RealKeyPath="/etc/ssl/k.pem")
    acmesh.domain("rsa.test", *issue(box, "rsa.test", key=("-newkey", "rsa:3072")), zero, ecc=False, Le_Webroot="no",
                  Le_ForceNewDomainKey="1")
    made, done = objects(daemon, "acme.sh", acmesh.root)
    acme = made["ClusterIssuer", "zerossl"]["spec"]["acme"]
    assert acme["externalAccountBinding"]["keyID"] == "kid-1" and acme["email"] == "me@example.com", acme
    assert base64.b64decode(made["Secret", "zerossl-eab"]["data"]["secret"]) == b"c2VjcmV0"
    assert made["Certificate", "wildcard-wild-test"]["spec"]["dnsNames"] == ["*.wild.test"]
    assert made["Certificate", "rsa-test"]["spec"]["privateKey"] == {"algorithm": "RSA", "size": 3072}
    for words in ("proved by dns_cf", "a reload command is not run", "/etc/ssl/k.pem"):
        assert words in done.stderr, (words, done.stderr)
    checked = daemon.cli("apply", "--dry-run=server", "-f", "-", data="\n---\n".join(json.dumps(o) for o in made.values()))
    assert checked.stdout.count("created (server dry run)") == len(made)


def test_dry_run_hides_keys(daemon, certbot, account_key, box):
    certbot.account(SERVER, account_key)
    chain, key = issue(box, "a.test")
    certbot.lineage("a.test", chain, key, SERVER)
    out = daemon.cli("import", "certbot", certbot.root, "--dry-run").stdout
    assert "kind: Certificate" in out and "hidden" in out and "tls.crt" in out
    assert base64.b64encode(key.encode()).decode()[:60] not in out
    assert not daemon.exists("certificates", "a-test")


# ---- what is wrong with a folder


def test_broken_parts_are_told_and_the_rest_taken(daemon, certbot, account_key, box):
    certbot.account(SERVER, account_key)
    (certbot.root / "accounts" / "broken.test" / "dir" / "abc").mkdir(parents=True)
    (certbot.root / "accounts" / "broken.test" / "dir" / "abc" / "private_key.json").write_text('{"kty": "RSA"}')
    good = issue(box, "good.test")
    certbot.lineage("good.test", *good, SERVER)
    certbot.lineage("other-key.test", issue(box, "other-key.test")[0], good[1], SERVER)
    certbot.lineage("no-account.test", *good, SERVER, account="unknown")
    certbot.lineage("expired.test", *issue(box, "expired.test", days=-1), SERVER)
    certbot.lineage("syntax.test", *good, SERVER)
    (certbot.root / "renewal" / "syntax.test.conf").write_text("version 2\n")
    certbot.lineage("curve.test", *issue(box, "curve.test", key=(
        "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp521r1")), SERVER)
    made, done = objects(daemon, "certbot", certbot.root, check=False)
    assert done.returncode == 1
    assert {name for kind, name in made if kind == "Certificate"} == {"good-test", "expired-test"}, done.stderr
    for words in ("other-key.test: NOT taken over: its key is not that of its certificate",
                  "no-account.test: NOT taken over: its account unknown",
                  "syntax.test: NOT taken over: renewal/syntax.test.conf: line 1: KEY = VALUE is due",
                  "curve.test: NOT taken over: its key is neither", "expired.test: it has expired",
                  'https://broken.test/dir: account abc cannot be read: the key lacks "n"'):
        assert words in done.stderr, (words, done.stderr)


def test_links_that_leave_the_folder(daemon, certbot, account_key, box):
    """Only the archive may be elsewhere; another link out of the folder is not read."""
    certbot.account(SERVER, account_key)
    chain, key = issue(box, "a.test")
    certbot.lineage("a.test", chain, key, SERVER)
    certbot.lineage("b.test", *issue(box, "b.test"), SERVER)
    (certbot.root / "archive").rename(box / "moved")
    (certbot.root / "archive").symlink_to(box / "moved")
    (box / "stolen.key").write_text(key)
    link = certbot.root / "live" / "b.test" / "privkey.pem"
    link.unlink()
    link.symlink_to(box / "stolen.key")
    made, done = objects(daemon, "certbot", certbot.root, check=False)
    assert ("Certificate", "a-test") in made and ("Certificate", "b-test") not in made
    assert "leads out of the folder" in done.stderr and done.returncode == 1, done


def test_no_such_folder(daemon, box, certbot, acmesh):
    for tool, folder, told in (("certbot", box / "none", "No such file"), ("certbot", acmesh.root, "certbot's"),
                               ("acme.sh", certbot.root, "acme.sh's"), ("certbot", certbot.root, "nothing was found")):
        done = daemon.cli("import", tool, folder, check=False)
        assert done.returncode == 1 and told in done.stderr, done
    done = daemon.cli("import", "lego", box, check=False)
    assert done.returncode == 2 and "certbot acme.sh" in done.stderr, done
    done = daemon.cli("import", "certbot", check=False)
    assert done.returncode == 2 and "which folder" in done.stderr, done
