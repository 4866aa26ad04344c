"""Streams of HTTP/1.1 requests: right ones from a grammar, each then wrong in none, one or more ways.

The same seed gives the same streams. Every request carries the number of its stream in X-Case, and
every stream ends with a request that asks for the end of the connection, padded so that a body that
lacks some bytes takes them from there: no gateway has anything to wait for.
"""
import random

METHODS = ["GET"] * 6 + ["POST"] * 5 + ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"]
PATHS = ["/", "/a", "/a/b/c", "/a.b/c-d_e~f", "/%7Euser", "/a%2Fb", "/%e2%82%ac", "/a;v=1/b", "/a:b@c", "/a/./b/../c",
         "/a//b", "/a/b/", "/../x", "/a%20b", "/%41", "/*", "/a/.", "/a/..", "/(a),b='c'!$&+"]
QUERIES = ["", "", "", "?", "?a=b", "?a=b&c=%20d", "?q=/../x", "?a?b", "?x=%2F%2f"]
FIELDS = [("Accept", "*/*"), ("User-Agent", "generated"), ("X-Empty", ""), ("X-Two", "one"), ("X-Two", "two"),
          ("X-High", "caf\xe9"), ("X-Quoted", "\"a, b\\\" c\""), ("x-lower", "1"), ("Cookie", "a=b; c=d"),
          ("X-Blanks", "  a  b\t"), ("Accept-Encoding", "gzip, br"), ("X-Long", "x" * 900), ("Range", "bytes=0-1"),
          ("X!#$%&'*+-.^`|~", "odd"), ("Content-Type", "text/plain"), ("Max-Forwards", "7"), ("Origin", "null")]
HOSTS_RIGHT = ["a.test", "A.Test", "a.test:80", "a.test.", "127.0.0.1", "[::1]", "[::1]:8080", "a-b.test", "a_b.test",
               "a.test:", "x~y.test"]
HOSTS_WRONG = ["", " ", "a.test/x", "u@a.test", "a b", "a,b", "a.test:x", ":80", "[::1", "[::g]", "a..test", ".a.test",
               "a%2etest", "a.test:99999", "a.test:0", "a.test:80:80", "a.test#x", "a.test?x", "a\"b", "a.test, a.test",
               "a\\b", "a<b>", "*", "[::1]x", "http://a.test"]
TARGETS_WRONG = ["x", "*", "a.test:80", "a.test", "?x", "//", "/a#b", "/a\\b", "/a%zz", "/a%2", "/a%00b", "/%1f", "/%7f",
                 "/a\"b", "/a<b", "/\xe4", "/..%2fx", "/..;/x", "/%2e%2e%5cx", "/%c0%ae/x", "/a\tb", "/a\x01b", "/a?b%g1",
                 "/a?b#c", "/a?\x80", "http://", "http:///x", "http://u@a.test/", "ftp://a.test/", "http:/a.test/",
                 "http://a.test:x/", "", "/a b"]
TARGETS_RIGHT = ["http://a.test", "http://a.test/x?y", "HTTP://a.test/x", "http://a.test?y", "http://a.test:80/x",
                 "http://A.TEST/x", "http://b.test/x", "https://a.test/x", "/%2e%2E/x", "/%252e", "/a{b}|c^d`", "/[a]"]
VERSIONS = ["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "http/1.1", "HTTP/1.10", "HTTP/01.1", "HTTP/1", "HTTP/1.1 ",
            "HTTP /1.1", "HTTPS/1.1", "", "HTTP/1,1", "HTTP/ 1.1", "ICAP/1.0", "HTTP/11"]
LENGTHS = ["+%d", "-%d", "0x%x", "%d,%d", "%d, %d", "0%d", "%d ", "%d;", "%d.0", "'%d'", "\"%d\"", "%de0", "%d a", "%d\x0b",
           "", "%d%%", "1%019d", "18446744073709551616", "9223372036854775808", "-1"]
CODINGS = ["chunked, chunked", "identity", "gzip, chunked", "chunked, gzip", "chunked, identity", "xchunked", "chunkedx",
           "chunked;q=1", "Chunked", "CHUNKED", "\x0bchunked", "\"chunked\"", ",chunked", "chunked,", "", " chunked",
           "chunked\t", "chun ked", "chunk\xe9d", "cow", "chunked\x0c", "trailers", "chunked chunked", "[chunked]"]
CODING_NAMES = ["Transfer-Encoding ", "Transfer_Encoding", "Transfer-Encoding\t", " Transfer-Encoding", "Transfer Encoding",
                "Transfer-Encoding\x0b", "TRANSFER-ENCODING", "Transfer-encoding", "\x00Transfer-Encoding", "Transfer-Encoding\xa0",
                "X: y\rTransfer-Encoding", "X: y\nTransfer-Encoding"]
EXTENSIONS = ["", ";a", ";a=b", ";a=\"b;c\"", " ;a", ";a ; b", "; a=b", ";a = b", ";a=\"\\\"\""]
CHUNKS_WRONG = ["0x%x", "+%x", "-%x", " %x", "%xg", "%x x", "%x,", "%x;", "%x;=", "%x;a=", "%x;a=\"", "%x;a b", "%x\x0b", "%x;a\nb",
                "%x;a\rb", "1%016x", "", ";a", "%x\x00", "0%x_0", "%x;\x7f", "%x;a=\"\x01\"", "%x.0", "\"%x\""]
TRAILERS = [("X-Sum", "abc"), ("X-Check", ""), ("Content-Length", "3"), ("Transfer-Encoding", "chunked"), ("Host", "b.test"),
            ("Cookie", "a=b"), ("X-Nom", "1")]
TRAILERS_WRONG = ["X-Sum : abc", " X-Sum: abc", "X-Sum", ": abc", "X-Sum: a\x00", "X-Sum: a\n", "X\xe9: a", "X: a\rb"]
LINES_WRONG = ["X-A : b", "X-A\t: b", " X-A: b", "\tfolded", "X-A", ": b", "X A: b", "X-A: b\x00c", "X-A: b\rc", "X-A: \x01",
               "X-A: b\x7f", "X\xe9: b", "X@: b", "X(a): b", "X-A\x00: b", "X-A: b\x0b", "Host : a.test", "Content-Length : 3",
               "X-A: b\n", "\"X\": a", "X,Y: a", "X/Y: a", "{X}: a", "X-A: b\r\n folded", "X-A:\r\n folded", "\r"]
CONNECTIONS = ["close", "keep-alive", "X-Nom", "x-nom, keep-alive", "Keep-Alive, TE", "upgrade", "Host", "Content-Length",
               "X-Case, close", "Transfer-Encoding", "Authorization", ",,", "a b", "close, close", "X-Forwarded-For", "TE",
               "\"close\"", "keep-alive;x", "Via", "Cookie"]
HOP_FIELDS = [("Keep-Alive", "timeout=5"), ("Proxy-Connection", "keep-alive"), ("TE", "trailers"), ("TE", "gzip;q=0.5"),
              ("Upgrade", "h2c"), ("Upgrade", "websocket"), ("X-Nom", "1"), ("HTTP2-Settings", "AAMAAABkAAQ"),
              ("Trailer", "X-Sum"), ("Expect", "100-continue"), ("Expect", "100-Continue"), ("Expect", "200-ok"),
              ("Expect", "100-continue, x"), ("X-Forwarded-For", "6.6.6.6"), ("Forwarded", "for=6.6.6.6"),
              ("X-Real-IP", "6.6.6.6"), ("Via", "1.1 other"), ("Max-Forwards", "0"), ("X_Under", "1"), ("X.Dot", "1"),
              ("Content_Length", "3"), ("Authorization", "Basic eA==")]
BYTES = "\x00\t\n\x0b\x0c\r !\"#%,:;<=>?@[\\]^{|}~\x7f\x80\xa0\xff" + "0aZ_-"


class Request:
    def __init__(self, rng, case, number):
        self.method = rng.choice(METHODS)
        self.target = rng.choice(PATHS) + rng.choice(QUERIES)
        self.version = "HTTP/1.1"
        self.before, self.gaps, self.end = "", [" ", " "], "\r\n"
        self.fields = [["Host", "a.test"], ["X-Case", "%d.%d" % (case, number)]]
        self.fields += [list(f) for f in rng.sample(FIELDS, rng.choice([0, 0, 1, 2, 3]))]
        self.body, self.chunks, self.trailers, self.last = "", None, [], "0"
        self.chunk_ends = "\r\n"
        if self.method in ("POST", "PUT", "PATCH") or rng.random() < 0.1:
            self.add_body(rng)
        rng.shuffle(self.fields)

    def add_body(self, rng):
        self.body = "".join(rng.choice("abc\r\n0GET /x ") for _ in range(rng.choice([0, 1, 3, 20, 90])))
        if rng.random() < 0.5:
            self.fields.append(["Content-Length", str(len(self.body))])
            return
        self.fields.append(["Transfer-Encoding", "chunked"])
        self.chunks, rest = [], self.body
        while rest:
            size = rng.randint(1, len(rest))
            digits = rng.choice(["%x", "%x", "%X", "0%x", "00%x"]) % size
            self.chunks.append([digits + rng.choice(EXTENSIONS if rng.random() < 0.3 else [""]), rest[:size]])
            rest = rest[size:]
        if rng.random() < 0.3:
            self.trailers = ["%s: %s" % f for f in rng.sample(TRAILERS, rng.choice([1, 2]))]

    def text(self):
        lines = [self.method + self.gaps[0] + self.target + self.gaps[1] + self.version]
        lines += [f[0] if len(f) == 1 else "%s: %s" % tuple(f) for f in self.fields]
        out = self.before + "".join(line + self.end for line in lines) + self.end
        if self.chunks is None:
            return out + self.body
        for line, data in self.chunks:
            out += line + "\r\n" + data + self.chunk_ends
        return out + self.last + "\r\n" + "".join(t + "\r\n" for t in self.trailers) + "\r\n"

    def set(self, name, value):
        self.fields = [f for f in self.fields if f[0] != name]
        if value is not None:
            self.fields.append([name, value])


# Ways to be wrong, or odd: each takes (rng, request).

def empty_line(rng, r):
    r.before = rng.choice(["\r\n", "\r\n", "\r\n\r\n", "\n", " ", "\r"])


def gaps(rng, r):
    r.gaps[rng.randrange(2)] = rng.choice(["  ", "\t", " \t", "\x0b", "", "\xa0", "\r", "\x0c"])


def version(rng, r):
    r.version = rng.choice(VERSIONS)


def method(rng, r):
    r.method = rng.choice(["get", "G", "G(T", "", "GET\x00", "G\xe9T", "CONNECT", "TRACE", "OPTIONS", "A" * 40, "PRI", "M-X"])


def target(rng, r):
    r.target = rng.choice(TARGETS_WRONG if rng.random() < 0.6 else TARGETS_RIGHT)


def asterisk(rng, r):
    r.method, r.target = "OPTIONS", rng.choice(["*", "*", "http://a.test", "*x", "/*"])


def host(rng, r):
    r.set("Host", rng.choice(HOSTS_RIGHT if rng.random() < 0.4 else HOSTS_WRONG))


def hosts(rng, r):
    if rng.random() < 0.5:
        r.set("Host", None)
    else:
        r.fields.append(["Host", rng.choice(["a.test", "b.test", ""])])


def line(rng, r):
    r.fields.insert(rng.randint(0, len(r.fields)), [rng.choice(LINES_WRONG)])


def line_ends(rng, r):
    r.end = rng.choice(["\n", "\r", "\r\r\n", "\n\r", "\r\n"])


def length(rng, r):
    form = rng.choice(LENGTHS)
    n = len(r.body)
    r.chunks = None
    r.set("Transfer-Encoding", None)
    r.set("Content-Length", form % ((n,) * (form.count("%") - 2 * form.count("%%"))))


def lengths(rng, r):
    n = len(r.body) if r.chunks is None else len(r.text().split("\r\n\r\n", 1)[1])
    r.fields.append(["Content-Length", str(rng.choice([n, n, 0, n + 3, max(0, n - 2), 4]))])


def coding(rng, r):
    if r.chunks is None:
        r.set("Content-Length", None)
        r.chunks = [["%x" % len(r.body), r.body]] if r.body else []
    r.set("Transfer-Encoding", rng.choice(CODINGS))


def coding_name(rng, r):
    coding(rng, r)
    r.set("Transfer-Encoding", None)
    r.fields.append([rng.choice(CODING_NAMES), "chunked"])
    if rng.random() < 0.5:
        r.fields.append(["Content-Length", str(len(r.text().split("\r\n\r\n", 1)[-1]))])


def codings(rng, r):
    r.fields.append(["Transfer-Encoding", rng.choice(["chunked", "identity", ""])])


def ensure_chunks(r):
    r.set("Content-Length", None)
    r.set("Transfer-Encoding", "chunked")
    r.chunks = [["%x" % len(r.body), r.body]] if r.body else [["3", "abc"]]


def chunk_line(rng, r):
    ensure_chunks(r)
    form = rng.choice(CHUNKS_WRONG)
    r.chunks[0][0] = form % len(r.chunks[0][1]) if "%" in form else form


def chunk_size(rng, r):
    ensure_chunks(r)
    r.chunks[-1][0] = "%x" % max(0, len(r.chunks[-1][1]) + rng.choice([-2, -1, 1, 2, 5]))


def chunk_end(rng, r):
    ensure_chunks(r)
    r.chunk_ends = rng.choice(["\n", "", "\r", "\r\n\r\n", "\n\r", " \r\n", "x\r\n"])


def last_chunk(rng, r):
    ensure_chunks(r)
    r.last = rng.choice(["00", "000", "0;a", "0 ", "-0", "", "0x0", "0;a=\"b\"", "0\x00", "\t0"])


def trailer(rng, r):
    ensure_chunks(r)
    r.trailers.append(rng.choice(TRAILERS_WRONG) if rng.random() < 0.6 else "%s: %s" % rng.choice(TRAILERS))


def nominated_trailer(rng, r):
    ensure_chunks(r)
    r.trailers += ["X-Nom: 1", "X-Sum: 2"]
    r.fields.append(["Connection", rng.choice(["x-nom", "X-Nom, keep-alive"])])


def connection(rng, r):
    r.fields.append(["Connection", rng.choice(CONNECTIONS)])
    if rng.random() < 0.5:
        hop(rng, r)


def hop(rng, r):
    r.fields.append(list(rng.choice(HOP_FIELDS)))


def old(rng, r):
    r.version = "HTTP/1.0"
    if rng.random() < 0.5:
        r.fields.append(["Connection", "keep-alive"])


def content(rng, r):
    r.method = rng.choice(["GET", "HEAD", "DELETE", "TRACE", "OPTIONS"])
    r.set("Transfer-Encoding", None)
    r.add_body(rng)


MUTATIONS = [empty_line, gaps, version, method, target, target, asterisk, host, host, hosts, line, line, line_ends, length, length,
             lengths, coding, coding, coding_name, codings, chunk_line, chunk_line, chunk_size, chunk_end, last_chunk, trailer,
             nominated_trailer, connection, connection, hop, hop, old, content]


def damage(rng, text):
    """One byte put in, taken out or replaced, in the head more often than behind it."""
    end = text.find("\r\n\r\n") + 4
    at = rng.randrange(end if end > 4 and rng.random() < 0.8 else len(text))
    piece = rng.choice(BYTES)
    return rng.choice([text[:at] + piece + text[at:], text[:at] + text[at + 1:], text[:at] + piece + text[at + 1:]])


class Case:
    def __init__(self, number, texts, names):
        self.number, self.texts, self.names = number, texts, names
        self.end = "GET /end HTTP/1.1\r\nHost: a.test\r\nX-Case: %d.end\r\nX-Pad: %s\r\nConnection: close\r\n\r\n" % (
            number, "a" * 3000)

    def stream(self):
        return ("".join(self.texts) + self.end).encode("latin-1")

    def __repr__(self):
        return "case %d (%s):\n%s" % (self.number, ", ".join(self.names) or "as it is", "\n".join(
            "    %r" % t.encode("latin-1") for t in self.texts))


def case(seed, number):
    rng = random.Random("%s %d" % (seed, number))
    requests = [Request(rng, number, i) for i in range(rng.choice([1, 1, 1, 2, 2, 3]))]
    names = []
    for _ in range(rng.choice([0, 1, 1, 1, 1, 1, 2, 2, 3])):
        mutation = rng.choice(MUTATIONS)
        mutation(rng, rng.choice(requests))
        names.append(mutation.__name__)
    texts = [r.text() for r in requests]
    if rng.random() < 0.15:
        at = rng.randrange(len(texts))
        texts[at] = damage(rng, texts[at])
        names.append("damage")
    return Case(number, texts, names)
