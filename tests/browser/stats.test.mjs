// getStats of both ends, laid side by side: the W3C's objects and names, their references, and numbers that agree.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMIT, TRUSTED, ask, openCall, peerline, useBrowser } from './peer.mjs';

const world = useBrowser(TRUSTED);
const opened = (tab) => tab.evaluate(() => { call.open('data', { protocol: 'größe' }); call.paint(); call.sing(880); });

const one = (stats, type, kind) => {
  const found = stats.filter((s) => s.type === type && (!kind || s.kind === kind));
  assert.equal(found.length, 1, `one ${type} ${kind ?? ''}: ${found.length}`);
  return found[0];
};
/** a and b count the same packets, but b was asked at another moment. */
const near = (a, b, what) => assert.ok(Math.abs(a - b) <= 20 + 0.5 * Math.max(a, b), `${what}: ${a} and ${b}`);

test('the statistics of a whole call', LIMIT, async () => {
  const peer = peerline('--answer', '--echo', '--audio', 'tone', '--video', 'pattern', '--stats');
  const page = await openCall(world, peer, { offers: true, before: opened });
  await ask(page, 'channel', 'data');
  await ask(page, 'say', 'data', { data: 'größer' });
  await ask(page, 'message', 'data');
  // A receiver report for each of our streams takes up to five seconds (RFC 3550 6.2).
  const { stats: own } = await peer.stats(({ stats }) => ['audio', 'video'].every((kind) => ['inbound-rtp',
    'remote-inbound-rtp', 'remote-outbound-rtp'].every((type) => stats.some((s) => s.type === type && s.kind === kind))));
  const theirs = await ask(page, 'stats');

  const byId = new Map(own.map((s) => [s.id, s]));
  assert.deepEqual(own.filter((s) => byId.get(s.id) !== s), [], 'every id is there once');
  for (const s of own) {
    assert.ok(Math.abs(s.timestamp - Date.now()) < 60000, `${s.id} is dated ${s.timestamp}`);
    for (const [name, value] of Object.entries(s)) {
      if (/Id$/.test(name) && value) assert.ok(byId.has(value), `${s.id}: ${name} leads to ${value}`);
    }
  }

  const transport = one(own, 'transport');
  const theirTransport = one(theirs, 'transport');
  assert.equal(transport.dtlsState, 'connected');
  assert.equal(transport.tlsVersion, theirTransport.tlsVersion);
  assert.equal(transport.dtlsCipher, theirTransport.dtlsCipher);
  assert.equal(transport.srtpCipher.replace('SRTP_', ''), theirTransport.srtpCipher.replace('SRTP_', ''));
  assert.deepEqual(new Set([transport.dtlsRole, theirTransport.dtlsRole]), new Set(['client', 'server']));
  assert.deepEqual(new Set([transport.iceRole, theirTransport.iceRole]), new Set(['controlling', 'controlled']));
  near(transport.packetsSent, theirTransport.packetsReceived, 'packets to the page');
  near(theirTransport.packetsSent, transport.packetsReceived, 'packets from the page');

  const pair = byId.get(transport.selectedCandidatePairId);
  assert.equal(pair.state, 'succeeded');
  assert.ok(pair.nominated);
  assert.ok(pair.currentRoundTripTime > 0 && pair.currentRoundTripTime < 1, `${pair.currentRoundTripTime} s`);
  assert.ok(pair.availableOutgoingBitrate > 0);
  const local = byId.get(pair.localCandidateId), remote = byId.get(pair.remoteCandidateId);
  assert.deepEqual([local.type, remote.type], ['local-candidate', 'remote-candidate']);
  const theirPair = theirs.find((s) => s.id === theirTransport.selectedCandidatePairId);
  assert.equal(theirs.find((s) => s.id === theirPair.localCandidateId).port, remote.port);
  assert.equal(theirs.find((s) => s.id === theirPair.remoteCandidateId).port, local.port);

  const fingerprints = (stats) => stats.filter((s) => s.type === 'certificate').map((s) => s.fingerprint).sort();
  assert.deepEqual(fingerprints(own), fingerprints(theirs));

  for (const kind of ['audio', 'video']) {
    for (const [from, to] of [[own, theirs], [theirs, own]]) {
      const out = one(from, 'outbound-rtp', kind), into = one(to, 'inbound-rtp', kind);
      assert.equal(out.ssrc, into.ssrc);
      assert.equal(out.mid, into.mid);
      near(out.packetsSent, into.packetsReceived, `${kind} packets`);
      assert.ok(into.packetsReceived > 0);
      assert.ok(into.bytesReceived > 0);
      assert.ok(into.packetsLost <= 5, `${into.packetsLost} lost`);
      assert.ok(into.jitter >= 0 && into.jitter < 0.5, `jitter ${into.jitter} s`);
    }
    const out = one(own, 'outbound-rtp', kind), into = one(own, 'inbound-rtp', kind);
    assert.equal(byId.get(out.codecId).mimeType, { audio: 'audio/opus', video: 'video/VP8' }[kind]);
    assert.equal(byId.get(into.codecId).clockRate, { audio: 48000, video: 90000 }[kind]);
    const report = byId.get(out.remoteId);
    assert.equal(report.type, 'remote-inbound-rtp');
    assert.equal(report.localId, out.id);
    assert.ok(report.roundTripTime > 0 && report.roundTripTime < 1, `${report.roundTripTime} s`);
    assert.ok(report.fractionLost < 0.05);
    const sent = byId.get(into.remoteId);
    assert.equal(sent.type, 'remote-outbound-rtp');
    near(sent.packetsSent, one(theirs, 'outbound-rtp', kind).packetsSent, 'what a sender report says');
    assert.ok(Math.abs(sent.remoteTimestamp - Date.now()) < 60000, 'the peer has our clock');
  }

  const channel = one(own, 'data-channel'), theirChannel = one(theirs, 'data-channel');
  for (const name of ['label', 'protocol', 'state', 'dataChannelIdentifier'])
    assert.equal(channel[name], theirChannel[name], name);
  assert.deepEqual([channel.messagesReceived, channel.messagesSent], [1, 1]);
  assert.deepEqual([channel.bytesReceived, channel.bytesSent], [8, 8]);
  assert.equal(one(own, 'peer-connection').dataChannelsOpened, 1);
  await peer.close();
});
