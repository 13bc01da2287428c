"""The part of tools/bench that loads `peerline serve` with thousands of peers that write to each other (bench/signal/): one
node, two nodes that share their rooms over Redis, and Prosody carrying the same messages between as many accounts.
docs/performance.md tells what the figures mean. Alone: tools/bench_signal.py [--json] BUILD-DIR; BENCH_QUICK=1 for a
short round."""
import json
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

US = "peerline"
PEERS, RATE = 10000, 5000
FILES = 65536
DOMAIN = "bench.example"
PROSODY = """
run_as_root = true
data_path = "{folder}/data"
pidfile = "{folder}/prosody.pid"
log = {{ {{ levels = {{ min = "error" }}, to = "file", filename = "{folder}/log" }} }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
s2s_ports = {{ }}
network_settings = {{ tcp_backlog = 1024 }}
modules_enabled = {{ "saslauth"; "posix"; "c2s"; "presence"; "message"; "iq"; "ping"; "disco" }}
modules_disabled = {{ "s2s"; "tls"; "limits"; "offline" }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
storage = "memory"
VirtualHost "{domain}"
  authentication = "anonymous"
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def raise_limits():
    """Files for all who are to be connected; and, where that is allowed, before whatever else the machine does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, max(hard, FILES)))
    except (OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    except OSError:
        pass


class Process:
    """A server on loopback for as long as the `with` lasts."""

    def __init__(self, name, port, make_argv):
        self.name, self.port, self.make_argv = name, port, make_argv
        self.process, self.scratch = None, tempfile.TemporaryDirectory(prefix="bench-signal-")

    def __enter__(self):
        argv = self.make_argv(self.scratch.name)
        path = os.path.join(self.scratch.name, "said")
        with open(path, "w", encoding="utf-8") as said:
            self.process = subprocess.Popen(argv, cwd=self.scratch.name, stdout=said, stderr=said,
                                            preexec_fn=raise_limits)
        for _ in range(100):
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.1)
        with open(path, encoding="utf-8") as said:
            why = said.read()[-500:]
        self.__exit__()
        raise OSError(f"{self.name} does not answer: {why}")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.scratch.cleanup()


def node(build, redis=None):
    port = free_port()
    words = ["serve", "--listen", f"127.0.0.1:{port}", "--stun", "none", "--quiet", "--max-peers", str(2 * PEERS)]
    if redis:
        words += ["--redis", f"redis://127.0.0.1:{redis.port}"]
    return Process(US, port, lambda folder: [os.path.join(build, "peerline")] + words)


def redis_server():
    port = free_port()
    return Process("redis", port, lambda folder: ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save",
                                                  "", "--loglevel", "warning"])


def prosody():
    port = free_port()

    def make(folder):
        config = os.path.join(folder, "prosody.cfg.lua")
        with open(config, "w", encoding="utf-8") as file:
            file.write(PROSODY.format(folder=folder, port=port, domain=DOMAIN))
        return ["prosody", "--config", config, "-F"]
    return Process("prosody", port, make)


class Load:
    """Runs bench-signal and keeps its lines by name."""

    def __init__(self, build, failed, say):
        self.program, self.failed, self.say, self.got = os.path.join(build, "bench-signal"), failed, say, {}

    def run(self, name, servers, words, besides=()):
        pids = ",".join(str(s.process.pid) for s in list(servers) + list(besides))
        argv = [self.program, "--pid", pids] + words + [f"127.0.0.1:{s.port}" for s in servers]
        self.say(f"  {name}: {' '.join(words)}")
        try:
            done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=420, check=False,
                                  preexec_fn=raise_limits)
        except subprocess.TimeoutExpired:
            done = None
        if not done or done.returncode != 0:
            print(f"bench: bench-signal {' '.join(words)} with {name} failed", file=sys.stderr)
            if name.startswith(US):
                self.failed.append(name)
            return
        self.got.setdefault(name, []).append(json.loads(done.stdout))

    def median(self, name, field):
        lines = self.got.get(name, [])
        return statistics.median(line[field] for line in lines) if lines else None


def measure(build, quick, failed, say):
    load = Load(build, failed, say)
    seconds = ["--seconds", "3" if quick else "10"]
    whole = ["--peers", str(PEERS), "--rate", str(RATE)] + seconds

    def one_node(name, words):
        with node(build) as server:
            load.run(name, [server], words)

    def two_nodes(name, words):
        with redis_server() as redis, node(build, redis) as a, node(build, redis) as b:
            time.sleep(1.5)  # both have said hello to Redis by then
            load.run(name, [a, b], words, [redis])

    def other(name, words):
        with prosody() as server:
            load.run(name, [server], words + ["--xmpp", DOMAIN])
    runs = [(one_node, US, whole),
            (one_node, f"{US}, WebSocket alone", whole + ["--poll", "0"]),
            (two_nodes, f"{US}, 2 nodes, half", ["--peers", str(PEERS), "--rate", str(RATE)] + seconds)]
    if not quick:
        runs.append((two_nodes, f"{US}, 2 nodes, more", ["--peers", str(PEERS), "--rate", str(2 * RATE)] + seconds))
        runs.append((one_node, f"{US}, twice as much", ["--peers", str(PEERS), "--rate", str(2 * RATE)] + seconds))
    if shutil.which("prosody"):
        runs.append((other, "prosody", whole))
        runs.append((other, "prosody, a fifth", ["--peers", str(PEERS), "--rate", str(RATE // 5)] + seconds))
    for _ in range(1 if quick else 2):
        for start, name, words in runs:
            if start == two_nodes and not shutil.which("redis-server"):
                continue
            try:
                start(name, words)
            except OSError as why:
                print(f"bench: {why}", file=sys.stderr)
                if name.startswith(US):
                    failed.append(name)
    return load


COLUMNS = [("messages/s", "rate"), ("p50 ms", "p50_ms"), ("p95 ms", "p95_ms"), ("p99 ms", "p99_ms"),
           ("max ms", "max_ms"), ("CPU us/message", "cpu_us_per_message"), ("KiB/peer", "kib_per_peer"),
           ("sign-ins/s", "sign_ins_per_s"), ("CPU us/sign-in", "sign_in_cpu_us"), ("load's CPU", "own_cpu_ms_per_s")]


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def report(load, say, results, goal):
    say(f"\nRooms: {PEERS} peers signed in, messages of 300 bytes")
    say("  " + "".ljust(26) + "".join(title.rjust(15) for title, _ in COLUMNS))
    for name in load.got:
        say("  " + name.ljust(26) + "".join(number(load.median(name, f)).rjust(15) for _, f in COLUMNS))
    wrong = {name: {f: sum(line[f] for line in lines) for f in ("lost", "twice", "misordered", "refused", "cut")}
             for name, lines in load.got.items()}
    for name, counts in wrong.items():
        if any(counts.values()):
            say(f"  {name}: " + ", ".join(f"{n} {what}" for what, n in counts.items() if n))
    results["signal"] = {"runs": load.got}
    ours = [name for name in load.got if name.startswith(US)]
    goal("rooms, lost, doubled and misordered messages",
         sum(n for name in ours for n in (wrong[name]["lost"], wrong[name]["twice"], wrong[name]["misordered"])), 0)
    goal("rooms, KiB per idle peer", load.median(US, "kib_per_peer"), 16)
    for name in ours:
        if "more" not in name and "twice" not in name:
            goal(f"rooms, {name}, p99 ms", load.median(name, "p99_ms"), 50)


def main():
    words = [word for word in sys.argv[1:] if word != "--json"]
    if len(words) != 1:
        print("usage: bench_signal.py [--json] BUILD-DIR", file=sys.stderr)
        return 2
    as_json = "--json" in sys.argv[1:]
    failed, results, goals = [], {}, []

    def say(text):
        print(text, file=sys.stderr if as_json else sys.stdout, flush=True)
    load = measure(os.path.abspath(words[0]), os.environ.get("BENCH_QUICK", "") not in ("", "0"), failed, say)
    report(load, say, results, lambda what, value, limit: goals.append((what, value, limit)))
    say("\nGoals")
    for what, value, limit in goals:
        met = "-     " if value is None else "met   " if value <= limit else "MISSED"
        say(f"  {met}  {what}: {'not measured' if value is None else number(value)} (at most {limit})")
    if as_json:
        print(json.dumps(results["signal"]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
