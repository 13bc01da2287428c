// people.js - the list of who is there: rows that call and send files; of an account, who asks to be let in.

import { $, element, icon, paintAvatar } from './dom.js';

const shows = { online: 'Online', away: 'Away', xa: 'Away for long', dnd: 'Busy', offline: 'Offline' };

function row(id, name, hint, { call, send, prepare }) {
  const avatar = element('span', { className: 'avatar', ariaHidden: 'true' });
  paintAvatar(avatar, name);
  const presence = element('small', { className: 'presence' });
  const button = element('button', { type: 'button', title: `Call ${name}`, ariaLabel: `Call ${name}` }, icon('phone'));
  button.onclick = () => call(id);
  const files = element('button', { type: 'button', className: 'files', title: `Share files with ${name}`, ariaLabel: `Share files with ${name}` },
    icon('file'));
  files.onclick = () => send(id);
  const li = element('li', {}, avatar, element('span', { title: hint }, element('span', { className: 'name', textContent: name }), presence), button, files);
  li.dataset.id = id;
  prepare(li, id);
  return li;
}

function showPresence(li, id, account) {
  const contact = account.roster.contacts.get(id);
  const show = account.roster.showOf(id);
  const waits = contact?.asked && !contact.devices.size;
  li.dataset.show = show;
  li.querySelector('.presence').textContent = waits ? 'Has not answered yet' : show === 'offline' || account.canCall(id) ? shows[show] : `${shows[show]}, cannot be called`;
}

function showRequests(account) {
  const waiting = account ? [...account.roster.requests] : [];
  const list = $('requests');
  for (const li of [...list.children]) if (!waiting.includes(li.dataset.jid)) li.remove();
  for (const jid of waiting) {
    if ([...list.children].some((li) => li.dataset.jid === jid)) continue;
    const allow = element('button', { type: 'button', textContent: 'Allow', ariaLabel: `Allow ${jid}` });
    const refuse = element('button', { type: 'button', className: 'ghost', textContent: 'Refuse', ariaLabel: `Refuse ${jid}` });
    allow.onclick = () => account.roster.allow(jid);
    refuse.onclick = () => account.roster.refuse(jid);
    const li = element('li', {}, element('span', { textContent: `${jid} wants to see you and call you.` }), element('div', {}, allow, refuse));
    li.dataset.jid = jid;
    list.append(li);
  }
}

/** peers: of the room, or of the account, which is null in a room. peer: whom we talk to, or null. does: { call(id), send(id), prepare(li, id) }.
 *  Rows are kept while their peer is there, so that only newcomers move. */
export function showPeople(peers, account, peer, does) {
  const idOf = (li) => (account ? li.dataset.id : Number(li.dataset.id)); // numbers in a room, addresses of an account
  const everybody = [...peers].sort((a, b) => a[1].localeCompare(b[1]));
  const list = $('people'), known = new Map([...list.children].map((li) => [idOf(li), li]));
  for (const [id, li] of known) if (!peers.has(id)) li.remove();
  everybody.forEach(([id, name], i) => { // who stays is not touched: somebody may be pressing that button
    const li = known.get(id) ?? row(id, name, account ? id : name, does);
    if (list.children[i] !== li) list.insertBefore(li, list.children[i] ?? null);
  });
  for (const li of list.children) {
    if (account) showPresence(li, idOf(li), account);
    li.querySelector('button:not(.files)').disabled = peer !== null || (account !== null && !account.canCall(idOf(li)));
    li.toggleAttribute('aria-current', peer === idOf(li));
  }
  $('count').textContent = everybody.length;
  $('alone').hidden = everybody.length > 0 || account !== null;
  showRequests(account);
}
