// jingle.js - one call as Jingle (XEP-0166): what call.js says (offers, answers, candidates, bye) in stanzas, and back.

import { attr, child, children, make, NS } from './xml.js';
import { candidateLine, candidateOf, contentOf, credentialsOf, descriptionOf, directionFor, groupsOf, nameOf, parseSdp, readContent,
  readGroups, sendersFor, sourcesOf, transportOf, ufragOf, writeSdp } from './jingle_sdp.js';

const RESTART_MS = 15000; // a peer that brings no new credentials in this time does not know what a restart is
const ACCEPT_MS = 60000; // media that is added may be for people to decide on
const WAITING_MAX = 64;
const CANDIDATES_MAX = 256;

/** A request of the peer that is answered with an error. */
export class Refused extends Error {
  constructor(type, condition, special) {
    super(special ?? condition);
    Object.assign(this, { type, condition, special });
  }
}

const byMid = (parsed, mid) => parsed.sections.find((s) => s.mid === mid);

/** hear(message) gets what call.js takes. over(reason): the session has ended, by the peer or by a failure. note(text): for people. */
export class JingleSession {
  #local = null; // our newest description that the peer knows, parsed
  #offer = null; // ours, that the peer has not answered: { parsed, awaits: Set, restart, timer }
  #asked = false; // the peer's change waits for our answer
  #later = []; // changes of the peer that wait for their turn
  #remote = []; // sections of the peer, in the order of SDP
  #creators = new Map();
  #groups = [];
  #version = 0;
  #setup = ''; // the DTLS role that the peer took
  #candidates = 0;
  #queue = Promise.resolve();
  state = 'new'; // pending, active, ended

  constructor({ xmpp, peer, sid, weCalled, hear, over, note }) {
    Object.assign(this, { xmpp, peer, sid, weCalled, hear, over, note });
  }

  // ---- what we say ----

  #request(action, ...inside) {
    const initiator = this.weCalled ? this.xmpp.jid : undefined;
    const roles = action === 'session-initiate' ? { initiator } : action === 'session-accept' ? { responder: this.xmpp.jid } : {};
    return this.xmpp.ask('set', this.peer, make(NS.jingle, 'jingle', { action, sid: this.sid, ...roles }, ...inside), 30000);
  }

  /** One that has to go well. */
  #must(action, ...inside) {
    this.#request(action, ...inside).catch((error) => {
      if (this.state === 'ended' || error.condition === 'tie-break') return;
      this.end(error.condition === 'timeout' ? 'timeout' : 'general-error', error.condition !== 'unknown-session');
      this.over(`the other side refuses: ${error.message}`);
    });
  }

  #creatorOf(mid) {
    return this.#creators.get(mid) ?? 'initiator';
  }

  get #us() {
    return this.weCalled ? 'initiator' : 'responder';
  }

  describe({ type, sdp }) {
    if (this.state === 'ended') return;
    const parsed = parseSdp(sdp);
    if (type === 'offer' && this.state === 'new') this.#initiate(parsed);
    else if (type === 'answer' && this.state === 'pending' && !this.weCalled) this.#accept(parsed);
    else if (type === 'answer') this.#answer(parsed);
    else this.#change(parsed);
  }

  #initiate(parsed) {
    this.state = 'pending';
    this.#local = parsed;
    this.#must('session-initiate', ...parsed.sections.map((s) => contentOf(s, true, 'initiator')), ...groupsOf(parsed));
  }

  #accept(parsed) {
    this.state = 'active';
    this.#asked = false;
    this.#local = parsed;
    const taken = parsed.sections.filter((s) => !s.rejected);
    this.#must('session-accept', ...taken.map((s) => contentOf(s, false, this.#creatorOf(s.mid))), ...groupsOf(parsed));
    const refused = parsed.sections.filter((s) => s.rejected);
    if (refused.length) this.#must('content-remove', ...refused.map((s) => nameOf(s)));
    this.#goOn();
  }

  /** Our new offer, as what has changed in it. */
  #change(parsed) {
    const old = this.#local;
    const offer = { parsed, awaits: new Set(), restart: false, timer: 0 };
    this.#offer = offer;
    const live = parsed.sections.filter((s) => !s.rejected);
    const was = (s) => { const o = byMid(old, s.mid); return o && !o.rejected ? o : null; };
    const kept = live.filter((s) => was(s) && this.#remoteOf(s.mid));
    const added = live.filter((s) => !was(s));
    const gone = old.sections.filter((s) => !s.rejected && !live.some((l) => l.mid === s.mid) && this.#remoteOf(s.mid));
    const turned = kept.filter((s) => s.direction !== was(s).direction);
    const sources = kept.filter((s) => sourcesOf(s) && sourcesOf(s) !== sourcesOf(was(s)));
    const restart = kept.filter((s) => ufragOf(s) !== ufragOf(was(s)));
    if (sources.length) this.#must('description-info', ...sources.map((s) => nameOf(s, this.#creatorOf(s.mid), undefined, descriptionOf(s, this.weCalled))));
    if (turned.length) this.#must('content-modify', ...turned.map((s) => nameOf(s, this.#creatorOf(s.mid), sendersFor(s.direction, this.weCalled) ?? 'both')));
    for (const s of turned) Object.assign(this.#remoteOf(s.mid), { direction: directionFor(sendersFor(s.direction, this.weCalled), !this.weCalled) });
    if (added.length) this.#add(offer, added, parsed);
    if (gone.length) this.#must('content-remove', ...gone.map((s) => nameOf(s, this.#creatorOf(s.mid))));
    for (const s of gone) this.#remoteOf(s.mid).rejected = true;
    offer.restart = restart.length > 0;
    if (offer.restart) this.#must('transport-info', ...restart.map((s) => nameOf(s, this.#creatorOf(s.mid), undefined, transportOf(s, false, []))));
    offer.timer = setTimeout(() => this.#settle(offer), offer.awaits.size ? ACCEPT_MS : RESTART_MS);
    this.#finish();
  }

  #add(offer, added, parsed) {
    for (const s of added) {
      offer.awaits.add(s.mid);
      this.#creators.set(s.mid, this.#us);
    }
    this.#request('content-add', ...added.map((s) => contentOf(s, this.weCalled, this.#us)), ...groupsOf(parsed)).catch((error) => {
      if (this.#offer !== offer) return;
      if (error.condition === 'tie-break') this.#withdraw(offer);
      else this.#settle(offer);
    });
  }

  /** The peer's change goes first; ours is made again by the browser, once it has given way. */
  #withdraw(offer) {
    clearTimeout(offer.timer);
    for (const mid of offer.awaits) this.#creators.delete(mid);
    this.#offer = null;
    this.#goOn();
  }

  /** What was not answered counts as refused. */
  #settle(offer) {
    if (this.#offer !== offer) return;
    if (offer.restart) {
      this.end('failed-transport', true);
      this.over('the other side cannot find another way');
      return;
    }
    offer.awaits.clear();
    this.#finish();
  }

  #remoteOf(mid) {
    return this.#remote.find((s) => s.mid === mid && !s.rejected);
  }

  /** Everything that our offer asked for is answered: that is its answer. */
  #finish() {
    const offer = this.#offer;
    if (!offer || offer.awaits.size || offer.restart) return;
    clearTimeout(offer.timer);
    this.#offer = null;
    this.#local = offer.parsed;
    this.#fit(offer.parsed);
    this.#say('answer');
    this.#goOn();
  }

  /** An answer has the sections of its offer. */
  #fit(parsed) {
    this.#remote = parsed.sections.map((s) => {
      const said = this.#remoteOf(s.mid);
      return said && !s.rejected ? said : { mid: s.mid, kind: s.kind, direction: 'inactive', rejected: true,
        description: said?.description ?? descriptionOf({ ...s, lines: s.lines }, this.weCalled) };
    });
  }

  #say(type) {
    this.#version += 1;
    const sections = this.#remote.map((s) => (s.rejected ? s : { ...s, transport: this.#withSetup(s, type) }));
    const groups = this.#groups.length ? this.#groups : [];
    this.hear({ type, sdp: writeSdp(sections, groups, !this.weCalled, this.#version) });
  }

  /** An answer needs the role that was agreed on, and an offer in a running call leaves it open. */
  #withSetup(s, type) {
    const transport = s.transport.cloneNode(true);
    const first = children(transport, NS.dtls, 'fingerprint');
    if (type === 'answer') this.#setup ||= attr(first[0], 'setup') ?? 'active';
    for (const f of first) f.setAttribute('setup', type === 'answer' ? this.#setup : 'actpass');
    return transport;
  }

  /** Our answer to a change of the peer. */
  #answer(parsed) {
    const { added = [], restart = [] } = this.#asked || {};
    this.#asked = false;
    this.#local = parsed;
    const taken = added.map((mid) => byMid(parsed, mid)).filter((s) => s && !s.rejected);
    const refused = added.filter((mid) => !taken.some((s) => s.mid === mid));
    if (taken.length) this.#must('content-accept', ...taken.map((s) => contentOf(s, this.weCalled, this.#creatorOf(s.mid))), ...groupsOf(parsed));
    if (refused.length) this.#must('content-reject', ...refused.map((mid) => nameOf({ mid }, this.#creatorOf(mid))), make(NS.jingle, 'reason', {}, make(NS.jingle, 'decline')));
    const fresh = restart.map((mid) => byMid(parsed, mid)).filter((s) => s && !s.rejected);
    if (fresh.length) this.#must('transport-info', ...fresh.map((s) => nameOf(s, this.#creatorOf(s.mid), undefined, transportOf(s, false, []))));
    this.#goOn();
  }

  candidate({ candidate, sdpMid, usernameFragment }) {
    const parsed = this.#offer?.parsed ?? this.#local;
    const section = parsed && byMid(parsed, sdpMid);
    if (this.state === 'ended' || !section || section.rejected || !candidate || !candidateOf(candidate)) return;
    if (usernameFragment && usernameFragment !== ufragOf(section)) return; // of a way that was left
    this.#request('transport-info', nameOf(section, this.#creatorOf(sdpMid), undefined, transportOf(section, false, [candidate]))).catch(() => {});
  }

  info(name) {
    if (this.state !== 'ended') this.#request('session-info', make(NS.rtpInfo, name)).catch(() => {});
  }

  /** reason: of XEP-0166 7.4. */
  end(reason, tell = true) {
    if (this.state === 'ended') return;
    if (tell && this.state !== 'new') this.#request('session-terminate', make(NS.jingle, 'reason', {}, make(NS.jingle, reason))).catch(() => {});
    clearTimeout(this.#offer?.timer);
    this.state = 'ended';
  }

  // ---- what the peer says ----

  /** A <jingle/> of the peer. Throws Refused; else it is acknowledged by the caller of this. */
  take(action, jingle) {
    if (this.state === 'ended') throw new Refused('cancel', 'item-not-found', 'unknown-session');
    const known = this[`_${action.replaceAll('-', '_')}`];
    if (!known) throw new Refused('cancel', 'feature-not-implemented', action === 'session-info' ? 'unsupported-info' : undefined);
    // The answer to the iq goes first; what comes of it, later and in order.
    const run = known.call(this, jingle);
    if (run) this.#queue = this.#queue.then(() => this.state !== 'ended' && run()).catch((error) => this.#broken(error));
  }

  #broken(error) {
    if (this.state === 'ended') return;
    this.end('incompatible-parameters');
    this.over(`the other side sent something that does not fit: ${error.message}`);
  }

  #contents(jingle) {
    const list = children(jingle, NS.jingle, 'content');
    if (!list.length || list.length > 32) throw new Refused('modify', 'bad-request');
    return list;
  }

  _session_initiate(jingle) {
    if (this.state !== 'new') throw new Refused('wait', 'unexpected-request', 'out-of-order');
    this.state = 'pending';
    this.#remote = this.#contents(jingle).map((c) => readContent(c, true));
    if (new Set(this.#remote.map((s) => s.mid)).size < this.#remote.length) throw new Refused('modify', 'bad-request');
    this.#groups = readGroups(jingle);
    this.#asked = true;
    return () => this.#say('offer');
  }

  _session_accept(jingle) {
    if (this.state !== 'pending' || !this.weCalled) throw new Refused('wait', 'unexpected-request', 'out-of-order');
    this.state = 'active';
    const contents = this.#contents(jingle);
    return () => {
      this.#remote = contents.map((c) => readContent(c, false));
      this.#groups = readGroups(jingle);
      this.#fit(this.#local);
      this.#say('answer');
      this.#goOn();
    };
  }

  _session_terminate(jingle) {
    const reason = child(jingle, NS.jingle, 'reason')?.firstElementChild?.localName ?? 'success';
    this.state = 'ended';
    clearTimeout(this.#offer?.timer);
    this.over(null, reason);
  }

  _session_info(jingle) {
    const what = jingle.firstElementChild;
    if (!what) return; // "are you there?"
    const words = { ringing: 'It rings there', hold: 'They hold the call', unhold: 'They are back', active: 'They are back',
      mute: 'They are muted', unmute: 'They are not muted any more' };
    if (what.namespaceURI !== NS.rtpInfo || !words[what.localName]) throw new Refused('modify', 'feature-not-implemented', 'unsupported-info');
    this.note(what.localName, words[what.localName]);
  }

  _transport_info(jingle) {
    const contents = this.#contents(jingle).map((c) => ({ mid: attr(c, 'name'), transport: child(c, NS.ice, 'transport') }));
    return () => this.#takeTransports(contents.filter((c) => c.transport));
  }

  #takeTransports(contents) {
    const fresh = contents.filter(({ mid, transport }) => {
      const said = credentialsOf(transport);
      const section = this.#remoteOf(mid);
      return said && section?.transport && said.ufrag !== attr(section.transport, 'ufrag');
    });
    if (fresh.length) this.#takeRestart(fresh);
    for (const { mid, transport } of contents) {
      for (const c of children(transport, NS.ice, 'candidate')) {
        if ((this.#candidates += 1) > CANDIDATES_MAX * 8) return;
        this.#hearCandidate({ candidate: candidateLine(c), sdpMid: mid, usernameFragment: attr(transport, 'ufrag') });
      }
    }
  }

  /** Candidates of a change that waits for its turn wait with it. */
  #hearCandidate(candidate) {
    if (this.#later.length && this.#later.length < WAITING_MAX) this.#later.push(() => this.hear(candidate));
    else this.hear(candidate);
  }

  /** New credentials: the answer to our restart, or the peer's. A transport that is shared is new for all. */
  #takeRestart(fresh) {
    const apply = () => {
      const shared = this.#groups.some((g) => g.semantics === 'BUNDLE');
      for (const s of this.#remote.filter((r) => !r.rejected)) {
        const from = fresh.find((f) => f.mid === s.mid) ?? (shared ? fresh[0] : null);
        if (!from) continue;
        s.transport = s.transport.cloneNode(true);
        for (const c of children(s.transport, NS.ice)) c.remove();
        for (const name of ['ufrag', 'pwd']) s.transport.setAttribute(name, attr(from.transport, name));
      }
    };
    if (this.#offer?.restart) {
      apply();
      this.#offer.restart = false;
      this.#finish();
    } else {
      this.#wait(() => {
        apply();
        this.#ask({ restart: this.#remote.filter((r) => !r.rejected).map((r) => r.mid) });
      });
    }
  }

  _content_add(jingle) {
    const contents = this.#contents(jingle);
    if (this.weCalled && this.#offer?.awaits.size) throw new Refused('cancel', 'conflict', 'tie-break');
    return () => this.#wait(() => {
      const added = contents.map((c) => readContent(c, !this.weCalled));
      if (added.some((s) => this.#remoteOf(s.mid))) throw new Error('a content comes twice');
      for (const s of added) {
        this.#creators.set(s.mid, this.weCalled ? 'responder' : 'initiator');
        const at = this.#remote.findIndex((r) => r.mid === s.mid);
        if (at < 0) this.#remote.push(s);
        else this.#remote[at] = s;
      }
      const groups = readGroups(jingle);
      if (groups.length) this.#groups = groups;
      this.#ask({ added: added.map((s) => s.mid) });
    });
  }

  _content_accept(jingle) {
    const contents = this.#contents(jingle);
    return () => {
      for (const c of contents) {
        const s = readContent(c, !this.weCalled);
        if (!this.#offer?.awaits.delete(s.mid)) continue;
        this.#remote = this.#remote.filter((r) => r.mid !== s.mid).concat(s);
      }
      const groups = readGroups(jingle);
      if (groups.length) this.#groups = groups;
      this.#finish();
    };
  }

  _content_reject(jingle) {
    const names = this.#contents(jingle).map((c) => attr(c, 'name'));
    const tie = child(child(jingle, NS.jingle, 'reason'), NS.errors, 'tie-break');
    return () => {
      if (tie && this.#offer) return this.#withdraw(this.#offer);
      for (const name of names) this.#offer?.awaits.delete(name);
      return this.#finish();
    };
  }

  _content_remove(jingle) {
    const names = this.#contents(jingle).map((c) => attr(c, 'name'));
    return () => {
      for (const name of names) this.#offer?.awaits.delete(name);
      this.#finish();
      this.#wait(() => {
        const there = this.#remote.filter((s) => names.includes(s.mid) && !s.rejected);
        for (const s of there) s.rejected = true;
        if (there.length) this.#ask({});
      });
    };
  }

  _content_modify(jingle) {
    const contents = this.#contents(jingle);
    return () => this.#wait(() => {
      for (const c of contents) {
        const s = this.#remoteOf(attr(c, 'name'));
        if (s) s.direction = directionFor(attr(c, 'senders'), !this.weCalled);
      }
      this.#ask({});
    });
  }

  _description_info(jingle) {
    const contents = this.#contents(jingle);
    return () => this.#wait(() => {
      for (const c of contents) {
        const s = this.#remoteOf(attr(c, 'name'));
        const said = child(c, NS.rtp, 'description');
        if (s && said && children(said, NS.rtp, 'payload-type').length) s.description = said;
      }
      this.#ask({});
    });
  }

  _transport_replace(jingle) {
    const names = this.#contents(jingle).map((c) => attr(c, 'name'));
    return () => this.#must('transport-reject', ...names.map((mid) => nameOf({ mid }, this.#creatorOf(mid), undefined, make(NS.ice, 'transport'))));
  }

  _security_info() {}

  #ask(what) {
    this.#asked = what;
    this.#say('offer');
  }

  /** One change at a time: the peer's waits for ours to be answered, and for the one before it. */
  #wait(run) {
    if (this.#later.length >= WAITING_MAX) throw new Error('too many changes at once');
    this.#later.push(run);
    this.#goOn();
  }

  #goOn() {
    while (this.#later.length && this.state === 'active' && !this.#offer && !this.#asked) {
      try {
        this.#later.shift()();
      } catch (error) {
        this.#broken(error);
      }
    }
  }
}
