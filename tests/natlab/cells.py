"""cells.py - what the matrix tries: who sits behind what, what happens to them, and how that must end.

Truth comes from README.md ("Which pairs connect without a relay") and, for the 81 pairs of mapping and filtering, from
BASELINE.md, where another agent was measured.
"""
import os
from dataclasses import dataclass

RTT_MS = 40  # between hosts; half of it to the server
DIRECT_GOAL_MS = 3 * RTT_MS
RELAY_GOAL_MS = 200
GATHER_GOAL_MS = 3 * RTT_MS // 2
CLASSES = ("full-cone", "restricted", "port-restricted", "symmetric")
BEHAVIOURS = tuple(f"{m}/{f}" for m in ("ei", "ad", "apd") for f in ("ei", "ad", "apd"))
DELAY = "delay=10ms"

STUN = ("stun:{s}:3478",)
TURN = STUN + ("turn:u:p@{s}:3478",)
TURN_TCP = ("turn:u:p@{s}:3478?transport=tcp",)
TURN_TCP_443 = TURN + ("turn:u:p@{s2}:443?transport=tcp",)
TURN_TLS_443 = TURN + ("turns:u:p@s.natlab.test:443",)


@dataclass
class Cell:
    """One laboratory. want: "direct", "relay", "either", "failed", or "ends" (whichever)."""

    group: str
    name: str
    nat_a: str = "open"
    nat_b: str = "open"
    servers: tuple = TURN
    servers_b: tuple = None  # None: the same
    want: str = "direct"
    goal_ms: int = 0
    lab: tuple = ()       # further options of natlab
    a: str = "peerline"   # peerline, libnice, aioice; peer, aiortc: whole connections
    b: str = "peerline"
    server: str = "own"   # own, coturn
    options: tuple = ()   # of `peerline ice`, both sides
    options_b: tuple = ()  # of the answering side alone
    call_s: float = 1.0   # how long both sides talk
    outage_s: float = 0   # longest silence that is allowed while they do; 0: not looked at
    moves: bool = False   # the path must change in the call
    link: str = DELAY
    gather_goal_ms: int = 0


def baseline_81():
    """{(a, b): connects} as BASELINE.md has it."""
    rows, path = {}, os.path.join(os.path.dirname(os.path.realpath(__file__)), "BASELINE.md")
    with open(path, encoding="utf-8") as f:
        for line in f:
            parts = [p.strip() for p in line.strip().strip("|").split("|")]
            if parts[0] in BEHAVIOURS and len(parts) == 10:
                rows.update({(parts[0], b): parts[i + 1].startswith("+") for i, b in enumerate(BEHAVIOURS)})
    assert len(rows) == 81, "BASELINE.md has no table of 81 pairs"
    return rows


def goes_direct(a, b):
    hard = {"port-restricted", "symmetric"}
    return not (a in hard and b in hard and "symmetric" in (a, b))


def classes():
    for a in CLASSES:
        for b in CLASSES:
            direct = goes_direct(a, b)
            yield Cell("with a relay", f"{a} x {b}", a, b, TURN, want="direct" if direct else "relay",
                       goal_ms=DIRECT_GOAL_MS if direct else RELAY_GOAL_MS, gather_goal_ms=GATHER_GOAL_MS)
    for a in CLASSES:
        for b in CLASSES:
            direct = goes_direct(a, b)
            yield Cell("without a relay", f"{a} x {b}", a, b, STUN, want="direct" if direct else "failed",
                       goal_ms=DIRECT_GOAL_MS if direct else 0)


def places():
    group = "places"
    home, cgn = "port-restricted", "full-cone"
    direct, relay = DIRECT_GOAL_MS, RELAY_GOAL_MS
    yield Cell(group, "both public", want="direct", goal_ms=direct)
    yield Cell(group, "firewalls without NAT", "firewall", "firewall", goal_ms=direct)
    yield Cell(group, "one LAN", f"{home}@home", "@home", goal_ms=direct)
    yield Cell(group, "one NAT, isolated, hairpinning", f"{home},isolate=on,hairpin=on@home", "@home", goal_ms=direct)
    yield Cell(group, "one NAT, isolated, no hairpinning", f"{home},isolate=on@home", "@home", want="relay", goal_ms=relay)
    yield Cell(group, "two homes, one carrier NAT, hairpinning", f"{home}+{cgn},hairpin=on@cgn", f"{home}+@cgn",
               goal_ms=direct)
    yield Cell(group, "two homes, one carrier NAT, no hairpinning", f"{home}+{cgn}@cgn", f"{home}+@cgn", want="relay",
               goal_ms=relay)
    yield Cell(group, "double NAT x port-restricted", f"{home}+symmetric", home, want="relay", goal_ms=relay)
    yield Cell(group, "double NAT x full-cone", f"{home}+symmetric", cgn, goal_ms=direct)
    yield Cell(group, "equal home networks", home, home, lab=("--same-subnet",), goal_ms=direct)
    yield Cell(group, "one LAN, hidden addresses", f"{home}@home", "@home", options=("--hide-addresses",))
    yield Cell(group, "nothing but relays", home, home, options=("--relay-only",), want="relay", goal_ms=relay)
    yield Cell(group, "symmetric x a public server with ICE lite", "symmetric", "open", options_b=("--lite",),
               servers_b=(), goal_ms=direct)
    # long enough that a nomination lost a few times in a row is still heard
    yield Cell(group, "10 % loss", home, home, link=DELAY + ",loss=10%", want="either", call_s=6)
    yield Cell(group, "10 % loss, relayed", "symmetric", home, link=DELAY + ",loss=10%", want="relay", call_s=6)


def blocked():
    group = "UDP blocked"
    yield Cell(group, "one side, TURN over TCP", "udp-blocked", "port-restricted", TURN + TURN_TCP, want="relay")
    yield Cell(group, "both sides, TURN over TCP", "udp-blocked", "udp-blocked", TURN + TURN_TCP, want="relay")
    yield Cell(group, "both sides, a URL that names no TCP", "udp-blocked", "udp-blocked", TURN, want="relay")
    yield Cell(group, "one side, only 443, TURN over TCP", "https-only", "port-restricted", TURN_TCP_443, want="relay")
    yield Cell(group, "one side, only 443, TURN over TLS", "https-only", "symmetric", TURN_TLS_443, want="relay")
    yield Cell(group, "both sides, only 443, TURN over TCP", "https-only", "https-only", TURN_TCP_443, want="relay")
    yield Cell(group, "both sides, only 443, TURN over TLS", "https-only", "https-only", TURN_TLS_443, want="relay")
    yield Cell(group, "one side public, ICE-TCP", "udp-blocked", "open", STUN, want="direct", options=("--listen-tcp",))


def families():
    group = "IP versions"
    only6, only4 = ("--ip-a", "6", "--ip-b", "6", "--ip-s", "46"), ("--ip-a", "4", "--ip-b", "6", "--ip-s", "46")
    turn6 = ("stun:[{s6}]:3478", "turn:u:p@[{s6}]:3478")
    yield Cell(group, "IPv6 alone", servers=turn6, lab=only6, goal_ms=DIRECT_GOAL_MS)
    yield Cell(group, "IPv6 alone, firewalls", "port-restricted", "port-restricted", turn6, lab=only6,
               goal_ms=DIRECT_GOAL_MS)
    yield Cell(group, "symmetric IPv4 NATs, IPv6 firewalls", "symmetric", "symmetric", lab=("--ipv6",),
               goal_ms=DIRECT_GOAL_MS)
    yield Cell(group, "IPv4 alone x IPv6 alone", servers=TURN, servers_b=turn6, lab=only4, want="relay",
               goal_ms=RELAY_GOAL_MS)
    yield Cell(group, "IPv4 alone, NAT x IPv6 alone, firewall", "symmetric", "port-restricted", TURN, servers_b=turn6,
               lab=only4, want="relay", goal_ms=RELAY_GOAL_MS)


def changes():
    """No word of a new candidate goes over in a call of `peerline ice`: what is not known from the beginning is found by
    the checks themselves, or the relay carries on. The peer's next check after a NAT has forgotten comes within 6 s."""
    group = "mid-call"
    home, forgets = "port-restricted", dict(lab=("--at", "2s", "nat nat-a flush"), call_s=11, outage_s=7)
    second = ("--link", "a1", DELAY, "--at", "2s", "host a down")
    yield Cell(group, "NAT forgets, restricted", "restricted", "restricted", **forgets)
    yield Cell(group, "NAT forgets, port-restricted", home, home, **forgets)
    yield Cell(group, "NAT forgets, symmetric x full-cone", "symmetric", "full-cone", **forgets)
    yield Cell(group, "NAT forgets, relayed", "symmetric", home, want="relay", **forgets)
    yield Cell(group, "NAT gets a new address", home, "full-cone", lab=("--at", "2s", "nat nat-a ext=203.0.113.77"),
               call_s=11, outage_s=7)
    yield Cell(group, "interface lost, second takes over", home, home, lab=("--net1-a", home) + second, want="either",
               call_s=8, outage_s=2, moves=True)
    yield Cell(group, "interface lost, second is symmetric", home, home, lab=("--net1-a", "symmetric") + second,
               want="either", call_s=8, outage_s=2, moves=True)
    yield Cell(group, "new address", home, home, lab=("--at", "2s", "host a addr=192.168.1.77"), want="either", call_s=8,
               outage_s=2, moves=True)
    yield Cell(group, "interface down, up again", home, home, want="either",
               lab=("--at", "2s", "host a down", "--at", "3s", "host a up"), call_s=8, outage_s=3)


def others():
    group = "with others"
    home = "port-restricted"
    for other in ("libnice", "aioice"):
        for nat, want in ((home, "direct"), ("symmetric", "relay")):
            yield Cell(group, f"{home} x {nat}, answered by {other}", home, nat, b=other, want=want)
            yield Cell(group, f"{nat} x {home}, offered by {other}", nat, home, a=other, want=want)
    for a, b in (("peer", "peer"), ("peer", "aiortc"), ("aiortc", "peer")):
        yield Cell(group, f"data channel, {a} x {b}", home, home, a=a, b=b, want="ends")
        yield Cell(group, f"data channel, relayed, {a} x {b}", "symmetric", home, a=a, b=b, want="ends")


def coturn():
    group = "coturn as the server"
    for a, b, want in (("port-restricted", "port-restricted", "direct"), ("symmetric", "symmetric", "relay")):
        yield Cell(group, f"{a} x {b}", a, b, server="coturn", want=want,
                   goal_ms=DIRECT_GOAL_MS if want == "direct" else RELAY_GOAL_MS, gather_goal_ms=GATHER_GOAL_MS)
    yield Cell(group, "TURN over TCP on 443", "https-only", "symmetric", TURN_TCP_443, server="coturn", want="relay")
    yield Cell(group, "TURN over TLS on 443", "https-only", "https-only", TURN_TLS_443, server="coturn", want="relay")
    yield Cell(group, "IPv4 alone x IPv6 alone", servers=TURN, servers_b=("turn:u:p@[{s6}]:3478",), server="coturn",
               lab=("--ip-a", "4", "--ip-b", "6", "--ip-s", "46"), want="relay", goal_ms=RELAY_GOAL_MS)
    yield Cell(group, "symmetric x symmetric, offered by libnice", "symmetric", "symmetric", a="libnice", server="coturn",
               want="relay")


def behaviours():
    for (a, b), connects in baseline_81().items():
        yield Cell("81 pairs", f"{a} x {b}", a, b, STUN, want="direct" if connects else "ends", call_s=0.4)


def all_cells():
    return [cell for make in (classes, places, blocked, families, changes, others, coturn, behaviours) for cell in make()]
