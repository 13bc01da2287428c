// Data channels between peerline and Chromium, each in both roles: text and bytes of every size, channels of every
// kind, and their end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMIT, ask, openCall, peerline, useBrowser } from './peer.mjs';

const world = useBrowser();
const sizes = [0, 1, 1000, 16384, 65536, 262144];

/** Bytes of which no two places are alike for long. */
function bytes(n) {
  const out = Buffer.alloc(n);
  for (let i = 0, x = n + 1; i < n; i += 1) {
    x = (Math.imul(x, 1103515245) + 12345) >>> 0;
    out[i] = x >>> 16;
  }
  return { base64: out.toString('base64') };
}

/** n bytes of UTF-8, characters of one to four bytes among them. */
function text(n) {
  const unit = 'grüße → 😀 "\\ \n\u0000'; // 24 bytes
  const whole = unit.repeat(Math.floor(n / Buffer.byteLength(unit)));
  return { data: whole + 'x'.repeat(n - Buffer.byteLength(whole)) };
}

const messages = sizes.flatMap((n) => [text(n), bytes(n)]);
const content = ({ data, base64 }) => ({ data, base64 });

/** deepEqual of long texts would print them. */
function same(got, wanted, what) {
  assert.equal(Object.keys(got).sort().join(), Object.keys(wanted).sort().join(), what);
  const [a, b] = [got.data ?? got.base64, wanted.data ?? wanted.base64];
  assert.ok(a === b, `${what}: ${a.length} and ${b.length} characters`);
}

async function carriesBothWays(peer, page, label) {
  for (const message of messages) {
    const what = `${'data' in message ? 'text' : 'bytes'} of ${(message.data ?? message.base64).length} characters`;
    await ask(page, 'say', label, message);
    const { data, base64 } = await peer.next({ type: 'message', label });
    same(JSON.parse(JSON.stringify(content({ data, base64 }))), message, `to peerline, ${what}`);
    same(await ask(page, 'message', label), message, `echoed, ${what}`);
  }
  for (const message of messages) peer.send({ type: 'send', label, ...message });
  for (const message of messages) same(await ask(page, 'message', label), message, 'from peerline');
}

test('peerline offers, its channel carries everything both ways', LIMIT, async () => {
  const peer = peerline('--offer', '--data', 'chat', '--echo');
  const page = await openCall(world, peer);
  await peer.next({ type: 'channel', label: 'chat', state: 'open' });
  await ask(page, 'channel', 'chat');
  await carriesBothWays(peer, page, 'chat');
  await peer.close();
});

test('Chromium offers, its channel carries everything both ways', LIMIT, async () => {
  const peer = peerline('--answer', '--echo');
  const page = await openCall(world, peer, { offers: true, before: (tab) => ask(tab, 'open', 'chat') });
  await peer.next({ type: 'channel', label: 'chat', state: 'open' });
  await carriesBothWays(peer, page, 'chat');
  await peer.close();
});

const kinds = {
  plain: {},
  unordered: { ordered: false },
  once: { ordered: false, maxRetransmits: 0 },
  twice: { maxRetransmits: 2 },
  'Zürich 東京 😀': { maxPacketLifeTime: 500, protocol: 'protokoll-ü' },
  '': { protocol: 'without a label' },
};

test('channels of every kind, opened and closed at either end', LIMIT, async () => {
  const peer = peerline('--offer', '--data', 'own', '--echo');
  const page = await openCall(world, peer);
  await ask(page, 'channel', 'own');
  for (const [label, init] of Object.entries(kinds)) await ask(page, 'open', label, init);
  for (const label of Object.keys(kinds)) {
    await peer.next({ type: 'channel', label, state: 'open' });
    await ask(page, 'channel', label);
    for (const message of [text(3000), bytes(3000)]) {
      await ask(page, 'say', label, message);
      same(await ask(page, 'message', label), message, label);
    }
  }
  for (const label of Object.keys(kinds)) {
    await page.evaluate((l) => call.channels[l].close(), label);
    await peer.next({ type: 'channel', label, state: 'closed' });
    await ask(page, 'channel', label, 'closed');
  }
  // What has been closed can be opened again, and the streams' numbers are used again.
  await ask(page, 'open', 'plain');
  const { id } = await ask(page, 'channel', 'plain');
  assert.ok(id < 20, `stream ${id}`);
  await ask(page, 'say', 'plain', text(10));
  same(await ask(page, 'message', 'plain'), text(10), 'after opening again');
  peer.send({ type: 'close' });
  for (const label of ['plain', 'own']) await ask(page, 'channel', label, 'closed');
  assert.equal(await peer.ended(), 0);
});

test('a burst of messages arrives in order, and none is missing', LIMIT, async () => {
  const peer = peerline('--answer', '--echo');
  const page = await openCall(world, peer, { offers: true, before: (tab) => ask(tab, 'open', 'burst') });
  await ask(page, 'channel', 'burst');
  await page.evaluate(() => { for (let i = 0; i < 2000; i += 1) call.channels.burst.send(`${i} ${'.'.repeat(i % 700)}`); });
  await peer.next((o) => o.type === 'message' && o.data.startsWith('1999 '));
  await page.waitForFunction(() => call.inbox.burst.length >= 2000);
  const echoed = await page.evaluate(() => call.inbox.burst.map((m) => parseInt(m.data, 10)));
  assert.deepEqual(echoed, [...Array(2000).keys()]);
  assert.deepEqual(peer.lines.filter((o) => o.type === 'message').map((o) => parseInt(o.data, 10)), echoed);
  await peer.close();
});
