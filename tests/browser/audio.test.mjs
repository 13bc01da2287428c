// Sound both ways between peerline and Chromium, every codec in both roles: peerline sends a tone that the page
// measures; the page sends another one, which peerline measures and records.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMIT, TRUSTED, ask, openCall, peerline, useBrowser } from './peer.mjs';
import { readWav, toneShare } from './recording.mjs';

const world = useBrowser(TRUSTED);
const find = (stats, type, kind = 'audio') => stats.find((s) => s.type === type && (!s.kind || s.kind === kind));

for (const codec of ['opus', 'PCMU', 'PCMA']) {
  for (const offers of [true, false]) {
    test(`${codec}, ${offers ? 'peerline' : 'Chromium'} offers`, LIMIT, async () => {
      const wav = `${world.folder}/${codec}-${offers}.wav`;
      const peer = peerline(offers ? '--offer' : '--answer', '--audio', 'tone:440', '--audio-codec', codec,
        '--record-audio', wav, '--stats');
      const page = await openCall(world, peer, { offers: !offers, before: (tab) => tab.evaluate(() => call.sing(880)) });
      await peer.next({ type: 'state', connection: 'connected' });
      await ask(page, 'hear', 440);
      const heard = await peer.stats(({ receivedToneHz, stats }) => Math.abs(receivedToneHz - 880) < 9
        && find(stats, 'inbound-rtp').packetsReceived > 20);
      assert.ok(heard.receivedLevelDbov > -30, `${heard.receivedLevelDbov} dBov`);

      const own = heard.stats;
      const theirs = await ask(page, 'stats');
      for (const [stats, type] of [[own, 'inbound-rtp'], [own, 'outbound-rtp'], [theirs, 'inbound-rtp'],
        [theirs, 'outbound-rtp']]) {
        const { codecId } = find(stats, type);
        const { mimeType } = stats.find((s) => s.id === codecId);
        assert.equal(mimeType.toLowerCase(), `audio/${codec.toLowerCase()}`, type);
      }
      await ask(page, 'grows', 'audio', 'totalSamplesReceived', codec === 'opus' ? 48000 : 8000); // a second
      // Little of what is played is invented: the stream is whole and in time.
      const later = await ask(page, 'inbound', 'audio');
      assert.ok(later.concealedSamples < later.totalSamplesReceived / 2,
        `${later.concealedSamples} of ${later.totalSamplesReceived} samples concealed`);
      await peer.close();

      const recorded = await readWav(wav);
      const share = toneShare(recorded, 880);
      assert.ok(share > 0.9, `${share} of the recording's last second is at 880 Hz`);
    });
  }
}

test('peerline only listens', LIMIT, async () => {
  const wav = `${world.folder}/listening.wav`;
  const peer = peerline('--offer', '--record-audio', wav, '--stats');
  const page = await openCall(world, peer, { before: (tab) => tab.evaluate(() => call.sing(1000)) });
  await peer.stats((line) => Math.abs(line.receivedToneHz - 1000) < 10);
  const { direction } = await page.evaluate(() => call.pc.getTransceivers()[0]);
  assert.equal(direction ?? 'sendonly', 'sendonly');
  assert.equal(await page.evaluate(() => call.pc.getTransceivers()[0].currentDirection), 'sendonly');
  await peer.close();
  assert.ok(toneShare(await readWav(wav), 1000) > 0.9);
});
