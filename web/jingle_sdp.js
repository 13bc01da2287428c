// jingle_sdp.js - descriptions in SDP and in Jingle: contents of XEP-0166 with 0167, 0176, 0293, 0294, 0320, 0338, 0339, 0343.
// What Jingle has no word for is lost, and docs/jingle.md lists it.

import { attr, child, children, make, NS } from './xml.js';

const SECTIONS_MAX = 64;
const LINES_MAX = 2000; // of one description
const sendersOf = { sendonly: ['initiator', 'responder'], recvonly: ['responder', 'initiator'], inactive: ['none', 'none'] };
const setups = ['active', 'passive', 'actpass', 'holdconn'];

// ---- SDP in lines ----

const valuesOf = (lines, name) => lines.filter((l) => l.startsWith(`a=${name}:`)).map((l) => l.slice(name.length + 3));
const valueOf = (lines, name) => valuesOf(lines, name)[0];
const has = (lines, name) => lines.includes(`a=${name}`);
/** "a b c" into "a" and "b c". */
const cut = (text, at = ' ') => {
  const i = text.indexOf(at);
  return i < 0 ? [text, ''] : [text.slice(0, i), text.slice(i + at.length)];
};

/** { session: lines, sections: [{ kind, mid, rejected, direction, payloads, lines }] }; what counts for all is in each section. */
export function parseSdp(sdp) {
  const parts = sdp.split(/\r?\n(?=m=)/).map((part) => part.split(/\r?\n/).filter(Boolean));
  const [session, ...media] = parts;
  const common = session.filter((l) => /^a=(ice-ufrag|ice-pwd|ice-options|fingerprint|setup|extmap-allow-mixed)\b/.test(l));
  const direction = session.map((l) => l.slice(2)).find((l) => /^(sendrecv|sendonly|recvonly|inactive)$/.test(l)) ?? 'sendrecv';
  const sections = media.slice(0, SECTIONS_MAX).map((lines, i) => {
    const [kind, port, protocol, ...payloads] = lines[0].slice(2).split(/\s+/);
    const names = new Set(lines.map((l) => cut(l, ':')[0]));
    const all = [...lines, ...common.filter((l) => !names.has(cut(l, ':')[0]))];
    return { kind, protocol, payloads, lines: all, mid: valueOf(lines, 'mid') ?? String(i),
      rejected: port === '0' && !has(lines, 'bundle-only'),
      direction: ['sendrecv', 'sendonly', 'recvonly', 'inactive'].find((d) => has(lines, d)) ?? direction };
  });
  return { session, sections };
}

export const ufragOf = (section) => valueOf(section.lines, 'ice-ufrag');
/** What a peer has to be told of a section's sources when it changes. Chrome says the msid once more for each source, in offers alone. */
export const sourcesOf = (section) => section.lines.filter((l) => /^a=(ssrc|ssrc-group|msid):/.test(l) && !/^a=ssrc:\d+ msid:/.test(l)).sort().join('\n');

// ---- SDP to Jingle ----

export function sendersFor(direction, byInitiator) {
  return sendersOf[direction]?.[byInitiator ? 0 : 1];
}

export function directionFor(senders, byInitiator) {
  if (!senders || senders === 'both') return 'sendrecv';
  if (senders === 'none') return 'inactive';
  return (senders === 'initiator') === byInitiator ? 'sendonly' : 'recvonly';
}

function parametersOf(name, text) {
  return text.split(';').map((p) => p.trim()).filter(Boolean).map((p) => {
    const [key, value] = cut(p, '=');
    if (p.includes('=')) return { name: key.trim(), value: value.trim() };
    return name.toLowerCase() === 'telephone-event' ? { name: 'events', value: key } : { name: key };
  });
}

function feedbackOf(lines, payload) {
  return valuesOf(lines, 'rtcp-fb').map((v) => cut(v)).filter(([pt]) => pt === payload).map(([, what]) => {
    const [type, subtype] = cut(what);
    return make(NS.feedback, 'rtcp-fb', { type, subtype: subtype || undefined });
  });
}

function payloadOf(section, id) {
  const { lines } = section;
  const map = valuesOf(lines, 'rtpmap').map((v) => cut(v)).find(([pt]) => pt === id)?.[1];
  if (!map) return { 0: ['PCMU', 8000], 8: ['PCMA', 8000], 9: ['G722', 8000] }[id] && make(NS.rtp, 'payload-type',
    { id, name: { 0: 'PCMU', 8: 'PCMA', 9: 'G722' }[id], clockrate: 8000 });
  const [name, clockrate, channels] = map.split('/');
  const parameters = valuesOf(lines, 'fmtp').map((v) => cut(v)).filter(([pt]) => pt === id)
    .flatMap(([, text]) => parametersOf(name, text));
  return make(NS.rtp, 'payload-type', { id, name, clockrate, channels: channels > 1 ? channels : undefined,
    ptime: valueOf(lines, 'ptime'), maxptime: valueOf(lines, 'maxptime') },
  ...parameters.map((p) => make(NS.rtp, 'parameter', p)), ...feedbackOf(lines, id));
}

function extensionOf(text, byInitiator) {
  const [, id, direction, uri, rest] = /^(\d+)(?:\/(\w+))? (\S+)(?: (.*))?$/.exec(text) ?? [];
  if (!id) return null;
  const parameters = (rest ?? '').split(' ').filter(Boolean).map((p) => {
    const [name, value] = cut(p, '=');
    return make(NS.hdrext, 'parameter', { name, value: p.includes('=') ? value : undefined });
  });
  return make(NS.hdrext, 'rtp-hdrext', { id, uri, senders: sendersFor(direction, byInitiator) }, ...parameters);
}

function sourcesIn(lines) {
  const sources = new Map();
  for (const [ssrc, what] of valuesOf(lines, 'ssrc').map((v) => cut(v))) {
    if (!sources.has(ssrc)) sources.set(ssrc, make(NS.ssma, 'source', { ssrc }));
    const [name, value] = cut(what, ':');
    if (['cname', 'msid'].includes(name)) sources.get(ssrc).append(make(NS.ssma, 'parameter', { name, value }));
  }
  const groups = valuesOf(lines, 'ssrc-group').map((v) => v.split(' ')).map(([semantics, ...list]) =>
    make(NS.ssma, 'ssrc-group', { semantics }, ...list.map((ssrc) => make(NS.ssma, 'source', { ssrc }))));
  const streams = valuesOf(lines, 'msid').map((v) => cut(v)).map(([id, track]) =>
    make(NS.msid, 'stream', { id, track: track || undefined }));
  return [...groups, ...sources.values(), ...streams];
}

export function descriptionOf(section, byInitiator) {
  const { lines, kind } = section;
  if (kind === 'application') return make(NS.channels, 'description', { type: 'datachannel' });
  const bandwidth = lines.filter((l) => /^b=(AS|TIAS):/.test(l)).map((l) => cut(l.slice(2), ':'))
    .map(([type, value]) => make(NS.rtp, 'bandwidth', { type }, value));
  return make(NS.rtp, 'description', { media: kind, ssrc: valueOf(lines, 'ssrc')?.split(' ')[0] },
    ...section.payloads.map((id) => payloadOf(section, id)), ...feedbackOf(lines, '*'), ...bandwidth,
    ...valuesOf(lines, 'extmap').map((v) => extensionOf(v, byInitiator)),
    has(lines, 'extmap-allow-mixed') ? make(NS.hdrext, 'extmap-allow-mixed') : null, ...sourcesIn(lines),
    has(lines, 'rtcp-mux') ? make(NS.rtp, 'rtcp-mux') : null,
    has(lines, 'rtcp-rsize') ? make(NS.rtp, 'rtcp-reduced-size') : null);
}

let candidates = 0;
export function candidateOf(line) {
  const [, foundation, component, protocol, priority, ip, port, type, rest] =
    /^(?:a=)?candidate:(\S+) (\d+) (\S+) (\d+) (\S+) (\d+) typ (\S+)(.*)$/.exec(line) ?? [];
  if (!foundation) return null;
  const words = rest.trim().split(/\s+/);
  const more = (name) => (words.indexOf(name) % 2 === 0 ? words[words.indexOf(name) + 1] : undefined);
  return make(NS.ice, 'candidate', { component, foundation, generation: more('generation') ?? 0, id: `c${candidates += 1}`, ip,
    network: more('network-id') ?? 0, port, priority, protocol: protocol.toLowerCase(), 'rel-addr': more('raddr'),
    'rel-port': more('rport'), tcptype: more('tcptype'), type });
}

/** whole: with keys and all, not just the credentials. */
export function transportOf(section, whole = true, lines = valuesOf(section.lines, 'candidate').map((c) => `candidate:${c}`)) {
  const all = section.lines;
  const transport = make(NS.ice, 'transport', { ufrag: valueOf(all, 'ice-ufrag'), pwd: valueOf(all, 'ice-pwd') });
  if (whole) {
    transport.append(...valuesOf(all, 'fingerprint').map((v) => cut(v)).map(([hash, value]) =>
      make(NS.dtls, 'fingerprint', { hash, setup: valueOf(all, 'setup') }, value)));
    if (section.kind === 'application') {
      transport.append(make(NS.sctp, 'sctpmap', { number: valueOf(all, 'sctp-port') ?? 5000, protocol: 'webrtc-datachannel',
        streams: 65535, 'max-message-size': valueOf(all, 'max-message-size') }));
    }
    const options = (valueOf(all, 'ice-options') ?? '').split(' ').filter((o) => ['trickle', 'ice2', 'renomination'].includes(o));
    transport.append(...options.map((o) => make(NS.iceOption, o)));
  }
  transport.append(...lines.map(candidateOf).filter(Boolean));
  if (whole && has(all, 'end-of-candidates')) transport.append(make(NS.ice, 'gathering-complete'));
  return transport;
}

export function nameOf(section, creator = 'initiator', senders = undefined, ...inside) {
  return make(NS.jingle, 'content', { creator, name: section.mid, senders }, ...inside);
}

export function contentOf(section, byInitiator, creator) {
  return nameOf(section, creator, sendersFor(section.direction, byInitiator), descriptionOf(section, byInitiator), transportOf(section));
}

export function groupsOf(parsed) {
  const there = new Set(parsed.sections.filter((s) => !s.rejected).map((s) => s.mid));
  return valuesOf(parsed.session, 'group').map((v) => v.split(' ')).map(([semantics, ...mids]) => make(NS.grouping, 'group', { semantics },
    ...mids.filter((m) => there.has(m)).map((name) => make(NS.grouping, 'content', { name }))));
}

// ---- Jingle to SDP ----

/** A word of a peer that is to stand in a line of SDP: no spaces, no line ends. */
const word = (text, what = /^[^\s\u0000-\u0020]{1,256}$/) => { // eslint-disable-line no-control-regex
  if (!what.test(text ?? '')) throw new Error(`"${String(text).slice(0, 40)}" does not belong there`);
  return text;
};
const number = (text) => word(text, /^\d{1,10}$/);
const optional = (text, check = word) => (text === undefined || text === '' ? '' : check(text));
const sentence = (text) => word(text, /^[^\r\n\0]{1,2000}$/);

function feedbackLines(e, payload) {
  return children(e, NS.feedback, 'rtcp-fb').map((f) =>
    `a=rtcp-fb:${payload} ${word(attr(f, 'type'))}${attr(f, 'subtype') ? ` ${sentence(attr(f, 'subtype'))}` : ''}`);
}

function payloadLines(e) {
  const id = number(attr(e, 'id'));
  const name = attr(e, 'name');
  const channels = optional(attr(e, 'channels'), number);
  const lines = name ? [`a=rtpmap:${id} ${word(name)}/${number(attr(e, 'clockrate') ?? '8000')}${channels > 1 ? `/${channels}` : ''}`] : [];
  const parameters = children(e, NS.rtp, 'parameter').map((p) => {
    const key = attr(p, 'name') ?? '';
    const value = attr(p, 'value');
    if (key === 'events' && name?.toLowerCase() === 'telephone-event') return sentence(value);
    return key && value !== undefined ? `${word(key)}=${sentence(value)}` : sentence(key || value);
  });
  if (parameters.length) lines.push(`a=fmtp:${id} ${parameters.join(';')}`);
  return [...lines, ...feedbackLines(e, id)];
}

function sourceLines(d) {
  const groups = children(d, NS.ssma, 'ssrc-group').map((g) =>
    `a=ssrc-group:${word(attr(g, 'semantics'))} ${children(g, NS.ssma, 'source').map((s) => number(attr(s, 'ssrc'))).join(' ')}`);
  const streams = new Set(children(d, NS.msid, 'stream').map((s) => `a=msid:${word(attr(s, 'id'))}${attr(s, 'track') ? ` ${word(attr(s, 'track'))}` : ''}`));
  const sources = [];
  for (const s of children(d, NS.ssma, 'source')) {
    const ssrc = number(attr(s, 'ssrc'));
    for (const p of children(s, NS.ssma, 'parameter')) {
      if (!['cname', 'msid'].includes(attr(p, 'name')) || !attr(p, 'value')) continue;
      sources.push(`a=ssrc:${ssrc} ${attr(p, 'name')}:${sentence(attr(p, 'value'))}`);
      if (attr(p, 'name') === 'msid' && !children(d, NS.msid).length) streams.add(`a=msid:${attr(p, 'value')}`);
    }
  }
  return [...streams, ...groups, ...sources];
}

/** Who does not send has no sources: what was said of them may be another section's by now. */
function mediaLines(d, byInitiator, sends) {
  const payloads = children(d, NS.rtp, 'payload-type');
  const first = payloads[0];
  const times = ['ptime', 'maxptime'].filter((t) => first && attr(first, t)).map((t) => `a=${t}:${number(attr(first, t))}`);
  const extensions = children(d, NS.hdrext, 'rtp-hdrext').map((x) => {
    const senders = attr(x, 'senders');
    const direction = senders && senders !== 'both' ? `/${directionFor(senders, byInitiator)}` : '';
    const parameters = children(x, NS.hdrext, 'parameter').map((p) => ` ${word(attr(p, 'name'))}${attr(p, 'value') === undefined ? '' : `=${word(attr(p, 'value'))}`}`);
    return `a=extmap:${number(attr(x, 'id'))}${direction} ${word(attr(x, 'uri'))}${parameters.join('')}`;
  });
  return [
    ...extensions, child(d, NS.hdrext, 'extmap-allow-mixed') ? 'a=extmap-allow-mixed' : '',
    child(d, NS.rtp, 'rtcp-mux') ? 'a=rtcp-mux' : '', child(d, NS.rtp, 'rtcp-reduced-size') ? 'a=rtcp-rsize' : '',
    ...payloads.flatMap(payloadLines), ...feedbackLines(d, '*'), ...times, ...(sends ? sourceLines(d) : []),
  ];
}

/** A candidate as addIceCandidate takes it. */
export function candidateLine(e) {
  const a = (name) => attr(e, name);
  const more = [['raddr', a('rel-addr')], ['rport', a('rel-port')], ['tcptype', a('tcptype')], ['generation', a('generation')],
    ['network-id', a('network') === '0' ? undefined : a('network')]];
  return [`candidate:${word(a('foundation'))}`, number(a('component')), word(a('protocol')), number(a('priority')), word(a('ip')), number(a('port')),
    'typ', word(a('type')), ...more.filter(([, v]) => v).map(([k, v]) => `${k} ${word(v)}`)].join(' ');
}

export const credentialsOf = (transport) => (attr(transport, 'ufrag') && attr(transport, 'pwd')
  ? { ufrag: word(attr(transport, 'ufrag')), pwd: word(attr(transport, 'pwd')) } : null);

function transportLines(t) {
  const credentials = credentialsOf(t);
  if (!credentials) throw new Error('a content has no ICE credentials');
  const options = children(t, NS.iceOption).map((o) => o.localName).filter((o) => /^[a-z0-9]+$/.test(o));
  const fingerprints = children(t, NS.dtls, 'fingerprint');
  const setup = setups.find((s) => s === attr(fingerprints[0], 'setup'));
  if (!fingerprints.length) throw new Error('a content is not encrypted by DTLS');
  return [
    `a=ice-ufrag:${credentials.ufrag}`, `a=ice-pwd:${credentials.pwd}`, options.length ? `a=ice-options:${options.join(' ')}` : '',
    ...fingerprints.map((f) => `a=fingerprint:${word(attr(f, 'hash'))} ${word(f.textContent.trim())}`), setup ? `a=setup:${setup}` : '',
    ...children(t, NS.ice, 'candidate').map((c) => `a=${candidateLine(c)}`), child(t, NS.ice, 'gathering-complete') ? 'a=end-of-candidates' : '',
  ];
}

/** What a content says, to be kept and changed: { mid, kind, direction, description, transport, rejected }. */
export function readContent(content, byInitiator) {
  const mid = word(attr(content, 'name'), /^[^\s]{1,64}$/);
  const rtp = child(content, NS.rtp, 'description');
  const data = child(content, NS.channels, 'description') ?? child(content, NS.channels.replace(/0$/, '1'), 'description');
  const kind = rtp ? attr(rtp, 'media') : data ? 'application' : '';
  if (!['audio', 'video', 'application'].includes(kind)) throw new Error('an application that this page does not have');
  const transport = child(content, NS.ice, 'transport');
  if (!transport) throw new Error('a transport that this page does not have');
  return { mid, kind, direction: directionFor(attr(content, 'senders'), byInitiator), description: rtp ?? data, transport, rejected: false };
}

function sectionLines(s, byInitiator) {
  const payloads = children(s.description, NS.rtp, 'payload-type').map((p) => number(attr(p, 'id')));
  const first = s.kind === 'application' ? 'UDP/DTLS/SCTP webrtc-datachannel' : `UDP/TLS/RTP/SAVPF ${payloads.join(' ')}`;
  if (s.rejected) return [`m=${s.kind} 0 ${first}`, 'c=IN IP4 0.0.0.0', `a=mid:${s.mid}`, 'a=inactive'];
  const map = child(s.transport, NS.sctp, 'sctpmap');
  const bandwidth = children(s.description, NS.rtp, 'bandwidth').filter((b) => ['AS', 'TIAS'].includes(attr(b, 'type')))
    .map((b) => `b=${attr(b, 'type')}:${number(b.textContent.trim())}`);
  const rest = s.kind !== 'application' ? [`a=${s.direction}`, ...mediaLines(s.description, byInitiator, s.direction.startsWith('send'))]
    : [`a=sctp-port:${number(attr(map, 'number') ?? '5000')}`,
      attr(map, 'max-message-size') ? `a=max-message-size:${word(attr(map, 'max-message-size'), /^\d{1,20}$/)}` : ''];
  return [`m=${s.kind} 9 ${first}`, 'c=IN IP4 0.0.0.0', ...bandwidth, ...transportLines(s.transport), `a=mid:${s.mid}`, ...rest];
}

export const readGroups = (jingle) => children(jingle, NS.grouping, 'group').slice(0, 16).map((g) => ({ semantics: word(attr(g, 'semantics')),
  mids: children(g, NS.grouping, 'content').map((c) => word(attr(c, 'name'))) }));

/** SDP of sections in their order. version: counts up with every description of a session. */
export function writeSdp(sections, groups, byInitiator, version = 1) {
  // A group's first section gives the transport: browsers want it to stay, and each side has an order of its own.
  const there = (mids) => sections.filter((s) => !s.rejected && mids.includes(s.mid)).map((s) => s.mid);
  const lines = ['v=0', `o=- 1 ${version} IN IP4 127.0.0.1`, 's=-', 't=0 0',
    ...groups.map((g) => [`a=group:${g.semantics}`, ...there(g.mids)].join(' ')), 'a=msid-semantic: WMS *',
    ...sections.flatMap((s) => sectionLines(s, byInitiator))].filter(Boolean);
  if (lines.length > LINES_MAX) throw new Error('a description is too long');
  return `${lines.join('\r\n')}\r\n`;
}
