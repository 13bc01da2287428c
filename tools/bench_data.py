"""The part of tools/bench about what data channels carry: throughput beside the peers and beside the bare limit, latency of
small messages beside a bulk, and Chromium as the receiver. All in interleaved rounds. docs/performance.md tells what the
figures mean."""
import os
import statistics

US, LIMIT = "peerline", "bare limit"
RECORD_OVERHEAD = 37     # of DTLS 1.2 with AES-GCM: header 13, nonce 8, tag 16
BURST_BYTES = 65507      # of one system call
BURST_PACKETS = 40       # as the connection lays them end to end


def is_peer(stack):
    """Whether ratios are to it: the raw stack has no DTLS, and a limit is no peer."""
    return stack != US and LIMIT not in stack and "raw" not in stack


class Data:
    def __init__(self, bench, build, stacks):
        """bench: what tools/bench gives: run, json_lines, table, goal, say, quick."""
        self.bench, self.build, self.stacks = bench, build, stacks
        self.rounds, self.seconds = (1, "0.7") if bench.quick else (5, "1")

    def once(self, command, timeout=60):
        return self.bench.json_lines(self.bench.run(command, timeout))

    def limits(self, ours):
        """The same packets with nothing above DTLS records and the socket: OpenSSL's records, and ours."""
        program = os.path.join(self.build, "bench", "bench_dtls_bare")
        if not os.path.exists(program) or not ours:
            return {}
        packet, data = round(ours[-1]["packet"]), round(ours[-1]["data_per_packet"])
        burst = max(1, min(BURST_PACKETS, BURST_BYTES // (packet + 64)))
        words = [str(packet - RECORD_OVERHEAD), str(data), str(burst), self.seconds]
        return {f"{LIMIT}, {whose} records": [program, layer] + words
                for whose, layer in (("OpenSSL's", "openssl"), ("our", "peerline"))}

    def throughput(self, size):
        runs = {}
        for _ in range(self.rounds):
            for name, command in self.stacks.items():
                lines = self.once(command + ["throughput", str(size), self.seconds, "1"])
                runs.setdefault(name, []).extend(lines)
            for name, command in self.limits(runs.get(US)).items():
                runs.setdefault(name, []).extend(self.once(command))
        rows = [(name, [statistics.median(l[key] for l in lines) for key in ("mbit_s", "cpu_s_per_GB")])
                for name, lines in runs.items() if lines]
        self.bench.table(f"Data channel, messages of {size} bytes, both ends in one process",
                         [("Mbit/s", max), ("CPU s/GB", min)], rows)
        self.goals(size, dict(rows))

    def goals(self, size, rows):
        ours, goal = rows.get(US), self.bench.goal
        peers = {name: values for name, values in rows.items() if is_peer(name)}
        if not ours or not peers:
            return
        what = f"{size} bytes: "
        goal(what + "Mbit/s, ratio to the best peer's", ours[0] / max(v[0] for v in peers.values()), 3, least=True)
        if size > 1024 and "libwebrtc" in peers:
            goal(what + "CPU per GB, ratio to libwebrtc's", ours[1] / peers["libwebrtc"][1], 1 / 3)
        if size <= 1024 and "libdatachannel" in peers:
            goal(what + "CPU per GB, ratio to libdatachannel's", ours[1] / peers["libdatachannel"][1], 1 / 4)
        limit = next((values for name, values in rows.items() if name.startswith(f"{LIMIT}, OpenSSL")), None)
        if limit:
            goal(what + "Mbit/s, ratio to the bare limit", ours[0] / limit[0], 0.5, least=True)

    def latency(self):
        lines = []
        for _ in range(self.rounds):
            lines += self.once(self.stacks[US] + ["latency", self.seconds])
        keys = ("median_us", "p95_us", "max_us", "bulk_mbit_s")
        rows = [(what, [statistics.median(l[key] for l in lines if l["loaded"] == loaded) for key in keys])
                for what, loaded in (("alone", False), ("beside a bulk", True))
                if any(l["loaded"] == loaded for l in lines)]
        self.bench.table("Messages of 64 bytes on a channel of high priority, 100 a second, over loopback",
                         [("median us", None), ("95 % us", None), ("worst us", None), ("bulk Mbit/s", None)], rows)
        program = os.path.join(self.build, "bench", "bench_sctp_latency")
        if os.path.exists(program):
            rows = []
            for line in self.once([program]):
                rows.append((line["scheduler"], [line["wait_packets"], line["worst_packets"], line["way_ms"]]))
                if line["scheduler"].startswith("priority, I-DATA"):
                    self.bench.goal("10 Mbit/s, 40 ms: worst wait of a small message, packet times",
                                    line["worst_packets"], 1.01)
            self.bench.table("The same in virtual time, 10 Mbit/s and 40 ms: wait in packet times",
                             [("median wait", None), ("worst wait", None), ("way, ms", None)], rows)

    def to_chromium(self):
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        if not os.path.isdir(os.path.join(root, "tests/browser/node_modules")) or not os.path.exists("/usr/bin/chromium"):
            self.bench.say("\nChromium and playwright-core (make deps-test) are not here, so Chromium is not measured")
            return
        program = os.path.join(root, "bench/peers/chromium/bench.mjs")
        lines = self.once(["node", program, self.stacks[US][0], "65536", self.seconds, str(self.rounds)], 180)
        rates = {lib: statistics.median(l["mbit_s"] for l in lines if l["lib"] == lib) for lib in {l["lib"] for l in lines}}
        self.bench.table("A page of Chromium receives, messages of 65536 bytes", [("Mbit/s", max)],
                         [(f"{lib}", [rates[lib]]) for lib in (US, "chromium") if lib in rates])
        if len(rates) == 2:
            self.bench.goal("to Chromium: Mbit/s, ratio to Chromium's", rates[US] / rates["chromium"], 1, least=True)

    def measure(self):
        for size in (65536, 1024):
            self.throughput(size)
        self.latency()
        self.to_chromium()
