// Two native processes over loopback sockets, without a browser: what `peerline peer` promises to scripts, and
// the demonstration that `make run` shows.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LIMIT, Peer, within } from './peer.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = process.env.PEERLINE ?? `${root}build/release/peerline`;
const carried = ['offer', 'answer', 'candidate'];
let folder;
const running = new Set();

before(async () => { folder = await mkdtemp(`${tmpdir()}/peerline-native-`); });
after(() => rm(folder, { recursive: true, force: true }));
afterEach(async () => {
  await Promise.all([...running].map((peer) => peer.kill()));
  running.clear();
});

/** Two peers, each hearing what the other says. */
function pair(offerArgs, answerArgs) {
  const a = new Peer('--offer', ...offerArgs);
  const b = new Peer('--answer', ...answerArgs);
  for (const [from, to] of [[a, b], [b, a]]) {
    running.add(from);
    from.each((line) => { if (carried.includes(line.type)) to.send(line); });
  }
  return [a, b];
}

/** Runs the program to its end. */
function run(args, input = '') {
  const child = spawn(program, args, { stdio: 'pipe' });
  let out = '', err = '';
  child.stdout.on('data', (d) => { out += d; });
  child.stderr.on('data', (d) => { err += d; });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const ended = new Promise((resolve) => { child.once('close', (code) => resolve({ code, out, err })); });
  return within(50000, () => `peerline ${args.join(' ')}: ${out}${err}`, ended).finally(() => child.kill('SIGKILL'));
}

const connected = (line) => line.type === 'state' && line.connection === 'connected';
const inbound = (line, kind) => line.stats.find((s) => s.type === 'inbound-rtp' && s.kind === kind);

test('audio, video and data between two processes', LIMIT, async () => {
  const [a, b] = pair(
    ['--audio', 'tone:440', '--video', 'pattern', '--data', 'd', '--stats', '--record-audio', `${folder}/a.wav`],
    ['--audio', 'tone:880', '--video', 'pattern', '--echo', '--stats', '--record-video', `${folder}/b.ivf`]);
  await Promise.all([a.next(connected), b.next(connected), a.next({ type: 'channel', label: 'd', state: 'open' })]);
  a.send({ type: 'send', label: 'd', data: 'grüß dich' });
  assert.equal((await a.next({ type: 'message' })).data, 'grüß dich');
  const bytes = Buffer.from(Uint8Array.from({ length: 70000 }, (_, i) => i * 7));
  a.send({ type: 'send', label: 'd', base64: bytes.toString('base64') });
  assert.ok(Buffer.from((await a.next({ type: 'message' })).base64, 'base64').equals(bytes));
  const heard = (peer, hz) => peer.stats((s) => Math.abs(s.receivedToneHz - hz) < 10
    && inbound(s, 'video')?.framesDecoded > 15);
  await Promise.all([heard(a, 880), heard(b, 440)]);
  await a.close();
  assert.equal(await b.ended(), 0, 'hearing that the peer hung up is a good end');
  assert.ok((await stat(`${folder}/a.wav`)).size > 48000);
  assert.ok((await stat(`${folder}/b.ivf`)).size > 5000);
});

test('without trickling, and over an ICE restart', LIMIT, async () => {
  const [a, b] = pair(['--no-trickle', '--data', 'x'], ['--no-trickle', '--echo']);
  await Promise.all([a.next(connected), b.next(connected), a.next({ type: 'channel', state: 'open' })]);
  assert.ok(!a.lines.some((line) => line.type === 'candidate'));
  const ufrag = (line) => /a=ice-ufrag:(\S+)/.exec(line.sdp)[1];
  const first = ufrag(await a.next({ type: 'offer' }));
  a.send({ type: 'restart-ice' });
  assert.notEqual(ufrag(await a.next({ type: 'offer' })), first);
  a.send({ type: 'send', label: 'x', data: 'still here' });
  assert.equal((await a.next({ type: 'message' })).data, 'still here');
  await a.close();
  assert.equal(await b.ended(), 0);
});

test('bad input gets an error line and the call goes on', LIMIT, async () => {
  const [a, b] = pair(['--data', 'x'], ['--echo']);
  await a.next({ type: 'channel', state: 'open' });
  for (const line of ['{', '[]', '{"type":"nonsense"}', '{"type":"send","label":"no such","data":"x"}',
    '{"type":"send","label":"x"}', '{"type":"send","label":"x","base64":"a"}', '{"type":"offer"}',
    '{"type":"answer","sdp":"v=0"}', '{"type":"candidate"}', '{"type":"candidate","candidate":"candidate:junk","sdpMid":"0"}']) {
    a.write(`${line}\n`);
    await a.next({ type: 'error' });
  }
  a.write(`{"type":"send","label":"x","data":"${'y'.repeat(1100000)}"}\n`); // longer than a line may be
  await a.next((line) => line.type === 'error' && /longer/.test(line.message));
  a.send({ type: 'send', label: 'x', data: 'alive' });
  assert.equal((await a.next({ type: 'message' })).data, 'alive');
  a.send({ type: 'close' });
  assert.equal(await a.ended(), 0);
  assert.equal(await b.ended(), 0);
});

test('options that cannot be are refused with exit code 2', LIMIT, async () => {
  const wrong = [[], ['--offer', '--answer'], ['--offer', '--video-codec', 'AV1'], ['--offer', '--audio-codec', 'G722'],
    ['--offer', '--video-codec', 'MPEG'], ['--offer', '--ice-transport-policy', 'relay'], ['--offer', '--no-such-option'],
    ['--offer', '--ice-server', 'turn:h:1'], ['--offer', '--ports', '9-1'], ['--offer', '--ice-server', 'nonsense'], ['--offer', '--duration'],
    ['--offer', '--audio', 'tone:x'], ['surplus']];
  for (const args of wrong) {
    const { code, err } = await run(['peer', ...args]);
    assert.equal(code, 2, `peer ${args.join(' ')}: ${err}`);
    assert.match(err, /^peerline peer: /);
  }
  assert.equal((await run(['no-such-command'])).code, 2);
  for (const command of ['serve', 'demo', 'call', 'peer']) {
    const { code, out } = await run([command, '--help']);
    assert.equal(code, 0);
    assert.match(out, new RegExp(`^peerline ${command} - `));
  }
});

test('a call that never connects ends with exit code 1', LIMIT, async () => {
  const { code, out } = await run(['peer', '--offer', '--duration', '1']);
  assert.equal(code, 0, 'end of input before: closed without complaint');
  assert.match(out, /"closed"/);
  const alone = new Peer('--offer', '--duration', '1');
  running.add(alone);
  assert.equal(await alone.ended(), 1);
  assert.deepEqual(alone.lines.at(-1), { type: 'closed' });
});

test('the demonstration is a good call', LIMIT, async () => {
  const { code, out, err } = await run(['demo', '--seconds', '3', '--json', '--port', '0', '--stun-port', '0',
    '--out', `${folder}/demo`]);
  assert.equal(code, 0, err);
  const reports = out.trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(reports.map((r) => [r.name, r.peer]), [['Bob', 'Ada'], ['Ada', 'Bob']]);
  for (const report of reports) {
    assert.ok(report.good, report.reason);
    assert.ok(report.setup_ms.first_key_frame > 0 && report.setup_ms.first_audio > 0);
    assert.ok(report.video.frames > 10 && report.audio.level_dbov > -50);
  }
});
