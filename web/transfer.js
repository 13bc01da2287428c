// transfer.js - files over a data channel, as docs/transfer.md says it: one side that has them, one that gets them.
// Without any page: what is shown, where bytes are kept and how the two meet is others' business.

export const LABEL = 'peerline-files';
export const PROTOCOL = 'peerline-files.1';
export const Kind = { file: 0, folder: 1, stream: 2 };
export const Code = { declined: 1, stopped: 2, refused: 3, noSpace: 4, broken: 5, failed: 6, busy: 7 };
export const Status = { whole: 0, damaged: 1, unwritten: 2, unread: 3 };

const Type = { offer: 1, entries: 2, have: 3, accept: 4, begin: 5, data: 6, end: 7, missing: 8, received: 9, stored: 10,
  done: 11, cancel: 12 };
const MESSAGE = 65536; // browsers take 256 KiB, but share a channel better with less
const BLOCK = 1 << 20;
const HIGH = 4 << 20; // bytes in the channel that are enough
const WINDOW = 16 << 20;
const ENTRIES_MAX = 262144;
const UNKNOWN = 2n ** 64n - 1n;
const text = new TextEncoder();
const words = new TextDecoder('utf-8', { fatal: true });

/** A message that breaks the protocol: ends the transfer. */
class Broken extends Error {
  constructor(message, code = Code.broken) {
    super(message);
    this.code = code;
  }
}

/** Asks a worker to hash; one worker serves all transfers. */
export class Hasher {
  static #worker = null;
  static #asked = new Map();
  static #last = 0;

  static #ask(message, transfer = []) {
    if (!Hasher.#worker) {
      Hasher.#worker = new Worker(new URL('hash.js', import.meta.url), { type: 'module' });
      Hasher.#worker.onmessage = ({ data }) => {
        Hasher.#asked.get(data.ask)(data.hash ?? data.digits);
        Hasher.#asked.delete(data.ask);
      };
    }
    Hasher.#worker.postMessage(message, transfer);
  }

  static #answer(message) {
    return new Promise((resolve) => {
      const ask = ++Hasher.#last;
      Hasher.#asked.set(ask, resolve);
      Hasher.#ask({ ...message, ask });
    });
  }

  static digits(one, other) {
    return Hasher.#answer({ digits: [one, other] });
  }

  run = `run ${++Hasher.#last}`;
  /** Takes the bytes away: their buffer is given to the worker. */
  update(bytes) {
    Hasher.#ask({ run: this.run, bytes }, [bytes.buffer]);
  }
  hash() {
    return Hasher.#answer({ run: this.run });
  }
  drop() {
    Hasher.#ask({ run: this.run, drop: true });
  }
}

/** What may be a name below a folder; else why not. */
export function checkPath(path) {
  const bytes = text.encode(path).length;
  const parts = path.split('/');
  if (bytes === 0 || bytes > 1024 || parts.length > 64) return 'a path is empty, too long or too deep';
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\\]/.test(path)) {
    return 'a name has control characters or a backslash';
  }
  for (const part of parts) {
    if (part === '' || part === '.' || part === '..') return 'a name leads elsewhere';
    if (text.encode(part).length > 200) return 'a name is too long';
    if (/^ |[ .]$|\.part$/i.test(part)) return 'a name ends in a blank, a dot or .part';
  }
  return null;
}

class Writer {
  #bytes = new Uint8Array(256);
  #n = 0;
  #room(n) {
    if (this.#n + n > this.#bytes.length) {
      const more = new Uint8Array(2 * (this.#n + n));
      more.set(this.#bytes);
      this.#bytes = more;
    }
    this.#n += n;
    return new DataView(this.#bytes.buffer, this.#n - n, n);
  }
  u8(v) { this.#room(1).setUint8(0, v); return this; }
  u16(v) { this.#room(2).setUint16(0, v); return this; }
  u32(v) { this.#room(4).setUint32(0, v); return this; }
  u64(v) { this.#room(8).setBigUint64(0, BigInt.asUintN(64, BigInt(v))); return this; }
  bytes(b) { this.#room(b.length); this.#bytes.set(b, this.#n - b.length); return this; }
  text(s) { const b = text.encode(s); return this.u16(b.length).bytes(b); }
  get length() { return this.#n; }
  get message() { return this.#bytes.slice(0, this.#n); }
}

class Reader {
  #view;
  #at = 0;
  constructor(buffer) { this.#view = new DataView(buffer); }
  #take(n) {
    if (this.#at + n > this.#view.byteLength) throw new Broken('a message is too short');
    this.#at += n;
    return this.#at - n;
  }
  u8() { return this.#view.getUint8(this.#take(1)); }
  u16() { return this.#view.getUint16(this.#take(2)); }
  u32() { return this.#view.getUint32(this.#take(4)); }
  u64() { return this.#view.getBigUint64(this.#take(8)); }
  i64() { return this.#view.getBigInt64(this.#take(8)); }
  /** A size or an offset that JavaScript can count. */
  size() {
    const v = this.u64();
    if (v > BigInt(Number.MAX_SAFE_INTEGER)) throw new Broken('a size is out of range', Code.refused);
    return Number(v);
  }
  bytes(n) { return new Uint8Array(this.#view.buffer, this.#take(n), n); }
  text() {
    const bytes = this.bytes(this.u16());
    try { return words.decode(bytes); } catch { throw new Broken('a text is no UTF-8', Code.refused); }
  }
  get left() { return this.#view.byteLength - this.#at; }
  end() { if (this.left) throw new Broken('a message is too long'); }
}

const equal = (a, b) => a.every((byte, i) => byte === b[i]);
export const hex = (bytes) => [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');

/** What both sides have in common. Events: change, file {index, status, sha256}, done, failed {code, text, theirs}. */
class Side extends EventTarget {
  channel = null;
  over = false;
  done = 0; // bytes that need not be sent any more
  total = 0;
  entries = [];
  #queue = Promise.resolve();

  /** A channel that is open; what the last one had under way is forgotten. */
  attach(channel) {
    this.channel = channel;
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = HIGH / 4;
    channel.onmessage = ({ data }) => {
      this.#queue = this.#queue.then(() => channel === this.channel && !this.over && this.#take(data)).catch((error) => {
        this.end(error.code ?? Code.failed, error.message, false);
      });
    };
  }

  async #take(data) {
    if (!(data instanceof ArrayBuffer) || data.byteLength === 0) throw new Broken('a message is no bytes');
    const r = new Reader(data);
    const type = r.u8();
    if (type === Type.cancel) {
      const code = r.u8();
      this.end(code, r.text(), true);
    } else {
      await this.take(type, r);
    }
  }

  say(message) {
    if (this.channel?.readyState === 'open') this.channel.send(message);
  }

  cancel(code, why = '') {
    this.say(new Writer().u8(Type.cancel).u8(code).text(why.slice(0, 80)).message);
    this.over = true;
  }

  end(code, why, theirs) {
    if (this.over) return;
    if (!theirs) this.cancel(code, why);
    this.over = true;
    this.tell('failed', { code, text: why, theirs });
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Has files: [{ path, file }]. Events besides: accepted. */
export class FileSender extends Side {
  #id = crypto.getRandomValues(new Uint8Array(16));
  #answers = [];
  #have = new Map();
  #window = 0;
  #sent = 0;
  #received = 0;
  #skipped = 0;
  #wake = null;

  constructor(files) {
    super();
    this.entries = files.map(({ path, file }) => ({ path, file, size: file.size, kind: Kind.file }));
    this.total = this.entries.reduce((sum, e) => sum + e.size, 0);
  }

  get id() {
    return hex(this.#id);
  }

  attach(channel) {
    super.attach(channel);
    this.#have.clear();
    this.#window = this.#sent = this.#received = this.#skipped = 0;
    channel.onbufferedamountlow = () => this.#go();
    const offer = new Writer().u8(Type.offer).u8(1).u8(0).bytes(this.#id).u32(this.entries.length).u64(this.total);
    this.say(offer.message);
    let list = new Writer().u8(Type.entries);
    for (const e of this.entries) {
      list.u8(e.kind).u16(0o644).u64(BigInt(e.file.lastModified) * 1000n).u64(e.size).text(e.path);
      if (list.length > 8192) {
        this.say(list.message);
        list = new Writer().u8(Type.entries);
      }
    }
    if (list.length > 1) this.say(list.message);
  }

  async take(type, r) {
    if (type === Type.have && !this.#window) this.#takeHave(r);
    else if (type === Type.accept && !this.#window) this.#takeAccept(r);
    else if (type === Type.received) this.#takeReceived(r);
    else if (type === Type.stored) this.#takeStored(r);
    else throw new Broken('a message comes out of turn');
  }

  #takeHave(r) {
    while (r.left) {
      const index = r.u32();
      const offset = r.size();
      if (!this.entries[index] || offset > this.entries[index].size) throw new Broken('it has what was not offered');
      this.#have.set(index, { offset, hash: r.bytes(32).slice() });
    }
  }

  #takeAccept(r) {
    this.#window = r.size();
    r.end();
    if (this.#window < BLOCK) throw new Broken('its window is too small');
    this.tell('accepted');
    const { channel } = this;
    this.#sendAll(channel).catch((error) => {
      if (channel === this.channel && channel.readyState === 'open') this.end(Code.failed, error.message, false);
    });
  }

  #takeReceived(r) {
    const bytes = r.size();
    if (bytes < this.#received || bytes > this.#sent) throw new Broken('it has written what was not sent');
    this.#received = bytes;
    this.#count();
    this.#go();
  }

  #takeStored(r) {
    const index = r.u32();
    const status = r.u8();
    r.text();
    const e = this.entries[index];
    if (!e || !e.begun || this.#answers[index] !== undefined || status > 3) throw new Broken('its answer makes no sense');
    this.#answers[index] = status;
    this.tell('file', { index, status, sha256: e.sha256 });
    this.#go();
  }

  #count() {
    this.done = Math.min(this.#before + this.#skipped + this.#received, this.total);
    this.tell('change');
  }
  #before = 0;

  /** Bytes that are read and sent at a time: never so many that a small window waits for itself. */
  get #step() {
    return Math.min(BLOCK, Math.floor(this.#window / 2));
  }

  #go() {
    this.#wake?.();
    this.#wake = null;
  }

  /** Until there is room in the channel and in the window. False: this channel is over. */
  async #room(channel) {
    for (;;) {
      if (channel !== this.channel || this.over || channel.readyState !== 'open') return false;
      if (channel.bufferedAmount < HIGH && this.#sent - this.#received + this.#step <= this.#window) return true;
      await new Promise((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, 1000); // a channel that closes wakes nobody
      });
    }
  }

  async #sendAll(channel) {
    this.#before = this.entries.reduce((sum, e, i) => sum + (this.#answers[i] === undefined ? 0 : e.size), 0);
    for (let index = 0; index < this.entries.length; index++) {
      if (this.#answers[index] === undefined && !(await this.#sendFile(channel, index))) return;
    }
    const open = () => this.entries.some((e, i) => this.#answers[i] === undefined);
    while (open()) {
      if (channel !== this.channel || this.over || channel.readyState !== 'open') return;
      await new Promise((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, 1000);
      });
    }
    this.say(new Writer().u8(Type.done).message);
    this.done = this.total;
    this.over = true;
    this.tell('done');
  }

  /** The hash of what it has is made of our file, too; equal, it is not sent again. */
  async #checkHave(index, hasher) {
    const have = this.#have.get(index);
    if (!have) return 0;
    const { file } = this.entries[index];
    for (let at = 0; at < have.offset; at += BLOCK) {
      hasher.update(new Uint8Array(await file.slice(at, Math.min(at + BLOCK, have.offset)).arrayBuffer()));
    }
    return equal(have.hash, await hasher.hash()) ? have.offset : 0;
  }

  async #sendFile(channel, index) {
    const e = this.entries[index];
    let hasher = new Hasher();
    try {
      const start = await this.#checkHave(index, hasher);
      if (!start && this.#have.has(index)) {
        hasher.drop();
        hasher = new Hasher();
      }
      if (!(await this.#room(channel))) return false;
      this.#skipped += start;
      e.begun = true;
      this.say(new Writer().u8(Type.begin).u32(index).u64(start).message);
      for (let at = start; at < e.size && this.#answers[index] === undefined; at += this.#step) {
        const block = new Uint8Array(await e.file.slice(at, at + this.#step).arrayBuffer());
        if (!(await this.#room(channel))) return false;
        for (let from = 0; from < block.length; from += MESSAGE) {
          const piece = block.subarray(from, from + MESSAGE);
          this.say(new Writer().u32(Type.data << 24).u32(index).u64(at + from).bytes(piece).message);
        }
        this.#sent += block.length;
        hasher.update(block);
      }
      e.sha256 = await hasher.hash();
    } catch { // the file has changed or gone
      if (channel !== this.channel || channel.readyState !== 'open') return false;
      e.begun = true;
      this.say(new Writer().u8(Type.missing).u32(index).u8(Status.unread).text('it cannot be read').message);
      return true;
    } finally {
      hasher.drop();
    }
    if (channel !== this.channel || channel.readyState !== 'open') return false;
    if (this.#answers[index] === undefined) {
      this.say(new Writer().u8(Type.end).u32(index).u64(e.size).bytes(e.sha256).message);
    }
    return true;
  }
}

/** Gets files. sink(entry) gives { write(bytes), close(), abort() }, which may answer by promises. Events besides: offer. */
export class FileReceiver extends Side {
  #id = '';
  #names = new Set();
  #expected = null; // of an offer whose entries are still to come
  #fresh = [];
  #accepted = false;
  #next = 0;
  #at = null; // the entry that has begun
  #came = 0;
  #written = 0;
  #reported = 0;
  #sink = null;

  attach(channel) {
    super.attach(channel);
    this.#expected = null;
    this.#accepted = false;
    this.#next = this.#came = this.#written = this.#reported = 0;
    this.#at = null;
  }

  async take(type, r) {
    if (type === Type.offer && !this.#expected) this.#takeOffer(r);
    else if (type === Type.entries && this.#expected) await this.#takeEntries(r);
    else if (!this.#accepted) throw new Broken('a message comes out of turn');
    else if (type === Type.begin) this.#takeBegin(r);
    else if (type === Type.data) await this.#takeData(r);
    else if (type === Type.end) await this.#takeEnd(r);
    else if (type === Type.missing) this.#takeMissing(r);
    else if (type === Type.done) this.#takeDone(r);
    else throw new Broken('a message comes out of turn');
  }

  #takeOffer(r) {
    if (r.u8() !== 1) throw new Broken('an offer that is not understood');
    r.u8();
    this.#expected = { id: hex(r.bytes(16)), n: r.u32(), total: r.size() };
    r.end();
    if (!this.#expected.n || this.#expected.n > ENTRIES_MAX) throw new Broken('there are too many files', Code.refused);
    this.#fresh = [];
    this.#names = new Set();
  }

  #takeEntry(r) {
    const kind = r.u8();
    r.u16();
    const modified = Number(r.i64() / 1000n);
    const size = r.u64();
    const path = r.text();
    const why = checkPath(path);
    const lies = kind === Kind.stream ? size !== UNKNOWN
      : kind === Kind.folder ? size !== 0n : kind !== Kind.file || size > BigInt(Number.MAX_SAFE_INTEGER);
    if (why || lies || this.#names.has(path)) throw new Broken(why ?? (lies ? 'a size is out of range' : 'a name comes twice'), Code.refused);
    this.#names.add(path);
    this.#fresh.push({ kind, modified, path, size: kind === Kind.stream ? Infinity : Number(size), have: 0, status: null });
  }

  async #takeEntries(r) {
    while (r.left) {
      if (this.#fresh.length === this.#expected.n) throw new Broken('there are more files than were offered');
      this.#takeEntry(r);
    }
    if (this.#fresh.length < this.#expected.n) return;
    const files = new Map(this.#fresh.map((e) => [e.path, e.kind]));
    for (const { path } of this.#fresh) {
      for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
        const above = files.get(path.slice(0, at));
        if (above !== undefined && above !== Kind.folder) throw new Broken('a file stands where a folder is needed', Code.refused);
      }
    }
    const total = this.#fresh.reduce((sum, e) => sum + (e.kind === Kind.file ? e.size : 0), 0);
    if (total !== this.#expected.total) throw new Broken('the sizes do not add up', Code.refused);
    const again = this.#expected.id === this.#id;
    if (again) {
      const same = this.#fresh.every((e, i) => e.path === this.entries[i]?.path && e.size === this.entries[i].size);
      if (!same || this.#fresh.length !== this.entries.length) throw new Broken('another transfer under the same name');
      await this.accept(this.#sink);
    } else {
      this.#id = this.#expected.id;
      this.entries = this.#fresh;
      this.total = total;
      this.done = 0;
      this.tell('offer');
    }
  }

  /** What we have of a transfer that comes back is told first. */
  async accept(sink) {
    this.#sink = sink;
    const list = new Writer().u8(Type.have);
    for (const [index, e] of this.entries.entries()) {
      if (!e.have || e.status > 0) continue;
      list.u32(index).u64(e.have).bytes(e.sha256 ?? await e.hasher.hash());
      if (list.length > 3900) break; // enough to go on with: the others are sent once more
    }
    if (list.length > 1) this.say(list.message);
    this.say(new Writer().u8(Type.accept).u64(WINDOW).message);
    this.#accepted = true;
  }

  #takeBegin(r) {
    const index = r.u32();
    const offset = r.size();
    r.end();
    const e = this.entries[index];
    if (!e || e.kind === Kind.folder || index < this.#next || (this.#at && !this.#at.dropped) || (offset && offset !== e.have)) {
      throw new Broken('a file begins out of turn');
    }
    this.#next = index + 1;
    this.#at = e;
    e.index = index;
    e.dropped = false;
    if (e.status === Status.whole && offset === e.have) return; // our answer was lost
    if (offset === 0) {
      this.done -= e.have;
      e.have = 0;
      e.sink?.abort?.();
      e.hasher?.drop();
      e.sink = this.#sink(e);
      e.hasher = new Hasher();
    }
    e.status = e.sha256 = null;
  }

  #written_more(n) {
    this.#written += n;
    if (this.#written - this.#reported < WINDOW / 16) return;
    this.#reported = this.#written;
    this.say(new Writer().u8(Type.received).u64(this.#written).message);
    this.tell('change');
  }

  async #takeData(r) {
    r.bytes(3);
    const index = r.u32();
    const offset = r.size();
    const bytes = r.bytes(r.left);
    const e = this.#at;
    this.#came += bytes.length;
    if (!e || index !== e.index || this.#came - this.#written > WINDOW || !bytes.length) throw new Broken('data out of turn');
    if (!e.dropped) {
      if (offset !== e.have || e.have + bytes.length > e.size) throw new Broken('data at another place than where we are');
      try {
        await e.sink.write(bytes);
        e.have += bytes.length;
        this.done += bytes.length;
        e.hasher.update(bytes.slice());
      } catch (error) {
        this.#answer(e, Status.unwritten, error.message);
        e.dropped = true;
      }
    }
    this.#written_more(bytes.length);
  }

  async #takeEnd(r) {
    const index = r.u32();
    const size = r.size();
    const hash = r.bytes(32);
    const e = this.#at;
    if (!e || index !== e.index) throw new Broken('a file ends out of turn');
    this.#at = null;
    if (e.dropped) return;
    if (size !== e.have || (e.kind === Kind.file && size !== e.size)) throw new Broken('a file ends before its end');
    if (e.status !== null) { // stored before
      this.#say_stored(e, '');
      return;
    }
    e.sha256 = await e.hasher.hash();
    if (!equal(hash, e.sha256)) {
      e.sink.abort?.();
      this.#answer(e, Status.damaged, '');
      return;
    }
    try {
      e.result = await e.sink.close();
      this.#answer(e, Status.whole, '');
    } catch (error) {
      this.#answer(e, Status.unwritten, error.message);
    }
  }

  #takeMissing(r) {
    const index = r.u32();
    const e = this.entries[index];
    const fits = e && (this.#at ? this.#at === e : index >= this.#next) && e.kind !== Kind.folder;
    if (!fits) throw new Broken('a file is missing out of turn');
    e.index = index;
    this.#next = index + 1;
    this.#at = null;
    e.sink?.abort?.();
    this.#answer(e, Status.unread, '');
  }

  #say_stored(e, why) {
    this.say(new Writer().u8(Type.stored).u32(e.index).u8(e.status).text(why.slice(0, 80)).message);
  }

  #answer(e, status, why) {
    e.status = status;
    if (status !== Status.whole) {
      this.done += (Number.isFinite(e.size) ? e.size : 0) - e.have;
      e.have = 0;
    }
    e.hasher?.drop();
    this.#say_stored(e, why);
    this.tell('file', { index: e.index, status, sha256: e.sha256 });
  }

  #takeDone(r) {
    r.end();
    if (this.entries.some((e) => e.kind !== Kind.folder && e.status === null)) throw new Broken('it is done before the end');
    this.over = true;
    this.tell('done');
  }
}
