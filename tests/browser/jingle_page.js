// jingle_page.js - accounts of the page's own modules in one document, and between them an XMPP server as small as they need.
// The server keeps what one says to another in order, and lets what different ones say overtake each other, by a seed.
import { Account } from '/account.js';
import { Call } from '/call.js';
import { openFake } from '/media.js';
import { attr, child, make, NS, read, write } from '/xml.js';

const FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing';
const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl';
const BIND = 'urn:ietf:params:xml:ns:xmpp-bind';
const DOMAIN = 'verona.example';

export const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Until it holds, for at most 15 s. */
export async function until(what, holds) {
  for (const end = performance.now() + 15000; !holds();) {
    if (performance.now() > end) throw new Error(`in vain: ${what}`);
    await pause(10);
  }
}

export function random(seed) { // xorshift32
  let x = seed || 1;
  return (n) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % n;
  };
}

class Server {
  sockets = new Map(); // full address -> Socket
  presences = new Map(); // full address -> its newest presence
  names = new Set();
  log = []; // of every stanza between devices: { from, to, stanza }
  #lines = new Map(); // "from to" -> what is on its way
  roll = random(7);
  delay = 12; // ms at most

  heard(socket, text) {
    const e = read(text);
    if (e.localName === 'open') this.#open(socket);
    else if (e.localName === 'auth') this.#auth(socket, e);
    else if (child(e, BIND, 'bind')) this.#bind(socket, e);
    else if (e.namespaceURI === NS.client) this.#stanza(socket, e);
  }

  #open(socket) {
    const what = socket.user ? make(BIND, 'bind') : make(SASL, 'mechanisms', {}, make(SASL, 'mechanism', {}, 'PLAIN'));
    socket.tell(make(FRAMING, 'open', { from: DOMAIN, version: '1.0' }));
    socket.tell(make('http://etherx.jabber.org/streams', 'features', {}, what));
  }

  #auth(socket, e) {
    socket.user = atob(e.textContent).split('\0')[1];
    this.names.add(socket.user);
    socket.tell(make(SASL, 'success'));
  }

  #bind(socket, e) {
    socket.jid = `${socket.user}@${DOMAIN}/d${this.sockets.size + 1}`;
    this.sockets.set(socket.jid, socket);
    socket.tell(make(NS.client, 'iq', { type: 'result', id: attr(e, 'id') }, make(BIND, 'bind', {}, make(BIND, 'jid', {}, socket.jid))));
  }

  #stanza(socket, e) {
    const to = attr(e, 'to');
    e.setAttribute('from', socket.jid);
    if (e.localName === 'presence' && !to) this.#presence(socket, e);
    else if (to && to !== DOMAIN) this.#route(socket.jid, to, e);
    else if (attr(e, 'type') === 'get' || attr(e, 'type') === 'set') this.#answer(socket, e);
  }

  #answer(socket, e) {
    const others = [...this.names].filter((name) => name !== socket.user && !name.startsWith('stranger'));
    const items = others.map((name) => make(NS.roster, 'item', { jid: `${name}@${DOMAIN}`, subscription: 'both' }));
    const known = socket.user.startsWith('stranger') ? [] : items;
    socket.tell(make(NS.client, 'iq', { type: 'result', id: attr(e, 'id') }, child(e, NS.roster) ? make(NS.roster, 'query', {}, ...known) : null));
  }

  #presence(socket, e) {
    for (const [jid, other] of this.sockets) {
      if (other.user === socket.user || socket.user.startsWith('stranger') || other.user.startsWith('stranger')) continue;
      this.#route(socket.jid, jid, e.cloneNode(true));
      if (this.presences.has(jid) && !attr(e, 'type')) this.#route(jid, socket.jid, this.presences.get(jid).cloneNode(true));
    }
    this.presences.set(socket.jid, e);
  }

  #route(from, to, e) {
    const there = this.sockets.has(to) ? [to] : e.localName === 'message' ? [...this.sockets.keys()].filter((jid) => jid.split('/')[0] === to) : [];
    for (const jid of there) {
      this.log.push({ from, to: jid, stanza: e });
      this.#later(from, jid, write(e));
    }
  }

  #later(from, jid, text) {
    const key = `${from} ${jid}`;
    const line = this.#lines.get(key) ?? [];
    this.#lines.set(key, line);
    line.push(text);
    setTimeout(() => this.sockets.get(jid)?.tell(line.shift()), this.roll(this.delay + 1));
  }

  /** What a peer sends by hand. */
  inject(from, to, e) {
    this.#route(from, to, e);
  }

  gone(socket) {
    if (!this.sockets.delete(socket.jid)) return;
    this.#presence(socket, make(NS.client, 'presence', { from: socket.jid, type: 'unavailable' }));
  }
}

export const server = new Server();

window.WebSocket = class Socket {
  static OPEN = 1;
  readyState = 0;
  #inbox = Promise.resolve();

  constructor() {
    setTimeout(() => {
      this.readyState = 1;
      this.onopen?.();
    });
  }

  send(text) {
    queueMicrotask(() => server.heard(this, text));
  }

  tell(what) {
    this.#inbox = this.#inbox.then(() => this.readyState === 1 && this.onmessage({ data: typeof what === 'string' ? what : write(what) }));
  }

  close() {
    if (this.readyState === 3) return;
    this.readyState = 3;
    server.gone(this);
    setTimeout(() => this.onclose?.());
  }
};

/** One device: what app.js does with account and calls, without people. */
export class Device {
  calls = [];
  bells = []; // who rang
  notes = [];
  answers = true; // takes every call

  constructor(name) {
    this.name = name;
    this.jid = `${name}@${DOMAIN}`;
    this.account = new Account();
    this.account.addEventListener('text', ({ detail: { from, text } }) => this.#hear(from, JSON.parse(text)));
    this.account.addEventListener('note', ({ detail }) => this.notes.push(detail.name));
    this.account.addEventListener('left', ({ detail }) => this.call?.peer === detail.id && this.call.peerHasLeft());
    this.account.addEventListener('trouble', ({ detail }) => { this.trouble = detail.message; });
  }

  async signIn() {
    const online = new Promise((resolve) => {
      this.account.addEventListener('state', ({ detail }) => detail === 'on' && resolve());
    });
    this.account.signIn(this.jid, 'secret', `wss://${DOMAIN}/ws`);
    await online;
  }

  get call() {
    return this.calls.findLast((c) => !c.ended) ?? null;
  }

  #make(peer) {
    const c = new Call({ peer, name: peer, iceServers: [], polite: () => this.account.isPolite(peer), send: (text) => this.account.send(peer, text) });
    c.addEventListener('ended', ({ detail }) => { c.why = detail.reason; });
    c.addEventListener('chat', ({ detail }) => (c.texts ??= []).push(detail.text));
    this.calls.push(c);
    return c;
  }

  start(other) {
    const c = this.#make(other.jid);
    this.stream ??= openFake(this.name);
    c.start(this.stream);
    return c;
  }

  #hear(from, message) {
    const { call } = this;
    if (call?.peer === from) call.hear(message);
    else if (message.type === 'bye' && this.ringing?.from === from) this.ringing = null;
    else if (this.ringing?.from === from && 'candidate' in message) this.ringing.early.push(message);
    else if (message.type === 'propose' || message.type === 'offer') this.#ring(from, message, call);
  }

  #ring(from, message, call) {
    this.bells.push(from);
    if (call) {
      this.account.send(from, JSON.stringify({ type: 'bye', reason: 'busy' }));
      return;
    }
    this.ringing = { from, message, early: [] };
    if (this.answers) this.accept();
  }

  async accept() {
    const { from, message, early } = this.ringing;
    this.ringing = null;
    const c = this.#make(from);
    this.stream ??= openFake(this.name);
    if (message.type === 'propose') {
      c.expect(this.stream);
      this.account.send(from, JSON.stringify({ type: 'proceed' }));
      return;
    }
    await c.accept(message, this.stream);
    for (const candidate of early) await c.hear(candidate);
  }
}

/** The newest stanzas, in short. */
function story() {
  return server.log.slice(-24).map(({ from, stanza }) => {
    const jingle = child(stanza, NS.jingle, 'jingle');
    const what = jingle ? `${attr(jingle, 'action')} ${[...jingle.children].map((c) => attr(c, 'name')).filter(Boolean)}` : attr(stanza, 'type');
    return `${from.split('@')[0]}: ${what}${attr(stanza, 'type') === 'error' ? ` ${stanza.querySelector('tie-break, error > *').localName}` : ''}`;
  }).filter((line) => !line.endsWith('result')).join('; ');
}

/** Two devices in a call that is connected. */
export async function pair(a = new Device('romeo'), b = new Device('juliet')) {
  for (const one of [a, b]) if (!one.account.roster.contacts.size) await one.signIn();
  for (const one of [a, b]) await one.account.roster.load();
  await until('both can be called', () => a.account.canCall(b.jid) && b.account.canCall(a.jid));
  a.start(b);
  await until('both are connected', () => a.call?.connectedAt && b.call?.connectedAt && a.call.canChat && b.call.canChat);
  return [a, b];
}

const mirrored = { sendrecv: 'sendrecv', sendonly: 'recvonly', recvonly: 'sendonly', inactive: 'inactive' };

/** What a side says of its media, in the words of the other side if theirs. */
export function mediaOf(call, theirs = false) {
  return call.pc.getTransceivers().filter((t) => t.mid !== null && t.currentDirection && t.currentDirection !== 'stopped')
    .map((t) => `${t.mid} ${t.receiver.track.kind} ${theirs ? mirrored[t.currentDirection] : t.currentDirection}`).sort();
}

/** Until nothing moves any more, and both sides say the same. */
export async function settled(a, b) {
  const state = () => JSON.stringify([a, b].map((d) => [d.call?.pc.signalingState, d.call && mediaOf(d.call), d.call?.pc.connectionState,
    d.call?.pc.getTransceivers().map((t) => `${t.mid} ${t.currentDirection}`).join(),
    d.call?.pc.localDescription.sdp.match(/a=ice-ufrag:.*/)[0]]));
  const still = () => [a, b].every((d) => d.call && d.call.pc.signalingState === 'stable' && d.call.pc.connectionState === 'connected' &&
    d.call.pc.getTransceivers().every((t) => t.stopped || t.currentDirection === 'stopped' || t.mid !== null));
  let since = performance.now(), was = '';
  const end = since + 15000;
  while (!still() || performance.now() - since < 250) {
    if (performance.now() > end) throw new Error(`it does not settle: ${state()} ${[a, b].map((d) => d.calls.at(-1).why).join(' / ')}: ${story()}`);
    if (state() !== was) [was, since] = [state(), performance.now()];
    await pause(10);
  }
  const ours = mediaOf(a.call), theirs = mediaOf(b.call, true);
  if (ours.join() !== theirs.join()) throw new Error(`two calls: ${ours} | ${theirs}`);
  const [la, ra, lb, rb] = [a.call.pc.localDescription, a.call.pc.remoteDescription, b.call.pc.localDescription, b.call.pc.remoteDescription]
    .map((d) => d.sdp.split(/(?=^m=)/m).find((s) => /^m=\S+ [1-9]/.test(s)).match(/a=ice-ufrag:(\S*)/)[1]);
  if (la !== rb || lb !== ra) throw new Error(`two ways: ${[la, rb, lb, ra]}`);
  return ours;
}

/** The Jingle actions that a device has said. */
export const said = (device) => server.log.filter(({ from }) => from.startsWith(`${device.jid}/`))
  .map(({ stanza }) => attr(child(stanza, NS.jingle, 'jingle'), 'action')).filter(Boolean);
