// account.js - an XMPP account in the place of a room (rooms.js): the same peers, texts and events, carried by Jingle.

import { JingleSession, Refused } from './jingle.js';
import { Roster } from './roster.js';
import { attr, bare, child, children, make, NS, refusal } from './xml.js';
import { Xmpp } from './xmpp.js';

const RING_MS = 60000;
const offered = () => ['audio', 'video'].map((media) => make(NS.rtp, 'description', { media }));

/** Peers are bare addresses. Texts that go to call.js: offers, answers, candidates, {"type":"bye"}; and {"type":"propose"}: somebody
 *  asks whether we want a call (XEP-0353), which {"type":"proceed"} answers before any description comes.
 *  Events: those of Rooms, request {jid}, note {text}, trouble {message}. */
export class Account extends EventTarget {
  #xmpp = new Xmpp();
  #calls = new Map(); // bare address -> { id, phase, weCalled, session, waiting, device, timer }
  anybody = false; // strangers may ring

  constructor() {
    super();
    this.roster = new Roster(this.#xmpp);
    this.#xmpp.addEventListener('state', ({ detail }) => this.#tell('state', detail));
    this.#xmpp.addEventListener('trouble', ({ detail }) => this.#tell('trouble', { message: detail.message, final: detail.final }));
    this.#xmpp.addEventListener('opened', ({ detail }) => detail.resumed || this.#start());
    this.#xmpp.addEventListener('lost', () => this.#lost());
    this.#xmpp.addEventListener('stanza', (event) => this.#take(event.detail) && event.preventDefault());
    this.roster.addEventListener('change', () => this.#tell('peers'));
    this.roster.addEventListener('request', ({ detail }) => this.#tell('request', detail));
    this.roster.addEventListener('gone', ({ detail: { jid } }) => {
      if (this.#calls.get(bare(jid))?.device === jid) this.#tell('left', { id: bare(jid), name: this.nameOf(bare(jid)) });
    });
  }

  get peers() {
    return new Map([...this.roster.contacts].map(([jid, c]) => [jid, c.name]));
  }

  nameOf(jid) {
    return this.roster.contacts.get(jid)?.name ?? jid;
  }

  canCall(jid) {
    return this.roster.deviceOf(jid) !== null;
  }

  isPolite(peer) {
    return !this.#calls.get(peer)?.weCalled;
  }

  signIn(jid, password, url) {
    this.#xmpp.open({ jid, password, url });
  }

  signOut() {
    this.#xmpp.send(make(NS.client, 'presence', { type: 'unavailable' }));
    this.#xmpp.close();
  }

  async #start() {
    this.#xmpp.ask('set', undefined, make(NS.carbons, 'enable')).catch(() => {}); // not every server has them
    try {
      await this.roster.load();
    } catch (error) {
      this.#tell('trouble', { message: `The contacts did not come: ${error.message}` });
    }
  }

  /** A session that does not come back takes what was not connected yet; calls that run need no server. */
  #lost() {
    for (const [peer, call] of [...this.#calls]) {
      call.session?.end('gone', false);
      this.#forget(peer);
      this.#tell('left', { id: peer, name: this.nameOf(peer) });
    }
  }

  // ---- what the page says ----

  send(peer, text) {
    const message = JSON.parse(text);
    const call = this.#calls.get(peer);
    if (message.type === 'bye') this.#bye(peer, call, message.reason);
    else if (message.type === 'proceed') this.#proceed(peer, call);
    else if (message.type === 'offer' && !call) this.#propose(peer, message);
    else if (call && (call.phase === 'asking' || call.phase === 'awaited')) call.waiting.push(message);
    else if (call?.session) this.#carry(call, message);
    return this.#xmpp.online;
  }

  #carry({ session }, message) {
    if (message.type) session.describe(message);
    else if ('candidate' in message) session.candidate(message);
  }

  /** Tells whom we talk to that our microphone or camera is on, or off (XEP-0167 9). */
  inform(peer, kind, on) {
    this.#calls.get(peer)?.session?.inform(on ? 'unmute' : 'mute', kind);
  }

  #message(to, name, id, ...inside) {
    this.#xmpp.send(make(NS.client, 'message', { to, type: 'chat', id: this.#xmpp.newId() },
      make(NS.message, name, { id }, ...inside), make(NS.hints, 'store')));
  }

  #remember(peer, call) {
    this.#calls.set(peer, { waiting: [], session: null, device: null, ...call });
    return this.#calls.get(peer);
  }

  #forget(peer) {
    clearTimeout(this.#calls.get(peer)?.timer);
    this.#calls.delete(peer);
  }

  /** All devices are asked; one that does not know how is called at once. */
  #propose(peer, offer) {
    const [device, { features } = {}] = this.roster.deviceOf(peer) ?? [];
    const id = crypto.randomUUID();
    const call = this.#remember(peer, { id, phase: 'asking', weCalled: true, waiting: [offer] });
    const some = [...this.roster.contacts.get(peer)?.devices.values() ?? []].some((d) => d.features.has(NS.message));
    if (device && !features.has(NS.message) && !some) {
      this.#call(peer, call, device);
      return;
    }
    this.#message(peer, 'propose', id, ...offered());
    call.timer = setTimeout(() => {
      if (this.#calls.get(peer) !== call || call.phase !== 'asking') return;
      this.#bye(peer, call);
      this.#hear(peer, { type: 'bye' });
    }, RING_MS);
  }

  #call(peer, call, device) {
    clearTimeout(call.timer);
    call.phase = 'calling';
    call.device = device;
    call.session = this.#session(peer, device, call.id, true);
    for (const message of call.waiting.splice(0)) this.#carry(call, message);
  }

  #session(peer, device, sid, weCalled) {
    const session = new JingleSession({ xmpp: this.#xmpp, peer: device, sid, weCalled,
      hear: (message) => this.#hear(peer, message),
      note: (name, text) => this.#tell('note', { peer, name, text }),
      over: (why, reason) => {
        if (this.#calls.get(peer)?.session === session) this.#forget(peer);
        this.#hear(peer, { type: 'bye', reason: reason === 'busy' ? 'busy' : undefined, why });
      } });
    return session;
  }

  #proceed(peer, call) {
    if (call?.phase !== 'ringing' || call.session) return;
    clearTimeout(call.timer);
    call.phase = 'expected';
    this.#message(this.#xmpp.account, 'accept', call.id);
    this.#message(call.device, 'proceed', call.id);
  }

  #bye(peer, call, reason) {
    if (!call) return;
    this.#forget(peer);
    const words = { busy: 'busy', declined: 'decline' };
    const active = call.session?.state === 'active';
    const word = words[reason] ?? (active ? 'success' : call.weCalled ? 'cancel' : 'decline');
    if (call.session) call.session.end(word);
    else if (call.weCalled) this.#message(peer, 'retract', call.id, make(NS.jingle, 'reason', {}, make(NS.jingle, 'cancel')));
    else this.#reject(peer, call.device, call.id, word);
  }

  #reject(peer, device, id, reason) {
    const why = () => make(NS.jingle, 'reason', {}, make(NS.jingle, reason));
    this.#message(this.#xmpp.account, 'reject', id, why()); // our other devices stop ringing
    this.#message(device, 'reject', id, why());
  }

  #hear(peer, message) {
    this.#tell('text', { from: peer, text: JSON.stringify(message) });
  }

  // ---- what comes ----

  #mayRing(from) {
    return this.anybody || this.roster.isTrusted(from);
  }

  #take({ stanza, ours }) {
    if (stanza.localName === 'message') return this.#takeMessage(stanza, ours);
    const jingle = stanza.localName === 'iq' && attr(stanza, 'type') === 'set' ? child(stanza, NS.jingle, 'jingle') : null;
    if (!jingle) return false;
    const refuse = (error) => {
      const { type, condition, special } = error instanceof Refused ? error : new Refused('modify', 'bad-request');
      this.#xmpp.send(refusal(stanza, type, condition, special ? make(NS.errors, special) : null));
    };
    try {
      this.#takeJingle(attr(stanza, 'from') ?? '', jingle, { acknowledge: () => this.#xmpp.reply(stanza), refuse });
    } catch (error) {
      refuse(error);
    }
    return true;
  }

  #takeJingle(from, jingle, iq) {
    const sid = attr(jingle, 'sid') ?? '';
    const action = attr(jingle, 'action') ?? '';
    const peer = bare(from);
    let call = this.#calls.get(peer);
    if (action === 'session-initiate') {
      call = this.#takeInitiate(from, sid, call);
    } else if (call?.session?.sid !== sid || call.session.peer !== from) {
      throw new Refused('cancel', 'item-not-found', 'unknown-session');
    }
    try {
      call.session.take(action, jingle, iq);
    } catch (error) {
      if (call.session.state === 'new') this.#forget(peer); // nothing has begun
      throw error;
    }
  }

  /** Whoever may not ring hears what a server says of an address where nobody is. */
  #takeInitiate(from, sid, call) {
    const peer = bare(from);
    if (!sid || sid.length > 256 || (!this.#mayRing(from) && call?.phase !== 'expected')) throw new Refused('cancel', 'service-unavailable');
    const expected = call?.phase === 'expected' && call.id === sid && call.device === from;
    if (call?.session?.sid === sid) throw new Refused('wait', 'unexpected-request', 'out-of-order');
    if (call && !expected && call.weCalled && call.id < sid) throw new Refused('cancel', 'conflict', 'tie-break');
    if (call && !expected) this.#drop(peer, call);
    const fresh = expected ? call : this.#remember(peer, { id: sid, weCalled: false, device: from });
    fresh.phase = 'called';
    fresh.session = this.#session(peer, from, sid, false);
    return fresh;
  }

  /** Two calls that cross: ours is given up for theirs. */
  #drop(peer, call) {
    if (call.session) call.session.end('alternative-session');
    this.#forget(peer);
  }

  #takeMessage(stanza, ours) {
    let said = stanza;
    const carbon = children(stanza, NS.carbons).find((c) => ['sent', 'received'].includes(c.localName));
    if (carbon) {
      if (!ours) return true;
      said = child(child(carbon, NS.forward, 'forwarded'), NS.client, 'message');
    }
    const word = child(said, NS.message);
    const id = attr(word, 'id');
    const from = attr(said, 'from') ?? '';
    if (!word || !id || id.length > 127 || attr(said, 'type') === 'error') return word !== null && this.#bounced(said, word);
    if (child(said, 'urn:xmpp:delay', 'delay')) return true; // kept while we were away
    if (bare(from) === this.#xmpp.account) this.#takeOwn(from, word.localName, id);
    else this.#takeWord(from, word, id);
    return true;
  }

  #bounced(said, word) {
    const peer = bare(attr(said, 'from'));
    const call = this.#calls.get(peer);
    if (word.localName === 'propose' && call?.phase === 'asking' && call.id === attr(word, 'id')) {
      this.#forget(peer);
      this.#tell('refused', { code: 'no-such-peer', to: peer });
    }
    return true;
  }

  /** Another device of ours has decided. */
  #takeOwn(from, name, id) {
    if (from === this.#xmpp.jid || !['accept', 'proceed', 'reject'].includes(name)) return;
    const [peer] = [...this.#calls].find(([, c]) => c.id === id && c.phase === 'ringing') ?? [];
    if (!peer) return;
    this.#forget(peer);
    this.#hear(peer, { type: 'bye', elsewhere: true });
  }

  #takeWord(from, word, id) {
    const peer = bare(from);
    const call = this.#calls.get(peer);
    const name = word.localName;
    if (name === 'propose') this.#takePropose(from, id, call);
    else if (!call || call.id !== id) return;
    else if (name === 'ringing' && call.phase === 'asking') this.#tell('note', { peer, name, text: 'It rings there' });
    else if (name === 'proceed' && call.phase === 'asking') this.#call(peer, call, from);
    else if ((name === 'reject' && call.phase === 'asking') || (name === 'retract' && !call.weCalled && !call.session)) {
      this.#forget(peer);
      const busy = child(child(word, NS.jingle, 'reason'), NS.jingle, 'busy');
      this.#hear(peer, { type: 'bye', reason: busy ? 'busy' : undefined });
    }
  }

  #takePropose(from, id, call) {
    const peer = bare(from);
    if (call?.id === id) return; // said once more, to a device that might have come since
    if (!this.#mayRing(from) || call?.session) {
      if (call?.session) this.#message(from, 'reject', id, make(NS.jingle, 'reason', {}, make(NS.jingle, 'busy')));
      return;
    }
    const crossed = call?.phase === 'asking';
    if (crossed && call.id < id) { // ours goes first, and theirs is taken back; that device may have come since, and know of none
      this.#message(from, 'propose', call.id, ...offered());
      this.#message(from, 'reject', id, make(NS.jingle, 'reason', {}, make(NS.jingle, 'expired')), make(NS.message, 'tie-break'));
      return;
    }
    if (call) this.#drop(peer, call);
    const fresh = this.#remember(peer, { id, phase: 'ringing', weCalled: false, device: from });
    if (crossed) { // both want it: nobody need ring
      this.#proceed(peer, fresh);
      return;
    }
    this.#message(from, 'ringing', id);
    fresh.timer = setTimeout(() => {
      this.#forget(peer);
      this.#hear(peer, { type: 'bye' });
    }, RING_MS);
    this.#hear(peer, { type: 'propose' });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
