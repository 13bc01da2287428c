// Calls that change while they go on: ICE restarts of either side, media that comes, pauses and goes, and offers
// that cross.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMIT, TRUSTED, ask, openCall, peerline, useBrowser } from './peer.mjs';
import { readIvf } from './recording.mjs';

const world = useBrowser(TRUSTED);
const opened = (tab) => ask(tab, 'open', 'data');
const ufragOf = (sdp) => sdp.match(/^a=ice-ufrag:(\S+)/m)[1];
const sectionsOf = (sdp) => [...sdp.matchAll(/^m=(\w+) (\d+)/gm)].map(([, kind, port]) => (port === '0' ? '-' : kind));
const inbound = (stats, kind) => stats.find((s) => s.type === 'inbound-rtp' && s.kind === kind);
const transport = (stats) => stats.find((s) => s.type === 'transport');

async function talks(page, peer, text) {
  await ask(page, 'say', 'data', { data: text });
  await peer.next({ type: 'message', data: text });
  assert.deepEqual(await ask(page, 'message', 'data'), { data: text });
}

/** peerline's video stream from now on: resolves when `n` more frames have been decoded. */
async function moreFrames(peer, n = 20) {
  const { stats } = await peer.stats();
  const from = inbound(stats, 'video')?.framesDecoded ?? 0;
  await peer.stats(({ stats: later }) => inbound(later, 'video')?.framesDecoded >= from + n);
}

for (const [who, role] of [['peerline', '--offer'], ['Chromium', '--answer']]) {
  for (const restarter of ['peerline', 'Chromium']) {
    test(`${who} has offered, ${restarter} restarts ICE`, LIMIT, async () => {
      const peer = peerline(role, '--data', 'data', '--echo', '--stats');
      const page = await openCall(world, peer, role === '--offer' ? {} : { offers: true, before: opened });
      await peer.next({ type: 'channel', label: 'data', state: 'open' });
      await ask(page, 'channel', 'data');
      await talks(page, peer, 'before');
      const [{ sdp: first }] = peer.lines.filter((o) => o.sdp);
      const before = await page.evaluate(() => call.pc.localDescription.sdp);
      const { stats: old } = await peer.stats();
      assert.equal(transport(old).iceLocalUsernameFragment, ufragOf(first));

      const again = peer.nextNew((o) => o.type === (restarter === 'peerline' ? 'offer' : 'answer'));
      if (restarter === 'peerline') peer.send({ type: 'restart-ice' });
      else await page.evaluate(() => call.pc.restartIce());
      const { sdp } = await again;
      assert.notEqual(ufragOf(sdp), ufragOf(first));
      await talks(page, peer, 'while it restarts');
      const { stats } = await peer.stats(({ stats: s }) => transport(s).iceLocalUsernameFragment === ufragOf(sdp)
        && transport(s).selectedCandidatePairId !== transport(old).selectedCandidatePairId);
      assert.match(transport(stats).iceState, /connected|completed/);
      await page.waitForFunction(() => /connected|completed/.test(call.pc.iceConnectionState)
        && call.pc.connectionState === 'connected' && call.pc.signalingState === 'stable');
      const after = await page.evaluate(() => call.pc.localDescription.sdp);
      assert.notEqual(ufragOf(after), ufragOf(before));
      const pair = (await ask(page, 'stats')).find((s) => s.type === 'transport').selectedCandidatePairId;
      assert.ok(pair);
      await talks(page, peer, 'after');
      await peer.close();
    });
  }
}

test('the words of a restart are slower than its checks', LIMIT, async () => {
  const peer = peerline('--answer', '--echo', '--stats');
  let held = null;
  const toPeer = (line) => { held?.push(line); return held ? null : line; };
  const page = await openCall(world, peer, { offers: true, before: opened, toPeer });
  await ask(page, 'channel', 'data');
  const { stats: old } = await peer.stats();
  held = [];
  await page.evaluate(() => call.pc.restartIce());
  await ask(page, 'restartChecks'); // with the old credentials of peerline, which does not know of a restart yet
  const lines = held;
  held = null;
  lines.forEach((line) => peer.send(line));
  await peer.stats(({ stats }) => transport(stats).iceLocalUsernameFragment !== transport(old).iceLocalUsernameFragment
    && transport(stats).selectedCandidatePairId && stats.some((s) => s.id === transport(stats).selectedCandidatePairId
      && s.nominated && s.id !== transport(old).selectedCandidatePairId));
  await talks(page, peer, 'after all');
  await peer.close();
});

test('restarts of both sides without trickling', LIMIT, async () => {
  const peer = peerline('--answer', '--echo', '--no-trickle');
  const page = await openCall(world, peer, { offers: true, before: opened, trickle: false });
  await ask(page, 'channel', 'data');
  for (const restarter of ['Chromium', 'peerline', 'Chromium', 'peerline']) {
    const said = peer.nextNew((o) => o.sdp);
    if (restarter === 'peerline') peer.send({ type: 'restart-ice' });
    else await page.evaluate(() => call.pc.restartIce());
    const { sdp } = await said;
    assert.match(sdp, /^a=candidate:.* typ host/m);
    await page.waitForFunction((ufrag) => call.pc.remoteDescription.sdp.includes(`ice-ufrag:${ufrag}`)
      && call.pc.iceConnectionState === 'connected', ufragOf(sdp));
    await talks(page, peer, `after ${restarter}'s restart: ${ufragOf(sdp)}`);
  }
  await peer.close();
});

test('a restart by createOffer({iceRestart: true}), twice', LIMIT, async () => {
  const peer = peerline('--answer', '--echo', '--stats');
  const page = await openCall(world, peer, { offers: true, before: opened });
  await ask(page, 'channel', 'data');
  const seen = new Set(peer.lines.filter((o) => o.sdp).map(({ sdp }) => ufragOf(sdp)));
  for (const round of [1, 2]) {
    const answer = peer.nextNew({ type: 'answer' });
    await page.evaluate(async () => call.describe(await call.pc.createOffer({ iceRestart: true })));
    seen.add(ufragOf((await answer).sdp));
    assert.equal(seen.size, round + 1);
    await talks(page, peer, `round ${round}`);
    await page.waitForFunction(() => call.pc.connectionState === 'connected');
  }
  await peer.close();
});

test('the page adds video, pauses it, stops it, and adds sound', LIMIT, async () => {
  const ivf = `${world.folder}/added.ivf`;
  const peer = peerline('--answer', '--echo', '--stats', '--record-video', ivf);
  const page = await openCall(world, peer, { offers: true, before: opened });
  await ask(page, 'channel', 'data');

  await page.evaluate(() => call.paint());
  const { sdp } = await peer.next((o) => o.type === 'answer' && sectionsOf(o.sdp).length === 2);
  assert.deepEqual(sectionsOf(sdp), ['application', 'video']);
  await moreFrames(peer);
  await talks(page, peer, 'with video');

  const paused = peer.nextNew({ type: 'answer' });
  await page.evaluate(() => { call.pc.getTransceivers()[0].direction = 'inactive'; });
  assert.match((await paused).sdp, /^a=inactive/m);
  await page.waitForFunction(() => call.pc.getTransceivers()[0].currentDirection === 'inactive');
  await peer.stats(); // what was under way has arrived
  const { stats: still } = await peer.stats();
  const { stats: later } = await peer.stats();
  assert.equal(inbound(later, 'video')?.packetsReceived, inbound(still, 'video')?.packetsReceived, 'nothing comes');

  await page.evaluate(() => { call.pc.getTransceivers()[0].direction = 'sendonly'; });
  await moreFrames(peer);

  const stopped = peer.nextNew({ type: 'answer' });
  await page.evaluate(() => call.pc.getTransceivers()[0].stop());
  assert.deepEqual(sectionsOf((await stopped).sdp), ['application', '-']);
  await page.waitForFunction(() => call.pc.getTransceivers().length === 0);

  const added = peer.nextNew({ type: 'answer' });
  await page.evaluate(() => call.sing(660));
  assert.ok(sectionsOf((await added).sdp).includes('audio'));
  await peer.stats(({ receivedToneHz }) => Math.abs(receivedToneHz - 660) < 7);
  await talks(page, peer, 'with sound');
  await peer.close();
  const { frames } = await readIvf(ivf);
  assert.ok(frames.length >= 40);
  assert.equal(await page.evaluate((all) => decodeVp8(all), frames), frames.length);
});

test('peerline answers a call for data, and adds its own sound and pictures', LIMIT, async () => {
  const peer = peerline('--answer', '--echo', '--audio', 'tone:500', '--video', 'pattern');
  const page = await openCall(world, peer, { offers: true, before: opened });
  await ask(page, 'channel', 'data');
  const { sdp } = await peer.next({ type: 'offer' });
  assert.deepEqual(sectionsOf(sdp).sort(), ['application', 'audio', 'video']);
  await ask(page, 'grows', 'video', 'framesDecoded', 20);
  await ask(page, 'hear', 500);
  await talks(page, peer, 'all at once');
  await peer.close();
});

/** Makes peerline restart ICE at the moment of the page's next offer, which waits until peerline has made its own. */
function crossing(peer) {
  const state = { armed: false, crossed: 0, held: null };
  state.toPeer = (line) => {
    if (state.armed && line.type === 'offer') {
      Object.assign(state, { armed: false, crossed: state.crossed + 1, held: [] });
      peer.nextNew({ type: 'offer' }).then(() => {
        state.held.forEach((o) => peer.send(o));
        state.held = null;
      });
      peer.send({ type: 'restart-ice' });
    }
    state.held?.push(line);
    return state.held ? null : line;
  };
  return state;
}

for (const [polite, role] of [['Chromium', '--offer'], ['peerline', '--answer']]) {
  test(`offers cross, ${polite} gives way`, LIMIT, async () => {
    const peer = peerline(role, '--data', 'data', '--echo', '--stats');
    const cross = crossing(peer);
    const page = await openCall(world, peer, { toPeer: cross.toPeer, polite: polite === 'Chromium',
      ...(role === '--offer' ? {} : { offers: true, before: opened }) });
    await peer.next({ type: 'channel', label: 'data', state: 'open' });
    await ask(page, 'channel', 'data');
    const [{ sdp: first }] = peer.lines.filter((o) => o.sdp);
    let ufrag = ufragOf(first);
    // Both get what they wanted: the page its media, or its restart, and peerline its restart.
    const wishes = [
      [() => call.paint(), () => moreFrames(peer)],
      [() => call.sing(700), () => peer.stats(({ receivedToneHz }) => Math.abs(receivedToneHz - 700) < 7)],
      [() => call.pc.restartIce(), () => {}],
    ];
    for (const [wish, granted] of wishes) {
      cross.armed = true;
      await page.evaluate(wish);
      const { stats } = await peer.stats(({ stats: s }) => transport(s).iceLocalUsernameFragment !== ufrag
        && transport(s).selectedCandidatePairId && /connected|completed/.test(transport(s).iceState));
      ufrag = transport(stats).iceLocalUsernameFragment;
      await granted();
      await page.waitForFunction(() => call.pc.signalingState === 'stable' && call.pc.connectionState === 'connected');
      await talks(page, peer, `${wish}`);
    }
    assert.equal(cross.crossed, wishes.length);
    assert.ok(peer.errors.every((text) => /ignored/.test(text)), peer.errors.join('\n'));
    assert.deepEqual(page.failures, []);
    peer.send({ type: 'close' });
    assert.equal(await peer.ended(), 0);
  });
}
