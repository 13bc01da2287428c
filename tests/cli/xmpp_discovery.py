#!/usr/bin/env python3
"""xmpp_discovery.py - `peerline xmpp login` (in PEERLINE) finds the server of example.org: SRV records from a name server
made here (RFC 6120 3.2, XEP-0368), host-meta from a web server made here (XEP-0156). To be run in a network of its own whose
resolver is 127.0.0.1; see xmpp_discovery.test.sh."""

import asyncio
import os
import ssl
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

from xmpp_ends import Program, start_server

DOMAIN = "example.org"
A, SRV = 1, 33


def packed(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".") if p) + b"\0"


class Names(asyncio.DatagramProtocol):
    """Every name below the domain is 127.0.0.1; SRV records are as the step says."""

    def __init__(self):
        self.transport, self.srv, self.asked = None, {}, []

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        end = data.index(b"\0", 12)
        labels, at = [], 12
        while at < end:
            labels.append(data[at + 1:at + 1 + data[at]].decode().lower())
            at += 1 + data[at]
        name, (kind,) = ".".join(labels), struct.unpack("!H", data[end + 1:end + 3])
        self.asked.append((name, kind))
        known, records = name.endswith(DOMAIN), []
        if kind == A and known and not name.startswith("_"):
            records = [bytes([127, 0, 0, 1])]
        elif kind == SRV:
            records = [struct.pack("!HHH", *numbers) + packed(target) for *numbers, target in self.srv.get(name, [])]
        answer = data[:2] + struct.pack("!HHHHH", 0x8180 | (0 if known else 3), 1, len(records), 0, 0)
        answer += data[12:end + 5]
        for r in records:
            answer += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(r)) + r
        self.transport.sendto(answer, addr)


async def web(info, served):
    """https://example.org/, with the certificate that the XMPP server has, too."""
    async def serve(reader, writer):
        path = (await reader.readline()).split()[1].decode()
        while (await reader.readline()).strip():
            pass
        body = served.get(path)
        head = "200 OK" if body else "404 Not Found"
        body = (body or "").encode()
        writer.write(f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    folder = os.path.dirname(info["ca"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
    return await asyncio.start_server(serve, "127.0.0.1", 443, ssl=context)


async def forward(port, to):
    """The usual port of a domain without records."""
    async def pump(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def serve(reader, writer):
        r, w = await asyncio.open_connection("127.0.0.1", to)
        await asyncio.gather(pump(reader, w), pump(r, writer), return_exceptions=True)

    return await asyncio.start_server(serve, "127.0.0.1", port)


def login(info, *options, ca="ca"):
    p = Program(info)
    p.args = ["xmpp", "--ca-file", info[ca], "--json", *options, "login", f"romeo@{DOMAIN}"]
    return p


async def succeeds(info, *options):
    async with login(info, *options) as p:
        await p.event("online")
        await p.ends(0)


async def fails(info, fault, *options, **more):
    async with login(info, *options, **more) as p:
        e = await p.event("trouble")
        assert e["fault"] == fault, e
        await p.ends(1)
        return e["why"]


async def records(info, names):
    plain, direct = f"_xmpp-client._tcp.{DOMAIN}", f"_xmpps-client._tcp.{DOMAIN}"
    refuses = 9  # nobody listens there
    # the first one refuses, the next one has it; the certificate is the domain's, whatever the host is called
    names.srv = {plain: [(20, 0, info["c2s"], "second.hosts." + DOMAIN), (10, 0, refuses, "first.hosts." + DOMAIN)]}
    names.asked.clear()
    await succeeds(info)
    hosts = [name for name, kind in names.asked if kind == A]
    assert hosts.index("first.hosts." + DOMAIN) < hosts.index("second.hosts." + DOMAIN), names.asked
    # both sets are one list: TLS from the first byte, since it stands first
    names.srv = {plain: [(20, 0, refuses, "b." + DOMAIN)], direct: [(10, 5, info["c2s_tls"], "a." + DOMAIN)]}
    names.asked.clear()
    await succeeds(info)
    assert not any(name == "b." + DOMAIN for name, _ in names.asked), names.asked
    # and falls back from one set to the other; a weight of zero is a chance, too
    names.srv = {plain: [(5, 0, refuses, "a." + DOMAIN), (5, 100, refuses, "b." + DOMAIN)],
                 direct: [(6, 0, info["c2s_tls"], "c." + DOMAIN)]}
    await succeeds(info)
    names.srv = {plain: [(0, 0, refuses, "a." + DOMAIN)], direct: [(1, 0, refuses, "b." + DOMAIN)]}
    await fails(info, "unreachable")
    names.srv = {plain: [(0, 0, 0, ".")], direct: [(0, 0, 0, ".")]}
    assert "no XMPP service" in await fails(info, "unreachable")
    names.srv = {}
    server = await forward(5222, info["c2s"])  # no records: the domain itself
    await succeeds(info)
    server.close()


async def host_meta(info):
    link = "<Link rel='urn:xmpp:alt-connections:{}' href='{}'/>"
    head = "<?xml version='1.0' encoding='utf-8'?><XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>{}</XRD>"
    at = f"{DOMAIN}:{info['https']}"
    served, path = {}, "/.well-known/host-meta"
    server = await web(info, served)
    assert "host-meta" in await fails(info, "unreachable", "--websocket", "auto")  # 404
    served[path] = head.format(link.format("websocket", f"ws://{at}/xmpp-websocket"))  # not encrypted: not believed
    assert "host-meta" in await fails(info, "unreachable", "--websocket", "auto")
    served[path] = head.format(link.format("xbosh", f"https://{at}/http-bind") +
                               link.format("websocket", f"wss://{at}/xmpp-websocket"))
    await succeeds(info, "--websocket", "auto")
    await succeeds(info, "--bosh", "auto")
    assert "host-meta" in await fails(info, "unreachable", "--bosh", "auto", ca="other_ca")  # whom the answer is from counts
    served[path] = "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><XRD>&a;</XRD>"
    assert "host-meta" in await fails(info, "unreachable", "--bosh", "auto")
    server.close()


async def journey(info):
    loop = asyncio.get_event_loop()
    _, names = await loop.create_datagram_endpoint(Names, local_addr=("127.0.0.1", 53))
    await records(info, names)
    await host_meta(info)


def main():
    server, info = start_server("prosody", "--domain", DOMAIN)
    try:
        asyncio.get_event_loop().run_until_complete(journey(info))
        print("discovery: all well")
    finally:
        server.stdin.close()
        server.wait()


main()
