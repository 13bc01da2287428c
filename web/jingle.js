// jingle.js - one call as Jingle (XEP-0166): what call.js says (offers, answers, candidates, bye) in stanzas, and back.

import { attr, child, children, make, NS } from './xml.js';
import { candidateLine, candidateOf, contentOf, credentialsOf, descriptionOf, directionFor, groupsOf, nameOf, parseSdp, readContent,
  readGroups, sendersFor, sourcesOf, transportOf, ufragOf, writeSdp } from './jingle_sdp.js';

const RESTART_MS = 15000; // a peer that brings no new credentials in this time does not know what a restart is
const ACCEPT_MS = 60000; // media that is added may be for people to decide on
const WAITING_MAX = 64;
const CANDIDATES_MAX = 256;
const AGAIN_MS = 1500; // a change that has given way, if the one that it gave way to does not show up
const TIE_MS = 100; // until what was answered tie-break is asked again
const TIES_MAX = 10;

/** A request of the peer that is answered with an error. */
export class Refused extends Error {
  constructor(type, condition, special) {
    super(special ?? condition);
    Object.assign(this, { type, condition, special });
  }
}

const byMid = (parsed, mid) => parsed.sections.find((s) => s.mid === mid);
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const alive = (parsed, mid) => {
  const s = parsed && byMid(parsed, mid);
  return s && !s.rejected ? s : null;
};
const tie = () => new Refused('cancel', 'conflict', 'tie-break');

const ways = ['inactive', 'sendonly', 'recvonly', 'sendrecv']; // bit 0: we send, bit 1: we receive
const both = (one, other) => ways[ways.indexOf(one) & ways.indexOf(other)];
const mirrored = (direction) => ({ sendonly: 'recvonly', recvonly: 'sendonly' })[direction] ?? direction;

/** A section with the credentials of another one, and no candidates. */
const onWayOf = (s, other) => (other ? { ...s, lines: [...s.lines.filter((l) => !/^a=(ice-ufrag|ice-pwd|candidate|end-of-candidates)\b/.test(l)),
  ...other.lines.filter((l) => /^a=ice-(ufrag|pwd):/.test(l))] } : s);

/** One change at a time: of two that cross, the caller's holds, and the other side's is answered tie-break and made again by its
 *  browser (call.js gives way where we were called). So a caller acknowledges a change of the peer's only when its own browser has
 *  taken it, and one who is called at once. A restart of ICE is said last, since nothing of it can be taken back.
 *  hear(message) gets what call.js takes. over(why, reason): the session has ended, by the peer or by a failure. note(name, text): for people. */
export class JingleSession {
  #local = null; // our newest description that the peer knows, parsed
  #offer = null; // ours, that the peer has not answered: { parsed, awaits: Set, taken, out, restart, candidates, timer }
  #given = null; // an offer that has given way, until the browser says something new
  #asked = null; // the peer's change that waits for our answer: { added, restart, iq, before }
  #later = []; // changes of the peer that wait for their turn: { run, iq, fresh }, the last of which is a new way
  #remote = []; // sections of the peer, in the order of SDP
  #contents = new Map(); // mid -> { creator, senders } of what both have agreed on
  #wishes = new Map(); // mid -> the direction that we asked for, and whether the peer wanted less
  #groups = [];
  #version = 0;
  #setup = ''; // the DTLS role that the peer took
  #candidates = 0;
  #telling = 0; // requests that are not part of an offer
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
  #must(action, inside, taken = () => {}) {
    if (!inside.length) return;
    this.#telling += 1;
    this.#request(action, ...inside).then(taken, (error) => (error.condition === 'tie-break' ? pause(TIE_MS) : this.#refusedBy(error))).then(() => {
      this.#telling -= 1;
      this.#goOn();
    });
  }

  #refusedBy(error) {
    if (this.state === 'ended') return;
    this.end(error.condition === 'timeout' ? 'timeout' : 'general-error', error.condition !== 'unknown-session');
    this.over(`the other side refuses: ${error.message}`);
  }

  #creatorOf(mid) {
    return this.#contents.get(mid)?.creator ?? 'initiator';
  }

  get #us() {
    return this.weCalled ? 'initiator' : 'responder';
  }

  #sendersOf(s) {
    return sendersFor(s.direction, this.weCalled) ?? 'both';
  }

  /** A content that is there, by name and with what is said of it. */
  #named(mid, senders, ...inside) {
    return nameOf({ mid }, this.#creatorOf(mid), senders, ...inside);
  }

  #keep(mid, senders, creator = this.#creatorOf(mid)) {
    this.#contents.set(mid, { creator, senders: senders ?? 'both' });
  }

  describe({ type, sdp }) {
    if (this.state === 'ended') return;
    const parsed = parseSdp(sdp);
    this.#given = null;
    if (type === 'offer' && this.state === 'new') this.#initiate(parsed);
    else if (type === 'answer' && this.state === 'pending' && !this.weCalled) this.#accept(parsed);
    else if (type === 'answer') this.#answer(parsed);
    else if (this.#asked && !this.weCalled) return; // the browser takes it back for the peer's
    else this.#change(parsed);
  }

  #initiate(parsed) {
    this.state = 'pending';
    this.#local = parsed;
    for (const s of parsed.sections) this.#keep(s.mid, this.#sendersOf(s), 'initiator');
    this.#must('session-initiate', [...parsed.sections.map((s) => contentOf(s, true, 'initiator')), ...groupsOf(parsed)]);
  }

  #accept(parsed) {
    this.state = 'active';
    this.#asked = null;
    this.#local = parsed;
    this.#agree(parsed);
    const taken = parsed.sections.filter((s) => !s.rejected);
    for (const s of taken) this.#keep(s.mid, this.#sendersOf(s));
    this.#must('session-accept', [...taken.map((s) => contentOf(s, false, this.#creatorOf(s.mid))), ...groupsOf(parsed)]);
    this.#tellRemoved();
    this.#goOn();
  }

  /** What our description has no more. */
  #tellRemoved() {
    const gone = [...this.#contents.keys()].filter((mid) => !alive(this.#local, mid));
    this.#must('content-remove', gone.map((mid) => this.#named(mid)));
    for (const mid of gone) this.#drop(mid);
  }

  #drop(mid) {
    this.#contents.delete(mid);
    this.#wishes.delete(mid);
    for (const s of this.#remote) if (s.mid === mid) s.rejected = true;
  }

  // ---- our offers ----

  /** Our new offer, as what has changed in it. */
  #change(parsed) {
    if (this.#asked) this.#refuseAll();
    const old = this.#local;
    const offer = { parsed, awaits: new Set(), taken: new Set(), out: 0, ties: 0, merged: new Set(), restart: '', candidates: [],
      timer: 0 };
    this.#offer = offer;
    const live = parsed.sections.filter((s) => !s.rejected);
    const was = (s) => (this.#contents.has(s.mid) ? alive(old, s.mid) : null);
    const kept = live.filter(was);
    const added = live.filter((s) => !was(s));
    const gone = [...this.#contents.keys()].filter((mid) => !alive(parsed, mid));
    const sources = kept.filter((s) => sourcesOf(s) && sourcesOf(s) !== sourcesOf(was(s)));
    const turned = kept.filter((s) => s.direction !== was(s).direction && this.#wishes.get(s.mid) !== `${s.direction} refused`);
    offer.restart = kept.some((s) => ufragOf(s) !== ufragOf(was(s))) ? 'due' : '';
    const way = offer.restart ? was(kept[0]) : null;
    for (const s of added) offer.awaits.add(s.mid);
    this.#ask(offer, 'description-info', sources.map((s) => this.#named(s.mid, undefined, descriptionOf(s, this.weCalled))));
    this.#ask(offer, 'content-modify', turned.map((s) => this.#named(s.mid, this.#sendersOf(s))), () => {
      for (const s of turned) this.#turned(s, offer);
    });
    this.#ask(offer, 'content-add', added.length ? [...added.map((s) => contentOf(onWayOf(s, way), this.weCalled, this.#us)), ...groupsOf(parsed)] : [],
      () => { offer.taken = new Set(offer.awaits); });
    this.#ask(offer, 'content-remove', gone.map((mid) => this.#named(mid)), () => {
      for (const mid of gone) this.#drop(mid);
    });
    offer.timer = setTimeout(() => this.#settle(offer), ACCEPT_MS);
    this.#finish();
  }

  /** Unless the peer has turned it meanwhile. */
  #turned(s, { merged }) {
    if (merged.has(s.mid)) return;
    this.#wishes.set(s.mid, s.direction);
    this.#keep(s.mid, this.#sendersOf(s));
    for (const r of this.#remote) if (r.mid === s.mid) r.direction = mirrored(s.direction);
  }

  /** Part of an offer. */
  #ask(offer, action, inside, taken = () => {}) {
    if (!inside.length) return;
    offer.out += 1;
    this.#request(action, ...inside).then(() => {
      if (this.#offer === offer) taken();
      else if (action === 'content-add') this.#undo([...offer.awaits]);
    }, async (error) => {
      if (this.#offer !== offer) return;
      if (error.condition === 'tie-break' && (offer.ties += 1) <= TIES_MAX) {
        await pause(TIE_MS); // the change that it was for is one that ours goes well with, or ours gives way meanwhile
        if (this.#offer === offer) this.#ask(offer, action, inside, taken);
      } else if (error.condition === 'tie-break') this.#withdraw(offer);
      else if (action === 'content-add') offer.awaits.clear();
      else this.#refusedBy(error);
    }).then(() => {
      offer.out -= 1;
      if (this.#offer === offer) this.#finish();
    });
  }

  /** What the peer has of an offer that is no more. */
  #undo(mids) {
    const there = mids.filter((mid) => !this.#contents.has(mid));
    this.#must('content-remove', there.map((mid) => nameOf({ mid }, this.#us)));
  }

  /** The peer's change goes first; ours is made again by the browser, once it has given way. */
  #giveWay() {
    const offer = this.#offer;
    if (!offer) return;
    clearTimeout(offer.timer);
    this.#offer = null;
    this.#undo([...offer.awaits].filter((mid) => offer.taken.has(mid)));
  }

  /** As the peer tells us to. Should nothing come of that, ours is said again. */
  #withdraw(offer) {
    this.#giveWay();
    if (offer.merged.size) this.#hearAbout({});
    this.#given = offer.parsed;
    setTimeout(() => {
      if (this.#given !== offer.parsed || this.state !== 'active' || this.#offer || this.#asked) return;
      this.#given = null;
      this.#change(offer.parsed);
    }, AGAIN_MS);
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
    this.#undo([...offer.awaits]);
    offer.awaits.clear();
    this.#finish();
  }

  #remoteOf(mid) {
    return this.#remote.find((s) => s.mid === mid && !s.rejected);
  }

  /** Everything that our offer asked for is answered: that is its answer. */
  #finish() {
    const offer = this.#offer;
    if (!offer || this.state === 'ended' || offer.awaits.size || offer.out || offer.restart === 'said') return;
    clearTimeout(offer.timer);
    if (offer.restart === 'due') {
      this.#restart(offer);
      return;
    }
    this.#offer = null;
    this.#local = offer.parsed;
    this.#fit(offer.parsed);
    this.#say('answer');
    for (const candidate of offer.candidates) this.candidate(candidate);
    this.#goOn();
  }

  #restart(offer) {
    offer.restart = 'said';
    offer.timer = setTimeout(() => this.#settle(offer), RESTART_MS);
    const live = offer.parsed.sections.filter((s) => !s.rejected && this.#contents.has(s.mid));
    this.#ask(offer, 'transport-info', live.map((s) => this.#named(s.mid, undefined, transportOf(s, false, []))), () => {
      for (const candidate of offer.candidates.splice(0)) this.#sayCandidate(offer.parsed, candidate);
    });
  }

  /** An answer has the sections of its offer. */
  #fit(parsed) {
    this.#remote = parsed.sections.map((s) => {
      const said = this.#remoteOf(s.mid);
      return said && !s.rejected ? said : { mid: s.mid, kind: s.kind, direction: 'inactive', rejected: true,
        description: said?.description ?? descriptionOf({ ...s, lines: s.lines }, this.weCalled) };
    });
  }

  /** Nobody sends more in an answer than was offered. */
  #say(type) {
    this.#version += 1;
    const most = (s) => mirrored(byMid(this.#local, s.mid).direction);
    const sections = this.#remote.map((s) => (s.rejected ? s
      : { ...s, transport: this.#withSetup(s, type), direction: type === 'answer' ? both(s.direction, most(s)) : s.direction }));
    this.hear({ type, sdp: writeSdp(sections, this.#groups, !this.weCalled, this.#version) });
  }

  /** An answer needs the role that was agreed on, and an offer in a running call leaves it open. */
  #withSetup(s, type) {
    const transport = s.transport.cloneNode(true);
    const first = children(transport, NS.dtls, 'fingerprint');
    if (type === 'answer') this.#setup ||= attr(first[0], 'setup') ?? 'active';
    for (const f of first) f.setAttribute('setup', type === 'answer' ? this.#setup : 'actpass');
    return transport;
  }

  // ---- our answers ----

  /** Our answer to a change of the peer. */
  #answer(parsed) {
    if (!this.#asked) return;
    const { added = [], restart = [], iq } = this.#asked;
    const old = this.#local;
    this.#asked = null;
    this.#local = parsed;
    iq?.acknowledge();
    this.#agree(parsed);
    const taken = added.map((mid) => alive(parsed, mid)).filter(Boolean);
    const refused = added.filter((mid) => !alive(parsed, mid));
    for (const s of taken) this.#keep(s.mid, this.#sendersOf(s), this.weCalled ? 'responder' : 'initiator');
    this.#must('content-accept', taken.length ? [...taken.map((s) => contentOf(s, this.weCalled, this.#creatorOf(s.mid))), ...groupsOf(parsed)] : []);
    this.#rejectAdded(refused, 'decline');
    const fresh = restart.map((mid) => alive(parsed, mid)).filter(Boolean);
    this.#must('transport-info', fresh.map((s) => this.#named(s.mid, undefined, transportOf(s, false, []))));
    this.#tellRemoved();
    const sources = parsed.sections.filter((s) => !s.rejected && !added.includes(s.mid) && sourcesOf(s) && alive(old, s.mid) &&
      sourcesOf(s) !== sourcesOf(byMid(old, s.mid)));
    this.#must('description-info', sources.map((s) => this.#named(s.mid, undefined, descriptionOf(s, this.weCalled))));
    this.#goOn();
  }

  /** Which end of DTLS the peer is, by what our answer says of us. */
  #agree(parsed) {
    const ours = parsed.sections.flatMap((s) => s.lines).find((l) => /^a=setup:(active|passive)$/.test(l));
    if (ours) this.#setup ||= ours.endsWith('active') ? 'passive' : 'active';
  }

  #rejectAdded(mids, reason) {
    const theirs = this.weCalled ? 'responder' : 'initiator';
    this.#must('content-reject', mids.length ? [...mids.map((mid) => nameOf({ mid }, theirs)), make(NS.jingle, 'reason', {}, make(NS.jingle, reason))] : []);
    for (const mid of mids) this.#drop(mid);
  }

  /** A browser that makes an offer has not taken the peer's, and as the caller's it holds. */
  #refuseAll() {
    const asked = this.#asked;
    this.#remote = asked.before.remote;
    this.#groups = asked.before.groups;
    this.#contents = asked.before.contents;
    this.#asked = null;
    for (const { iq } of [asked, ...this.#later.splice(0)]) iq?.refuse(tie());
  }

  /** The session may hold more, or less, than what comes of both directions: said when nothing else is under way. */
  #tellSenders() {
    const other = [];
    for (const [mid, content] of this.#contents) {
      const [ours, theirs] = [alive(this.#local, mid), this.#remoteOf(mid)];
      const senders = ours && theirs && this.#sendersOf({ direction: both(ours.direction, mirrored(theirs.direction)) });
      if (senders && senders !== content.senders) other.push([mid, senders]);
    }
    this.#must('content-modify', other.map(([mid, senders]) => this.#named(mid, senders)), () => {
      for (const [mid, senders] of other) if (this.#contents.has(mid)) this.#keep(mid, senders);
    });
  }

  // ---- candidates, information, the end ----

  candidate(candidate) {
    if (this.state === 'ended' || !candidate.candidate || !candidateOf(candidate.candidate)) return;
    if (this.#offer?.restart) this.#offer.candidates.push(candidate); // a new way's go with it
    else this.#sayCandidate(this.#offer?.parsed ?? this.#local, candidate);
  }

  #sayCandidate(parsed, { candidate, sdpMid, usernameFragment }) {
    const section = parsed && alive(parsed, sdpMid);
    if (!section || (usernameFragment && usernameFragment !== ufragOf(section))) return; // of a way that was left
    this.#request('transport-info', this.#named(sdpMid, undefined, transportOf(section, false, [candidate]))).catch(() => {});
  }

  /** name: of XEP-0167 9, for all media or those of one kind. */
  inform(name, kind) {
    const section = this.#local?.sections.find((s) => s.kind === kind && !s.rejected);
    const about = section ? { creator: this.#creatorOf(section.mid), name: section.mid } : {};
    if (this.state === 'active') this.#request('session-info', make(NS.rtpInfo, name, about)).catch(() => {});
  }

  /** reason: of XEP-0166 7.4. */
  end(reason, tell = true) {
    if (this.state === 'ended') return;
    if (tell && this.state !== 'new') this.#request('session-terminate', make(NS.jingle, 'reason', {}, make(NS.jingle, reason))).catch(() => {});
    clearTimeout(this.#offer?.timer);
    this.state = 'ended';
  }

  // ---- what the peer says ----

  /** A <jingle/> of the peer; iq: { acknowledge(), refuse(error) }, one of which is called once, at once or later. Throws Refused before that. */
  take(action, jingle, iq) {
    if (this.state === 'ended') throw new Refused('cancel', 'item-not-found', 'unknown-session');
    const known = this[`_${action.replaceAll('-', '_')}`];
    if (!known) throw new Refused('cancel', 'feature-not-implemented', action === 'session-info' ? 'unsupported-info' : undefined);
    const { run, change, fresh, small } = known.call(this, jingle) ?? {};
    if (change) {
      this.#takeChange({ run: change, iq, fresh }, small);
      return;
    }
    iq.acknowledge(); // goes first; what comes of it, later and in order
    if (run) this.#queue = this.#queue.then(() => this.state !== 'ended' && run()).catch((error) => this.#broken(error));
  }

  /** small: of which contents directions or sources change. Those that come while an offer of ours waits are part of its answer. */
  #takeChange(change, small) {
    if (this.#later.length >= WAITING_MAX) throw new Refused('wait', 'resource-constraint');
    const active = this.state === 'active';
    if (active && this.#offer && small && !this.#later.length) {
      for (const mid of small) this.#offer.merged.add(mid);
      change.run();
      change.iq.acknowledge();
      return;
    }
    const waits = active && this.weCalled; // the browser may be about to say something else
    if (waits && (this.#offer || this.#telling)) throw tie();
    if (active) this.#giveWay();
    if (!waits) change.iq.acknowledge();
    this.#later.push({ ...change, iq: waits ? change.iq : null });
    this.#queue = this.#queue.then(() => this.#goOn());
  }

  #broken(error) {
    if (this.state === 'ended') return;
    this.end('incompatible-parameters');
    this.over(`the other side sent something that does not fit: ${error.message}`);
  }

  #contentsOf(jingle) {
    const list = children(jingle, NS.jingle, 'content');
    if (!list.length || list.length > 32) throw new Refused('modify', 'bad-request');
    return list;
  }

  _session_initiate(jingle) {
    if (this.state !== 'new') throw new Refused('wait', 'unexpected-request', 'out-of-order');
    this.state = 'pending';
    this.#remote = this.#contentsOf(jingle).map((c) => readContent(c, true));
    if (new Set(this.#remote.map((s) => s.mid)).size < this.#remote.length) throw new Refused('modify', 'bad-request');
    for (const s of this.#remote) this.#keep(s.mid, sendersFor(s.direction, true), 'initiator');
    this.#groups = readGroups(jingle);
    this.#asked = {};
    return { run: () => this.#say('offer') };
  }

  _session_accept(jingle) {
    if (this.state !== 'pending' || !this.weCalled) throw new Refused('wait', 'unexpected-request', 'out-of-order');
    this.state = 'active';
    const contents = this.#contentsOf(jingle);
    return { run: () => {
      this.#remote = contents.map((c) => readContent(c, false)).filter((s) => this.#contents.has(s.mid));
      for (const mid of [...this.#contents.keys()]) if (!this.#remoteOf(mid)) this.#drop(mid);
      for (const s of this.#remote) this.#keep(s.mid, sendersFor(s.direction, false));
      this.#groups = readGroups(jingle);
      this.#fit(this.#local);
      this.#say('answer');
      this.#goOn();
    } };
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
    const kind = this.#remote.find((s) => s.mid === attr(what, 'name'))?.kind;
    const who = { audio: 'Their microphone is', video: 'Their camera is' }[kind];
    const words = { ringing: 'It rings there', hold: 'They hold the call', unhold: 'They are back', active: 'They are back',
      mute: who ? `${who} off` : 'They are muted', unmute: who ? `${who} on` : 'They are not muted any more' };
    if (what.namespaceURI !== NS.rtpInfo || !words[what.localName]) throw new Refused('modify', 'feature-not-implemented', 'unsupported-info');
    this.note(what.localName, words[what.localName]);
  }

  _transport_info(jingle) {
    const contents = this.#contentsOf(jingle).map((c) => ({ mid: attr(c, 'name'), transport: child(c, NS.ice, 'transport') })).filter((c) => c.transport);
    const fresh = contents.filter(({ mid, transport }) => this.#isNewWay(mid, credentialsOf(transport)));
    const candidates = () => this.#takeCandidates(contents);
    if (!fresh.length) return { run: candidates };
    if (this.#offer?.restart === 'said') { // the answer to ours
      return { run: () => {
        this.#takeWay(fresh);
        if (this.#offer) this.#offer.restart = '';
        this.#finish();
        candidates();
      } };
    }
    return { fresh, change: () => {
      this.#takeWay(fresh);
      this.#hearAbout({ restart: this.#remote.filter((r) => !r.rejected).map((r) => r.mid) });
      candidates();
    } };
  }

  /** Other than what the peer said last of that content. */
  #isNewWay(mid, said) {
    const section = this.#remoteOf(mid);
    const waits = this.#later.some(({ fresh }) => fresh?.some(({ transport }) => attr(transport, 'ufrag') === said?.ufrag));
    return said && section?.transport && !waits && said.ufrag !== attr(section.transport, 'ufrag');
  }

  #takeCandidates(contents) {
    for (const { mid, transport } of contents) {
      for (const c of children(transport, NS.ice, 'candidate')) {
        if ((this.#candidates += 1) > CANDIDATES_MAX * 8) return;
        this.#hearCandidate({ candidate: candidateLine(c), sdpMid: mid, usernameFragment: attr(transport, 'ufrag') });
      }
    }
  }

  /** Candidates of a change that waits for its turn wait with it. */
  #hearCandidate(candidate) {
    if (this.#later.length && this.#later.length < WAITING_MAX) this.#later.push({ run: () => this.hear(candidate), iq: null });
    else this.hear(candidate);
  }

  /** New credentials. A transport that is shared is new for all. */
  #takeWay(fresh) {
    const shared = this.#groups.some((g) => g.semantics === 'BUNDLE');
    for (const s of this.#remote.filter((r) => !r.rejected)) {
      const from = fresh.find((f) => f.mid === s.mid) ?? (shared ? fresh[0] : null);
      if (!from) continue;
      s.transport = s.transport.cloneNode(true);
      for (const c of children(s.transport, NS.ice)) c.remove();
      for (const name of ['ufrag', 'pwd']) s.transport.setAttribute(name, attr(from.transport, name));
    }
  }

  _content_add(jingle) {
    const contents = this.#contentsOf(jingle);
    return { change: () => {
      const all = contents.map((c) => readContent(c, !this.weCalled));
      const added = all.filter((s) => !this.#remoteOf(s.mid));
      this.#must('content-reject', all.length > added.length ? all.filter((s) => !added.includes(s)).map((s) => nameOf(s, this.weCalled ? 'responder' : 'initiator')) : []);
      if (!added.length) return;
      for (const s of added) {
        const at = this.#remote.findIndex((r) => r.mid === s.mid);
        if (at < 0) this.#remote.push(s);
        else this.#remote[at] = s;
      }
      const groups = readGroups(jingle);
      if (groups.length) this.#groups = groups;
      this.#hearAbout({ added: added.map((s) => s.mid) });
    } };
  }

  _content_accept(jingle) {
    const contents = this.#contentsOf(jingle);
    return { run: () => {
      for (const c of contents) {
        const s = readContent(c, !this.weCalled);
        if (!this.#offer?.awaits.delete(s.mid)) continue;
        this.#remote = this.#remote.filter((r) => r.mid !== s.mid).concat(s);
        this.#keep(s.mid, sendersFor(s.direction, !this.weCalled), this.#us);
      }
      const groups = readGroups(jingle);
      if (groups.length) this.#groups = groups;
      this.#finish();
    } };
  }

  _content_reject(jingle) {
    const names = this.#contentsOf(jingle).map((c) => attr(c, 'name'));
    const crossed = child(child(jingle, NS.jingle, 'reason'), NS.errors, 'tie-break');
    return { run: () => {
      if (crossed && this.#offer) return this.#withdraw(this.#offer);
      for (const name of names) this.#offer?.awaits.delete(name);
      return this.#finish();
    } };
  }

  _content_remove(jingle) {
    const names = this.#contentsOf(jingle).map((c) => attr(c, 'name'));
    const awaited = names.filter((name) => this.#offer?.awaits.has(name));
    if (awaited.length === names.length) { // says the same as to reject them
      return { run: () => {
        for (const name of names) this.#offer?.awaits.delete(name);
        this.#finish();
      } };
    }
    return { change: () => {
      const there = names.filter((mid) => this.#remoteOf(mid));
      for (const mid of there) this.#drop(mid);
      if (there.length) this.#hearAbout({});
    } };
  }

  _content_modify(jingle) {
    const contents = this.#contentsOf(jingle);
    return { small: contents.map((c) => attr(c, 'name')), change: () => {
      const there = contents.filter((c) => this.#remoteOf(attr(c, 'name')));
      for (const c of there) {
        const mid = attr(c, 'name');
        const s = this.#remoteOf(mid);
        s.direction = directionFor(attr(c, 'senders'), !this.weCalled);
        this.#keep(mid, attr(c, 'senders'));
        const wish = this.#wishes.get(mid)?.split(' ')[0];
        if (wish && both(s.direction, mirrored(wish)) !== mirrored(wish)) this.#wishes.set(mid, `${wish} refused`);
      }
      if (there.length) this.#hearAbout({});
    } };
  }

  _description_info(jingle) {
    const contents = this.#contentsOf(jingle);
    return { small: contents.map((c) => attr(c, 'name')), change: () => {
      let some = false;
      for (const c of contents) {
        const s = this.#remoteOf(attr(c, 'name'));
        const said = child(c, NS.rtp, 'description');
        if (!s || !said || !children(said, NS.rtp, 'payload-type').length) continue;
        s.description = said;
        some = true;
      }
      if (some) this.#hearAbout({});
    } };
  }

  _transport_replace(jingle) {
    const names = this.#contentsOf(jingle).map((c) => attr(c, 'name'));
    return { run: () => this.#request('transport-reject', ...names.map((mid) => this.#named(mid, undefined, make(NS.ice, 'transport')))).catch(() => {}) };
  }

  _security_info() {}

  #hearAbout(what) {
    if (this.#offer) return; // merged
    this.#asked = what;
    this.#say('offer');
  }

  /** The next change of the peer's, when nothing else is under way. */
  #goOn() {
    const free = () => this.state === 'active' && !this.#offer && !this.#asked;
    while (this.#later.length && free()) {
      const { run, iq } = this.#later.shift();
      const before = { remote: this.#remote.map((s) => ({ ...s })), groups: this.#groups, contents: new Map(this.#contents) };
      try {
        run();
      } catch (error) {
        iq?.refuse(new Refused('modify', 'bad-request'));
        this.#broken(error);
        return;
      }
      if (this.#asked) Object.assign(this.#asked, { iq, before });
      else iq?.acknowledge();
    }
    if (free() && !this.#telling && this.#local) this.#tellSenders();
  }
}
