import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStore, VartalapClient } from '../../../web/sdk/index.js';
import { FakeClock, settle } from './fakes.mjs';

/**
 * Two people over a server that keeps the protocol's promises and nothing more: it loses connections at any moment
 * (with what was under way in either direction), resends, repeats, and answers late; the pages are reloaded at random.
 * Whatever happens, each conversation must end complete, without repeats, in the order of its sender.
 */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

class ModelServer {
  #random;
  #refusing;
  #next = 1;
  sockets = new Map();
  mailboxes = new Map([['alice', new Map()], ['bob', new Map()]]);
  #accepted = new Map();

  /** `refusing`: the share of messages that are refused as unavailable (which may change their order). */
  constructor(random, refusing) {
    this.#random = random;
    this.#refusing = refusing;
  }

  attach(socket, user) {
    this.sockets.set(user, socket);
    for (const frame of this.mailboxes.get(user).values()) socket.toClient.push(frame);
  }

  receive(user, text) {
    if (text === 'ping') return;
    const frame = JSON.parse(text);
    const socket = this.sockets.get(user);
    if (frame.head.contentType === 'CLIENT_ACK') {
      for (const id of frame.meta.serverIds ?? [frame.meta.serverId]) this.mailboxes.get(user).delete(id);
      return;
    }
    const key = JSON.stringify([user, frame.head.to, frame.id]);
    if (this.#random() < this.#refusing) {
      socket?.toClient.push(answer(frame.id, 'ERROR', {}, { code: 'unavailable', message: 'later' }));
      return;
    }
    if (!this.#accepted.has(key)) {
      const serverId = String(this.#next).padStart(32, '0');
      this.#next += 1;
      this.#accepted.set(key, { text, serverId });
      const delivery = { ...frame, head: { ...frame.head, from: user, type: 'INDIVIDUAL' }, meta: { ...frame.meta, serverId } };
      this.mailboxes.get(frame.head.to).set(serverId, delivery);
      this.sockets.get(frame.head.to)?.toClient.push(delivery);
    }
    const known = this.#accepted.get(key);
    assert.equal(known.text, text, 'a resend carries the same content');
    socket?.toClient.push(answer(frame.id, 'SERVER_ACK', { serverId: known.serverId }, { status: 'stored', durability: 'disk' }));
  }

  resendEverything() {
    for (const [user, socket] of this.sockets) {
      for (const frame of this.mailboxes.get(user).values()) socket.toClient.push(frame);
    }
  }
}

function answer(id, contentType, meta, body) {
  return { _v: 2.1, id, head: { type: 'INDIVIDUAL', from: 'server', contentType, ephemeral: true }, meta, body };
}

class Person {
  #world;
  shown = [];
  written = 0;

  constructor(world, user) {
    this.#world = world;
    this.user = user;
    this.other = user === 'alice' ? 'bob' : 'alice';
    this.store = new MemoryStore();
  }

  async open() {
    const person = this;
    const { server, clock, random } = this.#world;
    class Socket {
      toServer = [];
      toClient = [];
      constructor() { person.socket = this; }
      send(text) { this.toServer.push(text); }
      close() { if (server.sockets.get(person.user) === this) server.sockets.delete(person.user); }
    }
    this.client = new VartalapClient({
      url: 'ws://model', user: this.user, device: 'd', store: this.store, WebSocket: Socket, clock, random, mirror: false,
    });
    this.client.on('message', (message) => { if (!message.outgoing) this.shown.push(message.text); });
    await this.client.connect();
    await settle();
  }

  async write() {
    await this.client.send(this.other, `${this.user} ${this.written}`);
    this.written += 1;
  }

  /** Moves at most `limit` frames in each direction. */
  async exchange(limit) {
    const { socket } = this;
    const { server } = this.#world;
    if (this.client.state.name === 'connecting') {
      socket.onopen({});
      server.attach(socket, this.user);
    }
    for (const text of socket.toServer.splice(0, limit)) server.receive(this.user, text);
    for (const frame of socket.toClient.splice(0, limit)) socket.onmessage({ data: JSON.stringify(frame) });
    await settle();
  }

  lose() {
    if (this.client.state.name !== 'connected') return;
    this.#world.server.sockets.delete(this.user);
    this.socket.onclose({ code: 1006, reason: '' });
  }

  /** The page goes away at once, as when its process is killed, and is opened again. */
  async reload() {
    this.#world.server.sockets.delete(this.user);
    this.client.disconnect();
    this.socket.send = () => {};
    await this.open();
  }
}

async function live(people, world, steps) {
  const { random, clock, server } = world;
  for (let step = 0; step < steps; step += 1) {
    const person = people[Math.floor(random() * 2)];
    const chance = random();
    if (chance < 0.35) await person.write();
    else if (chance < 0.8) await person.exchange(1 + Math.floor(random() * 5));
    else if (chance < 0.86) person.lose();
    else if (chance < 0.89) await person.reload();
    else if (chance < 0.92) server.resendEverything();
    else if (chance < 0.95) await person.client.markRead(`user:${person.other}`);
    else await clock.advance(Math.floor(random() * 12_000));
  }
}

for (let seed = 1; seed <= 40; seed += 1) {
  test(`conversation is complete, in order and without repeats through losses and reloads (seed ${seed})`, async () => {
    const random = randomFrom(seed);
    const refusing = seed % 2 === 0 ? 0.05 : 0;
    const world = { random, clock: new FakeClock(), server: new ModelServer(random, refusing) };
    const people = [new Person(world, 'alice'), new Person(world, 'bob')];
    for (const person of people) await person.open();
    await live(people, world, 250);
    for (let round = 0; round < 60; round += 1) {
      for (const person of people) await person.exchange(1000);
      await world.clock.advance(5_000);
    }
    for (const [at, person] of people.entries()) {
      const other = people[1 - at];
      const expected = Array.from({ length: other.written }, (_, n) => `${other.user} ${n}`);
      assert.equal(new Set(person.shown).size, person.shown.length, 'a message was shown twice');
      const kept = await person.client.messages(`user:${other.user}`, { limit: 10_000 });
      const received = kept.filter((message) => !message.outgoing).map((message) => message.text);
      const arrange = (texts) => (refusing > 0 ? [...texts].sort(byNumber) : texts);
      assert.deepEqual(arrange(received), expected);
      assert.deepEqual(arrange(person.shown), expected);
      const own = kept.filter((message) => message.outgoing);
      assert.ok(own.every((message) => ['delivered', 'read'].includes(message.status)), 'every tick arrived');
      assert.deepEqual(await person.store.list('outbox'), []);
      assert.equal(person.client.pending, 0);
    }
  });
}

function byNumber(a, b) {
  return Number(a.split(' ')[1]) - Number(b.split(' ')[1]);
}
