"""Certificates of clients: who comes in, and that no way leads past the question."""
import ssl

import pytest

import web
import world
from proc import run, wait_for


class Pki:
    """Two authorities, a client's certificate of each, and a server's certificate."""

    def __init__(self, folder):
        self.folder = folder
        for ca in ("good", "other"):
            self._new(ca, "-x509", "/CN=%s CA" % ca)
            self._sign("client-" + ca, ca, "extendedKeyUsage=clientAuth")
        self._sign("server", "good", "subjectAltName=DNS:open.test,DNS:mutual.test\n"
                                     "extendedKeyUsage=serverAuth")
        self._sign("wrong-use", "good", "extendedKeyUsage=serverAuth")

    def path(self, name):
        return str(self.folder / name)

    def text(self, name):
        return (self.folder / name).read_text()

    def _new(self, name, how, subject, out=".pem"):
        run("openssl", "req", how, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", self.path(name + ".key"), "-out", self.path(name + out), "-subj", subject,
            *(["-days", "2"] if how == "-x509" else []))

    def _sign(self, name, ca, extensions):
        (self.folder / (name + ".ext")).write_text(extensions + "\n")
        self._new(name, "-new", "/CN=" + name, ".csr")
        run("openssl", "x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.path(ca + ".pem"),
            "-CAkey", self.path(ca + ".key"), "-CAcreateserial", "-days", "2",
            "-extfile", self.path(name + ".ext"), "-out", self.path(name + ".pem"))

    def client(self, name=None, alpn=("http/1.1",), version=None):
        context = web.tls_context(self.path("good.pem"), alpn=alpn)
        if name:
            context.load_cert_chain(self.path(name + ".pem"), self.path(name + ".key"))
        if version:
            context.minimum_version = context.maximum_version = version
        return context


@pytest.fixture
def pki(box):
    return Pki(box)


def config_map(name, text):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": world.metadata(name, "default"),
            "data": {"ca.crt": text}}


def mutual(daemon, port, mode="AllowValidOnly", name="ca"):
    gateway = world.gateway(daemon.address, [world.listener("https", port, "mutual.test", "server")],
                            "mutual")
    gateway["spec"]["tls"] = {"frontend": {"default": {"validation": {
        "mode": mode, "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": name}]}}}}
    return gateway


@pytest.fixture
def doors(daemon, origins, pki, https_port):
    """open.test lets everybody in, mutual.test those with a certificate of the good authority."""
    one, two = origins("open"), origins("mutual")
    daemon.apply(world.secret("server", {"tls.crt": pki.text("server.pem"),
                                         "tls.key": pki.text("server.key")}),
                 config_map("ca", pki.text("good.pem")),
                 *(world.backend(o.name, (o.host, o.port)) for o in (one, two)),
                 world.gateway(daemon.address, [world.listener("https", https_port, "open.test",
                                                               "server")], "open"),
                 mutual(daemon, https_port),
                 world.route("open", world.rule("open"), parent="open"),
                 world.route("mutual", world.rule("mutual"), parent="mutual"))
    daemon.wait_programmed("open")
    daemon.wait_programmed("mutual")
    return daemon


def status(daemon, port, host, context, target="/"):
    return web.get(daemon.address, port, host, target, context).status


def refused(daemon, port, host, context):
    """In TLS 1.3 the client learns of it when it reads."""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        status(daemon, port, host, context)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_only_valid_certificates_come_in(doors, pki, https_port, version):
    assert status(doors, https_port, "mutual.test", pki.client("client-good", version=version)) == 200
    for name in (None, "client-other", "wrong-use"):
        refused(doors, https_port, "mutual.test", pki.client(name, version=version))
    # Who asks for nothing gets what it got before.
    for name in (None, "client-good"):
        assert status(doors, https_port, "open.test", pki.client(name, version=version)) == 200


def test_no_way_leads_past(doors, pki, https_port):
    """Another Host, another name's ticket, HTTP/2 coalescing: all are told to come again."""
    with web.Connection(doors.address, https_port, "open.test", pki.client()) as connection:
        connection.host = "mutual.test"
        assert connection.ask().status == 421
        connection.host = "open.test"
        assert connection.ask().status == 200
    with web.H2Connection(doors.address, https_port, "open.test", pki.client(alpn=("h2",))) as h2:
        h2.host = "mutual.test"
        assert h2.ask().status == 421
    context = pki.client(version=ssl.TLSVersion.TLSv1_2)
    with web.Connection(doors.address, https_port, "open.test", context) as connection:
        assert connection.ask().status == 200
        session = connection.sock.session
    with web.socket.create_connection((doors.address, https_port), 15) as raw:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(raw, server_hostname="mutual.test", session=session)


def test_insecure_fallback_lets_in_and_says_so(doors, pki, https_port):
    doors.apply(mutual(doors, https_port, "AllowInsecureFallback"))
    doors.wait_condition("gateways", "mutual", "InsecureFrontendValidationMode", "True",
                         "ConfigurationChanged")
    for name in (None, "client-other", "client-good"):
        wait_for(lambda: status(doors, https_port, "mutual.test", pki.client(name)) == 200,
                 "%s to come in" % name)
    doors.apply(mutual(doors, https_port))
    wait_for(lambda: not any(c["type"] == "InsecureFrontendValidationMode" for c in
                             doors.get("gateways", "mutual")["status"]["conditions"]),
             "the condition to go")
    refused(doors, https_port, "mutual.test", pki.client())


def test_other_authorities_are_asked_at_once(doors, pki, https_port):
    """A connection that was let in by an authority that is gone is told to come again."""
    with web.Connection(doors.address, https_port, "mutual.test", pki.client("client-good")) as kept:
        assert kept.ask().status == 200
        doors.apply(config_map("ca", pki.text("other.pem")))
        wait_for(lambda: kept.ask().status == 421, "the old connection to be misdirected")
    refused(doors, https_port, "mutual.test", pki.client("client-good"))
    assert status(doors, https_port, "mutual.test", pki.client("client-other")) == 200
    # Several in one bundle, and text around them.
    doors.apply(config_map("ca", "# two\n" + pki.text("other.pem") + "\n" + pki.text("good.pem")))
    for name in ("client-good", "client-other"):
        wait_for(lambda: status(doors, https_port, "mutual.test", pki.client(name)) == 200, name)


def test_many_authorities(doors, pki, https_port):
    """Their names would not fit into the handshake; they are good all the same."""
    doors.apply(config_map("ca", 900 * pki.text("other.pem") + pki.text("good.pem")))
    wait_for(lambda: status(doors, https_port, "mutual.test", pki.client("client-good")) == 200,
             "a bundle of many")
    assert status(doors, https_port, "mutual.test", pki.client("client-other")) == 200
    refused(doors, https_port, "mutual.test", pki.client())


@pytest.mark.parametrize("text, words", [
    (None, "ConfigMap default/ca does not exist"),
    ("no certificate", "holds no PEM certificate"),
    ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "that is no PEM certificate"),
])
def test_without_an_authority_nothing_is_served(doors, pki, https_port, text, words):
    if text is None:
        doors.cli("delete", "configmap", "ca")
    else:
        doors.apply(config_map("ca", text))
    doors.wait_condition("gateways", "mutual", "Accepted", "False", "NoValidCACertificate",
                         of=world.listener_status("https"))
    conditions = world.listener_status("https")(doors.get("gateways", "mutual")["status"])["conditions"]
    resolved = next(c for c in conditions if c["type"] == "ResolvedRefs")
    assert resolved["reason"] == "InvalidCACertificateRef" and words in resolved["message"]
    refused(doors, https_port, "mutual.test", pki.client("client-good"))
    assert status(doors, https_port, "open.test", pki.client()) == 200
    doors.apply(config_map("ca", pki.text("good.pem")))
    doors.wait_programmed("mutual")
    wait_for(lambda: status(doors, https_port, "mutual.test", pki.client("client-good")) == 200,
             "the door to open")


def test_a_certificate_that_becomes_required_is_asked_for(doors, pki, https_port):
    """Neither a ticket nor a connection of the time before leads past the question."""
    doors.apply(mutual(doors, https_port, "AllowInsecureFallback"))
    context = pki.client(version=ssl.TLSVersion.TLSv1_2)
    wait_for(lambda: status(doors, https_port, "mutual.test", pki.client()) == 200, "the fallback")
    with web.Connection(doors.address, https_port, "mutual.test", context) as kept:
        assert kept.ask().status == 200
        session = kept.sock.session
        assert session.has_ticket
        doors.apply(mutual(doors, https_port))
        wait_for(lambda: kept.ask().status == 421, "the old connection to be misdirected")
    with web.socket.create_connection((doors.address, https_port), 15) as raw:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(raw, server_hostname="mutual.test", session=session)
