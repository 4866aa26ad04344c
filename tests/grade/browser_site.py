"""A site as browsers use one: many small files, uploads, downloads, events, a WebSocket. It has one page, whose
script tries all of it and posts what it got to /report."""
import base64
import hashlib
import http.server
import pathlib
import queue
import threading

WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
PIECE = b"x" * 65536


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, content, kind="text/plain"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def content(self):
        left = int(self.headers["Content-Length"])
        while left > 0:
            piece = self.rfile.read(min(left, len(PIECE)))
            left -= len(piece)
            yield piece

    def do_POST(self):
        if self.path == "/report":
            self.server.reports.put(b"".join(self.content()).decode())
            self.reply(b"")
        else:
            self.reply(str(sum(len(piece) for piece in self.content())).encode())

    def do_GET(self):
        if self.path == "/":
            self.reply(pathlib.Path(__file__).with_name("page.html").read_bytes(), "text/html")
        elif self.path.startswith("/down/"):
            self.download(int(self.path[len("/down/"):]))
        elif self.path == "/events":
            self.events()
        elif self.path == "/websocket":
            self.websocket()
        else:
            self.reply(self.path.encode())

    def download(self, length):
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        try:
            while length > 0:
                length -= self.wfile.write(PIECE[:length])
        except OSError:
            self.close_connection = True  # the browser has had enough of it

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(5):
            self.wfile.write(b"data: %d\n\n" % number)
            self.wfile.flush()
        self.close_connection = True

    def websocket(self):
        proof = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + WEBSOCKET).encode()).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(proof).decode())
        self.end_headers()
        self.close_connection = True
        while True:  # an echo of short frames, to the frame that closes
            head = self.rfile.read(2)
            if len(head) < 2:
                return
            mask, length = self.rfile.read(4), head[1] & 127
            text = bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.rfile.read(length)))
            self.wfile.write(bytes([head[0], length]) + text)
            if head[0] & 15 == 8:
                return


class Site(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, host):
        super().__init__((host, 0), Handler)
        self.reports = queue.Queue()
        threading.Thread(target=self.serve_forever, daemon=True).start()
