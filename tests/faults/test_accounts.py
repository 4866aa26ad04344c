"""FAULTS.md, section 5: accounts and the directory."""
import base64

import pytest

import lab as faultlab
from proc import wait_for
import world


def issuer_told(client, reason, *words, name="ca", timeout=20):
    """Waits until the issuer says why it is not ready; the message."""
    def there():
        found = client.daemon.condition("clusterissuers", name, "Ready", ns=None)
        assert found["status"] == "False" and reason in (None, found["reason"]), found
        assert found["reason"] != "Pending" and all(w in found["message"] for w in words), found
        return found["message"]
    return wait_for(there, "the issuer to say %s %s" % (reason, words), timeout, alive=client.daemon.process)


def account_key(client):
    return client.daemon.get("secrets", "ca-account", "sallyport-system")["data"]


def test_f41_forgotten(client, lab):
    """Made anew with the same key, once, and the certificate comes."""
    client.up()
    key = account_key(client)
    lab.clear()
    lab.set("acct-gone")
    client.ask()
    client.ready()
    # Looked for by its key, then made, once.
    asked = [r["payload"].get("onlyReturnExisting", False) for r in lab.log("newacct")]
    assert asked.count(False) == 1 and len(asked) <= 2, asked
    assert account_key(client) == key


def test_f42_deactivated(client, lab):
    """For good: no account is made in its place."""
    client.up()
    lab.clear()
    lab.set("acct-deactivated")
    client.ask()
    issuer_told(client, "AccountDeactivated")
    requests = lab.stats()["requests"]
    for _ in range(4):
        client.later(12 * 3600)
    made = [r for r in lab.log("newacct") if not r["payload"].get("onlyReturnExisting")]
    assert made == [] and lab.stats()["requests"] - requests <= 8
    issuer_told(client, "AccountDeactivated")
    assert client.serial() is None


def test_f43_terms(client, lab):
    """The link is shown; they are agreed to only when the issuer says so."""
    client.up()
    lab.set("tos-changed:times=0")
    client.ask()
    issuer_told(client, "UserActionRequired", "http")
    lab.set("tos-changed")
    issuer = client.issuer()
    issuer["metadata"]["annotations"] = {"sallyport.dev/terms-of-service": "accept"}
    asked = lab.count("neworder")
    client.later(3 * 3600)
    assert lab.count("neworder") - asked <= 3 and client.serial() is None  # not agreed to by itself
    client.daemon.apply(issuer)
    client.clock.forward(3700)
    client.ready()


class TestBinding:
    """F44: external account binding."""

    @pytest.fixture(scope="class")
    def eab_lab(self):
        made = faultlab.Lab("--eab")
        yield made
        made.stop()

    @staticmethod
    def binding(lab, key=None):
        text = key or lab.env["ACME_EAB_HMAC"]
        return (world.secret("eab", {"secret": text}, "Opaque", ns="sallyport-system"),
                {"externalAccountBinding": {"keyID": lab.env["ACME_EAB_KID"],
                                            "keySecretRef": {"name": "eab", "key": "secret"}}})

    def test_absent(self, make_client, eab_lab):
        client = make_client(eab_lab).prepare()
        issuer_told(client, None, "xternal")
        eab_lab.clear()
        client.clock.forward(600)
        assert eab_lab.count("newacct") <= 2

    def test_wrong(self, make_client, eab_lab):
        client = make_client(eab_lab)
        secret, binding = self.binding(eab_lab, base64.urlsafe_b64encode(b"x" * 32).decode().rstrip("="))
        client.daemon.apply(secret)
        client.prepare(**binding)
        said = issuer_told(client, None, "xternal")
        reason = client.daemon.condition("clusterissuers", "ca", "Ready", ns=None)["reason"]
        assert reason != "AccountDeactivated", (reason, said)
        asked = eab_lab.count("newacct")
        client.later(24 * 3600)
        assert eab_lab.count("newacct") == asked  # the same would be refused again
        assert secret["stringData"]["secret"] not in client.daemon.text()

    def test_right(self, make_client, eab_lab):
        client = make_client(eab_lab)
        secret, binding = self.binding(eab_lab)
        client.daemon.apply(secret)
        client.up(**binding)
        client.issue()
        mac = eab_lab.env["ACME_EAB_HMAC"]
        assert mac not in client.daemon.text()


def test_f45_contact(client, lab):
    """Wrong until the issuer is changed."""
    lab.set("unsupported-contact:times=0")
    client.prepare()
    issuer_told(client, None, "ontact")
    asked = lab.count("newacct")
    client.later(24 * 3600)
    assert lab.count("newacct") == asked
    lab.clear()
    client.daemon.apply(client.issuer(email="other@example.com"))
    client.daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)


@pytest.mark.parametrize("field", ["newOrder", "newNonce", "newAccount"])
def test_f46_directory_lacks_a_member(client, lab, field):
    lab.set("dir-missing:field=" + field)
    client.prepare()
    issuer_told(client, "InvalidDirectory", field, "next try")
    assert {r["step"] for r in lab.log()} == {"dir"} and lab.count("dir") <= 2
    lab.clear()
    client.clock.forward(150)
    client.daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)


@pytest.mark.parametrize("spec, words", [("dir-http", "http URL"),
                                         ("dir-foreign:host=169.254.169.254", "169.254.169.254")])
def test_f47_directory_leads_elsewhere(client, lab, spec, words):
    """The issuer names what is refused; nothing is asked; and it comes back once that is mended."""
    lab.set(spec)
    client.prepare()
    client.ask()
    issuer_told(client, "InvalidDirectory", words, "next try")
    assert client.serial() is None
    assert {r["step"] for r in lab.log()} == {"dir"}
    lab.clear()
    client.clock.forward(150)
    client.ready(timeout=60)


def test_f48_directory_moves(client, lab):
    """Read again, and the account looked up with its key: the same one, and its new URL is written down."""
    client.up()
    client.issue("before")
    accounts, key = lab.accounts(), account_key(client)
    lab.clear()
    lab.set("dir-moved")
    client.ask()
    client.ready(timeout=60)
    assert [r["payload"] for r in lab.log("newacct")] == [{"onlyReturnExisting": True}]
    assert lab.accounts() == accounts and account_key(client) == key
    moved = lab.moved.rsplit("/", 1)[0]

    def written():
        return client.daemon.get("clusterissuers", "ca", ns=None)["status"]["acme"]["uri"].startswith(moved)
    wait_for(written, "the account's new URL", alive=client.daemon.process)


def test_f48_moved_while_away(client, lab):
    """The URL of the account is of the old place."""
    client.up()
    accounts = lab.accounts()
    client.daemon.stop()
    lab.clear()
    lab.set("dir-moved")
    client.daemon.start()
    client.ask()
    client.ready(timeout=60)
    assert lab.accounts() == accounts


def test_f49_rollover_interrupted(client, lab):
    """Whatever became of the answer, the account is not locked out."""
    client.up()
    old = account_key(client)
    lab.set("lost-reply:step=keychange")
    client.daemon.cli("account", "rollover", "ca")
    wait_for(lambda: lab.hits() == 1, "the key change")
    wait_for(lambda: account_key(client).get("tls.key") not in (None, old["tls.key"]), "the new key", 60)
    client.daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)
    client.issue()


def test_f50_profile_that_is_not_listed(client, lab):
    lab.set("profiles")
    client.up(profile="nonsense")
    client.ask()

    def told():
        found = [client.daemon.condition("clusterissuers", "ca", "Ready", ns=None),
                 client.daemon.condition("certificates", "cert", "Issuing")]
        assert any("nonsense" in c["message"] and "tlsserver" in c["message"] for c in found), found
        return True
    wait_for(told, "the profiles to be listed")
    assert lab.count("neworder") == 0
    asked = client.told("InvalidProfile", "nonsense", "tlsserver")
    # For good as things stand: not before a day has passed, unless the issuer is changed.
    client.later(3 * 3600)
    assert client.told("InvalidProfile") == asked and lab.count("neworder") == 0
    client.daemon.apply(client.issuer(profile="tlsserver"))
    client.ready()
    assert any("tlsserver" in str(r) for r in lab.log("neworder"))
