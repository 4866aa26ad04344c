"""The same generated requests through sallyport, nginx and HAProxy: no difference without a reason.

Each stream of requests (grammar.py) goes to every gateway, each with a recorder (recorder.py) behind it.
What ours did must be what RFC 9112 says when it is read strictly (oracle.py), to the letter. Then every
difference between ours and a peer's, in what the origin saw or the client got, is equal, or is explained by
a rule: one of oracle.VIOLATIONS that names why ours refused, one of REWRITES that says how both records
come to mean the same, or one of PEERS that says where the peer is stricter or odd. Anything else fails.

    SEED=x CASES=n FIRST=m pytest tests/differential     other streams, or one of them
"""
import concurrent.futures
import os
import re

import pytest

import gateways
import grammar
import oracle

SEED = os.environ.get("SEED", "sallyport")
FIRST = int(os.environ.get("FIRST", "0"))
CASES = int(os.environ.get("CASES", "1500"))


# --- What came of a stream ----------------------------------------------------------------------

class Answer:
    def __init__(self, status, record):
        self.status, self.record = status, record  # no record: the gateway answered by itself

    def __repr__(self):
        return "%d %s" % (self.status, self.record or "by the gateway")


class Outcome:
    def __init__(self, gateway, data, ended):
        self.ended, self.surplus = ended, None
        self.data = data
        self.answers = []
        rest = data
        while rest and self.surplus is None:
            rest = self._take(gateway, rest)

    def _take(self, gateway, rest):
        head, mark, rest = rest.partition(b"\r\n\r\n")
        status = re.match(rb"HTTP/1\.1 ([1-5][0-9][0-9])[ \r]", head + b"\r")
        if not mark or not status:
            self.surplus = head + mark + rest
            return b""
        code = int(status.group(1))
        if code < 200:
            return rest
        number = re.search(rb"(?i)\r\nx-record: (\d+)", head)
        record = gateway.recorder.records[int(number.group(1))] if number else None
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        size = int(length.group(1)) if length else 0
        if code in (204, 304) or (record and record.method == b"HEAD") or (
                not record and (not rest or rest.startswith(b"HTTP/1."))):
            size = 0
        body, rest = rest[:size], rest[size:]
        if record and size and body != b"answer %d" % record.number:
            self.surplus = body + rest
        self.answers.append(Answer(code, record))
        return rest

    def __repr__(self):
        return "\n".join("    %s" % a for a in self.answers) + "\n    %s%s" % (
            self.ended, " behind %r" % self.surplus[:200] if self.surplus else "")


# --- Ours against the oracle --------------------------------------------------------------------

# Whose requests have a record in which everything is as it was said.
def own_fields(record):
    """Without what gateways say themselves, and without framing."""
    gone = oracle.OURS | {b"host", b"content-length", b"transfer-encoding", b"connection", b"expect"}
    return sorted(f for f in record.fields if f[0] not in gone)


def expected_fields(meaning):
    fields = [f for f in meaning.fields if f[0] not in oracle.OURS]
    if meaning.method == b"OPTIONS":
        fields = [(n, b"%d" % (int(v) - 1) if n == b"max-forwards" else v) for n, v in fields]
    return sorted(fields)


def wrong_record(meaning, record):
    """What a record says that the request did not, or None."""
    trailers = [t for t in meaning.trailers if t[0] not in NO_TRAILERS]
    for what, said, seen in (
            ("method", meaning.method, record.method), ("target", meaning.target, record.target),
            ("host", same_host(meaning.host), same_host(record.values(b"host")[0])),
            ("fields", expected_fields(meaning), own_fields(record)), ("body", meaning.body, record.body),
            ("trailers", sorted(trailers), sorted(record.trailers))):
        if said != seen:
            return "%s: said %r, seen %r" % (what, said, seen)
    return None


NO_TRAILERS = oracle.HOP | oracle.OURS | oracle.FOR_ALL - {b"x-request-id"}


def same_host(text):
    return oracle.authority(text) if text else b""


def wrong_outcome(case, ours):
    """Why ours is not what the RFC says, or None."""
    meanings, why = oracle.read(case.stream())
    answers = list(ours.answers)
    if ours.ended != "closed" or ours.surplus:
        return "the connection: %s" % ours
    for i, meaning in enumerate(meanings):
        if not answers:
            return "no answer to request %d: %s" % (i, meaning)
        answer = answers.pop(0)
        if meaning.own and answer.record is None:
            if answer.status >= 400 and not answers:  # it may close
                return None
            continue
        if answer.record is None:
            return "request %d answered with %d: %s" % (i, answer.status, meaning)
        wrong = wrong_record(meaning, answer.record)
        if wrong:
            return "request %d, %s" % (i, wrong)
    return wrong_rest(why, answers)


def wrong_rest(why, answers):
    """After what is right: one refusal at most, and nothing behind it."""
    if why is None and answers:
        return "an answer too many: %s" % answers
    if any(a.record for a in answers):
        return "forwarded though %s (%s): %s" % (why, oracle.VIOLATIONS[why], answers)
    allowed = (400, 405, 408, 413, 414, 417, 431, 501, 505)
    if why in ("chunk", "trailer"):
        allowed += (204,)  # OPTIONS * is answered before its content is there
    if len(answers) > 1 or any(a.status not in allowed for a in answers):
        return "refused (%s), but not so: %s" % (why, answers)
    return None


# --- Ours against a peer ------------------------------------------------------------------------

# Both forwarded it, and say the same in other words.
REWRITES = {
    "path": "sallyport-httproute(5): we forward the path that was matched, normalised; they forward it as it came",
    "host": "RFC 9110, 7.2 and 3986, 6.2: same host; case, final dot and a default port are no difference",
    "hop": "RFC 9110, 7.6.1: fields of one connection, and those that Connection names, are not forwarded",
    "forwarded": "the client's word on addresses is not believed: a gateway says it itself",
    "max-forwards": "RFC 9110, 7.6.2: counted down with OPTIONS",
    "trailers": "RFC 9110, 6.5: trailers may be dropped; those that may be none, or that Connection names, must",
    "close": "RFC 9112, 9.3: close beside keep-alive is close; nginx takes what comes last",
    "odd-name": "RFC 9110, 5.1: any token is a field's name; nginx drops fields whose name has other characters than usual",
    "expect": "RFC 9110, 10.1.1: who has the content already need not ask for it",
}


def differences(meaning, mine, theirs):
    """The rules that make both records the same, and what is left unexplained."""
    rules, left = set(), []
    if mine.method != theirs.method:
        left.append("method")
    if mine.target != theirs.target:
        try:
            same = oracle.request_line(b"%s %s HTTP/1.1" % (theirs.method, theirs.target), oracle.Meaning()) is not None
            form = oracle.Meaning()
            oracle.request_line(b"%s %s HTTP/1.1" % (theirs.method, theirs.target), form)
            same = same and form.target == mine.target
        except oracle.Wrong:
            same = False
        rules.add("path") if same else left.append("target")
    if mine.values(b"host") != theirs.values(b"host"):
        one, two = (same_host(r.values(b"host")[0]) for r in (mine, theirs))
        same = one[0] == two[0] and two[1] in (one[1], 0)
        rules.add("host") if same else left.append("host")
    if mine.body != theirs.body:
        left.append("body")
    field_differences(meaning, mine, theirs, rules, left)
    if sorted(mine.trailers) != sorted(theirs.trailers):
        rest = [t for t in theirs.trailers if t not in mine.trailers]
        fine = all(n in NO_TRAILERS or n in meaning.nominated for n, _ in rest)
        rules.add("trailers") if fine else left.append("trailers")
    return rules, left


def field_differences(meaning, mine, theirs, rules, left):
    a = [f for f in mine.fields if f[0] not in (b"host", b"content-length", b"transfer-encoding", b"connection")]
    b = [f for f in theirs.fields if f[0] not in (b"host", b"content-length", b"transfer-encoding", b"connection")]
    for name in {n for n, _ in a + b}:
        one, two = [v for n, v in a if n == name], [v for n, v in b if n == name]
        if one == two:
            continue
        if name in oracle.OURS:
            rules.add("forwarded")
        elif not one and (name in oracle.HOP or name in meaning.nominated):
            rules.add("hop")
        elif name == b"expect":
            rules.add("expect")
        elif name == b"max-forwards" and meaning.method == b"OPTIONS":
            rules.add("max-forwards")
        elif not two and not re.fullmatch(rb"[a-z0-9_-]+", name):
            rules.add("odd-name")
        else:
            left.append("field %r: %r, %r" % (name, one, two))


# Where a peer answers by itself, or ends the connection, and ours forwards: the peer (None: either), the rule,
# does it apply to this request, why.
PEERS = [
    (None, "no-host", lambda meaning, raw: not meaning.host,
     "a request of HTTP/1.0 without Host: ours sends an empty one (RFC 9112, 3.2), they none, which our recorder refuses"),
    ("nginx", "above-root", lambda meaning, raw: re.search(rb" [^ ?]*/(\.|%2e){2}", raw, re.I),
     "refuses '..' above the root; RFC 3986, 5.2.4 stops there"),
    ("nginx", "capital-methods", lambda meaning, raw: not re.fullmatch(rb"[A-Z_-]+", meaning.method),
     "takes methods of capital letters only; RFC 9110, 9.1: a method is a token"),
    ("nginx", "tab", lambda meaning, raw: re.search(rb"(?i)chunked\t|\tchunked", raw),
     "does not trim tabs; RFC 9110, 5.5: they are no part of a value"),
    ("nginx", "twice", lambda meaning, raw: any(len(oracle.values(meaning, n)) > 1 for n in (
        b"authorization", b"content-type", b"range", b"user-agent")),
     "refuses some fields that stand twice; RFC 9110, 5.3: not a matter of framing, the origin decides"),
    ("haproxy", "no-path", lambda meaning, raw: re.search(rb" (?i:https?)://[^/ ]*[? ]", raw),
     "wants a path in absolute-form; RFC 9110, 4.2.3: an empty one is '/'"),
    ("haproxy", "old-content", lambda meaning, raw: meaning.minor == 0 and meaning.body,
     "takes no content of GET, HEAD and DELETE in HTTP/1.0 (413); RFC 9112, 6: framing knows no methods"),
    ("haproxy", "websocket", lambda meaning, raw: re.search(rb"(?i)\nupgrade: *websocket", raw),
     "refuses a handshake without its key; RFC 9110, 7.8: an Upgrade may be ignored"),
    ("haproxy", "pri", lambda meaning, raw: meaning.method == b"PRI",
     "refuses PRI; RFC 9113, 11.6 reserves it, and it is not the preface of HTTP/2 here"),
]


def explain(case, ours, theirs, peer):
    """(rules that explain every difference, what is left)"""
    meanings, why = oracle.read(case.stream())
    rules = set()
    for i, meaning in enumerate(meanings):
        mine = ours.answers[i] if i < len(ours.answers) else None
        other = theirs.answers[i] if i < len(theirs.answers) else None
        if mine and mine.record and other and other.record:
            more, left = differences(meaning, mine.record, other.record)
            rules |= more
            if left:
                return rules, ["request %d: %s" % (i, "; ".join(left))]
            continue
        if mine and not mine.record:
            rules.add(meaning.own)
            if other and other.status == mine.status and other is not theirs.answers[-1]:
                continue
            return rules, []
        for name, rule, applies, _ in PEERS:
            if name in (peer, None) and applies(meaning, meaning.raw):
                return rules | {rule}, []
        return rules, ["request %d: ours %s, theirs %s" % (i, mine, other)]
    if why is not None:
        return rules | {why}, []
    if len(theirs.answers) == len(ours.answers):
        return rules, []
    if re.search(rb"(?i)\r\nconnection: *[^\r]*keep-alive", meanings[-1].raw):
        return rules | {"close"}, []
    return rules, ["they go on: %s" % theirs]


# --- The run ------------------------------------------------------------------------------------

def run(gateway, cases):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda case: gateways.ask(gateway, case.stream()), cases))
    gateway.stop()
    return [Outcome(gateway, *answer) for answer in answers]


@pytest.fixture(scope="module")
def cases():
    """Without those that end within a message: there every gateway waits for more."""
    made = [grammar.case(SEED, n) for n in range(FIRST, FIRST + CASES)]
    return [case for case in made if oracle.read(case.stream())[1] != "end"]


def test_every_difference_has_a_reason(daemon, box, cases, figures):
    ours = gateways.Ours(daemon)
    outcomes = run(ours, cases)
    assert not ours.recorder.broken, "\n".join(ours.recorder.broken)
    failures = []
    for case, outcome in zip(cases, outcomes):
        wrong = wrong_outcome(case, outcome)
        if wrong:
            failures.append("%r\n  %s\n  ours:\n%r" % (case, wrong, outcome))
    count = {}
    for name in ("nginx", "haproxy"):
        if not gateways.program(name):
            figures(name, "not installed, so not compared")
            continue
        peer = getattr(gateways, name)(box)
        for case, mine, theirs in zip(cases, outcomes, run(peer, cases)):
            rules, left = explain(case, mine, theirs, name)
            for rule in rules:
                count[name, rule] = count.get((name, rule), 0) + 1
            if left:
                failures.append("%r\n  %s: %s\n  ours:\n%r\n  theirs:\n%r" % (case, name, "; ".join(left), mine, theirs))
    figures("differences explained", ", ".join("%s %s %d" % (n, r, c) for (n, r), c in sorted(
        count.items(), key=str)))
    assert not failures, "%d differences without a reason\n%s" % (len(failures), "\n\n".join(failures[:40]))
