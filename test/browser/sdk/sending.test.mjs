import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatedStore, harness, settle, state } from './fakes.mjs';

test('client connects with subprotocol, user, device and both acknowledgement modes', async () => {
  const h = harness({ user: 'älice & co' });
  const socket = await h.connect();
  const url = new URL(socket.url);
  assert.equal(url.pathname, '/v1.0/wss/');
  assert.deepEqual(Object.fromEntries(url.searchParams),
    { user: 'älice & co', device: 'd1', ack: 'true', client_ack: 'true' });
  assert.deepEqual(socket.protocols, ['vartalap.json']);
});

test('client sends a message only when it is kept, in the form of the protocol', async () => {
  const h = harness({ store: new GatedStore() });
  const socket = await h.connect();
  h.store.hold();
  const sending = h.client.send('bob', 'hello');
  await settle();
  assert.equal(socket.sent.length, 0);
  h.store.release();
  const message = await sending;
  await settle();
  assert.equal(message.status, 'queued');
  const [frame] = socket.frames;
  assert.deepEqual(frame, {
    _v: 2.1, id: 'id1',
    head: {
      type: 'individual', from: 'alice', to: 'bob', contentType: 'text', action: 'message', category: 'message',
      ephemeral: false,
    },
    meta: { createdAt: h.clock.now() }, body: { text: 'hello' },
  });
});

test('client that cannot keep a message neither sends nor shows it', async () => {
  const h = harness({ store: new GatedStore() });
  const socket = await h.connect();
  h.store.failing = true;
  await assert.rejects(h.client.send('bob', 'hello'), /disk full/);
  await settle();
  assert.equal(socket.sent.length, 0);
  assert.equal(h.events.message.length, 0);
  h.store.failing = false;
  await h.send('later');
  assert.deepEqual(socket.texts(), ['later']);
});

test('status of a message rises from queued to read and never falls back', async () => {
  const h = harness();
  const socket = await h.connect();
  const { id } = await h.send('x');
  await socket.say(state('bob', [id], 'delivered'));
  await socket.confirm(id);
  await socket.say(state('bob', [id], 'read'));
  await socket.say(state('bob', [id], 'delivered'));
  assert.deepEqual(h.statusOf(id), ['delivered', 'delivered', 'read', 'read']);
  const [kept] = await h.client.messages('user:bob');
  assert.equal(kept.status, 'read');
  assert.match(kept.serverId, /^[0-9a-f]{32}$/);
});

test('status of a message is sent when stored and delivered when the server says so', async () => {
  const h = harness();
  const socket = await h.connect();
  const first = await h.send('a');
  const second = await h.send('b');
  await socket.confirm(first.id, 'stored');
  await socket.confirm(second.id, 'delivered');
  assert.deepEqual([h.statusOf(first.id), h.statusOf(second.id)], [['sent'], ['delivered']]);
});

test('status of a message is not moved by somebody who did not get it', async () => {
  const h = harness();
  const socket = await h.connect();
  const { id } = await h.send('x');
  await socket.say(state('mallory', [id], 'read'));
  assert.deepEqual(h.statusOf(id), []);
});

test('client keeps messages while offline and sends them in order before anything new', async () => {
  const h = harness();
  for (const text of ['1', '2', '3']) await h.send(text);
  assert.equal(h.client.pending, 3);
  const socket = await h.connect();
  await h.send('4');
  assert.deepEqual(socket.texts(), ['1', '2', '3', '4']);
});

test('client resends after a reconnect what was not confirmed, byte for byte, in the original order', async () => {
  const h = harness();
  const first = await h.connect();
  for (const text of ['1', '2', '3', '4']) await h.send(text);
  await first.confirm(first.frames[1].id);
  await first.drop();
  await h.send('5');
  await h.clock.advance(1000);
  await h.socket.open();
  assert.deepEqual(h.socket.texts(), ['1', '3', '4', '5']);
  assert.deepEqual(h.socket.sent.slice(0, 3), [first.sent[0], first.sent[2], first.sent[3]]);
});

test('client keeps unconfirmed messages over a reload and goes on with the same ids', async () => {
  const before = harness({ idPrefix: 'a' });
  const socket = await before.connect();
  await before.send('1');
  await before.send('2');
  await before.send('3');
  await socket.confirm(socket.frames[0].id);
  const after = harness({ store: before.store, idPrefix: 'b' });
  await after.connect();
  await after.send('4');
  assert.deepEqual(after.socket.texts(), ['2', '3', '4']);
  assert.deepEqual(after.socket.sent.slice(0, 2), socket.sent.slice(1, 3));
  await after.socket.confirm(socket.frames[1].id);
  const shown = await after.client.messages('user:bob');
  assert.deepEqual(shown.map((message) => [message.text, message.status]),
    [['1', 'sent'], ['2', 'sent'], ['3', 'queued'], ['4', 'queued']]);
});

test('client resends on a live connection after 10 s, not before, and not what was confirmed', async () => {
  const h = harness();
  const socket = await h.connect();
  await h.send('1');
  await h.send('2');
  await socket.confirm(socket.frames[1].id);
  await h.clock.advance(9_999);
  assert.deepEqual(socket.texts(), ['1', '2']);
  await h.clock.advance(1);
  assert.deepEqual(socket.texts(), ['1', '2', '1']);
  assert.equal(socket.messages[2].id, socket.messages[0].id);
  await h.clock.advance(19_000);
  assert.equal(socket.texts().length, 3);
  await h.clock.advance(1_000);
  assert.equal(socket.texts().length, 4);
});

test('client has at most 128 frames in flight', async () => {
  const h = harness();
  for (let n = 0; n < 200; n += 1) await h.client.send('bob', String(n));
  const socket = await h.connect();
  assert.equal(socket.texts().length, 128);
  await socket.confirm(socket.frames[0].id);
  assert.equal(socket.texts()[128], '128');
});

test('client marks what the server refuses for good as failed and does not send it again', async () => {
  const h = harness();
  const socket = await h.connect();
  const { id } = await h.send('no');
  await socket.refuse(id, 'forbidden');
  assert.deepEqual(h.statusOf(id), ['failed']);
  assert.equal(h.events.error[0].code, 'forbidden');
  assert.equal(h.client.pending, 0);
  await socket.drop();
  await h.clock.advance(60_000);
  await h.socket.open();
  assert.deepEqual(h.socket.texts(), []);
});

test('client sends a failed message again under a new id, in place of the old one', async () => {
  const h = harness();
  const socket = await h.connect();
  const message = await h.send('no');
  await socket.refuse(message.id, 'mailbox_full');
  const again = await h.client.retry(message);
  await settle();
  assert.notEqual(again.id, message.id);
  assert.deepEqual(socket.texts(), ['no', 'no']);
  assert.deepEqual((await h.client.messages('user:bob')).map((shown) => shown.id), [again.id]);
});

test('client waits when the server is unavailable and keeps the order', async () => {
  const h = harness();
  const socket = await h.connect();
  const one = await h.send('1');
  const two = await h.send('2');
  await socket.refuse(one.id, 'unavailable');
  await socket.refuse(two.id, 'unavailable');
  await h.send('3');
  assert.deepEqual(socket.texts(), ['1', '2']);
  assert.equal(h.events.error[0].retried, true);
  await h.clock.advance(999);
  assert.equal(socket.texts().length, 2);
  await h.clock.advance(1);
  assert.deepEqual(socket.texts(), ['1', '2', '1', '2', '3']);
});

test('client does not send for ever what ended the connection by its size', async () => {
  const h = harness();
  const socket = await h.connect();
  await h.send('small');
  const big = await h.send('x'.repeat(500));
  await socket.drop(1009, 'too big');
  assert.equal(h.client.state.name, 'refused');
  assert.deepEqual(h.statusOf(big.id), ['failed']);
  const after = harness({ store: h.store });
  await after.connect();
  assert.deepEqual(after.socket.texts(), ['small']);
});

test('client refuses names and texts that the server would refuse', async () => {
  const h = harness();
  for (const name of ['', 'server', 'a\nb', 'x'.repeat(129), 'ä'.repeat(65)]) {
    await assert.rejects(h.client.send(name, 'x'));
    await assert.rejects(h.client.addConversation(name));
  }
  await assert.rejects(h.client.send('bob', 'ä'.repeat(40_000)), /80011 bytes; 65536 are allowed/);
  await h.send('x'.repeat(65_000));
  assert.throws(() => harness({ user: 'server' }));
});

test('client sends text with a lone surrogate as UTF-8 that the server can read', async () => {
  const h = harness();
  const socket = await h.connect();
  await h.send('a\ud800b');
  assert.equal(socket.texts()[0], 'a\ufffdb');
});

test('client mirrors what it sends to its other devices, right behind the original', async () => {
  const h = harness({ mirror: true });
  const socket = await h.connect();
  const message = await h.send('hello');
  const [original, mirror] = socket.messages;
  assert.equal(original.id, message.id);
  assert.notEqual(mirror.id, message.id);
  assert.equal(mirror.head.to, 'alice');
  assert.equal(mirror.head.contentType, 'notification');
  assert.deepEqual([mirror.meta.mirrorTo, mirror.meta.mirrorId, mirror.meta.mirrorKind, mirror.body.text],
    ['bob', message.id, 'user', 'hello']);
  await socket.refuse(mirror.id, 'forbidden');
  assert.deepEqual(h.statusOf(message.id), []);
});

test('client tells typing at most once in 3 s, as an ephemeral notification that is never kept', async () => {
  const h = harness();
  h.client.typing('bob');
  const socket = await h.connect();
  h.client.typing('bob');
  await h.clock.advance(2_999);
  h.client.typing('bob');
  h.client.typing('bob', { typing: false });
  h.client.typing('bob', { typing: false });
  h.client.typing('bob');
  assert.deepEqual(socket.frames.map((frame) => [frame.head.action, frame.head.ephemeral, frame.body.typing]),
    [['typing', true, true], ['typing', true, false], ['typing', true, true]]);
  await socket.drop();
  await h.clock.advance(1_000);
  await h.socket.open();
  assert.deepEqual(h.socket.sent, []);
});

test('client sends to a group on the group channel and keeps the conversation apart from a user of that name', async () => {
  const h = harness();
  const socket = await h.connect();
  await h.send('to all', 'g1', { kind: 'group' });
  await h.send('to one', 'g1');
  assert.deepEqual(socket.frames.map((frame) => frame.head.type), ['group', 'individual']);
  assert.deepEqual((await h.client.messages('group:g1')).map((message) => message.text), ['to all']);
});
