import { IndexedDbStore, MemoryStore, VartalapClient } from '../sdk/index.js';
import { Chat } from './chat.js';
import { currentUser, deviceId, rememberUser, tokenOf } from './identity.js';
import { Nodes } from './nodes.js';
import { showSignIn } from './sign_in.js';

async function openStore(user, device) {
  try {
    return await IndexedDbStore.open(`vartalap/${device}/${user}`);
  } catch {
    return new MemoryStore();
  }
}

/** False when the server answers that it does not know these credentials; only this page's own server can be asked. */
async function credentialsAccepted(socketUrl) {
  const url = new URL(socketUrl);
  if (url.host !== location.host) return true;
  url.protocol = location.protocol;
  url.pathname = url.pathname.replace('/wss/', '/auth');
  const response = await fetch(url, { cache: 'no-store' });
  return response.status !== 401;
}

async function start(user) {
  rememberUser(user);
  const device = deviceId();
  const store = await openStore(user, device);
  const nodes = new Nodes(`${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}`);
  const client = new VartalapClient({
    urls: nodes.urls, user, device, store, getToken: () => tokenOf(user), probe: credentialsAccepted,
  });
  const chat = new Chat(client, { keeps: store.persistent, nodes });
  await client.load();
  chat.show();
  await client.connect();
  await nodes.ask();
  client.setUrls(nodes.urls);
  chat.nodesChanged();
}

/** With its copies the page opens while the server is away. Only secure contexts have this; without it all else works. */
function keepPage() {
  navigator.serviceWorker?.register('sw.js').catch(() => {});
}

keepPage();
const user = currentUser();
if (user) start(user);
else showSignIn(start);
