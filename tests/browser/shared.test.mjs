// Two nodes of `peerline serve` share their rooms through Redis. A page whose node dies comes back at the next one as who it
// was, and hears what was said meanwhile.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LineProcess, PATIENCE, within } from '../lines.mjs';
import { LIMIT, useBrowser } from './peer.mjs';

const program = process.env.PEERLINE ?? `${fileURLToPath(new URL('../..', import.meta.url))}build/release/peerline`;
const world = useBrowser();
let redis, redisUrl;
const nodes = [];

/** A port that was free a moment ago. */
const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

/** A node, at a port of its own or where another was. */
async function node(port = 0) {
  const process = new LineProcess('serve', program, ['serve', '--listen', `127.0.0.1:${port}`, '--stun', 'none', '--json',
    '--redis', redisUrl]);
  nodes.push(process);
  const [url] = (await process.next({ type: 'ready' })).http;
  return { process, url, port: Number(new URL(url).port) };
}

before(async () => {
  const port = await freePort();
  redisUrl = `redis://127.0.0.1:${port}`;
  redis = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', world.folder || '/tmp'],
    { stdio: 'ignore' });
});
after(async () => {
  await Promise.all(nodes.map((one) => one.kill()));
  redis?.kill('SIGKILL');
});

/** Signs a page in; what it hears is kept in window.heard. */
async function join(url, name) {
  const page = await (await world.browser.newContext()).newPage();
  await page.goto(url);
  await page.evaluate(async (who) => {
    const { Rooms } = await import('/rooms.js');
    Object.assign(window, { rooms: new Rooms(), heard: [], states: [], gone: 0 });
    window.rooms.addEventListener('text', (event) => window.heard.push(event.detail.text));
    window.rooms.addEventListener('state', (event) => window.states.push(event.detail));
    window.rooms.addEventListener('left', () => { window.gone += 1; });
    window.rooms.signIn(who);
  }, name);
  await until(page, () => window.rooms.id !== 0);
  return page;
}

const until = (page, holds, arg) => within(PATIENCE, () => `the page waits for ${holds}`,
  page.waitForFunction(holds, arg, { timeout: PATIENCE, polling: 50 }));
const idOf = (page) => page.evaluate(() => window.rooms.id);
const say = (page, to, text) => page.evaluate(([id, words]) => window.rooms.send(id, words), [to, text]);

test('a page comes back at the next node, and nobody has noticed', LIMIT, async () => {
  const first = await node();
  const second = await node();
  const ann = await join(first.url, 'ann');
  const bob = await join(second.url, 'bob');
  await until(ann, () => [...window.rooms.peers.values()].includes('bob'));
  await until(bob, () => [...window.rooms.peers.values()].includes('ann'));
  const id = await idOf(ann);
  assert.ok(await say(bob, id, 'one'));
  await until(ann, () => window.heard.length === 1);
  await first.process.kill();
  assert.ok(await say(bob, id, 'two'));
  assert.ok(await say(bob, id, 'three'));
  await node(first.port);
  await until(ann, () => window.heard.length === 3);
  assert.deepEqual(await ann.evaluate(() => window.heard), ['one', 'two', 'three']);
  assert.equal(await idOf(ann), id);
  assert.ok(!(await ann.evaluate(() => window.states)).includes('off'));
  assert.equal(await bob.evaluate(() => window.gone), 0);
  assert.ok(await say(ann, await idOf(bob), 'still here'));
  await until(bob, () => window.heard.includes('still here'));
});
