"""certificate list, issue, show, renew, revoke, export and delete: as for a mail server that has no route."""
import json
import os
import pathlib
import re
import stat

import pytest

import world
from proc import Process, clean_env, run, wait_for

ME = os.geteuid()


@pytest.fixture
def host(daemon):
    daemon.apply(world.self_signed())
    daemon.wait_condition("clusterissuers", "self", "Ready", ns=None)
    return daemon


@pytest.fixture
def mail(host):
    host.cli("certificate", "issue", "mail.test", "imap.mail.test", "--wait")
    return host


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def fingerprint(path):
    return run("openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", path).stdout.split("=")[1].strip()


def revision(daemon, name="mail-test"):
    return daemon.get("certificates", name).get("status", {}).get("revision", 0)


# ---- issue, list, show


def test_issue(host):
    said = host.cli("certificate", "issue", "Mail.test", "imap.mail.test", "192.0.2.7", "--wait")
    assert said.stdout == ("certificate.cert-manager.io/mail-test created\n"
                           "certificate.cert-manager.io/mail-test is ready\n"), said
    made = host.get("certificates", "mail-test")["spec"]
    assert made["secretName"] == "mail-test" and made["ipAddresses"] == ["192.0.2.7"], made
    assert made["issuerRef"]["kind"] == "ClusterIssuer" and made["issuerRef"]["name"] == "self", made
    assert made["privateKey"] == {"algorithm": "ECDSA", "size": 256}, made
    again = host.cli("certificate", "issue", "mail.test", check=False)
    assert again.returncode == 1 and "already exists" in again.stderr, again


def test_issue_as_told(host):
    host.cli("certificate", "issue", "*.shop.test", "--issuer", "clusterissuer/self", "--secret", "shop-tls",
             "--key-type", "rsa2048", "--name", "shop", "-n", "default")
    made = host.get("certificates", "shop")["spec"]
    assert made["secretName"] == "shop-tls" and made["privateKey"] == {"algorithm": "RSA", "size": 2048}
    dry = host.cli("certificate", "issue", "*.x.test", "--dry-run", "-o", "json")
    assert json.loads(dry.stdout)["metadata"]["name"] == "wildcard-x-test"
    assert not host.exists("certificates", "wildcard-x-test")


@pytest.mark.parametrize("words, code, told", [
    ([], 2, "for which names"),
    (["a.test", "--key-type", "dsa"], 2, "p256, p384"),
    (["a.test", "--issuer", "none"], 1, "there is clusterissuer/self"),
    (["a.test", "--issuer", "secret/self"], 1, "does not exist"),
    (["bad name"], 1, "dnsNames"),
])
def test_issue_refused(host, words, code, told):
    done = host.cli("certificate", "issue", *words, check=False)
    assert done.returncode == code and told in done.stderr, done
    assert host.list("certificates") == []


def test_several_issuers_need_a_choice(host):
    host.apply(world.self_signed("other"))
    done = host.cli("certificate", "issue", "a.test", check=False)
    assert done.returncode == 2 and "clusterissuer/other" in done.stderr and "clusterissuer/self" in done.stderr, done


def test_list_fits(mail):
    mail.cli("certificate", "issue", "a-very-long-name-of-a-host.in-a-very-long-domain.test", "and-another-one.test",
             "--wait")
    out = mail.cli("certificate", "list").stdout
    lines = out.splitlines()
    assert lines[0].split() == ["CERTIFICATE", "NAMES", "LEFT", "RENEWAL", "ISSUER", "STATE"], out
    assert len(lines) == 3 and "a-very-long-name-of-a-host.in-a-very-long-domain.test" in out, "whole when piped"
    narrow = mail.on_terminal("certificate", "list").splitlines()
    assert len(narrow) == 3 and all(len(line) <= 80 for line in narrow), narrow
    assert re.search(r"^mail-test .*\bready$", out, re.M), out
    rows = json.loads(mail.cli("certificate", "list", "-o", "json").stdout)
    assert sorted(r["name"] for r in rows)[1] == "mail-test" and rows[0]["daysLeft"] > 0
    assert mail.cli("certificate", "list", "--no-headers").stdout.count("\n") == 2


def test_show_tells_no_secret(mail):
    out = mail.cli("certificate", "show", "mail-test").stdout
    for word in ("mail.test", "imap.mail.test", "ClusterIssuer self", "ECDSA P-256", "SHA-256:", "Serial:", "Renewal:",
                 "no Gateway", "State:        ready"):
        assert word in out, (word, out)
    key = mail.get("secrets", "mail-test")["data"]["tls.key"]
    assert "PRIVATE" not in out and key[:40] not in out
    missing = mail.cli("certificate", "show", "none", check=False)
    assert missing.returncode == 1 and "NotFound" in missing.stderr, missing


def test_show_names_the_listener(mail):
    mail.apply(world.gateway(mail.address, [world.listener("tls", 18443, "mail.test", "mail-test")]))
    out = mail.cli("certificate", "show", "mail-test").stdout
    assert "Gateway default/edge, listener tls" in out, out


def test_words_that_are_missing(host):
    done = host.cli("certificate", check=False)
    assert done.returncode == 2 and "list issue show renew revoke export delete" in done.stderr, done
    done = host.cli("certificate", "show", "secret/x", check=False)
    assert done.returncode == 2 and "no certificate" in done.stderr, done


# ---- renew, revoke, delete


def test_renew(mail):
    before = revision(mail)
    out = mail.cli("certificate", "renew", "mail-test", "--wait").stdout
    assert "renewed" in out and revision(mail) == before + 1, out


def test_revoke_asks_the_daemon(mail):
    out = mail.cli("certificate", "revoke", "mail-test", "--reason", "superseded").stdout
    assert "revocation requested (superseded)" in out
    bad = mail.cli("certificate", "revoke", "mail-test", "--reason", "boredom", check=False)
    assert bad.returncode == 2 and "cessationOfOperation" in bad.stderr, bad


def test_revoke_of_what_nobody_can_revoke(mail):
    done = mail.cli("certificate", "revoke", "mail-test", "--wait", check=False)
    assert done.returncode == 1 and "it was not revoked" in done.stderr, done
    done = mail.cli("certificate", "delete", "mail-test", "--revoke", check=False)
    assert done.returncode == 1 and mail.exists("certificates", "mail-test"), done
    done = mail.cli("certificate", "delete", "mail-test", "--reason", "superseded", check=False)
    assert done.returncode == 2 and "--revoke" in done.stderr, done


def test_revoke_and_delete(site):
    """At a CA: revoked and replaced; revoked and gone."""
    daemon = site.daemon
    daemon.apply(world.acme_issuer(site.ca), site.http_gateway())
    daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)
    daemon.cli("certificate", "issue", site.name, "--name", "c", "--wait")
    before = daemon.get("secrets", "c")["data"]["tls.crt"]
    done = daemon.cli("certificate", "revoke", "c", "--reason", "keyCompromise", "--wait")
    assert done.stdout.splitlines()[-1] == "certificate.cert-manager.io/c revoked", done
    wait_for(lambda: daemon.get("secrets", "c")["data"]["tls.crt"] != before, "another certificate", 60)
    daemon.wait_ready_certificate("c")
    done = daemon.cli("certificate", "delete", "c", "--revoke")
    assert done.stdout.splitlines()[1:] == ["certificate.cert-manager.io/c revoked",
                                            'certificate.cert-manager.io "c" deleted'], done
    assert not daemon.exists("certificates", "c")


def test_delete_keeps_the_key(mail):
    done = mail.cli("certificate", "delete", "mail-test")
    assert "deleted" in done.stdout and "Secret mail-test" in done.stderr, done
    assert not mail.exists("certificates", "mail-test") and mail.exists("secrets", "mail-test")


# ---- export


def test_export_to_a_folder(mail, box):
    out = mail.cli("certificate", "export", "mail-test", "--dir", box).stdout
    assert out == "certificate.cert-manager.io/mail-test exported\n"
    files = {p.name: mode(p) for p in box.glob("*.pem")}
    assert files == {"cert.pem": 0o644, "privkey.pem": 0o600, "chain.pem": 0o644, "fullchain.pem": 0o644}, files
    assert [p.name for p in box.glob(".*")] == [], "nothing is left beside them"
    assert run("openssl", "x509", "-noout", "-pubkey", "-in", box / "cert.pem").stdout == run(
        "openssl", "pkey", "-pubout", "-in", box / "privkey.pem").stdout
    before = {p: p.stat().st_ino for p in box.glob("*.pem")}
    assert "unchanged" in mail.cli("certificate", "export", "mail-test", "--dir", box).stdout
    assert before == {p: p.stat().st_ino for p in box.glob("*.pem")}, "files that are right are left alone"


def test_export_single_files(mail, box):
    (box / "pass").write_text("Geheim 1\nsecond line\n")
    mail.cli("certificate", "export", "mail-test", "--pem", box / "all.pem", "--p12", box / "all.p12",
             "--password-file", box / "pass", "--key", box / "key", "--owner", "%d:%d" % (ME, os.getegid()),
             "--mode", "0640")
    assert mode(box / "key") == mode(box / "all.pem") == mode(box / "all.p12") == 0o640
    text = (box / "all.pem").read_text()
    assert text.index("PRIVATE KEY") < text.index("BEGIN CERTIFICATE")
    listed = run("openssl", "pkcs12", "-in", box / "all.p12", "-passin", "pass:Geheim 1", "-nokeys").stdout
    assert "BEGIN CERTIFICATE" in listed
    before = (box / "all.p12").read_bytes()
    again = mail.cli("certificate", "export", "mail-test", "--p12", box / "all.p12", "--password-file", box / "pass",
                     "--mode", "0640")
    assert "unchanged" in again.stdout and (box / "all.p12").read_bytes() == before
    (box / "pass").write_text("other\n")
    again = mail.cli("certificate", "export", "mail-test", "--p12", box / "all.p12", "--password-file", box / "pass")
    assert "exported" in again.stdout and mode(box / "all.p12") == 0o600


@pytest.mark.parametrize("words, code, told", [
    ([], 2, "where to?"),
    (["--key", "k", "--mode", "0644"], 1, "not for others"),
    (["--key", "k", "--mode", "rw"], 1, "octal"),
    (["--key", "k", "--owner", "no-such-user-here"], 1, "no user"),
    (["--key", "k", "--cert", "k"], 1, "two different files"),
    (["--key", "no/such/folder/k"], 1, "No such file"),
    (["--key", "k", "--hook", "../sh"], 1, "without its folder"),
    (["--key", "k", "--hook", "sh"], 1, "hooks"),
    (["--key", "."], 1, "no regular file"),
])
def test_export_refused(mail, box, words, code, told):
    done = mail.cli("certificate", "export", "mail-test", *words, check=False, cwd=box)
    assert done.returncode == code and told in done.stderr, done
    assert list(box.iterdir()) == [], "nothing was written"


def test_export_follows_no_link(mail, box):
    (box / "target").write_text("mine")
    (box / "key").symlink_to(box / "target")
    done = mail.cli("certificate", "export", "mail-test", "--key", box / "key", check=False)
    assert done.returncode == 1 and "no regular file" in done.stderr, done
    assert (box / "target").read_text() == "mine"


@pytest.fixture
def hooks(box):
    """A folder of hooks; each run of the hook "note" adds a line to the file "ran"."""
    folder = box / "hooks"
    folder.mkdir(mode=0o755)
    note = folder / "note"
    note.write_text('#!/bin/sh\necho "$SALLYPORT_CERTIFICATE $RENEWED_DOMAINS" >>%s/ran\ntest ! -e %s/fail\n'
                    % (box, box))
    note.chmod(0o755)
    return folder


def ran(box):
    return (box / "ran").read_text().splitlines() if (box / "ran").exists() else []


def test_hook_runs_on_change_only(mail, box, hooks):
    words = ["certificate", "export", "mail-test", "--key", box / "key", "--hook", "note", "--hooks-dir", hooks]
    mail.cli(*words)
    assert ran(box) == ["mail-test mail.test imap.mail.test"]
    mail.cli(*words)
    assert len(ran(box)) == 1
    (box / "key").chmod(0o644)
    mail.cli(*words)
    assert len(ran(box)) == 2 and mode(box / "key") == 0o600


def test_hook_that_failed_is_run_again(mail, box, hooks):
    words = ["certificate", "export", "mail-test", "--key", box / "key", "--hook", "note", "--hooks-dir", hooks]
    (box / "fail").touch()
    done = mail.cli(*words, check=False)
    assert done.returncode == 1 and "exit 1" in done.stderr and (box / "key").exists(), done
    (box / "fail").unlink()
    mail.cli(*words)
    mail.cli(*words)
    assert len(ran(box)) == 2, "until it has succeeded once"


def test_hook_that_others_can_change_is_not_run(mail, box, hooks):
    words = ["certificate", "export", "mail-test", "--key", box / "key", "--hook", "note", "--hooks-dir", hooks]
    (hooks / "note").chmod(0o777)
    done = mail.cli(*words, check=False)
    assert done.returncode == 1 and "can be written by others" in done.stderr, done
    (hooks / "note").chmod(0o755)
    hooks.chmod(0o777)
    done = mail.cli(*words, check=False)
    assert done.returncode == 1 and "can be written by others" in done.stderr, done
    assert ran(box) == [] and not (box / "key").exists()


def test_watch(mail, box, hooks):
    """Rewrites when the certificate changes, and only then; a restart of the daemon is survived."""
    tls = box / "tls"
    tls.mkdir()
    watcher = Process("export", [world.program("SALLYPORT", "sallyport"), "--socket", mail.socket, "certificate",
                                 "export", "mail-test", "--watch", "--dir", tls, "--hook", "note",
                                 "--hooks-dir", hooks], box / "export.log", clean_env())
    try:
        wait_for(lambda: len(ran(box)) == 1, "the first export", alive=watcher)
        first = fingerprint(tls / "cert.pem")
        mail.cli("certificate", "renew", "mail-test", "--wait")
        wait_for(lambda: len(ran(box)) == 2, "the second export", alive=watcher)
        second = fingerprint(tls / "cert.pem")
        assert second != first
        mail.restart()
        mail.cli("certificate", "renew", "mail-test", "--wait")
        wait_for(lambda: len(ran(box)) == 3, "the third export", alive=watcher)
        wait_for(lambda: watcher.text().count(" exported\n") == 3, "its line, behind the hook", alive=watcher)
        assert fingerprint(tls / "cert.pem") not in (first, second)
        assert not watcher.ended()
        assert [p.name for p in tls.glob(".*")] == []
    finally:
        watcher.stop()
    assert watcher.text().count(" exported\n") == 3, watcher.text()


def test_watch_begins_before_the_certificate(host, box):
    target = pathlib.Path(box) / "key"
    watcher = Process("export", [world.program("SALLYPORT", "sallyport"), "--socket", host.socket, "certificate",
                                 "export", "mail-test", "--watch", "--key", target], box / "export.log", clean_env())
    try:
        wait_for(lambda: "not found" in watcher.text(), "the complaint", alive=watcher)
        host.cli("certificate", "issue", "mail.test")
        wait_for(target.exists, "the key", 60, alive=watcher)
    finally:
        watcher.stop()
