"""Processes, ports and conditions: what every flow test is made of."""
import os
import random
import signal
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))


def wait_for(condition, what, timeout=60.0, every=0.02, alive=None):
    """Returns the first true value of condition(); what it raises until then counts as "not yet".

    alive is a Process that must not end meanwhile."""
    end = time.monotonic() + timeout
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except (AssertionError, OSError, ValueError, KeyError, IndexError) as e:
            last = "%s: %s" % (type(e).__name__, e)
        if alive is not None and alive.ended():
            raise AssertionError("%s ended (%s) while waiting for %s\n%s"
                                 % (alive.name, alive.process.returncode, what, alive.tail()))
        if time.monotonic() > end:
            raise AssertionError("after %.0f s still not: %s; last: %s" % (timeout, what, last))
        time.sleep(every)


_claims = []


def claim(name):
    """Makes a name this process's own until it ends, among all that ask here; False: it is another's.

    (A socket without a file. tests/unit/port.c claims its ports by the same names.)"""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        made.bind("\0sallyport-test-" + name)
    except OSError:
        made.close()
        return False
    _claims.append(made)
    return True


def free_port(address="127.0.0.1", udp=False):
    """A port that nobody uses, below the range that the kernel gives to clients."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    while True:
        port = random.SystemRandom().randrange(10000, 32000)
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)[:2 if udp else 1]:
                with socket.socket(family, kind) as s:
                    s.bind((address, port))
        except OSError:
            continue
        if claim("port-%d" % port):
            return port


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def own_address():
    """A loopback address of this test's own: 127.x.y.z."""
    while True:
        n = random.SystemRandom().randrange(100 << 16, 200 << 16)
        address = "127.%d.%d.%d" % (n >> 16, (n >> 8) & 255, 1 + n % 250)
        if claim(address):
            return address


def can_connect(address, port):
    with socket.create_connection((address, port), 2):
        return True


class Process:
    """A program with its output in a file; ended by its own id."""

    def __init__(self, name, command, log, env=None, cwd=None):
        self.name = name
        self.command = [str(c) for c in command]
        self.log = str(log)
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env=dict(clean_env(), **(env or {})), cwd=cwd)
        self.pid = self.process.pid

    def ended(self):
        return self.process.poll() is not None

    def text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def tail(self, lines=40):
        return "--- %s (%s) ---\n%s" % (self.name, " ".join(self.command),
                                        "\n".join(self.text().splitlines()[-lines:]))

    def send(self, number):
        if not self.ended():
            self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM, timeout=30):
        """Sends the signal and waits; the exit status."""
        self.send(number)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("%s did not end within %d s of signal %d\n%s"
                                 % (self.name, timeout, number, self.tail()))

    def kill(self):
        if not self.ended():
            self.process.kill()
        self.process.wait()

    def memory(self):
        """Resident bytes."""
        with open("/proc/%d/status" % self.pid) as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("%s has no VmRSS" % self.name)

    def cpu(self):
        """Seconds of processor time used so far."""
        with open("/proc/%d/stat" % self.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def clean_env():
    """The environment without what would lead a program astray."""
    bad = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "no_color", "clicolor_force")
    return {k: v for k, v in os.environ.items()
            if k.lower() not in bad and not k.startswith(("SALLYPORT", "SSL_CERT", "KUBE", "NOTIFY_"))
            } | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}


def run(*command, data=None, env=None, timeout=60, check=True):
    """Runs a command to its end; with check, an exit status other than 0 fails the test."""
    done = subprocess.run([str(c) for c in command], input=data, capture_output=True, text=True,
                          env=dict(clean_env(), **(env or {})), timeout=timeout)
    if check:
        assert done.returncode == 0, "%s: exit %d\n%s%s" % (
            " ".join(done.args), done.returncode, done.stdout, done.stderr)
    return done
