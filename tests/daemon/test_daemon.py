#!/usr/bin/env python3
"""The folder of manifests and the settings, with the daemon as it is: what a reload may delete, and
what is refused before anything starts."""

import os
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from http.client import HTTPConnection

DAEMON = os.path.join(os.environ.get("BUILD", os.getcwd()), "src", "sallyportd")
MAPS = "/api/v1/namespaces/%s/configmaps/%s"
OBJECT = "apiVersion: v1\nkind: %s\nmetadata: {name: %s%s}\n---\n"


def config_map(name, namespace="default"):
    return OBJECT % ("ConfigMap", name, ", namespace: " + namespace)


def namespace(name):
    return OBJECT % ("Namespace", name, "")


class Unix(HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


def linked_with(library):
    done = subprocess.run(["ldd", DAEMON], stdout=subprocess.PIPE, text=True, check=True)
    return library in done.stdout


def until(condition, what):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain: " + what)
        time.sleep(0.01)


class Base(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="sallyport-")
        self.dir = self.scratch.name
        self.folder = os.path.join(self.dir, "m")
        self.socket = os.path.join(self.dir, "sock")
        self.log = os.path.join(self.dir, "log")
        self.process = None
        self.starts = 0
        os.mkdir(self.folder)

    def tearDown(self):
        self.stop()
        self.scratch.cleanup()

    def path(self, name, folder="m"):
        return os.path.join(self.dir, folder, name)

    def write(self, name, text, folder="m"):
        with open(self.path(name, folder), "w", encoding="utf-8") as file:
            file.write(text)

    def log_text(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def start(self, folder):
        self.starts += 1
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [DAEMON, "--state-dir", self.path("", "s"), "--socket", self.socket, "--workers",
                 "1", "--manifests", folder], stderr=log, cwd=self.dir)

    def is_ready(self):
        """The socket file is there a moment before anybody listens: the log tells."""
        return self.log_text().count("ready: control socket") == self.starts

    def ready(self):
        until(lambda: self.is_ready() or self.process.poll() is not None, "control socket")
        self.assertIsNone(self.process.poll(), self.log_text())

    def run_with(self, folder):
        self.start(folder)
        self.ready()

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.process.wait(60), 0, self.log_text())
            self.process = None

    def reload(self):
        before = self.log_text().count(" applied: ")
        self.process.send_signal(signal.SIGHUP)
        until(lambda: self.log_text().count(" applied: ") > before, "reload")

    def request(self, method, path, body=None):
        connection = Unix(self.socket)
        connection.request(method, path, body, {"Content-Type": "application/yaml"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    def there(self, name, ns="default"):
        return self.request("GET", MAPS % (ns, name)) == 200


class TestFolder(Base):
    def test_folder_of_like_name(self):
        """Another folder whose name only begins alike is another folder."""
        os.mkdir(self.path("", "m2"))
        self.write("a.yaml", config_map("a"), "m2")
        self.run_with(self.path("", "m2").rstrip("/"))
        self.stop()
        self.run_with(self.folder)
        self.assertTrue(self.there("a"))

    def test_one_name(self):
        """However the folder is written, a refused file keeps its objects."""
        self.write("a.yaml", config_map("a"))
        self.run_with(self.folder + "//")
        self.stop()
        self.write("a.yaml", "a: [")
        self.run_with("m")
        self.assertTrue(self.there("a"))
        self.write("a.yaml", "")
        self.reload()
        self.assertFalse(self.there("a"))

    def test_moved_into_a_refused_file(self):
        """An object that moved to a file with another mistake is not deleted."""
        self.write("a.yaml", config_map("a"))
        self.run_with(self.folder)
        os.unlink(self.path("a.yaml"))
        self.write("b.yaml", config_map("a") + OBJECT % ("Nope", "b", ""))
        self.reload()
        self.assertTrue(self.there("a"))

    def test_namespace_goes_with_all_in_it(self):
        self.write("a.yaml", namespace("team") + config_map("a", "team"))
        self.run_with(self.folder)
        self.assertEqual(self.request("POST", MAPS[:-3] % "team", config_map("by-hand", "team")),
                         201)
        os.unlink(self.path("a.yaml"))
        self.reload()
        self.assertFalse(self.there("a", "team"))
        self.assertFalse(self.there("by-hand", "team"))
        self.assertEqual(self.request("GET", "/api/v1/namespaces/team"), 404)

    def test_namespace_stays_while_files_use_it(self):
        self.write("a.yaml", namespace("team"))
        self.write("b.yaml", config_map("b", "team"))
        self.run_with(self.folder)
        os.unlink(self.path("a.yaml"))
        self.reload()
        self.assertTrue(self.there("b", "team"))
        self.assertEqual(self.request("GET", "/api/v1/namespaces/team"), 200)
        self.assertIn("Namespace team left the files and stays", self.log_text())
        self.write("b.yaml", "a: [")
        self.reload()
        self.assertTrue(self.there("b", "team"))
        os.unlink(self.path("b.yaml"))
        self.reload()
        self.assertEqual(self.request("GET", "/api/v1/namespaces/team"), 404)

    def test_namespace_of_a_refused_file(self):
        """Nothing is made in a Namespace that is not."""
        self.write("a.yaml", config_map("a", "team"))
        self.write("b.yaml", namespace("team") + config_map("b", "nowhere"))
        self.run_with(self.folder)
        self.assertFalse(self.there("a", "team"))
        self.assertIn('namespaces "team" not found', self.log_text())

    def test_too_many_files(self):
        """A file too many deletes nothing."""
        self.write("z.yaml", config_map("z"))
        self.run_with(self.folder)
        for number in range(10000):
            self.write("a%d.yaml" % number, "")
        self.reload()
        self.assertTrue(self.there("z"))
        self.assertIn("at most 10000", self.log_text())

    def test_reload_while_it_starts(self):
        for number in range(300):
            self.write("%d.yaml" % number, config_map("c%d" % number))
        self.start(self.folder)
        until(lambda: "workers, state in" in self.log_text(), "start")
        while not self.is_ready() and self.process.poll() is None:
            self.process.send_signal(signal.SIGHUP)
            time.sleep(0.001)
        self.ready()
        self.assertTrue(self.there("c299"))
        self.assertEqual(self.log_text().count("ready: control socket"), 1)


class TestSettings(Base):
    """Each mistake: exit status 2, with or without --check, before anything is touched."""

    def refused(self, flags, *words):
        for check in ([], ["--check"]):
            done = subprocess.run([DAEMON, "--state-dir", self.path("", "s"), "--socket",
                                   self.socket] + flags + check, capture_output=True, text=True,
                                  timeout=60, check=False)
            self.assertEqual(done.returncode, 2, done.stderr)
            for word in words:
                self.assertIn(word, done.stderr)
            self.assertFalse(os.path.exists(self.path("", "s")))

    def test_flags(self):
        self.refused(["--listen-metrics", "bogus"], "listen-metrics 'bogus' (flag)", "127.0.0.1:")
        self.refused(["--listen-metrics", "127.0.0.1"], "ADDRESS:PORT is due")
        self.refused(["--dns-servers", "192.0.2.1,bogus"], "dns-servers", "(flag)", '"bogus"')
        self.refused(["--dns-servers", ",".join(["192.0.2.1"] * 17)], "at most 16")
        self.refused(["--socket", "/tmp/" + "x" * 103], "socket '/tmp/xxx", "107")
        self.refused(["--socket", ""], "a path is due")
        self.refused(["--state-dir", ""], "a path is due")

    def test_file(self):
        file = self.path("c.yaml")
        for text, words in (
                ("allowedBackends: [bogus/44]", ("c.yaml", "allowedBackends", "bogus/44")),
                ("drainTimeout: 20s", ("drainTimeout '20s' (file", "c.yaml", "seconds")),
                ("listenMetrics: localhost:http", ("listenMetrics", "c.yaml", "127.0.0.1:9090"))):
            self.write("c.yaml", text)
            self.refused(["--config", file], *words)


class TestSandbox(Base):
    def statuses(self):
        tasks = "/proc/%d/task" % self.process.pid
        for task in os.listdir(tasks):
            with open(os.path.join(tasks, task, "status"), encoding="ascii") as file:
                yield dict(line.rstrip("\n").split(":\t", 1) for line in file)

    def test_all_threads_are_in_it(self):
        """No thread of the daemon gets privileges, or asks the kernel what a gateway need not."""
        self.run_with(self.folder)
        filtered = linked_with("libseccomp")
        threads = list(self.statuses())
        self.assertGreater(len(threads), 1)
        for status in threads:
            self.assertEqual(status["NoNewPrivs"], "1", status["Name"])
            if filtered:
                self.assertEqual(status["Seccomp"], "2", status["Name"])
        self.assertNotIn("filter of system calls", self.log_text())


if __name__ == "__main__":
    unittest.main()
