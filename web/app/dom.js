/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/**
 * A new element. `props` are properties (class for className, data-/aria- names become attributes); children are
 * elements or texts. Text goes in as text, never as markup.
 */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name === 'class') element.className = value;
    else if (name.includes('-') || name === 'role') element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** An icon of the page's sprite; it is decoration, words stand beside it. */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Fills `element` as the avatar of `name`: its first letter on a colour that is always the same for it. */
export function paintAvatar(element, name) {
  let hash = 7;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 9973;
  element.className = `avatar hue-${hash % 8}`;
  element.textContent = [...name][0]?.toLocaleUpperCase() ?? '?';
  return element;
}

const announcementsKept = 5;

/** Says `text` to a screen reader without moving the focus; the same words twice are said twice. */
export function announce(text, region = 'announce') {
  const element = byId(region);
  element.append(el('span', {}, text));
  while (element.children.length > announcementsKept) element.firstElementChild.remove();
}
