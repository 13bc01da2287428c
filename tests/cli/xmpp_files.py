#!/usr/bin/env python3
"""xmpp_files.py - files between two `peerline xmpp` (in PEERLINE) at Prosody: over SOCKS5 directly and by the server's proxy,
in-band from the beginning and after SOCKS5 found no way, resumed, damaged, declined; and offers by slixmpp that nobody
should take. Every wait is for an event, with a generous limit."""

import asyncio
import hashlib
import os
import tempfile
import xml.etree.ElementTree as ET

from slixmpp.exceptions import IqError

from xmpp_file_ends import FILE, JINGLE, Pair, befriend, make, read  # first: it says where the next is
from xmpp_ends import Slixmpp, start_server


async def one(pair, path, data, way, options=(), as_name=None, resumed=False):
    """A file goes and is there."""
    both = [o for o in options if o != "--overwrite"]
    async with pair.receiver("--yes", "--once", *options) as j, pair.sender(path, options=both) as r:
        assert (await r.event("accepted"))["resumed"] is resumed
        for p in (r, j):
            e = await p.event("stored", status="whole")
            assert e["way"] == way and e["sha256"] == hashlib.sha256(data).hexdigest(), e
        assert e["as"] == (as_name or os.path.basename(path)) and e["checked"], e
        await r.ends(0)
        await j.ends(0)
    assert read(f"{pair.into}/{e['as']}") == data
    assert not os.path.exists(f"{pair.into}/{os.path.basename(path)}.part")


async def ways(pair, folder):
    big, small, empty = make(folder, "big.bin", 5_000_000), make(folder, "small.bin", 70_001), make(folder, "none", 0)
    async with pair.receiver("--yes") as j, pair.sender(big[0], empty[0], small[0]) as r:
        for path, data in (big, empty, small):
            name = os.path.basename(path)
            await r.event("stored", name=name, way="SOCKS5")
            await j.event("stored", name=name, way="SOCKS5", **{"as": name})
            assert read(f"{pair.into}/{name}") == data
        await r.ends(0)
        j.do("quit")
        await j.ends(0)
    await one(pair, *small, "in-band", ("--in-band",), "small (1).bin")  # what is there stays
    await one(pair, *small, "in-band", ("--in-band", "--overwrite"))
    await one(pair, *small, "SOCKS5", ("--proxy-only", "--overwrite"))  # the server's


async def no_way(pair, folder):
    """Neither has an address to offer: transport-replace."""
    await one(pair, *make(folder, "replaced.bin", 90_000), "in-band", ("--proxy-only",))


async def resumed(pair, folder):
    path, data = make(folder, "resumed.bin", 3_000_000)
    with open(f"{pair.into}/resumed.bin.part", "wb") as f:
        f.write(data[:1_234_567])
    async with pair.receiver("--yes", "--once") as j, pair.sender(path) as r:
        assert (await r.event("accepted"))["offset"] == 1_234_567
        assert (await j.event("file"))["resumed"] is True
        await r.ends(0)
        await j.ends(0)
    assert read(f"{pair.into}/resumed.bin") == data


async def damaged(pair, folder):
    """What was there of it is of another file: the whole is thrown away, and the second time it goes well."""
    path, data = make(folder, "damaged.bin", 300_000)
    with open(f"{pair.into}/damaged.bin.part", "wb") as f:
        f.write(b"x" * 100_000)
    async with pair.receiver("--yes", "--once") as j, pair.sender(path) as r:
        await j.event("stored", status="damaged")
        assert "hash is wrong" in (await r.event("error"))["why"]
        await r.ends(1)
        await j.ends(1)
    assert not os.path.exists(f"{pair.into}/damaged.bin") and not os.path.exists(f"{pair.into}/damaged.bin.part")
    await one(pair, path, data, "SOCKS5")


async def declined(pair, folder):
    path, data = make(folder, "asked.bin", 1000)
    async with pair.receiver() as j:
        async with pair.sender(path) as r:
            e = await j.event("offer", name="asked.bin", size=1000)
            assert e["from"] == f"{pair.romeo}/orchard" and e["sha256"] == hashlib.sha256(data).hexdigest(), e
            j.do("decline")
            assert (await r.event("error"))["why"] == "they do not want it"
            await r.ends(1)
        async with pair.sender(path, f"{folder}/not there", folder) as r:
            await j.event("offer", name="asked.bin")
            j.do("accept")
            await j.event("stored", status="whole")
            for _ in range(2):  # no such file, and a folder
                await r.event("error")
            await r.ends(1)
        j.do("quit")
        await j.ends(0)


async def killed(pair, folder):
    """The receiver dies in the middle, comes back, and gets the rest."""
    path, data = make(folder, "killed.bin", 16_000_000)
    part = f"{pair.into}/killed.bin.part"
    async with pair.sender(path, options=("--in-band",)) as r:
        async with pair.receiver("--yes") as j:
            await j.event("file")
            while not os.path.exists(part) or os.path.getsize(part) < 50_000:
                await asyncio.sleep(0.002)
            j.process.kill()
            await j.process.wait()
        assert 0 < os.path.getsize(part) < len(data)
        async with pair.receiver("--yes", "--once") as j:
            e = await j.event("file")
            assert e["resumed"] and e["offset"] > 0, e
            await j.ends(0)
        await r.event("lost")
        await r.ends(0)
    assert read(f"{pair.into}/killed.bin") == data


def offer(other, to, name, namespace=FILE, size=5):
    iq = other.make_iq_set(ito=to)
    iq.append(ET.fromstring(
        f"<jingle xmlns='{JINGLE}' action='session-initiate' sid='s-{abs(hash(name))}' initiator='{other.boundjid.full}'>"
        f"<content creator='initiator' name='x' senders='initiator'><description xmlns='{namespace}'><file>"
        f"<name>{name}</name><size>{size}</size></file></description>"
        f"<transport xmlns='urn:xmpp:jingle:transports:ibb:1' sid='b1' block-size='4096'/></content></jingle>"))
    return iq.send()


async def refused_with(request):
    try:
        await request
    except IqError as e:
        return e.iq
    raise AssertionError("nothing was refused")


async def hostile(pair):
    """Offers made by hand: of a stranger, with names that lead elsewhere, and in the words of before Jingle."""
    romeo, mercutio = Slixmpp(pair.info, "romeo"), Slixmpp(pair.info, "mercutio")
    for other in (romeo, mercutio):
        await other.sign_in()
    ended = asyncio.Queue()
    romeo.register_handler(slixmpp_handler(ended))
    async with pair.receiver() as j:
        device = (await j.event("online"))["jid"]
        e = await refused_with(offer(mercutio, device, "present.bin"))  # as if nobody were there
        assert e["error"]["condition"] == "service-unavailable", e
        await romeo_sees(romeo, device)
        await offer(romeo, device, "../../etc/passwd")
        assert (await j.event("offer"))["name"] == "passwd"
        j.do("decline")
        assert await reason(ended) == "decline"
        for name in ("..", "a/..", "x\u202egpj.exe", "trailing.part"):
            await offer(romeo, device, name)
            assert await reason(ended) in ("failed-application", "decline")
        await offer(romeo, device, "vast", size=1 << 60)
        await j.event("offer", name="vast")
        j.do("accept")
        assert await reason(ended) == "decline"
        assert "not enough free space" in (await j.event("error", what="vast"))["why"]
        await offer(romeo, device, "x", "urn:example:unheard-of")
        assert await reason(ended) == "unsupported-applications"
        iq = romeo.make_iq_set(ito=device)
        iq.append(ET.fromstring("<si xmlns='http://jabber.org/protocol/si' id='a0' "
                                "profile='http://jabber.org/protocol/si/profile/file-transfer'/>"))
        e = await refused_with(iq.send())
        assert e["error"].xml.find("{http://jabber.org/protocol/si}bad-profile") is not None, e
        assert not any(x["event"] == "offer" for x in j.events), j.events
        j.do("quit")
        await j.ends(0)
    for other in (romeo, mercutio):
        other.disconnect()
        await asyncio.wait_for(other.disconnected, 30)


async def romeo_sees(romeo, device):
    await romeo.until("presence_available", lambda e: e["from"].full == device)


def slixmpp_handler(ended):
    from slixmpp.xmlstream.handler import Callback
    from slixmpp.xmlstream.matcher import MatchXPath

    def on_jingle(iq):
        jingle = iq.xml.find(f"{{{JINGLE}}}jingle")
        iq.reply().send()
        if jingle.get("action") == "session-terminate":
            why = jingle.find(f"{{{JINGLE}}}reason")
            ended.put_nowait(next(e.tag.split("}")[1] for e in why if not e.tag.endswith("}text")))

    return Callback("jingle", MatchXPath(f"{{jabber:client}}iq/{{{JINGLE}}}jingle"), on_jingle)


async def reason(ended):
    return await asyncio.wait_for(ended.get(), 60)


async def journey(info, steps):
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as into:
        pair = Pair(info, into)
        await befriend(pair)
        for step in steps:
            await (step(pair) if step is hostile else step(pair, folder))


def run(steps, *options):
    server, info = start_server("prosody", *options)
    try:
        asyncio.get_event_loop().run_until_complete(journey(info, steps))
    finally:
        server.stdin.close()
        server.wait()


run((ways, resumed, damaged, declined), "--proxy")
run((no_way, killed, hostile), "--resume", "1")
print("files: all well")
