// The page signed in to an XMPP account: Prosody (or XMPP_SERVER) between two pages, and between a page and `peerline xmpp call`.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LineProcess } from '../lines.mjs';
import { artifacts, LIMIT, TRUSTED, useBrowser } from './peer.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const kind = process.env.XMPP_SERVER ?? 'prosody';
const program = process.env.PEERLINE ?? `${root}build/release/peerline`;
const world = useBrowser(TRUSTED);
const running = new Set();
let xmpp, info, server, url;

before(async () => {
  xmpp = new LineProcess(kind, '/usr/bin/python3', [`${root}tests/interop/xmpp_server.py`, kind]);
  server = new LineProcess('serve', program, ['serve', '--listen', '127.0.0.1:0', '--stun', 'none', '--json']);
  [url] = (await server.next({ type: 'ready' })).http;
  info = await xmpp.next({ server: kind }, 60000);
});
afterEach(async () => {
  await Promise.all([...running].map((one) => one.kill()));
  running.clear();
});
after(async () => {
  xmpp?.child.stdin.end();
  await Promise.all([xmpp?.exit, server?.kill()]);
});

/** A page in which somebody has given address and password; the server's certificate is the test's own. */
async function start(user, password = 'secret') {
  const context = await world.browser.newContext({ viewport: { width: 1280, height: 800 }, ignoreHTTPSErrors: true });
  const page = await context.newPage();
  page.setDefaultTimeout(30000);
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  await page.addInitScript(() => { // so that the test can cut the wire
    window.sockets = [];
    window.WebSocket = class extends WebSocket {
      constructor(...args) {
        super(...args);
        window.sockets.push(this);
      }
    };
  });
  await page.goto(`${url}/?fake`);
  await page.getByRole('tab', { name: 'XMPP account' }).click();
  await page.getByLabel('Address', { exact: true }).fill(`${user}@${info.domain}`);
  await page.getByLabel('Password').fill(password);
  await page.getByText('Advanced').click();
  await page.getByLabel('WebSocket address').fill(info.websocket_tls);
  await page.getByRole('button', { name: 'Sign in' }).click();
  return page;
}

async function signIn(user) {
  const page = await start(user);
  await page.waitForSelector('body[data-view=room]');
  return page;
}

const callButton = (page, name) => page.locator(`button[aria-label="Call ${name}"]:enabled`);
const connected = (page) => page.waitForFunction(() => document.querySelector('#state').textContent === 'Connected');
/** Sent as long as that, enough of ours has come there as well. */
const decoded = (page, n = 10) => page.waitForFunction((least) => Number(document.querySelector('#facts').dataset.framesDecoded) > least, n);
const ended = (page, name = 'Call ended') => page.getByRole('heading', { name }).waitFor();
const fine = (...pages) => assert.deepEqual(pages.flatMap((page) => page.errors), []);

async function chat(from, to, text) {
  await from.getByLabel('Message', { exact: true }).fill(text);
  await from.getByLabel('Message', { exact: true }).press('Enter');
  await to.locator('#messages li.theirs', { hasText: text }).waitFor();
}

test('a wrong password is told so', LIMIT, async () => {
  const page = await start('romeo', 'wrong');
  await page.getByText('The address or the password is wrong.').waitFor();
  assert.equal(await page.locator('body').getAttribute('data-view'), 'sign-in');
  await page.screenshot({ path: `${artifacts}/xmpp-sign-in.png` });
  fine(page);
});

test('contacts find each other and call; a cut wire ends nothing', LIMIT, async () => {
  const romeo = await signIn('romeo');
  const juliet = await signIn('juliet');
  await romeo.getByLabel('Address of a contact to add').fill(`juliet@${info.domain}`);
  await romeo.getByRole('button', { name: 'Add', exact: true }).click();
  await juliet.getByRole('button', { name: `Allow romeo@${info.domain}` }).click();
  await romeo.getByRole('button', { name: `Allow juliet@${info.domain}` }).click();
  await callButton(romeo, 'juliet').click();
  await juliet.getByText('romeo is calling you').waitFor();
  await juliet.getByRole('button', { name: 'Accept' }).click();
  for (const page of [romeo, juliet]) await connected(page);
  await chat(romeo, juliet, 'But soft <b>!</b>');
  await chat(juliet, romeo, 'Ay me');
  for (const page of [romeo, juliet]) await decoded(page);
  await romeo.screenshot({ path: `${artifacts}/xmpp-call.png` });
  await romeo.getByRole('button', { name: 'Mute' }).click();
  await juliet.getByText('Their microphone is off').waitFor();
  await romeo.getByRole('button', { name: 'Mute' }).click();
  await juliet.getByText('Their microphone is on').waitFor();

  await romeo.evaluate(() => window.sockets.at(-1).close());
  await romeo.waitForSelector('#link[data-state=wait]');
  await romeo.waitForSelector('#link[data-state=on]');
  await romeo.getByRole('button', { name: 'Hang up' }).click(); // by the session that was resumed
  for (const page of [romeo, juliet]) await ended(page);
  fine(romeo, juliet);

  await callButton(juliet, 'romeo').click(); // declined
  await romeo.getByRole('button', { name: 'Decline' }).click();
  await ended(juliet, 'romeo does not answer');
  const other = await signIn('romeo'); // two devices ring, and one takes it
  await callButton(juliet, 'romeo').click();
  await romeo.getByText('juliet is calling you').waitFor();
  await other.getByRole('button', { name: 'Accept' }).click();
  await romeo.waitForSelector('#banner', { state: 'hidden' });
  for (const page of [juliet, other]) await connected(page);
  await other.getByRole('button', { name: 'Hang up' }).click();
  await ended(juliet);
  fine(romeo, juliet, other);
});

test('descriptions of real peers survive Jingle', LIMIT, async () => {
  const page = await (await world.browser.newContext()).newPage();
  await page.goto(url);
  const folder = `${root}tests/data/sdp`;
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sdp'));
  assert.ok(names.length > 5);
  for (const name of names) {
    const sdp = await readFile(`${folder}/${name}`, 'utf8');
    const lost = await page.evaluate(async (text) => {
      const j = await import('/jingle_sdp.js');
      const before = j.parseSdp(text);
      const live = before.sections.filter((s) => !s.rejected && ['audio', 'video', 'application'].includes(s.kind));
      if (!live.length || !live.every((s) => s.lines.some((l) => l.startsWith('a=fingerprint')))) return [];
      const again = j.parseSdp(j.writeSdp(live.map((s) => j.readContent(j.contentOf(s, true, 'initiator'), true)), [], true));
      const kept = /^a=(mid|sendrecv|sendonly|recvonly|inactive|ice-ufrag|ice-pwd|fingerprint|setup|rtpmap|rtcp-fb|extmap|rtcp-mux|rtcp-rsize|msid|ssrc-group|sctp-port|max-message-size)/;
      // What stands above all sections and is about RTP, and a direction, mean nothing for data.
      return live.flatMap((s, i) => s.lines.filter((l) => kept.test(l) && !(s.kind === 'application' && /^a=(extmap|sendrecv)/.test(l)) &&
        !/^a=(msid-semantic|rtcp-mux-only|rtcp-fb:\S+ trr-int)/.test(l))
        .filter((l) => !again.sections[i].lines.map((o) => o.toLowerCase()).includes(l.trim().replace(/(rtpmap:.*)\/1$/, '$1').toLowerCase())));
    }, sdp);
    assert.deepEqual(lost, [], name);
  }
});

/** `peerline xmpp call`. */
function phone(user, ...args) {
  const one = new LineProcess(user, '/usr/bin/env', ['PEERLINE_XMPP_PASSWORD=secret', program, 'xmpp', '--json',
    '--host', info.host, '--port', `${info.c2s}`, '--ca-file', info.ca, 'call', '--once', ...args]);
  running.add(one);
  return one;
}

async function good(one) {
  const report = await one.next({ event: 'report' });
  // Whether the picture stood still for a moment is for longer calls to judge.
  assert.ok(report.audio.packets > 10 && report.video.frames > 0, JSON.stringify(report));
}

test('the page calls a native peer, and the other way', LIMIT, async () => {
  const robot = phone('juliet', '--answer', `juliet@${info.domain}`);
  await robot.next({ event: 'online' });
  const page = await signIn('romeo');
  await callButton(page, 'juliet').click();
  await connected(page);
  await decoded(page, 30);
  await page.getByRole('button', { name: 'Hang up' }).click();
  await good(robot);
  await ended(page);

  const caller = phone('juliet', `juliet@${info.domain}`, `romeo@${info.domain}`);
  await page.getByRole('button', { name: 'Accept' }).click();
  await connected(page);
  await decoded(page, 30);
  caller.send({ do: 'hang-up' });
  await good(caller);
  await ended(page);
  fine(page);
});

test('strangers do not ring, and learn nothing', LIMIT, async () => {
  const page = await signIn('romeo');
  const stranger = phone('mercutio', '--patience', '2', `mercutio@${info.domain}`, `romeo@${info.domain}`);
  assert.equal((await stranger.next({ event: 'error' })).why, 'nobody answers');
  assert.ok(!stranger.lines.some((line) => line.text === 'it rings there'));
  assert.ok(await page.locator('#banner').isHidden());
  fine(page);
});
