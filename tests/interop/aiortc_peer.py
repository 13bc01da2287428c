#!/usr/bin/python3
"""aiortc_peer.py ice|connection offer|answer [option]... - aiortc as the other end: words in files, then data.

ice         its agent alone (aioice): lines of SDP, then datagrams both ways
connection  an RTCPeerConnection with a data channel: whole SDPs, then messages both ways

Options are those of libnice_peer.c: dir=DIR stun=IP:PORT turn=udp|tcp|tls:IP:PORT:USER:PASSWORD relay-only
connect=SECONDS call=SECONDS. So are the lines it prints, and the exit status.
"""
import asyncio
import json
import os
import sys
import time

import aioice
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription

BEAT_S = 0.02


def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


def ms_since(t):
    return round((time.monotonic() - t) * 1000, 1)


class Options:
    def __init__(self, args):
        if len(args) < 2 or args[0] not in ("ice", "connection") or args[1] not in ("offer", "answer"):
            sys.exit(__doc__)
        self.kind, self.offer = args[0], args[1] == "offer"
        given = dict(a.partition("=")[::2] for a in args[2:])
        self.dir = given.get("dir") or os.environ["NATLAB_DIR"]
        self.stun, self.turn = given.get("stun"), given.get("turn")
        self.relay_only = "relay-only" in given
        self.connect_s, self.call_s = float(given.get("connect", 20)), float(given.get("call", 1))

    def stun_address(self):
        host, _, port = self.stun.rpartition(":")
        return host, int(port)

    def turn_parts(self):
        kind, host, port, user, password = self.turn.split(":", 4)
        return kind, host, int(port), user, password


class Words:
    """What one side must know of the other, through a file each way."""

    def __init__(self, opt):
        self.opt = opt

    def path(self, offer):
        return os.path.join(self.opt.dir, "offer.sdp" if offer else "answer.sdp")

    def write(self, text):
        path = self.path(self.opt.offer)
        with open(path + ".tmp", "w", newline="") as f:
            f.write(text)
        os.rename(path + ".tmp", path)  # who waits for it must never see half of it

    async def read(self):
        end = time.monotonic() + self.opt.connect_s
        while time.monotonic() < end:
            try:
                with open(self.path(not self.opt.offer), newline="") as f:
                    return f.read()
            except FileNotFoundError:
                await asyncio.sleep(0.001)
        raise TimeoutError("the other side says nothing")


class Talk:
    """Sends every BEAT_S, counts what comes."""

    def __init__(self):
        self.sent = self.received = 0

    async def run(self, seconds, send):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await send(b"aiortc %d" % self.sent)
            self.sent += 1
            await asyncio.sleep(BEAT_S)


def ice_agent(opt):
    conf = {}
    if opt.stun:
        conf["stun_server"] = opt.stun_address()
    if opt.turn:
        kind, host, port, user, password = opt.turn_parts()
        conf.update(turn_server=(host, port), turn_username=user, turn_password=password,
                    turn_transport="udp" if kind == "udp" else "tcp", turn_ssl=kind == "tls")
    return aioice.Connection(ice_controlling=opt.offer, components=1, **conf)


def ice_words(agent, relay_only):
    cands = [c for c in agent.local_candidates if not relay_only or c.type == "relay"]
    lines = ["a=ice-ufrag:" + agent.local_username, "a=ice-pwd:" + agent.local_password]
    lines += ["a=candidate:" + c.to_sdp() for c in cands] + ["a=end-of-candidates"]
    return "".join(line + "\r\n" for line in lines)


async def set_remote(agent, text):
    for line in text.split("\r\n"):
        name, _, value = line.partition(":")
        if name == "a=ice-ufrag":
            agent.remote_username = value
        elif name == "a=ice-pwd":
            agent.remote_password = value
        elif name == "a=candidate":
            await agent.add_remote_candidate(aioice.Candidate.from_sdp(value))
    await agent.add_remote_candidate(None)


async def ice(opt, talk):
    agent, words, began = ice_agent(opt), Words(opt), time.monotonic()
    await agent.gather_candidates()
    say("gathered", ms=ms_since(began))
    words.write(ice_words(agent, opt.relay_only))
    text = await words.read()
    known = time.monotonic()
    await set_remote(agent, text)
    await asyncio.wait_for(agent.connect(), opt.connect_s)
    say("connected", ms=ms_since(known))

    async def listen():
        while True:
            await agent.recv()
            talk.received += 1

    listener = asyncio.create_task(listen())
    try:
        await talk.run(opt.call_s, agent.send)
    finally:
        listener.cancel()
        pair = agent._nominated.get(1)
        say("end", sent=talk.sent, received=talk.received, local=pair.local_candidate.type if pair else "",
            remote=pair.remote_candidate.type if pair else "")
        await agent.close()


def connection_conf(opt):
    servers = []
    if opt.stun:
        servers.append(RTCIceServer("stun:" + opt.stun))
    if opt.turn:
        kind, host, port, user, password = opt.turn_parts()
        scheme, transport = ("turns", "tcp") if kind == "tls" else ("turn", kind)
        servers.append(RTCIceServer(f"{scheme}:{host}:{port}?transport={transport}", user, password))
    return RTCConfiguration(servers)


def connection_talk(pc, talk, opened):
    def use(channel):
        channel.on("message", lambda _: setattr(talk, "received", talk.received + 1))
        if channel.readyState == "open":
            opened.set_result(channel)
        else:
            channel.on("open", lambda: opened.set_result(channel))

    pc.on("datachannel", use)
    return use


async def connection(opt, talk):
    pc, words = RTCPeerConnection(connection_conf(opt)), Words(opt)
    opened, began = asyncio.get_running_loop().create_future(), time.monotonic()
    use = connection_talk(pc, talk, opened)
    if opt.offer:
        use(pc.createDataChannel("data"))
        await pc.setLocalDescription(await pc.createOffer())
    else:
        await pc.setRemoteDescription(RTCSessionDescription(await words.read(), "offer"))
        await pc.setLocalDescription(await pc.createAnswer())
    say("gathered", ms=ms_since(began))
    known = time.monotonic()
    words.write(pc.localDescription.sdp)
    if opt.offer:
        text = await words.read()
        known = time.monotonic()
        await pc.setRemoteDescription(RTCSessionDescription(text, "answer"))
    channel = await asyncio.wait_for(opened, opt.connect_s)
    say("connected", ms=ms_since(known))

    async def send(data):
        channel.send(data.decode())

    try:
        await talk.run(opt.call_s, send)
    finally:
        say("end", sent=talk.sent, received=talk.received)
        await pc.close()


async def main():
    opt, talk = Options(sys.argv[1:]), Talk()
    await (ice if opt.kind == "ice" else connection)(opt, talk)
    return 0 if talk.received else 1


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except (ConnectionError, TimeoutError, asyncio.TimeoutError) as e:
        say("failed", reason=str(e) or type(e).__name__)
        sys.exit(1)
