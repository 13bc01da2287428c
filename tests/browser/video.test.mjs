// Pictures both ways between peerline and Chromium: peerline's pattern is decoded and shown by the page, the page's
// canvas is decoded and recorded by peerline.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMIT, TRUSTED, artifacts, ask, openCall, peerline, useBrowser } from './peer.mjs';
import { readIvf } from './recording.mjs';

const world = useBrowser(TRUSTED);
const find = (stats, type) => stats.find((s) => s.type === type && s.kind === 'video');
const differ = (a, b) => a.reduce((sum, v, i) => sum + Math.abs(v - b[i]), 0) / a.length;

/** The page shows peerline's pattern: moving, in colour, and without asking for key frames all the time. */
async function pageSees(page) {
  await ask(page, 'watch');
  const before = await ask(page, 'look');
  const { framesDecoded, ...from } = await ask(page, 'inbound', 'video');
  const s = await ask(page, 'grows', 'video', 'framesDecoded', 60);
  const later = await ask(page, 'look');
  assert.ok(Math.max(...later) > 100, 'not black');
  assert.ok(Math.max(...later) - Math.min(...later) > 60, 'not of one grey');
  assert.ok(differ(before, later) > 3, `moves: ${differ(before, later)}`);
  assert.equal(s.frameWidth, 640);
  assert.equal(s.frameHeight, 360);
  assert.ok(s.freezeCount - from.freezeCount <= 2, `${s.freezeCount} freezes`);
  assert.ok(s.pliCount <= 5, `${s.pliCount} requests for a key frame`);
  assert.ok(s.nackCount <= s.packetsReceived / 10, `${s.nackCount} of ${s.packetsReceived} packets asked again`);
  assert.ok(s.keyFramesDecoded >= 1 && s.keyFramesDecoded <= 1 + s.framesDecoded / 20, `${s.keyFramesDecoded} key frames`);
  assert.ok(s.packetsLost <= s.packetsReceived / 50, `${s.packetsLost} lost`);
}

for (const offers of [true, false]) {
  test(`VP8, ${offers ? 'peerline' : 'Chromium'} offers`, LIMIT, async () => {
    const ivf = `${world.folder}/${offers}.ivf`;
    const peer = peerline(offers ? '--offer' : '--answer', '--video', 'pattern', '--record-video', ivf, '--stats');
    const page = await openCall(world, peer, { offers: !offers, before: (tab) => tab.evaluate(() => call.paint()) });
    await peer.next({ type: 'state', connection: 'connected' });
    await pageSees(page);
    const { stats } = await peer.stats(({ stats: all }) => find(all, 'inbound-rtp')?.framesDecoded >= 60);
    const inbound = find(stats, 'inbound-rtp');
    assert.ok(inbound.keyFramesDecoded >= 1);
    assert.ok(inbound.pliCount <= 5, `${inbound.pliCount} requests for a key frame`);
    assert.equal(inbound.frameWidth / inbound.frameHeight, 320 / 240); // Chromium may send it smaller
    assert.ok(inbound.packetsLost <= inbound.packetsReceived / 50, `${inbound.packetsLost} lost`);
    const outbound = find(stats, 'outbound-rtp');
    assert.ok(outbound.framesEncoded >= 60);
    assert.equal(outbound.frameWidth, 640);
    assert.equal(outbound.frameHeight, 360);
    if (offers) await page.screenshot({ path: `${artifacts}/peer-call.png` });
    await peer.close();

    const { width, height, frames } = await readIvf(ivf);
    assert.equal(width / height, 320 / 240);
    assert.ok(frames.length >= 60);
    assert.ok(frames[0].key, 'begins with a key frame');
    frames.reduce((last, frame) => { assert.ok(frame.pts > last, 'time goes on'); return frame.pts; }, -1);
    const decoded = await page.evaluate((all) => decodeVp8(all), frames);
    assert.equal(decoded, frames.length, 'Chromium decodes the recording');
  });
}

test('a key frame that the page asks for comes', LIMIT, async () => {
  const peer = peerline('--offer', '--video', 'pattern', '--stats');
  const page = await openCall(world, peer, { before: (tab) => tab.evaluate(() => call.interpose('video')) });
  await ask(page, 'grows', 'video', 'framesDecoded', 30);
  const { keyFramesDecoded } = await ask(page, 'inbound', 'video');
  await page.evaluate(() => call.askKeyFrame());
  await ask(page, 'grows', 'video', 'keyFramesDecoded', 1);
  await peer.stats(({ stats }) => find(stats, 'outbound-rtp').pliCount >= 1
    && find(stats, 'outbound-rtp').keyFramesEncoded > keyFramesDecoded);
  await peer.close();
});
