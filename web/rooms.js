// rooms.js - who is there, over the server's WebSocket. docs/signaling.md is the protocol.

const KEEPS = 10; // seconds: so long a server keeps who has lost the connection
const ANSWER_MS = 2000; // whatever we say is answered, if by an acknowledgement; else we ask
const PONG_MS = 3000;
const WAITING_MAX = 256; // texts that the server has not acknowledged

/** Signs in, keeps the list of peers, carries texts, and comes back by itself after a loss: as who it was, unnoticed, where
 *  the server gives a token for that.
 *  Events: state (detail "on" | "wait" | "off"), peers, joined, left, text {from, text}, refused {message}. */
export class Rooms extends EventTarget {
  #socket = null;
  #pause = 500;
  #timer = 0;
  #name = '';
  #session = null; // what to show to come back: token, heard, and since when the connection is lost
  #waiting = []; // texts that the server has not acknowledged; they are sent again after coming back
  #said = null; // the newest one's number; null: this server acknowledges nothing
  #online = false;
  #life = 0; // a timer: a sign of life is awaited
  id = 0;
  peers = new Map(); // id -> name

  signIn(name) {
    this.#name = name;
    this.#pause = 500;
    this.#open();
  }

  signOut() {
    clearTimeout(this.#timer);
    this.#name = '';
    this.#send({ type: 'sign_out' });
    this.#socket?.close();
    this.#forget('off');
  }

  /** Carries a text to a peer; false when there is no connection. */
  send(to, text) {
    const message = { type: 'message', to, data: text };
    if (!this.#online || this.#said === null) return this.#online && this.#send(message);
    if (this.#waiting.length >= WAITING_MAX) return false;
    message.n = ++this.#said;
    this.#waiting.push(message);
    this.#send(message); // or later, should the connection have gone
    return true;
  }

  #send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    if (this.#online && !this.#life) this.#life = setTimeout(() => this.#ask(), ANSWER_MS);
    return true;
  }

  /** A device that has changed its network finds out by this: TCP would try for minutes. */
  #ask() {
    const socket = this.#socket;
    this.#life = setTimeout(() => {
      if (socket !== this.#socket) return;
      socket.close();
      this.#lost();
    }, PONG_MS);
    this.#send({ type: 'ping' });
  }

  #lives() {
    clearTimeout(this.#life);
    this.#life = 0;
  }

  #open() {
    const url = new URL('ws', location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    if (!this.id) this.#tell('state', 'wait');
    const socket = new WebSocket(url.href.split('#')[0].split('?')[0]);
    this.#socket = socket;
    socket.onopen = () => {
      const { token, heard } = this.#session ?? {};
      const again = token ? { id: this.id, token, heard } : {};
      this.#send({ type: 'sign_in', name: this.#name, resumable: true, ...again });
    };
    socket.onmessage = (event) => {
      if (socket !== this.#socket) return;
      this.#lives();
      this.#hear(JSON.parse(event.data));
    };
    socket.onclose = () => {
      if (socket === this.#socket) this.#lost();
    };
  }

  #lost() {
    this.#lives();
    this.#socket = null;
    this.#online = false;
    if (!this.#name) return;
    if (this.#session && !this.#session.since) {
      this.#session.since = Date.now();
      this.#pause = 200;
    }
    if (!this.#session || Date.now() - this.#session.since > this.#session.keeps * 1000) this.#forget('wait');
    this.#timer = setTimeout(() => this.#open(), this.#pause * (0.75 + Math.random() / 2));
    this.#pause = Math.min(this.#pause * 2, 15000);
  }

  #forget(state) {
    this.#lives();
    this.id = 0;
    this.#session = null;
    this.#waiting = [];
    this.#said = null;
    this.#online = false;
    this.peers.clear();
    this.#tell('state', state);
    this.#tell('peers');
  }

  #hear(message) {
    switch (message.type) {
      case 'welcome':
        this.#welcome(message);
        break;
      case 'joined':
        this.peers.set(message.id, message.name);
        this.#tell('peers');
        break;
      case 'left':
        this.peers.delete(message.id);
        this.#tell('peers');
        this.#tell('left', { id: message.id, name: message.name });
        break;
      case 'message':
        if (this.#session && message.seq) this.#session.heard = message.seq;
        this.#tell('text', { from: message.from, text: message.data });
        break;
      case 'ack':
        this.#waiting = this.#waiting.filter(({ n }) => n > message.n);
        break;
      case 'signed_out':
        this.#socket?.close();
        break;
      case 'error':
        if (message.n) this.#waiting = this.#waiting.filter(({ n }) => n !== message.n);
        if (message.code === 'later') {
          this.#socket?.close();
          break;
        }
        if (!this.#online) this.#name = '';
        this.#tell('refused', message);
        break;
    }
  }

  #welcome({ id, token, keeps = KEEPS, heard, said, resumed, peers }) {
    const known = this.peers;
    if (this.id && !resumed) this.#forget('wait'); // it was too late: somebody else from now on
    this.id = id;
    this.#online = true;
    this.#pause = 500;
    this.#session = token ? { token, keeps, heard: heard ?? this.#session?.heard } : null;
    this.peers = new Map(peers.map((p) => [p.id, p.name]));
    this.#sayAgain(token ? said : undefined);
    this.#tell('state', 'on');
    this.#tell('peers');
    if (!resumed) return;
    for (const [was, name] of known) if (!this.peers.has(was)) this.#tell('left', { id: was, name });
  }

  /** What the server has not got is on its way again; one that does not say how far it got counts as having got all. */
  #sayAgain(said) {
    this.#waiting = this.#waiting.filter(({ n }) => n > (said ?? Infinity));
    this.#said = said === undefined ? null : Math.max(said, this.#said ?? 0);
    for (const message of this.#waiting) this.#send(message);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
