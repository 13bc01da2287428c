// libwebrtc, as @roamhq/wrtc carries it. It gathers no loopback address: the packets go to the machine's own address,
// which the kernel takes by the same way.
import wrtc from '@roamhq/wrtc'
import { main } from './bench.mjs'

const tooLate = () => {} // a candidate may come when the pair is closed already

function side() {
  const pc = new wrtc.RTCPeerConnection()
  const early = []
  return {
    pc,
    candidate(c) {
      if (pc.remoteDescription) pc.addIceCandidate(c).catch(tooLate)
      else early.push(c)
    },
    async remote(description) {
      await pc.setRemoteDescription(description)
      for (const c of early.splice(0)) pc.addIceCandidate(c).catch(tooLate)
    },
  }
}

async function openPair() {
  const a = side()
  const b = side()
  let bytes = 0
  a.pc.onicecandidate = (e) => e.candidate && b.candidate(e.candidate)
  b.pc.onicecandidate = (e) => e.candidate && a.candidate(e.candidate)
  const channel = a.pc.createDataChannel('bench')
  const open = [
    new Promise((resolve) => (channel.onopen = resolve)),
    new Promise((resolve) => (b.pc.ondatachannel = ({ channel: far }) => {
      far.binaryType = 'arraybuffer'
      far.onmessage = (e) => (bytes += e.data.byteLength)
      if (far.readyState === 'open') resolve()
      else far.onopen = resolve
    })),
  ]
  const began = performance.now()
  const offer = await a.pc.createOffer()
  await a.pc.setLocalDescription(offer)
  await b.remote(offer)
  const answer = await b.pc.createAnswer()
  await b.pc.setLocalDescription(answer)
  await a.remote(answer)
  await Promise.all(open)
  return {
    fromOfferMs: performance.now() - began,
    bytes: () => bytes,
    send: (data) => channel.send(data),
    buffered: () => channel.bufferedAmount,
    onLow(threshold, callback) {
      channel.bufferedAmountLowThreshold = threshold
      channel.onbufferedamountlow = callback
    },
    async close() {
      a.pc.close()
      b.pc.close()
    },
  }
}

await main({ name: 'libwebrtc', openPair })
