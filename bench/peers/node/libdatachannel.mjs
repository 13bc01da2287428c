// libdatachannel (with usrsctp and libjuice), as node-datachannel carries it; its own interface, not the W3C one.
import { PeerConnection } from 'node-datachannel'
import { main } from './bench.mjs'

function side(name) {
  const pc = new PeerConnection(name, { iceServers: [], bindAddress: '127.0.0.1' })
  const early = []
  let ready = false
  return {
    pc,
    candidate(c, mid) {
      if (ready) pc.addRemoteCandidate(c, mid)
      else early.push([c, mid])
    },
    remote(sdp, type) {
      pc.setRemoteDescription(sdp, type)
      ready = true
      for (const [c, mid] of early.splice(0)) pc.addRemoteCandidate(c, mid)
    },
  }
}

async function openPair() {
  const a = side('a')
  const b = side('b')
  let bytes = 0
  let far
  a.pc.onLocalCandidate((c, mid) => b.candidate(c, mid))
  b.pc.onLocalCandidate((c, mid) => a.candidate(c, mid))
  a.pc.onLocalDescription((sdp, type) => b.remote(sdp, type)) // which makes the answer, too
  b.pc.onLocalDescription((sdp, type) => a.remote(sdp, type))
  const began = performance.now() // the offer is made with the first channel
  const channel = a.pc.createDataChannel('bench')
  const farOpen = new Promise((resolve) => b.pc.onDataChannel((c) => {
    far = c
    far.onMessage((m) => (bytes += m.length ?? m.byteLength))
    if (far.isOpen()) resolve()
    else far.onOpen(resolve)
  }))
  const open = new Promise((resolve) => channel.onOpen(resolve))
  await Promise.all([open, farOpen])
  return {
    fromOfferMs: performance.now() - began,
    bytes: () => bytes,
    send: (data) => channel.sendMessageBinary(data),
    buffered: () => channel.bufferedAmount(),
    onLow(threshold, callback) {
      channel.setBufferedAmountLowThreshold(threshold)
      channel.onBufferedAmountLow(callback)
    },
    async close() {
      channel.close()
      far?.close()
      a.pc.close()
      b.pc.close()
    },
  }
}

// Ten at once where many are opened: a pair whose first DTLS flight is lost takes a second.
await main({ name: 'libdatachannel', together: 10, openPair })
