// sasl.js - logging in by SCRAM (RFC 5802, 7677), whose server has to prove that it knows the account, or PLAIN (RFC 4616).

const ITERATIONS_MIN = 4096;
const ITERATIONS_MAX = 1000000; // a server may not keep the page busy for minutes
const hashes = { 'SCRAM-SHA-256': 'SHA-256', 'SCRAM-SHA-1': 'SHA-1' };

const encoder = new TextEncoder();
const bytes = (text) => encoder.encode(text);
export const toBase64 = (data) => btoa(String.fromCharCode(...new Uint8Array(data)));
const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const utf8ToBase64 = (text) => toBase64(bytes(text));
const base64ToUtf8 = (text) => new TextDecoder().decode(fromBase64(text));

async function hmac(hash, key, text) {
  const k = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', k, bytes(text)));
}

async function salted(hash, password, salt, iterations) {
  const key = await crypto.subtle.importKey('raw', bytes(password.normalize('NFKC')), 'PBKDF2', false, ['deriveBits']);
  const bits = hash === 'SHA-1' ? 160 : 256;
  return new Uint8Array(await crypto.subtle.deriveBits({ name: 'PBKDF2', hash, salt, iterations }, key, bits));
}

function fields(text) {
  return Object.fromEntries(text.split(',').map((part) => [part[0], part.slice(2)]));
}

/** The better of what the server offers; PLAIN only where the password is encrypted on its way. */
export function chooseMechanism(offered, encrypted) {
  const best = Object.keys(hashes).find((name) => offered.includes(name));
  if (best) return best;
  return encrypted && offered.includes('PLAIN') ? 'PLAIN' : null;
}

/** One log-in: `first` is said with the mechanism, `next` answers challenges, `check` wants the data of success; all in base64. */
export class Login {
  #hash;
  #nonce = toBase64(crypto.getRandomValues(new Uint8Array(18)));
  #bareFirst;
  #proof = null; // what the server has to show

  constructor(mechanism, user, password) {
    this.mechanism = mechanism;
    this.user = user.normalize('NFKC');
    this.password = password;
    this.#hash = hashes[mechanism];
    this.#bareFirst = `n=${this.user.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${this.#nonce}`;
  }

  get first() {
    return utf8ToBase64(this.#hash ? `n,,${this.#bareFirst}` : `\0${this.user}\0${this.password}`);
  }

  async next(challenge) {
    const said = base64ToUtf8(challenge);
    if (this.#proof) return this.#confirm(said); // some servers prove themselves by another challenge
    const { r, s, i, m } = fields(said);
    const iterations = Number(i);
    if (!this.#hash || m || !r?.startsWith(this.#nonce) || r.length === this.#nonce.length || !s) throw new Error('the server\'s challenge makes no sense');
    if (!(iterations >= ITERATIONS_MIN && iterations <= ITERATIONS_MAX)) throw new Error('the server asks for too weak or too long a computation');
    const key = await salted(this.#hash, this.password, fromBase64(s), iterations);
    const last = `c=biws,r=${r}`;
    const all = `${this.#bareFirst},${said},${last}`;
    const clientKey = await hmac(this.#hash, key, 'Client Key');
    const stored = new Uint8Array(await crypto.subtle.digest(this.#hash, clientKey));
    const signature = await hmac(this.#hash, stored, all);
    this.#proof = toBase64(await hmac(this.#hash, await hmac(this.#hash, key, 'Server Key'), all));
    return utf8ToBase64(`${last},p=${toBase64(clientKey.map((b, at) => b ^ signature[at]))}`);
  }

  #confirm(said) {
    if (fields(said).v !== this.#proof) throw new Error('the server does not know this account: it may be somebody else\'s');
    this.confirmed = true;
    return '';
  }

  /** Throws when whoever answered has not shown that it knows the password. */
  check(data) {
    if (!this.#hash || this.confirmed) return;
    if (!this.#proof) throw new Error('the server let us in without asking');
    this.#confirm(base64ToUtf8(data));
  }
}
