// xml.js - XML as XMPP uses it (RFC 6120 11): elements are made from strings and read with bounds, never as HTML.

const DEPTH_MAX = 64;

/** Namespaces by short names. */
export const NS = {
  client: 'jabber:client',
  roster: 'jabber:iq:roster',
  info: 'http://jabber.org/protocol/disco#info',
  caps: 'http://jabber.org/protocol/caps',
  stanzas: 'urn:ietf:params:xml:ns:xmpp-stanzas',
  carbons: 'urn:xmpp:carbons:2',
  forward: 'urn:xmpp:forward:0',
  hints: 'urn:xmpp:hints',
  ping: 'urn:xmpp:ping',
  jingle: 'urn:xmpp:jingle:1',
  errors: 'urn:xmpp:jingle:errors:1',
  message: 'urn:xmpp:jingle-message:0',
  rtp: 'urn:xmpp:jingle:apps:rtp:1',
  rtpInfo: 'urn:xmpp:jingle:apps:rtp:info:1',
  feedback: 'urn:xmpp:jingle:apps:rtp:rtcp-fb:0',
  hdrext: 'urn:xmpp:jingle:apps:rtp:rtp-hdrext:0',
  ssma: 'urn:xmpp:jingle:apps:rtp:ssma:0',
  msid: 'urn:xmpp:jingle:apps:rtp:msid:0',
  grouping: 'urn:xmpp:jingle:apps:grouping:0',
  dtls: 'urn:xmpp:jingle:apps:dtls:0',
  sctp: 'urn:xmpp:jingle:transports:dtls-sctp:1',
  channels: 'urn:xmpp:jingle:transports:webrtc-datachannel:0',
  ice: 'urn:xmpp:jingle:transports:ice-udp:1',
  iceOption: 'http://gultsch.de/xmpp/drafts/jingle/transports/ice-udp/option',
};

const home = document.implementation.createDocument(null, null);
// What XML 1.0 cannot hold (section 2.2) would make the server end the stream.
// eslint-disable-next-line no-control-regex
const clean = (text) => String(text).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '').toWellFormed();

/** An element; attributes that are undefined or null are left out, and so are such children. Strings are text. */
export function make(ns, name, attributes = {}, ...children) {
  const e = home.createElementNS(ns, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) e.setAttribute(key, clean(value));
  }
  e.append(...children.flat().filter((c) => c !== undefined && c !== null).map((c) => (c instanceof Node ? c : clean(c))));
  return e;
}

export const write = (element) => new XMLSerializer().serializeToString(element);

/** One stanza of a message of the WebSocket. Throws on what RFC 6120 11.1 forbids, and over the bounds. */
export function read(text, max = 1 << 19) {
  if (typeof text !== 'string' || text.length > max) throw new Error('a stanza is too large');
  if (/<!(?!\[CDATA\[)|<\?(?!xml )/.test(text)) throw new Error('a stanza with what XMPP does not have');
  const root = new DOMParser().parseFromString(text, 'application/xml').documentElement;
  if (!root || root.localName === 'parsererror' || root.getElementsByTagName('parsererror').length) {
    throw new Error('a stanza is no XML');
  }
  const deep = (e, left) => left > 0 && [...e.children].every((c) => deep(c, left - 1));
  if (!deep(root, DEPTH_MAX)) throw new Error('a stanza is too deep');
  return root;
}

export const is = (e, ns, name) => e?.localName === name && e.namespaceURI === ns;
export const children = (e, ns, name) => [...(e?.children ?? [])].filter((c) => c.namespaceURI === ns && (!name || c.localName === name));
export const child = (e, ns, name) => children(e, ns, name)[0] ?? null;
export const attr = (e, name) => e?.getAttribute(name) ?? undefined;

/** Local and domain part of an address do not tell capitals apart. */
export const bare = (jid) => (jid ?? '').split('/', 1)[0].toLowerCase();

/** An error stanza in answer to an iq. */
export function refusal(iq, type, condition, ...more) {
  return make(NS.client, 'iq', { type: 'error', id: attr(iq, 'id'), to: attr(iq, 'from') },
    make(NS.client, 'error', { type }, make(NS.stanzas, condition), ...more));
}
