"""What other ACME clients leave on a host, as far as sallyport import reads it."""
import base64
import json
import re

from proc import run


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def integers(der):
    """The INTEGERs of a DER SEQUENCE, as bytes without a sign."""
    def head(at):
        length, at = der[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7f
            length, at = int.from_bytes(der[at:at + size], "big"), at + size
        return length, at
    length, at = head(0)
    end, found = at + length, []
    while at < end:
        length, start = head(at)
        found.append(der[start:start + length].lstrip(b"\0"))
        at = start + length
    return found


def jwk(pem):
    """A private key as certbot keeps it."""
    text = run("openssl", "pkey", "-noout", "-text", data=pem).stdout
    if "NIST CURVE" in text:
        def part(name):
            return bytes.fromhex(re.sub(r"[\s:]", "", re.search(r"%s:\n((?: .*\n)+)" % name, text).group(1)))
        point, size = part("pub"), 32 if "P-256" in text else 48
        return {"kty": "EC", "crv": "P-%d" % (size * 8), "x": b64url(point[1:1 + size]), "y": b64url(point[1 + size:]),
                "d": b64url(part("priv").lstrip(b"\0").rjust(size, b"\0"))}
    der = base64.b64decode("".join(run("openssl", "rsa", "-traditional", data=pem).stdout.splitlines()[1:-1]))
    names = ("version", "n", "e", "d", "p", "q", "dp", "dq", "qi")
    made = {n: b64url(v) for n, v in zip(names, integers(der)) if n != "version"}
    return dict(made, kty="RSA")


def issue(folder, *names, days=60, key=("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
    """(chain, key) of a certificate for the names, signed by a CA of the folder's own."""
    ca, ca_key = folder / "test-ca.pem", folder / "test-ca.key"
    if not ca.exists():
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            ca_key, "-out", ca, "-days", "100", "-subj", "/CN=import test CA")
    csr, leaf, mine, ext = (folder / n for n in ("leaf.csr", "leaf.pem", "leaf.key", "leaf.ext"))
    ext.write_text("subjectAltName=%s\n" % ",".join(
        ("IP:" if re.fullmatch(r"[0-9.]+", n) else "DNS:") + n for n in names))
    run("openssl", "req", "-new", *key, "-nodes", "-keyout", mine, "-out", csr, "-subj", "/CN=" + names[0])
    run("openssl", "x509", "-req", "-in", csr, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", str(days),
        "-extfile", ext, "-out", leaf)
    return leaf.read_text() + ca.read_text(), mine.read_text()


class Certbot:
    """A folder as certbot leaves it."""

    def __init__(self, root):
        self.root = root
        for name in ("accounts", "archive", "live", "renewal"):
            (root / name).mkdir(parents=True)

    def account(self, server, key_pem, name="0123456789abcdef", email=None):
        folder = self.root / "accounts" / server.split("://")[1] / name
        folder.mkdir(parents=True)
        (folder / "private_key.json").write_text(json.dumps(jwk(key_pem)))
        body = {"contact": ["mailto:" + email]} if email else {}
        (folder / "regr.json").write_text(json.dumps({"body": body, "uri": "https://ca.test/acct/1"}))
        (folder / "meta.json").write_text('{"creation_dt": "2026-01-02T03:04:05Z", "creation_host": "h"}')

    def lineage(self, name, chain, key, server, account="0123456789abcdef", **params):
        (self.root / "archive" / name).mkdir()
        (self.root / "live" / name).mkdir()
        leaf, rest = chain.split("-----END CERTIFICATE-----\n", 1)
        files = {"cert": leaf + "-----END CERTIFICATE-----\n", "chain": rest, "fullchain": chain, "privkey": key}
        for what, text in files.items():
            (self.root / "archive" / name / (what + "1.pem")).write_text(text)
            (self.root / "live" / name / (what + ".pem")).symlink_to("../../archive/%s/%s1.pem" % (name, what))
        params = dict({"account": account, "authenticator": "webroot", "webroot_path": "/var/www/html,",
                       "server": server, "key_type": "ecdsa"}, **params)
        (self.root / "renewal" / (name + ".conf")).write_text(
            "# renew_before_expiry = 30 days\nversion = 2.1.0\narchive_dir = /etc/letsencrypt/archive/%s\n"
            "cert = /etc/letsencrypt/live/%s/cert.pem\n\n# Options used in the renewal process\n[renewalparams]\n%s"
            "[[webroot_map]]\n%s = /var/www/html\n"
            % (name, name, "".join("%s = %s\n" % item for item in params.items()), name))


class AcmeSh:
    """A folder as acme.sh leaves it."""

    def __init__(self, root):
        self.root = root
        for name in ("ca", "deploy", "dnsapi"):
            (root / name).mkdir(parents=True)
        (root / "account.conf").write_text("LOG_LEVEL='1'\nUSER_PATH='/usr/bin:/bin'\n")

    def account(self, server, key_pem, **conf):
        host, path = server.split("://")[1].split("/", 1)
        folder = self.root / "ca" / host.split(":")[0] / path
        folder.mkdir(parents=True)
        (folder / "account.key").write_text(key_pem)
        (folder / "account.json").write_text('{"status": "valid"}')
        (folder / "ca.conf").write_text("".join("%s='%s'\n" % item for item in conf.items()))

    def domain(self, name, chain, key, server, ecc=True, **conf):
        folder = self.root / (name + ("_ecc" if ecc else ""))
        folder.mkdir()
        (folder / (name + ".key")).write_text(key)
        (folder / "fullchain.cer").write_text(chain)
        conf = dict({"Le_Domain": name, "Le_Alt": "no", "Le_Webroot": "/var/www", "Le_PreHook": "", "Le_API": server,
                     "Le_Keylength": "ec-256", "Le_CertCreateTime": "1767225600"}, **conf)
        (folder / (name + ".conf")).write_text("".join("%s='%s'\n" % item for item in conf.items()))
