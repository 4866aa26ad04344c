"""The daemon is killed while the authority validates: the authority finds nobody and declares the
order invalid. After the start there was no certificate before a back-off of a minute had passed."""
import os

import world
from proc import free_port, wait_for


def killed_when_the_challenge_was_answered(daemon, site):
    """True: the authority looked for the token when nobody was there."""
    gave_up, log = site.ca.gave_up(), open(site.ca.process.log, errors="replace")
    log.seek(0, os.SEEK_END)
    daemon.apply(*site.objects())
    wait_for(lambda: "POST /chalZ/" in log.read(), "the answer to the challenge", every=0.001)
    daemon.kill()
    log.close()
    wait_for(lambda: site.ca.log().count("by completed challenge") > site.ended, "the end of the validation")
    return site.ca.gave_up() > gave_up


def test_certificate_soon_after_the_restart(daemons, make_ca, origin, make_site):
    ca = make_ca(va_sleep=2)  # it waits for 0 or 1 seconds before it looks
    for _ in range(24):
        daemon = daemons().start()
        site = make_site(daemon, ca, origin)
        site.ended, orders = ca.log().count("by completed challenge"), ca.orders()
        if not killed_when_the_challenge_was_answered(daemon, site):
            daemon.remove()  # it was quicker than the kill
            continue
        daemon.start()
        daemon.wait_ready_certificate(timeout=40)  # less than that back-off
        assert wait_for(site.serial, "HTTPS")
        assert ca.orders() - orders == 2, "one in place of the one that was lost"
        return
    raise AssertionError("in 24 tries the authority never looked after the kill")


def test_a_second_failure_is_not_hidden(daemons, make_ca, origin, make_site):
    """Once, and no more: an order that fails in this process's own time backs off."""
    ca = make_ca(va_sleep=2)
    daemon = daemons().start()
    site = make_site(daemon, ca, origin)
    issuer, _, backend, route = site.objects()
    # The authority asks elsewhere than the self-check: it finds a port where nobody listens.
    elsewhere = world.gateway(daemon.address, [
        world.listener("http", free_port()), world.listener("https", site.https_port, site.name, "edge-tls")],
        issuer="ca")
    daemon.apply(issuer, elsewhere, backend, route)
    found = daemon.wait_condition("certificates", "edge-tls", "Issuing", "False")
    assert "next try" in found["message"], found
    assert ca.orders() == 1
