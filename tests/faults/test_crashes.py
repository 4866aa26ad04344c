"""FAULTS.md, section 8: the daemon dies, its disk is full, its state is older than it was."""
import os
import shutil

import pytest

from proc import wait_for
from test_bad_input import fill, with_small_disk
import world

STEPS = ["newacct", "neworder", "authz", "chal", "finalize", "order", "cert"]


class Books:
    """What the authority has made since."""

    def __init__(self, lab):
        self.lab = lab
        self.before = self.now()

    def now(self):
        lab = self.lab
        return {"accounts": lab.accounts(), "orders": lab.orders(), "issued": len(lab.issued()),
                "gave up": lab.gave_up()}

    def since(self, what):
        return self.now()[what] - self.before[what]


def dies(client):
    wait_for(lambda: client.daemon.process.ended(), "the daemon to be killed")


def account_key(client):
    return client.daemon.get("secrets", "ca-account", "sallyport-system")["data"]


@pytest.mark.parametrize("when", ["after", "before"])
@pytest.mark.parametrize("step", STEPS)
def test_f75_f76_killed_at_a_step(client, lab, step, when):
    """Same account, same key, same order; one certificate."""
    books = Books(lab)
    daemon = client.daemon
    daemon.apply(world.gateway(daemon.address, [world.listener("http", lab.http_port)]))
    daemon.wait_programmed()
    key = None
    if step != "newacct":
        client.up()
        key = account_key(client)
    lab.set("kill:step=%s,when=%s,pid=%d" % (step, when, daemon.process.pid))
    if step == "newacct":
        daemon.apply(client.issuer(), check=False)
    else:
        hosts = [client.name()]
        daemon.apply(world.certificate("cert", *hosts, privateKey={"algorithm": "ECDSA", "size": 256}), check=False)
    dies(client)
    # What the daemon sent goes on to the authority: it has to be there before anybody can find it.
    wait_for(lambda: lab.log(step)[-1].get("status"), "the authority to have dealt with the request")
    lab.clear()
    daemon.start()
    daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)
    if step == "newacct":
        client.ask()
    client.ready()
    assert key in (None, account_key(client))
    assert books.since("accounts") == 1
    # A validation may have found nobody to answer it; then that order is lost.
    assert books.since("orders") <= 1 + (books.since("gave up") > 0)
    assert books.since("issued") == 1 and client.serial() == lab.issued()[-1]
    serial = client.serial()
    daemon.restart()
    assert client.serial() == serial and books.since("issued") == 1


@pytest.mark.parametrize("step", ["newacct", "neworder", "finalize", "cert"])
def test_f77_crash_loop(client, lab, step):
    """Killed again at the same step at every start: at most one account and one order."""
    books = Books(lab)
    daemon = client.daemon
    pid = os.path.join(daemon.folder, "pid")

    def note_pid():
        with open(pid, "w", encoding="ascii") as file:
            file.write(str(daemon.process.pid))
    note_pid()
    client.daemon.apply(world.gateway(daemon.address, [world.listener("http", lab.http_port)]))
    daemon.wait_programmed()
    lab.set("kill:step=%s,when=after,times=0,pidfile=%s" % (step, pid))
    daemon.apply(client.issuer(), world.certificate("cert", client.name(),
                                                    privateKey={"algorithm": "ECDSA", "size": 256}), check=False)
    def ended():  # or past that step: what was done is not done again
        return daemon.process.ended() or client.daemon.condition("certificates", "cert", "Ready")["status"] == "True"
    for _ in range(8):
        wait_for(ended, "the daemon to be killed, or the certificate")
        daemon.kill()
        client.clock.offset += 1
        daemon.launch()
        note_pid()
    wait_for(ended, "the daemon to be killed, or the certificate")
    lab.clear()
    daemon.kill()
    daemon.start()
    client.ready()
    assert books.since("accounts") == 1
    assert books.since("orders") <= 1 + (books.since("gave up") > 0) and books.since("issued") == 1


def test_f77_sixty_restarts(client, lab):
    """One each second while an order waits and another attempt has failed: neither begins anew."""
    client.up()
    lab.set("authz-invalid:times=0")
    client.ask("failed")
    said = client.told(None, name="failed")
    lab.set("processing:sec=100000,retry_after=600")
    client.ask("waits")
    wait_for(lambda: lab.count("finalize") == 1, "the order to be finalized")
    books = Books(lab)
    for _ in range(int(os.environ.get("FAULT_RESTARTS", "60"))):
        client.daemon.kill()
        client.clock.offset += 1
        client.daemon.launch()
    client.daemon.wait_ready()
    assert client.told(None, name="failed") == said and client.failures("failed") == 1
    assert books.since("accounts") == 0 and books.since("orders") == 0
    lab.clear()
    client.later(601)
    client.ready("waits")
    assert books.since("orders") <= 1 and lab.count("newacct") == 0  # that of the failed one is due by now


def test_f78_disk_full(make_client, lab, clock, daemons):
    """The certificate is there, and cannot be stored: the old one is served, the order is kept, nothing is
    ordered anew, and with room again it goes on. No condition can be stored then: the log says it."""
    client = make_client(lab)
    client.daemon.stop()
    client.daemon = with_small_disk(daemons(env=clock.env(), dns=lab.dns), 8).start()
    clock.daemons = [client.daemon]
    client.up()
    client.issue()
    good = client.serial()
    books = Books(lab)
    lab.clear()
    lab.set("processing:sec=100000,retry_after=5")
    client.daemon.cli("renew", "certificate/cert")
    wait_for(lambda: lab.count("finalize") == 1, "the order to be finalized")
    filler = "/proc/%d/root%s/filler" % (client.daemon.process.pid, client.daemon.state)
    fill(filler)
    lab.clear()

    def told():
        client.later(60)
        return client.daemon.logged("orders/.*not stored: .*no space is left")
    wait_for(told, "the log to say that the order is not stored", alive=client.daemon.process)
    for _ in range(5):
        client.later(60)
    assert client.serial() == good and books.since("orders") == 1
    os.unlink(filler)

    def stored():
        client.later(30)
        return client.serial() != good
    wait_for(stored, "the new certificate", 60, every=0.1)
    assert books.since("orders") == 1 and books.since("issued") == 1
    assert client.serial() == lab.issued()[-1]


def put_aside(client):
    client.daemon.stop()
    kept = client.daemon.state + ".kept"
    shutil.copytree(client.daemon.state, kept)
    client.daemon.start()
    return kept


def put_back(client, kept):
    client.daemon.stop()
    shutil.rmtree(client.daemon.state)
    os.rename(kept, client.daemon.state)
    client.daemon.start()


def test_f79_older_state(client, lab):
    """From before the certificate: the account is known, and one more order is placed."""
    client.up()
    kept = put_aside(client)
    hosts = client.issue()
    books = Books(lab)
    put_back(client, kept)
    assert client.serial() is None
    client.asked += 1
    client.daemon.apply(world.certificate("cert", *hosts, privateKey={"algorithm": "ECDSA", "size": 256}))
    client.ready()
    assert books.since("accounts") == 0 and books.since("orders") == 1


def test_f79_older_state_with_an_order(client, lab):
    """From the midst of an order that has ended since: its certificate is downloaded again."""
    client.up()
    lab.set("processing:sec=100000,retry_after=600")
    client.ask()
    wait_for(lambda: lab.count("finalize") == 1, "the order to be finalized")
    kept = put_aside(client)
    lab.clear()
    client.later(601)
    client.ready()
    serial = client.serial()
    books = Books(lab)
    put_back(client, kept)
    client.later(1200)
    client.ready()
    assert client.serial() == serial and books.since("orders") == 0


def test_f79_older_state_without_an_account(client, lab):
    """From before the account, with its key: it is found by the key."""
    daemon = client.daemon
    lab.set("status:step=newacct,code=500,times=0")
    daemon.apply(world.gateway(daemon.address, [world.listener("http", lab.http_port)]), client.issuer())
    client.lab_waits("newacct")
    kept = put_aside(client)
    lab.clear()
    client.later(300)
    daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)
    client.issue()
    books = Books(lab)
    put_back(client, kept)
    daemon.wait_condition("clusterissuers", "ca", "Ready", ns=None)
    assert books.since("accounts") == 0
