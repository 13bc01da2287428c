// sign_in.js - how a person says who they are: a name in the room, or the address and password of an XMPP account.

import { $ } from './dom.js';

/** Room or account: the form of one is shown. */
function chooseWay(way) {
  const isAccount = way === 'account';
  $('sign-in').hidden = isAccount;
  $('account-sign-in').hidden = !isAccount;
  $('way-room').setAttribute('aria-selected', String(!isAccount));
  $('way-account').setAttribute('aria-selected', String(isAccount));
  $('way-room').tabIndex = isAccount ? -1 : 0;
  $('way-account').tabIndex = isAccount ? 0 : -1;
  localStorage.setItem('peerline.way', way);
}

/** name: of the address bar, or null. enterRoom(name) and enterAccount({ jid, password, url, anybody }) when somebody has filled a form. */
export function askWho(name, enterRoom, enterAccount) {
  $('name').value = name ?? localStorage.getItem('peerline.name') ?? '';
  $('name').focus();
  $('jid').value = localStorage.getItem('peerline.jid') ?? '';
  $('websocket').value = localStorage.getItem('peerline.websocket') ?? '';
  $('advanced').open = $('websocket').value !== '';

  $('sign-in').onsubmit = (event) => {
    event.preventDefault();
    const said = $('name').value.trim();
    if (!said) return;
    localStorage.setItem('peerline.name', said);
    enterRoom(said);
  };
  $('account-sign-in').onsubmit = (event) => {
    event.preventDefault();
    const jid = $('jid').value.trim();
    const url = $('websocket').value.trim();
    localStorage.setItem('peerline.jid', jid); // the password stays with the browser's own keeper, if anywhere
    localStorage.setItem('peerline.websocket', url);
    enterAccount({ jid, password: $('password').value, url, anybody: $('anybody').checked });
  };

  $('way-room').onclick = () => chooseWay('room');
  $('way-account').onclick = () => chooseWay('account');
  $('ways').onkeydown = ({ key }) => {
    if (key !== 'ArrowLeft' && key !== 'ArrowRight') return;
    chooseWay($('sign-in').hidden ? 'room' : 'account');
    $($('sign-in').hidden ? 'way-account' : 'way-room').focus();
  };
  chooseWay(name !== null ? 'room' : localStorage.getItem('peerline.way') ?? 'room');
}
