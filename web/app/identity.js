import { checkName } from '../sdk/index.js';

/** Who this tab is: the user in the URL, else the one that this tab had; null when nobody yet. */
export function currentUser() {
  const fromUrl = new URLSearchParams(location.search).get('user');
  const user = (fromUrl ?? sessionStorage.getItem('vartalap.user') ?? '').trim();
  return checkName(user) ? null : user;
}

/** Keeps the user for this tab, in the URL too so that a copied address opens the same. */
export function rememberUser(user, token) {
  sessionStorage.setItem('vartalap.user', user);
  if (token !== undefined) sessionStorage.setItem(`vartalap.token.${user}`, token);
  const url = new URL(location.href);
  url.searchParams.set('user', user);
  history.replaceState(null, '', url);
}

export function tokenOf(user) {
  return sessionStorage.getItem(`vartalap.token.${user}`) || undefined;
}

/** Forgets who this tab is and goes to the first screen. Messages stay in this browser. */
export function leave(user) {
  sessionStorage.removeItem('vartalap.user');
  if (user) sessionStorage.removeItem(`vartalap.token.${user}`);
  location.assign(location.pathname);
}

/** This browser's device id (the same for all its tabs); `?device=` overrides it. */
export function deviceId() {
  const fromUrl = new URLSearchParams(location.search).get('device');
  if (fromUrl && /^[A-Za-z0-9._-]{1,64}$/.test(fromUrl)) return fromUrl;
  let device = localStorage.getItem('vartalap.device');
  if (!device) {
    device = `web-${crypto.randomUUID().slice(0, 13)}`;
    localStorage.setItem('vartalap.device', device);
  }
  return device;
}

/** The address of this page as another user. */
export function pageAs(user) {
  return `${location.pathname}?${new URLSearchParams({ user })}`;
}
