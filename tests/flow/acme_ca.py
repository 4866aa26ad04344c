"""A local certificate authority: Pebble, its name server, and what their logs tell."""
import base64
import json
import re
import socket
import ssl
import threading
import urllib.request

from proc import Process, can_connect, free_port, run, wait_for


def make_tls_files(folder):
    """The certificate of the authority's own HTTPS: tls-ca.pem signs tls.pem for localhost."""
    ca_pem, ca_key, key, csr, pem, ext = (
        folder / n for n in ("tls-ca.pem", "tls-ca.key", "tls.key", "tls.csr", "tls.pem", "tls.ext"))
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    ext.write_text("subjectAltName=DNS:localhost,DNS:ca.test,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    run("openssl", "req", "-x509", *new_key, "-keyout", ca_key, "-out", ca_pem, "-days", "2",
        "-subj", "/CN=flow directory CA")
    run("openssl", "req", "-new", *new_key, "-keyout", key, "-out", csr, "-subj", "/CN=localhost")
    run("openssl", "x509", "-req", "-in", csr, "-CA", ca_pem, "-CAkey", ca_key, "-CAcreateserial",
        "-days", "2", "-extfile", ext, "-out", pem)
    return ca_pem


class NameServer:
    """pebble-challtestsrv as a name server: every name is 127.0.0.1 unless said otherwise."""

    def __init__(self, folder, default_ipv4="127.0.0.1", default_ipv6=""):
        self.port = free_port(udp=True)
        self.control = free_port()
        self.process = Process("challtestsrv", [
            "pebble-challtestsrv", "-dns01", "127.0.0.1:%d" % self.port,
            "-management", "127.0.0.1:%d" % self.control, "-http01", "", "-https01", "",
            "-tlsalpn01", "", "-defaultIPv4", default_ipv4, "-defaultIPv6", default_ipv6],
            folder / "challtestsrv.log")
        wait_for(lambda: can_connect("127.0.0.1", self.control), "the name server",
                 alive=self.process)

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    def tell(self, what, **body):
        request = urllib.request.Request("http://127.0.0.1:%d/%s" % (self.control, what),
                                         data=json.dumps(body).encode())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return opener.open(request, timeout=30).read()

    def name(self, host, *addresses):
        """From now on host has these addresses, and no others."""
        for kind, mine in (("a", [a for a in addresses if ":" not in a]),
                           ("aaaa", [a for a in addresses if ":" in a])):
            self.tell("clear-" + kind, host=host + ".")
            if mine:
                self.tell("add-" + kind, host=host + ".", addresses=mine)

    def fails(self, host):
        self.tell("set-servfail", host=host + ".")

    def stop(self):
        self.process.kill()


class Pebble:
    """The authority. It looks for HTTP-01 at http_port of the name's address, for TLS-ALPN-01 at tls_port."""

    def __init__(self, folder, names, http_port, nonce_reject=0, va_sleep=0, authz_reuse=0,
                 validity=None, strict=True, port=None, block=()):
        self.folder = folder
        self.names = names
        self.http_port = http_port
        self.port = port or free_port()
        self.control = free_port()
        self.tls_port = free_port()  # where it looks for TLS-ALPN-01
        self.ca_pem = folder / "tls-ca.pem"
        if not self.ca_pem.exists():
            make_tls_files(folder)
        config = {
            "listenAddress": "127.0.0.1:%d" % self.port,
            "managementListenAddress": "127.0.0.1:%d" % self.control,
            "certificate": str(folder / "tls.pem"), "privateKey": str(folder / "tls.key"),
            "httpPort": http_port, "tlsPort": self.tls_port, "ocspResponderURL": "",
            "externalAccountBindingRequired": False, "domainBlocklist": list(block)}
        if validity:
            config["certificateValidityPeriod"] = validity
        (folder / "pebble.json").write_text(json.dumps({"pebble": config}))
        self.env = {}
        if nonce_reject is not None:
            self.env["PEBBLE_WFE_NONCEREJECT"] = str(nonce_reject)
        if authz_reuse is not None:
            self.env["PEBBLE_AUTHZREUSE"] = str(authz_reuse)
        if va_sleep == 0:
            self.env["PEBBLE_VA_NOSLEEP"] = "1"
        elif va_sleep is not None:
            self.env["PEBBLE_VA_SLEEPTIME"] = str(va_sleep)
        self.strict = strict
        self.process = None
        self.start()

    def start(self):
        """Also after stop(): then it has forgotten accounts, orders and its issuing key."""
        command = ["pebble", "-config", self.folder / "pebble.json",
                   "-dnsserver", self.names.address] + (["-strict"] if self.strict else [])
        self.process = Process("pebble", command, self.folder / "pebble.log", self.env)
        self.tls = ssl.create_default_context(cafile=str(self.ca_pem))
        root = wait_for(lambda: self.ask("/roots/0"), "pebble", alive=self.process)
        wait_for(lambda: can_connect("127.0.0.1", self.port), "pebble", alive=self.process)
        self.root = self.folder / "root.pem"
        self.root.write_bytes(root)

    def stop(self):
        self.process.kill()

    def ask(self, path):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                             urllib.request.HTTPSHandler(context=self.tls))
        return opener.open("https://127.0.0.1:%d%s" % (self.control, path), timeout=30).read()

    @property
    def directory(self):
        return "https://localhost:%d/dir" % self.port

    @property
    def ca_bundle(self):
        return base64.b64encode(self.ca_pem.read_bytes()).decode()

    # What happened, by its log.
    def log(self):
        return self.process.text()

    def orders(self):
        """How many orders were placed since it started."""
        found = re.findall(r"There are now (\d+) orders in the db", self.log())
        return int(found[-1]) if found else 0

    def gave_up(self):
        """How many authorizations failed."""
        return self.log().count("set INVALID by completed challenge")

    def issued(self):
        """Serial numbers, lower case, in order."""
        return [s.lower() for s in re.findall(r"Issued certificate serial (\S+)", self.log())]

    def accounts(self):
        found = re.findall(r"There are now (\d+) accounts in memory", self.log())
        return int(found[-1]) if found else 0

    def validations(self, name=""):
        return [url for url in re.findall(r"Attempting to validate w/ HTTP: (\S+)", self.log())
                if name in url]


class Relay:
    """Bytes between a client and an authority, until an answer is to be lost.

    Pebble writes what it has done into its log before it answers. lose(words) keeps back every
    answer from the first one on for which the log has gained those words."""

    def __init__(self, ca):
        self.ca = ca
        self.words, self.seen = None, 0
        self.lost = threading.Event()
        self.gate = None
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def directory(self):
        return "https://localhost:%d/dir" % self.port

    def lose(self, words):
        self.lost.clear()
        self.seen, self.words = self.ca.log().count(words), words

    def lose_nothing(self):
        self.words = None

    def hold(self, words):
        """As lose, but the answers come after go_on."""
        self.gate = threading.Event()
        self.lose(words)

    def go_on(self):
        self.words = None
        self.gate.set()

    def stop(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.ca.port), 10)
            except OSError:
                return
            server.settimeout(None)
            for source, target, checked in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._copy, args=(source, target, checked), daemon=True).start()

    def _copy(self, source, target, checked):
        try:
            while True:
                data = source.recv(65536)
                if checked and data and self.words and self.ca.log().count(self.words) > self.seen:
                    self.lost.set()
                    if self.gate is None:
                        continue
                    self.gate.wait(60)
                if not data:
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
