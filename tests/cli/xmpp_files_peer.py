#!/usr/bin/env python3
"""xmpp_files_peer.py - `peerline xmpp` (in PEERLINE) and slixmpp exchange files: the words of Jingle are said by hand, the
bytes go by slixmpp's own bytestreams (XEP-0047, XEP-0065). And what a sender may do wrong: a hash, a length, a good-bye in
the middle, a name where something is already. Every wait is for an event, with a generous limit."""

import asyncio
import base64
import hashlib
import itertools
import os
import tempfile
import xml.etree.ElementTree as ET

from xmpp_file_ends import FILE, JINGLE, Pair, befriend, make, read  # first: it says where the next is
from slixmpp.exceptions import IqError
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath
from xmpp_ends import LIMIT, Slixmpp, start_server

IBB, S5B, HASHES = "urn:xmpp:jingle:transports:ibb:1", "urn:xmpp:jingle:transports:s5b:1", "urn:xmpp:hashes:2"
ids = itertools.count(1)


class Peer(Slixmpp):
    """slixmpp with bytestreams; what is said in Jingle waits in a queue."""

    def __init__(self, info, user):
        super().__init__(info, user)
        for plugin in ("xep_0047", "xep_0065"):
            self.register_plugin(plugin)
        self.said = asyncio.Queue()
        self.register_handler(Callback("jingle", MatchXPath(f"{{jabber:client}}iq/{{{JINGLE}}}jingle"), self.on_jingle))

    def on_jingle(self, iq):
        iq.reply().send()
        self.said.put_nowait(iq.xml.find(f"{{{JINGLE}}}jingle"))

    async def hears(self, action):
        while True:
            jingle = await asyncio.wait_for(self.said.get(), LIMIT)
            if jingle.get("action") == action:
                return jingle

    async def ended_with(self):
        why = (await self.hears("session-terminate")).find(f"{{{JINGLE}}}reason")
        return next(e.tag.split("}")[1] for e in why if not e.tag.endswith("}text"))

    async def says(self, to, action, sid, inside, more=""):
        iq = self.make_iq_set(ito=to)
        iq.append(ET.fromstring(f"<jingle xmlns='{JINGLE}' action='{action}' sid='{sid}' {more}>{inside}</jingle>"))
        await iq.send(timeout=LIMIT)


def sha256(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def words(name, size=None, hash_text=None, more=""):
    return (f"<description xmlns='{FILE}'><file><name>{name}</name>" +
            (f"<size>{size}</size>" if size is not None else "") +
            (f"<hash xmlns='{HASHES}' algo='sha-256'>{hash_text}</hash>" if hash_text else "") +
            f"{more}</file></description>")


def content(inside, senders="initiator", name="a-file"):
    return f"<content creator='initiator' name='{name}' senders='{senders}'>{inside}</content>"


class Offer:
    """One that slixmpp makes, in-band."""

    def __init__(self, peer, device, name, block=4096, senders="initiator", times=1, **file):
        n = next(ids)
        self.peer, self.device, self.sid, self.band, self.block = peer, device, f"s{n}", f"b{n}", block
        transport = f"<transport xmlns='{IBB}' sid='{self.band}' block-size='{block}'/>"
        self.inside = "".join(content(words(name, **file) + transport, senders, f"file-{i}") for i in range(times))

    async def make(self):
        await self.peer.says(self.device, "session-initiate", self.sid, self.inside,
                             f"initiator='{self.peer.boundjid.full}'")
        return self

    async def stream(self):
        accepted = await self.peer.hears("session-accept")
        size = int(accepted.find(f".//{{{IBB}}}transport").get("block-size"))
        return await self.peer["xep_0047"].open_stream(self.device, block_size=size, sid=self.band)

    async def ends(self, reason):
        await self.peer.says(self.device, "session-terminate", self.sid, f"<reason><{reason}/></reason>")


async def good(peer, device, j, pair):
    """In-band, with and without a hash, and with blocks as large as the format has: we take no more than 32 KiB."""
    data = os.urandom(70_001)
    for name, hash_text, block in (("hashed", sha256(data), 4096), ("bare", None, 4096), ("large", None, 65535)):
        o = await Offer(peer, device, name, block, size=len(data), hash_text=hash_text).make()
        stream = await o.stream()
        assert stream.block_size == min(block, 32768), stream.block_size
        await stream.sendall(data)
        e = await j.event("stored", name=name)
        assert e["status"] == "whole" and e["checked"] is (hash_text is not None), e
        info = await peer.hears("session-info")
        assert info.find(f"{{{FILE}}}received").get("name") == "file-0"
        assert await peer.ended_with() == "success"
        assert read(f"{pair.into}/{name}") == data


async def push(stream, data):
    """Until nobody listens any more."""
    try:
        await stream.sendall(data)
    except IqError:
        pass


async def wrong(peer, device, j, pair):
    """What arrives is not what was offered."""
    data = os.urandom(20_000)
    o = await Offer(peer, device, "forged", size=len(data), hash_text=sha256(b"another")).make()
    await (await o.stream()).sendall(data)
    await j.event("stored", name="forged", status="damaged")
    assert await peer.ended_with() == "media-error"

    o = await Offer(peer, device, "longer", size=10_000, hash_text=sha256(data)).make()
    await push(await o.stream(), data)
    assert await peer.ended_with() == "media-error"
    await j.event("lost", name="longer")

    o = await Offer(peer, device, "shorter", size=30_000, hash_text=sha256(data)).make()
    stream = await o.stream()
    await stream.sendall(data)
    stream.close()
    assert await peer.ended_with() == "connectivity-error"
    await j.event("lost", name="shorter")

    o = await Offer(peer, device, "left", size=30_000, hash_text=sha256(data)).make()
    await (await o.stream()).sendall(data)
    await o.ends("cancel")
    await j.event("lost", name="left")

    o = await Offer(peer, device, "endless").make()  # its size is not said, and --max-size is 200000
    await push(await o.stream(), 11 * data)
    assert await peer.ended_with() == "cancel"
    await j.event("lost", name="endless")
    assert not os.path.lexists(f"{pair.into}/endless.part")
    for name in ("forged", "longer", "shorter", "left", "endless"):
        assert not os.path.lexists(f"{pair.into}/{name}"), name


async def places(peer, device, j, pair, folder):
    """Links that lie where the file would go lead nowhere; a file that is there stays."""
    data = os.urandom(5000)
    outside, before = make(folder, "outside", 100)
    os.symlink(outside, f"{pair.into}/linked")
    os.symlink(outside, f"{pair.into}/parted.part")
    o = await Offer(peer, device, "linked", size=len(data), hash_text=sha256(data)).make()
    await (await o.stream()).sendall(data)
    e = await j.event("stored", name="linked")
    assert e["as"] == "linked (1)" and await peer.ended_with() == "success", e
    assert read(f"{pair.into}/linked (1)") == data and os.path.islink(f"{pair.into}/linked")
    await Offer(peer, device, "parted", size=len(data), hash_text=sha256(data)).make()
    assert await peer.ended_with() == "failed-application"
    await j.event("error", what="disk")
    assert read(outside) == before


async def full(peer, pair):
    """A file that does not fit is declined; of one without a size nobody knows until the disk is full."""
    data = os.urandom(400_000)
    async with pair.receiver("--yes", disk=300_000) as j:
        device = (await j.event("online"))["jid"]
        await peer.until("presence_available", lambda e: e["from"].full == device)
        await Offer(peer, device, "known", size=len(data)).make()
        assert await peer.ended_with() == "decline"
        assert "space" in (await j.event("error", what="known"))["why"]
        o = await Offer(peer, device, "unknown").make()
        await push(await o.stream(), data)
        assert await peer.ended_with() == "failed-application"
        assert "space" in (await j.event("error", what="disk"))["why"]
        await j.event("lost", name="unknown")
        o = await Offer(peer, device, "small", size=50_000).make()
        await (await o.stream()).sendall(data[:50_000])
        await j.event("stored", name="small", status="whole")
        j.do("quit")
        await j.ends(1)


async def refused(peer, device, j):
    """A file is asked for; several are in one session; one is too large."""
    for why, o in (("unsupported-applications", Offer(peer, device, "secret", senders="responder")),
                   ("unsupported-applications", Offer(peer, device, "two", size=5, times=2)),
                   ("failed-application", Offer(peer, device, "part", size=5, more="<range offset='1'/>")),
                   ("decline", Offer(peer, device, "huge", size=200_001))):
        await o.make()
        assert await peer.ended_with() == why, o.inside
    await j.event("error", what="huge")


async def receives(pair):
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(pair.info, "romeo")
        await peer.sign_in()
        async with pair.receiver("--yes", "--max-size", "200000") as j:
            device = (await j.event("online"))["jid"]
            await peer.until("presence_available", lambda e: e["from"].full == device)
            await good(peer, device, j, pair)
            await wrong(peer, device, j, pair)
            await refused(peer, device, j)
            await places(peer, device, j, pair, folder)
            j.do("quit")
            await j.ends(1)  # some of what was taken is not there
        await full(peer, pair)
        peer.disconnect()
        await asyncio.wait_for(peer.disconnected, LIMIT)


def answer(jingle, transport):
    description = jingle.find(f".//{{{FILE}}}description")
    name = jingle.find(f"{{{JINGLE}}}content").get("name")
    return content(ET.tostring(description, encoding="unicode") + transport, name=name), name


async def takes(pair, way):
    """slixmpp takes what `peerline` sends."""
    with tempfile.TemporaryDirectory() as folder:
        path, data = make(folder, f"to-slixmpp-{way}", 300_000)
        peer = Peer(pair.info, "juliet")
        peer["xep_0047"].auto_accept = True
        await peer.sign_in()
        to = peer.boundjid.full
        async with pair.sender(path, to=to, options=("--in-band",) if way == "in-band" else ()) as r:
            offer = await peer.hears("session-initiate")
            device, sid = offer.get("initiator") or f"{pair.romeo}/orchard", offer.get("sid")
            got = await {"in-band": by_ibb, "SOCKS5": by_socks5}[way](peer, device, sid, offer, len(data))
            assert got == data
            name = offer.find(f"{{{JINGLE}}}content").get("name")
            await peer.says(device, "session-info", sid, f"<received xmlns='{FILE}' creator='initiator' name='{name}'/>")
            await r.event("stored", status="whole", way=way)
            await r.ends(0)
        peer.disconnect()
        await asyncio.wait_for(peer.disconnected, LIMIT)


async def by_ibb(peer, device, sid, offer, size):
    transport = offer.find(f".//{{{IBB}}}transport")
    came, whole, data = asyncio.Event(), asyncio.Event(), bytearray()

    def on_data(stream):
        data.extend(stream.read())
        if len(data) >= size:
            whole.set()

    peer.add_event_handler("ibb_stream_data", on_data)
    peer.add_event_handler("ibb_stream_start", lambda _: came.set())
    inside, _ = answer(offer, f"<transport xmlns='{IBB}' sid='{transport.get('sid')}' block-size='4096'/>")
    await peer.says(device, "session-accept", sid, inside, f"responder='{peer.boundjid.full}'")
    await asyncio.wait_for(came.wait(), LIMIT)
    await asyncio.wait_for(whole.wait(), LIMIT)
    return bytes(data)


async def by_socks5(peer, device, sid, offer, size):
    """slixmpp's connection to the first address that we offer; it offers none itself."""
    transport = offer.find(f".//{{{S5B}}}transport")
    candidate, stream = transport.find(f"{{{S5B}}}candidate"), transport.get("sid")
    inside, name = answer(offer, f"<transport xmlns='{S5B}' sid='{stream}'/>")
    await peer.says(device, "session-accept", sid, inside, f"responder='{peer.boundjid.full}'")
    whole, data = asyncio.Event(), bytearray()

    def on_data(piece):
        data.extend(piece)
        if len(data) >= size:
            whole.set()

    peer.add_event_handler("socks5_data", on_data)
    hashed = hashlib.sha1(f"{stream}{device}{peer.boundjid.full}".encode()).hexdigest()
    assert transport.get("dstaddr") == hashed
    _, socks = await peer["xep_0065"]._connect_proxy(hashed, candidate.get("host"), int(candidate.get("port")))
    await asyncio.wait_for(socks.connected, LIMIT)
    used = f"<transport xmlns='{S5B}' sid='{stream}'><candidate-used cid='{candidate.get('cid')}'/></transport>"
    await peer.says(device, "transport-info", sid, f"<content creator='initiator' name='{name}'>{used}</content>")
    await asyncio.wait_for(whole.wait(), LIMIT)
    return bytes(data)


async def journey(info):
    with tempfile.TemporaryDirectory() as into:
        pair = Pair(info, into)
        await befriend(pair)
        await receives(pair)
        for way in ("in-band", "SOCKS5"):
            await takes(pair, way)


server, where = start_server("prosody")
try:
    asyncio.get_event_loop().run_until_complete(journey(where))
finally:
    server.stdin.close()
    server.wait()
print("files with slixmpp: all well")
