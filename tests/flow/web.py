"""Clients: HTTP/1.1 by hand, HTTP/2 by python3-h2, both verifying what they are shown."""
import http.client
import json
import socket
import ssl

import h2.config
import h2.connection
import h2.events
import h2.exceptions


def tls_context(ca_file, alpn=("http/1.1",), verify=True):
    context = ssl.create_default_context(cafile=str(ca_file)) if verify else ssl._create_unverified_context()
    context.set_alpn_protocols(list(alpn))
    return context


class Answer:
    def __init__(self, status, fields, body, version):
        self.status = status
        self.fields = [(n.lower(), v) for n, v in fields]
        self.body = body
        self.version = version

    def field(self, name):
        found = [v for n, v in self.fields if n == name.lower()]
        return ", ".join(found) if found else None

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "%s %d %s %r" % (self.version, self.status, self.fields, self.body[:300])


class Connection:
    """One kept connection of HTTP/1.1, over TLS when given a context."""

    def __init__(self, address, port, host, tls=None, timeout=15, source=None):
        raw = socket.create_connection((address, port), timeout, source)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = tls.wrap_socket(raw, server_hostname=host) if tls else raw
        self.host = host
        self.http = http.client.HTTPConnection(host)
        self.http.sock = self.sock

    def serial(self):
        return self.sock.getpeercert()["serialNumber"].lower()

    def ask(self, method="GET", target="/", body=None, fields=None):
        self.http.request(method, target, body=body, headers=dict({"Host": self.host}, **(fields or {})))
        response = self.http.getresponse()
        data = response.read()
        self.ends = response.will_close
        return Answer(response.status, response.getheaders(), data, "HTTP/1.1")

    def close(self):
        self.http.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()


class H2Connection:
    """One connection of HTTP/2 over TLS."""

    def __init__(self, address, port, host, tls, timeout=15):
        raw = socket.create_connection((address, port), timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = tls.wrap_socket(raw, server_hostname=host)
        assert self.sock.selected_alpn_protocol() == "h2", self.sock.selected_alpn_protocol()
        self.host = host
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.h2.initiate_connection()
        self.ended = None  # last stream of a GOAWAY
        self.pending = b""
        self._flush()

    def serial(self):
        return self.sock.getpeercert()["serialNumber"].lower()

    def _flush(self):
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def _receive(self):
        """Events of what came. python3-h2 takes GOAWAY for the end; RFC 9113 lets streams go on."""
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("the connection was closed")
        self.pending += data
        kept = b""
        while len(self.pending) >= 9:
            size = 9 + int.from_bytes(self.pending[:3], "big")
            if len(self.pending) < size:
                break
            frame, self.pending = self.pending[:size], self.pending[size:]
            if frame[3] == 7:
                self.ended = int.from_bytes(frame[9:13], "big")
                if any(frame[13:17]):
                    raise ConnectionError("GOAWAY with error %d" % int.from_bytes(frame[13:17], "big"))
            else:
                kept += frame
        return self.h2.receive_data(kept) if kept else []

    def begin(self, method="GET", target="/", fields=(), end=True):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [(":method", method), (":scheme", "https"),
                                      (":authority", self.host), (":path", target)] + list(fields),
                             end_stream=end)
        self._flush()
        return stream

    def answers(self, streams):
        """Reads until each of the streams has its whole answer."""
        open_, found = set(streams), {s: [None, [], b""] for s in streams}
        while open_:
            for event in self._receive():
                stream = getattr(event, "stream_id", None)
                if isinstance(event, h2.events.ResponseReceived):
                    fields = [(n.decode() if isinstance(n, bytes) else n,
                               v.decode() if isinstance(v, bytes) else v) for n, v in event.headers]
                    found[stream][0] = int(dict(fields)[":status"])
                    found[stream][1] = [f for f in fields if not f[0].startswith(":")]
                elif isinstance(event, h2.events.DataReceived):
                    found[stream][2] += event.data
                    self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
                elif isinstance(event, h2.events.StreamEnded):
                    open_.discard(stream)
                elif isinstance(event, h2.events.StreamReset):
                    raise ConnectionError("stream %d reset: %s" % (stream, event.error_code))
            self._flush()
        return [Answer(*found[s], "HTTP/2") for s in streams]

    def ask(self, method="GET", target="/", fields=()):
        return self.answers([self.begin(method, target, fields)])[0]

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()


def get(address, port, host, target="/", tls=None, method="GET", fields=None, body=None):
    """One request on a connection of its own."""
    with Connection(address, port, host, tls) as connection:
        return connection.ask(method, target, body=body, fields=fields)


def served_serial(address, port, host, tls):
    with Connection(address, port, host, tls) as connection:
        return connection.serial()
