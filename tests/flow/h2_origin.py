"""A service that speaks HTTP/2 only: in clear text, or with TLS and ALPN."""
import socket
import ssl
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings


class H2Origin:
    """Answers each request, when it is whole, with its own content, its path in x-path and the number
    of the connection in x-connection; a trailer x-crumb comes last. At most `most` streams at once."""

    def __init__(self, tls=None, most=100):
        self.tls = tls
        self.most = most
        self.connections = 0
        self.requests = []
        self.sockets = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self.listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.listener.close()
        for link in list(self.sockets):
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(raw, self.connections), daemon=True).start()

    def _serve(self, raw, number):
        try:
            link = self.tls.wrap_socket(raw, server_side=True) if self.tls else raw
            if self.tls and link.selected_alpn_protocol() != "h2":
                link.close()
                return
            self.sockets.add(link)
            self._talk(link, number)
        except (OSError, ssl.SSLError, h2.exceptions.ProtocolError):
            raw.close()

    def _talk(self, link, number):
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        peer = h2.connection.H2Connection(config)
        codes = h2.settings.SettingCodes
        peer.local_settings = h2.settings.Settings(client=False, initial_values={
            codes.MAX_CONCURRENT_STREAMS: self.most, codes.MAX_HEADER_LIST_SIZE: 65536})
        peer.initiate_connection()
        link.sendall(peer.data_to_send())
        streams, waiting = {}, {}
        while True:
            data = link.recv(65536)
            if not data:
                return
            for event in peer.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    streams[event.stream_id] = (dict(event.headers), bytearray())
                elif isinstance(event, h2.events.DataReceived):
                    streams[event.stream_id][1].extend(event.data)
                    peer.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    fields, body = streams.pop(event.stream_id)
                    self.requests.append(fields)
                    peer.send_headers(event.stream_id, [
                        (":status", "200"), ("x-path", fields[":path"]),
                        ("x-connection", str(number))])
                    waiting[event.stream_id] = bytes(body)
            self._send(peer, waiting)
            link.sendall(peer.data_to_send())

    @staticmethod
    def _send(peer, waiting):
        for stream, body in list(waiting.items()):
            while body:
                room = min(peer.local_flow_control_window(stream), peer.max_outbound_frame_size)
                if room <= 0:
                    break
                peer.send_data(stream, body[:room])
                body = body[room:]
            waiting[stream] = body
            if not body:
                peer.send_headers(stream, [("x-crumb", "last")], end_stream=True)
                del waiting[stream]
