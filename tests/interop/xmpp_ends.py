"""The ends of the tests at XMPP servers: the server, `peerline xmpp --json`, slixmpp, and libstrophe (strophe_peer.c). Every
wait is for an event, with a generous limit."""

import asyncio
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import slixmpp

PEERLINE = os.environ["PEERLINE"]
HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 90


def start_server(kind, *options):
    server = subprocess.Popen([sys.executable, f"{HERE}/xmpp_server.py", kind, *options], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    line = server.stdout.readline()
    if not line:
        sys.exit(f"{kind} did not start")
    return server, json.loads(line)


class Program:
    """One `peerline xmpp --json`; events are taken in any order, each once."""

    def __init__(self, info, *args, password="secret", json_mode=True, wait_for=None, under=()):
        env = dict(os.environ, PEERLINE_XMPP_PASSWORD=password)
        words = ["xmpp", "--host", info["host"], "--port", str(info["c2s"]), "--ca-file", info["ca"],
                 *(["--json"] if json_mode else []), *args]
        self.args, self.env, self.events, self.process = words, env, [], None
        self.under = under  # what starts it
        self.wait_for = wait_for  # who makes the room, and so owns it

    async def __aenter__(self):
        if self.wait_for:
            self.wait_for.joined = await self.wait_for.event("joined")
        self.process = await asyncio.create_subprocess_exec(
            *self.under, PEERLINE, *self.args, env=self.env, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE)
        return self

    async def __aexit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def event(self, kind, **wanted):
        def fits(e):
            return e.get("event") == kind and all(e.get(k) == v for k, v in wanted.items())

        for e in self.events:
            if fits(e):
                self.events.remove(e)
                return e
        while True:
            try:
                line = await asyncio.wait_for(self.process.stdout.readline(), LIMIT)
            except asyncio.TimeoutError:
                raise AssertionError(f"{self.args}: no {kind} {wanted}; there were {self.events}") from None
            assert line, f"{self.args} ended before {kind} {wanted}; {self.events} {await self.process.stderr.read()}"
            e = json.loads(line)
            if fits(e):
                return e
            self.events.append(e)

    def do(self, word, **more):
        self.process.stdin.write((json.dumps({"do": word, **more}) + "\n").encode())

    async def ends(self, code):
        self.process.stdin.close()
        out, err = await asyncio.wait_for(self.process.communicate(), LIMIT)
        assert self.process.returncode == code, (self.args, self.process.returncode, out, err)
        return out.decode(), err.decode()


class Slixmpp(slixmpp.ClientXMPP):
    """slixmpp, whose events wait in queues."""

    def __init__(self, info, user, password="secret"):
        super().__init__(f"{user}@{info['domain']}/slixmpp", password)
        self.auto_authorize = None
        self.auto_subscribe = False
        self.ca_certs = info["ca"]
        for plugin in ("xep_0030", "xep_0045", "xep_0115", "xep_0184", "xep_0199", "xep_0249"):
            self.register_plugin(plugin)
        self.seen = asyncio.Queue()
        for name in ("session_start", "message", "presence_available", "presence_unavailable", "presence_subscribe",
                     "presence_subscribed", "changed_status", "groupchat_message", "groupchat_subject", "groupchat_invite", "groupchat_direct_invite", "receipt_received"):
            self.add_event_handler(name, lambda e, name=name: self.seen.put_nowait((name, e)))
        self.where = (info["host"], info["c2s"])
        self.kept = []

    async def sign_in(self):
        self.connect(address=self.where)
        await self.until("session_start")
        self.send_presence()
        await self.get_roster()

    async def until(self, name, fits=lambda e: True):
        for pair in self.kept:
            if pair[0] == name and fits(pair[1]):
                self.kept.remove(pair)
                return pair[1]
        while True:
            try:
                got, e = await asyncio.wait_for(self.seen.get(), LIMIT)
            except asyncio.TimeoutError:
                raise AssertionError(f"slixmpp saw no {name}; there were {self.kept}") from None
            if got == name and fits(e):
                return e
            self.kept.append((got, e))


class Strophe:
    """libstrophe, which signs in and carries stanzas; what they say is the test's. Those that came are taken in any order,
    each once."""

    def __init__(self, info, user, password="secret"):
        self.args = [f"{user}@{info['domain']}/strophe", info["host"], str(info["c2s"]), info["ca"]]
        self.env = dict(os.environ, PASSWORD=password)
        self.kept, self.ids, self.came = [], 0, asyncio.Condition()

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(
            os.environ["STROPHE_PEER"], *self.args, env=self.env, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE)
        self.reader = asyncio.create_task(self.read())
        await self.until(lambda e: e.tag == "online")
        return self

    async def __aexit__(self, *_):
        self.process.stdin.close()
        await asyncio.wait_for(self.process.wait(), LIMIT)
        await self.reader

    async def read(self):
        while line := await self.process.stdout.readline():
            async with self.came:
                e = ET.fromstring(line.decode())
                if not self.answered(e):
                    self.kept.append(e)
                self.came.notify_all()

    def answered(self, e):
        """Overridden by who has something to say of itself."""
        return False

    def send(self, stanza):
        self.process.stdin.write(stanza.encode() + b"\n")

    async def until(self, fits):
        """The first stanza that fits and was not handed out before."""
        async def look():
            while True:
                for e in self.kept:
                    if fits(e):
                        self.kept.remove(e)
                        return e
                async with self.came:
                    await self.came.wait()

        try:
            return await asyncio.wait_for(look(), LIMIT)
        except asyncio.TimeoutError:
            raise AssertionError(f"strophe: {[ET.tostring(e) for e in self.kept]}") from None

    async def ask(self, to, query, kind="get"):
        self.ids += 1
        self.send(f"<iq type='{kind}' to='{to}' id='s{self.ids}'>{query}</iq>")
        return await self.until(lambda e, at=f"s{self.ids}": e.tag.endswith("iq") and e.get("id") == at)
