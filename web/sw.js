/**
 * Keeps the page usable while the server is away: files come from the server whenever it answers, so nothing old is
 * shown, else from the copy of the last time. Messages never pass here.
 */
const cacheName = 'vartalap-page';
const shell = [
  './', 'style.css', 'icon.svg',
  ...['main', 'chat', 'contacts', 'conversation', 'dom', 'format', 'identity', 'message_list', 'nodes', 'sign_in',
    'status'].map((name) => `app/${name}.js`),
  ...['index', 'addresses', 'backoff', 'client', 'connection', 'emitter', 'frames', 'history', 'inbox',
    'indexed_db_store', 'memory_store', 'outbox', 'receipts', 'unit_of_work'].map((name) => `sdk/${name}.js`),
];
const paths = new Set(shell.map((file) => new URL(file, self.registration.scope).pathname));

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(cacheName).then((cache) => cache.addAll(shell)));
  self.skipWaiting();
});

self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('fetch', (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== 'GET' || origin !== self.location.origin || !paths.has(pathname)) return;
  event.respondWith(fromServerOrCopy(event.request, pathname));
});

async function fromServerOrCopy(request, pathname) {
  const cache = await caches.open(cacheName);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(pathname, response.clone());
    return response;
  } catch (error) {
    const copy = await cache.match(pathname);
    if (copy) return copy;
    throw error;
  }
}
