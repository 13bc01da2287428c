#!/usr/bin/env python3
"""xmpp_journey.py prosody|ejabberd - `peerline xmpp` (in PEERLINE) at a server of Debian's, with slixmpp as the other
client: log-in and what goes wrong with it, registration, roster and presence, messages with receipts, calls by Jingle, a
chat room of three. Every wait is for an event, with a generous limit."""

import asyncio
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
from xmpp_ends import LIMIT, Program, Slixmpp, start_server


async def log_in(info):
    romeo = f"romeo@{info['domain']}"
    async with Program(info, "login", romeo, json_mode=False) as p:
        _, err = await p.ends(0)
        assert "signed in as romeo@" in err and "SCRAM" in err, err
    async with Program(info, "login", romeo, password="wrong") as p:
        e = await p.event("trouble")
        assert e["fault"] == "not-authorized" and e["again"] is False, e
        await p.ends(1)
    async with Program(info, "--ca-file", info["other_ca"], "login", romeo, json_mode=False) as p:
        _, err = await p.ends(1)
        assert "--ca-file" in err, err
    for way in (["--websocket", info["websocket_tls"]], ["--bosh", info["bosh_tls"]]):
        async with Program(info, *way, "login", romeo) as p:
            await p.event("online")
            await p.ends(0)
    async with Program(info, "--port", str(info["c2s_tls"]), "--direct-tls", "login", romeo) as p:
        await p.event("online")
        await p.ends(0)


async def registration(info):
    account = f"benvolio@{info['domain']}"
    with tempfile.NamedTemporaryFile("w") as f:
        f.write("another\n")
        f.flush()
        async with Program(info, "--register", "login", account, password="first") as p:
            await p.event("online")
            await p.ends(0)
        async with Program(info, "--new-password-file", f.name, "login", account, password="first") as p:
            await p.ends(0)
        async with Program(info, "--password-file", f.name, "--unregister", "login", account) as p:
            await p.ends(0)
        async with Program(info, "--password-file", f.name, "login", account) as p:
            assert (await p.event("trouble"))["fault"] == "not-authorized"
            await p.ends(1)


async def contacts(info, other):
    """Both subscribe, both see each other, with priority; removed again."""
    romeo, juliet = f"romeo@{info['domain']}", f"juliet@{info['domain']}"
    async with Program(info, "--resource", "orchard", "--priority", "7", "--status", "below", "roster", romeo) as p:
        await p.event("roster", contacts=0)
        p.do("add", jid=juliet, name="Juliet")
        await p.event("contact", jid=juliet, name="Juliet", asked=True)
        await other.until("presence_subscribe", lambda e: e["from"].bare == romeo)
        other.send_presence_subscription(pto=romeo, ptype="subscribed")
        await p.event("accepted", jid=juliet)
        await p.event("presence", jid=f"{juliet}/slixmpp", show="online")
        other.send_presence_subscription(pto=romeo, ptype="subscribe")
        await p.event("request", jid=romeo.replace("romeo", "juliet"))
        p.do("accept", jid=juliet)
        await p.event("contact", jid=juliet, subscription="both")
        e = await other.until("presence_available", lambda e: e["from"].full == f"{romeo}/orchard")
        assert e["priority"] == 7 and e["status"] == "below", e
        other.send_presence(pshow="dnd", pstatus="asleep", ppriority=3)
        await p.event("presence", show="dnd", status="asleep", priority=3)
        p.do("presence", show="away", priority=1, status="walking")
        e = await other.until("changed_status",
                              lambda e: e["from"].full == f"{romeo}/orchard" and e["status"] == "walking")
        assert e["show"] == "away" and e["priority"] == 1, e
        p.do("add", jid="not an address")
        await p.event("error")
        # what we can is told by hash, and stands up to slixmpp's verification
        caps = await other["xep_0115"].get_caps(f"{romeo}/orchard") or await other["xep_0030"].get_info(
            f"{romeo}/orchard", cached=False)
        info_of = caps["disco_info"] if "disco_info" in caps.keys() else caps
        assert "http://jabber.org/protocol/muc" in info_of["features"], caps
        p.do("quit")
        await p.ends(0)
    await other.until("presence_unavailable", lambda e: e["from"].full == f"{romeo}/orchard")


async def messages(info, other):
    romeo, juliet = f"romeo@{info['domain']}", f"juliet@{info['domain']}"
    async with Program(info, "--resource", "orchard", "chat", romeo, juliet) as p:
        await p.event("online")
        p.do("say", body="Wer da? \u2665 <&>")
        sent = await p.event("sent")
        e = await other.until("message", lambda e: e["body"] == "Wer da? \u2665 <&>")
        assert e["id"] == sent["id"] and e["from"].full == f"{romeo}/orchard"
        await p.event("delivered", id=sent["id"])  # slixmpp answers XEP-0184
        m = other.make_message(mto=f"{romeo}/orchard", mbody="Ay me!", mtype="chat")
        m["request_receipt"] = True
        m.send()
        got = await p.event("message", body="Ay me!")
        assert got["from"] == f"{juliet}/slixmpp", got
        await other.until("receipt_received", lambda e: e["receipt"] == m["id"])
        other["xep_0249"].send_invitation(f"{romeo}/orchard", f"square@{info['rooms']}", reason="come down")
        await p.event("invitation", room=f"square@{info['rooms']}", by=f"{juliet}/slixmpp", reason="come down", direct=True)
        p.do("quit")
        await p.ends(0)
    async with Program(info, "send", romeo, juliet, "-", json_mode=False) as p:
        p.process.stdin.write(b"one line\nand another\n")
        await p.ends(0)
        await other.until("message", lambda e: e["body"] == "one line\nand another")
    async with Program(info, "send", romeo, "@nobody", "x") as p:
        await p.event("error")
        await p.ends(1)


async def configured(other, at, name):
    """What the room calls itself; asked until it does, since nothing tells when."""
    for _ in range(300):
        info = await other["xep_0030"].get_info(at, cached=False)
        if any(identity[3] == name for identity in info["disco_info"]["identities"]):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{at} is not called {name}")


async def room_of_three(info, other):
    romeo, mercutio = f"romeo@{info['domain']}", f"mercutio@{info['domain']}"
    at = f"square@{info['rooms']}"
    async with Program(info, "--nick", "Romeo", "muc", romeo, at) as a, \
            Program(info, "--nick", "Mercutio", "muc", mercutio, at, wait_for=a) as b:
        e = a.joined
        assert e["nick"] == "Romeo" and any(o["self"] and o["role"] == "moderator" for o in e["occupants"]), e
        await b.event("joined")
        await named(a, "came", "Mercutio")
        async with Program(info, "--nick", "Romeo", "muc", mercutio, at) as c:
            assert (await c.event("not-in"))["error"] == "conflict"
            await c.ends(1)
        a.do("invite", jid=f"juliet@{info['domain']}", reason="come down")
        e = await other.until("groupchat_invite", lambda e: e["from"].bare == at)
        assert "come down" in str(e), e
        a.do("invite-directly", jid=f"juliet@{info['domain']}/slixmpp", reason="do come")
        await other.until("groupchat_direct_invite", lambda e: e["groupchat_invite"]["jid"] == at and
                          e["groupchat_invite"]["reason"] == "do come")
        other["xep_0045"].join_muc(at, "Juliet")
        await named(a, "came", "Juliet")
        a.do("topic", topic="The feud")
        await b.event("topic", topic="The feud")
        await other.until("groupchat_subject", lambda e: e["subject"] == "The feud")
        a.do("say", body="hello all")
        await b.event("said", body="hello all", nick="Romeo")
        await other.until("groupchat_message", lambda e: e["body"] == "hello all" and e["mucnick"] == "Romeo")
        other.send_message(mto=at, mbody="hello both", mtype="groupchat")
        await a.event("said", body="hello both", nick="Juliet")
        await b.event("said", body="hello both", nick="Juliet")
        b.do("whisper", nick="Romeo", body="psst")
        await a.event("whispered", body="psst", nick="Mercutio")
        b.do("nick", nick="Queen Mab")
        e = await a.event("renamed", nick="Mercutio")
        assert e["occupant"]["nick"] == "Queen Mab", e
        a.do("affiliation", jid=mercutio, affiliation="member")
        e = await b.event("changed")
        assert e["occupant"]["affiliation"] == "member", e
        a.do("role", nick="Queen Mab", role="moderator")
        e = await b.event("changed")
        assert e["occupant"]["role"] == "moderator", e
        a.do("role", nick="Queen Mab", role="participant")
        e = await b.event("changed")
        assert e["occupant"]["role"] == "participant", e
        a.do("role", nick="Queen Mab", role="king")
        await a.event("error", what="king")
        a.do("configure", key="muc#roomconfig_roomname", value="The square")
        await configured(other, at, "The square")
        b.do("configure", key="muc#roomconfig_roomname", value="Mine")
        e = await b.event("refused")
        assert e["error"] in ("not-allowed", "forbidden"), e
        b.do("kick", nick="Romeo")
        e = await b.event("refused")
        assert e["error"] in ("not-allowed", "forbidden"), e
        a.do("kick", nick="Queen Mab", reason="enough")
        e = await b.event("out", why="kicked")
        assert e["reason"] == "enough", e
        await b.ends(1)
        e = await named(a, "went", "Queen Mab")
        assert e["why"] == "kicked", e
        other["xep_0045"].leave_muc(at, "Juliet")
        e = await named(a, "went", "Juliet")
        assert e["why"] == "left", e
        a.do("leave")
        await a.event("out", why="left")
        await a.ends(0)


async def calls(info):
    """Romeo is Juliet's contact by now; Mercutio is not."""
    romeo, juliet, mercutio = (f"{who}@{info['domain']}" for who in ("romeo", "juliet", "mercutio"))
    quick = ("--video", "none", "call")
    async with Program(info, "--resource", "balcony", *quick, juliet) as j:
        device = (await j.event("online"))["jid"]
        async with Program(info, *quick, romeo, juliet) as r:  # all devices ring, one takes it
            e = await j.event("ringing", audio=True, video=False)
            assert e["from"].startswith(romeo + "/"), e
            await r.event("progress", text="it rings there")
            j.do("accept")
            for one in (r, j):
                await one.event("progress", text="chat is open")
            r.do("say", body="It is my lady")
            await j.event("chat", body="It is my lady")
            j.do("say", body="Who is there?")
            await r.event("chat", body="Who is there?")
            await asyncio.sleep(1)  # something to report
            j.do("hang-up")
            for one in (j, r):
                e = await one.event("report")
                # a machine with other work to do lets some of a second's sound come too late
                assert e["good"] or "concealed" in e["reason"], e
                assert e["audio"]["codec"] == "audio/opus" and e["audio"]["packets"] > 10, e
            await r.ends(0 if e["good"] else 1)
        async with Program(info, *quick, romeo, device) as r:  # this very device, without asking before
            await j.event("ringing")
            j.do("decline")
            await r.event("report", good=False)
            await r.ends(1)
        async with Program(info, *quick, romeo, juliet) as r:
            await j.event("ringing")
            j.do("decline")
            assert (await r.event("error"))["why"] == "they do not want it"
            await r.ends(1)
        async with Program(info, *quick, romeo, juliet) as r:
            await j.event("ringing")
            r.do("quit")
            await j.event("missed")
        async with Program(info, "--patience", "2", *quick, mercutio, device) as m:  # learns nothing
            assert (await m.event("report"))["good"] is False
            await m.ends(1)
        assert not any(e["event"] == "ringing" for e in j.events), j.events
        j.do("quit")
        await j.ends(0)


async def named(p, event, nick):
    while True:
        e = await p.event(event)
        if e["occupant"]["nick"] == nick:
            return e


async def journey(info):
    await log_in(info)
    await registration(info)
    other = Slixmpp(info, "juliet")
    await other.sign_in()
    await contacts(info, other)
    await messages(info, other)
    await calls(info)
    await room_of_three(info, other)
    other.disconnect()
    await asyncio.wait_for(other.disconnected, LIMIT)


def main():
    server, info = start_server(sys.argv[1])
    try:
        asyncio.get_event_loop().run_until_complete(journey(info))
        print(f"{sys.argv[1]}: all well")
    finally:
        server.stdin.close()
        server.wait()


if __name__ == "__main__":
    main()
