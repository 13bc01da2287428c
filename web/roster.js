// roster.js - contacts, who of them is there, and which of their devices can be called (RFC 6121, XEP-0115).

import { toBase64 } from './sasl.js';
import { attr, bare, child, children, make, NS } from './xml.js';

const NODE = 'https://peerline.example/page';
const CONTACTS_MAX = 5000;
const DEVICES_MAX = 32; // of one account
const REQUESTS_MAX = 50;
const FEATURES_MAX = 500;
export const FEATURES = [
  NS.info, NS.caps, NS.ping, NS.jingle, NS.message, NS.rtp, `${NS.rtp.slice(0, -1)}audio`, `${NS.rtp.slice(0, -1)}video`,
  NS.feedback, NS.hdrext, NS.ssma, NS.grouping, NS.dtls, NS.sctp, NS.channels, NS.ice,
].sort();
const identities = ['client/web//Peerline'];

async function hashOf(who, features) {
  const text = [...who].sort().concat([...features].sort()).map((line) => `${line}<`).join('');
  return toBase64(await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text)));
}

/** Events: change, gone {jid}: a device has left; request {jid}: somebody wants to see when we are there. */
export class Roster extends EventTarget {
  #xmpp;
  #known = new Map(); // capability hash -> Promise of features
  contacts = new Map(); // bare address -> { name, subscription, devices: Map of full address -> { show, priority, features } }
  requests = new Set();

  constructor(xmpp) {
    super();
    this.#xmpp = xmpp;
    xmpp.addEventListener('stanza', (event) => {
      if (this.#take(event.detail)) event.preventDefault();
    });
    xmpp.addEventListener('lost', () => {
      for (const c of this.contacts.values()) c.devices.clear();
      this.#changed();
    });
  }

  /** A new session: asks for the contacts and says that we are here. */
  async load() {
    const answer = await this.#xmpp.ask('get', undefined, make(NS.roster, 'query'));
    const fresh = children(child(answer, NS.roster, 'query'), NS.roster, 'item').slice(0, CONTACTS_MAX);
    const devices = new Map([...this.contacts].map(([jid, c]) => [jid, c.devices]));
    this.contacts.clear();
    for (const item of fresh) this.#put(item, devices);
    this.#xmpp.send(make(NS.client, 'presence', {}, make(NS.caps, 'c', { hash: 'sha-1', node: NODE, ver: await hashOf(identities, FEATURES) })));
    this.#changed();
  }

  #put(item, devices) {
    const jid = bare(attr(item, 'jid'));
    const subscription = attr(item, 'subscription') ?? 'none';
    if (subscription === 'remove') {
      this.contacts.delete(jid);
      return;
    }
    const old = this.contacts.get(jid);
    if (!jid || (!old && this.contacts.size >= CONTACTS_MAX)) return;
    const name = attr(item, 'name')?.slice(0, 128) || jid.split('@')[0];
    this.contacts.set(jid, { name, subscription, asked: attr(item, 'ask') === 'subscribe', devices: old?.devices ?? devices?.get(jid) ?? new Map() });
  }

  /** Who may ring: those whom we let see that we are here. */
  isTrusted(jid) {
    return ['both', 'from'].includes(this.contacts.get(bare(jid))?.subscription);
  }

  /** The device to call: with Jingle, of the highest priority. Null: none. */
  deviceOf(jid) {
    const able = [...(this.contacts.get(bare(jid))?.devices ?? [])].filter(([, d]) => d.features.has(NS.jingle) && d.features.has(NS.rtp));
    return able.sort((a, b) => b[1].priority - a[1].priority)[0] ?? null;
  }

  /** "online", "away", "dnd", …, or "offline". */
  showOf(jid) {
    const devices = [...(this.contacts.get(jid)?.devices.values() ?? [])];
    return devices.sort((a, b) => b.priority - a.priority)[0]?.show ?? 'offline';
  }

  #presence(to, type) {
    this.#xmpp.send(make(NS.client, 'presence', { to, type }));
  }

  async add(jid) {
    await this.#xmpp.ask('set', undefined, make(NS.roster, 'query', {}, make(NS.roster, 'item', { jid: bare(jid) })));
    this.#presence(bare(jid), 'subscribe');
  }

  remove(jid) {
    return this.#xmpp.ask('set', undefined, make(NS.roster, 'query', {}, make(NS.roster, 'item', { jid, subscription: 'remove' })));
  }

  /** Of who asked: they see us and may call. We ask to see them, too. */
  allow(jid) {
    this.requests.delete(jid);
    this.#presence(jid, 'subscribed');
    if (!['both', 'to'].includes(this.contacts.get(jid)?.subscription)) this.#presence(jid, 'subscribe');
    this.#changed();
  }

  refuse(jid) {
    this.requests.delete(jid);
    this.#presence(jid, 'unsubscribed');
    this.#changed();
  }

  #take({ stanza, ours }) {
    if (stanza.localName === 'presence') {
      this.#takePresence(stanza);
      return true;
    }
    const query = stanza.localName === 'iq' ? child(stanza, NS.roster, 'query') : null;
    if (query && ours && attr(stanza, 'type') === 'set') { // a push counts from our own account alone
      for (const item of children(query, NS.roster, 'item')) this.#put(item);
      this.#xmpp.reply(stanza);
      this.#changed();
      return true;
    }
    const info = stanza.localName === 'iq' && attr(stanza, 'type') === 'get' ? child(stanza, NS.info, 'query') : null;
    if (!info || !(ours || this.isTrusted(attr(stanza, 'from')))) return false;
    this.#xmpp.reply(stanza, make(NS.info, 'query', { node: attr(info, 'node') },
      make(NS.info, 'identity', { category: 'client', type: 'web', name: 'Peerline' }),
      ...FEATURES.map((name) => make(NS.info, 'feature', { var: name }))));
    return true;
  }

  #takePresence(stanza) {
    const from = attr(stanza, 'from') ?? '';
    const type = attr(stanza, 'type');
    const contact = this.contacts.get(bare(from));
    if (type === 'subscribe') {
      if (this.requests.size < REQUESTS_MAX) this.requests.add(bare(from));
      this.dispatchEvent(new CustomEvent('request', { detail: { jid: bare(from) } }));
    } else if (type === 'unavailable' && contact?.devices.delete(from)) {
      this.dispatchEvent(new CustomEvent('gone', { detail: { jid: from } }));
    } else if (!type && contact && (contact.devices.has(from) || contact.devices.size < DEVICES_MAX)) {
      this.#takeDevice(stanza, from, contact);
    }
    this.#changed();
  }

  #takeDevice(stanza, from, contact) {
    const show = child(stanza, NS.client, 'show')?.textContent;
    const c = child(stanza, NS.caps, 'c');
    const device = contact.devices.get(from) ?? { features: new Set(), ver: '' };
    device.show = ['away', 'xa', 'dnd'].includes(show) ? show : 'online';
    device.priority = Number(child(stanza, NS.client, 'priority')?.textContent) || 0;
    contact.devices.set(from, device);
    const ver = c && attr(c, 'hash') === 'sha-1' ? attr(c, 'ver') : '';
    if (ver && ver === device.ver) return;
    device.ver = ver;
    this.#featuresOf(from, attr(c, 'node'), ver).then((features) => {
      device.features = features;
      this.#changed();
    }, () => {}); // a device that does not answer cannot be called
  }

  async #ask(jid, node, ver) {
    const answer = await this.#xmpp.ask('get', jid, make(NS.info, 'query', { node: ver ? `${node}#${ver}` : undefined }));
    const query = child(answer, NS.info, 'query');
    const features = children(query, NS.info, 'feature').map((f) => attr(f, 'var') ?? '').slice(0, FEATURES_MAX);
    const who = children(query, NS.info, 'identity').map((i) => [attr(i, 'category'), attr(i, 'type'),
      i.getAttributeNS('http://www.w3.org/XML/1998/namespace', 'lang'), attr(i, 'name')].map((part) => part ?? '').join('/'));
    const plain = !children(query, 'jabber:x:data').length && ![...who, ...features].some((line) => line.includes('<'));
    return { features: new Set(features), honest: Boolean(ver) && plain && await hashOf(who, features) === ver };
  }

  /** One question a hash. An answer that the hash does not prove counts for who gave it alone. */
  async #featuresOf(jid, node, ver) {
    if (ver && this.#known.has(ver)) {
      const shared = await this.#known.get(ver);
      if (shared?.honest) return shared.features;
    }
    const answer = this.#ask(jid, node, ver);
    if (ver && this.#known.size < 1000) {
      this.#known.set(ver, answer.catch(() => null));
    }
    return (await answer).features;
  }

  #changed() {
    this.dispatchEvent(new CustomEvent('change'));
  }
}
