// One audio and video call inside this process with libwebrtc, as @roamhq/wrtc carries it: both peers send and receive
// the pictures of a Y4M file and a tone, Opus and VP8. Prints the CPU of a second of call, once it runs evenly.
//     node call.mjs CLIP.y4m WARM_SECONDS SECONDS
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import wrtc from '@roamhq/wrtc'

const { RTCVideoSource, RTCAudioSource } = wrtc.nonstandard
const [path, warm, seconds] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]

function readClip(file) {
  const data = readFileSync(file)
  const head = data.subarray(0, data.indexOf(10)).toString()
  const [width, height] = [Number(/ W(\d+)/.exec(head)[1]), Number(/ H(\d+)/.exec(head)[1])]
  const [, rate, scale] = / F(\d+):(\d+)/.exec(head)
  const size = (width * height * 3) / 2
  const frames = []
  for (let at = head.length + 1; at < data.length;) {
    at = data.indexOf(10, at) + 1 // FRAME and its parameters
    frames.push(Uint8ClampedArray.from(data.subarray(at, at + size))) // one buffer each, as the binding wants it
    at += size
  }
  return { width, height, frames, everyMs: (1000 * Number(scale)) / Number(rate) }
}

// Calls back at an even rate; what a busy moment has held up is made up for.
function every(ms, act) {
  const began = performance.now()
  let n = 0
  return setInterval(() => {
    while (performance.now() - began >= n * ms) act(n++)
  }, Math.min(ms, 5))
}

function sing(audio) {
  const samples = new Int16Array(480)
  return every(10, (n) => {
    for (let i = 0; i < 480; i++) samples[i] = 8000 * Math.sin((2 * Math.PI * 440 * (n * 480 + i)) / 48000)
    audio.onData({ samples, sampleRate: 48000, bitsPerSample: 16, channelCount: 1, numberOfFrames: 480 })
  })
}

function show(video, { width, height, frames, everyMs }) {
  return every(everyMs, (n) => video.onFrame({ width, height, data: frames[n % frames.length] }))
}

function side(clip) {
  const pc = new wrtc.RTCPeerConnection()
  const [audio, video] = [new RTCAudioSource(), new RTCVideoSource()]
  pc.addTrack(audio.createTrack())
  pc.addTrack(video.createTrack())
  return { pc, timers: () => [sing(audio), show(video, clip)] }
}

async function received(pc) {
  const totals = { bytes: 0, frames: 0 }
  for (const s of (await pc.getStats()).values()) {
    if (s.type !== 'inbound-rtp') continue
    totals.bytes += s.bytesReceived
    totals.frames += s.framesDecoded ?? 0
  }
  return totals
}

const clip = readClip(path)
const [a, b] = [side(clip), side(clip)]
const early = { a: [], b: [] }
a.pc.onicecandidate = (e) => e.candidate && (b.pc.remoteDescription ? b.pc.addIceCandidate(e.candidate) : early.b.push(e.candidate))
b.pc.onicecandidate = (e) => e.candidate && (a.pc.remoteDescription ? a.pc.addIceCandidate(e.candidate) : early.a.push(e.candidate))
await a.pc.setLocalDescription(await a.pc.createOffer())
await b.pc.setRemoteDescription(a.pc.localDescription)
for (const c of early.b) b.pc.addIceCandidate(c)
await b.pc.setLocalDescription(await b.pc.createAnswer())
await a.pc.setRemoteDescription(b.pc.localDescription)
for (const c of early.a) a.pc.addIceCandidate(c)
const timers = [...a.timers(), ...b.timers()]
await sleep(warm * 1000)
const before = { cpu: process.cpuUsage(), wall: performance.now(), ...(await received(a.pc)) }
await sleep(seconds * 1000)
const after = await received(a.pc)
const cpu = process.cpuUsage(before.cpu)
const elapsed = (performance.now() - before.wall) / 1e3
console.log(JSON.stringify({
  bench: 'call', lib: 'libwebrtc',
  cpu_ms_per_s: Number(((cpu.user + cpu.system) / 1e3 / elapsed).toFixed(1)),
  kbit_s_received: Math.round(((after.bytes - before.bytes) * 8) / 1e3 / elapsed),
  frames_per_s: Number(((after.frames - before.frames) / elapsed).toFixed(1)),
}))
timers.forEach(clearInterval)
process.exit(0)
