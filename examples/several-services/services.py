#!/usr/bin/python3
"""services.py NAME=PORT|PATH…: small web services that say who they are and what they were asked.

A port is on 127.0.0.1; a path is a Unix socket. Ends on Ctrl-C.
"""
import http.server
import os
import signal
import socket
import socketserver
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        while length > 0:
            length -= len(self.rfile.read(min(length, 65536))) or length
        lines = ["This is %s. You asked: %s %s" % (self.server.name, self.command, self.path)]
        lines += ["  %s: %s" % field for field in self.headers.items()]
        body = ("\n".join(lines) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Service", self.server.name)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = answer

    def address_string(self):
        return self.server.name

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


class UnixServer(Server):
    address_family = socket.AF_UNIX


def serve(name, where):
    """A server in a thread of its own."""
    if "/" in where:
        if os.path.exists(where):
            os.unlink(where)
        server = UnixServer(where, Handler)
        os.chmod(where, 0o666)
    else:
        server = Server(("127.0.0.1", int(where)), Handler)
    server.name = name
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main():
    wanted = [argument.partition("=")[::2] for argument in sys.argv[1:]]
    if not wanted or not all(name and where for name, where in wanted):
        sys.exit(__doc__)
    for name, where in wanted:
        serve(name, where)
        print("%s listens on %s" % (name, where), flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
