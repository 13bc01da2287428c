// The page's Jingle without a server: two accounts in one document (jingle_page.js), real connections between them, the standards'
// examples and vectors, and what a hostile peer might say.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { LIMIT, useBrowser } from './peer.mjs';

const world = useBrowser();
let server, url;

before(async () => {
  server = createServer(async (request, response) => {
    const name = request.url.slice(1);
    if (!/^[a-z0-9_]+\.js$/.test(name)) {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end('<!doctype html><title>jingle</title><link rel="icon" href="data:,">');
      return;
    }
    const folder = name === 'jingle_page.js' ? '.' : '../../web';
    response.setHeader('content-type', 'text/javascript');
    response.end(await readFile(new URL(`${folder}/${name}`, import.meta.url)));
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  url = `http://127.0.0.1:${server.address().port}/`;
});
after(() => server?.close());

async function open() {
  const page = await (await world.browser.newContext()).newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  await page.goto(url);
  return page;
}

/** run in a fresh document; what it throws fails the test, as does what nobody catches there. */
async function inPage(run, argument) {
  const page = await open();
  const result = await page.evaluate(run, argument);
  assert.deepEqual(page.errors, []);
  return result;
}

test('a call, changed by either side', LIMIT, async () => {
  const seen = await inPage(async () => {
    const { pair, said, settled, until } = await import('/jingle_page.js');
    const [a, b] = await pair();
    const seen = { first: await settled(a, b) };
    a.call.say('But soft');
    b.call.say('Ay me');
    await until('chat', () => a.call.texts?.[0] === 'Ay me' && b.call.texts?.[0] === 'But soft');
    const added = a.call.pc.addTransceiver('video');
    seen.added = await settled(a, b);
    b.call.pc.addTransceiver('audio');
    seen.addedByB = await settled(a, b);
    a.call.pc.getTransceivers()[0].direction = 'sendonly';
    seen.turned = await settled(a, b);
    b.call.pc.getTransceivers()[1].direction = 'inactive';
    seen.turnedByB = await settled(a, b);
    added.stop();
    seen.stopped = await settled(a, b);
    const ways = () => [a, b].map((d) => d.call.pc.localDescription.sdp.match(/a=ice-ufrag:(\S*)/)[1]);
    const before = ways();
    a.call.pc.restartIce();
    await settled(a, b);
    const between = ways();
    b.call.pc.restartIce();
    await settled(a, b);
    seen.restarts = before.every((u, i) => u !== between[i]) && between.every((u, i) => u !== ways()[i]);
    a.call.end('bye', true);
    await until('the end there', () => b.calls[0].ended);
    seen.why = b.calls[0].why;
    seen.a = said(a).filter((action) => action !== 'transport-info');
    seen.b = said(b).filter((action) => action !== 'transport-info');
    return seen;
  });
  assert.deepEqual(seen.first, ['0 audio sendrecv', '1 video sendrecv'].map((line, i) => line.replace(/^\d/, seen.first[i][0])));
  assert.equal(seen.added.length, 3);
  assert.equal(seen.addedByB.length, 4);
  assert.ok(seen.turned[0].endsWith('sendonly'), seen.turned.join());
  assert.ok(seen.turnedByB.some((line) => line.endsWith('inactive')), seen.turnedByB.join());
  assert.equal(seen.stopped.length, 3);
  assert.ok(seen.restarts);
  assert.equal(seen.why, 'bye');
  // Who turns a direction tells the other, whose answer may want less, and tell so in turn.
  const order = (list) => list.filter((x, i) => !x.includes('info') && x !== list[i - 1]);
  assert.deepEqual(order(seen.a), ['session-initiate', 'content-add', 'content-accept', 'content-modify', 'content-remove', 'session-terminate']);
  assert.deepEqual(order(seen.b), ['session-accept', 'content-accept', 'content-add', 'content-modify']);
});

test('both sides change at once', { timeout: 120000 }, async () => {
  const seed = Number(process.env.PL_SEED ?? 1);
  await inPage(async (first) => {
    const { pair, random, server, settled } = await import('/jingle_page.js');
    const story = [];
    try {
      const [a, b] = await pair();
      for (let seed = first; seed < first + 12; seed++) {
        const roll = random(seed * 7919);
        server.roll = random(seed);
        story.splice(0, Infinity, `seed ${seed}`);
        const ops = (d) => {
          const live = d.call.pc.getTransceivers().filter((t) => !t.stopped && t.direction !== 'stopped');
          return [
            () => live.length < 8 && d.call.pc.addTransceiver(roll(2) ? 'audio' : 'video'),
            // The first one has the transport. Without it Chromium begins another with the next media, DTLS and all, which Jingle cannot say.
            () => live.length > 3 && live.every((t) => t.mid !== null) && live[1 + roll(live.length - 1)].stop(),
            () => { live[roll(live.length)].direction = ['sendrecv', 'sendonly', 'recvonly', 'inactive'][roll(4)]; },
            () => d.call.pc.restartIce(),
          ];
        };
        for (const d of [a, b]) {
          for (let n = roll(3); n >= 0; n--) {
            const which = roll(4);
            story.push(`${d.name} ${['adds', 'stops', 'turns', 'restarts'][which]}`);
            ops(d)[which]();
          }
        }
        story.push((await settled(a, b)).join());
      }
    } catch (error) {
      throw new Error(`${story.join('; ')}: ${error.message}`);
    }
  }, seed);
});

test('several calls, and calls that cross', LIMIT, async () => {
  const seen = await inPage(async () => {
    const { Device, pair, pause, settled, until } = await import('/jingle_page.js');
    const [a, b] = await pair();
    const seen = { media: (await settled(a, b)).length };
    const third = new Device('mercutio');
    await third.signIn();
    for (const one of [a, b]) await one.account.roster.load();
    await until('the third can call', () => third.account.canCall(b.jid));
    third.start(b);
    await until('the end of a call to somebody busy', () => third.calls[0].ended);
    seen.busy = third.calls[0].why;
    a.account.inform(b.jid, 'audio', false);
    a.account.inform(b.jid, 'video', true);
    await until('what is muted', () => b.notes.length === 2);
    seen.notes = b.notes.slice();
    a.call.end('bye', true);
    await until('the end', () => b.calls[0].ended);

    a.answers = false; // rings there, and is taken back
    b.start(a);
    await until('it rings', () => a.ringing);
    b.call.end('bye', true);
    await until('it rings no more', () => !a.ringing);
    b.start(a);
    await until('it rings again', () => a.ringing);
    a.account.send(b.jid, JSON.stringify({ type: 'bye' })); // declined
    a.ringing = null;
    await until('the end of what is declined', () => !b.call);
    seen.declined = b.calls.at(-1).why;

    a.answers = true;
    for (let i = 0; i < 3; i++) { // one of the two stands, and nobody rings
      const rang = a.bells.length + b.bells.length;
      a.start(b);
      b.start(a);
      await until('a call that crossed', () => a.call?.connectedAt && b.call?.connectedAt);
      seen.rang = a.bells.length + b.bells.length - rang;
      b.call.end('bye', true);
      await until('the end of it', () => a.calls.every((c) => c.ended));
      await pause(50);
    }

    const stranger = new Device('stranger');
    await stranger.signIn();
    const rang = a.bells.length;
    stranger.start(a);
    await pause(300);
    seen.stranger = a.bells.length - rang;
    return seen;
  });
  assert.deepEqual(seen, { media: 2, busy: 'busy', notes: ['mute', 'unmute'], declined: 'bye', rang: 0, stranger: 0 });
});

test('what others slip in', LIMIT, async () => {
  const seen = await inPage(async () => {
    const { Device, pair, pause, server, settled, until } = await import('/jingle_page.js');
    const { make, NS, attr, child, read } = await import('/xml.js');
    const j = await import('/jingle_sdp.js');
    const [a, b] = await pair();
    await settled(a, b);
    const third = new Device('mercutio');
    await third.signIn();
    const full = (d) => [...server.sockets.keys()].find((jid) => jid.startsWith(`${d.jid}/`));
    const sid = attr(server.log.map(({ stanza }) => child(stanza, NS.jingle, 'jingle')).find(Boolean), 'sid');
    const seen = {};
    const say = async (from, ...inside) => { // the answer's condition
      const id = crypto.randomUUID();
      server.inject(full(from), full(b), make(NS.client, 'iq', { type: 'set', id, from: full(from), to: full(b) }, ...inside));
      const answer = () => server.log.find(({ stanza }) => attr(stanza, 'id') === id && ['result', 'error'].includes(attr(stanza, 'type')))?.stanza;
      await until(`an answer to ${id}`, answer);
      const error = child(answer(), NS.client, 'error');
      return error ? [...error.children].map((e) => e.localName).join() : 'taken';
    };
    const jingle = (action, sidOf, ...inside) => make(NS.jingle, 'jingle', { action, sid: sidOf }, ...inside);
    seen.spoofed = await say(third, jingle('session-terminate', sid));
    seen.again = await say(a, jingle('session-initiate', sid, make(NS.jingle, 'content', { creator: 'initiator', name: '0' })));
    seen.accept = await say(a, jingle('session-accept', sid, make(NS.jingle, 'content', { creator: 'initiator', name: '0' })));
    seen.unknown = await say(a, jingle('session-info', sid, make('urn:example', 'dance')));
    seen.nonsense = await say(a, jingle('make-tea', sid));
    seen.private = await say(a, jingle('constructor', sid));
    seen.empty = await say(a, jingle('content-modify', sid));
    seen.ping = await say(a, jingle('session-info', sid));
    seen.zrtp = await say(a, jingle('security-info', sid));
    seen.replace = await say(a, jingle('transport-replace', sid, make(NS.jingle, 'content', { creator: 'initiator', name: '0' }, make('urn:xmpp:jingle:transports:raw-udp:1', 'transport'))));
    await pause(50);
    seen.alive = Boolean(b.call?.connectedAt) && !b.call.ended;
    b.call.end('bye', true);

    // No word of a peer's makes a line of its own, and none is taken for a number that is none.
    const section = () => {
      const sdp = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=fingerprint:sha-256 AA:BB', 'a=setup:actpass', 'a=ice-ufrag:u', 'a=ice-pwd:p',
        'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=mid:0', 'a=rtpmap:111 opus/48000/2', 'a=fmtp:111 minptime=10', 'a=rtcp-fb:111 nack', 'a=extmap:1 urn:x',
        'a=ssrc:7 cname:c', 'a=msid:s t', 'a=ssrc-group:FID 7 8', 'a=candidate:1 1 udp 1 127.0.0.1 9 typ host raddr 0.0.0.0 rport 0'].join('\r\n');
      return j.contentOf(j.parseSdp(sdp).sections[0], true, 'initiator');
    };
    const lines = j.writeSdp([j.readContent(section(), true)], [], true).split('\r\n').length;
    seen.tries = seen.wrong = 0;
    const evil = ['x\r\na=evil', 'x\na=evil', 'x y', '', '1e9', '-1', '\0', 'x'.repeat(5000), '99999999999999999999', '\u2028a=evil'];
    const elements = (e) => [e, ...[...e.children].flatMap(elements)];
    for (const [i, e] of elements(section()).entries()) {
      for (const name of e.getAttributeNames()) {
        for (const value of evil) {
          const content = section();
          elements(content)[i].setAttribute(name, value);
          seen.tries += 1;
          try {
            const sdp = j.writeSdp([j.readContent(content, true)], [], true);
            if (sdp.split(/\r\n|\n|\r/).length > lines) seen.wrong += 1;
          } catch {
            // refused
          }
        }
      }
    }

    const deep = `${'<a>'.repeat(100)}${'</a>'.repeat(100)}`;
    const bad = ['<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', '<a><!-- --></a>', '<?evil x?><a/>', '<a>', '<a></b>', '', 'text', '<a b="1" b="2"/>', deep,
      `<a>${'x'.repeat(600000)}</a>`, '<a>\u0001</a>', '<a>&nbsp;</a>'];
    seen.read = bad.filter((text) => {
      try {
        read(text);
        return true;
      } catch {
        return false;
      }
    });
    return seen;
  });
  assert.ok(seen.tries > 300);
  delete seen.tries;
  const form = 'bad-request';
  assert.deepEqual(seen, { spoofed: 'item-not-found,unknown-session', again: 'unexpected-request,out-of-order', accept: 'unexpected-request,out-of-order',
    unknown: 'feature-not-implemented,unsupported-info', nonsense: 'feature-not-implemented', private: 'feature-not-implemented', empty: form,
    ping: 'taken', zrtp: 'taken', replace: 'taken', alive: true, wrong: 0, read: [] });
});

test('SCRAM by the vectors of RFC 5802 and RFC 7677, and servers that lie', LIMIT, async () => {
  const vectors = [
    { mechanism: 'SCRAM-SHA-1', nonce: 'fyko+d2lbbFgONRv9qkxdawL', first: 'n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL',
      challenge: 'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096',
      answer: 'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=', end: 'v=rmF9pqV8S7suAoZWja4dJRkFsKQ=' },
    { mechanism: 'SCRAM-SHA-256', nonce: 'rOprNGfwEbeRWgbNEkqO', first: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
      challenge: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
      answer: 'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
      end: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=' },
  ];
  for (const vector of vectors) {
    const seen = await inPage(async (v) => {
      const { Login, chooseMechanism } = await import('/sasl.js');
      crypto.getRandomValues = () => Uint8Array.from(atob(v.nonce), (c) => c.charCodeAt(0));
      const login = () => new Login(v.mechanism, 'user', 'pencil');
      const one = login();
      const seen = { first: atob(one.first), answer: atob(await one.next(btoa(v.challenge))), lies: [] };
      one.check(btoa(v.end));
      const lie = async (name, run) => {
        try {
          await run(login());
        } catch {
          seen.lies.push(name);
        }
      };
      await lie('proof', async (l) => { await l.next(btoa(v.challenge)); l.check(btoa(v.end.replace('v=', 'v=A'))); });
      await lie('no proof', async (l) => { await l.next(btoa(v.challenge)); l.check(''); });
      await lie('at once', (l) => l.check(btoa(v.end)));
      await lie('nonce', (l) => l.next(btoa(v.challenge.replace('r=', 'r=x'))));
      await lie('its own nonce', (l) => l.next(btoa(v.challenge.replace(/r=[^,]*/, `r=${v.nonce}`))));
      await lie('easy', (l) => l.next(btoa(v.challenge.replace('4096', '1'))));
      await lie('hard', (l) => l.next(btoa(v.challenge.replace('4096', '100000000'))));
      seen.choice = [chooseMechanism(['PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256'], true), chooseMechanism(['PLAIN'], true), chooseMechanism(['PLAIN'], false)];
      return seen;
    }, vector);
    assert.deepEqual(seen, { first: vector.first, answer: vector.answer, choice: ['SCRAM-SHA-256', 'PLAIN', null],
      lies: ['proof', 'no proof', 'at once', 'nonce', 'its own nonce', 'easy', 'hard'] });
  }
});

test('where a domain says that its WebSocket is', LIMIT, async () => {
  const seen = await inPage(async () => {
    const { discover } = await import('/xmpp.js');
    const link = (href, rel = 'urn:xmpp:alt-connections:websocket') => ({ links: [{ rel: 'urn:xmpp:alt-connections:xbosh', href: 'https://a.example/bosh' }, { rel, href }] });
    const xrd = (href) => `<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0"><Link rel="urn:xmpp:alt-connections:websocket" href="${href}"/></XRD>`;
    const cases = {
      json: { 'host-meta.json': JSON.stringify(link('wss://a.example/ws')) },
      xml: { 'host-meta': xrd('wss://b.example/ws') },
      both: { 'host-meta.json': '{', 'host-meta': xrd('wss://b.example/ws') },
      plain: { 'host-meta.json': JSON.stringify(link('ws://a.example/ws')) },
      script: { 'host-meta': xrd('javascript:alert(1)') },
      bomb: { 'host-meta': `<!DOCTYPE x [<!ENTITY a "b">]>${xrd('wss://b.example/ws')}` },
      long: { 'host-meta': xrd('wss://b.example/ws') + ' '.repeat(70000) },
      none: {},
    };
    const seen = {};
    for (const [name, files] of Object.entries(cases)) {
      window.fetch = async (url) => {
        const file = url.replace('https://a.example/.well-known/', '');
        if (!(file in files)) throw new TypeError('Failed to fetch');
        return new Response(files[file]);
      };
      seen[name] = await discover('a.example');
    }
    return seen;
  });
  assert.deepEqual(seen, { json: 'wss://a.example/ws', xml: 'wss://b.example/ws', both: 'wss://b.example/ws', plain: null, script: null, bomb: null,
    long: null, none: null });
});
