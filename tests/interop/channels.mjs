// Data channels between peerline and a stack that others wrote, in a real connection, both roles. Run by channels.sh in a
// network of its own, once for each of them: node --test channels.mjs, with the stack in INTEROP_WITH.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LineProcess } from '../lines.mjs';
import { bytes, burst, close, closedAndOpenedAgain, connect, everyKind, everySize, goodbye, negotiated, ours, seen,
  text } from './scenario.mjs';

const LIMIT = { timeout: 100000 };
const SIZES = [0, 1, 1000, 1200, 16384, 40000];

const isAscii = (name) => /^[\x20-\x7e]*$/.test(name);

/** takes, sends: the longest message it takes, and sends. cannotOpen: names of channels. */
const stacks = {
  // It counts characters where OPEN counts bytes.
  aiortc: { program: fileURLToPath(new URL('aiortc_channels.py', import.meta.url)), takes: 65536, sends: 262144,
    cannotOpen: (label) => !isAscii(label) },
  // This version announces 65,536 by saying nothing, and closes the channel when as many arrive.
  pion: { program: process.env.PION_CHANNELS, takes: 65535, sends: 65536 },
};
const name = process.env.INTEROP_WITH;
const stack = stacks[name];
assert.ok(stack, `INTEROP_WITH is one of ${Object.keys(stacks)}`);

let ends = [];
afterEach(async () => {
  await Promise.all(ends.map((end) => end.kill()));
  ends = [];
});

async function call(weOffer, ...options) {
  const us = ours(...options), them = new LineProcess(name, stack.program, []);
  ends = [us, them];
  await (weOffer ? connect(us, them) : connect(them, us));
  return { us, them };
}

for (const weOffer of [true, false]) {
  const who = weOffer ? 'peerline offers' : `${name} offers`;

  test(`${who}: channels of every kind, opened and closed by either`, LIMIT, async () => {
    const { us, them } = await call(weOffer);
    const parities = [await everyKind(us, them), await everyKind(them, us, stack.cannotOpen)];
    assert.notEqual(parities[0], parities[1], 'even ids are the DTLS client\'s, odd ones the server\'s');
    if (stack.cannotOpen) { // a malformed OPEN ends that channel, and nothing else
      them.send({ type: 'open', label: 'Zürich' });
      await them.next({ type: 'channel', label: 'Zürich', state: 'closed' });
    }
    await negotiated(us, them, 1000);
    await closedAndOpenedAgain(us, them);
    await closedAndOpenedAgain(them, us);
    assert.deepEqual(us.errors, []);
    assert.deepEqual(them.errors, []);
    await goodbye(us, them);
  });

  test(`${who}: messages of every size, both ways`, LIMIT, async () => {
    const { us, them } = await call(weOffer);
    await everySize(us, them, 'first', [...SIZES, stack.takes]);
    await everySize(us, them, 'first', [1, 1000, 40000, stack.takes], { how: 'lent' });
    await everySize(them, us, 'first', [...SIZES, 65536, stack.sends]);
    us.send({ type: 'send', label: 'first', ...bytes(65537) });
    assert.equal((await us.next({ type: 'error' })).message, 'send', 'longer than it takes is refused here');
    await burst(us, them, 'first');
    await goodbye(us, them);
  });

  test(`${who}: streams and pieces`, LIMIT, async () => {
    const { us, them } = await call(weOffer, 'pieces');
    const block = bytes(50000);
    us.send({ type: 'send', label: 'first', ...block, times: 100, how: 'stream', messageSize: 50000 });
    await us.next({ type: 'streamed', label: 'first' });
    for (let i = 0; i < 100; i += 1) await them.next(seen('first', block));
    us.send({ type: 'send', label: 'first', ...bytes(1000), times: 60, how: 'stream', messageSize: 0 }); // as one message
    await them.next(seen('first', { ...bytes(1000), times: 60 }));
    for (const n of [0, 1, 16384, stack.sends]) {
      them.send({ type: 'send', label: 'first', ...text(n) });
      const { pieces } = await us.next(seen('first', text(n)));
      assert.ok(pieces >= 1, 'in pieces');
    }
    await goodbye(us, them);
  });

  test(`${who}: either closes with much under way`, LIMIT, async () => {
    const { us, them } = await call(weOffer);
    for (const [from, to] of [[us, them], [them, us]]) {
      const label = `from ${from.name}`;
      from.send({ type: 'open', label });
      await to.next({ type: 'channel', label, state: 'open' });
      await from.next({ type: 'channel', label, state: 'open' });
      if (from === us) { // what was sent before close() arrives before the end
        for (let i = 0; i < 50; i += 1) from.send({ type: 'send', label, ...bytes(30000 + i) });
        await close(from, to, label);
        for (let i = 0; i < 50; i += 1) await to.next(seen(label, bytes(30000 + i)));
      } else { // and what the one sends whose channel is being closed does no harm
        for (let i = 0; i < 20; i += 1) from.send({ type: 'send', label, ...bytes(30000) });
        await to.next(seen(label, bytes(30000)));
        await close(to, from, label);
      }
    }
    us.send({ type: 'send', label: 'first', ...text(1234) });
    await them.next(seen('first', text(1234)));
    await goodbye(us, them);
  });
}
