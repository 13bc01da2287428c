// What data channels owe each other, whoever wrote the two ends: an end obeys the orders of README.md. Used with aiortc and
// pion here, and with Chromium in ../browser/channels.test.mjs.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { LineProcess } from '../lines.mjs';

const program = process.env.CHANNEL_PEER
  ?? fileURLToPath(new URL('../../build/release/tests/channel_peer', import.meta.url));

/** Our end. */
export const ours = (...options) => new LineProcess('peerline', program, options);

/** Bytes of which no two places are alike for long. */
export function bytes(n) {
  const out = Buffer.alloc(n);
  for (let i = 0, x = n + 1; i < n; i += 1) {
    x = (Math.imul(x, 1103515245) + 12345) >>> 0;
    out[i] = x >>> 16;
  }
  return { base64: out.toString('base64') };
}

/** n bytes of UTF-8, characters of one to four bytes among them. */
export function text(n) {
  const unit = 'grüße → 😀 "\\ \n\u0001'; // 24 bytes
  const whole = unit.repeat(Math.floor(n / Buffer.byteLength(unit)));
  return { data: whole + 'x'.repeat(n - Buffer.byteLength(whole)) };
}

/** What the other end says of a message that has arrived whole. */
export function seen(label, { data, base64, times = 1 }) {
  const once = data === undefined ? Buffer.from(base64, 'base64') : Buffer.from(data);
  const hash = createHash('sha256');
  for (let i = 0; i < times; i += 1) hash.update(once);
  return { type: 'message', label, binary: data === undefined, size: once.length * times, sha256: hash.digest('hex') };
}

/** Both ends of a connection whose offerer has opened a channel, so that there is something to offer. */
export async function connect(offerer, answerer) {
  offerer.send({ type: 'open', label: 'first' });
  offerer.send({ type: 'offer' });
  answerer.send(await offerer.next({ type: 'offer' }));
  offerer.send(await answerer.next({ type: 'answer' }));
  for (const end of [offerer, answerer]) await end.next({ type: 'channel', label: 'first', state: 'open' });
}

const kinds = {
  plain: {},
  unordered: { ordered: false },
  once: { ordered: false, maxRetransmits: 0 },
  thrice: { maxRetransmits: 3 },
  timed: { maxPacketLifeTime: 5000, ordered: false },
  'Zürich 東京 😀': { maxPacketLifeTime: 60000, protocol: 'protokoll-ü' },
};

export const sayAll = (end, label, messages) => messages.forEach((m) => end.send({ type: 'send', label, ...m }));
/** Messages of one kind in this order, whatever came between. */
export async function hearAll(end, label, messages) {
  for (const message of messages) await end.next(seen(label, message));
}

/** The order in which messages of a channel were heard. */
export const heard = (end, label) => end.lines.filter((o) => o.type === 'message' && o.label === label);

async function opened(opener, other, label, init) {
  const here = await opener.next({ type: 'channel', label, state: 'open' });
  const there = await other.next({ type: 'channel', label, state: 'open' });
  const { ordered = true, protocol = '', maxRetransmits, maxPacketLifeTime } = init;
  for (const said of [here, there]) {
    assert.equal(said.ordered, ordered, label);
    assert.equal(said.protocol, protocol, label);
    assert.equal(said.maxRetransmits ?? undefined, maxRetransmits, label);
    assert.equal(said.maxPacketLifeTime ?? undefined, maxPacketLifeTime, label);
  }
  assert.equal(here.id, there.id, label);
  return here.id;
}

export async function close(who, other, label) {
  who.send({ type: 'close', label });
  for (const end of [who, other]) await end.next({ type: 'channel', label, state: 'closed' });
}

/** Channels of every kind, opened by `opener`; a few messages each way, closed by one end and by the other. */
export async function everyKind(opener, other, skip = () => false) {
  const ids = [], names = Object.keys(kinds).filter((name) => !skip(name));
  for (const name of names) {
    const init = kinds[name], label = `${name} by ${opener.name}`;
    opener.send({ type: 'open', label, ...init });
    ids.push(await opened(opener, other, label, init));
    for (const [from, to] of [[opener, other], [other, opener]]) {
      const messages = [text(3000), bytes(3000), text(0), bytes(0), text(1)];
      sayAll(from, label, messages);
      await hearAll(to, label, messages);
    }
  }
  assert.equal(new Set(ids).size, ids.length, 'every channel has an id of its own');
  assert.equal(new Set(ids.map((id) => id % 2)).size, 1, 'of the parity of its opener');
  let byOther = false;
  for (const name of names) {
    const label = `${name} by ${opener.name}`;
    await (byOther ? close(other, opener, label) : close(opener, other, label));
    byOther = !byOther;
  }
  return ids[0] % 2;
}

/** An id is used again once both ends have reset its streams; nothing of the old channel is left in the new one. */
export async function closedAndOpenedAgain(opener, other, rounds = 3) {
  const ids = new Set();
  for (let i = 0; i < rounds; i += 1) {
    const label = `round ${i}`;
    opener.send({ type: 'open', label });
    ids.add(await opened(opener, other, label, {}));
    const messages = [text(100 + i), bytes(20000 + i)];
    sayAll(opener, label, messages);
    sayAll(other, label, messages);
    await hearAll(other, label, messages);
    await hearAll(opener, label, messages);
    await close(i % 2 ? opener : other, i % 2 ? other : opener, label);
  }
  return ids.size;
}

export async function negotiated(a, b, id) {
  const label = `agreed ${id}`;
  for (const end of [a, b]) end.send({ type: 'open', label, negotiated: true, id, ordered: false });
  for (const end of [a, b]) assert.equal((await end.next({ type: 'channel', label, state: 'open' })).id, id);
  for (const [from, to] of [[a, b], [b, a]]) {
    sayAll(from, label, [text(500), bytes(500)]);
    await hearAll(to, label, [text(500), bytes(500)]);
  }
  await close(a, b, label);
}

/** Every size in both kinds, one after the other. */
export async function everySize(from, to, label, sizes, how = {}) {
  for (const n of sizes) {
    for (const message of [text(n), bytes(n)]) {
      sayAll(from, label, [{ ...message, ...how }]);
      await to.next(seen(label, message));
    }
  }
}

/** Many at once both ways: all arrive, in order, and afterwards nothing is buffered. */
export async function burst(a, b, label, n = 300) {
  const message = (i, name) => ({ data: `${name} ${i} ${'.'.repeat((i * 37) % 1500)}` });
  const before = [heard(a, label).length, heard(b, label).length];
  for (let i = 0; i < n; i += 1) {
    for (const end of [a, b]) sayAll(end, label, [message(i, end.name)]);
  }
  for (const [from, to, skip] of [[a, b, before[1]], [b, a, before[0]]]) {
    await to.next(seen(label, message(n - 1, from.name)));
    const hashes = heard(to, label).slice(skip).map((o) => o.sha256);
    assert.deepEqual(hashes, [...Array(n).keys()].map((i) => seen(label, message(i, from.name)).sha256));
    await emptied(from, label);
  }
}

/** The last packet may leave a moment after its message has arrived. */
export async function emptied(end, label) {
  for (let bytesLeft = 1; bytesLeft;) {
    end.send({ type: 'amount', label });
    bytesLeft = (await end.next({ type: 'amount', label })).bytes;
    if (bytesLeft) await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}

/** Ends the connection at our end; the other hears of it. */
export async function goodbye(us, other, label = 'first') {
  us.child.stdin.end();
  assert.equal(await us.ended(), 0, us.story());
  await other.next({ type: 'channel', label, state: 'closed' });
  assert.equal(us.stderr, '');
}
