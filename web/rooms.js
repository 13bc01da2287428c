// rooms.js - who is there, over the server's WebSocket. docs/signaling.md is the protocol.

/** Signs in, keeps the list of peers, carries texts, and comes back by itself after a loss.
 *  Events: state (detail "on" | "wait" | "off"), peers, joined, left, text {from, text}, refused {message}. */
export class Rooms extends EventTarget {
  #socket = null;
  #pause = 500;
  #timer = 0;
  #name = '';
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
    return this.id !== 0 && this.#send({ type: 'message', to, data: text });
  }

  #send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #open() {
    const url = new URL('ws', location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    this.#tell('state', 'wait');
    const socket = new WebSocket(url.href.split('#')[0].split('?')[0]);
    this.#socket = socket;
    socket.onopen = () => this.#send({ type: 'sign_in', name: this.#name });
    socket.onmessage = (event) => this.#hear(JSON.parse(event.data));
    socket.onclose = () => {
      if (socket === this.#socket) this.#lost();
    };
  }

  #lost() {
    this.#socket = null;
    if (!this.#name) return;
    this.#forget('wait');
    this.#timer = setTimeout(() => this.#open(), this.#pause * (0.75 + Math.random() / 2));
    this.#pause = Math.min(this.#pause * 2, 15000);
  }

  #forget(state) {
    this.id = 0;
    this.peers.clear();
    this.#tell('state', state);
    this.#tell('peers');
  }

  #hear(message) {
    switch (message.type) {
      case 'welcome':
        this.id = message.id;
        this.#pause = 500;
        this.peers = new Map(message.peers.map((p) => [p.id, p.name]));
        this.#tell('state', 'on');
        this.#tell('peers');
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
        this.#tell('text', { from: message.from, text: message.data });
        break;
      case 'signed_out':
        this.#socket?.close();
        break;
      case 'error':
        if (this.id === 0) this.#name = '';
        this.#tell('refused', message);
        break;
    }
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
