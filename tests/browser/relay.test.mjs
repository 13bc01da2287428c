// The page behind a firewall: two browsers that may use nothing but a relay meet through `peerline serve --relay`,
// with the credentials that the page was handed.
//   PEERLINE=path/to/peerline node --test tests/browser/relay.test.mjs
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = process.env.PEERLINE ?? `${root}build/release/peerline`;
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'];

let server, url, browser, folder;

async function serve() {
  await writeFile(`${folder}/relay.conf`, 'allow-peer 127.0.0.0/8\nthreads 2\n');
  const child = spawn(program, ['serve', '--listen', '127.0.0.1:0', '--stun', '127.0.0.1:0', '--json', '--relay-config',
    `${folder}/relay.conf`], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    const ready = JSON.parse(line);
    assert.equal(ready.type, 'ready');
    child.stdout.resume();
    return { child, url: ready.http[0] };
  }
  throw new Error('the server ended before it was ready');
}

/** A page whose connections may use relays alone, by UDP or by TCP to them. */
async function open(name, transport) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  await context.addInitScript((way) => {
    const Original = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Original {
      constructor(configuration) {
        const only = (server) => ({ ...server, urls: [server.urls].flat().filter((u) => u.includes(`transport=${way}`)) });
        const iceServers = configuration.iceServers.map(only).filter((server) => server.urls.length);
        super({ ...configuration, iceServers, iceTransportPolicy: 'relay' });
        window.lastConnection = this;
      }
    };
  }, transport);
  const page = await context.newPage();
  await page.goto(`${url}/?fake&name=${encodeURIComponent(name)}`);
  await page.waitForSelector('body[data-view=room]');
  return page;
}

before(async () => {
  folder = await mkdtemp(`${tmpdir()}/relay-`);
  const started = await serve();
  server = started.child;
  url = started.url;
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: flags });
});

after(async () => {
  await browser?.close();
  const ended = new Promise((resolve) => server.once('exit', (code) => resolve(code)));
  server.kill('SIGTERM');
  assert.equal(await ended, 0, 'the server leaves in order');
  await rm(folder, { recursive: true });
});

for (const transport of ['udp', 'tcp']) {
  test(`two pages that have a relay by ${transport} and nothing else`, { timeout: 60000 }, async () => {
    const ann = await open(`Ann ${transport}`, transport);
    const bob = await open(`Bob ${transport}`, transport);
    await ann.getByRole('button', { name: `Call Bob ${transport}`, exact: true }).click();
    await bob.getByRole('button', { name: 'Accept' }).click();
    for (const page of [ann, bob])
      await page.waitForFunction(() => document.querySelector('#state').textContent === 'Connected');
    await ann.getByLabel('Message', { exact: true }).fill('by relay');
    await ann.getByLabel('Message', { exact: true }).press('Enter');
    await bob.locator('#messages li.theirs', { hasText: 'by relay' }).waitFor();
    await bob.waitForFunction(() => Number(document.querySelector('#facts').dataset.framesDecoded ?? 0) > 20);
    const local = await ann.evaluate(async () => {
      const stats = [...(await window.lastConnection.getStats()).values()];
      const pair = stats.find((s) => s.type === 'candidate-pair' && s.nominated && s.state === 'succeeded');
      return stats.find((s) => s.id === pair.localCandidateId);
    });
    assert.equal(local.candidateType, 'relay');
    assert.equal(local.relayProtocol, transport);
    const { relay_packets: packets } = await (await fetch(`${url}/status`)).json();
    assert.ok(packets > 100, `${packets} packets through the relay`);
    await Promise.all([ann, bob].map((page) => page.context().close()));
  });
}
