"""What the tests of files over XMPP share: files, Romeo who sends with `peerline`, Juliet who receives, and that they know
each other."""

import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

from xmpp_ends import Program

JINGLE, FILE = "urn:xmpp:jingle:1", "urn:xmpp:jingle:apps:file-transfer:5"


def make(folder, name, size):
    data = hashlib.shake_128(name.encode()).digest(size)
    with open(f"{folder}/{name}", "wb") as f:
        f.write(data)
    return f"{folder}/{name}", data


def read(path):
    with open(path, "rb") as f:
        return f.read()


class Pair:
    """Romeo sends, Juliet receives."""

    def __init__(self, info, into):
        self.info, self.into = info, into
        self.romeo, self.juliet = f"romeo@{info['domain']}", f"juliet@{info['domain']}"

    def receiver(self, *options, disk=None):
        """With a disk of its own, of so many bytes, where it puts its files: nobody else sees them then."""
        mount = 'mount -t tmpfs -o size="$0" tmpfs "$1" && shift && exec "$@"'
        under = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(disk), self.into] if disk else []
        return Program(self.info, "--resource", "balcony", "--into", self.into, *options, "receive", self.juliet,
                       under=under)

    def sender(self, *files, options=(), to=None):
        return Program(self.info, "--resource", "orchard", "--patience", "60", *options, "send-file", self.romeo,
                       to or self.juliet, *files)


async def befriend(pair):
    async with Program(pair.info, "roster", pair.romeo) as r, Program(pair.info, "roster", pair.juliet) as j:
        await r.event("roster")
        await j.event("roster")
        r.do("add", jid=pair.juliet)
        await j.event("request", jid=pair.romeo)
        j.do("accept", jid=pair.romeo)
        j.do("add", jid=pair.romeo)
        await r.event("request", jid=pair.juliet)
        r.do("accept", jid=pair.juliet)
        await r.event("contact", jid=pair.juliet, subscription="both")
        await j.event("contact", jid=pair.romeo, subscription="both")
        for p in (r, j):
            p.do("quit")
            await p.ends(0)
