// files_view.js - the list of transfers: who, what, how far, and what can be done about it.

import { element } from './dom.js';
import { folderSink, memorySink } from './files.js';
import { hex, Kind } from './transfer.js';

const BIG = 512 << 20; // above it, and for folders, a place on the disk is asked for where browsers can

export function amount(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  for (; bytes >= 1024 && i < units.length - 1; i++) bytes /= 1024;
  return `${i && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${units[i]}`;
}

function title(t) {
  const files = t.side.entries.filter((e) => e.kind !== Kind.folder);
  if (!files.length) return `Files from ${t.name}`;
  const what = files.length === 1 ? files[0].path : `${files.length} files`;
  const size = Number.isFinite(t.side.total) && t.side.total ? `, ${amount(t.side.total)}` : '';
  return t.outgoing ? `${what}${size} to ${t.name}` : `${what}${size} from ${t.name}`;
}

function words(t) {
  switch (t.state) {
    case 'waiting': return t.outgoing ? 'Waiting for an answer…' : 'Connecting…';
    case 'offered': return 'Take it?';
    case 'running': return `${amount(t.side.done)} of ${amount(t.side.total)}`;
    case 'lost': return 'Connection lost, trying again…';
    case 'done': return t.outgoing ? 'Sent' : 'Received';
    default: return `Failed: ${t.why}`;
  }
}

async function chooseSink(t) {
  const large = t.side.total > BIG || t.side.entries.some((e) => e.path.includes('/'));
  if (!large || !window.showDirectoryPicker) return memorySink;
  return folderSink(await window.showDirectoryPicker({ mode: 'readwrite' }));
}

/** A row of the list; follows its transfer. */
export function fileRow(t) {
  const head = element('b');
  const state = element('span', { className: 'hint' });
  const bar = element('progress', { max: 1, value: 0 });
  const digits = element('span', { className: 'hint digits', title: 'Equal at both ends when nobody stands between' });
  const links = element('div', { className: 'links' });
  const yes = element('button', { type: 'button', className: 'good', textContent: 'Accept files' });
  const no = element('button', { type: 'button', className: 'ghost' });
  const li = element('li', {}, head, state, bar, digits, links, element('div', { className: 'buttons' }, yes, no));
  yes.onclick = async () => {
    try {
      await t.accept(await chooseSink(t));
    } catch (error) {
      if (error.name !== 'AbortError') t.cancel(); // nobody chose a folder: ask again
    }
  };
  no.onclick = () => (t.over ? li.remove() : t.cancel());
  t.addEventListener('saved', ({ detail: { path, url, sha256 } }) => {
    const name = path.split('/').at(-1);
    const a = element('a', { href: url, download: name, textContent: `Save ${name}`, title: `SHA-256 ${hex(sha256)}` });
    links.append(a);
    a.click();
  });
  const show = () => {
    li.dataset.state = t.state;
    head.textContent = title(t);
    state.textContent = words(t);
    bar.value = t.state === 'done' ? 1 : t.side.total ? Math.min(t.side.done / t.side.total, 1) : 0;
    bar.hidden = t.state === 'offered' || t.state === 'failed';
    digits.textContent = t.over ? '' : t.digits;
    yes.hidden = t.state !== 'offered';
    no.textContent = t.over ? 'Close' : t.state === 'offered' ? 'Decline files' : 'Stop';
  };
  t.addEventListener('change', show);
  show();
  return li;
}

/** Files of an input or a drop; a folder dropped comes with all in it. */
export async function filesOf(transfer) {
  const roots = [...(transfer.items ?? [])].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!roots.length) return [...transfer.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  const all = [];
  const walk = async (entry, above) => {
    const path = above + entry.name;
    if (entry.isFile) {
      all.push({ path, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) });
      return;
    }
    const reader = entry.createReader();
    for (;;) { // in portions, until an empty one
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) break;
      for (const e of some) await walk(e, `${path}/`);
    }
  };
  for (const root of roots) await walk(root, '');
  return all;
}
