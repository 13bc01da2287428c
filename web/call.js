// call.js - one call: a peer connection and its negotiation, without any page.

/** Perfect negotiation as W3C webrtc 10.7 describes it. Messages are what docs/signaling.md lists:
 *  descriptions and candidates as toJSON() writes them, and {"type":"bye"}.
 *  Events: state, track, chat {text}, chat-open, ended {reason}. */
export class Call extends EventTarget {
  #send;
  #polite;
  #makingOffer = false;
  #ignoreOffer = false;
  #settingAnswer = false;
  #expected; // what we will send, once the first offer is there
  #early = []; // candidates that came before their description
  #restarts = 0;
  #peerLeft = false;
  #chat = null;
  #queue = Promise.resolve();
  ended = false;
  startedAt = performance.now();
  connectedAt = 0;

  /** send(text) carries to the other side. polite(): whether we give way when both offer at once. */
  constructor({ peer, name, iceServers, polite, send }) {
    super();
    this.peer = peer;
    this.name = name;
    this.#send = send;
    this.#polite = polite;
    this.remote = new MediaStream();
    this.pc = new RTCPeerConnection({ iceServers, bundlePolicy: 'max-bundle', iceCandidatePoolSize: 1 });
    this.#listen(this.pc);
  }

  #listen(pc) {
    pc.onnegotiationneeded = () => this.#offer();
    pc.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) this.#say(candidate);
    };
    pc.ontrack = ({ track }) => {
      this.remote.addTrack(track);
      track.onended = () => this.remote.removeTrack(track);
      this.#tell('track');
    };
    pc.ondatachannel = ({ channel }) => this.#useChannel(channel);
    pc.onconnectionstatechange = () => this.#stateChanged();
    pc.oniceconnectionstatechange = () => this.#tell('state');
  }

  /** The side that calls: opens the chat channel, and with it the negotiation. */
  start(stream) {
    this.#useChannel(this.pc.createDataChannel('chat'));
    this.#addMedia(stream);
  }

  /** The side that is called takes its first offer. */
  async accept(offer, stream) {
    this.startedAt = performance.now();
    await this.pc.setRemoteDescription(offer);
    this.#addMedia(stream, true);
    await this.#takeEarly();
    await this.pc.setLocalDescription();
    this.#say(this.pc.localDescription);
  }

  /** We have said yes, and the other side's first offer is on its way. */
  expect(stream) {
    this.#expected = stream;
  }

  /** What we have is sent; what we have not is still received. */
  #addMedia(stream, answering = false) {
    for (const kind of ['audio', 'video']) {
      const track = stream?.getTracks().find((t) => t.kind === kind);
      if (track) this.pc.addTrack(track, stream);
      else if (!answering) this.pc.addTransceiver(kind, { direction: 'recvonly' });
    }
  }

  /** Puts a new camera or microphone into a running call. */
  async replace(track, stream) {
    const sender = this.pc.getTransceivers().find((t) => t.receiver.track.kind === track.kind);
    if (sender && sender.direction.startsWith('send')) await sender.sender.replaceTrack(track);
    else this.pc.addTrack(track, stream);
  }

  async #offer() {
    try {
      this.#makingOffer = true;
      await this.pc.setLocalDescription();
      this.#say(this.pc.localDescription);
    } catch (error) {
      if (!this.ended) this.end(`no offer could be made: ${error.message}`, true);
    } finally {
      this.#makingOffer = false;
    }
  }

  /** Takes a message of the other side, one after the other. */
  hear(message) {
    this.#queue = this.#queue.then(() => this.#take(message)).catch((error) => {
      if (!this.ended) this.end(`the other side sent something that does not fit: ${error.message}`, true);
    });
    return this.#queue;
  }

  async #take(message) {
    if (this.ended) return;
    if (message.type === 'bye') this.end(message.why ?? (message.reason === 'busy' ? 'busy' : 'bye'), false);
    else if (message.type) await this.#takeDescription(message);
    else if ('candidate' in message) await this.#takeCandidate(message);
  }

  async #takeDescription(description) {
    if (this.#expected !== undefined && description.type === 'offer') {
      const stream = this.#expected;
      this.#expected = undefined;
      await this.accept(description, stream);
      return;
    }
    const { pc } = this;
    const ready = !this.#makingOffer && (pc.signalingState === 'stable' || this.#settingAnswer);
    const collision = description.type === 'offer' && !ready;
    this.#ignoreOffer = !this.#polite() && collision;
    if (this.#ignoreOffer) return;
    this.#settingAnswer = description.type === 'answer';
    if (description.type === 'answer' && !this.connectedAt) this.startedAt = performance.now(); // they took the call
    await pc.setRemoteDescription(description);
    this.#settingAnswer = false;
    await this.#takeEarly();
    if (description.type === 'offer') {
      await pc.setLocalDescription();
      this.#say(pc.localDescription);
    }
  }

  async #takeCandidate(candidate) {
    if (!this.pc.remoteDescription) {
      this.#early.push(candidate);
      return;
    }
    try {
      await this.pc.addIceCandidate(candidate);
    } catch (error) {
      // One address that this browser cannot use, or one of an offer that was passed over, is no loss.
      if (!this.#ignoreOffer) console.warn('candidate not used:', error.message);
    }
  }

  async #takeEarly() {
    for (const candidate of this.#early.splice(0)) await this.#takeCandidate(candidate);
  }

  /** The room has lost the other side. A call that runs needs no room: it ends when its path dies as well. */
  peerHasLeft() {
    this.#peerLeft = true;
    if (!this.connectedAt) this.end('left', false);
    else this.#endIfAlone();
  }

  #endIfAlone() {
    const alive = this.pc.connectionState === 'connected' && (!this.#chat || this.#chat.readyState === 'open');
    if (this.#peerLeft && !alive) this.end('left', false);
  }

  #stateChanged() {
    const state = this.pc.connectionState;
    if (this.connectedAt) this.#endIfAlone();
    if (this.ended) return;
    if (state === 'connected') {
      this.connectedAt ||= performance.now();
      this.#restarts = 0;
    }
    // A changed network deserves a second try before anybody is told that it is over.
    if (state === 'failed' && this.#restarts++ < 1 && this.connectedAt) this.pc.restartIce();
    else if (state === 'failed') this.end('failed', true);
    this.#tell('state');
  }

  // ---- chat ----

  #useChannel(channel) {
    if (!this.#chat || this.#chat.readyState !== 'open') this.#chat = channel;
    channel.onopen = () => {
      this.#chat = channel;
      this.#tell('chat-open');
    };
    channel.onmessage = ({ data }) => {
      if (typeof data === 'string') this.#tell('chat', { text: data });
    };
    channel.onclose = () => {
      this.#tell('chat-open');
      this.#endIfAlone();
    };
  }

  get canChat() {
    return this.#chat?.readyState === 'open';
  }

  say(text) {
    if (!this.canChat) return false;
    this.#chat.send(text);
    return true;
  }

  // ---- the end ----

  /** reason: bye, busy, failed, left, or a sentence. tellThem: the other side does not know yet. */
  end(reason, tellThem) {
    if (this.ended) return;
    this.ended = true;
    if (tellThem) this.#say({ type: 'bye' });
    this.pc.close();
    this.#tell('ended', { reason });
  }

  #say(message) {
    this.#send(JSON.stringify(message));
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
