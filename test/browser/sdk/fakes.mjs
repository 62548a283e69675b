import { MemoryStore, VartalapClient } from '../../../web/sdk/index.js';

/** Lets everything run that needs no clock: promises and the microtasks that they start. */
export async function settle() {
  for (let turn = 0; turn < 12; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Time that moves only by advance(). */
export class FakeClock {
  #now = 1_700_000_000_000;
  #timers = new Map();
  #next = 1;

  now() { return this.#now; }

  setTimeout(action, ms) {
    const id = this.#next;
    this.#next += 1;
    this.#timers.set(id, { at: this.#now + ms, action });
    return id;
  }

  clearTimeout(id) { this.#timers.delete(id); }

  /** Moves time on, running each timer at its time. */
  async advance(ms) {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.#now = Math.max(this.#now, due[1].at);
      due[1].action();
      await settle();
    }
    this.#now = end;
  }
}

/** The server's end of one connection: what the client sent, and levers to answer. */
class FakeSocket {
  sent = [];
  closedByClient = false;

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
  }

  /** Frames that the client sent, without pings, as objects. */
  get frames() { return this.sent.filter((text) => text !== 'ping').map((text) => JSON.parse(text)); }

  /** Chat messages, receipts and mirrors among them: everything but acknowledgements. */
  get messages() { return this.frames.filter((frame) => frame.head.contentType !== 'CLIENT_ACK'); }

  texts() { return this.messages.filter((frame) => frame.head.contentType === 'text').map((frame) => frame.body.text); }

  acked() {
    return this.frames.filter((frame) => frame.head.contentType === 'CLIENT_ACK')
      .flatMap((frame) => frame.meta.serverIds ?? [frame.meta.serverId]);
  }

  send(text) { this.sent.push(text); }

  close() { this.closedByClient = true; }

  async open() {
    this.onopen({});
    await settle();
  }

  /** Sends the client a frame (or a text as it is). */
  async say(frame) {
    this.onmessage({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) });
    await settle();
  }

  async drop(code = 1006, reason = '') {
    this.onclose({ code, reason });
    await settle();
  }

  async confirm(id, status = 'stored') {
    await this.say({
      _v: 2.1, id, head: { type: 'INDIVIDUAL', from: 'server', to: 'alice', contentType: 'SERVER_ACK', ephemeral: true },
      meta: { serverId: serverId(), serverTimestamp: 1 }, body: { status, durability: 'disk' },
    });
  }

  async refuse(id, code) {
    await this.say({
      _v: 2.1, id, head: { type: 'INDIVIDUAL', from: 'server', to: 'alice', contentType: 'ERROR', ephemeral: true },
      meta: {}, body: { code, message: `because of ${code}` },
    });
  }
}

let counter = 0;

export function serverId() {
  counter += 1;
  return counter.toString(16).padStart(32, '0');
}

/** A delivery as the server writes it. */
export function delivery({ from = 'bob', to = 'alice', id, text = 'hi', head = {}, meta = {}, body }) {
  return {
    _v: 2.1, id,
    head: {
      type: 'INDIVIDUAL', from, to, contentType: 'text', action: 'message', category: 'message', ephemeral: false, ...head,
    },
    meta: { createdAt: 1_700_000_000_000, serverId: serverId(), serverTimestamp: 1_700_000_000_001, ...meta },
    body: body ?? { text },
  };
}

export function state(from, ids, value) {
  return delivery({
    from, id: `s${serverId()}`, head: { contentType: 'notification', action: 'state', category: 'system' },
    body: { ids, state: value },
  });
}

/** A client with everything injected; `options` go to the client. Events are recorded by name in `events`. */
export function harness(options = {}) {
  const clock = options.clock ?? new FakeClock();
  const store = options.store ?? new MemoryStore();
  const sockets = [];
  let ids = 0;
  const prefix = options.idPrefix ?? 'id';
  class Socket extends FakeSocket {
    constructor(url, protocols) {
      super(url, protocols);
      sockets.push(this);
    }
  }
  const client = new VartalapClient({
    url: 'ws://test', user: 'alice', device: 'd1', mirror: false, receipts: false, random: () => 0.5,
    uuid: () => { ids += 1; return `${prefix}${ids}`; }, ...options, clock, store, WebSocket: Socket,
  });
  const events = {};
  for (const name of ['state', 'open', 'message', 'status', 'removed', 'conversation', 'typing', 'pending', 'notification', 'error']) {
    events[name] = [];
    client.on(name, (payload) => events[name].push(payload));
  }
  return {
    client, clock, store, sockets, events,
    get socket() { return sockets[sockets.length - 1]; },
    async connect() {
      await client.connect();
      await settle();
      await sockets[sockets.length - 1].open();
      return sockets[sockets.length - 1];
    },
    async send(text, to = 'bob', more) {
      const message = await client.send(to, text, more);
      await settle();
      return message;
    },
    statusOf: (id) => events.status.filter((message) => message.id === id).map((message) => message.status),
  };
}

/** A store whose writes wait for release(), or fail while `failing`. */
export class GatedStore extends MemoryStore {
  failing = false;
  #gate = null;

  hold() {
    this.#gate = new Promise((resolve) => { this.release = resolve; });
  }

  async write(operations) {
    await this.#gate;
    if (this.failing) throw new Error('disk full');
    return super.write(operations);
  }
}
