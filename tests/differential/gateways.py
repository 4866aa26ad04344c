"""The gateways: the daemon under test, nginx and HAProxy, each in front of a recorder of its own."""
import os
import shutil
import socket

from proc import Process, can_connect, free_port, own_address, wait_for
from recorder import Recorder
import world

NGINX = """
daemon off; worker_processes 1; pid %(box)s/nginx.pid; error_log %(box)s/error.log;
events { worker_connections 1024; }
http {
  access_log off; client_body_temp_path %(box)s/body; proxy_temp_path %(box)s/proxy;
  fastcgi_temp_path %(box)s/fastcgi; uwsgi_temp_path %(box)s/uwsgi; scgi_temp_path %(box)s/scgi;
  client_header_timeout 20s; client_body_timeout 20s;
  upstream origin { server 127.0.0.1:%(origin)d; keepalive 16; }
  server {
    listen %(address)s:%(port)d;
    underscores_in_headers on;
    location / {
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Host $host;
      proxy_set_header Connection "";
    }
  }
}
"""
HAPROXY = """
global
  maxconn 1024
defaults
  mode http
  timeout connect 20s
  timeout client 20s
  timeout server 20s
  timeout http-request 20s
frontend f
  bind %(address)s:%(port)d
  default_backend b
backend b
  server origin 127.0.0.1:%(origin)d
"""


def program(name):
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


class Peer:
    def __init__(self, name, box, configuration, command):
        self.name, self.recorder = name, Recorder()
        self.address, self.port = own_address(), free_port()
        file = box / (name + ".conf")
        file.write_text(configuration % dict(box=box, address=self.address, port=self.port, origin=self.recorder.port))
        self.process = Process(name, [a.replace("FILE", str(file)).replace("BOX", str(box)) for a in command],
                               box / (name + ".log"))
        wait_for(lambda: can_connect(self.address, self.port), name, alive=self.process)

    def stop(self):
        self.process.kill()
        self.recorder.stop()


def nginx(box):
    os.chmod(box, 0o755)
    return Peer("nginx", box, NGINX, [program("nginx"), "-e", "BOX/error.log", "-p", "BOX", "-c", "FILE",
                                      "-g", "master_process off;"])


def haproxy(box):
    return Peer("haproxy", box, HAPROXY, [program("haproxy"), "-db", "-q", "-f", "FILE"])


class Ours:
    name = "sallyport"

    def __init__(self, daemon):
        self.daemon, self.recorder = daemon, Recorder()
        self.address, self.port = daemon.address, free_port()
        daemon.apply(world.gateway(daemon.address, [world.listener("http", self.port)]),
                     world.backend("app", ("127.0.0.1", self.recorder.port)),
                     world.route("site", world.rule("app")))
        daemon.wait_programmed()
        wait_for(lambda: can_connect(self.address, self.port), "the listener", alive=daemon.process)

    def stop(self):
        self.daemon.stop()
        self.recorder.stop()


def ask(gateway, stream):
    """(all that came back, how it ended: "closed", or "open" after a long wait)"""
    answer = b""
    with socket.create_connection((gateway.address, gateway.port), 20) as sock:
        sock.settimeout(40)
        try:
            sock.sendall(stream)
        except OSError:
            pass  # it has seen enough; what it said is there to read
        while True:
            try:
                piece = sock.recv(65536)
            except socket.timeout:
                return answer, "open"
            except OSError:
                return answer, "closed"
            if not piece:
                return answer, "closed"
            answer += piece
