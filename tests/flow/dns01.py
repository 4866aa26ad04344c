"""Providers of DNS-01 as they look from the daemon: simulated services, and Knot DNS with a zone.

The simulated ones tell the session's mock name server what they hold, so that Pebble sees it.
"""
import base64
import http.server
import json
import re
import socket
import threading
import urllib.parse

from proc import Process, free_port, own_address, run, wait_for


class Records:
    """TXT values by name, shown by challtestsrv; every change is kept in order."""

    def __init__(self, names):
        self.names, self.values, self.log = names, {}, []
        self.shown = {}
        self.lock = threading.Lock()

    def _show(self, name):
        """Never takes away, not even for a moment, what the authority may be about to ask for: a
        value goes when all of them do."""
        wanted, shown = self.values.get(name, []), self.shown.setdefault(name, [])
        if not wanted:
            self.names.tell("clear-txt", host=name + ".")
            shown.clear()
        for value in wanted:
            if value not in shown:
                self.names.tell("set-txt", host=name + ".", value=value)
                shown.append(value)

    def add(self, name, value):
        with self.lock:
            self.log.append(("add", name, value))
            if value not in self.values.setdefault(name, []):
                self.values[name].append(value)
            self._show(name)

    def remove(self, name, value):
        with self.lock:
            self.log.append(("remove", name, value))
            self.values[name] = [v for v in self.values.get(name, []) if v != value]
            self._show(name)

    def set(self, name, values):
        with self.lock:
            self.log.append(("set", name, list(values)))
            self.values[name] = list(values)
            self._show(name)

    def left(self):
        with self.lock:
            return {name: values for name, values in self.values.items() if values}

    def most(self, name):
        """How many values the name had at once."""
        count, most = set(), 0
        for what, which, value in self.log:
            if which == name:
                count = set(value) if what == "set" else count | {value} if what == "add" else count - {value}
                most = max(most, len(count))
        return most


class Service:
    """An HTTP service on a port of its own; answer(method, path, query, headers, body) gives
    (status, content type, bytes), one request after the other. Requests are kept."""

    def __init__(self, answer):
        self.requests = []
        one_by_one = threading.Lock()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _do(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(parts.query))
                with one_by_one:
                    service.requests.append((self.command, self.path, dict(self.headers), body))
                    status, kind, data = answer(self.command, parts.path, query, self.headers, body)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = _do

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server.server_address[1]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def as_json(value, status=200):
    return status, "application/json", json.dumps(value).encode()


def webhook(records, token=None):
    def answer(method, path, query, headers, body):
        request = json.loads(body)["request"]
        if token and headers.get("Authorization") != "Bearer " + token:
            return as_json({"response": {"success": False, "status": {"message": "who are you?"}}}, 401)
        {"Present": records.add, "CleanUp": records.remove}[request["action"]](
            request["resolvedFQDN"].rstrip("."), request["key"])
        return as_json({"response": {"uid": request["uid"], "success": True}})
    return Service(answer)


def acme_dns(records, accounts):
    """accounts: subdomain -> (user, password, full domain). It keeps the two newest values."""
    def answer(method, path, query, headers, body):
        update = json.loads(body)
        user, password, full = accounts.get(update["subdomain"], (None, None, None))
        if path != "/update" or (headers.get("X-Api-User"), headers.get("X-Api-Key")) != (user, password):
            return as_json({"error": "forbidden"}, 401)
        records.set(full, (records.values.get(full, []) + [update["txt"]])[-2:])
        return as_json({"txt": update["txt"]})
    return Service(answer)


def cloudflare(records, zone, token):
    made = {}  # id -> (name, value)

    def fine(result):
        return as_json({"success": True, "errors": [], "result": result})

    def wrong(status, code, message):
        return as_json({"success": False, "errors": [{"code": code, "message": message}], "result": None}, status)

    def answer(method, path, query, headers, body):
        if headers.get("Authorization") != "Bearer " + token:
            return wrong(403, 9109, "Invalid access token")
        if path == "/client/v4/zones":
            return fine([{"id": "z0ne1", "name": zone}] if query["name"] == zone else [])
        if path == "/client/v4/zones/z0ne1/dns_records" and method == "GET":
            return fine([{"id": i, "type": "TXT", "name": n, "content": '"%s"' % v}
                         for i, (n, v) in made.items() if n == query["name"]])
        if path == "/client/v4/zones/z0ne1/dns_records":
            record = json.loads(body)
            value = record["content"].strip('"')
            if (record["name"], value) in made.values():
                return wrong(400, 81058, "An identical record already exists.")
            made["r%d" % len(records.log)] = (record["name"], value)
            records.add(record["name"], value)
            return fine(record)
        if method == "DELETE" and path.rsplit("/", 1)[1] in made:
            records.remove(*made.pop(path.rsplit("/", 1)[1]))
            return fine({})
        return wrong(404, 81044, "Record does not exist.")
    return Service(answer)


def route53(records, zone, races=0):
    """The TXT sets of one hosted zone. races: changes that somebody else was faster than."""
    left = [races]

    def xml(text, status=200):
        return status, "text/xml", ('<?xml version="1.0"?>\n' + text).encode()

    def a_set(name):
        return ("<ResourceRecordSet><Name>%s.</Name><Type>TXT</Type><TTL>60</TTL><ResourceRecords>%s"
                "</ResourceRecords></ResourceRecordSet>" % (name, "".join(
                    "<ResourceRecord><Value>&quot;%s&quot;</Value></ResourceRecord>" % v
                    for v in records.values[name])))

    def refuse(code, message):
        return xml("<ErrorResponse><Error><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>"
                   % (code, message), 403 if code == "AccessDenied" else 400)

    def change(body):
        changes = re.findall(r"<Action>(\w+)</Action>.*?<Name>([^<]+)\.</Name>.*?<TTL>(\d+)</TTL>(.*?)"
                             r"</ResourceRecordSet>", body)
        for action, name, _, rest in changes:
            values = re.findall(r'<Value>"([^<]*)"</Value>', rest)
            there = records.values.get(name, [])
            if left[0] > 0:
                left[0] -= 1
                return refuse("InvalidChangeBatch", "the set is not what it was")
            if action == "DELETE" and sorted(there) != sorted(values):
                return refuse("InvalidChangeBatch", "values provided do not match")
            if action == "CREATE" and there:
                return refuse("InvalidChangeBatch", "it already exists")
            if action == "DELETE":  # seen by nobody: what follows is one step with it
                records.values[name] = []
                if len(changes) == 1:
                    records.set(name, [])
            else:
                records.set(name, values)
        return xml("<ChangeResourceRecordSetsResponse/>")

    def answer(method, path, query, headers, body):
        if not re.match(r"AWS4-HMAC-SHA256 Credential=AKID/\d{8}/us-east-1/route53/aws4_request, "
                        r"SignedHeaders=host;x-amz-date, Signature=[0-9a-f]{64}$",
                        headers.get("Authorization", "")):
            return refuse("AccessDenied", "unsigned")
        if path == "/2013-04-01/hostedzonesbyname":
            return xml("<ListHostedZonesByNameResponse><HostedZones><HostedZone><Id>/hostedzone/Z1</Id><Name>"
                       "%s.</Name></HostedZone></HostedZones></ListHostedZonesByNameResponse>" % zone)
        if path != "/2013-04-01/hostedzone/Z1/rrset":
            return refuse("NoSuchHostedZone", path)
        if method == "POST":
            return change(body.decode())
        later = sorted(n for n, v in records.values.items() if v and n >= query["name"])
        return xml("<ListResourceRecordSetsResponse><ResourceRecordSets>%s</ResourceRecordSets>"
                   "</ListResourceRecordSetsResponse>" % (a_set(later[0]) if later else ""))
    return Service(answer)


class Knot:
    """Knot DNS with one zone that takes updates signed with a key."""

    SECRET = base64.b64encode(b"an update key of 32 bytes and so").decode()

    def __init__(self, folder, zone, algorithm="hmac-sha256", more=""):
        self.folder, self.zone = folder, zone
        self.host = own_address()
        self.port = free_port(self.host, udp=True)
        (folder / "db").mkdir()
        (folder / "zone").write_text(
            "$ORIGIN %s.\n$TTL 60\n@ SOA ns1 admin 1 3600 600 86400 60\n@ NS ns1\nns1 A %s\n%s\n"
            % (zone, self.host, more))
        (folder / "knot.conf").write_text("""
server:
  rundir: %(f)s
  listen: %(host)s@%(port)d
  user: %(user)s
  pidfile: %(f)s/knot.pid
database:
  storage: %(f)s/db
log:
  - target: stdout
    any: info
key:
  - id: acme.key
    algorithm: %(algorithm)s
    secret: %(secret)s
acl:
  - id: acme
    key: acme.key
    action: update
zone:
  - domain: %(zone)s
    storage: %(f)s
    file: zone
    acl: acme
    zonefile-sync: -1
    journal-content: changes
""" % {"f": folder, "host": self.host, "port": self.port, "zone": zone, "algorithm": algorithm,
       "secret": self.SECRET, "user": run("id", "-un").stdout.strip()})
        self.start()

    def start(self):
        self.process = Process("knotd", ["knotd", "-c", self.folder / "knot.conf"], self.folder / "knot.log")
        wait_for(lambda: self.txt("x." + self.zone) == [], "knotd", alive=self.process)

    def stop(self):
        self.process.kill()

    @property
    def address(self):
        return "%s:%d" % (self.host, self.port)

    def add(self, name, value):
        """A TXT record, by the administrator."""
        for command in (["zone-begin"], ["zone-set", name + ".", "60", "TXT", '"%s"' % value], ["zone-commit"]):
            run("knotc", "-s", self.folder / "knot.sock", *command[:1], self.zone, *command[1:])

    def txt(self, name):
        """The TXT values of a name, asked of the server itself."""
        question = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0\0\x10\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(2)
            s.connect((self.host, self.port))
            s.send(b"\x12\x34\0\0\0\1\0\0\0\0\0\0" + question)
            answer = s.recv(4096)
        count = int.from_bytes(answer[6:8], "big")
        at, found = 12 + len(question), []
        for _ in range(count):
            at += 2 if answer[at] >= 0xC0 else answer.index(0, at) - at + 1
            length = int.from_bytes(answer[at + 8:at + 10], "big")
            if answer[at:at + 2] == b"\0\x10":
                found.append(answer[at + 11:at + 10 + length].decode())
            at += 10 + length
        return found
