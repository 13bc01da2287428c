// What bench-data measures, for a stack that lives in Node: both peers in this process over loopback. A stack gives
// openPair(): { bytes(), send(data), buffered(), onLow(threshold, callback), fromOfferMs, close() }.
//     node --expose-gc STACK.mjs throughput MESSAGE_BYTES SECONDS RUNS
//     node --expose-gc STACK.mjs setup N
//     node --expose-gc STACK.mjs rss PAIRS
//     node --expose-gc STACK.mjs idle PAIRS SECONDS
import { readFileSync } from 'node:fs'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'

const HIGH_WATER = 4 << 20
const LOW_WATER = 1 << 20
const BURST = 256 // messages

const wall = () => performance.now() / 1e3
const cpu = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
const print = (object) => console.log(JSON.stringify(object))
const round = (value, digits) => Number(value.toFixed(digits))

// The collector's slack is not the stack's memory.
function rssKiB() {
  globalThis.gc?.()
  return Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]) * 4
}

function low(pair) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 100)
    pair.onLow(LOW_WATER, () => (clearTimeout(timer), resolve()))
  })
}

async function throughput(stack, size, seconds) {
  const pair = await stack.openPair()
  const message = new Uint8Array(size)
  const before = { wall: wall(), cpu: cpu() }
  const full = () => pair.buffered() >= HIGH_WATER
  while (wall() - before.wall < seconds) {
    for (let i = 0; i < BURST && !full(); i++) pair.send(message)
    if (full()) await low(pair)
    else await turn() // what has arrived waits for this thread, too
  }
  const elapsed = wall() - before.wall
  const bytes = pair.bytes()
  print({
    bench: 'throughput', lib: stack.name, msg: size,
    mbit_s: round((bytes * 8) / 1e6 / elapsed, 1),
    cpu_s_per_GB: round((cpu() - before.cpu) / (bytes / 1e9), 2),
  })
  await pair.close()
}

async function setup(stack, n) {
  const ms = []
  const before = cpu()
  for (let i = 0; i < n; i++) {
    const used = cpu()
    const pair = await stack.openPair()
    ms.push(pair.fromOfferMs)
    print({ bench: 'setup', lib: stack.name, from_offer_ms: round(pair.fromOfferMs, 3), cpu_ms: round((cpu() - used) * 1e3, 3) })
    await pair.close()
  }
  ms.sort((a, b) => a - b)
  print({
    bench: 'setup-summary', lib: stack.name, n,
    median_ms: round(ms[n >> 1], 3), p95_ms: round(ms[Math.floor((n * 95) / 100)], 3), max_ms: round(ms[n - 1], 3),
    cpu_ms_per_pair: round(((cpu() - before) * 1e3) / n, 3),
  })
}

async function openMany(stack, n) {
  const pairs = []
  while (pairs.length < n) {
    const some = Array.from({ length: Math.min(stack.together ?? 1, n - pairs.length) }, () => stack.openPair())
    pairs.push(...(await Promise.all(some)))
  }
  return pairs
}

async function rss(stack, n) {
  const warm = await stack.openPair()
  const before = rssKiB()
  const pairs = await openMany(stack, n)
  await sleep(1000)
  print({ bench: 'rss', lib: stack.name, pairs: n, kib_per_pair: round((rssKiB() - before) / n, 1) })
  for (const pair of [...pairs, warm]) await pair.close()
}

async function idle(stack, n, seconds) {
  const pairs = await openMany(stack, n)
  await sleep(1000)
  const used = cpu()
  await sleep(seconds * 1000)
  print({ bench: 'idle', lib: stack.name, pairs: n, cpu_ms_per_s: round(((cpu() - used) * 1e3) / seconds, 3) })
  for (const pair of pairs) await pair.close()
}

export async function main(stack) {
  const [what, ...rest] = process.argv.slice(2)
  const [x, y, runs] = rest.map(Number)
  if (what === 'throughput') for (let i = 0; i < runs; i++) await throughput(stack, x, y)
  else if (what === 'setup') await setup(stack, x)
  else if (what === 'rss') await rss(stack, x)
  else if (what === 'idle') await idle(stack, x, y)
  else throw new Error('usage: throughput MESSAGE_BYTES SECONDS RUNS | setup N | rss PAIRS | idle PAIRS SECONDS')
  process.exit(0) // threads of the stack may linger
}
