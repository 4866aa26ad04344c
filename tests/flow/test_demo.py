"""scripts/demo: the two ways it is run."""
import os
import re
import signal
import subprocess

import world
from proc import TOP, Process, clean_env, run, wait_for

DEMO = [os.path.join(TOP, "scripts", "demo"), "--no-install"]


def programs():
    return {"SALLYPORTD": world.program("SALLYPORTD", "sallyportd"),
            "SALLYPORT": world.program("SALLYPORT", "sallyport")}


def test_once():
    done = subprocess.run(DEMO + ["--once"], capture_output=True, text=True, timeout=120,
                          env=dict(clean_env(), **programs()), stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout and done.stdout.count("  ok ") >= 12, done.stdout
    for word in ("account", "order", "challenge", "certificate", "location"):
        assert word in done.stdout, word
    assert "\033" not in done.stdout, "no colours into a pipe"


def test_until_interrupted(box):
    """It stays, the lines it prints work, and Ctrl-C leaves no process and no file."""
    demo = Process("demo", DEMO, box / "demo.log", programs())
    try:
        wait_for(lambda: "Ctrl-C" in demo.text(), "the demo", 60, alive=demo)
        text = demo.text()
        folder = re.search(r"cd (\S+)", text)[1]
        commands = re.findall(r"^    (curl .*)$", text, re.M)
        assert len(commands) == 4
        for command in commands:
            done = subprocess.run(command + " -sS -f --noproxy '*'", shell=True, cwd=folder, text=True,
                                  capture_output=True, env=clean_env())
            assert done.returncode == 0, command + done.stderr
            assert "This is " in done.stdout or "301" in done.stdout, done.stdout
        sp = re.search(r"alias sp='(.*)'", text)[1]
        for command in re.findall(r"^    sp (.*)$", text, re.M):
            run("sh", "-c", "cd %s && %s %s" % (folder, sp, command))
        wait_for(lambda: demo.text().count('"GET /') >= 4, "the requests to be shown")
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(demo.pid)], capture_output=True,
                                  text=True).stdout.split()
        assert len(children) >= 4
        assert demo.stop(signal.SIGINT, 40) == 0
        assert not os.path.exists(folder)
        for pid in children:
            assert not os.path.exists("/proc/" + pid), pid
    finally:
        demo.kill()
