#!/usr/bin/python3
"""aiortc_channels.py - aiortc as the other end of data channels: the orders of README.md in, what happens out."""
import asyncio
import base64
import hashlib
import json
import sys

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InvalidStateError


def say(kind, **more):
    print(json.dumps({"type": kind, **more}), flush=True)


class Peer:
    def __init__(self):
        self.pc = RTCPeerConnection()
        self.pc.on("datachannel", self.keep)
        self.pc.on("connectionstatechange", lambda: say("connection", state=self.pc.connectionState))
        self.channels = {}

    def keep(self, channel):
        self.channels[channel.label] = channel
        channel.on("message", lambda data: self.tell_message(channel.label, data))
        channel.on("bufferedamountlow", lambda: say("low", label=channel.label))
        channel.on("close", lambda: self.tell(channel))
        if channel.readyState == "open":
            self.tell(channel)
        else:
            channel.on("open", lambda: self.tell(channel))

    def tell(self, channel):
        limits = {name: getattr(channel, name) for name in ("maxRetransmits", "maxPacketLifeTime")}
        say("channel", label=channel.label, state=channel.readyState, protocol=channel.protocol, ordered=channel.ordered,
            id=channel.id, **{name: value for name, value in limits.items() if value is not None})

    def tell_message(self, label, data):
        binary = isinstance(data, bytes)
        data = data if binary else data.encode()
        say("message", label=label, binary=binary, size=len(data), sha256=hashlib.sha256(data).hexdigest())

    async def describe(self, make):
        await self.pc.setLocalDescription(await make())
        say(self.pc.localDescription.type, sdp=self.pc.localDescription.sdp)

    async def take_description(self, line):
        if "sdp" in line:
            await self.pc.setRemoteDescription(RTCSessionDescription(line["sdp"], line["type"]))
        if line["type"] == "offer":
            await self.describe(self.pc.createAnswer if "sdp" in line else self.pc.createOffer)

    async def take(self, line):
        kind, label = line["type"], line.get("label")
        if kind in ("offer", "answer"):
            await self.take_description(line)
        elif kind == "open":
            names = ("ordered", "maxRetransmits", "maxPacketLifeTime", "protocol", "negotiated", "id")
            self.keep(self.pc.createDataChannel(label, **{name: line[name] for name in names if name in line}))
        elif kind == "send":
            times = line.get("times", 1)
            data = line["data"] * times if "data" in line else base64.b64decode(line["base64"]) * times
            self.channels[label].send(data)
        elif kind == "close":
            self.channels[label].close()
        elif kind == "amount":
            say("amount", label=label, bytes=self.channels[label].bufferedAmount)


async def main():
    peer = Peer()
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while text := await reader.readline():
        line = json.loads(text)
        try:
            await peer.take(line)
        except (InvalidStateError, ValueError, KeyError) as e:
            say("error", message=f"{line['type']}: {type(e).__name__} {e}")
    await peer.pc.close()


asyncio.run(main())
