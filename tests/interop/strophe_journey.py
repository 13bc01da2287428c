#!/usr/bin/env python3
"""strophe_journey.py - `peerline xmpp` (in PEERLINE) at Prosody with two clients that nobody here wrote: libstrophe
(STROPHE_PEER) and slixmpp. Contacts and presence both ways, what clients can do (XEP-0030, XEP-0115), messages both ways with
receipts, what is not spoken, a chat room of three, and a file offer of before Jingle."""

import asyncio
import base64
import hashlib
from xml.sax.saxutils import quoteattr

from xmpp_ends import LIMIT, Program, Slixmpp, Strophe, start_server

DISCO = "{http://jabber.org/protocol/disco#info}"
CAPS = "{http://jabber.org/protocol/caps}"
FEATURES = sorted(["http://jabber.org/protocol/caps", "http://jabber.org/protocol/disco#info", "urn:example:balcony"])


def hash_of(identities, features):
    """XEP-0115 5.1, of answers without forms."""
    text = "".join(f"{i}<" for i in sorted(identities)) + "".join(f"{f}<" for f in sorted(features))
    return base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()


OURS = hash_of(["client/pc/en/Balcony"], FEATURES)


class Juliet(Strophe):
    """Strophe's client, with a hash of what it can do."""
    asked_by = ()

    def answered(self, e):
        query = e.find(f"{DISCO}query")
        if e.get("type") != "get" or query is None:
            return False
        self.asked_by += (e.get("from"),)
        features = "".join(f"<feature var='{f}'/>" for f in FEATURES)
        node = f" node={quoteattr(query.get('node'))}" if query.get("node") else ""
        self.send(f"<iq type='result' to='{e.get('from')}' id='{e.get('id')}'><query xmlns='{DISCO[1:-1]}'{node}>"
                  f"<identity category='client' type='pc' xml:lang='en' name='Balcony'/>{features}</query></iq>")
        return True

    def show(self, inside="", kind=""):
        self.send(f"<presence{kind}>{inside}<c xmlns='{CAPS[1:-1]}' hash='sha-1' node='urn:example:strophe' "
                  f"ver='{OURS}'/></presence>")

    async def presence(self, of, kind=None, fits=lambda e: True):
        return await self.until(lambda e: e.tag.endswith("presence") and e.get("type") == kind
                                and e.get("from", "").startswith(of) and fits(e))

    async def roster_says(self, contact, subscription):
        item = "{jabber:iq:roster}query/{jabber:iq:roster}item"
        await self.until(lambda e: e.get("type") == "set" and (i := e.find(item)) is not None
                         and i.get("jid") == contact and i.get("subscription") == subscription)

    async def message(self, body):
        return await self.until(lambda e: e.tag.endswith("message") and text(e, "body") == body)


def text(e, name):
    """Of a child in the stanza's namespace, which strophe leaves out when it writes."""
    return next((c.text for c in e if c.tag == name), None)


async def contacts(info, juliet):
    romeo, her = f"romeo@{info['domain']}", f"juliet@{info['domain']}"
    async with Program(info, "--resource", "orchard", "--priority", "7", "roster", romeo) as p:
        await p.event("roster", contacts=0)
        p.do("add", jid=her, name="Juliet")
        await p.event("contact", jid=her, asked=True)
        await juliet.presence(romeo, "subscribe")
        juliet.send(f"<presence to='{romeo}' type='subscribed'/>")
        await p.event("accepted", jid=her)
        await p.event("presence", jid=f"{her}/strophe", show="online")
        juliet.send(f"<presence to='{romeo}' type='subscribe'/>")
        await p.event("request", jid=her)
        p.do("accept", jid=her)
        await p.event("contact", jid=her, subscription="both")
        await juliet.roster_says(romeo, "both")
        e = await juliet.presence(f"{romeo}/orchard")
        assert text(e, "priority") == "7"
        juliet.show("<show>xa</show><status>asleep &amp; dreaming</status><priority>3</priority>")
        await p.event("presence", show="xa", status="asleep & dreaming", priority=3)
        p.do("presence", show="dnd", status="walking")
        e = await juliet.presence(f"{romeo}/orchard", None, lambda e: text(e, "status") == "walking")
        assert text(e, "show") == "dnd"
        await capabilities(juliet, f"{romeo}/orchard", e)
        p.do("remove", jid=her)
        await p.event("contact-removed", jid=her)
        await juliet.presence(romeo, "unsubscribed")
        p.do("quit")
        await p.ends(0)
    # one hash, one question, however many presences
    assert juliet.asked_by.count(f"{romeo}/orchard") == 1, juliet.asked_by


async def capabilities(juliet, device, presence):
    """What it can is what its hash says, by an arithmetic of our own."""
    c = presence.find(f"{CAPS}c")
    query = f"<query xmlns='{DISCO[1:-1]}' node={quoteattr(c.get('node') + '#' + c.get('ver'))}/>"
    info = (await juliet.ask(device, query)).find(f"{DISCO}query")
    features = [f.get("var") for f in info.findall(f"{DISCO}feature")]
    identities = [f"{i.get('category')}/{i.get('type')}/{i.get('lang', '')}/{i.get('name')}"
                  for i in info.findall(f"{DISCO}identity")]
    assert c.get("hash") == "sha-1" and hash_of(identities, features) == c.get("ver"), (identities, features)
    assert {DISCO[1:-1], CAPS[1:-1], "urn:xmpp:ping", "urn:xmpp:receipts"} <= set(features), features
    items = await juliet.ask(device, "<query xmlns='http://jabber.org/protocol/disco#items'/>")
    assert items.get("type") == "result"
    assert (await juliet.ask(device, "<ping xmlns='urn:xmpp:ping'/>")).get("type") == "result"
    e = await juliet.ask(device, "<query xmlns='urn:example:unheard-of'/>")
    assert e.get("type") == "error" and e.find(".//{urn:ietf:params:xml:ns:xmpp-stanzas}service-unavailable") is not None
    e = await juliet.ask(device, f"<query xmlns='{DISCO[1:-1]}' node='urn:example:no-such'/>")
    assert e.find(".//{urn:ietf:params:xml:ns:xmpp-stanzas}item-not-found") is not None


async def messages(info, juliet):
    romeo, her = f"romeo@{info['domain']}", f"juliet@{info['domain']}"
    async with Program(info, "--resource", "orchard", "chat", romeo, her) as p:
        await p.event("online")
        p.do("say", body="What light?\n\u2600 <&>")
        sent = await p.event("sent")
        e = await juliet.message("What light?\n\u2600 <&>")
        assert e.get("id") == sent["id"] and e.get("from") == f"{romeo}/orchard"
        assert any(c.tag == "{urn:xmpp:receipts}request" for c in e)
        juliet.send(f"<message to='{romeo}/orchard' type='chat'><received xmlns='urn:xmpp:receipts' id='{sent['id']}'/>"
                    "</message>")
        await p.event("delivered", id=sent["id"])
        juliet.send(f"<message to='{romeo}/orchard' type='chat' id='m1'><thread>night</thread><body>Ay me! &lt;3</body></message>")
        e = await p.event("message", body="Ay me! <3")
        assert e["from"] == f"{her}/strophe" and e["thread"] == "night" and e["id"] == "m1", e
        p.do("quit")
        await p.ends(0)


async def old_file_offer(info, juliet):
    """XEP-0096: declined with the name of what came after it. (slixmpp 1.8 has it, and fails before it says a word.)"""
    async with Program(info, "--resource", "shelf", "receive", f"romeo@{info['domain']}") as p:
        device = (await p.event("online"))["jid"]
        e = await juliet.ask(device, "<si xmlns='http://jabber.org/protocol/si' id='a0' "
                             "profile='http://jabber.org/protocol/si/profile/file-transfer'><file "
                             "xmlns='http://jabber.org/protocol/si/profile/file-transfer' name='letter.txt' size='77'/></si>", "set")
        assert e.get("type") == "error" and e.find(".//{http://jabber.org/protocol/si}bad-profile") is not None
        told = e.find(".//{urn:ietf:params:xml:ns:xmpp-stanzas}text")
        assert "urn:xmpp:jingle:apps:file-transfer:5" in told.text, told.text
        p.do("quit")
        await p.ends(0)


async def room(info, juliet, other):
    at = f"square@{info['rooms']}"
    async with Program(info, "--nick", "Romeo", "muc", f"romeo@{info['domain']}", at) as a:
        await a.event("joined", nick="Romeo")
        juliet.send(f"<presence to='{at}/Juliet'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>"
                    "</presence>")
        await juliet.presence(f"{at}/Juliet")
        other["xep_0045"].join_muc(at, "Mercutio")
        await juliet.presence(f"{at}/Mercutio")
        names = set()
        while names != {"Juliet", "Mercutio"}:
            names.add((await a.event("came"))["occupant"]["nick"])
        a.do("say", body="hello all")
        assert (await juliet.message("hello all")).get("from") == f"{at}/Romeo"
        await other.until("groupchat_message", lambda e: e["body"] == "hello all" and e["mucnick"] == "Romeo")
        juliet.send(f"<message to='{at}' type='groupchat'><body>hello both</body></message>")
        await a.event("said", body="hello both", nick="Juliet")
        await other.until("groupchat_message", lambda e: e["body"] == "hello both" and e["mucnick"] == "Juliet")
        other.send_message(mto=at, mbody="a plague", mtype="groupchat")
        await a.event("said", body="a plague", nick="Mercutio")
        assert (await juliet.message("a plague")).get("from") == f"{at}/Mercutio"
        juliet.send(f"<message to='{at}/Romeo' type='chat'><body>psst</body></message>")
        await a.event("whispered", body="psst", nick="Juliet")
        a.do("topic", topic="The feud")
        await juliet.until(lambda e: text(e, "subject") == "The feud")
        juliet.send(f"<presence to='{at}/Juliet' type='unavailable'/>")
        e = await a.event("went")
        assert e["occupant"]["nick"] == "Juliet" and e["why"] == "left", e
        a.do("leave")
        await a.ends(0)


async def journey(info):
    other = Slixmpp(info, "mercutio")
    await other.sign_in()
    async with Juliet(info, "juliet") as juliet:
        assert (await juliet.ask(f"juliet@{info['domain']}", "<query xmlns='jabber:iq:roster'/>")).get("type") == "result"
        juliet.show()
        await contacts(info, juliet)
        await messages(info, juliet)
        await room(info, juliet, other)
        await old_file_offer(info, juliet)
    other.disconnect()
    await asyncio.wait_for(other.disconnected, LIMIT)


def main():
    server, info = start_server("prosody")
    try:
        asyncio.get_event_loop().run_until_complete(journey(info))
        print("libstrophe: all well")
    finally:
        server.stdin.close()
        server.wait()


main()
