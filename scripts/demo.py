#!/usr/bin/python3
"""demo.py [--once]: runs the demo; see scripts/demo, which builds first."""
import ctypes
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ONCE = "--once" in sys.argv[1:]
COLOURS = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
BEGAN = time.monotonic()


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


# Browsers, curl and name look-ups take names below localhost to 127.0.0.1 and ::1.
IPV6 = has_ipv6()
NAME = "demo.localhost" if IPV6 else "demo.test"

ISSUER = """\
# Who issues: an ACME server, here one of our own.
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata:
  name: demo-ca
spec:
  acme:
    server: {directory}
    email: admin@example.com
    caBundle: {ca_bundle}
    privateKeySecretRef:
      name: demo-account
    solvers:
    - http01:
        gatewayHTTPRoute:
          parentRefs:
          - name: demo
"""
GATEWAY = """\
# Two doors, and for the second a certificate.
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: demo
  annotations:
    cert-manager.io/cluster-issuer: demo-ca
spec:
  gatewayClassName: sallyport
  addresses:  # without them: every address of this host
  - type: IPAddress
    value: 127.0.0.1
{ipv6}  listeners:
  - name: http
    protocol: HTTP
    port: {http}
  - name: https
    protocol: HTTPS
    port: {https}
    hostname: {name}
    tls:
      mode: Terminate
      certificateRefs:
      - name: demo-tls
"""
SITE = """\
# Two services of this machine, told apart by path.
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata:
  name: shop
spec:
  endpoints:
  - ip:
      address: 127.0.0.1
      port: {shop}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata:
  name: blog
spec:
  endpoints:
  - ip:
      address: 127.0.0.1
      port: {blog}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: site
spec:
  parentRefs:
  - name: demo
    sectionName: https
  rules:
  - backendRefs:
    - group: gateway.envoyproxy.io
      kind: Backend
      name: shop
  - matches:
    - path:
        type: PathPrefix
        value: /blog
    backendRefs:
    - group: gateway.envoyproxy.io
      kind: Backend
      name: blog
---
# Plain HTTP goes to HTTPS; the port is said only because it is not 443 here.
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: redirect
spec:
  parentRefs:
  - name: demo
    sectionName: http
  rules:
  - filters:
    - type: RequestRedirect
      requestRedirect:
        scheme: https
        port: {https}
        statusCode: 301
"""


class Wrong(Exception):
    """What did not work, for the person who looks."""


# ---- what is printed ----

def paint(code, text):
    return "\033[%sm%s\033[0m" % (code, text) if COLOURS else text


def title(text):
    print("\n" + paint("1", text), flush=True)


def line(what, text):
    """One line of at most 80 columns unless it holds something that must not be cut."""
    print("  %s %s" % (paint("36", "%-12s" % what), text), flush=True)


def moment(since, what, text):
    print("  %s %s %s" % (paint("2", "%5.2f s" % (time.monotonic() - since)), paint("36", "%-12s" % what), text),
          flush=True)


def shown(command):
    print("  " + paint("1", "$ " + command), flush=True)


# ---- processes ----

CHILDREN = []


def dies_with_us():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def spawn(name, command, **env):
    with open(path(name + ".log"), "ab") as log:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 env=dict(clean_env(), **env), start_new_session=True, preexec_fn=dies_with_us)
    child.name = name
    CHILDREN.append(child)
    return child


def stop(child):
    """Ends it kindly; its exit status."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(25)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if child in CHILDREN:
        CHILDREN.remove(child)
    return child.returncode


def clean_env():
    bad = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    kept = {k: v for k, v in os.environ.items()
            if k.lower() not in bad and (not k.startswith("SALLYPORT") or k in ("SALLYPORT", "SALLYPORTD"))}
    return dict(kept, LC_ALL="C.UTF-8")


def text_of(name):
    with open(path(name + ".log"), errors="replace") as f:
        return f.read()


def until(condition, what, child=None, seconds=40):
    """The first true value; raises when it does not come."""
    end = time.monotonic() + seconds
    last = ""
    while True:
        try:
            value = condition()
            if value:
                return value
        except (OSError, Wrong, ValueError, KeyError) as e:
            last = str(e)
        if child is not None and child.poll() is not None:
            raise Wrong("%s ended:\n%s" % (child.name, text_of(child.name)[-800:]))
        if time.monotonic() > end:
            raise Wrong("%s: not within %d s %s" % (what, seconds, last))
        time.sleep(0.01)


def connects(port):
    socket.create_connection(("127.0.0.1", port), 1).close()
    return True


def free_ports(count):
    """Below the range that the kernel gives to clients, so they stay free until they are bound."""
    found = []
    while len(found) < count:
        port = random.SystemRandom().randrange(10000, 32000)
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as s:
                    s.bind(("127.0.0.1", port))
        except OSError:
            continue
        if port not in found:
            found.append(port)
    return found


# ---- the authority ----

def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER, env=clean_env(), timeout=60)
    if done.returncode != 0:
        raise Wrong("%s: %s" % (" ".join(command[:3]), (done.stderr or done.stdout).strip()))
    return done.stdout


def start_authority():
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    with open(path("tls.ext"), "w") as f:
        f.write("subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    run("openssl", "req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
        "-subj", "/CN=sallyport demo")
    run("openssl", "req", "-new", *new_key, "-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=localhost")
    run("openssl", "x509", "-req", "-in", "tls.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-days", "30", "-extfile", "tls.ext", "-out", "tls.pem")
    with open(path("pebble.json"), "w") as f:
        json.dump({"pebble": {
            "listenAddress": "127.0.0.1:%d" % PORT["acme"], "managementListenAddress": "127.0.0.1:%d" % PORT["root"],
            "certificate": path("tls.pem"), "privateKey": path("tls.key"), "httpPort": PORT["http"],
            "tlsPort": PORT["https"], "ocspResponderURL": "", "externalAccountBindingRequired": False,
            "certificateValidityPeriod": 90 * 86400}}, f)
    names = spawn("names", [program("pebble-challtestsrv"), "-dns01", "127.0.0.1:%d" % PORT["dns"], "-management",
                            "127.0.0.1:%d" % PORT["dns_control"], "-http01", "", "-https01", "",
                            "-tlsalpn01", "", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""])
    until(lambda: connects(PORT["dns_control"]), "the name server", names)
    # Short waits between its checks; the nonces it refuses are left as they are.
    pebble = spawn("pebble", [program("pebble"), "-strict", "-config", path("pebble.json"), "-dnsserver",
                              "127.0.0.1:%d" % PORT["dns"]], PEBBLE_VA_SLEEPTIME="1", PEBBLE_AUTHZREUSE="0")
    context = ssl.create_default_context(cafile=path("ca.pem"))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                         urllib.request.HTTPSHandler(context=context))
    root = until(lambda: opener.open("https://localhost:%d/roots/0" % PORT["root"], timeout=5).read(),
                 "pebble", pebble)
    until(lambda: connects(PORT["acme"]), "pebble", pebble)
    with open(path("root.pem"), "wb") as f:
        f.write(root)


def program(name):
    for folder in (None, "/usr/bin", "/usr/local/bin", "/usr/sbin"):
        found = shutil.which(name, path=folder) if folder else shutil.which(name)
        if found:
            return found
    raise Wrong("%s is not installed: scripts/install-deps demo" % name)


# ---- the daemon ----

class Api(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(10)
        self.sock.connect(path("api.sock"))


def api(target):
    """The JSON at target, or None."""
    connection = Api("localhost")
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        body = answer.read()
        return json.loads(body) if answer.status == 200 and body.startswith(b"{") else None
    finally:
        connection.close()


def is_ready():
    connection = Api("localhost")
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    finally:
        connection.close()


def start_daemon():
    daemon = spawn("sallyportd", [
        os.environ["SALLYPORTD"], "--state-dir", path("state"), "--socket", path("api.sock"), "--dns-servers",
        "127.0.0.1:%d" % PORT["dns"], "--access-log", path("access.log")])
    until(is_ready, "sallyportd", daemon)
    return daemon


def sallyport(*arguments):
    """Runs the command line, showing it and what it says."""
    shown("sallyport " + " ".join(arguments))
    done = subprocess.run([os.environ["SALLYPORT"], "--socket", path("api.sock")] + list(arguments),
                          capture_output=True, text=True, cwd=FOLDER, env=clean_env(), timeout=120)
    for said in (done.stdout + done.stderr).splitlines():
        print("    " + said, flush=True)
    if done.returncode != 0:
        raise Wrong("sallyport %s: exit status %d" % (arguments[0], done.returncode))
    return done.stdout


def condition(thing, kind="Ready"):
    for found in (thing or {}).get("status", {}).get("conditions", []):
        if found["type"] == kind:
            return found
    return {}


def get_objects(plural, group):
    return (api("/apis/%s/v1/%s" % (group, plural)) or {}).get("items", [])


def watch_issuance(since):
    """Tells each step of the order as it happens; ends when the certificate is Ready."""
    told = set()

    def tell(key, what, text):
        if key not in told:
            told.add(key)
            moment(since, what, text)

    def place(url):
        return url[len("https://localhost:%d" % PORT["acme"]):][:46]

    def look():
        issuer = api("/apis/cert-manager.io/v1/clusterissuers/demo-ca")
        uri = (issuer or {}).get("status", {}).get("acme", {}).get("uri")
        if uri:
            tell("account", "account", "registered: " + place(uri))
        for order in get_objects("orders", "acme.cert-manager.io"):
            if order.get("status", {}).get("url"):
                tell("order", "order", "placed: " + place(order["status"]["url"]))
        fetched = re.findall(r"Attempting to validate w/ HTTP: (\S+)", text_of("pebble"))
        if fetched:
            tell("challenge", "challenge", "the authority asks our plain HTTP listener for the token:")
            tell("url", "", fetched[0].partition("://")[2][:56])
        if "set VALID by completed challenge" in text_of("pebble"):
            tell("valid", "", "and finds it: the name is proved to be ours")
        certificate = api("/apis/cert-manager.io/v1/namespaces/default/certificates/demo-tls")
        ready = condition(certificate)
        if ready.get("status") == "True":
            tell("issued", "certificate", "valid until %s" % certificate["status"].get("notAfter", "?"))
            tell("renewal", "renewal", "by itself, on %s" % certificate["status"].get("renewalTime", "?"))
            return True
        return False
    until(look, "the certificate", CHILDREN[-1], 90)


# ---- the site as a client sees it ----

def curl(*arguments, check=True):
    done = subprocess.run(["curl", "-sS", "--noproxy", "*", "--max-time", "15", "--cacert", path("root.pem"),
                           "--resolve", "%s:%d:127.0.0.1" % (NAME, PORT["http"]),
                           "--resolve", "%s:%d:127.0.0.1" % (NAME, PORT["https"])] + list(arguments),
                          capture_output=True, text=True, env=clean_env(), timeout=30)
    if check and done.returncode != 0:
        raise Wrong("curl: " + done.stderr.strip())
    return done.stdout


def asked(url, *arguments):
    """Status, version of HTTP, Location and body of one request."""
    out = curl("-o", path("body"), "-w", "%{http_code} %{http_version} %header{location}", *arguments, url)
    status, version, location = (out + " ").split(" ", 2)
    with open(path("body"), errors="replace") as f:
        return int(status), version, location.strip(), f.read()


def served_serial():
    context = ssl.create_default_context(cafile=path("root.pem"))
    with socket.create_connection(("127.0.0.1", PORT["https"]), 5) as raw:
        with context.wrap_socket(raw, server_hostname=NAME) as tls:
            return tls.getpeercert()["serialNumber"].lower()


def orders():
    found = re.findall(r"There are now (\d+) orders in the db", text_of("pebble"))
    return int(found[-1]) if found else 0


# ---- what is checked ----

FAILED = []


def check(what, got, want):
    good = got == want
    if not good:
        FAILED.append(what)
    print("  %s %s%s" % (paint("32", "ok  ") if good else paint("31", "FAIL"), what,
                         "" if good else "\n       got  %r\n       want %r" % (got, want)), flush=True)


def check_site():
    base, plain = "https://%s:%d" % (NAME, PORT["https"]), "http://%s:%d" % (NAME, PORT["http"])
    status, _, location, _ = asked(plain + "/a?b=c")
    check("HTTP redirects with 301", status, 301)
    check("... to exactly the same page on HTTPS", location, base + "/a?b=c")
    for flag, version in (("--http1.1", "1.1"), ("--http2", "2")):
        status, got, _, body = asked(base + "/", flag)
        check("HTTPS with HTTP/%s, certificate verified" % version, (status, got), (200, version))
        check("... answered by the shop", body.startswith("This is shop."), True)
    check("HTTPS below /blog, answered by the blog", asked(base + "/blog/1")[3].startswith("This is blog."), True)
    check("the redirect followed, as a browser does", asked(plain + "/blog/2", "-L")[0], 200)
    refused = subprocess.run(["curl", "-sS", "--noproxy", "*", "--resolve", "%s:%d:127.0.0.1" % (NAME, PORT["https"]),
                              base + "/"], capture_output=True, env=clean_env(), timeout=30)
    check("without the demo's root nobody trusts it", refused.returncode, 60)


def check_renewal():
    old = served_serial()
    placed = orders()
    sallyport("renew", "certificate/demo-tls")
    new = until(lambda: served_serial() != old and served_serial(), "the renewed certificate", CHILDREN[-1])
    check("renewal puts a new certificate in place", new != old, True)
    check("... with one order", orders() - placed, 1)
    check("... and the site answers", asked("https://%s:%d/" % (NAME, PORT["https"]))[0], 200)


def check_restart(daemon):
    old, placed = served_serial(), orders()
    check("SIGTERM ends the daemon with status 0", stop(daemon), 0)
    daemon = start_daemon()
    check("after a restart the same certificate is served", until(served_serial, "HTTPS", daemon), old)
    check("... with no new order", orders() - placed, 0)
    check("... and HTTP redirects", asked("http://%s:%d/" % (NAME, PORT["http"]))[0], 301)
    return daemon


# ---- the run ----

def write_manifests():
    import base64
    with open(path("ca.pem"), "rb") as f:
        bundle = base64.b64encode(f.read()).decode()
    ipv6 = "  - type: IPAddress\n    value: \"::1\"\n" if IPV6 else ""
    values = dict(PORT, name=NAME, ipv6=ipv6, directory="https://localhost:%d/dir" % PORT["acme"], ca_bundle=bundle)
    for name, text in (("1-issuer.yaml", ISSUER), ("2-gateway.yaml", GATEWAY), ("3-site.yaml", SITE)):
        with open(path(name), "w") as f:
            f.write(text.format(**values))


def tell_what_to_try():
    base, plain = "https://%s:%d" % (NAME, PORT["https"]), "http://%s:%d" % (NAME, PORT["http"])
    curl_ = "curl" if IPV6 else "curl --connect-to ::127.0.0.1:"
    title("It runs. Try, in another terminal:")
    for text in ("cd " + FOLDER,
                 "%s -i %s/" % (curl_, plain),
                 "%s --cacert root.pem %s/" % (curl_, base),
                 "%s --cacert root.pem %s/blog/" % (curl_, base),
                 "%s --cacert root.pem -L %s/blog/" % (curl_, plain),
                 "alias sp='%s --socket api.sock'" % os.environ["SALLYPORT"],
                 "sp status",
                 "sp get gateway,httproute,certificate,order",
                 "sp renew certificate/demo-tls",
                 "sp describe certificate demo-tls"):
        print("    " + text)
    print("\n  In a browser: %s/\n"
          "  (it warns until root.pem is among the authorities it trusts).\n"
          "  The manifests are 1-issuer.yaml, 2-gateway.yaml and 3-site.yaml there.\n"
          "  Requests are shown below. Ctrl-C ends everything and removes that folder.\n" % base, flush=True)


def stay():
    """Says what to try, and shows each request from then on until Ctrl-C."""
    with open(path("access.log"), errors="replace") as log:
        log.seek(0, os.SEEK_END)
        tell_what_to_try()
        pending = ""
        while all(child.poll() is None for child in CHILDREN):
            pending += log.readline()
            if pending.endswith("\n"):
                print("  " + pending.strip(), flush=True)
                pending = ""
            else:
                time.sleep(0.2)
    for child in CHILDREN:
        if child.poll() is not None:
            raise Wrong("%s ended:\n%s" % (child.name, text_of(child.name)[-800:]))


def demo():
    title("A certificate authority and a site, on this machine")
    start_authority()
    line("authority", "https://localhost:%d/dir (Pebble, an ACME server)" % PORT["acme"])
    services = spawn("services", [sys.executable, os.path.join(TOP, "examples/several-services/services.py"),
                                  "shop=%d" % PORT["shop"], "blog=%d" % PORT["blog"]])
    until(lambda: text_of("services").count("listens") == 2, "the services", services)
    line("shop", "http://127.0.0.1:%d" % PORT["shop"])
    line("blog", "http://127.0.0.1:%d" % PORT["blog"])
    daemon = start_daemon()
    line("sallyportd", "state and socket in %s" % FOLDER)
    write_manifests()

    title("Who issues, which doors are open, where requests go")
    since = time.monotonic()
    sallyport("apply", "-f", "1-issuer.yaml", "-f", "2-gateway.yaml", "-f", "3-site.yaml")

    title("The certificate, by ACME and HTTP-01")
    watch_issuance(since)
    until(served_serial, "HTTPS", daemon)
    line("serial", served_serial())

    title("The site")
    base, plain = "https://%s:%d" % (NAME, PORT["https"]), "http://%s:%d" % (NAME, PORT["http"])
    for url in (base + "/", base + "/blog/"):
        status, version, _, body = asked(url)
        line("HTTP/" + version, "%s -> %d, %s" % (url, status, body.split(".")[0]))
    status, version, location, _ = asked(plain + "/")
    line("HTTP/" + version, "%s/ -> %d, location:" % (plain, status))
    line("", location)
    print()
    sallyport("status")
    if not ONCE:
        stay()
        return
    title("Checked")
    check_site()
    check_renewal()
    check_restart(daemon)
    print("\n%s" % (paint("31", "%d of the checks failed" % len(FAILED)) if FAILED else
                    paint("32", "All of it works.") + " (%.1f s)" % (time.monotonic() - BEGAN)))


def path(name):
    return os.path.join(FOLDER, name)


FOLDER = tempfile.mkdtemp(prefix="sallyport-demo.", dir="/tmp" if os.access("/tmp", os.W_OK) else None)
os.mkdir(path("state"), 0o700)
PORT = dict(zip(("acme", "root", "dns", "dns_control", "http", "https", "shop", "blog"), free_ports(8)))


def interrupted(_number, _frame):
    raise KeyboardInterrupt


def main():
    status = 1
    signal.signal(signal.SIGINT, interrupted)  # also when it was started with it ignored
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    try:
        demo()
        status = 1 if FAILED else 0
    except KeyboardInterrupt:
        status = 1 if ONCE else 0
        print("\nEnding.", flush=True)
    except Wrong as e:
        print("\n" + paint("31", "It did not work: ") + str(e), flush=True)
    if status != 0 and os.path.exists(path("sallyportd.log")):
        print("\nThe last lines of sallyportd's log:\n" +
              "\n".join("  " + said for said in text_of("sallyportd").splitlines()[-15:]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for child in reversed(list(CHILDREN)):
        stop(child)
    shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(status)


main()
