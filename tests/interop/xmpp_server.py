#!/usr/bin/env python3
"""xmpp_server.py prosody|ejabberd [options] - an XMPP server of Debian's for one test: its own configuration, data and
certificates in a folder of its own, free ports on 127.0.0.1. Prints one line of JSON when it answers, then runs until
its standard input ends or it gets a signal, and leaves nothing behind.

  --domain NAME        example.org; chat rooms are at rooms.NAME
  --account USER:PW    may be repeated; romeo:secret, juliet:secret and mercutio:secret when none is given
  --cert KIND          good (for the domain, localhost and 127.0.0.1), expired, wrong-host
  --resume SECONDS     for how long a lost session can be resumed; 60
  --mechanisms A,B     only these ways to log in (prosody)
  --tls12              TLS 1.2 at most: where tls-unique binds a log-in to it
  --no-tls             neither STARTTLS nor TLS (prosody)
  --proxy              a proxy for bytestreams (XEP-0065) at proxy.NAME (prosody)

{"server": "prosody", "pid": 1, "domain": "example.org", "rooms": "rooms.example.org", "host": "127.0.0.1", "c2s": 1,
 "c2s_tls": 1, "http": 1, "https": 1, "websocket": "ws://127.0.0.1:1/xmpp-websocket", "websocket_tls": "wss://...",
 "bosh": "http://...", "bosh_tls": "https://...", "ca": "/tmp/.../ca.pem", "other_ca": "/tmp/.../other-ca.pem",
 "log": "/tmp/.../server.log", "accounts": {"romeo": "secret"}}
In-band registration is open on both."""

import argparse
import ctypes
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

START_SECONDS = 120  # a busy machine starts Erlang slowly


def free_ports(n):
    """Ports that nobody listens on; all at once, so that they differ."""
    held = [socket.socket() for _ in range(n)]
    for s in held:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def make_authority(folder, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3",
            "-subj", f"/CN={name}", "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem",
            "-addext", "basicConstraints=critical,CA:TRUE")


def make_certificate(folder, kind, domain):
    """server.pem: the certificate and its authority's; server.key; both.pem: all in one."""
    names = [domain, f"*.{domain}", "localhost"] if kind != "wrong-host" else ["elsewhere.example"]
    alt = ",".join(f"DNS:{n}" for n in names) + (",IP:127.0.0.1" if kind != "wrong-host" else "")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={names[0]}",
            "-keyout", f"{folder}/server.key", "-out", f"{folder}/server.csr")
    with open(f"{folder}/server.ext", "w") as f:
        f.write(f"subjectAltName={alt}\nbasicConstraints=CA:FALSE\n")
    days = "-1" if kind == "expired" else "2"
    openssl("x509", "-req", "-in", f"{folder}/server.csr", "-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key",
            "-set_serial", "2", "-days", days, "-extfile", f"{folder}/server.ext", "-out", f"{folder}/server.pem")
    with open(f"{folder}/both.pem", "w") as out:
        for part in ("server.pem", "ca.pem", "server.key"):
            with open(f"{folder}/{part}") as f:
                out.write(f.read())


def prosody(folder, a, ports, accounts):
    c2s, c2s_tls, http, https = ports[:4]
    proxy_ports = proxy_host = ""
    if a.proxy:
        proxy_ports = f'proxy65_ports = {{ {ports[4]} }}\nproxy65_interfaces = {{ "127.0.0.1" }}\n'
        proxy_host = f'Component "proxy.{a.domain}" "proxy65"\n  proxy65_address = "127.0.0.1"\n'
    data = f"{folder}/data"
    for user, password in accounts.items():
        at = f"{data}/{a.domain.replace('.', '%2e').replace('-', '%2d')}/accounts"
        os.makedirs(at, exist_ok=True)
        with open(f"{at}/{user}.dat", "w") as f:
            f.write(f'return {{ ["password"] = {json.dumps(password)}; }};\n')
    mechanisms = ""
    if a.mechanisms:
        keep = a.mechanisms.split(",")
        every = ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"]
        off = "; ".join(json.dumps(m) for m in every if m not in keep)
        mechanisms = f"disable_sasl_mechanisms = {{ {off} }}\ninsecure_sasl_mechanisms = {{ }}\n"
    version = '; protocol = "tlsv1_2"' if a.tls12 else ""
    ssl = f'{{ key = "{folder}/server.key"; certificate = "{folder}/server.pem"{version} }}'
    tls = "" if a.no_tls else '"tls"; '
    direct = "" if a.no_tls else f"c2s_direct_tls_ports = {{ {c2s_tls} }}\n"
    with open(f"{folder}/prosody.cfg.lua", "w") as f:
        f.write(f"""
run_as_root = true
data_path = "{data}"
pidfile = "{folder}/prosody.pid"
log = {{ {{ levels = {{ min = "debug" }}, to = "file", filename = "{folder}/server.log" }} }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {c2s} }}
{direct}s2s_ports = {{ }}
http_ports = {{ {http} }}
https_ports = {{ {https} }}
http_interfaces = {{ "127.0.0.1" }}
https_interfaces = {{ "127.0.0.1" }}
http_default_host = "{a.domain}"
modules_enabled = {{ "disco"; "roster"; "saslauth"; {tls}"blocklist"; "carbons"; "pep"; "private"; "smacks"; "vcard4";
  "ping"; "register"; "time"; "uptime"; "version"; "posix"; "bosh"; "websocket"; "presence"; "message"; "iq"; "offline";
  "c2s"; "http" }}
modules_disabled = {{ "s2s"; "limits" }}
allow_registration = true
c2s_require_encryption = {"false" if a.no_tls else "true"}
allow_unencrypted_plain_auth = false
consider_websocket_secure = true
consider_bosh_secure = true
smacks_hibernation_time = {a.resume}
smacks_max_unacked_stanzas = 0
bosh_max_inactivity = 30
authentication = "internal_plain"
{mechanisms}storage = "internal"
ssl = {ssl}
https_ssl = {ssl}
c2s_direct_tls_ssl = {ssl}
{proxy_ports}VirtualHost "{a.domain}"
Component "rooms.{a.domain}" "muc"
  name = "Rooms"
  restrict_room_creation = false
  muc_room_locking = false
{proxy_host}""")
    return (["prosody", "--config", f"{folder}/prosody.cfg.lua", "-F"], dict(os.environ),
            {"websocket": "/xmpp-websocket", "bosh": "/http-bind"})


def ejabberd(folder, a, ports, accounts):
    c2s, c2s_tls, http, https = ports[:4]
    os.makedirs(f"{folder}/data", exist_ok=True)
    os.makedirs(f"{folder}/contrib/conf", exist_ok=True)
    version = ', protocol_options: ["no_tlsv1_3"]' if a.tls12 else ""
    with open(f"{folder}/ejabberd.yml", "w") as f:
        f.write(f"""
loglevel: info
hosts: ["{a.domain}"]
certfiles: ["{folder}/both.pem"]
ca_file: "{folder}/ca.pem"
auth_method: internal
auth_password_format: plain
auth_use_cache: false
registration_timeout: infinity
disable_sasl_mechanisms: ["digest-md5", "X-OAUTH2"]
listen:
  - {{ port: {c2s}, ip: "127.0.0.1", module: ejabberd_c2s, starttls_required: true, max_stanza_size: 1048576{version} }}
  - {{ port: {c2s_tls}, ip: "127.0.0.1", module: ejabberd_c2s, tls: true,
      max_stanza_size: 1048576{version} }}
  - port: {http}
    ip: "127.0.0.1"
    module: ejabberd_http
    request_handlers: {{ "/http-bind": mod_bosh, "/xmpp-websocket": ejabberd_http_ws }}
  - port: {https}
    ip: "127.0.0.1"
    module: ejabberd_http
    tls: true
    request_handlers: {{ "/http-bind": mod_bosh, "/xmpp-websocket": ejabberd_http_ws }}
access_rules:
  c2s: {{ allow: all }}
  register: {{ allow: all }}
  muc_create: {{ allow: all }}
modules:
  mod_adhoc: {{}}
  mod_blocking: {{}}
  mod_bosh: {{}}
  mod_caps: {{}}
  mod_carboncopy: {{}}
  mod_disco: {{}}
  mod_last: {{}}
  mod_muc:
    host: "rooms.@HOST@"
    access_create: muc_create
    default_room_options: {{ mam: false }}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_privacy: {{}}
  mod_private: {{}}
  mod_pubsub: {{ plugins: ["flat", "pep"] }}
  mod_register: {{ ip_access: all, access: register }}
  mod_roster: {{ versioning: true }}
  mod_stream_mgmt: {{ resume_timeout: {a.resume}, max_ack_queue: 5000 }}
  mod_vcard: {{}}
  mod_version: {{}}
""")
    make = ", ".join(f'ejabberd_auth:try_register(<<"{u}">>, <<"{a.domain}">>, <<"{p}">>)' for u, p in accounts.items())
    env = dict(os.environ, EJABBERD_CONFIG_PATH=f"{folder}/ejabberd.yml", EJABBERD_LOG_PATH=f"{folder}/server.log",
               ERL_LIBS="/usr/lib/x86_64-linux-gnu", ERL_CRASH_DUMP="/dev/null", HOME=folder,
               ERL_CRASH_DUMP_BYTES="0", CONTRIB_MODULES_PATH=f"{folder}/contrib",
               CONTRIB_MODULES_CONF_DIR=f"{folder}/contrib/conf")
    for erlang in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"):
        if os.path.isdir(erlang) and any(n.startswith("ejabberd") for n in os.listdir(erlang)):
            env["ERL_LIBS"] = erlang
            break
    command = ["erl", "-noinput", "+S", "2:2", "+sbwt", "none", "+A", "2", "-mnesia", "dir", f'"{folder}/data"',
               "-s", "ejabberd", "-eval", f'application:ensure_all_started(ejabberd), {make}, io:format("started~n").']
    return command, env, {"websocket": "/xmpp-websocket", "bosh": "/http-bind"}


def die_with_parent(how=signal.SIGKILL):
    """Whatever happens to this script, the server does not stay; nor this script, when its test dies."""
    ctypes.CDLL(None).prctl(1, how)  # PR_SET_PDEATHSIG


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        return True
    except OSError:
        return False


def wait_until_up(server, a, ports, output):
    until = time.monotonic() + START_SECONDS
    wanted = [p for i, p in enumerate(ports) if not (a.no_tls and i == 1)]
    said = b""
    while time.monotonic() < until and server.poll() is None:
        if a.server == "ejabberd" and b"started" not in said:
            if select.select([server.stdout], [], [], 0.2)[0]:
                said += os.read(server.stdout.fileno(), 65536)
            continue
        if all(accepts(p) for p in wanted):
            return True
        time.sleep(0.05)
    sys.stderr.write(f"{a.server} did not start\n{said.decode(errors='replace')}\n")
    if os.path.exists(output):
        with open(output, errors="replace") as f:
            sys.stderr.write(f.read()[-4000:])
    return False


def stop(server):
    if server.poll() is not None:
        return
    server.terminate()
    try:
        server.wait(3)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def run(a, folder):
    accounts = dict(x.split(":", 1) for x in a.account or ["romeo:secret", "juliet:secret", "mercutio:secret"])
    make_authority(folder, "ca")
    make_authority(folder, "other-ca")
    make_certificate(folder, a.cert, a.domain)
    for _ in range(3):  # somebody may take a port between our looking and the server's listening
        ports = free_ports(5 if a.proxy else 4)
        command, env, paths = {"prosody": prosody, "ejabberd": ejabberd}[a.server](folder, a, ports, accounts)
        server = subprocess.Popen(command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
        if wait_until_up(server, a, ports, f"{folder}/server.log"):
            break
        stop(server)
        server = None
    if not server:
        return 1
    http, https = f"127.0.0.1:{ports[2]}", f"127.0.0.1:{ports[3]}"
    try:
        print(json.dumps({
            "server": a.server, "pid": server.pid, "domain": a.domain, "rooms": f"rooms.{a.domain}",
            "host": "127.0.0.1", "c2s": ports[0], "c2s_tls": ports[1], "http": ports[2], "https": ports[3],
            "websocket": f"ws://{http}{paths['websocket']}", "websocket_tls": f"wss://{https}{paths['websocket']}",
            "bosh": f"http://{http}{paths['bosh']}", "bosh_tls": f"https://{https}{paths['bosh']}",
            "ca": f"{folder}/ca.pem", "other_ca": f"{folder}/other-ca.pem", "log": f"{folder}/server.log",
            "accounts": accounts}), flush=True)
        while server.poll() is None:
            ready = select.select([sys.stdin, server.stdout], [], [], 1)[0]
            if server.stdout in ready and not os.read(server.stdout.fileno(), 65536):
                break
            if sys.stdin in ready and not os.read(sys.stdin.fileno(), 4096):
                break
    finally:
        stop(server)
    return 0


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("server", choices=["prosody", "ejabberd"])
    p.add_argument("--domain", default="example.org")
    p.add_argument("--account", action="append")
    p.add_argument("--cert", choices=["good", "expired", "wrong-host"], default="good")
    p.add_argument("--resume", type=int, default=60)
    p.add_argument("--mechanisms")
    p.add_argument("--tls12", action="store_true")
    p.add_argument("--no-tls", action="store_true")
    p.add_argument("--proxy", action="store_true")
    a = p.parse_args()
    for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(s, lambda *_: sys.exit(0))
    die_with_parent(signal.SIGTERM)
    folder = tempfile.mkdtemp(prefix="pl-xmpp-")
    try:
        return run(a, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
