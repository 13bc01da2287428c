// The page and the native client in one room: each calls the other, pictures, sound and chat go both ways, and the
// native side's report says that the call was good.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { artifacts, LIMIT, within } from './peer.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = process.env.PEERLINE ?? `${root}build/release/peerline`;
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'];
const media = `${root}share/media`;
let server, url, browser;
const natives = new Set();

before(async () => {
  await mkdir(artifacts, { recursive: true });
  server = spawn(program, ['serve', '--listen', '127.0.0.1:0', '--stun', '127.0.0.1:0', '--json'],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  url = JSON.parse((await lines.next()).value).http[0];
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: flags });
});
afterEach(async () => {
  for (const native of natives) native.kill('SIGKILL');
  natives.clear();
  await Promise.all(browser.contexts().map((context) => context.close()));
});
after(async () => {
  await browser?.close();
  server?.kill('SIGTERM');
});

/** `peerline call`: what it prints as JSON lines, and its end. */
function native(name, ...more) {
  const child = spawn(program, ['call', '--server', url, '--name', name, '--json', '--once', '--audio',
    `${media}/speech.wav`, '--video', `${media}/cockatoo.ivf`, ...more], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = [];
  const waiting = [];
  natives.add(child);
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines.push(JSON.parse(text));
    for (const look of waiting) look();
  });
  const ended = new Promise((resolve) => { child.once('close', resolve); });
  const next = (type) => within(30000, () => `${type} from ${name}`, new Promise((resolve) => {
    const look = () => { const line = lines.find((o) => o.type === type); if (line) resolve(line); };
    waiting.push(look);
    look();
  }));
  return { child, next, ended, say: (text) => child.stdin.write(`${text}\n`) };
}

async function open(name) {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  await page.goto(`${url}/?fake&name=${name}`);
  await page.waitForSelector('body[data-view=room]');
  return page;
}

async function talk(page, robot) {
  await page.waitForFunction(() => document.querySelector('#state').textContent === 'Connected');
  await page.waitForFunction(() => Number(document.querySelector('#facts').dataset.framesDecoded) > 20);
  await page.getByLabel('Message', { exact: true }).fill('Hello robot');
  await page.getByLabel('Message', { exact: true }).press('Enter');
  assert.equal((await robot.next('chat')).text, 'Hello robot');
  robot.say('Hello human');
  await page.locator('#messages li.theirs', { hasText: 'Hello human' }).waitFor();
}

async function goodEnd(page, robot) {
  const report = await robot.next('report');
  assert.ok(report.good, report.reason);
  assert.equal(report.peer, 'Human');
  assert.ok(report.video.frames > 10 && report.audio.packets > 20, JSON.stringify(report));
  assert.equal(await within(20000, () => 'the end of the native client', robot.ended), 0);
  await page.getByRole('heading', { name: /^(Call ended|Robot has left)$/ }).waitFor();
  assert.deepEqual(page.errors, []);
}

test('the page calls a native peer', LIMIT, async () => {
  const robot = native('Robot');
  const page = await open('Human');
  await page.getByRole('button', { name: 'Call Robot', exact: true }).click();
  await talk(page, robot);
  await page.screenshot({ path: `${artifacts}/page-native.png` });
  await page.getByRole('button', { name: 'Hang up' }).click();
  await goodEnd(page, robot);
});

test('a native peer calls the page, over WebSocket', LIMIT, async () => {
  const page = await open('Human');
  const robot = native('Robot', '--server', `${url.replace('http', 'ws')}/ws`, 'Human');
  await page.getByRole('button', { name: 'Accept' }).click();
  await talk(page, robot);
  robot.say('/bye');
  await goodEnd(page, robot);
});
