"""The service behind the gateways: it records each request that is whole, and forgives nothing.

Each answer names the number of the record that it answers, so that a test sees which request of a
client's the answer belongs to. A thread for each connection; what is wrong in framing or grammar is
recorded as broken, and that alone fails a test.
"""
import re
import socket
import threading

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
LINE = re.compile(rb"(" + TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.([01])")
FIELD = re.compile(rb"(" + TOKEN + rb"):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*")
HEX = re.compile(rb"[0-9A-Fa-f]{1,16}")


class Broken(Exception):
    pass


class Record:
    def __init__(self, number):
        self.number = number
        self.method = self.target = b""
        self.fields, self.trailers = [], []
        self.body = b""

    def values(self, name):
        return [v for n, v in self.fields if n == name]

    def __repr__(self):
        return "%s %s %s body %r trailers %s" % (
            self.method, self.target, [(n, v[:40]) for n, v in self.fields], self.body[:80], self.trailers)


class Reader:
    def __init__(self, sock):
        self.sock, self.data = sock, b""

    def more(self):
        piece = self.sock.recv(65536)
        if not piece:
            raise EOFError
        self.data += piece

    def line(self):
        while b"\n" not in self.data:
            if len(self.data) > 1 << 17:
                raise Broken("a line without an end")
            self.more()
        line, self.data = self.data.split(b"\n", 1)
        if not line.endswith(b"\r") or b"\r" in line[:-1]:
            raise Broken("a line that does not end in CRLF: %r" % line[:80])
        return line[:-1]

    def exact(self, count):
        while len(self.data) < count:
            self.more()
        taken, self.data = self.data[:count], self.data[count:]
        return taken


class Recorder:
    def __init__(self):
        self.lock = threading.Lock()
        self.records, self.broken, self.threads = {}, [], []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.host, self.port = self.listener.getsockname()
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def stop(self):
        """When the gateways have ended: then every connection comes to its end."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(20)
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive(), "a gateway left a connection open behind it"
        self.listener.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.threads.append(threading.Thread(target=self._serve, args=(sock,), daemon=True))
            self.threads[-1].start()

    def _serve(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = Reader(sock)
        with sock:
            try:
                while self._exchange(reader):
                    pass
            except Broken as e:
                with self.lock:
                    self.broken.append(str(e))
            except (EOFError, OSError):
                pass

    def _exchange(self, reader):
        record = Record(0)
        self._head(reader, record)
        if [v for v in record.values(b"expect") if v.lower() == b"100-continue"]:
            reader.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._body(reader, record)
        with self.lock:
            record.number = len(self.records) + 1
            self.records[record.number] = record
        body = b"answer %d" % record.number
        reader.sock.sendall(
            b"HTTP/1.1 200 OK\r\nX-Record: %d\r\nContent-Length: %d\r\n\r\n%s"
            % (record.number, len(body), b"" if record.method == b"HEAD" else body))
        return b"close" not in b",".join(record.values(b"connection")).lower()

    @staticmethod
    def _fields(reader, into):
        while True:
            line = reader.line()
            if not line:
                return
            field = FIELD.fullmatch(line)
            if not field:
                raise Broken("no field: %r" % line[:80])
            into.append((field.group(1).lower(), field.group(2)))

    def _head(self, reader, record):
        line = reader.line()
        parts = LINE.fullmatch(line)
        if not parts:
            raise Broken("no request line: %r" % line[:80])
        record.method, record.target = parts.group(1), parts.group(2)
        self._fields(reader, record.fields)
        if len(record.values(b"host")) != 1:
            raise Broken("%d Hosts: %r" % (len(record.values(b"host")), record))

    def _body(self, reader, record):
        codings, lengths = record.values(b"transfer-encoding"), record.values(b"content-length")
        if len(codings) + len(lengths) > 1:
            raise Broken("framed twice: %r" % record)
        if lengths:
            if not re.fullmatch(rb"[0-9]{1,19}", lengths[0]):
                raise Broken("length: %r" % record)
            record.body = reader.exact(int(lengths[0]))
        elif codings:
            if codings[0].lower() != b"chunked":
                raise Broken("coding: %r" % record)
            self._chunks(reader, record)

    def _chunks(self, reader, record):
        while True:
            line = reader.line()
            size = line.split(b";")[0].rstrip(b" \t")
            if not HEX.fullmatch(size):
                raise Broken("chunk size: %r" % line[:80])
            if int(size, 16) == 0:
                break
            record.body += reader.exact(int(size, 16))
            if reader.exact(2) != b"\r\n":
                raise Broken("a chunk without an end")
        self._fields(reader, record.trailers)
