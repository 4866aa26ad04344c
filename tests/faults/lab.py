"""The authority (pebble-up), the proxy that injects the faults, and the daemon's clock."""
import base64
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import urllib.request

from proc import TOP, can_connect, clean_env, free_port, run, wait_for

SHARED = os.path.join(os.path.dirname(TOP), "shared", "acme-lab")
SHIMS = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
         "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1")


def what_is_missing():
    """Why these tests cannot run here; None: they can."""
    if not os.path.exists(os.path.join(SHARED, "faultproxy")):
        return "the lab of faults is not beside the project (../shared/acme-lab)"
    if not shutil.which("pebble"):
        return "pebble is not installed"
    if not any(map(os.path.exists, SHIMS)):
        return "libfaketime is not installed (Debian package faketime)"
    return None


def serial_of(tls_crt):
    pem = base64.b64decode(tls_crt).decode()
    return run("openssl", "x509", "-noout", "-serial", data=pem).stdout.strip().split("=")[1].lower().lstrip("0")


def _ask(url, data=None):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return json.loads(opener.open(urllib.request.Request(url, data), timeout=20).read() or b"null")


class Clock:
    """Wall and monotonic time of the daemons that run with env(): real, plus an offset."""

    def __init__(self, path):
        self.path, self.offset, self.daemons = path, 0, []
        self._write()

    def _write(self):
        new = str(self.path) + ".new"
        with open(new, "w", encoding="ascii") as file:
            file.write("%+.3f\n" % self.offset)
        os.replace(new, self.path)

    def env(self):
        shim = next(s for s in SHIMS if os.path.exists(s))
        return {"LD_PRELOAD": shim, "FAKETIME_TIMESTAMP_FILE": str(self.path), "FAKETIME_NO_CACHE": "1"}

    def forward(self, seconds):
        """Time goes on by so much at once (negative: is set back); the daemons look at it at once."""
        self.offset += seconds
        self._write()
        self.wake()

    def wake(self):
        for daemon in self.daemons:
            if daemon.process is not None and not daemon.process.ended():
                daemon.raw("GET", "/livez")


class Lab:
    """Pebble, its name server, and the proxy before it. Quacks like acme_ca.Pebble where world needs it."""

    def __init__(self, *options, proxy=True):
        self.options = ["--fast", "--http-port", str(free_port())] + list(options)
        self.env = self._start("pebble-up", ["start"] + self.options)
        self.folder = self.env["ACME_LAB_DIR"]
        self.http_port = int(self.env["ACME_HTTP_PORT"])
        self.dns = self.env["ACME_DNS"]
        self.direct = self.env["ACME_DIRECTORY"]
        self.directory = self.direct
        self.control = self.process = None
        self.named = []
        if proxy:
            more = self._start("faultproxy", ["start", "--lab", self.folder])
            self.control, self.directory = more["FAULT_CONTROL"], more["ACME_DIRECTORY"]
            self.moved, self.proxy_pid = more["FAULT_DIRECTORY2"], more["FAULT_PID"]

    @staticmethod
    def _start(program, arguments):
        done = subprocess.run(["/usr/bin/python3", os.path.join(SHARED, program)] + arguments
                              if program == "faultproxy" else [os.path.join(SHARED, program)] + arguments,
                              stdout=subprocess.PIPE, text=True, timeout=60, env=clean_env(), check=True)
        return dict(re.findall(r"^export (\w+)='?(.*?)'?$", done.stdout, re.M))

    # Down, and back on the same ports: Pebble keeps nothing.
    def down(self):
        pid = int(self._pid())
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not os.path.exists("/proc/%d/cmdline" % pid) or not open("/proc/%d/cmdline" % pid).read(),
                 "the authority to end")

    def back(self):
        """With the URLs and the TLS certificate of before; accounts, orders and roots are gone."""
        knobs = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
        with open(self.env["ACME_PEBBLE_LOG"], "w", encoding="utf-8") as log:
            process = subprocess.Popen(["pebble", "-config", os.path.join(self.folder, "pebble.json"), "-dnsserver",
                                        self.dns], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                       env=dict(clean_env(), **knobs))
        with open(os.path.join(self.folder, "pebble.pid"), "w", encoding="ascii") as file:
            file.write(str(process.pid))
        self.process = process
        host, port = re.match(r"https://(.*):(\d+)/", self.direct).groups()
        wait_for(lambda: can_connect(host, int(port)), "the authority to be back")

    def _pid(self, name="pebble"):
        with open(os.path.join(self.folder, name + ".pid"), encoding="ascii") as file:
            return file.read()

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        pids = [self._pid("pebble"), self._pid("challtestsrv")] + ([self.proxy_pid] if self.control else [])
        for pid in pids:  # by hand: the lab would wait for the end of each
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def ca_bundle(self):
        with open(self.env["ACME_CA_FILE"], "rb") as file:
            return base64.b64encode(file.read()).decode()

    # Names.
    def tell(self, what, **body):
        """The name server's own interface (see the lab's README)."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        url = self.env["ACME_CHALL_MGMT"] + "/" + what
        return opener.open(urllib.request.Request(url, json.dumps(body).encode()), timeout=10).read()

    def name(self, host, *addresses):
        for kind, mine in (("a", [a for a in addresses if ":" not in a]),
                           ("aaaa", [a for a in addresses if ":" in a])):
            self.tell("clear-" + kind, host=host + ".")
            if mine:
                self.tell("add-" + kind, host=host + ".", addresses=mine)

    # Faults.
    def set(self, *specs):
        """These faults from now on, and no others: "NAME:key=value,…"."""
        for number, spec in enumerate(specs):
            _ask(self.control + ("/add" if number else "/set"), spec.encode())

    def clear(self):
        """No fault, and nothing counted."""
        _ask(self.control + "/set", b"")
        _ask(self.control + "/reset", b"")

    def stats(self):
        return _ask(self.control + "/stats")

    def hits(self):
        """How often a fault was injected."""
        found = self.stats()
        return max(sum(found["injected"].values()), sum(f["hits"] for f in found["active"]))

    def log(self, step=None):
        """Requests so far, the oldest first: time, step, status, payload, fault."""
        return [r for r in self.stats()["log"] if step in (None, r["step"])]

    def count(self, step):
        return self.stats()["steps"].get(step, 0)

    def violations(self):
        return self.stats()["violations"]

    def busiest(self, seconds):
        """The most requests within so many seconds."""
        times = [r["time"] if "time" in r else r["t"] for r in self.log()]
        return max((sum(a <= b < a + seconds for b in times) for a in times), default=0)

    def managed(self, what):
        """From Pebble's own side door, as text."""
        context = ssl.create_default_context(cafile=self.env["ACME_CA_FILE"])
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                             urllib.request.HTTPSHandler(context=context))
        return opener.open(self.env["ACME_MGMT"] + "/" + what, timeout=20).read().decode()

    # What Pebble did, by its log.
    def pebble_log(self):
        with open(self.env["ACME_PEBBLE_LOG"], errors="replace", encoding="utf-8") as file:
            return file.read()

    def orders(self):
        found = re.findall(r"There are now (\d+) orders in the db", self.pebble_log())
        return int(found[-1]) if found else 0

    def accounts(self):
        found = re.findall(r"There are now (\d+) accounts in memory", self.pebble_log())
        return int(found[-1]) if found else 0

    def gave_up(self):
        """How many authorizations failed."""
        return self.pebble_log().count("set INVALID by completed challenge")

    def issued(self):
        """Serial numbers, lower case, in order."""
        return [s.lower().lstrip("0") for s in re.findall(r"Issued certificate serial (\S+)", self.pebble_log())]
