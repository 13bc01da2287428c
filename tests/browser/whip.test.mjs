// WHIP and WHEP with clients that nobody here wrote: npm's whip-whep (Medooze), unmodified, in Chromium against
// `peerline serve`, and `peerline publish` and `peerline play` on the other side.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LineProcess, PATIENCE, within } from '../lines.mjs';
import { LIMIT, TRUSTED, useBrowser } from './peer.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = process.env.PEERLINE ?? `${root}build/release/peerline`;
const world = useBrowser(TRUSTED, '--use-fake-device-for-media-stream');
const running = new Set();
let pages, origin, server, url;

const PAGE = `<!doctype html><title>whip</title><link rel="icon" href="data:,"><video autoplay playsinline></video>
<script type="module">
import { WHIPClient } from '/whip.js';
import { WHEPClient } from '/whep.js';
/** Publishes a moving canvas and a tone; resolves when it is connected. */
window.publish = async (url, token) => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 });
  const ink = canvas.getContext('2d');
  let n = 0;
  setInterval(() => { ink.fillStyle = 'hsl(' + (n++ * 7) % 360 + ' 80% 50%)'; ink.fillRect(0, 0, 320, 240);
    ink.fillStyle = 'black'; ink.fillRect(n % 300, 100, 20, 20); }, 33);
  const sound = new AudioContext(), tone = sound.createOscillator(), out = sound.createMediaStreamDestination();
  tone.frequency.value = 660;
  tone.connect(out);
  tone.start();
  const pc = window.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  pc.addTransceiver(out.stream.getAudioTracks()[0], { direction: 'sendonly' });
  pc.addTransceiver(canvas.captureStream(30).getVideoTracks()[0], { direction: 'sendonly' });
  window.client = new WHIPClient();
  await client.publish(pc, url, token);
  await connected();
};
window.play = async (url, token) => {
  const pc = window.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  pc.addTransceiver('audio', { direction: 'recvonly' });
  pc.addTransceiver('video', { direction: 'recvonly' });
  const stream = new MediaStream();
  pc.ontrack = (e) => { stream.addTrack(e.track); document.querySelector('video').srcObject = stream; };
  window.client = new WHEPClient();
  await client.view(pc, url, token);
  await connected();
};
const connected = () => new Promise((resolve) => {
  const look = () => { if (pc.connectionState === 'connected') resolve(); };
  pc.addEventListener('connectionstatechange', look);
  look();
});
/** Resolves when so many pictures were decoded and sound is heard. */
window.seen = async (frames) => {
  for (;;) {
    let video = 0, energy = 0;
    for (const s of (await pc.getStats()).values()) {
      if (s.type === 'inbound-rtp' && s.kind === 'video') video = s.framesDecoded ?? 0;
      if (s.type === 'inbound-rtp' && s.kind === 'audio') energy = s.totalAudioEnergy ?? 0;
    }
    if (video >= frames && energy > 0.001) return { video, energy, width: document.querySelector('video').videoWidth };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};
window.loaded = true;
</script>`;

before(async () => {
  const module = (name) => readFile(new URL(`node_modules/whip-whep/${name}.js`, import.meta.url));
  const script = { '/whip.js': await module('whip'), '/whep.js': await module('whep') };
  pages = createServer((request, response) => {
    response.setHeader('content-type', script[request.url] ? 'text/javascript' : 'text/html; charset=utf-8');
    response.end(script[request.url] ?? PAGE);
  });
  await new Promise((resolve) => { pages.listen(0, '127.0.0.1', resolve); });
  origin = `http://127.0.0.1:${pages.address().port}/`;
  const tokens = `${world.folder}/tokens`;
  await writeFile(tokens, 'publish stage let-me-in\nplay stage -\nboth lab l4b\n');
  server = new LineProcess('serve', program, ['serve', '--listen', '127.0.0.1:0', '--stun', '127.0.0.1:0', '--json',
    '--whip-token-file', tokens, '--whip-bind', '127.0.0.1']);
  url = (await server.next({ type: 'ready' })).http[0];
});
afterEach(async () => {
  await Promise.all([...running].map((one) => one.kill()));
  running.clear();
});
after(async () => {
  await server?.kill();
  pages?.close();
});

async function open() {
  const page = await (await world.browser.newContext()).newPage();
  page.failures = [];
  page.on('pageerror', (error) => page.failures.push(error.message));
  await page.goto(origin);
  await page.waitForFunction(() => window.loaded);
  return page;
}

/** Calls a function of the page, with a deadline that tells what it waited for. */
const ask = (page, name, ...args) => within(PATIENCE, () => `${name}; ${page.failures.join('; ')}; ${server.story()}`,
  page.evaluate(([f, list]) => window[f](...list), [name, args]));

function native(command, token, ...args) {
  const env = token ? { PEERLINE_TOKEN: token } : {};
  const one = new LineProcess(command, '/usr/bin/env',
    [...Object.entries(env).map(([k, v]) => `${k}=${v}`), program, command, '--json', ...args]);
  running.add(one);
  return one;
}

const status = async () => (await fetch(`${url}/status`)).json();

async function until(holds) {
  let last;
  const give = Date.now() + PATIENCE;
  while (Date.now() < give) {
    last = await status();
    if (holds(last)) return last;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  throw new Error(`the server's status stays ${JSON.stringify(last)}`);
}

test('Chromium publishes; Chromium and peerline play; DELETE ends', LIMIT, async () => {
  const stage = await open();
  await ask(stage, 'publish', `${url}/whip/stage`, 'let-me-in');
  const viewer = await open();
  await ask(viewer, 'play', `${url}/whep/stage`);
  const seen = await ask(viewer, 'seen', 30);
  assert.equal(seen.width, 320);
  const player = native('play', null, '--seconds', '4', `${url}/whep/stage`);
  const report = await player.next({ type: 'report' });
  assert.ok(report.video.frames > 30 && report.audio.level_dbov > -60, JSON.stringify(report));
  assert.equal(report.video.size, '320x240');
  await player.ended();
  await until((s) => s.viewers === 1 && s.publishers === 1);
  await viewer.evaluate(() => client.stop());
  await until((s) => s.viewers === 0);
  await stage.evaluate(() => client.stop());
  await until((s) => s.publishers === 0);
  assert.deepEqual([...stage.failures, ...viewer.failures], []);
});

test('peerline publishes and Chromium plays', LIMIT, async () => {
  const publisher = native('publish', 'l4b', '--audio', 'tone:440', '--video', 'pattern', `${url}/whip/lab`);
  await publisher.next((line) => line.text === 'connected');
  const viewer = await open();
  await ask(viewer, 'play', `${url}/whep/lab`, 'l4b');
  const seen = await ask(viewer, 'seen', 30);
  assert.equal(seen.width, 640);
  publisher.write('/quit\n');
  const report = await publisher.next({ type: 'report' });
  assert.ok(report.good, report.reason);
  assert.equal(await publisher.ended(), 0);
  await until((s) => s.publishers === 0);
  assert.deepEqual(viewer.failures, []);
});

test('who has no token, or the wrong one, is refused', LIMIT, async () => {
  const page = await open();
  const refused = (...args) => assert.rejects(page.evaluate(([u, t]) => publish(u, t), args), /rejected with status 40[13]/);
  await refused(`${url}/whip/stage`);
  await refused(`${url}/whip/stage`, 'wrong');
  await refused(`${url}/whip/stage`, 'l4b');
  await assert.rejects(page.evaluate((u) => play(u), `${url}/whep/stage`), /rejected with status 404/);
});

test('a publisher in Chromium restarts ICE, and the picture goes on', LIMIT, async () => {
  const stage = await open();
  await ask(stage, 'publish', `${url}/whip/stage`, 'let-me-in');
  const player = native('play', null, `${url}/whep/stage`);
  await player.next((line) => line.text === 'connected');
  const { ice_restarts: restarts, packets_in: before_in } = await status();
  const answer = await stage.evaluate(async () => {
    const heard = [];
    const fetched = window.fetch;
    window.fetch = async (...args) => { const r = await fetched(...args); heard.push([args[1].method, r.status]); return r; };
    await client.restart().catch((error) => heard.push(error.message));
    return heard;
  });
  assert.deepEqual(answer[0], ['PATCH', 200], JSON.stringify(answer));
  await until((s) => s.ice_restarts === restarts + 1 && s.packets_in > before_in + 200);
  await stage.waitForFunction(() => pc.iceConnectionState === 'connected' || pc.iceConnectionState === 'completed');
  player.write('/quit\n');
  const report = await player.next({ type: 'report' });
  assert.ok(report.video.frames > 30, JSON.stringify(report));
});
