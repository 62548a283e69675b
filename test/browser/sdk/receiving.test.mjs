import assert from 'node:assert/strict';
import { test } from 'node:test';
import { delivery, GatedStore, harness, settle, state } from './fakes.mjs';

const shown = async (h, conversation = 'user:bob') =>
  (await h.client.messages(conversation)).map((message) => message.text);

test('client acknowledges a message only when it is kept, and shows it then', async () => {
  const h = harness({ store: new GatedStore() });
  const socket = await h.connect();
  h.store.hold();
  const frame = delivery({ id: 'm1' });
  await socket.say(frame);
  assert.deepEqual([socket.acked(), h.events.message.length], [[], 0]);
  h.store.release();
  await settle();
  assert.deepEqual(socket.acked(), [frame.meta.serverId]);
  assert.deepEqual(socket.frames[0].head, { type: 'individual', to: 'server', contentType: 'CLIENT_ACK' });
  assert.equal(h.events.message[0].text, 'hi');
});

test('client that cannot keep a message does not acknowledge it, and takes it when it comes again', async () => {
  const h = harness({ store: new GatedStore() });
  const socket = await h.connect();
  const frame = delivery({ id: 'm1' });
  h.store.failing = true;
  await socket.say(frame);
  assert.deepEqual([socket.acked(), h.events.message.length, h.events.error[0].code], [[], 0, 'storage']);
  h.store.failing = false;
  await socket.say(frame);
  assert.deepEqual(socket.acked(), [frame.meta.serverId]);
  assert.deepEqual(await shown(h), ['hi']);
});

test('client drops repeats by from, to and id, and acknowledges them too', async () => {
  const h = harness();
  const socket = await h.connect();
  const first = delivery({ id: 'm1', text: 'one' });
  const repeat = delivery({ id: 'm1', text: 'one' });
  await socket.say(first);
  await socket.say(first);
  await socket.say(repeat);
  assert.deepEqual(socket.acked(), [first.meta.serverId, first.meta.serverId, repeat.meta.serverId]);
  assert.deepEqual(await shown(h), ['one']);
  assert.equal(h.events.message.length, 1);
});

test('client drops a repeat that comes in the same burst as the first', async () => {
  const h = harness({ store: new GatedStore() });
  const socket = await h.connect();
  h.store.hold();
  const frames = [delivery({ id: 'm0' }), delivery({ id: 'm1' }), delivery({ id: 'm1' }), delivery({ id: 'm2' })];
  for (const frame of frames) await socket.say(frame);
  h.store.release();
  await settle();
  assert.equal(h.events.message.length, 3);
  assert.deepEqual(socket.acked(), frames.map((frame) => frame.meta.serverId));
  assert.equal(socket.frames.length, 2, 'what came while the store was busy is acknowledged in one frame');
});

test('client takes the same id from another sender as another message', async () => {
  const h = harness();
  const socket = await h.connect();
  await socket.say(delivery({ id: 'm1', text: 'from bob' }));
  await socket.say(delivery({ id: 'm1', text: 'from carol', from: 'carol' }));
  assert.deepEqual([await shown(h), await shown(h, 'user:carol')], [['from bob'], ['from carol']]);
});

test('client drops repeats after a reload too', async () => {
  const before = harness();
  const socket = await before.connect();
  await socket.say(delivery({ id: 'm1' }));
  const after = harness({ store: before.store });
  await after.connect();
  const repeat = delivery({ id: 'm1' });
  await after.socket.say(repeat);
  assert.deepEqual(after.socket.acked(), [repeat.meta.serverId]);
  assert.equal(after.events.message.length, 0);
  assert.deepEqual(await shown(after), ['hi']);
});

test('client forgets old repeats, but not those that a server may still send', async () => {
  const before = harness();
  const socket = await before.connect();
  await socket.say(delivery({ id: 'm1' }));
  before.client.disconnect();
  await before.clock.advance(30 * 86_400_000);
  const young = harness({ store: before.store, clock: before.clock });
  await young.client.load();
  assert.equal((await before.store.list('seen')).length, 1);
  await before.clock.advance(11 * 86_400_000);
  await harness({ store: before.store, clock: before.clock }).client.load();
  assert.equal((await before.store.list('seen')).length, 0);
});

test('client acknowledges what it kept while the connection was lost by its server id on the next one', async () => {
  const h = harness({ store: new GatedStore() });
  const socket = await h.connect();
  h.store.hold();
  const frame = delivery({ id: 'm1' });
  await socket.say(frame);
  await socket.drop();
  await h.clock.advance(1_000);
  await h.socket.open();
  assert.deepEqual(h.socket.acked(), []);
  h.store.release();
  await settle();
  assert.deepEqual([socket.acked(), h.socket.acked()], [[], [frame.meta.serverId]]);
});

test('client keeps the order in which messages came, between bursts of both sides', async () => {
  const h = harness();
  const socket = await h.connect();
  for (let n = 0; n < 150; n += 1) {
    socket.onmessage({ data: JSON.stringify(delivery({ id: `m${n}`, text: `b${n}` })) });
  }
  await settle();
  await h.send('a');
  await socket.say(delivery({ id: 'last', text: 'b150' }));
  const texts = (await h.client.messages('user:bob', { limit: 1000 })).map((message) => message.text);
  assert.deepEqual(texts, [...Array.from({ length: 150 }, (_, n) => `b${n}`), 'a', 'b150']);
  const page = await h.client.messages('user:bob', { limit: 3 });
  assert.deepEqual(page.map((message) => message.text), ['b149', 'a', 'b150']);
  const earlier = await h.client.messages('user:bob', { limit: 2, before: page[0].seq });
  assert.deepEqual(earlier.map((message) => message.text), ['b147', 'b148']);
});

test('client is not held up by frames that make no sense', async () => {
  const h = harness();
  const socket = await h.connect();
  for (const nonsense of ['{', 'null', '[]', '{"_v":2.1}', '{"head":null}', '{"head":{"contentType":7}}']) {
    await socket.say(nonsense);
  }
  await socket.say(delivery({ id: 's1', head: { contentType: 'notification', action: 'state' }, body: { ids: 'x', state: 1 } }));
  await socket.say(delivery({ id: 'm0', body: null, meta: { createdAt: 1e300 } }));
  await socket.say(delivery({ id: 'm1', text: 'fine' }));
  assert.deepEqual((await shown(h)).at(-1), 'fine');
  assert.equal(socket.acked().length, 3);
  assert.ok((await h.client.messages('user:bob')).every((message) => message.createdAt < 8.64e15));
});

test('client shows content of any program as text', async () => {
  const h = harness();
  const socket = await h.connect();
  const bodies = ['plain', { text: 'object' }, { file: 'a.png' }, 7, null];
  for (const [n, body] of bodies.entries()) {
    const frame = delivery({ id: `m${n}` });
    await socket.say({ ...frame, body });
  }
  assert.deepEqual(await shown(h), ['plain', 'object', '{"file":"a.png"}', '7', 'null']);
});

test('conversation counts unread messages until it is marked read, and the most recent comes first', async () => {
  const h = harness();
  const socket = await h.connect();
  await h.client.addConversation('dave');
  await socket.say(delivery({ id: 'm1' }));
  await socket.say(delivery({ id: 'm2', text: 'last' }));
  await h.clock.advance(1);
  await socket.say(delivery({ id: 'm3', from: 'carol' }));
  const list = h.client.conversations().map(({ name, unread, lastText }) => [name, unread, lastText]);
  assert.deepEqual(list.slice(0, 2), [['carol', 1, 'hi'], ['bob', 2, 'last']]);
  await h.client.markRead('user:bob');
  assert.equal(h.client.conversations()[1].unread, 0);
  const after = harness({ store: h.store });
  await after.client.load();
  assert.deepEqual(after.client.conversations().map(({ name, unread }) => [name, unread]),
    [['carol', 1], ['bob', 0], ['dave', 0]]);
});

test('receipts go to the sender in one batch, and a read overtakes the delivered of the same message', async () => {
  const h = harness({ receipts: true });
  const socket = await h.connect();
  await socket.say(delivery({ id: 'm1' }));
  await socket.say(delivery({ id: 'm2' }));
  await socket.say(delivery({ id: 'c1', from: 'carol' }));
  await h.client.markRead('user:carol');
  assert.deepEqual(socket.messages, []);
  await h.clock.advance(200);
  const receipts = socket.messages.map((frame) => [frame.head.to, frame.body.state, frame.body.ids]);
  assert.deepEqual(receipts, [['bob', 'delivered', ['m1', 'm2']], ['carol', 'read', ['c1']]]);
  for (const { head } of socket.messages) {
    assert.deepEqual([head.action, head.contentType, head.ephemeral, head.type],
      ['state', 'notification', false, 'individual']);
  }
  await h.client.markRead('user:bob');
  await h.client.markRead('user:bob');
  await h.clock.advance(200);
  assert.deepEqual(socket.messages.slice(2).map((frame) => frame.body), [{ ids: ['m1', 'm2'], state: 'read' }]);
});

test('receipts are owed over a lost connection and a reload, and resent until confirmed', async () => {
  const h = harness({ receipts: true });
  const socket = await h.connect();
  await socket.say(delivery({ id: 'm1' }));
  await socket.drop(1006);
  const after = harness({ receipts: true, store: h.store, idPrefix: 'b' });
  await after.connect();
  await after.clock.advance(200);
  assert.deepEqual(after.socket.messages.map((frame) => frame.body), [{ ids: ['m1'], state: 'delivered' }]);
  await after.socket.drop();
  await after.clock.advance(1_000);
  await after.socket.open();
  assert.equal(after.socket.messages.length, 1);
  await after.socket.confirm(after.socket.messages[0].id);
  assert.deepEqual([await h.store.list('outbox'), await h.store.list('receipts')], [[], []]);
});

test('receipts are not sent for groups, repeats, notifications and messages to oneself', async () => {
  const h = harness({ receipts: true });
  const socket = await h.connect();
  await socket.say(delivery({ id: 'g', to: 'team', head: { type: 'GROUP' } }));
  await socket.say(delivery({ id: 'n', head: { contentType: 'notification', action: 'add' } }));
  await socket.say(delivery({ id: 'me', from: 'alice' }));
  await socket.say(state('bob', ['unknown'], 'read'));
  await h.clock.advance(1_000);
  assert.deepEqual(socket.messages, []);
  assert.equal(h.events.notification[0].action, 'add');
});

test('receipts of more than 100 messages go in several frames', async () => {
  const h = harness({ receipts: true });
  const socket = await h.connect();
  for (let n = 0; n < 130; n += 1) socket.onmessage({ data: JSON.stringify(delivery({ id: `m${n}` })) });
  await settle();
  await h.clock.advance(200);
  assert.deepEqual(socket.messages.map((frame) => frame.body.ids.length), [100, 30]);
});

test('mirror of another device becomes an own message, once, with the ticks that came before it', async () => {
  const sender = harness({ mirror: true });
  const from = await sender.connect();
  const message = await sender.send('from my phone');
  const mirror = from.messages[1];
  const h = harness({ receipts: true });
  const socket = await h.connect();
  await socket.say(state('bob', [message.id], 'delivered'));
  const frame = { ...mirror, head: { ...mirror.head, type: 'INDIVIDUAL' }, meta: { ...mirror.meta, serverId: 'f'.repeat(32) } };
  await socket.say(frame);
  await socket.say(frame);
  const messages = await h.client.messages('user:bob');
  assert.deepEqual(messages.map(({ text, outgoing, status }) => [text, outgoing, status]),
    [['from my phone', true, 'delivered']]);
  await socket.say(state('bob', [message.id], 'read'));
  assert.equal(h.events.status.at(-1).status, 'read');
  assert.equal(h.client.conversations()[0].unread, 0);
  await h.clock.advance(1_000);
  assert.deepEqual(socket.messages, []);
});

test('mirror of a read receipt clears the unread count on the other device', async () => {
  const reader = harness({ receipts: true, mirror: true });
  const there = await reader.connect();
  const h = harness({ receipts: true });
  const socket = await h.connect();
  for (const side of [there, socket]) {
    await side.say(delivery({ id: 'm1' }));
    await side.say(delivery({ id: 'm2' }));
  }
  await reader.client.markRead('user:bob');
  await reader.clock.advance(200);
  const mirror = there.messages.find((frame) => frame.head.to === 'alice');
  await socket.say(delivery({ id: 'm3' }));
  await socket.say({ ...mirror, meta: { ...mirror.meta, serverId: 'e'.repeat(32) } });
  assert.equal(h.client.conversations()[0].unread, 1);
});

test('mirror is believed from oneself only', async () => {
  const h = harness();
  const socket = await h.connect();
  await socket.say(delivery({ id: 'x', text: 'fake', meta: { mirrorTo: 'carol', mirrorId: 'y' } }));
  assert.deepEqual(await shown(h), ['fake']);
  assert.deepEqual(await shown(h, 'user:carol'), []);
});

test('typing of others is told and neither kept nor acknowledged', async () => {
  const h = harness();
  const socket = await h.connect();
  const head = { contentType: 'notification', action: 'typing', ephemeral: true };
  await socket.say(delivery({ id: 't1', head, body: { typing: true } }));
  await socket.say(delivery({ id: 't2', head, body: { typing: false } }));
  assert.deepEqual(h.events.typing.map(({ conversation, typing }) => [conversation, typing]),
    [['user:bob', true], ['user:bob', false]]);
  assert.deepEqual([socket.sent, await h.store.list('seen')], [[], []]);
});

test('group message shows in the conversation of the group, with its sender', async () => {
  const h = harness();
  const socket = await h.connect();
  await socket.say(delivery({ id: 'g1', from: 'bob', to: 'team', head: { type: 'GROUP' } }));
  const [message] = await h.client.messages('group:team');
  assert.deepEqual([message.from, h.client.conversations()[0].name], ['bob', 'team']);
});
