// Files between pages and native peers: page to page, page to `peerline receive`, `peerline send` to the page, with their
// checksums; declined; and a native sender that is killed in the middle and comes back.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { LIMIT, within } from './peer.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = process.env.PEERLINE ?? `${root}build/release/peerline`;
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
let server, url, browser, dir;
const natives = new Set();

before(async () => {
  server = spawn(program, ['serve', '--listen', '127.0.0.1:0', '--stun', '127.0.0.1:0', '--json'],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  url = JSON.parse((await lines.next()).value).http[0];
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: flags });
  dir = await mkdtemp(`${tmpdir()}/peerline-files-`);
});
afterEach(async () => {
  for (const native of natives) native.kill('SIGKILL');
  natives.clear();
  await Promise.all(browser.contexts().map((context) => context.close()));
});
after(async () => {
  await browser?.close();
  server?.kill('SIGTERM');
  await rm(dir, { recursive: true, force: true });
});

/** A native command with --json: its lines by event, and its exit code. */
function native(...args) {
  const child = spawn(program, [args[0], '--server', url, '--json', ...args.slice(1)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = [];
  const waiting = [];
  natives.add(child);
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines.push(JSON.parse(text));
    for (const look of waiting) look();
  });
  const ended = new Promise((resolve) => { child.once('close', resolve); });
  const next = (event) => within(40000, () => `${event} of ${args[0]}: ${JSON.stringify(lines)}`, new Promise((resolve) => {
    const look = () => { const line = lines.find((o) => o.event === event); if (line) resolve(line); };
    waiting.push(look);
    look();
  }));
  return { child, next, ended: () => within(40000, () => `the end of ${args[0]}: ${JSON.stringify(lines)}`, ended) };
}

async function open(name) {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true })).newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  await page.goto(`${url}/?fake&name=${name}`);
  await page.waitForSelector('body[data-view=room]');
  return page;
}

async function choose(page, to, files) {
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'),
    page.getByRole('button', { name: `Share files with ${to}` }).click()]);
  await chooser.setFiles(files);
}

async function saved(download) {
  return readFile(await (await download).path());
}

test('one page sends two files to another', LIMIT, async () => {
  const [ann, bob] = [await open('Ann'), await open('Bob')];
  const big = randomBytes(5_000_003);
  await choose(ann, 'Bob', [{ name: 'empty.txt', mimeType: 'text/plain', buffer: Buffer.alloc(0) },
    { name: 'big.bin', mimeType: 'application/octet-stream', buffer: big }]);
  const downloads = [];
  bob.on('download', (download) => downloads.push(download));
  await bob.getByRole('button', { name: 'Accept files' }).click();
  await bob.locator('#files li[data-state=done]').waitFor();
  await ann.locator('#files li[data-state=done]').waitFor();
  const link = bob.getByRole('link', { name: 'Save big.bin' });
  assert.equal(await link.getAttribute('title'), `SHA-256 ${sha256(big)}`);
  const [download] = await Promise.all([bob.waitForEvent('download'), link.click()]);
  assert.equal(sha256(await saved(download)), sha256(big));
  assert.deepEqual([...ann.errors, ...bob.errors], []);
});

test('what is declined is not sent', LIMIT, async () => {
  const [ann, bob] = [await open('Ann'), await open('Bob')];
  await choose(ann, 'Bob', [{ name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') }]);
  await bob.getByRole('button', { name: 'Decline files' }).click();
  await ann.locator('#files li[data-state=failed]', { hasText: 'declined' }).waitFor();
});

test('a page sends to a native peer', LIMIT, async () => {
  const robot = native('receive', '--name', 'Robot', '--dir', dir, '--yes');
  const page = await open('Human');
  const bytes = randomBytes(3_000_001);
  await choose(page, 'Robot', [{ name: 'from page.bin', mimeType: 'application/octet-stream', buffer: bytes }]);
  const stored = await robot.next('stored');
  assert.equal(stored.sha256, sha256(bytes));
  assert.equal(await robot.ended(), 0);
  assert.deepEqual(await readFile(`${dir}/from page.bin`), bytes);
  await page.locator('#files li[data-state=done]', { hasText: 'Sent' }).waitFor();
  assert.deepEqual(page.errors, []);
});

test('a native peer sends to a page, and both show the same digits', LIMIT, async () => {
  const page = await open('Human');
  const bytes = randomBytes(4_000_001);
  await writeFile(`${dir}/to page.bin`, bytes);
  const robot = native('send', '--name', 'Robot', '--to', 'Human', `${dir}/to page.bin`);
  await page.getByRole('button', { name: 'Accept files' }).waitFor();
  const { digits } = await robot.next('connected');
  await page.locator('#files .digits', { hasText: digits }).waitFor();
  await page.getByRole('button', { name: 'Accept files' }).click();
  const link = page.getByRole('link', { name: 'Save to page.bin' });
  await link.waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
  assert.equal(sha256(await saved(download)), sha256(bytes));
  assert.equal(await robot.ended(), 0);
  assert.equal((await robot.next('stored')).sha256, sha256(bytes));
  await page.locator('#files li[data-state=done]', { hasText: 'Received' }).waitFor();
  assert.deepEqual(page.errors, []);
});
