// The harness of the interoperation tests: a `peerline peer` as a process, a page of Chromium with a
// RTCPeerConnection (peer_page.js), and the wire between them that carries descriptions and candidates.
import assert from 'node:assert/strict';
import { mkdtemp, mkdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { after, afterEach, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { LineProcess, PATIENCE, within } from '../lines.mjs';

export { PATIENCE, within };

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = process.env.PEERLINE ?? `${root}build/release/peerline`;
export const artifacts = process.env.PL_ARTIFACTS ?? `${root}build/artifacts`;

/** Of one test, above all its waits. */
export const LIMIT = { timeout: 60000 };

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'];
/** The page may use camera and microphone: then Chromium does not hide the machine's addresses behind mDNS names. */
export const TRUSTED = '--use-fake-ui-for-media-stream';

/** One `peerline peer` process. */
export class Peer extends LineProcess {
  constructor(...args) {
    super('peerline', program, ['peer', ...args]);
  }

  /** The next statistics line for which `good` holds; by default the very next one. */
  stats(good = () => true) {
    return this.nextNew((o) => o.type === 'stats' && good(o));
  }

  /** Ends the call as its user would: the last line is "closed", the exit code 0, and there was no complaint. */
  async close() {
    this.send({ type: 'close' });
    assert.equal(await this.ended(), 0, this.story());
    assert.deepEqual(this.lines.at(-1), { type: 'closed' });
    // A candidate that a restart has overtaken is refused, as the W3C wants it, and no fault.
    assert.deepEqual(this.errors.filter((text) => !text.startsWith('candidate: the candidate is of another generation')), []);
    assert.equal(this.stderr, '');
  }
}

const peers = new Set();

/** Starts a peer that does not outlive its test. */
export function peerline(...args) {
  const peer = new Peer(...args);
  peers.add(peer);
  return peer;
}

/** A browser for the tests of one file, its pages served from 127.0.0.1 (a secure context), and a folder. */
export function useBrowser(...more) {
  const world = { browser: null, url: '', folder: '' };
  let server;
  before(async () => {
    await mkdir(artifacts, { recursive: true });
    world.folder = await mkdtemp(`${tmpdir()}/peerline-`);
    server = createServer(async (request, response) => {
      const isScript = request.url === '/peer_page.js';
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html; charset=utf-8');
      response.end(isScript ? await readFile(new URL('peer_page.js', import.meta.url))
        : '<!doctype html><title>peer</title><link rel="icon" href="data:,"><script src="peer_page.js"></script>');
    });
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    world.url = `http://127.0.0.1:${server.address().port}/`;
    world.browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true,
      args: [...flags, ...more] });
  });
  afterEach(async () => {
    await Promise.all([...peers].map((peer) => peer.kill()));
    peers.clear();
    await Promise.all(world.browser.contexts().map((context) => context.close()));
  });
  after(async () => {
    await world.browser?.close();
    server?.close();
    await rm(world.folder, { recursive: true, force: true });
  });
  return world;
}

/** A page with one connection, wired to `peer`. Options: those of startCall in peer_page.js; `before(page)`, which
 * runs when nothing has been carried yet; `toPage(line)` and `toPeer(line)`, which may change a line on its way, or
 * drop it by returning null. */
export async function openCall(world, peer, options = {}) {
  const { before: prepare, toPage = (line) => line, toPeer = (line) => line, ...page } = options;
  const tab = await (await world.browser.newContext({ viewport: { width: 800, height: 600 } })).newPage();
  tab.setDefaultTimeout(PATIENCE);
  tab.failures = [];
  tab.on('pageerror', (error) => tab.failures.push(error.message));
  await tab.exposeFunction('toPeer', (line) => {
    const changed = toPeer(line);
    if (changed) peer.send(changed);
  });
  await tab.goto(world.url);
  await tab.evaluate((o) => startCall(o), page);
  await prepare?.(tab);
  peer.each((line) => {
    const changed = ['offer', 'answer', 'candidate'].includes(line.type) && toPage(line);
    if (changed) tab.evaluate((o) => call.take(o), changed).catch((error) => tab.failures.push(error.message));
  });
  return tab;
}

/** evaluate with a deadline of its own: what the page waits for may never come. */
export function ask(page, what, ...args) {
  return within(PATIENCE, () => `the page: ${what}; failures: ${page.failures.join('; ') || 'none'}`,
    page.evaluate(([name, list]) => call[name](...list), [what, args]));
}
