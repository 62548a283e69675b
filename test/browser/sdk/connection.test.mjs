import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoff, closeAction } from '../../../web/sdk/backoff.js';
import { delivery, harness, settle } from './fakes.mjs';

test('backoff grows from 0.5 s to 30 s with jitter and never leaves these bounds', () => {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    for (const chance of [0, 0.5, 0.999999]) {
      const ms = backoff(attempt, () => chance);
      assert.ok(ms >= 500 && ms <= 30_000, `attempt ${attempt}: ${ms}`);
    }
  }
  const middle = Array.from({ length: 8 }, (_, attempt) => backoff(attempt, () => 0.5));
  assert.deepEqual(middle, [750, 1500, 3000, 6000, 12000, 22500, 22500, 22500]);
  assert.notEqual(backoff(3, () => 0), backoff(3, () => 0.9));
});

test('close code decides whether and when the client reconnects', () => {
  for (const code of [1002, 1003, 1007, 1009]) assert.deepEqual(closeAction(code, 'retry_after_ms=5'), { action: 'refused' });
  assert.deepEqual(closeAction(4009, ''), { action: 'replaced' });
  assert.equal(closeAction(4001, '').action, 'renew');
  for (const code of [1000, 1001, 1005, 1006, 1011, 1013, 4008, 4029, 4999]) {
    assert.deepEqual(closeAction(code, 'going away retry_after_ms=1234'), { action: 'retry', wait: 1234 });
    assert.deepEqual(closeAction(code, 'no_retry_after_ms=1'), { action: 'retry', wait: undefined });
  }
});

for (const code of [1001, 1013, 4008, 4029]) {
  test(`client reconnects after close ${code} when the server said, not before`, async () => {
    const h = harness();
    const socket = await h.connect();
    await socket.drop(code, 'draining; retry_after_ms=7000');
    assert.deepEqual([h.client.state.name, h.client.state.retryAt], ['waiting', h.clock.now() + 7000]);
    await h.clock.advance(6_999);
    assert.equal(h.sockets.length, 1);
    await h.clock.advance(1);
    assert.equal(h.sockets.length, 2);
  });
}

for (const [code, name] of [[1002, 'refused'], [1003, 'refused'], [1007, 'refused'], [1009, 'refused'], [4009, 'replaced']]) {
  test(`client never reconnects by itself after close ${code}`, async () => {
    const h = harness();
    const socket = await h.connect();
    await socket.drop(code, 'why');
    assert.deepEqual([h.client.state.name, h.client.state.code, h.client.state.reason], [name, code, 'why']);
    h.client.checkNow();
    await h.clock.advance(86_400_000);
    assert.equal(h.sockets.length, 1);
  });
}

test('client that was replaced can be connected again and goes on with what the store holds', async () => {
  const h = harness();
  const socket = await h.connect();
  await h.send('mine');
  await socket.drop(4009);
  const other = harness({ store: h.store, idPrefix: 'b' });
  await other.connect();
  await other.socket.confirm(socket.frames[0].id);
  await other.send('written in the other window');
  await h.client.connect();
  await settle();
  await h.socket.open();
  assert.deepEqual(h.socket.texts(), ['written in the other window']);
});

test('client asks for a new token after 4001, and only then', async () => {
  const asked = [];
  const h = harness({ getToken: ({ renew }) => { asked.push(renew); return renew ? 'new' : 'old'; } });
  const socket = await h.connect();
  assert.equal(new URL(socket.url).searchParams.get('access_token'), 'old');
  await socket.drop(4001, 'expired');
  await h.clock.advance(1_000);
  assert.equal(new URL(h.socket.url).searchParams.get('access_token'), 'new');
  await h.socket.open();
  await h.socket.drop();
  await h.clock.advance(2_000);
  assert.deepEqual(asked, [false, true, false]);
});

test('client keeps trying when the token cannot be had', async () => {
  let attempts = 0;
  const h = harness({ getToken: async () => { attempts += 1; if (attempts < 3) throw new Error('no network'); return 't'; } });
  await h.client.connect();
  await h.clock.advance(10_000);
  assert.equal(attempts, 3);
  assert.equal(h.sockets.length, 1);
});

test('client waits longer with each failed attempt and starts anew after a stable connection', async () => {
  const h = harness();
  const waits = [];
  const socket = await h.connect();
  await h.clock.advance(5_000);
  await socket.drop();
  for (let attempt = 0; attempt < 4; attempt += 1) {
    waits.push(h.client.state.retryAt - h.clock.now());
    await h.clock.advance(waits.at(-1));
    await h.socket.drop();
  }
  assert.deepEqual(waits, [750, 1500, 3000, 6000]);
  await h.clock.advance(h.client.state.retryAt - h.clock.now());
  await h.socket.open();
  await h.clock.advance(5_000);
  await h.socket.drop();
  assert.equal(h.client.state.retryAt - h.clock.now(), 750);
});

test('client does not hammer a server that accepts and drops at once', async () => {
  const h = harness();
  await h.connect();
  for (let attempt = 0; attempt < 5; attempt += 1) {
    await h.socket.drop();
    await h.clock.advance(h.client.state.retryAt - h.clock.now());
    await h.socket.open();
  }
  await h.socket.drop();
  assert.equal(h.client.state.retryAt - h.clock.now(), 22_500);
});

test('client tries at once when asked to look, and once only', async () => {
  const h = harness();
  const socket = await h.connect();
  await socket.drop(1013, 'retry_after_ms=60000');
  h.client.checkNow();
  h.client.checkNow();
  await settle();
  assert.equal(h.sockets.length, 2);
  await h.clock.advance(5_000);
  assert.equal(h.sockets.length, 2);
});

test('client gives up a handshake that does not end', async () => {
  const h = harness();
  await h.client.connect();
  await settle();
  await h.clock.advance(10_000);
  assert.equal(h.client.state.name, 'waiting');
  assert.equal(h.sockets[0].closedByClient, true);
});

test('client stops when the server does not accept its credentials', async () => {
  const h = harness({ probe: async () => false });
  await h.client.connect();
  await settle();
  await h.socket.drop();
  assert.equal(h.client.state.name, 'unauthorized');
  await h.clock.advance(100_000);
  assert.equal(h.sockets.length, 1);
});

test('client goes on trying when it cannot learn why a handshake failed', async () => {
  const h = harness({ probe: async () => { throw new Error('unreachable'); } });
  await h.client.connect();
  await settle();
  await h.socket.drop();
  assert.equal(h.client.state.name, 'waiting');
});

test('client notices a dead connection by a ping that is not answered, and reconnects', async () => {
  const h = harness();
  const socket = await h.connect();
  await h.clock.advance(20_000);
  await socket.say(delivery({ id: 'm1' }));
  await h.clock.advance(24_999);
  assert.ok(!socket.sent.includes('ping'));
  await h.clock.advance(1);
  assert.ok(socket.sent.includes('ping'));
  await socket.say('pong');
  await h.clock.advance(10_000);
  assert.equal(h.client.state.name, 'connected');
  await h.clock.advance(25_000);
  assert.equal(h.client.state.name, 'waiting');
  assert.equal(socket.closedByClient, true);
});

test('client tests the connection when asked to look', async () => {
  const h = harness();
  const socket = await h.connect();
  h.client.checkNow();
  assert.deepEqual(socket.sent, ['ping']);
  await h.clock.advance(10_000);
  assert.equal(h.client.state.name, 'waiting');
});

test('client hears nothing of a socket that it gave up', async () => {
  const h = harness();
  const old = await h.connect();
  h.client.checkNow();
  await h.clock.advance(20_000);
  await h.socket.open();
  await old.say(delivery({ id: 'ghost' }));
  await old.drop(4009);
  assert.equal(h.client.state.name, 'connected');
  assert.equal(h.events.message.length, 0);
});

test('client that is disconnected stays so, keeps messages, and sends them when connected again', async () => {
  const h = harness();
  const socket = await h.connect();
  h.client.disconnect();
  await h.send('kept');
  await h.clock.advance(100_000);
  assert.deepEqual([h.client.state.name, h.sockets.length, socket.closedByClient], ['paused', 1, true]);
  await h.connect();
  assert.deepEqual(h.socket.texts(), ['kept']);
});

test('client connects once however often it is told to', async () => {
  const h = harness();
  await h.client.connect();
  await h.client.connect();
  await settle();
  await h.client.connect();
  await settle();
  assert.equal(h.sockets.length, 1);
});
