// xmpp.js - an XMPP account over a WebSocket (RFC 7395): log-in, stanzas, requests, and coming back after a loss.

import { attr, bare, child, children, is, make, NS, read, refusal, write } from './xml.js';
import { chooseMechanism, Login } from './sasl.js';

const FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing';
const STREAMS = 'http://etherx.jabber.org/streams';
const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl';
const BIND = 'urn:ietf:params:xml:ns:xmpp-bind';
const SM = 'urn:xmpp:sm:3';
const ALTERNATIVE = 'urn:xmpp:alt-connections:websocket';
const LOGIN_MS = 20000;
const ANSWER_MS = 20000;
const QUIET_MS = 30000; // after so long a silence the server is asked whether it is there
const UNACKED_MAX = 1000;

/** Trouble in words for people. final: to try again would not help. */
export class XmppError extends Error {
  constructor(message, { final = false, condition = '' } = {}) {
    super(message);
    this.final = final;
    this.condition = condition;
  }
}

const streamWords = {
  conflict: ['This device\'s place was taken by another log-in.', true],
  'host-unknown': ['The server does not serve that domain.', true],
  'host-gone': ['The server does not serve that domain any more.', true],
  'not-authorized': ['The server wants a new log-in.', false],
  'policy-violation': ['The server says that a rule of its was broken.', true],
  'resource-constraint': ['The server is too busy.', false],
  'system-shutdown': ['The server shuts down.', false],
  'connection-timeout': ['The server has not heard from this page for too long.', false],
};
const loginWords = {
  'not-authorized': 'The address or the password is wrong.',
  'account-disabled': 'This account is disabled.',
  'credentials-expired': 'The password has expired.',
  'temporary-auth-failure': 'The server cannot check passwords at the moment.',
  'mechanism-too-weak': 'The server wants a stronger way to log in than this page has.',
};

/** Where the domain says that its WebSocket is (XEP-0156, RFC 7395 4); null when it says nothing. */
export async function discover(domain) {
  const get = async (name) => {
    const answer = await fetch(`https://${domain}/.well-known/${name}`, { signal: AbortSignal.timeout(8000), credentials: 'omit' });
    const text = answer.ok ? await answer.text() : '';
    return text.length < 65536 ? text : '';
  };
  const links = {
    'host-meta.json': (text) => JSON.parse(text).links ?? [],
    'host-meta': (text) => children(read(text), 'http://docs.oasis-open.org/ns/xri/xrd-1.0', 'Link')
      .map((e) => ({ rel: attr(e, 'rel'), href: attr(e, 'href') })),
  };
  for (const [name, parse] of Object.entries(links)) {
    try {
      const link = parse(await get(name)).find((l) => l.rel === ALTERNATIVE && /^wss:/.test(l.href));
      if (link) return link.href;
    } catch {
      // not there, or not for this page's eyes: the next form is asked
    }
  }
  return null;
}

/** Events: state ("wait" | "on" | "off"), opened {resumed}, lost (a session that will not come back), stanza {stanza},
 *  trouble {message, final}. Stanzas that nobody takes (event.preventDefault) are answered as RFC 6120 8.4 wants. */
export class Xmpp extends EventTarget {
  #socket = null;
  #inbox = null; // while a session is agreed on: what waits to be read
  #password = '';
  #wanted = false;
  #asked = new Map(); // id -> { resolve, reject, timer, to }
  #sm = null; // { id, in, out, queue } of XEP-0198
  #pause = 500;
  #timer = 0;
  #quiet = 0;
  #count = 0;
  online = false;
  jid = '';

  open({ jid, password, url }) {
    Object.assign(this, { account: bare(jid), domain: bare(jid).split('@').pop(), url });
    this.#password = password;
    this.#wanted = true;
    this.#pause = 500;
    this.#connect();
  }

  close() {
    this.#wanted = false;
    clearTimeout(this.#timer);
    if (this.#socket?.readyState === WebSocket.OPEN) this.#write(make(FRAMING, 'close'));
    this.#socket?.close();
    this.#gone(new XmppError('Signed out.', { final: true }));
  }

  // ---- stanzas ----

  /** Sends, or keeps until the session is resumed. False: there is no session. */
  send(stanza) {
    if (!this.#sm && !this.online) return false;
    if (this.#sm) {
      if (this.#sm.queue.length >= UNACKED_MAX) return false;
      this.#sm.out = (this.#sm.out + 1) >>> 0;
      this.#sm.queue.push(stanza);
    }
    if (!this.online) return true;
    this.#write(stanza);
    if (this.#sm) this.#write(make(SM, 'r'));
    return true;
  }

  newId() {
    return `p${(this.#count += 1).toString(36)}-${crypto.randomUUID().slice(0, 8)}`;
  }

  /** A request; resolves with the answer, rejects with an XmppError whose condition is the error's. */
  ask(type, to, payload, ms = ANSWER_MS) {
    const id = this.newId();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#answer(id)?.reject(new XmppError('No answer came.', { condition: 'timeout' })), ms);
      this.#asked.set(id, { resolve, reject, timer, to });
      if (!this.send(make(NS.client, 'iq', { type, id, to }, payload))) {
        this.#answer(id).reject(new XmppError('There is no connection.', { condition: 'lost' }));
      }
    });
  }

  #answer(id) {
    const asked = this.#asked.get(id);
    clearTimeout(asked?.timer);
    this.#asked.delete(id);
    return asked;
  }

  reply(iq, ...payload) {
    this.send(make(NS.client, 'iq', { type: 'result', id: attr(iq, 'id'), to: attr(iq, 'from') }, ...payload));
  }

  #write(e) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(write(e));
  }

  #isFrom(stanza, to) {
    const from = attr(stanza, 'from');
    const own = !from || [this.account, this.domain].includes(from.toLowerCase()) || from === this.jid;
    return to ? from === to || (own && bare(to) === this.account) || from?.toLowerCase() === to.toLowerCase() : own;
  }

  #take(stanza) {
    if (stanza.namespaceURI !== NS.client) return;
    if (this.#sm) this.#sm.in = (this.#sm.in + 1) >>> 0;
    const type = attr(stanza, 'type');
    if (stanza.localName === 'iq' && (type === 'result' || type === 'error')) {
      const asked = this.#asked.get(attr(stanza, 'id'));
      if (!asked || !this.#isFrom(stanza, asked.to)) return; // somebody guesses
      this.#answer(attr(stanza, 'id'));
      if (type === 'result') asked.resolve(stanza);
      else asked.reject(this.#errorOf(stanza));
      return;
    }
    const event = new CustomEvent('stanza', { detail: { stanza, ours: this.#isFrom(stanza) }, cancelable: true });
    if (!this.dispatchEvent(event) || stanza.localName !== 'iq') return;
    if (child(stanza, NS.ping, 'ping')) this.reply(stanza);
    else this.send(refusal(stanza, 'cancel', 'service-unavailable'));
  }

  #errorOf(stanza) {
    const error = child(stanza, NS.client, 'error');
    const condition = child(error, NS.stanzas)?.localName ?? 'undefined-condition';
    const text = child(error, NS.stanzas, 'text')?.textContent;
    const special = child(error, NS.errors)?.localName;
    return new XmppError(text || condition.replaceAll('-', ' '), { condition: special ?? condition });
  }

  // ---- the stream ----

  async #connect() {
    this.#tell('state', 'wait');
    let socket;
    try {
      this.url ||= await discover(this.domain);
      if (!this.#wanted) return;
      if (!this.url) {
        throw new XmppError(`${this.domain} does not say where its WebSocket is. Ask who runs it, and give the address by hand.`, { final: true });
      }
      socket = new WebSocket(this.url, 'xmpp');
    } catch (error) {
      this.#fail(error instanceof XmppError ? error : new XmppError('That WebSocket address is not one.', { final: true }));
      return;
    }
    this.#socket = socket;
    this.#inbox = { items: [], wake: null };
    socket.onmessage = ({ data }) => this.#heard(socket, data);
    socket.onclose = () => socket === this.#socket && this.#fail(new XmppError('The server cannot be reached.'));
    socket.onopen = () => this.#begin(socket).catch((error) => this.#fail(error, socket));
    this.#timer = setTimeout(() => this.#fail(new XmppError('The server does not answer.'), socket), LOGIN_MS);
  }

  #heard(socket, data) {
    if (socket !== this.#socket) return;
    this.#watch();
    try {
      const e = read(data);
      if (is(e, FRAMING, 'close')) throw new XmppError('The server has closed the connection.');
      if (is(e, STREAMS, 'error')) throw this.#streamError(e);
      if (is(e, SM, 'r') && this.#sm) this.#write(make(SM, 'a', { h: this.#sm.in }));
      else if (is(e, SM, 'a')) this.#acknowledged(Number(attr(e, 'h')));
      else if (this.online) this.#take(e);
      else if (this.#inbox.items.push(e) > 64) throw new XmppError('The server talks before its turn.');
      this.#inbox?.wake?.();
    } catch (error) {
      this.#fail(error, socket);
    }
  }

  #streamError(e) {
    const condition = e.firstElementChild?.localName ?? '';
    const [words, final] = streamWords[condition] ?? [`The server has ended the session (${condition.replaceAll('-', ' ')}).`, false];
    if (condition !== 'system-shutdown' && condition !== 'connection-timeout') this.#sm = null;
    return new XmppError(words, { final, condition });
  }

  async #next(socket) {
    const inbox = this.#inbox;
    while (!inbox.items.length) await new Promise((resolve) => { inbox.wake = resolve; });
    if (socket !== this.#socket) throw new XmppError('The connection was given up.');
    return inbox.items.shift();
  }

  async #features(socket) {
    this.#write(make(FRAMING, 'open', { to: this.domain, version: '1.0' }));
    if (!is(await this.#next(socket), FRAMING, 'open')) throw new XmppError('That is no XMPP server.', { final: true });
    return this.#next(socket);
  }

  async #begin(socket) {
    await this.#login(socket, await this.#features(socket));
    const features = await this.#features(socket);
    const resumed = this.#sm?.id ? await this.#resume(socket) : false;
    if (!resumed) await this.#bind(socket, features);
    clearTimeout(this.#timer);
    this.#pause = 500;
    this.online = true;
    const early = this.#inbox.items.splice(0);
    if (resumed) for (const stanza of this.#sm.queue) this.#write(stanza);
    this.#tell('opened', { resumed });
    this.#tell('state', 'on');
    for (const e of early) this.#take(e);
  }

  async #login(socket, features) {
    if (!crypto.subtle) throw new XmppError('Browsers only sign in from pages that came over https.', { final: true });
    const offered = children(child(features, SASL, 'mechanisms'), SASL, 'mechanism').map((m) => m.textContent);
    const encrypted = this.url.startsWith('wss:');
    const mechanism = chooseMechanism(offered, encrypted);
    if (!mechanism) {
      throw new XmppError(offered.includes('PLAIN') && !encrypted ? 'The server wants the password unencrypted. Use a wss: address.'
        : 'The server has no way to log in that this page knows.', { final: true });
    }
    const login = new Login(mechanism, this.account.split('@')[0], this.#password);
    this.#write(make(SASL, 'auth', { mechanism }, login.first));
    for (;;) {
      const e = await this.#next(socket);
      try {
        if (is(e, SASL, 'challenge')) this.#write(make(SASL, 'response', {}, await login.next(e.textContent)));
        else if (is(e, SASL, 'success')) return login.check(e.textContent);
      } catch (error) {
        throw new XmppError(`Not signed in: ${error.message}.`, { final: true });
      }
      if (is(e, SASL, 'failure')) {
        const condition = e.firstElementChild?.localName ?? '';
        throw new XmppError(loginWords[condition] ?? `The server refuses the log-in (${condition.replaceAll('-', ' ')}).`,
          { final: condition !== 'temporary-auth-failure', condition });
      }
    }
  }

  async #resume(socket) {
    this.#write(make(SM, 'resume', { h: this.#sm.in, previd: this.#sm.id }));
    const e = await this.#next(socket);
    if (is(e, SM, 'resumed')) {
      this.#acknowledged(Number(attr(e, 'h')));
      return true;
    }
    this.#end();
    return false;
  }

  async #bind(socket, features) {
    this.#write(make(NS.client, 'iq', { type: 'set', id: 'bind' }, make(BIND, 'bind')));
    const answer = await this.#next(socket);
    this.jid = child(child(answer, BIND, 'bind'), BIND, 'jid')?.textContent ?? '';
    if (!this.jid) throw new XmppError('The server gives this device no address.', { final: true });
    if (!child(features, SM, 'sm')) return;
    this.#write(make(SM, 'enable', { resume: 'true' }));
    const e = await this.#next(socket);
    if (is(e, SM, 'enabled')) this.#sm = { id: attr(e, 'id'), in: 0, out: 0, queue: [] };
  }

  #acknowledged(h) {
    if (!this.#sm || !Number.isInteger(h)) return;
    const open = (this.#sm.out - h) >>> 0;
    if (open <= this.#sm.queue.length) this.#sm.queue.splice(0, this.#sm.queue.length - open);
  }

  /** A silent server is asked, and a connection on which nothing comes back is given up. */
  #watch() {
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => {
      if (!this.online) return;
      if (this.#sm) this.#write(make(SM, 'r'));
      else this.ask('get', this.domain, make(NS.ping, 'ping')).catch(() => {});
      this.#quiet = setTimeout(() => this.#fail(new XmppError('The server does not answer any more.'), this.#socket), ANSWER_MS);
    }, QUIET_MS);
  }

  #fail(error, socket = this.#socket) {
    if (socket !== this.#socket) return;
    const trouble = error instanceof XmppError ? error : new XmppError(`The connection broke: ${error.message}.`);
    clearTimeout(this.#timer);
    this.#socket = null;
    socket?.close();
    this.online = false;
    if (!this.#wanted) return;
    if (trouble.final) {
      this.#wanted = false;
      this.#gone(trouble);
      this.#tell('trouble', trouble);
      return;
    }
    if (!this.#sm?.id) this.#end();
    if (this.#pause > 2000) this.#tell('trouble', trouble);
    this.#tell('state', 'wait');
    this.#timer = setTimeout(() => this.#connect(), this.#pause * (0.5 + Math.random() / 2));
    this.#pause = Math.min(this.#pause * 2, 60000);
  }

  /** The session is over; requests will not be answered. */
  #end() {
    const was = this.jid;
    this.#sm = null;
    this.jid = '';
    for (const id of [...this.#asked.keys()]) this.#answer(id).reject(new XmppError('The connection was lost.', { condition: 'lost' }));
    if (was) this.#tell('lost');
  }

  #gone() {
    clearTimeout(this.#quiet);
    this.#socket = null;
    this.online = false;
    this.#password = '';
    this.#end();
    this.#tell('state', 'off');
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
