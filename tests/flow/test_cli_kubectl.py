"""What people who know kubectl type: verbs, forms and mistakes."""
import base64
import json
import os
import stat

import pytest

from acme_ca import make_tls_files
from proc import clean_env
import world

CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": {"n": "3"}}, "data": {"k": "v"}}


def config(name, **labels):
    return dict(CONFIG, metadata={"name": name, "labels": labels})


@pytest.fixture
def daemon(daemons):
    return daemons().start()


def fails(daemon, code, *arguments, **how):
    done = daemon.cli(*arguments, check=False, **how)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr


def test_mistakes_say_what_was_meant(daemon):
    for words, code, hint in (
            (("gte", "gateways"), 2, 'is "get" meant?'), (("logs", "web"), 2, "journalctl -u sallyportd"),
            (("exec", "web"), 2, "runs no containers"), (("get", "gatewys"), 1, 'is "gateways" meant?'),
            (("get", "gateways", "--al-namespaces"), 2, 'is "--all-namespaces" meant?'),
            (("get", "pods"), 1, "sallyport api-resources lists them")):
        assert hint in fails(daemon, code, *words), words
    for wrong, hint in (
            ({"apiVersion": "networking.k8s.io/v1", "kind": "Gateway"}, '"apiVersion: gateway.networking.k8s.io/v1"'),
            ({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gatway"}, '"kind: Gateway" meant?'),
            ({"apiVersion": "apps/v1", "kind": "Pod"}, "api-resources lists the kinds")):
        assert hint in fails(daemon, 1, "apply", "-f", "-", data=json.dumps(dict(wrong, metadata={"name": "a"})))
    misspelt = dict(CONFIG, dat={"k": "v"})
    assert 'unknown field "dat" (is "data" meant?)' in fails(daemon, 1, "apply", "-f", "-", data=json.dumps(misspelt))


def test_columns_and_order(daemon):
    daemon.apply(config("b", n="9"), config("a", n="10"), config("c"))
    forms = ("NAME:.metadata.name,N:{.metadata.labels.n}", "NAME:metadata.name,N:.metadata.labels.n")
    for form in forms:
        lines = daemon.cli("get", "cm", "-o", "custom-columns=" + form).stdout.splitlines()
        assert [line.split() for line in lines] == [["NAME", "N"], ["a", "10"], ["b", "9"], ["c", "<none>"]]
    one = daemon.cli("get", "cm", "a", "--no-headers", "-o", "custom-columns=NAME:.metadata.name")
    assert one.stdout == "a\n"
    for more in ((), ("-o", "name"), ("-o", "custom-columns=N:.metadata.name")):
        out = daemon.cli("get", "cm", "--sort-by=.metadata.labels.n", "--no-headers", *more).stdout
        names = [line.split()[0].split("/")[-1] for line in out.splitlines()]
        assert [name for name in names if name != "N"] == ["c", "b", "a"], out  # none, 9, 10
    for bad in ("custom-columns=", "custom-columns=NAME", "custom-columns=:.a"):
        fails(daemon, 2, "get", "cm", "-o", bad)
    fails(daemon, 2, "get", "cm", "--sort-by={.a[")


def test_events(daemon, http_port):
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)]))
    daemon.wait_programmed()
    daemon.apply(world.gateway(daemon.address, [world.listener("http", http_port)], name="second"))
    daemon.cli("wait", "--for=jsonpath={.status.conditions[0].reason}=ListenersNotValid", "gateway/second")
    mine = daemon.cli("events", "--for", "gateway/edge", "--no-headers").stdout
    assert [line.split()[2] for line in mine.splitlines()] == ["Programmed"], mine
    bad = daemon.cli("events", "--types=Warning", "-o", "json").stdout
    assert {item["reason"] for item in json.loads(bad)["items"]} == {"ListenersNotValid"}
    assert "Programmed" in daemon.cli("events", "--types=Normal,Warning").stdout
    for words in (("--for", "edge"), ("--for", "/edge"), ("--types=Odd",), ("gateway",)):
        assert daemon.cli("events", *words, check=False).returncode != 0, words


def test_explain(daemon):
    text = daemon.cli("explain", "gateway.spec.listeners").stdout
    assert "GROUP:      gateway.networking.k8s.io\n" in text and "FIELD: listeners\t<[]Object>" in text
    assert "  port\t<integer> -required-\n    From 1 to 65535.\n" in text
    assert "  - " not in text and max(map(len, text.splitlines())) <= 80
    deep = daemon.cli("explain", "httproute", "--recursive").stdout
    assert "backendRefs\t<[]Object>" in deep
    assert 'field "colour" does not exist' in fails(daemon, 1, "explain", "gateway.spec.colour")
    fails(daemon, 1, "explain", "flower")
    fails(daemon, 2, "explain")


def test_wait_for_a_value(daemon):
    daemon.apply(config("a"))
    assert "condition met" in daemon.cli("wait", "--for=jsonpath={.data.k}=v", "cm/a").stdout
    daemon.cli("wait", "--for=jsonpath={.data.k}", "cm/a")
    assert "timed out" in fails(daemon, 1, "wait", "--for=jsonpath={.data.k}=w", "cm/a", "--timeout=0")
    assert "timed out" in fails(daemon, 1, "wait", "--for=jsonpath={.data.other}", "cm/a", "--timeout=0")
    fails(daemon, 1, "wait", "--for=jsonpath={.data.k}=v", "cm/absent")
    for bad in ("jsonpath=", "jsonpath=.data.k", "jsonpath={.a[}=1"):
        fails(daemon, 2, "wait", "--for=" + bad, "cm/a")


def test_diff(daemon):
    def diff(*objects, **how):
        return daemon.cli("diff", "-f", "-", data=world.documents(*objects), check=False, **how)

    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"p": "first-word"}}
    new = diff(config("a"))
    assert new.returncode == 1 and "+  name: a" in new.stdout, new.stdout + new.stderr
    assert daemon.cli("get", "cm", "-o", "name").stdout == "", "nothing is stored"
    daemon.apply(config("a"), secret)
    same = diff(config("a"), secret)
    assert (same.returncode, same.stdout) == (0, ""), same.stdout + same.stderr
    other = diff(dict(config("a"), data={"k": "w"}), dict(secret, stringData={"p": "second-word"}))
    assert other.returncode == 1 and "-  k: v\n+  k: w" in other.stdout
    assert "*** (before)" in other.stdout and "*** (after)" in other.stdout
    for word in (b"first-word", b"second-word"):
        assert word.decode() not in other.stdout and base64.b64encode(word).decode() not in other.stdout
    assert diff(dict(config("a"), dat={})).returncode == 2
    assert diff(config("a"), env={"KUBECTL_EXTERNAL_DIFF": "false"}).returncode == 1
    assert diff(config("a"), env={"TMPDIR": "/nonexistent"}).returncode == 2


def test_create_from_files(daemon, tmp_path):
    make_tls_files(tmp_path)
    cert, key = str(tmp_path / "tls.pem"), str(tmp_path / "tls.key")
    daemon.cli("create", "secret", "tls", "own", "--cert", cert, "--key", key)
    stored = daemon.get("secrets", "own")
    assert stored["type"] == "kubernetes.io/tls"
    assert base64.b64decode(stored["data"]["tls.key"]) == open(key, "rb").read()
    (tmp_path / "bytes").write_bytes(b"\x00\xff")
    (tmp_path / "words").write_text("yes: 1\n")
    daemon.cli("create", "configmap", "mixed", "--from-file", tmp_path / "bytes",
               "--from-file", "other=%s" % (tmp_path / "words"), "--from-literal=a=b=c")
    mixed = daemon.get("configmaps", "mixed")
    assert mixed["data"] == {"other": "yes: 1\n", "a": "b=c"}
    assert base64.b64decode(mixed["binaryData"]["bytes"]) == b"\x00\xff"
    dry = daemon.cli("create", "secret", "generic", "dry", "--from-literal=a=b", "--dry-run=client", "-o", "json")
    assert json.loads(dry.stdout)["data"] == {"a": "Yg=="}
    assert not daemon.exists("secrets", "dry")
    daemon.cli("create", "ns", "shop")
    daemon.cli("-n", "shop", "create", "secret", "generic", "s", "--type=example.com/t", "--from-literal=a=b")
    assert daemon.get("secrets", "s", "shop")["type"] == "example.com/t"
    for words in (("secret", "tls", "x", "--cert", cert), ("secret", "x"), ("secret", "odd", "x"), ("configmap",),
                  ("configmap", "x", "--from-literal=a"), ("configmap", "x", "--from-literal==a")):
        fails(daemon, 2, "create", *words)
    assert "has it already" in fails(daemon, 1, "create", "configmap", "x", "--from-literal=a=1", "--from-literal=a=2")
    assert "absent" in fails(daemon, 1, "create", "configmap", "x", "--from-file", tmp_path / "absent")
    with open(tmp_path / "large", "wb") as file:
        file.truncate(2 << 20)
    fails(daemon, 1, "create", "configmap", "x", "--from-file", tmp_path / "large")


def editor(folder, text):
    """A program that does this to the file it is given."""
    path = folder / "editor"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"KUBE_EDITOR": str(path), "TMPDIR": str(folder)}


def test_edit(daemon, tmp_path):
    daemon.apply(config("a"))
    done = daemon.cli("edit", "cm/a", env=editor(tmp_path, 'sed -i "s/k: v/k: w/" "$1"; stat -c %a "$1" >&2\n'))
    assert done.stdout == "configmap/a edited\n" and "600" in done.stderr
    assert daemon.get("configmaps", "a")["data"] == {"k": "w"}
    for nothing in ("true\n", ': >"$1"\n'):
        done = daemon.cli("edit", "cm", "a", env=editor(tmp_path, nothing))
        assert "cancelled" in done.stderr and done.stdout == ""
    # Refused: offered again with the reason on top; then it is mended.
    mend = 'if grep -q "# .*must be" "$1"; then sed -i "/^  1:/d" "$1"; else sed -i "s/k: w/k: x\\n  1: [2]/" "$1"; fi\n'
    done = daemon.cli("edit", "cm/a", env=editor(tmp_path, mend), check=False)
    assert (done.returncode, daemon.get("configmaps", "a")["data"]) == (0, {"k": "x"}), done.stderr
    # Refused, and left: a copy is kept.
    leave = 'grep -q "^# .*tab" "$1" || printf "\\t: [" >>"$1"\n'
    text = fails(daemon, 1, "edit", "cm/a", env=editor(tmp_path, leave))
    kept = text.split("kept: ")[1].strip()
    assert "k: x" in open(kept, encoding="utf-8").read()
    fails(daemon, 1, "edit", "cm/a", env=editor(tmp_path, "exit 3\n"))
    fails(daemon, 1, "edit", "cm/absent", env=editor(tmp_path, "true\n"))
    fails(daemon, 2, "edit")
    left = [name for name in os.listdir(tmp_path) if name.startswith("sallyport.")]
    assert left == [os.path.basename(os.path.dirname(kept))], "only the copy stays"


def test_edit_does_not_lose_what_others_wrote(daemon, tmp_path):
    """A change of the spec in between is a conflict, one of the status is not."""
    daemon.apply(config("a"))
    change = "%s --socket %s annotate cm a by=other >/dev/null; " % (world.program("SALLYPORT", "sallyport"), daemon.socket)
    once = 'if ! grep -q "^# .*modified" "$1"; then %s sed -i "s/k: v/k: w/" "$1"; fi\n' % change
    text = fails(daemon, 1, "edit", "cm/a", env=dict(clean_env(), **editor(tmp_path, once)))
    assert "has been modified" in text
    assert daemon.get("configmaps", "a")["data"] == {"k": "v"}
