// dom.js - making and finding elements. What others say goes into text alone, never into markup.

export const $ = (id) => document.getElementById(id);

const hue = (name) => [...name].reduce((h, c) => (h * 31 + c.codePointAt(0)) % 360, 7);
const initials = (name) =>
  name.split(/[^\p{L}\p{N}]+/u).filter(Boolean).slice(0, 2).map((w) => [...w][0].toUpperCase()).join('') || '?';

export function paintAvatar(avatar, name) {
  avatar.textContent = initials(name);
  avatar.style.setProperty('--hue', hue(name));
}

export function element(tag, properties = {}, ...children) {
  const e = Object.assign(document.createElement(tag), properties);
  e.append(...children);
  return e;
}

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}
