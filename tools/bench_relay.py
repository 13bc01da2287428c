"""The part of tools/bench that stands `peerline relay` beside coturn: both are started on loopback, loaded in turn by
bench-relay in interleaved rounds, and measured from outside. docs/performance.md tells what the figures mean.
Alone: tools/bench_relay.py BUILD-DIR; BENCH_QUICK=1 for one short round; BENCH_SERVERS=coturn,coturn-2 for some."""
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

# coturn at its best, found by measuring: one relay thread costs least CPU per packet, request and allocation; two
# (its default on two cores) relay more bursts per second. Looking things up in its database, TCP listeners and its
# console are off, and nothing is logged.
COTURN = ("turnserver -n -L 127.0.0.1 -E 127.0.0.1 --no-tls --no-dtls --no-tcp --no-tcp-relay --no-cli -a -u bench:bench "
          "-r bench --allow-loopback-peers --no-software-attribute --no-dynamic-ip-list --no-dynamic-realms "
          "--no-auth-pings --no-stdout-log --simple-log -l /dev/null").split()
OURS = "relay --user bench:bench --realm bench --allow-peer 127.0.0.0/8 --quiet".split()
US = "peerline"
NAMES = (US, "coturn", "coturn-2", "floor")
COLUMNS = {  # name of a row: words for bench-relay, whether coturn's other setting is measured, too
    "200 B up": ("data --size 200 --direction up", True),
    "200 B down": ("data --size 200 --direction down", False),
    "200 B echo": ("data --size 200 --direction echo", False),
    "1200 B up": ("data --size 1200 --direction up", True),
    "1200 B down": ("data --size 1200 --direction down", False),
    "1200 B echo": ("data --size 1200 --direction echo", False),
    "200 B up, bursts": ("data --size 200 --direction up --burst 16-48", False),
    "200 B down, bursts": ("data --size 200 --direction down --burst 16-48", False),
    "1200 B up, bursts": ("data --size 1200 --direction up --burst 16-48", True),
    "1200 B down, bursts": ("data --size 1200 --direction down --burst 16-48", True),
}


def free_port(lo):
    """A UDP and TCP port of 127.0.0.1 that nobody has."""
    for port in range(lo, lo + 1000):
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u, socket.socket() as t:
                u.bind(("127.0.0.1", port))
                t.bind(("127.0.0.1", port))
                return port
        except OSError:
            continue
    raise OSError("no free port")


class Server:
    """One server on loopback for as long as the `with` lasts."""

    def __init__(self, name, argv, port):
        self.name, self.argv, self.port = name, argv, port
        self.process, self.scratch = None, tempfile.TemporaryDirectory(prefix="bench-relay-")

    def __enter__(self):
        log = open(os.path.join(self.scratch.name, "log"), "w", encoding="utf-8")
        with log:
            self.process = subprocess.Popen(self.argv, cwd=self.scratch.name, stdout=log, stderr=log)
        for _ in range(50):
            if self.answers():
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        with open(os.path.join(self.scratch.name, "log"), encoding="utf-8") as said:
            print(f"bench: {self.name} does not answer: {said.read()[-500:]}", file=sys.stderr)
        self.__exit__()
        raise OSError(f"{self.name} does not answer")

    def answers(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            try:
                s.connect(("127.0.0.1", self.port))
                s.send(bytes.fromhex("000100002112a442") + os.urandom(12))
                return s.recv(2048)[:2] == b"\x01\x01"
            except OSError:
                return False

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL if self.name != US else signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.scratch.cleanup()


def coturn(threads, name):
    port = free_port(25100)
    return Server(name, COTURN + ["-m", str(threads), "-p", str(port), "--min-port", "33000", "--max-port", "49000",
                                  "--pidfile", "turn.pid", "-b", "turn.db"], port)


def ours(build):
    port = free_port(25300)
    return Server(US, [os.path.join(build, "peerline")] + OURS +
                  ["--listen", f"127.0.0.1:{port}", "--ports", "49001-65000"], port)


def floor(build):
    """What the kernel alone takes: bench/relay/floor.c."""
    port = free_port(25500)
    return Server("floor", [os.path.join(build, "bench-relay"), "floor", f"127.0.0.1:{port}"], port)


def find_servers(build, failed):
    made = [lambda: floor(build)]
    if os.path.exists(os.path.join(build, "peerline")):
        made.append(lambda: ours(build))
    if shutil.which("turnserver"):
        made += [lambda: coturn(1, "coturn"), lambda: coturn(2, "coturn-2")]
    wanted = os.environ.get("BENCH_SERVERS", "")
    running = []
    for make in made:
        server = make()
        if wanted and server.name not in wanted.split(","):
            continue
        try:
            running.append(server.__enter__())
        except OSError:
            if server.name == US:
                failed.append("peerline relay")
    return running


class Load:
    def __init__(self, build, failed):
        self.program, self.failed, self.got = os.path.join(build, "bench-relay"), failed, {}

    def run(self, server, what, words):
        """One run of bench-relay; its line is kept under (what, server)."""
        words = words.split()
        argv = [self.program] + words[:1] + ["--pid", str(server.process.pid)] + words[1:]
        done = subprocess.run(argv + [f"127.0.0.1:{server.port}"], capture_output=True, text=True, timeout=120,
                              check=False)
        if done.returncode != 0:
            print(f"bench: {server.name}: {' '.join(words)}: {done.stderr.strip()}", file=sys.stderr)
            if server.name == US:
                self.failed.append("peerline relay")
            return
        self.got.setdefault((what, server.name), []).append(json.loads(done.stdout))

    def median(self, what, name, field):
        lines = self.got.get((what, name), [])
        return statistics.median(line[field] for line in lines) if lines else None


def measure(build, quick, failed):
    """Starts the servers and loads them; the lines of all runs."""
    load, seconds, rounds = Load(build, failed), "0.3" if quick else "0.5", 1 if quick else 3
    servers = find_servers(build, failed)
    try:
        # First, while their memory is fresh: what 10,000 allocations let it grow by.
        for server in servers:
            if server.name in (US, "coturn"):
                load.run(server, "hold", f"hold --n 10000 --seconds {3 if quick else 5}")
        for nth in range(rounds):
            # The floor is a figure to look at, not to compare with: once is enough.
            loaded = [server for server in servers if nth == 0 or server.name != "floor"]
            for what, (words, other) in COLUMNS.items():
                for server in loaded:
                    if other or server.name != "coturn-2":
                        load.run(server, what, f"{words} --seconds {seconds}")
            for server in loaded:
                load.run(server, "Binding", f"stun --seconds {seconds}")
            for server in loaded:
                if server.name != "floor":
                    load.run(server, "allocate", "allocate --n 1000")
    finally:
        for server in servers:
            server.__exit__()
    return load


# --- tables ---

def number(value):
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def ratio(ours_, theirs):
    return ours_ / theirs if ours_ is not None and theirs else None


def say_table(say, title, rows, best):
    """rows: (what, {server: value}); the ratio is ours to the best of coturn's, by `best` (min or max)."""
    names = [n for n in NAMES if any(n in values for _, values in rows)]
    say(f"\n{title}")
    say("  " + "".ljust(40) + "".join(name.rjust(12) for name in names) + "to coturn".rjust(10))
    ratios = {}
    for what, values in rows:
        theirs = [v for n, v in values.items() if n.startswith("coturn") and v is not None]
        r = ratio(values.get(US), best(theirs) if theirs else None)
        ratios[what] = r
        say("  " + what.ljust(40) + "".join(number(values.get(n)).rjust(12) for n in names) +
            (f"{r:.2f}" if r is not None else "").rjust(10))
    return ratios


def report(load, say, results, goal):
    def row(what, source, field, scale=1):
        values = {n: load.median(source, n, field) for n in NAMES if (source, n) in load.got}
        return what, {n: v * scale for n, v in values.items()}

    cpu = [row(what, what, "cpu_us") for what in COLUMNS] + [row("Binding request", "Binding", "cpu_us")]
    cpu += [row(words, "allocate", f"{field}_cpu_us") for words, field in
            (("allocation made (two requests)", "allocate"), ("channel bound", "bind"), ("refresh", "refresh"),
             ("allocation deleted", "delete"))]
    ratios = say_table(say, "Relay: CPU of the server, us per datagram relayed or thing done", cpu, min)
    rates = [row(what, what, "relayed_per_s", 1e-3) for what in COLUMNS] + [row("Binding", "Binding", "per_s", 1e-3)]
    faster = say_table(say, "Relay: thousands per second, loaded from the same two cores", rates, max)
    idle = [row("memory, KiB per allocation of 10,000", "hold", "kib_per_allocation"),
            row("10,000 held: CPU ms per second", "hold", "cpu_ms_per_s"),
            row("10,000 held: worst 100 ms, CPU ms", "hold", "worst_100ms_cpu_ms"),
            row("10,000 held: RSS MiB", "hold", "rss_mib")]
    say_table(say, "Relay: idle allocations, each with a channel", idle, min)
    losses = {f"{what}, {n}": sum(line["lost"] for line in lines) for (what, n), lines in load.got.items()
              if any(line.get("lost") for line in lines)}
    if losses:
        say("  lost, datagrams: " + ", ".join(f"{what}: {n}" for what, n in losses.items()))
    results["relay"] = {"cpu": dict(cpu), "rates": dict(rates), "idle": dict(idle), "ratios": ratios,
                        "runs": {f"{what}, {n}": lines for (what, n), lines in load.got.items()}}
    goal_of = {"relay, Binding request, CPU, ratio to coturn": (ratios["Binding request"], 0.5),
               "relay, allocation, CPU, ratio to coturn": (ratios["allocation made (two requests)"], 0.4)}
    for what, r in ratios.items():
        if what in COLUMNS:
            goal_of[f"relay, {what}, CPU, ratio to coturn"] = (r, 0.35 if "bursts" in what else 0.6)
    for what, (r, limit) in goal_of.items():
        goal(what, r, limit)
    for what, r in faster.items():
        if what in COLUMNS and COLUMNS[what][1]:
            goal(f"relay, {what}, coturn's rate by ours", 1 / r if r else None, 1)
    goal("relay, memory, KiB per idle allocation", dict(idle[0][1]).get(US), 5)


def main():
    failed, results, goals = [], {}, []
    load = measure(os.path.abspath(sys.argv[1]), os.environ.get("BENCH_QUICK", "") not in ("", "0"), failed)
    report(load, lambda text: print(text, flush=True), results,
           lambda what, value, limit: goals.append((what, value, limit)))
    print("\nGoals")
    for what, value, limit in goals:
        met = "-     " if value is None else "met   " if value <= limit else "MISSED"
        print(f"  {met}  {what}: {'not measured' if value is None else number(value)} (at most {limit})")
    print(json.dumps(results["relay"]["ratios"]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
