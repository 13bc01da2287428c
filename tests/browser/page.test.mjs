// The page as people use it: two of them meet in the room of a real `peerline serve`, one calls, the other
// accepts, both see moving pictures, chat both ways, and hang up.
//   PEERLINE=path/to/peerline node --test tests/browser/page.test.mjs
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = process.env.PEERLINE ?? `${root}build/release/peerline`;
const artifacts = process.env.PL_ARTIFACTS ?? `${root}build/artifacts`;
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'];

let server, url, browser;

/** Starts the server on free ports; its first line says where. */
async function serve() {
  const child = spawn(program, ['serve', '--listen', '127.0.0.1:0', '--stun', '127.0.0.1:0', '--json'],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    const ready = JSON.parse(line);
    assert.equal(ready.type, 'ready');
    child.stdout.resume();
    return { child, url: ready.http[0] };
  }
  throw new Error('the server ended before it was ready');
}

async function open(name, query = 'fake', options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  page.on('console', (message) => message.type() === 'error' && page.errors.push(message.text()));
  await page.goto(`${url}/?${query}&name=${encodeURIComponent(name)}`);
  await page.waitForSelector('body[data-view=room]');
  // The first of a test may still see those of the test before, of the same names, whom the server has not missed yet.
  if (browser.contexts().length === 1) await page.waitForFunction(() => document.querySelector('#count').textContent === '0');
  return page;
}

const framesDecoded = (page) => page.evaluate(() => Number(document.querySelector('#facts').dataset.framesDecoded ?? 0));
const callButton = (page, name) => page.getByRole('button', { name: `Call ${name}`, exact: true });

/** The colour in the middle of the far picture's corner tells whose it is, and that it is no black frame. */
function cornerOf(page) {
  return page.evaluate(() => {
    const video = document.querySelector('#remote');
    const canvas = Object.assign(document.createElement('canvas'), { width: 8, height: 8 });
    const ctx = canvas.getContext('2d');
    ctx.drawImage(video, 0, 0, 8, 8, 0, 0, 8, 8);
    return [...ctx.getImageData(4, 4, 1, 1).data];
  });
}

before(async () => {
  await mkdir(artifacts, { recursive: true });
  const started = await serve();
  server = started.child;
  url = started.url;
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: flags });
});

afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));

after(async () => {
  await browser?.close();
  const ended = new Promise((resolve) => server.once('exit', (code) => resolve(code)));
  server.kill('SIGTERM');
  assert.equal(await ended, 0, 'the server leaves in order');
});

test('two people call each other', { timeout: 60000 }, async () => {
  const ann = await open('Ann Miller');
  const bob = await open('Bob, the "second"', 'fake', { colorScheme: 'dark' });
  const bobAsListed = 'Bob_ the "second"'; // commas separate in the classic protocol
  await callButton(ann, bobAsListed).click();
  await ann.getByRole('heading', { name: `Calling ${bobAsListed}` }).waitFor();
  await bob.getByText('Ann Miller is calling you').waitFor();
  await bob.screenshot({ path: `${artifacts}/page-ringing.png` });
  await bob.getByRole('button', { name: 'Accept' }).click();
  for (const page of [ann, bob])
    await page.waitForFunction(() => document.querySelector('#state').textContent === 'Connected');

  await ann.getByLabel('Message', { exact: true }).fill('Hello Bob <b>& co</b>');
  await ann.getByLabel('Message', { exact: true }).press('Enter');
  await bob.locator('#messages li.theirs', { hasText: 'Hello Bob <b>& co</b>' }).waitFor();
  await bob.getByLabel('Message', { exact: true }).fill('Hello Ann 👋');
  await bob.getByRole('button', { name: 'Send' }).click();
  await ann.locator('#messages li.theirs', { hasText: 'Hello Ann 👋' }).waitFor();

  for (const page of [ann, bob])
    await page.waitForFunction(() => Number(document.querySelector('#facts').dataset.framesDecoded) > 20);
  const [seenByAnn, seenByBob] = [await cornerOf(ann), await cornerOf(bob)];
  const apart = seenByAnn.reduce((sum, v, i) => sum + Math.abs(v - seenByBob[i]), 0);
  assert.ok(apart > 60, `each sees the other's colours: ${seenByAnn} and ${seenByBob}`);
  assert.match(await ann.locator('#facts').innerText(), /\w+ → \w+, UDP[\s\S]*VP8[\s\S]*640 × 480[\s\S]*\d+ ms/);
  assert.ok(await framesDecoded(ann) > 20);
  await ann.waitForFunction(() => /Mbit|[1-9]\d* kbit/.test(document.querySelector('[data-key=bitsIn] b').textContent));
  await ann.screenshot({ path: `${artifacts}/page.png` });

  await bob.keyboard.press('Escape'); // no call waits: nothing must happen
  await ann.getByRole('button', { name: 'Mute' }).click();
  assert.equal(await ann.getByRole('button', { name: 'Mute' }).getAttribute('aria-pressed'), 'true');
  await ann.getByRole('button', { name: 'Hang up' }).click();
  for (const page of [ann, bob]) {
    await page.getByRole('heading', { name: 'Call ended' }).waitFor();
    assert.deepEqual(page.errors, []);
  }
});

test('a call can be declined, given up, and made again', { timeout: 60000 }, async () => {
  const ann = await open('Ann');
  const bob = await open('Bob');
  await callButton(ann, 'Bob').click();
  await bob.getByRole('button', { name: 'Decline' }).click();
  await ann.getByRole('heading', { name: 'Bob does not answer' }).waitFor();
  await callButton(ann, 'Bob').click();
  await bob.getByText('Ann is calling you').waitFor();
  await ann.getByRole('button', { name: 'Hang up' }).click();
  await bob.getByText('Ann has hung up.').waitFor();
  await callButton(bob, 'Ann').click();
  await ann.getByRole('button', { name: 'Accept' }).click();
  await ann.waitForFunction(() => document.querySelector('#state').textContent === 'Connected');
  await bob.context().close(); // a closed window says goodbye; one that is killed is missed
  await ann.getByRole('heading', { name: /^(Call ended|Bob has left)$/ }).waitFor();
  await ann.waitForFunction(() => document.querySelector('#count').textContent === '0');
  assert.deepEqual(ann.errors, []);
});

test('who calls back the one who rings has accepted', { timeout: 60000 }, async () => {
  const ann = await open('Ann');
  const bob = await open('Bob');
  await callButton(ann, 'Bob').click();
  await bob.getByText('Ann is calling you').waitFor();
  await callButton(bob, 'Ann').click();
  for (const page of [ann, bob]) {
    await page.waitForFunction(() => document.querySelector('#state').textContent === 'Connected');
    assert.ok(await page.locator('#banner').isHidden());
  }
  assert.deepEqual([...ann.errors, ...bob.errors], []);
});

test('both call at the same moment', { timeout: 60000 }, async () => {
  const ann = await open('Ann');
  const bob = await open('Bob');
  const buttons = [callButton(ann, 'Bob'), callButton(bob, 'Ann')];
  await Promise.all(buttons.map((b) => b.waitFor()));
  const at = Date.now() + 500; // one moment for both, before either can have heard of the other's offer
  await Promise.all([ann, bob].map((page) => page.evaluate(
    (when) => setTimeout(() => document.querySelector('#people button').click(), when - Date.now()), at)));
  for (const page of [ann, bob]) { // each has asked for it, so nobody has to accept
    await page.waitForFunction(() => document.querySelector('#state').textContent === 'Connected');
    assert.ok(await page.locator('#banner').isHidden());
    await page.waitForFunction(() => Number(document.querySelector('#facts').dataset.framesDecoded) > 5);
  }
  assert.deepEqual([...ann.errors, ...bob.errors], []);
});

test('without a camera there is advice, and one can still watch', { timeout: 60000 }, async () => {
  const ann = await open('Ann', 'x');
  const bob = await open('Bob');
  await callButton(ann, 'Bob').click();
  await ann.getByRole('alert').getByText(/camera|microphone/i).first().waitFor();
  await bob.getByRole('button', { name: 'Accept' }).click();
  await ann.waitForFunction(() => Number(document.querySelector('#facts').dataset.framesDecoded) > 5);
  await ann.getByRole('button', { name: 'Send a test picture' }).click(); // renegotiates in the call
  await bob.waitForFunction(() => Number(document.querySelector('#facts').dataset.framesDecoded) > 5);
  await ann.screenshot({ path: `${artifacts}/page-advice.png` });
});

test('on a phone everything fits the width', { timeout: 60000 }, async () => {
  const ann = await open('Ann', 'fake', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  const bob = await open('Bob');
  const overflow = () => ann.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(await overflow() <= 0, 'idle');
  await callButton(ann, 'Bob').click();
  await bob.getByRole('button', { name: 'Accept' }).click();
  await ann.waitForFunction(() => document.querySelector('#state').textContent === 'Connected');
  assert.ok(await overflow() <= 0, 'in a call');
  await ann.screenshot({ path: `${artifacts}/page-phone.png` });
});

test('the page loads nothing from elsewhere and nothing it may not', { timeout: 30000 }, async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  const response = await page.goto(`${url}/`);
  assert.match(response.headers()['content-security-policy'], /default-src 'none'/);
  assert.equal(response.headers()['x-content-type-options'], 'nosniff');
  await page.waitForLoadState('networkidle');
  assert.ok(asked.length >= 6);
  assert.deepEqual(asked.filter((u) => !u.startsWith(url)), []);
});
