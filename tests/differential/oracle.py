"""RFC 9110 and 9112 read strictly, in Python and from the RFCs alone: what a stream of requests means.

read(stream) gives the requests up to the first one that is wrong, and the name of what is wrong with
that. The names are the rules: VIOLATIONS says where each comes from.
"""
import ipaddress
import re

VIOLATIONS = {
    "empty-lines": "RFC 9112, 2.2: at least one empty line SHOULD be ignored; we ignore one",
    "line-end": "RFC 9112, 2.2: a line may be taken to end in LF; a bare CR must not pass. We take CRLF only",
    "request-line": "RFC 9112, 3: method SP request-target SP HTTP-version",
    "version": "RFC 9112, 2.3 and 9110, 2.5: HTTP/1 is what we speak; a minor version above 1 is read as 1",
    "method": "RFC 9110, 9.1: a method is a token",
    "target": "RFC 9112, 3.2: which form a method's target may have",
    "target-characters": "RFC 3986, 2 and 3.3: which characters a path or query may hold",
    "escape": "RFC 3986, 2.1: '%' and two hexadecimal digits; no control characters, no overlong UTF-8",
    "hidden-dots": "sallyport-httproute(5): what some server would resolve as a dot segment",
    "authority": "RFC 9110, 4.2.4 and 7.2: uri-host [':' port], no user information",
    "fold": "RFC 9112, 5.2: line folding is obsolete: refused",
    "field-line": "RFC 9112, 5: field-name ':' OWS field-value OWS",
    "field-space": "RFC 9112, 5.1: no white space between name and colon: refused",
    "field-value": "RFC 9110, 5.5: no CR, LF, NUL or other control character in a value",
    "host-missing": "RFC 9112, 3.2: a request of HTTP/1.1 without Host is refused",
    "host-twice": "RFC 9112, 3.2: more than one Host is refused",
    "host-disagrees": "RFC 9112, 3.2.2: absolute-form overrules Host; two different ones are refused here",
    "length": "RFC 9112, 6.3: an illegal Content-Length is refused; so is one that is said twice",
    "length-and-coding": "RFC 9112, 6.1: Content-Length beside Transfer-Encoding may be refused",
    "coding": "RFC 9112, 6.1 and 7: chunked, once, is the only coding",
    "coding-1.0": "RFC 9112, 6.1: Transfer-Encoding in HTTP/1.0 is faulty framing",
    "trace-content": "RFC 9110, 9.3.8: TRACE has no content",
    "connection": "RFC 9110, 7.6.1: options are tokens; fields for the recipient are none of them",
    "expect": "RFC 9110, 10.1.1: an expectation that is not known may be answered with 417",
    "chunk": "RFC 9112, 7.1: chunk-size [ chunk-ext ] CRLF chunk-data CRLF",
    "trailer": "RFC 9112, 7.1.2: trailers are field lines",
    "end": "the stream ends within a message",
    "connect": "a gateway is no tunnel: CONNECT is not forwarded",
    "asterisk": "OPTIONS * is about the gateway, which answers",
    "max-forwards": "RFC 9110, 7.6.2: OPTIONS and TRACE with Max-Forwards: 0 are answered here",
    "trace": "RFC 9110, 9.3.8: TRACE may be answered, or refused, here",
    "insecure": "RFC 9110, 7.4: what is asked of https without TLS is refused here, unless the client is a trusted proxy",
}

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
HOP = {b"connection", b"http2-settings", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"}
# What a gateway says itself, whatever the client said.
OURS = {b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto", b"x-real-ip",
        b"x-request-id", b"forwarded"}
FOR_ALL = {b"authorization", b"cache-control", b"content-encoding", b"content-length", b"content-range",
           b"content-type", b"cookie", b"date", b"expect", b"host", b"max-forwards", b"range"}


class Wrong(Exception):
    pass


class Meaning:
    """What a request says when it says one thing only."""

    def __init__(self):
        self.method = self.target = self.host = b""
        self.minor = 1
        self.fields, self.trailers = [], []
        self.body = b""
        self.raw = b""  # the bytes that said it
        self.keep = True
        self.nominated = set()
        self.secure = False  # the target says https
        self.own = None  # the rule by which the gateway answers by itself

    def __repr__(self):
        return "%s %s host %s %s body %r trailers %s" % (self.method, self.target, self.host, self.fields,
                                                         self.body[:80], self.trailers)


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def line(self):
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise Wrong("end")
        line = self.data[self.at:end]
        if not line.endswith(b"\r"):
            raise Wrong("line-end")
        self.at = end + 1
        return line[:-1]

    def take(self, count):
        if len(self.data) - self.at < count:
            raise Wrong("end")
        self.at += count
        return self.data[self.at - count:self.at]


def read(stream):
    """([Meaning, …], name of what is wrong behind them or None)"""
    cursor, found = Cursor(stream), []
    try:
        while cursor.at < len(stream):
            start = cursor.at
            found.append(request(cursor))
            found[-1].raw = stream[start:cursor.at]
            if not found[-1].keep:
                break
    except Wrong as e:
        assert str(e) in VIOLATIONS, e
        return found, str(e)
    return found, None


def request(cursor):
    meaning = Meaning()
    line = cursor.line()
    if not line:
        line = cursor.line()
        if not line:
            raise Wrong("empty-lines")
    authority = request_line(line, meaning)
    fields(cursor, meaning.fields)
    decide_host(meaning, authority)
    chunked, length = decide_framing(meaning)
    decide_connection(meaning)
    decide_expect(meaning)
    strip(meaning)
    if meaning.method == b"CONNECT":
        raise Wrong("connect")
    if chunked:
        chunks(cursor, meaning)
        meaning.trailers = [f for f in meaning.trailers if f[0] not in meaning.nominated]
    else:
        meaning.body = cursor.take(length)
    own_answers(meaning)
    return meaning


def own_answers(meaning):
    if meaning.method == b"TRACE":
        meaning.own = "trace"
    elif meaning.target == b"*":
        meaning.own = "asterisk"
    elif meaning.method == b"OPTIONS" and any(re.fullmatch(b"0+", v) for v in values(meaning, b"max-forwards")):
        meaning.own = "max-forwards"
    elif meaning.secure:
        meaning.own = "insecure"


def request_line(line, meaning):
    """The authority of the target, b"" when there is none."""
    if line.count(b" ") < 2:
        raise Wrong("request-line")
    method, rest = line.split(b" ", 1)
    target, version = rest.rsplit(b" ", 1)
    if not re.fullmatch(TOKEN, method):
        raise Wrong("method")
    if not re.fullmatch(rb"HTTP/1\.[0-9]", version):
        raise Wrong("version")
    meaning.method, meaning.minor = method, min(version[-1] - 48, 1)
    meaning.secure = target[:8].lower() == b"https://"
    if method == b"CONNECT":
        authority(target)
        if not re.search(rb":[0-9]+$", target):
            raise Wrong("target")
        return target
    behind = re.fullmatch(rb"[hH][tT][tT][pP][sS]?://([^/?]*)(.*)", target, re.S)
    if behind:
        authority(behind.group(1))
        tail = behind.group(2)
        if not tail and method == b"OPTIONS":
            meaning.target = b"*"
        else:
            meaning.target = normal(b"/" + tail if tail[:1] != b"/" else tail)
        return re.sub(rb":$", b"", behind.group(1))
    if target == b"*" and method == b"OPTIONS":
        meaning.target = b"*"
    elif target[:1] == b"/":
        meaning.target = normal(target)
    else:
        raise Wrong("target")
    return b""


def normal(target):
    """The one form of a path; the query stays as it is."""
    path, mark, query = target.partition(b"?")
    if not re.fullmatch(rb"[A-Za-z0-9\-._~!$&'()*+,;=:@/?%\[\]{}|^`\"<>\\]*", query):
        raise Wrong("target-characters")
    if re.search(rb"%(?![0-9A-Fa-f]{2})", query):
        raise Wrong("escape")
    made = []
    for segment in path.split(b"/")[1:]:
        segment = normal_segment(segment)
        if segment == b"..":
            made = [s for s in made[:-1] if s] + [b""]
        elif segment in (b"", b"."):
            made = [s for s in made if s] + [b""]
        else:
            made = [s for s in made if s] + [segment]
    path = b"/" + b"/".join(made)
    for segment in re.split(rb"/|%2F|%5C", path):
        segment = re.split(rb";|%3B", segment)[0]
        if re.sub(rb"^(%20)+|(%20)+$", b"", segment) in (b".", b".."):
            raise Wrong("hidden-dots")
    return path + mark + query


def normal_segment(segment):
    if not re.fullmatch(rb"[A-Za-z0-9\-._~!$&'()*+,;=:@%\[\]{}|^`]*", segment):
        raise Wrong("target-characters")
    if re.search(rb"%(?![0-9A-Fa-f]{2})", segment):
        raise Wrong("escape")
    if re.search(rb"(?i)%(0|1|7f|c[01]%[89ab]|e0%[89])", segment):
        raise Wrong("escape")

    def undo(match):
        byte = bytes([int(match.group(1), 16)])
        return byte if re.match(rb"[A-Za-z0-9\-._~]", byte) else b"%" + match.group(1).upper()
    return re.sub(rb"%([0-9A-Fa-f]{2})", undo, segment)


def authority(text):
    """(host, port); the host in lower case and without a dot at its end."""
    host, mark, port = text.partition(b"]" if text.startswith(b"[") else b":")
    if text.startswith(b"["):
        try:
            ipaddress.IPv6Address(host[1:].decode("ascii"))
        except ValueError:
            raise Wrong("authority") from None
        if not mark or b"%" in host or port[:1] not in (b"", b":"):
            raise Wrong("authority")
        host, port = host + b"]", port[1:]
    elif not re.fullmatch(rb"[A-Za-z0-9\-_~]+(\.[A-Za-z0-9\-_~]+)*\.?", host) or len(host) > 255:
        raise Wrong("authority")
    if not re.fullmatch(rb"[0-9]{0,5}", port) or (port and not 0 < int(port) < 65536):
        raise Wrong("authority")
    return re.sub(rb"\.$", b"", host.lower()), int(port or 0)


def fields(cursor, into, trailer=False):
    while True:
        line = cursor.line()
        if not line:
            return
        name, colon, value = line.partition(b":")
        if line[:1] in (b" ", b"\t"):
            raise Wrong("trailer" if trailer else "fold")
        if colon and re.fullmatch(TOKEN + rb"[ \t]+", name):
            raise Wrong("trailer" if trailer else "field-space")
        if not colon or not re.fullmatch(TOKEN, name):
            raise Wrong("trailer" if trailer else "field-line")
        if not VALUE.fullmatch(value):
            raise Wrong("trailer" if trailer else "field-value")
        into.append((name.lower(), value.strip(b" \t")))


def values(meaning, name):
    return [v for n, v in meaning.fields if n == name]


def decide_host(meaning, target_authority):
    hosts = values(meaning, b"host")
    if len(hosts) > 1:
        raise Wrong("host-twice")
    if not hosts and meaning.minor:
        raise Wrong("host-missing")
    if hosts:
        authority(hosts[0])
    if hosts and target_authority and meaning.method != b"CONNECT":
        (one, a), (two, b) = authority(hosts[0]), authority(target_authority)
        if one != two or (a or 80) != (b or 80):
            raise Wrong("host-disagrees")
    meaning.host = target_authority or (hosts[0] if hosts else b"")


def decide_framing(meaning):
    lengths, codings = values(meaning, b"content-length"), values(meaning, b"transfer-encoding")
    if codings:
        if not meaning.minor:
            raise Wrong("coding-1.0")
        if lengths:
            raise Wrong("length-and-coding")
        if len(codings) > 1 or codings[0].lower() != b"chunked":
            raise Wrong("coding")
    if len(lengths) > 1 or (lengths and (not re.fullmatch(rb"[0-9]+", lengths[0]) or int(lengths[0]) >= 1 << 63)):
        raise Wrong("length")
    length = int(lengths[0]) if lengths else 0
    if meaning.method == b"TRACE" and (codings or length):
        raise Wrong("trace-content")
    return bool(codings), length


def decide_connection(meaning):
    options = [o.strip(b" \t") for v in values(meaning, b"connection") for o in v.split(b",")]
    options = [o.lower() for o in options if o]
    if not all(re.fullmatch(TOKEN, o) for o in options):
        raise Wrong("connection")
    if any(o in FOR_ALL or o in OURS or o.startswith(b"sec-websocket-") for o in options):
        raise Wrong("connection")
    meaning.keep = b"close" not in options and (meaning.minor == 1 or b"keep-alive" in options)
    meaning.nominated = set(options)


def decide_expect(meaning):
    expected = values(meaning, b"expect")
    if expected and meaning.minor and (len(expected) > 1 or expected[0].lower() != b"100-continue"):
        raise Wrong("expect")


def strip(meaning):
    gone = HOP | OURS | meaning.nominated | {b"host", b"content-length", b"expect"}
    meaning.fields = [f for f in meaning.fields if f[0] not in gone]


def chunks(cursor, meaning):
    blank = rb"[ \t]*"
    ext = (rb"(?:" + blank + rb";" + blank + TOKEN + rb"(?:" + blank + rb"=" + blank + rb"(?:" + TOKEN
           + rb"|\"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*\"))?)*")
    while True:
        try:
            line = cursor.line()
        except Wrong as e:
            raise Wrong("chunk" if str(e) == "line-end" else str(e)) from None
        size = re.fullmatch(rb"([0-9A-Fa-f]{1,16})" + ext, line)
        if not size or int(size.group(1), 16) >= 1 << 63:
            raise Wrong("chunk")
        if int(size.group(1), 16) == 0:
            break
        meaning.body += cursor.take(int(size.group(1), 16))
        if cursor.take(2) != b"\r\n":
            raise Wrong("chunk")
    try:
        fields(cursor, meaning.trailers, trailer=True)
    except Wrong as e:
        raise Wrong("trailer" if str(e) == "line-end" else str(e)) from None
