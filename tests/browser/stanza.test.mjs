// A Jingle client that nobody here wrote: npm's stanza, unmodified, in Chromium, signed in to Prosody over a WebSocket,
// and `peerline xmpp call` on the other side, signed in over TCP.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LineProcess, PATIENCE, within } from '../lines.mjs';
import { LIMIT, TRUSTED, useBrowser } from './peer.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = process.env.PEERLINE ?? `${root}build/release/peerline`;
const world = useBrowser(TRUSTED, '--use-fake-device-for-media-stream');
const running = new Set();
let pages, origin, server, info;

/** The package has no file that a browser can load as it is: it is put into one, and nothing of it is changed. */
function bundle() {
  const { status, stdout, stderr } = spawnSync('esbuild', ['--bundle', '--format=esm', '--platform=browser',
    '--log-level=warning', `${root}tests/browser/node_modules/stanza/index.js`], { maxBuffer: 1 << 26 });
  assert.equal(status, 0, `${stderr}`);
  return stdout;
}

const PAGE = `<!doctype html><title>stanza</title><link rel="icon" href="data:,"><video autoplay playsinline></video>
<script type="module">
import stanza from '/stanza.js';
window.events = [];
const happened = (name, more = {}) => { events.push({ name, ...more }); };
/** What this side says and shows. */
const media = () => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 });
  const ink = canvas.getContext('2d');
  let n = 0;
  setInterval(() => { ink.fillStyle = 'hsl(' + (n++ * 7) % 360 + ' 80% 50%)'; ink.fillRect(0, 0, 320, 240);
    ink.fillStyle = 'black'; ink.fillRect(n % 300, 100, 20, 20); }, 33);
  const sound = new AudioContext(), tone = sound.createOscillator(), out = sound.createMediaStreamDestination();
  tone.frequency.value = 660;
  tone.connect(out);
  tone.start();
  return new MediaStream([...out.stream.getTracks(), ...canvas.captureStream(30).getTracks()]);
};
window.signIn = (jid, password, websocket) => new Promise((resolve) => {
  const client = window.client = stanza.createClient({ jid, password, transports: { websocket, bosh: false },
    useStreamManagement: false, // who closes the page is away at once
    jingle: { iceServers: [] } });
  for (const name of ['outgoing', 'incoming', 'accepted', 'ringing', 'terminated']) {
    client.on('jingle:' + name, (session, more) => {
      window.session = session;
      happened(name, { peer: session.peerID, reason: more?.condition });
    });
  }
  client.jingle.on('createdSession', (session) => {
    session.pc.addEventListener('track', (e) => { document.querySelector('video').srcObject ??= e.streams[0]; });
  });
  client.jingle.on('log:error', (text) => happened('complaint', { text }));
  client.on('session:started', () => {
    client.sendPresence({ legacyCapabilities: client.updateCaps() }); // their name for the hash of XEP-0115
    resolve(client.jid);
  });
  client.connect();
});
window.dial = (peer) => client.jingle.createMediaSession(peer, undefined, media()).start();
window.take = async () => {
  const stream = media();
  for (const track of stream.getTracks()) session.addTrack(track, stream);
  await session.accept();
};
/** Resolves when so many pictures were decoded and sound is heard. */
window.seen = async (frames) => {
  for (;;) {
    let video = 0, energy = 0;
    for (const s of (await session.pc.getStats()).values()) {
      if (s.type === 'inbound-rtp' && s.kind === 'video') video = s.framesDecoded ?? 0;
      if (s.type === 'inbound-rtp' && s.kind === 'audio') energy = s.totalAudioEnergy ?? 0;
    }
    if (video >= frames && energy > 0.001) return { video, energy, width: document.querySelector('video').videoWidth };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};
/** Resolves when ICE has begun anew on both sides, and pictures come by the new way. */
window.restarted = async () => {
  const ufrag = (description) => /a=ice-ufrag:(\\S+)/.exec(description.sdp)[1];
  const { pc } = session, old = [ufrag(pc.localDescription), ufrag(pc.remoteDescription)];
  await session.restartIce();
  while (pc.signalingState !== 'stable' || pc.iceConnectionState === 'checking' ||
    ufrag(pc.localDescription) === old[0] || ufrag(pc.remoteDescription) === old[1])
    await new Promise((resolve) => setTimeout(resolve, 50));
  const frames = async () => [...(await pc.getStats()).values()].find(
    (s) => s.type === 'inbound-rtp' && s.kind === 'video').framesDecoded;
  const before = await frames();
  while (await frames() < before + 15) await new Promise((resolve) => setTimeout(resolve, 50));
  return pc.iceConnectionState;
};
/** The first event of that name that was not handed out before. */
window.event = async (name) => {
  for (;;) {
    const at = events.findIndex((e) => e.name === name);
    if (at >= 0) return events.splice(at, 1)[0];
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
window.loaded = true;
</script>`;

before(async () => {
  server = new LineProcess('prosody', '/usr/bin/python3', [`${root}tests/interop/xmpp_server.py`, 'prosody']);
  const script = bundle();
  pages = createServer((request, response) => {
    const isScript = request.url === '/stanza.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html; charset=utf-8');
    response.end(isScript ? script : PAGE);
  });
  await new Promise((resolve) => { pages.listen(0, '127.0.0.1', resolve); });
  origin = `http://127.0.0.1:${pages.address().port}/`;
  info = await server.next({ server: 'prosody' });
});
afterEach(async () => {
  await Promise.all([...running].map((one) => one.kill()));
  running.clear();
});
after(async () => {
  server?.child.stdin.end();
  await server?.exit;
  pages?.close();
});

/** Calls a function of the page, with a deadline that tells what it waited for. */
const ask = (page, name, ...args) => within(PATIENCE,
  () => `${name}; ${page.failures.join('; ')}; ${[...running].map((one) => one.story()).join('\n')}`,
  page.evaluate(([f, list]) => window[f](...list), [name, args]));

/** Juliet's page, signed in. */
async function juliet() {
  const page = await (await world.browser.newContext()).newPage();
  page.failures = [];
  page.on('pageerror', (error) => page.failures.push(error.message));
  await page.goto(origin);
  await page.waitForFunction(() => window.loaded);
  page.jid = await ask(page, 'signIn', `juliet@${info.domain}`, 'secret', info.websocket);
  return page;
}

function romeoDoes(...args) {
  const one = new LineProcess('romeo', '/usr/bin/env', ['PEERLINE_XMPP_PASSWORD=secret', program, 'xmpp', '--json',
    '--host', info.host, '--port', `${info.c2s}`, '--ca-file', info.ca, ...args]);
  running.add(one);
  return one;
}

/** His telephone. */
const romeo = (...args) => romeoDoes('--anybody', 'call', ...args);

async function bothSeeAndHear(page, phone) {
  const seen = await ask(page, 'seen', 30);
  assert.equal(seen.width, 640);
  await phone.next({ event: 'progress', text: 'connected' });
}

async function good(phone) {
  const report = await phone.next({ event: 'report' });
  assert.ok(report.good, JSON.stringify(report));
  assert.ok(report.video.frames > 15 && report.audio.level_dbov > -60, JSON.stringify(report));
  assert.equal(report.video.size, '320x240');
}

test('stanza calls, peerline takes it; stanza restarts ICE, and hangs up', LIMIT, async () => {
  const phone = romeo('--answer', `romeo@${info.domain}`);
  const { jid } = await phone.next({ event: 'online' });
  const page = await juliet();
  await ask(page, 'dial', jid);
  assert.equal((await phone.next({ event: 'ringing' })).from, page.jid);
  await ask(page, 'event', 'accepted');
  await bothSeeAndHear(page, phone);
  assert.match(await ask(page, 'restarted'), /connected|completed/);
  await page.evaluate(() => session.end());
  await good(phone);
  assert.deepEqual(page.failures, []);
});

test('peerline calls, stanza takes it; peerline hangs up', LIMIT, async () => {
  const page = await juliet();
  const phone = romeo(`romeo@${info.domain}`, page.jid);
  const incoming = await ask(page, 'event', 'incoming');
  await page.evaluate(() => session.ring());
  await phone.next({ event: 'progress', text: 'it rings there' });
  assert.equal(incoming.peer, (await phone.next({ event: 'online' })).jid);
  await ask(page, 'take');
  await bothSeeAndHear(page, phone);
  phone.send({ do: 'hang-up' });
  await good(phone);
  assert.equal((await ask(page, 'event', 'terminated')).reason, 'success');
  assert.equal(await phone.ended(), 0);
  assert.deepEqual(page.failures, []);
});

test('peerline calls the account of a contact, whose client knows no proposals', LIMIT, async () => {
  const page = await juliet();
  const [him, her] = ['romeo', 'juliet'].map((who) => `${who}@${info.domain}`);
  const list = romeoDoes('roster', him);
  await list.next({ event: 'roster' });
  list.send({ do: 'add', jid: her });
  await page.evaluate((jid) => client.acceptSubscription(jid), him);
  await list.next({ event: 'presence', jid: page.jid });
  list.send({ do: 'quit' });
  await list.ended();
  const phone = romeo(him, her);
  await ask(page, 'event', 'incoming');
  await ask(page, 'take');
  await bothSeeAndHear(page, phone);
  await page.close();
  assert.equal((await phone.next({ event: 'report' })).reason, 'gone');
  assert.equal(await phone.ended(), 1);
  assert.deepEqual(page.failures, []);
});

test('a call that is not taken, and one that is taken back', LIMIT, async () => {
  const page = await juliet();
  const phone = romeo(`romeo@${info.domain}`);
  const { jid } = await phone.next({ event: 'online' });
  await ask(page, 'dial', jid);
  await phone.next({ event: 'ringing' });
  await ask(page, 'event', 'ringing');
  phone.send({ do: 'decline' });
  assert.equal((await ask(page, 'event', 'terminated')).reason, 'decline');
  await ask(page, 'dial', jid);
  await phone.next({ event: 'ringing' });
  await page.evaluate(() => session.cancel());
  await phone.next({ event: 'missed' });
  const caller = romeo(`romeo@${info.domain}`, page.jid);
  await ask(page, 'event', 'incoming');
  await page.evaluate(() => session.decline());
  const report = await caller.next({ event: 'report' });
  assert.deepEqual([report.good, report.reason], [false, 'decline']);
  assert.equal(await caller.ended(), 1);
  assert.deepEqual(page.failures, []);
});
