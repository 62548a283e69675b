import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Addresses } from '../../../web/sdk/addresses.js';
import { harness, settle } from './fakes.mjs';

const urls = ['ws://n1', 'ws://n2', 'ws://n3'];
const cluster = (options = {}) => harness({ url: undefined, urls, ...options });
const hostOf = (socket) => new URL(socket.url).host;
const waitOf = (h) => h.client.state.retryAt - h.clock.now();

/** Lets the wait that was announced pass. */
const waited = (h) => h.clock.advance(waitOf(h));

test('addresses ask every other server within 0.3 s, then wait longer each time all were asked', () => {
  const list = new Addresses(urls, () => 0.5);
  const waits = Array.from({ length: 9 }, (_, failures) => list.waitBefore(failures));
  assert.deepEqual(waits, [150, 150, 750, 150, 150, 1500, 150, 150, 3000]);
  for (const chance of [0, 0.999999]) {
    const ms = new Addresses(urls, () => chance).waitBefore(0);
    assert.ok(ms >= 0 && ms <= 300, `${ms}`);
  }
});

test('addresses that were replaced go on with the current one where it is still known', () => {
  const list = new Addresses(urls, Math.random);
  list.next();
  list.replace(['ws://n3', 'ws://n2']);
  assert.equal(list.current, 'ws://n2');
  list.next();
  assert.equal(list.current, 'ws://n3');
  list.replace(['ws://n4', 'ws://n5']);
  assert.equal(list.current, 'ws://n4');
});

test('client begins with the first address and says which it is', async () => {
  const h = cluster();
  const socket = await h.connect();
  assert.equal(hostOf(socket), 'n1');
  assert.deepEqual(h.events.state.map(({ name, url }) => [name, url]), [['connecting', 'ws://n1'], ['connected', 'ws://n1']]);
  assert.deepEqual(h.events.open, [{ url: 'ws://n1' }]);
});

test('client goes on with the next address at once when it loses one, and sends there what was not confirmed', async () => {
  const h = cluster();
  const first = await h.connect();
  await h.send('not confirmed');
  await first.drop();
  assert.deepEqual([h.client.state.name, h.client.state.url], ['waiting', 'ws://n2']);
  assert.ok(waitOf(h) <= 300, `waits ${waitOf(h)} ms`);
  await waited(h);
  assert.equal(hostOf(h.socket), 'n2');
  await h.socket.open();
  assert.deepEqual(h.socket.texts(), ['not confirmed']);
  assert.equal(h.socket.frames[0].id, first.frames[0].id);
  assert.deepEqual(h.events.open.map(({ url }) => url), ['ws://n1', 'ws://n2']);
});

test('client asks each address once before it waits longer, and comes round to the first', async () => {
  const h = cluster();
  await h.client.connect();
  await settle();
  const asked = [];
  for (let attempt = 0; attempt < 7; attempt += 1) {
    asked.push(hostOf(h.socket));
    await h.socket.drop();
    asked.push(waitOf(h));
    await waited(h);
  }
  assert.deepEqual(asked, ['n1', 150, 'n2', 150, 'n3', 750, 'n1', 150, 'n2', 150, 'n3', 1500, 'n1', 150]);
});

test('client does not hammer servers that accept and drop at once', async () => {
  const h = cluster();
  await h.connect();
  let last = 0;
  for (let attempt = 0; attempt < 18; attempt += 1) {
    await h.socket.drop();
    last = waitOf(h);
    await waited(h);
    await h.socket.open();
  }
  assert.equal(last, 22_500);
});

for (const code of [1001, 1013, 4008]) {
  test(`client turns to another node after close ${code}, when the server said and not before`, async () => {
    const h = cluster();
    const socket = await h.connect();
    await socket.drop(code, 'draining; retry_after_ms=2000');
    assert.equal(waitOf(h), 2000);
    await h.clock.advance(1_999);
    assert.equal(h.sockets.length, 1);
    await h.clock.advance(1);
    assert.equal(hostOf(h.socket), 'n2');
  });
}

test('client renews its token with the node that asked for it', async () => {
  const h = cluster({ getToken: ({ renew }) => (renew ? 'new' : 'old') });
  const socket = await h.connect();
  await socket.drop(4001, 'expired');
  await waited(h);
  assert.deepEqual([hostOf(h.socket), new URL(h.socket.url).searchParams.get('access_token')], ['n1', 'new']);
});

test('client without a token does not blame the server', async () => {
  let attempts = 0;
  const h = cluster({ getToken: async () => { attempts += 1; if (attempts < 3) throw new Error('no network'); return 't'; } });
  await h.client.connect();
  await settle();
  assert.deepEqual([h.client.state.url, waitOf(h)], ['ws://n1', 750]);
  await h.clock.advance(10_000);
  assert.equal(hostOf(h.sockets[0]), 'n1');
});

test('client leaves a node that is silent', async () => {
  const h = cluster();
  await h.connect();
  await h.clock.advance(35_000);
  assert.deepEqual([h.client.state.name, h.client.state.url], ['waiting', 'ws://n2']);
});

test('client leaves a node whose handshake does not end', async () => {
  const h = cluster();
  await h.client.connect();
  await h.clock.advance(10_000);
  await waited(h);
  assert.equal(hostOf(h.socket), 'n2');
});

test('client learns that its credentials are refused while it already tries another node', async () => {
  let answer;
  const h = cluster({ probe: () => new Promise((resolve) => { answer = resolve; }) });
  await h.client.connect();
  await settle();
  await h.socket.drop();
  const tell = answer;
  await waited(h);
  assert.equal(h.client.state.name, 'connecting');
  tell(false);
  await settle();
  assert.equal(h.client.state.name, 'unauthorized');
  await h.clock.advance(100_000);
  assert.equal(h.sockets.length, 2);
});

test('client that is connected by now does not hear an old answer about its credentials', async () => {
  let answer;
  const h = cluster({ probe: () => new Promise((resolve) => { answer = resolve; }) });
  await h.client.connect();
  await settle();
  await h.socket.drop();
  await waited(h);
  await h.socket.open();
  answer(false);
  await settle();
  assert.equal(h.client.state.name, 'connected');
});

test('client stays with its node over a pause', async () => {
  const h = cluster();
  await (await h.connect()).drop();
  await waited(h);
  await h.socket.open();
  h.client.disconnect();
  await h.connect();
  assert.equal(hostOf(h.socket), 'n2');
});

test('client takes new addresses without leaving the one that it is connected to', async () => {
  const h = harness({ url: 'ws://n1' });
  const socket = await h.connect();
  h.client.setUrls(['ws://n1', 'ws://n4']);
  assert.equal(h.client.state.name, 'connected');
  await socket.drop();
  await waited(h);
  assert.equal(hostOf(h.socket), 'n4');
});

test('client that waits tries the new addresses next', async () => {
  const h = harness({ url: 'ws://n1' });
  await (await h.connect()).drop();
  h.client.setUrls(['ws://n4', 'ws://n5']);
  assert.deepEqual([h.client.state.name, h.client.state.url], ['waiting', 'ws://n4']);
  await waited(h);
  assert.equal(hostOf(h.socket), 'n4');
});

test('client says what it needs when it has no address', () => {
  for (const bad of [{ url: undefined }, { urls: [] }, { urls: ['http://n1'] }, { urls: 'ws://n1' }, { urls: [undefined] }]) {
    assert.throws(() => harness(bad), /wss:\/\/chat.example.org/);
  }
  assert.throws(() => harness().client.setUrls([]), /address of a server/);
});
