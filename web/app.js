// app.js - the page: what a person sees and does. Rooms, call, media and statistics have their own files.

import { Account } from './account.js';
import { Call } from './call.js';
import { $, element, paintAvatar } from './dom.js';
import { Files } from './files.js';
import { fileRow, filesOf } from './files_view.js';
import { MediaError, openDevices, openFake, release } from './media.js';
import { showPeople } from './people.js';
import { Rooms } from './rooms.js';
import { askWho } from './sign_in.js';
import { drawGraph, Sampler, tiles } from './stats.js';

const params = new URLSearchParams(location.search);
const room = new Rooms();
const account = new Account();
let rooms = room; // where we meet others: the room, or the account's contacts

/** Both places say the same, but only the one that is used counts. */
function listen(type, run) {
  for (const place of [room, account]) place.addEventListener(type, (event) => place === rooms && run(event));
}

let myName = '';
let stream = null; // our own picture and sound
let call = null;
let ringing = null; // { peer, name, offer, candidates } of a call that waits for our word
let sampler = null;
let ticker = 0;
let iceServers = [];
let greeting = false; // the cover says hello, so who is there may change its words

// ---- small things ----

/** Says what happened and what can be done about it. */
function notice(title, text = '', action = null) {
  $('notice-title').textContent = title;
  $('notice-text').textContent = text;
  $('notice-action').hidden = !action;
  if (action) {
    $('notice-action').textContent = action.label;
    $('notice-action').onclick = () => {
      $('notice').hidden = true;
      action.run();
    };
  }
  $('notice').hidden = false;
}
$('notice-close').onclick = () => ($('notice').hidden = true);

function show(view) {
  document.body.dataset.view = view;
}

function cover(title, text, name = null) {
  greeting = false;
  $('cover').hidden = false;
  $('cover-title').textContent = title;
  $('cover-text').textContent = text;
  $('cover-avatar').hidden = !name;
  if (name) paintAvatar($('cover-avatar'), name);
  $('cover-avatar').classList.toggle('ring', document.body.dataset.view === 'call');
  $('try-media').hidden = document.body.dataset.view === 'call' || stream !== null;
}

// ---- signing in ----

askWho(params.get('name'), (name) => {
  myName = name;
  rooms = room;
  rooms.signIn(myName);
}, ({ jid, password, url, anybody }) => {
  myName = jid.split('@')[0];
  rooms = account;
  account.anybody = anybody;
  $('notice').hidden = true;
  account.signIn(jid, password, url);
});

$('sign-out').onclick = () => {
  call?.end('bye', true);
  decline();
  rooms.signOut();
  release(stream);
  stream = null;
  showSelf();
  show('sign-in');
};

async function loadConfiguration() {
  try {
    const configuration = await (await fetch('config.json')).json();
    const host = location.hostname.includes(':') && !location.hostname.startsWith('[') ? `[${location.hostname}]` : location.hostname;
    if (configuration.stunPort) {
      iceServers = [{ urls: `stun:${host}:${configuration.stunPort}` }];
    }
    for (const server of configuration.iceServers ?? []) { // a relay, with credentials that end after a day
      iceServers.push({ ...server, urls: server.urls.map((url) => url.replace('{host}', host)) });
    }
  } catch {
    iceServers = []; // without STUN calls still work inside one network
  }
}

listen('state', ({ detail }) => {
  const words = { on: 'Online', wait: 'Connecting…', off: 'Not signed in' };
  $('link').dataset.state = detail;
  $('link').textContent = words[detail];
  $('sign-out').hidden = detail === 'off';
  $('me').hidden = detail === 'off';
  $('me').textContent = myName;
  $('add').hidden = rooms !== account;
  $('account-sign-in').querySelector('[type=submit]').disabled = detail !== 'off';
  if (detail === 'off') show('sign-in');
  if (detail === 'on' && document.body.dataset.view === 'sign-in') {
    $('password').value = '';
    document.body.dataset.place = rooms === account ? 'account' : 'room';
    show('room');
    ready();
  }
});

listen('trouble', ({ detail }) => notice(detail.message));
listen('note', ({ detail }) => {
  if (call?.peer === detail.peer && !call.ended) note(detail.text, call);
});

/** What the other side tells besides its media. */
function note(text, c) {
  if (c.connectedAt) addMessage(text, 'note');
  else $('cover-text').textContent = `${text}…`;
}

listen('refused', ({ detail }) => {
  const unknown = detail.code === 'no-such-peer';
  notice(unknown ? 'They have just left.' : 'The server refuses that.', unknown ? '' : detail.message);
  if (unknown && call?.peer === detail.to && !call.connectedAt) call.end('left', false);
});

function ready() {
  cover(`Hello, ${myName}`, rooms.peers.size ? 'Choose somebody to call.' : rooms === account ? 'Add a contact to call.' : 'Waiting for somebody to come.', myName);
  greeting = true;
}

// ---- who is there ----

const does = { call: (id) => startCall(id), send: (id) => chooseFiles(id), prepare: (li, id) => takeDrops(li, () => id) };

function nowPeople() {
  showPeople(rooms.peers, rooms === account ? account : null, call?.peer ?? null, does);
  if (greeting) ready();
}
listen('peers', nowPeople);

$('add').onsubmit = async (event) => {
  event.preventDefault();
  const jid = $('add-jid').value.trim();
  try {
    await account.roster.add(jid);
    $('add-jid').value = '';
  } catch (error) {
    notice(`${jid} was not added.`, error.message);
  }
};

listen('left', ({ detail }) => {
  if (ringing?.peer === detail.id) stopRinging(`${detail.name} has hung up.`);
  if (call?.peer === detail.id) call.peerHasLeft();
});

$('invite').textContent = `peerline call --server ${location.origin}`;

// ---- our own picture ----

function showSelf() {
  const video = stream?.getVideoTracks()[0];
  $('self').hidden = !stream;
  $('self').classList.toggle('fake', Boolean(stream?.fake));
  $('local').srcObject = stream;
  $('local-off').hidden = Boolean(video?.enabled);
  $('local-off').textContent = video ? 'Camera off' : 'No camera';
  press($('mute'), stream?.getAudioTracks()[0]);
  press($('hide'), video);
  $('bar').hidden = !stream && !call;
}

function press(button, track) {
  button.disabled = !track;
  button.setAttribute('aria-pressed', String(Boolean(track && !track.enabled)));
}

function makeTestPicture() {
  release(stream);
  stream = openFake(myName);
  showSelf();
}

/** Chosen after the devices failed, perhaps in the middle of a call. */
function useTestPicture() {
  makeTestPicture();
  if (call) stream.getTracks().forEach((track) => call.replace(track, stream));
  else ready();
}

/** Our picture and sound; null when there is none, which a notice then explains. */
async function openMedia() {
  if (stream) return stream;
  if (params.has('fake')) {
    makeTestPicture();
    return stream;
  }
  try {
    stream = await openDevices();
  } catch (error) {
    const advice = error instanceof MediaError ? error.advice : String(error);
    notice(error.message, advice, { label: 'Send a test picture', run: useTestPicture });
  }
  showSelf();
  return stream;
}

function toggle(kind) {
  const track = stream?.getTracks().find((t) => t.kind === kind);
  if (track) track.enabled = !track.enabled;
  if (track && call && rooms === account) account.inform(call.peer, kind, track.enabled);
  showSelf();
}
$('mute').onclick = () => toggle('audio');
$('hide').onclick = () => toggle('video');
$('try-media').onclick = async () => {
  if (await openMedia()) ready();
};

// ---- calls ----

function newCall(peer, name) {
  const c = new Call({
    peer,
    name,
    iceServers,
    polite: () => (rooms === account ? account.isPolite(peer) : rooms.id > peer),
    send: (text) => rooms.send(c.peer, text),
  });
  call = c;
  sampler = new Sampler();
  $('messages').replaceChildren();
  $('hang-up').hidden = $('bar').hidden = false;
  $('notice').hidden = true;
  show('call');
  makeTiles();
  nowPeople();
  c.addEventListener('state', () => showState(c));
  c.addEventListener('track', () => ($('remote').srcObject = c.remote));
  c.addEventListener('chat', ({ detail }) => addMessage(detail.text, 'theirs'));
  c.addEventListener('chat-open', showChat);
  c.addEventListener('ended', ({ detail }) => ended(c, detail.reason));
  ticker = setInterval(() => tick(c), 1000);
  return c;
}

async function startCall(peer) {
  if (call) return;
  if (ringing?.peer === peer) { // they were faster: to call back is to accept
    await accept();
    return;
  }
  decline(); // whoever else is calling need not wait
  const name = rooms.peers.get(peer);
  const c = newCall(peer, name);
  cover(`Calling ${name}`, 'Waiting for an answer…', name);
  const media = await openMedia();
  if (!c.ended) c.start(media);
}

$('hang-up').onclick = () => call?.end('bye', true);
window.addEventListener('pagehide', () => call?.end('bye', true));

function connectionWords(c) {
  switch (c.pc.connectionState) {
    case 'new': return 'Calling';
    case 'connecting': return `Finding a way to ${c.name}…`;
    case 'connected': return 'Connected';
    case 'disconnected': return 'Connection lost, waiting for it to come back…';
    case 'failed': return 'Trying another way…';
    default: return '';
  }
}

function showState(c) {
  if (c.ended) return;
  const state = c.pc.connectionState;
  $('state').textContent = state === 'new' ? '' : connectionWords(c);
  if (state === 'connected') $('cover').hidden = true;
  else if (state === 'connecting' && !c.connectedAt) cover(c.name, connectionWords(c), c.name);
}

const endings = {
  bye: (c) => [c.connectedAt ? 'Call ended' : `${c.name} does not answer`, ''],
  busy: (c) => [`${c.name} is in another call`, 'Try again later.'],
  left: (c) => [`${c.name} has left`, ''],
  failed: (c) => [
    `No way to ${c.name} was found`,
    'The networks between you let no direct connection through. Try another network, or ask for a TURN relay.',
  ],
};

function ended(c, reason) {
  if (call !== c) return;
  const [title, text] = endings[reason]?.(c) ?? ['The call broke off', `Sorry: ${reason}.`];
  clearInterval(ticker);
  call = null;
  sampler = null;
  $('remote').srcObject = null;
  $('hang-up').hidden = true;
  release(stream); // nobody wants a camera that goes on watching
  stream = null;
  showSelf();
  showChat();
  $('state').textContent = $('clock').textContent = '';
  show('room');
  nowPeople();
  cover(title, text || 'Choose somebody to call.', c.name);
  if (text) notice(`${title}.`, text);
}

function tick(c) {
  if (c.connectedAt) {
    const s = Math.floor((performance.now() - c.connectedAt) / 1000);
    $('clock').textContent = `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
  }
  if (c.connectedAt) sampler?.sample(c.pc).then((last) => call === c && showStats(c, last));
}

// ---- being called ----

function ring(peer, offer) {
  const name = rooms.peers.get(peer) ?? (rooms === account ? peer : `Peer ${peer}`);
  ringing = { peer, name, offer, candidates: [] };
  paintAvatar($('banner-avatar'), name);
  $('banner-text').textContent = `${name} is calling you`;
  $('banner').hidden = false;
  $('accept').focus();
  document.title = `${name} is calling – Peerline`;
}

function stopRinging(text = '') {
  ringing = null;
  $('banner').hidden = true;
  document.title = 'Peerline';
  if (text) notice('Missed call.', text);
}

async function accept() {
  const r = ringing;
  if (!r) return;
  stopRinging();
  const c = newCall(r.peer, r.name);
  cover(r.name, 'Connecting…', r.name);
  const media = await openMedia();
  if (c.ended) return;
  try {
    if (r.offer.type === 'propose') {
      c.expect(media);
      rooms.send(r.peer, JSON.stringify({ type: 'proceed' }));
      return;
    }
    await c.accept(r.offer, media);
    for (const candidate of r.candidates) await c.hear(candidate);
  } catch (error) {
    c.end(error.message, true);
  }
}

function decline() {
  if (!ringing) return;
  rooms.send(ringing.peer, JSON.stringify({ type: 'bye' }));
  stopRinging();
}
$('accept').onclick = accept;
$('decline').onclick = decline;

/** Old clients say BYE in plain text; everybody else speaks JSON. */
function parse(text) {
  if (text === 'BYE') return { type: 'bye' };
  try {
    const message = JSON.parse(text);
    return message && typeof message === 'object' ? message : null;
  } catch {
    return null;
  }
}

const rings = ({ type }) => type === 'offer' || type === 'propose';

listen('text', ({ detail: { from, text } }) => {
  const message = parse(text);
  if (!message) return;
  if (message.for && rooms === account) return;
  if (message.for) {
    files.hear(from, rooms.peers.get(from) ?? `Peer ${from}`, message).catch((error) => console.warn('files:', error.message));
    return;
  }
  if (call?.peer === from) call.hear(message);
  else if (ringing?.peer === from && message.elsewhere) stopRinging();
  else if (ringing?.peer === from && message.type === 'bye') stopRinging(`${ringing.name} has hung up.`);
  else if (ringing?.peer === from && 'candidate' in message) ringing.candidates.push(message);
  else if (rings(message) && !call && (!ringing || ringing.peer === from)) ring(from, message);
  else if (rings(message)) rooms.send(from, JSON.stringify({ type: 'bye', reason: 'busy' }));
});

// ---- chat ----

function addMessage(text, kind) {
  const li = element('li', { className: kind, textContent: text });
  $('messages').append(li);
  li.scrollIntoView({ block: 'nearest' });
}

function showChat() {
  const open = Boolean(call?.canChat);
  $('chat-text').disabled = $('chat-send').disabled = !open;
}

$('chat-form').onsubmit = (event) => {
  event.preventDefault();
  const text = $('chat-text').value.trim();
  if (!text || !call?.say(text)) return;
  addMessage(text, 'mine');
  $('chat-text').value = '';
};

// ---- files ----

const files = new Files((peer, text) => rooms.send(peer, text), () => iceServers);

files.addEventListener('transfer', ({ detail }) => {
  $('files').prepend(fileRow(detail));
  $('files-box').hidden = false;
});

function sendFiles(peer, list) {
  if (list.length && rooms.peers.has(peer)) files.offer(peer, rooms.peers.get(peer), list);
}

function chooseFiles(peer) {
  $('file-input').onchange = async () => {
    sendFiles(peer, await filesOf($('file-input')));
    $('file-input').value = '';
  };
  $('file-input').click();
}

/** What is dropped on an element goes to whoever it stands for. */
function takeDrops(target, whom) {
  target.addEventListener('dragover', (event) => {
    if (!event.dataTransfer.types.includes('Files') || !whom()) return;
    event.preventDefault();
    target.classList.add('drop');
  });
  target.addEventListener('dragleave', () => target.classList.remove('drop'));
  target.addEventListener('drop', async (event) => {
    target.classList.remove('drop');
    if (!whom()) return;
    event.preventDefault();
    sendFiles(whom(), await filesOf(event.dataTransfer));
  });
}
takeDrops(document.querySelector('.stage'), () => call?.peer);

// ---- statistics ----

function makeTiles() {
  $('tiles').replaceChildren(...tiles.map((t) => {
    const tile = element('div', { className: 'tile' }, element('span', { textContent: t.label }),
      element('b', { textContent: '–' }), element('canvas', { ariaHidden: 'true' }));
    tile.dataset.key = t.key;
    return tile;
  }));
  $('facts').replaceChildren();
  delete $('facts').dataset.framesDecoded;
}

function showStats(c, last) {
  for (const t of tiles) {
    const tile = $('tiles').querySelector(`[data-key="${t.key}"]`);
    tile.querySelector('b').textContent = t.show(last[t.key]);
    drawGraph(tile.querySelector('canvas'), sampler.history[t.key], t.floor);
  }
  const facts = [
    ['Path', last.pair],
    ['Codecs', last.codecs],
    ['Picture in', last.sizeIn],
    ['Picture out', last.sizeOut],
    ['Set up in', c.connectedAt ? `${Math.round(c.connectedAt - c.startedAt)} ms` : '–'],
  ];
  $('facts').replaceChildren(...facts.flatMap(([term, value]) =>
    [element('dt', { textContent: term }), element('dd', { textContent: value })]));
  $('facts').dataset.framesDecoded = last.framesDecoded;
}

// ---- keys ----

document.addEventListener('keydown', (event) => {
  const typing = event.target.closest?.('input, textarea') || event.ctrlKey || event.metaKey || event.altKey;
  const click = { m: 'mute', v: 'hide', h: 'hang-up' }[event.key.toLowerCase()];
  if (event.key === 'Escape' && ringing) decline();
  else if (!typing && click && document.body.dataset.view !== 'sign-in') $(click).click();
});

// ---- start ----

showSelf();
loadConfiguration();
if (params.has('name')) $('sign-in').requestSubmit();
