#!/usr/bin/env python3
"""peerline_peer.py offer|answer [option]... - `peerline peer` with its words in files, as the others of this folder.

Options: server=URL (several), dir=DIR, connect=SECONDS, call=SECONDS. Both sides write whole descriptions into offer.sdp
and answer.sdp, then send messages over a data channel. Prints "connected" with milliseconds since both descriptions
were known, and "end". Exit status 0: connected and heard of the other.
"""
import json
import os
import subprocess
import sys
import threading
import time

BEAT_S = 0.02


def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


class Peer:
    """The program: JSON Lines in, JSON Lines out."""

    def __init__(self, args):
        self.lock = threading.Condition()
        self.descriptions, self.open, self.gone, self.received = {}, False, False, 0
        self.process = subprocess.Popen([os.environ["PEERLINE"], "peer", *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for text in self.process.stdout:
            line = json.loads(text)
            with self.lock:
                if line["type"] in ("offer", "answer"):
                    self.descriptions[line["type"]] = line["sdp"]
                elif line["type"] == "channel" and line["state"] == "open":
                    self.open, self.label = True, line["label"]
                elif line["type"] == "message":
                    self.received += 1
                elif line["type"] == "error":
                    say("error", message=line["message"])
                self.lock.notify_all()
        with self.lock:
            self.gone = True
            self.lock.notify_all()

    def wait(self, condition, seconds):
        with self.lock:
            return self.lock.wait_for(lambda: self.gone or condition(), seconds) and condition()

    def say(self, **line):
        try:
            self.process.stdin.write(json.dumps(line) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass


def write(path, text):
    with open(path + ".tmp", "w", newline="") as f:
        f.write(text)
    os.rename(path + ".tmp", path)  # who waits for it must never see half of it


def read(path, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with open(path, newline="") as f:
                return f.read()
        except FileNotFoundError:
            time.sleep(0.001)
    sys.exit("the other side says nothing")


def main():
    ours = sys.argv[1]
    theirs = "answer" if ours == "offer" else "offer"
    given = [a.partition("=")[::2] for a in sys.argv[2:]]
    one = dict(given)
    folder, connect_s, call_s = one.get("dir") or os.environ["NATLAB_DIR"], float(one["connect"]), float(one["call"])
    args = ["--" + ours, "--no-trickle", "--no-loopback"] + (["--data", "data"] if ours == "offer" else [])
    for name, value in given:
        args += ["--ice-server", value] if name == "server" else []
    peer = Peer(args)
    path = lambda kind: os.path.join(folder, kind + ".sdp")
    if ours == "answer":
        peer.say(type="offer", sdp=read(path("offer"), connect_s))
    if not peer.wait(lambda: ours in peer.descriptions, connect_s):
        sys.exit("no description")
    write(path(ours), peer.descriptions[ours])
    known = time.monotonic()
    if ours == "offer":
        peer.say(type="answer", sdp=read(path(theirs), connect_s))
        known = time.monotonic()
    good = peer.wait(lambda: peer.open, connect_s)
    if good:
        say("connected", ms=round((time.monotonic() - known) * 1000, 1))
    end, sent = time.monotonic() + call_s, 0
    while good and time.monotonic() < end:
        peer.say(type="send", label=peer.label, data=f"peerline {sent}")
        sent += 1
        time.sleep(BEAT_S)
    say("end", sent=sent, received=peer.received)
    peer.say(type="close")
    return 0 if good and peer.received else 1


if __name__ == "__main__":
    sys.exit(main())
