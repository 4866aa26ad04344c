#!/usr/bin/python3
"""The services behind the daemon: an HTTP/1.1 server that can be as odd as a test wants.

In a test: Origin(name) runs in a thread and records requests. For heavy load run it as a program:
    origin.py NAME ADDRESS PORT
Paths: /bytes?n=N[&chunked=1] sends N patterned bytes; /sink takes a body and answers its length and
CRC; /slow?ms=N answers late; /status?code=N; /events sends a line when it is told (release());
/ws upgrades and echoes; /garbage answers nonsense; /close answers and closes; anything else is echoed as JSON.
"""
import asyncio
import base64
import hashlib
import json
import os
import sys
import threading
import urllib.parse
import zlib

PATTERN = bytes(i * 7 & 255 for i in range(65536 - 1))  # no power of two: shifted blocks show


def pattern_crc(n):
    crc = 0
    while n > 0:
        piece = PATTERN[:n]
        crc = zlib.crc32(piece, crc)
        n -= len(piece)
    return crc


class Request:
    def __init__(self, method, target, fields):
        self.method = method
        self.target = target
        self.fields = fields  # list of (lower-case name, value)
        parts = urllib.parse.urlsplit(target)
        self.path = parts.path
        self.query = dict(urllib.parse.parse_qsl(parts.query))
        self.body = b""

    def field(self, name):
        found = [v for n, v in self.fields if n == name]
        return ", ".join(found) if found else None


class Origin:
    """Runs from start to stop(); address is (host, port) or a path; tls: a server's context."""

    def __init__(self, name, host="127.0.0.1", port=0, path=None, tls=None):
        self.name = name
        self.requests = []
        self.connections = 0
        self.tls = tls
        self.tls_seen = []  # of each connection: (server name, resumed, certificate of the client)
        self.open_connections = 0
        self.path = path
        self.where = (host, port)
        self.release_event = None
        self.started = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        if not self.started.wait(10):
            raise AssertionError("origin %s did not start" % name)

    def _run(self):
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._listen())
        self.started.set()
        self.loop.run_forever()

    async def _listen(self):
        self.release_event = asyncio.Event()
        self.tasks, self.writers = set(), set()
        if self.path:
            self.server = await asyncio.start_unix_server(self._accepted, self.path, limit=1 << 20)
        else:
            self.server = await asyncio.start_server(self._accepted, *self.where, limit=1 << 20,
                                                     backlog=1024, ssl=self.tls)
            self.host, self.port = self.server.sockets[0].getsockname()[:2]

    def stop(self):
        def end():
            self.server.close()
            for writer in list(self.writers):
                writer.transport.abort()
            for task in list(self.tasks):
                task.cancel()
            self.loop.call_later(0.01, self.loop.stop)  # when they have seen it
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(end)
            self.thread.join(5)

    def release(self):
        """Lets every /events and /slow that waits go on."""
        self.loop.call_soon_threadsafe(self.release_event.set)

    def seen(self, path):
        return [r for r in self.requests if r.path == path]

    async def _accepted(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        self.writers.add(writer)
        self.connections += 1
        if self.tls:
            link = writer.get_extra_info("ssl_object")
            self.tls_seen.append((getattr(link, "asked_for", None), link.session_reused,
                                  link.getpeercert()))
        self.open_connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError,
                asyncio.CancelledError, ValueError):
            pass
        finally:
            self.open_connections -= 1
            self.tasks.discard(task)
            self.writers.discard(writer)
            writer.close()

    async def _exchange(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        line, *rest = head[:-4].decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ", 2)
        fields = [(n.lower(), v.strip()) for n, _, v in (f.partition(":") for f in rest)]
        request = Request(method, target, fields)
        self.requests.append(request)
        if request.field("expect"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request.path == "/ws":
            await self._web_socket(request, reader, writer)
            return False
        crc, length, kept = 0, 0, b""
        async for piece in self._body(request, reader):
            crc = zlib.crc32(piece, crc)
            length += len(piece)
            if len(kept) < 65536:
                kept += piece
        request.body = kept
        await self._answer(request, writer, length, crc)
        return request.path != "/close"

    async def _body(self, request, reader):
        if (request.field("transfer-encoding") or "").lower() == "chunked":
            while True:
                size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
                left = size
                while left:
                    piece = await reader.read(min(left, 1 << 18))
                    if not piece:
                        raise ValueError("body ended early")
                    left -= len(piece)
                    yield piece
                await reader.readuntil(b"\r\n")
                if not size:
                    return
        left = int(request.field("content-length") or 0)
        while left:
            piece = await reader.read(min(left, 1 << 18))
            if not piece:
                raise ValueError("body ended early")
            left -= len(piece)
            yield piece

    async def _answer(self, request, writer, length, crc):
        if request.path == "/bytes":
            return await self._send_bytes(request, writer)
        if request.path == "/events":
            return await self._send_events(writer)
        if request.path == "/garbage":
            writer.write(b"this is no HTTP\r\n\r\n")
            return await writer.drain()
        status = 200
        if request.path == "/sink":
            body = {"length": length, "crc": crc}
        else:
            body = {"service": self.name, "method": request.method, "target": request.target,
                    "fields": request.fields}
        if request.path == "/status":
            status = int(request.query["code"])
        if request.path == "/slow":
            if "ms" in request.query:
                await asyncio.sleep(int(request.query["ms"]) / 1000)
            else:
                await self.release_event.wait()
        text = json.dumps(body).encode()
        writer.write(b"HTTP/1.1 %d Whatever\r\nContent-Type: application/json\r\n"
                     b"X-Origin: %s\r\nContent-Length: %d\r\n%s\r\n%s"
                     % (status, self.name.encode(), len(text),
                        b"Connection: close\r\n" if request.path == "/close" else b"",
                        b"" if request.method == "HEAD" else text))
        await writer.drain()

    async def _send_bytes(self, request, writer):
        left = int(request.query["n"])
        chunked = "chunked" in request.query
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % left
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n%s\r\n\r\n"
                     % framing)
        while left:
            piece = PATTERN[:left]
            left -= len(piece)
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            await writer.drain()
        if chunked:
            writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _send_events(self, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\nc\r\ndata: first\n\r\n")
        await writer.drain()
        await self.release_event.wait()
        writer.write(b"d\r\ndata: second\n\r\n0\r\n\r\n")
        await writer.drain()

    async def _web_socket(self, request, reader, writer):
        """RFC 6455 as far as an echo of whatever bytes come after the upgrade needs."""
        key = request.field("sec-websocket-key") or ""
        accept = base64.b64encode(hashlib.sha1(
            (key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     b"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n" % accept)
        while True:
            data = await reader.read(65536)
            if not data:
                return
            writer.write(data)
            await writer.drain()


def main():
    name, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    origin = Origin(name, host, port)
    origin.requests = type("Forgets", (list,), {"append": lambda self, item: None})()
    print("listening", flush=True)
    try:
        origin.thread.join()
    except KeyboardInterrupt:
        os._exit(0)


if __name__ == "__main__":
    main()
