"""What is installed fits together: the unit lets the daemon write where the manual says that it may."""
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from proc import TOP

DIRECTORIES = {"StateDirectory": "/var/lib/", "RuntimeDirectory": "/run/", "LogsDirectory": "/var/log/",
               "ConfigurationDirectory": "/etc/"}


def text(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as file:
        return file.read()


def unit_directories():
    found = dict(re.findall(r"^(\w+Directory)=(\S+)$", text("dist", "sallyportd.service"), re.M))
    return {name: DIRECTORIES[name] + folder + "/" for name, folder in found.items()}


def test_the_unit_may_write_where_the_manual_says():
    writable = unit_directories()
    assert set(writable) == set(DIRECTORIES)
    logs = set(re.findall(r"^accessLog: (/\S+)$", text("man", "sallyportd.yaml.5"), re.M))
    assert logs and all(path.startswith(writable["LogsDirectory"]) for path in logs), logs
    assert "/var/lib/sallyport/sallyport.db" in text("man", "sallyportd.8")


def test_the_rotated_log_is_that_of_the_unit(tmp_path):
    rotate = text("dist", "sallyport.logrotate")
    assert re.search(r"^%s\*\.log \{$" % re.escape(unit_directories()["LogsDirectory"]), rotate, re.M), rotate
    script = re.search(r"postrotate\n(.*)\tendscript", rotate, re.S)[1]
    # The process whose id the lock holds gets SIGUSR1, and without a lock nothing fails.
    script = script.replace("/var/lib/sallyport/sallyport.lock", shlex.quote(str(tmp_path / "lock")))
    assert subprocess.run(["sh", "-c", script], timeout=20).returncode == 0
    waits = ("import signal as s; s.pthread_sigmask(s.SIG_BLOCK, [s.SIGUSR1]); print('ready', flush=True); "
             "raise SystemExit(7 if s.sigwait([s.SIGUSR1, s.SIGTERM]) == s.SIGUSR1 else 8)")
    target = subprocess.Popen([sys.executable, "-c", waits], stdout=subprocess.PIPE, text=True)
    try:
        assert target.stdout.readline() == "ready\n"
        (tmp_path / "lock").write_text("%d\n" % target.pid)
        assert subprocess.run(["sh", "-c", script], timeout=20).returncode == 0
        assert target.wait(20) == 7
    finally:
        target.kill()
        target.communicate()


def test_logrotate_takes_it(tmp_path):
    program = shutil.which("logrotate", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        pytest.skip("logrotate is not installed")
    # Debugging changes nothing; users and folders of the host are not there.
    own = re.sub(r"^\tsu .*\n", "", text("dist", "sallyport.logrotate"), flags=re.M)
    (tmp_path / "conf").write_text(own.replace("/var/log/sallyport", str(tmp_path)))
    done = subprocess.run([program, "--debug", str(tmp_path / "conf")], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0 and "error" not in done.stderr, done.stderr
