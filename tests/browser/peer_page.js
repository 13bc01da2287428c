// The page's end of a call: one RTCPeerConnection with perfect negotiation, and the instruments that measure
// what arrives. Served to the page by peer.mjs; `toPeer` carries a line to the process.
'use strict';

const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

function toBase64(buffer) {
  const bytes = new Uint8Array(buffer);
  let text = '';
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}

/** As the lines of `peerline peer` have it: text in `data`, bytes in `base64`. */
const packed = (data) => (typeof data === 'string' ? { data } : { base64: toBase64(data) });
const unpacked = (o) => o.data ?? fromBase64(o.base64);

/** Resolves when `test()` holds. Looks whenever something happened, and often enough for what has no event. */
async function until(test) {
  for (;;) {
    const found = await test();
    if (found) return found;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}

class Call {
  channels = {};
  inbox = {};
  states = [];
  tracks = [];
  #makingOffer = false;
  #ignoring = false;
  #answerPending = false; // an offer right behind an answer collides with nothing

  /** offers: this side makes the first offer. polite: it gives way when both offer. trickle: candidates travel on
   * their own. */
  constructor({ offers = false, polite = false, trickle = true }) {
    Object.assign(this, { offers, polite, trickle });
    this.pc = new RTCPeerConnection();
    this.pc.onnegotiationneeded = () => this.#offer();
    this.pc.onicecandidate = ({ candidate }) => this.#tell(candidate);
    this.pc.onconnectionstatechange = () => this.states.push(this.pc.connectionState);
    this.pc.ondatachannel = ({ channel }) => this.keep(channel);
    this.pc.ontrack = ({ track }) => this.tracks.push(track);
  }

  async #offer() {
    if (!this.offers && !this.pc.remoteDescription) return;
    try {
      this.#makingOffer = true;
      await this.describe();
    } finally {
      this.#makingOffer = false;
    }
  }

  async describe(description) {
    await this.pc.setLocalDescription(description);
    if (!this.trickle) await until(() => this.pc.iceGatheringState === 'complete');
    const { type, sdp } = this.pc.localDescription;
    toPeer({ type, sdp });
  }

  #tell(candidate) {
    if (!this.trickle) return;
    const { candidate: text, sdpMid, sdpMLineIndex, usernameFragment } = candidate ?? { candidate: '' };
    if (candidate && !text) return; // Chromium ends a generation with "", all of them with null: one is enough
    toPeer({ type: 'candidate', candidate: text, sdpMid: sdpMid ?? '0', sdpMLineIndex: sdpMLineIndex ?? 0,
      usernameFragment });
  }

  async take(line) {
    const { pc } = this;
    if (line.type === 'candidate') {
      await pc.addIceCandidate(line).catch((error) => { if (!this.#ignoring) throw error; });
      return;
    }
    const free = !this.#makingOffer && (pc.signalingState === 'stable' || this.#answerPending);
    const collides = line.type === 'offer' && !free;
    this.#ignoring = collides && !this.polite;
    if (this.#ignoring) return;
    this.#answerPending = line.type === 'answer';
    await pc.setRemoteDescription(line);
    this.#answerPending = false;
    if (line.type === 'offer') await this.describe();
  }

  connected() {
    return until(() => this.pc.connectionState === 'connected');
  }

  open(label, init) {
    return this.keep(this.pc.createDataChannel(label, init));
  }

  keep(channel) {
    channel.binaryType = 'arraybuffer';
    this.channels[channel.label] = channel;
    this.inbox[channel.label] = [];
    channel.onmessage = ({ data }) => this.inbox[channel.label].push(packed(data));
  }

  async channel(label, state = 'open') {
    await until(() => this.channels[label]?.readyState === state);
    const { ordered, maxRetransmits, maxPacketLifeTime, protocol, id } = this.channels[label];
    return { label, ordered, maxRetransmits, maxPacketLifeTime, protocol, id };
  }

  say(label, message) {
    this.channels[label].send(unpacked(message));
  }

  async message(label) {
    await until(() => this.inbox[label]?.length);
    return this.inbox[label].shift();
  }

  /** getStats as an array; with `good`, the first for which it holds. */
  stats() {
    return this.pc.getStats().then((report) => [...report.values()]);
  }

  track(kind) {
    return until(() => this.tracks.find((track) => track.kind === kind && track.readyState === 'live'));
  }

  // ---- sound ----

  async #audio() {
    this.audioContext ??= new AudioContext({ sampleRate: 48000 });
    await this.audioContext.resume();
    return this.audioContext;
  }

  /** Adds a track with a sine of `hz`. */
  async sing(hz) {
    const audio = await this.#audio();
    const to = audio.createMediaStreamDestination();
    const tone = new OscillatorNode(audio, { frequency: hz });
    const quiet = new GainNode(audio, { gain: 0.5 });
    tone.connect(quiet).connect(to);
    tone.start();
    const [track] = to.stream.getAudioTracks();
    return this.pc.addTrack(track, to.stream);
  }

  /** Watches the incoming sound until most of its energy is within a semitone of `hz`. Returns its share. */
  async hear(hz, share = 0.9) {
    const audio = await this.#audio();
    const stream = new MediaStream([await this.track('audio')]);
    const element = Object.assign(new Audio(), { srcObject: stream, muted: true }); // without one nothing is decoded
    await element.play();
    const analyser = new AnalyserNode(audio, { fftSize: 8192, smoothingTimeConstant: 0 });
    audio.createMediaStreamSource(stream).connect(analyser);
    const decibels = new Float32Array(analyser.frequencyBinCount);
    return until(() => {
      analyser.getFloatFrequencyData(decibels);
      let all = 0, near = 0;
      decibels.forEach((db, i) => {
        const power = 10 ** (db / 10), f = (i * audio.sampleRate) / analyser.fftSize;
        all += power;
        if (Math.abs(12 * Math.log2(f / hz)) < 1) near += power;
      });
      this.heard = { share: near / all, level: 10 * Math.log10(all) };
      return this.heard.share > share && this.heard.level > -60 && this.heard.share;
    });
  }

  // ---- pictures ----

  /** Adds a track with a moving picture: a white square runs over changing colours. */
  paint({ width = 320, height = 240, fps = 30 } = {}) {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const ctx = canvas.getContext('2d');
    let n = 0;
    const paint = () => {
      ctx.fillStyle = `hsl(${(n * 3) % 360} 80% 45%)`;
      ctx.fillRect(0, 0, width, height);
      ctx.fillStyle = 'white';
      ctx.fillRect((n * 5) % width, (n * 2) % height, 40, 40);
      n += 1;
    };
    paint();
    setInterval(paint, 1000 / fps);
    const stream = canvas.captureStream(fps);
    this.painting = this.pc.addTrack(stream.getVideoTracks()[0], stream);
  }

  async watch() {
    const video = Object.assign(document.createElement('video'), { muted: true, autoplay: true, playsInline: true });
    video.srcObject = new MediaStream([await this.track('video')]);
    document.body.append(video);
    await until(() => video.videoWidth && video.readyState >= 2);
    this.video = video;
  }

  /** The picture of now in 16 x 9 points of red, green and blue. */
  look() {
    const canvas = Object.assign(document.createElement('canvas'), { width: 16, height: 9 });
    const ctx = canvas.getContext('2d');
    ctx.drawImage(this.video, 0, 0, 16, 9);
    return [...ctx.getImageData(0, 0, 16, 9).data].filter((_, i) => i % 4 !== 3);
  }

  /** Puts a worker between receiver and decoder of `kind`, which lets all frames pass and can ask for a key frame. */
  interpose(kind) {
    const body = `onrtctransform = ({ transformer }) => {
      transformer.readable.pipeTo(transformer.writable);
      onmessage = () => transformer.sendKeyFrameRequest();
    };`;
    this.worker = new Worker(URL.createObjectURL(new Blob([body], { type: 'text/javascript' })));
    this.pc.addEventListener('track', ({ track, receiver }) => {
      if (track.kind === kind) receiver.transform = new RTCRtpScriptTransform(this.worker);
    });
  }

  askKeyFrame() {
    this.worker.postMessage('');
  }

  // ---- statistics ----

  /** Resolves when a socket of the restart that is on offer has sent checks. */
  restartChecks() {
    return until(async () => {
      const ufrag = this.pc.pendingLocalDescription?.sdp.match(/a=ice-ufrag:(\S+)/)[1];
      const stats = await this.stats();
      const fresh = stats.filter((s) => s.type === 'local-candidate' && s.usernameFragment === ufrag);
      return ufrag && stats.some((s) => s.type === 'candidate-pair' && s.requestsSent > 1
        && fresh.some((c) => c.id === s.localCandidateId));
    });
  }

  async inbound(kind) {
    const stats = await this.stats();
    return stats.find((s) => s.type === 'inbound-rtp' && s.kind === kind);
  }

  /** Waits until `member` of the inbound stream of `kind` has grown by `more`; returns the stream's statistics. */
  async grows(kind, member, more) {
    const from = (await this.inbound(kind))?.[member] ?? 0;
    return until(async () => {
      const s = await this.inbound(kind);
      return s?.[member] >= from + more && s;
    });
  }
}

function startCall(options) {
  globalThis.call = new Call(options);
}

/** Decodes recorded VP8 frames (base64), as strict as the browser's decoder; returns how many pictures came out. */
async function decodeVp8(frames) {
  let n = 0, failure = null;
  const decoder = new VideoDecoder({ output: (frame) => { n += 1; frame.close(); }, error: (e) => { failure = e; } });
  decoder.configure({ codec: 'vp8' });
  frames.forEach(({ key, data }, i) => decoder.decode(
    new EncodedVideoChunk({ type: key ? 'key' : 'delta', timestamp: i * 33333, data: fromBase64(data) })));
  await decoder.flush();
  if (failure) throw failure;
  return n;
}
