// The page as one end of data channels: obeys the orders of tests/interop/README.md and tells what happens by `say`.
'use strict';

const toHex = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, '0')).join('');

class Channels {
  channels = {};
  #lines = [];
  #told = Promise.resolve(); // hashes take their time; what is said keeps the order in which it happened

  constructor() {
    this.pc = new RTCPeerConnection();
    this.pc.ondatachannel = ({ channel }) => this.keep(channel);
    this.pc.onconnectionstatechange = () => this.#tell({ type: 'connection', state: this.pc.connectionState });
  }

  #tell(line) {
    this.#told = this.#told.then(async () => {
      this.#lines.push(await line);
      if (this.#lines.length === 1) setTimeout(() => say(this.#lines.splice(0)), 0); // many at once cost little more than one
    });
  }

  keep(channel) {
    const { label } = channel;
    channel.binaryType = 'arraybuffer';
    this.channels[label] = channel;
    const tell = (state) => this.#tell({ type: 'channel', label, state, protocol: channel.protocol, id: channel.id,
      ordered: channel.ordered, maxRetransmits: channel.maxRetransmits, maxPacketLifeTime: channel.maxPacketLifeTime });
    channel.onopen = () => tell('open'); // also of a channel that the peer opened
    channel.onclose = () => tell('closed');
    channel.onbufferedamountlow = () => this.#tell({ type: 'low', label });
    channel.onmessage = ({ data }) => this.#tell(this.#seen(label, data));
  }

  async #seen(label, data) {
    const binary = typeof data !== 'string', bytes = binary ? data : new TextEncoder().encode(data);
    return { type: 'message', label, binary, size: bytes.byteLength,
      sha256: toHex(await crypto.subtle.digest('SHA-256', bytes)) };
  }

  async #describe() {
    await this.pc.setLocalDescription();
    while (this.pc.iceGatheringState !== 'complete') await new Promise((done) => { setTimeout(done, 10); });
    const { type, sdp } = this.pc.localDescription;
    this.#tell({ type, sdp });
  }

  #send(label, { data, base64, times = 1 }) {
    if (data !== undefined) {
      this.channels[label].send(data.repeat(times));
      return;
    }
    const once = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)), all = new Uint8Array(once.length * times);
    for (let i = 0; i < times; i += 1) all.set(once, i * once.length);
    this.channels[label].send(all);
  }

  async #take({ type, label, sdp, ...more }) {
    switch (type) {
      case 'offer':
      case 'answer':
        if (sdp) await this.pc.setRemoteDescription({ type, sdp });
        if (!sdp || type === 'offer') await this.#describe();
        break;
      case 'open': this.keep(this.pc.createDataChannel(label, more)); break;
      case 'send': this.#send(label, more); break;
      case 'close': this.channels[label].close(); break;
      case 'amount':
        this.#tell({ type, label, bytes: this.channels[label].bufferedAmount, largest: this.pc.sctp.maxMessageSize });
        break;
      default: throw new Error(type);
    }
  }

  take(lines) {
    for (const line of lines) {
      this.#take(line).catch((error) => this.#tell({ type: 'error', message: `${line.type}: ${error.name}` }));
    }
  }
}

globalThis.channels = new Channels();
