// A page of Debian's Chromium as the receiver of one reliable ordered channel: fed by bench-data, and by a second connection
// of the same page, in interleaved rounds over this machine's own address. Two pages, each a process of its own, were tried for
// the second and reached a tenth of what one page does. The receiver measures, from 0.3 s after the first message on.
//     node bench.mjs BENCH_DATA MESSAGE_BYTES SECONDS ROUNDS      prints JSON lines
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'

const require = createRequire(new URL('../../../tests/browser/package.json', import.meta.url))
const { chromium } = require('playwright-core')

const [program, size, seconds, rounds] = process.argv.slice(2)
const flags = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-features=WebRtcHideLocalIpsWithMdns']

/** Runs in the page. */
function definePeer(name) {
  const pc = new RTCPeerConnection()
  const heard = { bytes: 0, began: 0 }
  const gathered = new Promise((resolve) => {
    pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && resolve()
  })
  pc.ondatachannel = ({ channel }) => {
    channel.binaryType = 'arraybuffer'
    channel.onmessage = ({ data }) => {
      heard.began ||= performance.now()
      heard.bytes += data.byteLength
    }
  }
  const describe = async (description) => {
    await pc.setLocalDescription(description)
    await gathered
    return pc.localDescription.sdp
  }
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
  window[name] = {
    answer: async (sdp) => {
      await pc.setRemoteDescription({ type: 'offer', sdp })
      return describe()
    },
    accept: (sdp) => pc.setRemoteDescription({ type: 'answer', sdp }),
    // Keeps the channel full, with the buffer that Chromium's own samples use.
    offer: (bytes) => {
      const channel = pc.createDataChannel('feed')
      const message = new Uint8Array(bytes)
      const fill = () => {
        while (channel.bufferedAmount < 4 << 20) channel.send(message)
      }
      channel.bufferedAmountLowThreshold = 1 << 20
      channel.onopen = fill
      channel.onbufferedamountlow = fill
      return describe()
    },
    measure: async (ms) => {
      for (let i = 0; i < 1000 && !heard.began; i += 1) await sleep(10)
      await sleep(300)
      const from = { at: performance.now(), bytes: heard.bytes }
      await sleep(ms)
      return ((heard.bytes - from.bytes) * 8e-3) / (performance.now() - from.at)
    },
  }
}

async function newPage(browser, ...peers) {
  const page = await (await browser.newContext()).newPage()
  await page.goto('about:blank')
  for (const name of peers) await page.evaluate(definePeer, name)
  return page
}

const close = (page) => page.context().close()
const ask = (page, peer, what, ...args) => page.evaluate(([who, name, list]) => window[who][name](...list), [peer, what, args])

async function fromUs(browser) {
  const child = spawn(program, ['feed', size], { stdio: ['pipe', 'pipe', 'inherit'] })
  const gone = new Promise((resolve) => child.once('close', resolve))
  const page = await newPage(browser, 'receiver')
  let offer = ''
  for await (const text of child.stdout) {
    offer += text
    if (offer.endsWith('\n.\n')) break
  }
  const answer = await ask(page, 'receiver', 'answer', offer.slice(0, -2))
  child.stdin.write(`${answer}.\n`)
  const rate = await ask(page, 'receiver', 'measure', seconds * 1000)
  child.stdin.end()
  await gone
  await close(page)
  return rate
}

async function fromChromium(browser) {
  const page = await newPage(browser, 'sender', 'receiver')
  const offer = await ask(page, 'sender', 'offer', Number(size))
  await ask(page, 'sender', 'accept', await ask(page, 'receiver', 'answer', offer))
  const rate = await ask(page, 'receiver', 'measure', seconds * 1000)
  await close(page)
  return rate
}

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: flags })
const senders = { peerline: fromUs, chromium: fromChromium }
for (let i = 0; i < rounds; i += 1) {
  for (const [lib, run] of Object.entries(senders)) {
    const rate = await run(browser)
    console.log(JSON.stringify({ bench: 'to-chromium', lib, msg: Number(size), mbit_s: Number(rate.toFixed(1)) }))
  }
}
await browser.close()
