// sha256.js - SHA-256 (FIPS 180-4) over many pieces, since crypto.subtle takes one, and only in secure contexts.

const K = new Int32Array(64);
const START = new Int32Array(8);
{ // the first 32 bits of the fractional parts of the roots of the first primes
  const bits = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
  for (let n = 2, i = 0; i < 64; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) prime &&= n % d !== 0;
    if (!prime) continue;
    if (i < 8) START[i] = bits(Math.sqrt(n));
    K[i++] = bits(Math.cbrt(n));
  }
}

export class Sha256 {
  #h = START.slice();
  #w = new Int32Array(64);
  #rest = new Uint8Array(64);
  #nRest = 0;
  #length = 0;

  /** Takes bytes; more may follow. */
  update(bytes) {
    let at = 0;
    this.#length += bytes.length;
    if (this.#nRest) {
      at = Math.min(64 - this.#nRest, bytes.length);
      this.#rest.set(bytes.subarray(0, at), this.#nRest);
      this.#nRest += at;
      if (this.#nRest < 64) return this;
      this.#block(this.#rest, 0);
      this.#nRest = 0;
    }
    for (; at + 64 <= bytes.length; at += 64) this.#block(bytes, at);
    this.#rest.set(bytes.subarray(at), 0);
    this.#nRest = bytes.length - at;
    return this;
  }

  /** The hash of all so far, 32 bytes; update may go on after it. */
  digest() {
    const all = new Sha256();
    all.#h.set(this.#h);
    const end = new Uint8Array(this.#nRest < 56 ? 64 : 128);
    end.set(this.#rest.subarray(0, this.#nRest));
    end[this.#nRest] = 0x80;
    const view = new DataView(end.buffer);
    view.setUint32(end.length - 8, Math.floor(this.#length / 2 ** 29));
    view.setUint32(end.length - 4, (this.#length * 8) % 2 ** 32);
    for (let at = 0; at < end.length; at += 64) all.#block(end, at);
    const out = new DataView(new ArrayBuffer(32));
    all.#h.forEach((word, i) => out.setInt32(4 * i, word));
    return new Uint8Array(out.buffer);
  }

  #block(bytes, at) {
    const w = this.#w;
    const h = this.#h;
    for (let i = 0; i < 16; i++, at += 4) {
      w[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    }
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15];
      const y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let [a, b, c, d, e, f, g, k] = h;
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (k + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      k = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e; h[5] += f; h[6] += g; h[7] += k;
  }
}

/** The 20 digits that both ends of a connection show (docs/transfer.md), from two fingerprints of 32 bytes. */
export function digits(one, other) {
  const label = new TextEncoder().encode('peerline-files');
  const first = [...one].findIndex((byte, i) => byte !== other[i]);
  const swap = first >= 0 && one[first] > other[first];
  let h = new Sha256().update(label).update(swap ? other : one).update(swap ? one : other).digest();
  for (let i = 0; i < 65536; i++) h = new Sha256().update(h).update(label).digest();
  const number = h.subarray(0, 9).reduce((n, byte) => n * 256n + BigInt(byte), 0n) % 10n ** 20n;
  return number.toString().padStart(20, '0').replace(/\d{5}(?=\d)/g, '$& ');
}
