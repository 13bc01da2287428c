// files.js - files to and from the others in the room: connections of their own, beside calls, that come back when they
// break. What is said on them is transfer.js; docs/transfer.md, "Signaling", is how they are set up.

import { Code, FileReceiver, FileSender, Hasher, LABEL, PROTOCOL } from './transfer.js';

const TRIES = 8;

/** The SHA-256 fingerprint of a description, or null. */
function fingerprint(description) {
  const found = /^a=fingerprint:sha-256 ([0-9A-F:]+)/im.exec(description?.sdp ?? '');
  return found && Uint8Array.from(found[1].split(':'), (h) => Number.parseInt(h, 16));
}

/** One transfer with its connection. Events: change. state: waiting, offered, running, lost, done, failed. */
export class Transfer extends EventTarget {
  #send;
  #iceServers;
  #early = [];
  #tries = 0;
  pc = null;
  state = 'waiting';
  why = '';
  digits = '';
  saved = []; // { path, url, sha256 } of what was received into memory

  constructor({ peer, name, iceServers, send, files = null, id = '' }) {
    super();
    this.peer = peer;
    this.name = name;
    this.outgoing = files !== null;
    this.#send = send;
    this.#iceServers = iceServers;
    this.side = files ? new FileSender(files) : new FileReceiver();
    this.id = files ? this.side.id : id;
    this.side.addEventListener('change', () => this.tell());
    this.side.addEventListener('accepted', () => this.#set('running'));
    this.side.addEventListener('offer', () => this.#set('offered'));
    this.side.addEventListener('file', ({ detail }) => this.#fileEnded(detail));
    this.side.addEventListener('done', () => this.#end('done', ''));
    this.side.addEventListener('failed', ({ detail: { code, text, theirs } }) => {
      const declined = theirs && code === Code.declined;
      this.#end('failed', declined ? 'declined' : text || (theirs ? 'the other side has stopped' : 'it cannot go on'));
    });
  }

  get over() {
    return this.state === 'done' || this.state === 'failed';
  }

  tell() {
    this.dispatchEvent(new Event('change'));
  }

  #set(state) {
    this.state = state;
    this.tell();
  }

  #fileEnded({ index, status, sha256 }) {
    const entry = this.side.entries[index];
    if (!this.outgoing && status === 0 && entry.result) {
      this.saved.push({ path: entry.path, sha256, url: URL.createObjectURL(entry.result) });
      this.dispatchEvent(new CustomEvent('saved', { detail: this.saved.at(-1) }));
    }
    if (status !== 0) this.why = `${entry.path} did not arrive`;
    this.tell();
  }

  /** The last words leave before the connection is closed. */
  #end(state, why) {
    if (this.over) return;
    this.why = why || this.why;
    this.#set(state === 'done' && this.why ? 'failed' : state);
    const { pc } = this;
    setTimeout(() => pc?.close(), this.outgoing ? 2000 : 500);
  }

  #say(message) {
    this.#send(this.peer, JSON.stringify({ ...message, for: 'files', id: this.id, try: this.#tries }));
  }

  #open() {
    this.pc?.close();
    this.#early = [];
    const pc = new RTCPeerConnection({ iceServers: this.#iceServers });
    this.pc = pc;
    pc.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate && pc === this.pc) this.#say(candidate.toJSON());
    };
    pc.onconnectionstatechange = () => {
      if (pc === this.pc && ['failed', 'closed'].includes(pc.connectionState)) this.#lost();
    };
    return pc;
  }

  #use(channel) {
    const { pc } = this;
    const begin = async () => {
      if (pc !== this.pc) return;
      this.side.attach(channel);
      const [own, theirs] = [fingerprint(pc.localDescription), fingerprint(pc.remoteDescription)];
      if (own && theirs) this.digits = await Hasher.digits(own, theirs);
      this.tell();
    };
    channel.onclose = () => {
      if (pc === this.pc) this.#lost();
    };
    channel.binaryType = 'arraybuffer';
    if (channel.readyState === 'open') begin();
    else channel.onopen = begin;
  }

  #lost() {
    if (this.over || this.state === 'lost') return;
    if (this.state === 'offered' || this.#tries >= TRIES) {
      this.#end('failed', 'the connection broke');
      return;
    }
    this.#set('lost');
    if (this.outgoing) setTimeout(() => !this.over && this.start(), 500 * 2 ** Math.min(this.#tries, 4));
  }

  /** The side that has the files offers, and offers again. */
  async start() {
    this.#tries++;
    const pc = this.#open();
    this.state = this.#tries === 1 ? 'waiting' : 'lost';
    this.#use(pc.createDataChannel(LABEL, { protocol: PROTOCOL }));
    await pc.setLocalDescription();
    this.#say(pc.localDescription.toJSON());
  }

  /** An offer that came for this transfer, the first or a later one. */
  async answer(message) {
    this.#tries = message.try ?? 1;
    const pc = this.#open();
    pc.ondatachannel = ({ channel }) => {
      if (channel.label === LABEL && channel.protocol === PROTOCOL) this.#use(channel);
    };
    await pc.setRemoteDescription({ type: 'offer', sdp: message.sdp });
    await pc.setLocalDescription();
    this.#say(pc.localDescription.toJSON());
    if (this.state === 'lost') this.#set('running');
    await this.#takeEarly();
  }

  async hear(message) {
    if ((message.try ?? 1) !== this.#tries || this.over) return;
    if (message.type === 'bye') {
      this.side.over = true;
      this.#end('failed', message.reason ?? 'the other side has given up');
    } else if (message.type === 'answer' && this.outgoing) {
      await this.pc.setRemoteDescription({ type: 'answer', sdp: message.sdp });
      await this.#takeEarly();
    } else if ('candidate' in message) {
      this.#early.push(message);
      await this.#takeEarly();
    }
  }

  async #takeEarly() {
    if (!this.pc.remoteDescription) return;
    for (const candidate of this.#early.splice(0)) {
      await this.pc.addIceCandidate(candidate).catch((error) => console.warn('candidate not used:', error.message));
    }
  }

  async accept(sink) {
    this.#set('running');
    await this.side.accept(sink);
  }

  cancel() {
    const code = this.state === 'offered' ? Code.declined : Code.stopped;
    this.side.cancel(code, '');
    if (this.state === 'waiting' || this.state === 'lost') this.#say({ type: 'bye' });
    this.#end('failed', this.outgoing || code === Code.stopped ? 'stopped' : 'declined');
  }
}

/** All transfers of this page. Events: transfer { detail: Transfer }. */
export class Files extends EventTarget {
  #transfers = new Map();

  /** send(peer, text) carries through the room. */
  constructor(send, iceServers) {
    super();
    this.send = send;
    this.iceServers = iceServers;
  }

  #keep(transfer) {
    this.#transfers.set(transfer.id, transfer);
    this.dispatchEvent(new CustomEvent('transfer', { detail: transfer }));
    return transfer;
  }

  offer(peer, name, files) {
    const t = this.#keep(new Transfer({ peer, name, files, send: this.send, iceServers: this.iceServers() }));
    t.start();
    return t;
  }

  /** A message of the room that has "for":"files". */
  async hear(from, name, message) {
    if (message.for !== 'files' || typeof message.id !== 'string' || message.id.length > 64) return;
    let t = this.#transfers.get(message.id);
    if (message.type !== 'offer') {
      if (t && t.peer === from) await t.hear(message);
      return;
    }
    if (t && (t.outgoing || t.over)) return;
    if (t) t.peer = from; // it comes back, perhaps under a new number
    t ??= this.#keep(new Transfer({ peer: from, name, id: message.id, send: this.send, iceServers: this.iceServers() }));
    await t.answer(message);
  }
}

/** Into memory: a Blob at the end. Browsers keep large ones on disk. */
export function memorySink() {
  const done = [];
  let parts = [];
  let size = 0;
  return {
    write(bytes) {
      parts.push(bytes.slice());
      size += bytes.length;
      if (size >= 8 << 20) { // many small pieces into one
        done.push(new Blob(parts));
        parts = [];
        size = 0;
      }
    },
    close: () => new Blob([...done, ...parts], { type: 'application/octet-stream' }),
    abort() {
      done.length = parts.length = 0;
    },
  };
}

/** Below a folder that the user has chosen (File System Access API), never over a file that is there. */
export function folderSink(root) {
  return (entry) => {
    let handle = null;
    let stream = null;
    const open = async () => {
      const parts = entry.path.split('/');
      const last = parts.pop();
      let folder = root;
      for (const part of parts) folder = await folder.getDirectoryHandle(part, { create: true });
      const dot = last.lastIndexOf('.') > 0 ? last.lastIndexOf('.') : last.length;
      for (let n = 0; !handle; n++) {
        const name = n ? `${last.slice(0, dot)} (${n})${last.slice(dot)}` : last;
        const taken = await folder.getFileHandle(name).then(() => true, (error) => error.name !== 'NotFoundError');
        if (!taken) handle = await folder.getFileHandle(name, { create: true });
      }
      stream = await handle.createWritable();
    };
    return {
      async write(bytes) {
        if (!stream) await open();
        await stream.write(bytes.slice());
      },
      async close() {
        if (!stream) await open();
        await stream.close();
      },
      abort: () => stream?.abort(),
    };
  };
}
