"""The completion for bash, asked as bash asks it."""
import os
import subprocess

import pytest

import world
from proc import TOP, clean_env

SCRIPT = """
source %s
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_sallyport
printf '%%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def complete(daemon, box):
    """complete(words…): what bash offers for the last of them."""
    daemon.apply(world.self_signed(), world.certificate("mail", "mail.test", issuer="self"))

    def ask(*words):
        script = SCRIPT % os.path.join(TOP, "dist", "sallyport.bash")
        done = subprocess.run(["bash", "-c", script, "bash",
                               world.program("SALLYPORT", "sallyport"), *words], capture_output=True, text=True,
                              env=dict(clean_env(), SALLYPORT_SOCKET=daemon.socket), timeout=60, cwd=box)
        assert done.returncode == 0 and done.stderr == "", done
        return done.stdout.split()
    return ask


def test_verbs(complete):
    assert {"apply", "certificate", "account", "import", "rollout", "status"} <= set(complete(""))
    assert complete("cert") == ["certificate"]
    assert complete("certificate", "") == ["list", "issue", "show", "renew", "revoke", "export", "delete"]
    assert complete("-n", "default", "import", "a") == ["acme.sh"]


def test_flags(complete):
    assert complete("certificate", "issue", "a.test", "--iss") == ["--issuer"]
    assert "--hook" in complete("certificate", "export", "mail", "--")
    assert complete("get", "--all-n") == ["--all-namespaces"]
    assert complete("certificate", "issue", "--key-type", "rsa2") == ["rsa2048"]


def test_names(complete, box):
    (box / "site.yaml").touch()
    assert complete("certificate", "show", "") == ["mail"]
    assert complete("certificate", "issue", "--issuer", "") == ["self"]
    assert complete("account", "rollover", "s") == ["self"]
    assert complete("describe", "certificates", "m") == ["mail"]
    assert "gateways.gateway.networking.k8s.io" in complete("get", "gat")
    assert complete("apply", "-f", "si") == ["site.yaml"]
