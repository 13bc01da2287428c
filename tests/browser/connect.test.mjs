// How a connection with Chromium comes up: both roles, candidates that trickle or do not, addresses that are hidden
// behind mDNS names or not, DTLS in both roles; and how it ends.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LIMIT, TRUSTED, ask, openCall, peerline, useBrowser } from './peer.mjs';

const hidden = useBrowser();
const shown = useBrowser(TRUSTED);

/** Both roles of peerline: its options, and those of the page. */
const roles = {
  'peerline offers': { role: '--offer', page: {} },
  'Chromium offers': { role: '--answer', page: { offers: true, before: (tab) => ask(tab, 'open', 'data') } },
};

async function talks(peer, page) {
  await peer.next({ type: 'state', connection: 'connected' });
  await ask(page, 'connected');
  await ask(page, 'channel', 'data');
  await ask(page, 'say', 'data', { data: 'hello' });
  assert.deepEqual(await ask(page, 'message', 'data'), { data: 'hello' });
}

/** The addresses of all candidates the page has sent, in its description or on their own. */
const addresses = (lines) => lines.flatMap(({ sdp = '', candidate = '' }) => [sdp, candidate])
  .flatMap((text) => [...text.matchAll(/candidate:\S+ \d+ \S+ \d+ (\S+)/g)].map((m) => m[1]));

/** A description with one byte of its fingerprint changed. */
const wrong = ({ sdp, ...line }) => (sdp ? { ...line, sdp: sdp.replace(/^(a=fingerprint:sha-256 )(..)/m,
  (_, start, byte) => start + (byte === '00' ? '01' : '00')) } : line);

for (const [who, { role, page: options }] of Object.entries(roles)) {
  for (const trickle of [true, false]) {
    for (const [what, world] of [['mDNS names', hidden], ['addresses', shown]]) {
      test(`${who}, ${trickle ? 'trickling' : 'all in the description'}, ${what}`, LIMIT, async () => {
        const peer = peerline(role, '--echo', ...(trickle ? [] : ['--no-trickle']));
        const sent = [];
        const page = await openCall(world, peer,
          { ...options, trickle, toPeer: (line) => { sent.push(line); return line; } });
        await talks(peer, page);
        const said = peer.lines.filter((o) => o.type === 'candidate');
        const [{ sdp }] = peer.lines.filter((o) => o.sdp);
        if (trickle) {
          assert.equal(said.at(-1).candidate, '', 'an empty candidate ends them');
          assert.ok(said.length > 1);
        } else {
          assert.equal(said.length, 0);
          assert.match(sdp, /^a=candidate:.* typ host/m);
          assert.match(sdp, /^a=end-of-candidates/m);
        }
        assert.ok(addresses(sent).length > 0);
        for (const address of addresses(sent))
          assert.equal(address.endsWith('.local'), world === hidden, address);
        await peer.close();
        await ask(page, 'channel', 'data', 'closed');
      });
    }
  }

  for (const setup of ['active', 'passive', 'actpass']) {
    test(`${who}, --dtls-setup ${setup}`, LIMIT, async () => {
      const peer = peerline(role, '--echo', '--stats', '--dtls-setup', setup);
      const page = await openCall(shown, peer, options);
      await talks(peer, page);
      const { sdp } = peer.lines.find((o) => o.sdp);
      const own = role === '--answer' && setup === 'actpass' ? 'active' : setup; // an answer decides
      assert.match(sdp, new RegExp(`^a=setup:${own}`, 'm'));
      const { stats } = await peer.stats();
      const transport = stats.find((s) => s.type === 'transport');
      const other = (await ask(page, 'stats')).find((s) => s.type === 'transport');
      const client = { active: 'client', passive: 'server' }[setup] ?? (role === '--offer' ? 'server' : 'client');
      assert.equal(transport.dtlsRole, client);
      assert.equal(other.dtlsRole, client === 'client' ? 'server' : 'client');
      await peer.close();
    });
  }

  test(`${who}, and is given a wrong fingerprint`, LIMIT, async () => {
    const peer = peerline(role, '--echo');
    const page = await openCall(shown, peer, { ...options, toPeer: wrong });
    await peer.next({ type: 'state', connection: 'failed' });
    const { message } = await peer.next({ type: 'error' });
    assert.match(message, /fingerprint/);
    assert.equal(await peer.ended(), 1);
    assert.deepEqual(peer.lines.at(-1), { type: 'closed' });
    assert.equal(await page.evaluate(() => Object.values(call.channels).some((c) => c.readyState === 'open')), false);
  });

  test(`${who}, and the page is given a wrong fingerprint`, LIMIT, async () => {
    const peer = peerline(role, '--echo');
    const page = await openCall(shown, peer, { ...options, toPage: wrong });
    await page.waitForFunction(() => call.pc.connectionState === 'failed');
    assert.ok(!peer.lines.some((o) => o.type === 'channel'));
  });

  test(`${who}, and the page closes the connection`, LIMIT, async () => {
    const peer = peerline(role, '--echo');
    const page = await openCall(shown, peer, options);
    await talks(peer, page);
    await page.evaluate(() => call.pc.close());
    assert.equal(await peer.ended(), 0);
    assert.deepEqual(peer.errors, []);
    assert.deepEqual(peer.lines.at(-1), { type: 'closed' });
  });
}

describe('bad input', () => {
  const junk = {
    'no JSON': ['{"type":', 'nonsense', '\u0000\u0001', '[1,2', '{"type":"send"} trailing'],
    'no line of ours': ['[]', '42', 'null', '"offer"', '{}', '{"type":7}', '{"type":"dance"}'],
    'no description': ['{"type":"offer"}', '{"type":"answer","sdp":7}', '{"type":"offer","sdp":""}',
      '{"type":"offer","sdp":"v=0\\r\\no=broken"}',
      `{"type":"offer","sdp":"${'a=x\\r\\n'.repeat(1000)}"}`, '{"type":"answer","sdp":"v=0\\r\\n"}'],
    'no candidate': ['{"type":"candidate"}', '{"type":"candidate","candidate":7}',
      '{"type":"candidate","candidate":"candidate:junk","sdpMid":"0"}',
      '{"type":"candidate","candidate":"candidate:1 1 udp 1 10.0.0.1 99999 typ host","sdpMid":"0"}',
      '{"type":"candidate","candidate":"candidate:1 1 udp 1 10.0.0.1 9 typ host","sdpMid":"nowhere"}'],
    'nothing to send': ['{"type":"send","label":"nobody","data":"x"}', '{"type":"send","label":"data"}',
      '{"type":"send","label":"data","base64":"%%%"}', '{"type":"send","label":"data","data":7}',
      `{"type":"send","label":"data","data":"${'x'.repeat(262145)}"}`],
    'too long': [`{"type":"send","label":"data","data":"${'x'.repeat(1 << 20)}"}`],
  };
  for (const [what, lines] of Object.entries(junk)) {
    test(what, LIMIT, async () => {
      const peer = peerline('--offer', '--data', 'data', '--echo');
      const page = await openCall(shown, peer);
      await talks(peer, page);
      for (const line of lines) {
        peer.write(`${line}\n`);
        const { message } = await peer.next({ type: 'error' });
        assert.ok(message.length > 3, line);
      }
      assert.equal(peer.errors.length, lines.length, 'an error for each');
      await ask(page, 'say', 'data', { data: 'still here' });
      assert.deepEqual(await ask(page, 'message', 'data'), { data: 'still here' });
      peer.send({ type: 'close' });
      assert.equal(await peer.ended(), 0);
    });
  }

  test('the end of input ends the call', LIMIT, async () => {
    const peer = peerline('--offer', '--data', 'data', '--echo');
    const page = await openCall(shown, peer);
    await talks(peer, page);
    peer.child.stdin.end('{"type":"send","label":"data","data":"last words"}'); // without a line end
    assert.deepEqual(await ask(page, 'message', 'data'), { data: 'last words' });
    assert.equal(await peer.ended(), 0);
    assert.deepEqual(peer.lines.at(-1), { type: 'closed' });
  });
});
