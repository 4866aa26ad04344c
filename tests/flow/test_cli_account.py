"""account list, update, rollover, deactivate."""
import json
import os
import pty
import re
import subprocess

import pytest

import world
from proc import clean_env, wait_for

ROLLOVER, DEACTIVATE = "sallyport.dev/account-rollover", "sallyport.dev/account-deactivate"


@pytest.fixture
def host(daemon, ca):
    daemon.apply(world.acme_issuer(ca), world.self_signed())
    daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)
    return daemon


def note(daemon, key):
    return daemon.get("clusterissuers", "ca", None)["metadata"].get("annotations", {}).get(key)


def test_list(host):
    out = host.cli("account", "list").stdout
    lines = out.splitlines()
    assert lines[0].split() == ["ISSUER", "SERVER", "EMAIL", "ACCOUNT", "STATE"], out
    assert len(lines) == 2, out
    assert all(len(line) <= 80 for line in host.on_terminal("account", "list").splitlines())
    uri = host.get("clusterissuers", "ca", None)["status"]["acme"]["uri"]
    words = lines[1].split()
    assert words[0] == "clusterissuer/ca" and words[2] == "admin@example.com" and words[4] == "ready", out
    assert words[3] in uri, out
    listed = json.loads(host.cli("account", "list", "-o", "json").stdout)
    assert [i["metadata"]["name"] for i in listed["items"]] == ["ca"]
    key = json.dumps(host.get("secrets", "ca-account", "sallyport-system")["data"])
    assert not any(word in key for word in out.split() if len(word) > 30)


def test_update(host):
    done = host.cli("account", "update", "ca", "--email", "ops@example.com", "--wait")
    assert done.stdout.splitlines() == ["clusterissuer.cert-manager.io/ca contact changed",
                                        "clusterissuer.cert-manager.io/ca updated"], done
    assert host.get("clusterissuers", "ca", None)["status"]["acme"]["lastRegisteredEmail"] == "ops@example.com"


def test_rollover_is_asked_for(host):
    done = host.cli("account", "rollover", "clusterissuer/ca")
    assert "new key requested" in done.stdout, done
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", note(host, ROLLOVER)), note(host, ROLLOVER)


def test_rollover(host):
    before = host.get("clusterissuers", "ca", None)["status"]["acme"]
    done = host.cli("account", "rollover", "ca", "--wait")
    assert done.stdout.splitlines()[1] == "clusterissuer.cert-manager.io/ca rolled over", done
    after = host.get("clusterissuers", "ca", None)["status"]["acme"]
    assert after["uri"] == before["uri"] and after["lastPrivateKeyHash"] != before["lastPrivateKeyHash"]


@pytest.mark.parametrize("words, code, told", [
    (["rollover"], 2, "which account"),
    (["rollover", "none"], 1, "there is clusterissuer/ca"),
    (["rollover", "self"], 1, "there is clusterissuer/ca"),
    (["rollover", "gateway/ca"], 1, "does not exist"),
    (["update", "ca"], 2, "--email ADDRESS"),
    (["deactivate", "ca"], 2, "cannot be undone"),
    (["show", "ca"], 2, "list update rollover deactivate"),
])
def test_refused(host, words, code, told):
    done = host.cli("account", *words, check=False, data="")
    assert done.returncode == code and told in done.stderr, done
    assert note(host, ROLLOVER) is None and note(host, DEACTIVATE) is None


def answered(host, answer):
    """deactivate on a terminal, where somebody types the answer; exit status and all that was said."""
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen(
            [world.program("SALLYPORT", "sallyport"), "--socket", host.socket, "account", "deactivate", "ca"],
            stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_env())
        os.write(master, answer)
        said = process.communicate(timeout=30)[0].decode()
        return process.returncode, said
    finally:
        os.close(master)
        os.close(slave)


def test_deactivation_is_asked_about(host):
    code, said = answered(host, b"n\n")
    assert code == 1 and "cannot be undone" in said and note(host, DEACTIVATE) is None, said
    code, said = answered(host, b"y\n")
    assert code == 0 and "deactivation requested" in said, said
    wait_for(lambda: note(host, DEACTIVATE), "the annotation")


def test_deactivation_without_a_terminal(host):
    done = host.cli("account", "deactivate", "ca", "--yes")
    assert "deactivation requested" in done.stdout and note(host, DEACTIVATE), done
