// Data channels between peerline and Chromium: the scenario that aiortc and pion go through as well (tests/interop), and
// what a browser has beyond it: long messages, a thousand channels, streams of many megabytes, amounts.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bytes, burst, close, closedAndOpenedAgain, connect, emptied, everyKind, everySize, goodbye, hearAll, negotiated,
  ours, sayAll, seen, text } from '../interop/scenario.mjs';
import { Lines } from '../lines.mjs';
import { LIMIT, PATIENCE, useBrowser } from './peer.mjs';

const world = useBrowser();
const SIZES = [0, 1, 1000, 16384, 65535, 65536, 65537, 100000, 262144];
const KIB = 1024;

class Page extends Lines {
  #orders = [];

  async open() {
    const context = await world.browser.newContext();
    this.tab = await context.newPage();
    this.tab.on('pageerror', (error) => this.heard({ type: 'error', message: error.message }));
    await this.tab.exposeFunction('say', (lines) => lines.forEach((line) => this.heard(line)));
    await this.tab.goto(world.url);
    await this.tab.addScriptTag({ path: fileURLToPath(new URL('channels_page.js', import.meta.url)) });
    return this;
  }

  send(line) {
    if (this.#orders.push(line) > 1) return;
    queueMicrotask(() => {
      this.tab.evaluate((o) => channels.take(o), this.#orders.splice(0)).catch((error) => this.silent(error.message));
    });
  }
}

let us;
afterEach(() => us?.kill());

async function call(weOffer, ...options) {
  us = ours(...options);
  const page = await new Page('Chromium').open();
  await (weOffer ? connect(us, page) : connect(page, us));
  return page;
}

async function amount(end, label = 'first') {
  end.send({ type: 'amount', label });
  return end.next({ type: 'amount', label });
}

for (const weOffer of [true, false]) {
  const who = weOffer ? 'peerline offers' : 'Chromium offers';

  test(`${who}: channels of every kind, opened and closed by either`, LIMIT, async () => {
    const page = await call(weOffer);
    const parities = [await everyKind(us, page), await everyKind(page, us)];
    assert.notEqual(parities[0], parities[1]);
    await negotiated(us, page, 1000);
    await closedAndOpenedAgain(us, page);
    assert.equal(await closedAndOpenedAgain(page, us, 4), 1, 'Chromium uses the same id again');
    assert.deepEqual([us.errors, page.errors], [[], []]);
    await goodbye(us, page);
  });

  test(`${who}: messages of every size, both ways`, LIMIT, async () => {
    const page = await call(weOffer);
    await everySize(us, page, 'first', SIZES);
    await everySize(us, page, 'first', [1, 65536, 262144], { how: 'lent' });
    await everySize(page, us, 'first', SIZES);
    await burst(us, page, 'first');
    await goodbye(us, page);
  });
}

test('either closes with much under way', LIMIT, async () => {
  const page = await call(true);
  for (const [from, to] of [[us, page], [page, us]]) {
    const label = `from ${from.name}`, messages = [...Array(40).keys()].map((i) => bytes(60000 + i));
    from.send({ type: 'open', label });
    for (const end of [from, to]) await end.next({ type: 'channel', label, state: 'open' });
    sayAll(from, label, messages);
    await close(from, to, label); // what was sent before close() arrives before the end
    await hearAll(to, label, messages);
    assert.equal(to.lines.at(-1).state, 'closed');
  }
  await goodbye(us, page);
});

test('the longest message each side takes', LIMIT, async () => {
  const page = await call(false, 'max-message-size=20000'); // Chromium's answers never say more than the offer
  assert.equal((await amount(page)).largest, 20000, 'what our description says');
  await everySize(page, us, 'first', [19999, 20000]);
  page.send({ type: 'send', label: 'first', ...bytes(20001) });
  assert.match((await page.next({ type: 'error' })).message, /^send: /);
  assert.equal((await amount(us)).largest, 262144, 'what Chromium\'s says');
  us.send({ type: 'send', label: 'first', ...bytes(262145) });
  assert.equal((await us.next({ type: 'error' })).message, 'send');
  await everySize(us, page, 'first', [262144]);
  await goodbye(us, page);
});

test('we announce any length', LIMIT, async () => {
  const page = await call(false, 'pieces', 'max-message-size=any');
  await everySize(page, us, 'first', [262144]);
  assert.ok((await amount(page)).largest >= 262144);
  await goodbye(us, page);
});

test('a thousand channels, closed by both', { timeout: 3 * LIMIT.timeout }, async () => {
  const page = await call(true);
  const half = (end) => [...Array(500).keys()].map((i) => `${end.name} ${i}`);
  const labels = [...half(us), ...half(page)];
  for (const end of [us, page]) half(end).forEach((label) => end.send({ type: 'open', label }));
  for (const end of [us, page]) {
    for (const label of labels) await end.next({ type: 'channel', label, state: 'open' }, 3 * PATIENCE);
  }
  assert.equal(new Set(page.lines.filter((o) => o.state === 'open').map((o) => o.id)).size, 1001);
  for (const [from, to] of [[us, page], [page, us]]) {
    labels.forEach((label) => sayAll(from, label, [{ data: `from ${from.name} on ${label}` }]));
    for (const label of labels) await to.next(seen(label, { data: `from ${from.name} on ${label}` }), 3 * PATIENCE);
  }
  labels.forEach((label, i) => (i % 2 ? us : page).send({ type: 'close', label }));
  for (const end of [us, page]) {
    for (const label of labels) await end.next({ type: 'channel', label, state: 'closed' }, 3 * PATIENCE);
  }
  page.send({ type: 'open', label: 'after' }); // the ids are free again: Chromium takes the lowest
  assert.ok((await us.next({ type: 'channel', label: 'after', state: 'open' })).id < 4);
  await goodbye(us, page);
});

test('streams, and pieces of what Chromium sends', LIMIT, async () => {
  const page = await call(true, 'pieces');
  const block = bytes(64 * KIB), n = 256;
  us.send({ type: 'send', label: 'first', ...block, times: n, how: 'stream', messageSize: 1 }); // 16 MiB, fitting messages
  for (let i = 0; i < n; i += 1) await page.next(seen('first', block));
  await us.next({ type: 'streamed', label: 'first' });
  us.send({ type: 'send', label: 'first', ...bytes(1000), times: 262, how: 'stream', messageSize: 0 }); // in one
  await page.next(seen('first', { ...bytes(1000), times: 262 }));
  us.send({ type: 'send', label: 'first', ...bytes(1000), times: 263, how: 'stream', messageSize: 0 });
  assert.equal((await us.next({ type: 'error' })).message, 'send', 'longer than Chromium takes');
  for (let i = 0; i < 60; i += 1) page.send({ type: 'send', label: 'first', ...bytes(262144 - i) });
  for (let i = 0; i < 60; i += 1) assert.ok((await us.next(seen('first', bytes(262144 - i)))).pieces > 0);
  await goodbye(us, page);
});

test('what is buffered', LIMIT, async () => {
  const page = await call(true);
  const long = bytes(200000);
  for (let i = 0; i < 60; i += 1) us.send({ type: 'send', label: 'first', ...long });
  const { bytes: waiting } = await amount(us);
  assert.ok(waiting >= 0 && waiting <= 60 * 200000, `${waiting}`);
  for (let i = 0; i < 60; i += 1) await page.next(seen('first', long));
  await emptied(us, 'first');
  await us.next({ type: 'low', label: 'first' });
  // The other way, while nothing is taken here: Chromium keeps what our window does not let out, and not a byte is lost.
  us.send({ type: 'pause', label: 'first' });
  await amount(us);
  for (let i = 0; i < 60; i += 1) page.send({ type: 'send', label: 'first', ...long });
  let kept = -1;
  for (let last = -2; kept !== last || !kept;) {
    last = kept;
    await new Promise((resolve) => { setTimeout(resolve, 300); });
    kept = (await amount(page)).bytes;
  }
  assert.ok(kept > 0 && kept < 60 * 200000, `${kept}`);
  assert.equal(us.lines.filter((o) => o.type === 'message').length, 0);
  us.send({ type: 'resume', label: 'first' });
  for (let i = 0; i < 60; i += 1) await us.next(seen('first', long));
  await emptied(page, 'first');
  await goodbye(us, page);
});
