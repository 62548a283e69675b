import { Connection } from './connection.js';
import { Emitter, systemClock } from './emitter.js';
import { checkMessageSize, checkName, messageFrame, mirrorFrame, readFrame, typingFrame } from './frames.js';
import { conversationOf, History, messageKey } from './history.js';
import { Inbox } from './inbox.js';
import { MemoryStore } from './memory_store.js';
import { Outbox } from './outbox.js';
import { Receipts } from './receipts.js';
import { Steps } from './unit_of_work.js';

const typingInterval = 3_000;
const rememberRepeats = 40 * 24 * 3600 * 1000;

/**
 * A Vartalap client: does a client's duties of the protocol, so that at-least-once from the server is exactly once
 * for the person. Runs in browsers, and in Node with a WebSocket class given.
 *
 * Events (`client.on(name, listener)`):
 * - `state` `{name, url?, retryAt?, code?, reason?}`: see Connection. `open` `{url}`: connected to this address.
 * - `message` a message that came, was sent here, or was sent on another device of this user.
 * - `status` the message whose status changed: queued, sent (the server answers for it), delivered, read, failed.
 * - `removed` a failed message that was discarded. `conversation` a new or changed conversation.
 * - `typing` `{conversation, from, typing}`. `pending` how many messages wait for the server's confirmation.
 * - `notification` any other notification (group changes, gaps), as a frame.
 * - `error` `{code, message, id?, retried?}`: an ERROR frame, or code `storage` when this device cannot keep things.
 */
export class VartalapClient extends Emitter {
  #options;
  #steps;
  #history;
  #outbox;
  #receipts;
  #inbox;
  #connection;
  #lastTyping = new Map();
  #loaded = null;

  /**
   * options: `url` (`ws://host:port`), or `urls`, those of several nodes of one cluster, the first to begin with: a
   * lost connection goes on with the next; `user`, `device`; `store` (default: memory only);
   * `getToken({renew}) → token or undefined`; `WebSocket`, `clock`, `random`, `uuid` (defaults: the platform's);
   * `probe(wsUrl)` (see Connection); `mirror` and `receipts` (default true); `maxContentBytes` (65,536).
   */
  constructor(options) {
    super();
    const urls = options.urls ?? [options.url];
    const problem = checkName(options.user) || checkUrls(urls);
    if (problem) throw new Error(problem);
    this.#options = {
      device: 'default', store: new MemoryStore(), WebSocket: globalThis.WebSocket, clock: systemClock,
      random: Math.random, uuid: () => crypto.randomUUID(), getToken: () => undefined, probe: async () => true,
      mirror: true, receipts: true, maxContentBytes: 65_536, ...options, urls,
    };
    this.#assemble();
  }

  get user() { return this.#options.user; }

  get device() { return this.#options.device; }

  get state() { return this.#connection.state; }

  /** Number of messages that the server has not confirmed yet. */
  get pending() { return this.#outbox.waiting; }

  /** Loads what the store holds, then connects and stays connected. Resolves when loaded. */
  async connect() {
    await this.load();
    this.#connection.start();
  }

  /** Loads what the store holds; connect() does it too. */
  load() {
    this.#loaded ??= this.#steps.run(async (work) => {
      const old = { index: 'byTime', upper: this.#options.clock.now() - rememberRepeats };
      for (const row of await this.#options.store.list('seen', old)) work.remove('seen', row.key);
      await this.#history.load();
      this.#outbox.load(await this.#options.store.list('outbox'));
      this.emit('pending', this.pending);
    });
    return this.#loaded;
  }

  /** Closes the connection; messages are kept and go out after the next connect(). */
  disconnect() {
    this.#connection.stop();
  }

  /** Disconnects and gives the store back. */
  close() {
    this.#connection.stop();
    this.#options.store.close();
  }

  /** The nodes of the cluster changed: connects to these from the next attempt on. */
  setUrls(urls) {
    const problem = checkUrls(urls);
    if (problem) throw new Error(problem);
    this.#connection.setUrls(urls);
  }

  /** The network or a person's attention came back: test the connection, or try again at once. */
  checkNow() {
    this.#connection.checkNow();
  }

  /**
   * Sends a text to a user (or with kind `group` to a group). Resolves with the message when it is kept on this
   * device (status queued); what becomes of it is told by `status` events. Rejects on a bad name, a text that is too
   * long, or when the store cannot keep it.
   */
  async send(to, text, { kind = 'user' } = {}) {
    const problem = checkName(to) || checkMessageSize(text, this.#options.maxContentBytes);
    if (problem) throw new Error(problem);
    await this.load();
    const { user, uuid, clock, mirror } = this.#options;
    const frame = messageFrame({ id: uuid(), from: user, to, kind, text, createdAt: clock.now() });
    return this.#steps.run(async (work) => {
      const key = messageKey(user, to, frame.id);
      const message = {
        key, id: frame.id, from: user, to, kind, conversation: conversationOf({ kind, from: user, to }, user),
        seq: this.#history.nextSeq(), text: frame.body.text, outgoing: true, status: 'queued',
        createdAt: frame.meta.createdAt,
      };
      // A message to oneself comes back to this device only from a server that counts it as an other device.
      if (to === user) work.put('seen', key, { key, at: clock.now() });
      await this.#history.addMessage(work, message, clock.now());
      this.#enqueue(work, frame, 'message', key);
      if (mirror && to !== user) this.#enqueue(work, mirrorFrame(frame, uuid()), 'mirror');
      return message;
    });
  }

  /** Sends a failed message anew, under a new id. */
  async retry(message) {
    const failed = await this.discard(message);
    return failed && this.send(failed.to, failed.text, { kind: failed.kind });
  }

  /** Removes a failed message from the history. */
  discard(message) {
    return this.#steps.run((work) => this.#history.removeFailed(work, message.key));
  }

  /** Tells `to` that the user is typing (at most once in 3 s) or stopped. */
  typing(to, { kind = 'user', typing = true } = {}) {
    const { clock, user, uuid } = this.#options;
    const now = clock.now();
    const last = this.#lastTyping.get(to) ?? -Infinity;
    if (typing ? now - last < typingInterval : last === -Infinity) return;
    const frame = typingFrame({ id: uuid(), from: user, to, kind, typing, createdAt: now });
    if (this.#connection.send(JSON.stringify(frame))) this.#lastTyping.set(to, typing ? now : -Infinity);
  }

  /** Makes sure that there is a conversation with this user (or group). */
  async addConversation(name, { kind = 'user' } = {}) {
    const problem = checkName(name);
    if (problem) throw new Error(problem);
    await this.load();
    return this.#steps.run((work) => this.#history.openConversation(
      work, { id: `${kind}:${name}`, kind, name }, this.#options.clock.now()));
  }

  /** Conversations, the most recent first. */
  conversations() {
    return this.#history.conversations();
  }

  /** At most `limit` messages of a conversation before the seq `before`, oldest first. */
  messages(conversation, { before, limit } = {}) {
    return this.#history.messages(conversation, { before, limit });
  }

  /** The user has seen everything of this conversation. */
  markRead(id) {
    return this.#steps.run(async (work) => {
      const conversation = await work.get('conversations', id);
      if (!conversation || conversation.unread === 0) return;
      const messages = await this.#history.incomingFrom(id, conversation.readSeq + 1);
      for (const message of messages) this.#receipts.note(work, message, 'read');
      const readSeq = Math.max(conversation.readSeq, ...messages.map((message) => message.seq));
      this.#history.putConversation(work, { ...conversation, readSeq, unread: 0 });
    });
  }

  #assemble() {
    const { store, clock, uuid, user, receipts, WebSocket, random, probe, urls } = this.#options;
    const emit = (name, payload) => this.emit(name, payload);
    const storageFailed = (error) => emit('error', { code: 'storage', message: String(error?.message ?? error) });
    this.#steps = new Steps(store);
    this.#history = new History({ store, emit });
    this.#connection = new Connection({
      urls, makeUrl: (url, renew) => this.#makeUrl(url, renew), protocols: ['vartalap.json'], WebSocket, clock, random,
      probe,
    });
    const send = (text) => this.#connection.send(text);
    this.#outbox = new Outbox({ send, clock });
    this.#receipts = new Receipts({
      steps: this.#steps, enqueue: (...args) => this.#enqueueState(...args),
      context: { user, clock, uuid, store, storageFailed, enabled: receipts },
    });
    this.#inbox = new Inbox({
      user, steps: this.#steps, history: this.#history, receipts: this.#receipts, outbox: this.#outbox, clock, uuid,
      emit, send, storageFailed,
    });
    this.#connection.on('state', (state) => emit('state', state));
    this.#connection.on('open', (open) => this.#opened(open));
    this.#connection.on('close', (close) => this.#closed(close));
    this.#connection.on('frame', (text) => this.#frame(text));
  }

  #opened(open) {
    this.#outbox.opened();
    this.#receipts.opened();
    this.emit('open', open);
  }

  #closed({ code }) {
    const culprit = code === 1009 ? this.#outbox.largestInFlight() : undefined;
    this.#outbox.closed();
    this.#receipts.closed();
    this.#lastTyping.clear();
    // Sent again it would end every connection of this device.
    const error = { type: 'error', code: 'too_large', message: 'larger than the server takes' };
    if (culprit) this.#inbox.receive({ ...error, id: culprit.id });
    // Another page of this device has the store now; read it anew before going on.
    if (code === 4009) this.#loaded = null;
  }

  #frame(text) {
    const frame = readFrame(text);
    if (!frame) return;
    if (frame.type !== 'delivery' || !frame.ephemeral) {
      this.#inbox.receive(frame);
    } else if (frame.action === 'typing' && frame.from !== this.user) {
      const conversation = conversationOf(frame, this.user);
      this.emit('typing', { conversation, from: frame.from, typing: frame.body?.typing !== false });
    } else {
      this.emit('notification', frame);
    }
  }

  #enqueue(work, frame, kind, key) {
    const entry = {
      seq: this.#history.nextSeq(), id: frame.id, text: JSON.stringify(frame), kind, key,
      group: frame.head.type === 'group',
    };
    work.put('outbox', entry.seq, entry);
    work.after(() => {
      this.#outbox.add(entry);
      if (kind === 'message') this.emit('pending', this.pending);
    });
  }

  /** A read receipt also tells one's other devices what has been read. */
  #enqueueState(work, frame) {
    this.#enqueue(work, frame, 'state');
    if (this.#options.mirror && frame.body.state === 'read') {
      this.#enqueue(work, mirrorFrame(frame, this.#options.uuid()), 'mirror');
    }
  }

  async #makeUrl(url, renew) {
    const { user, device, getToken } = this.#options;
    const token = await getToken({ renew });
    const query = new URLSearchParams({ user, device, ack: 'true', client_ack: 'true' });
    if (token) query.set('access_token', token);
    return `${url}/v1.0/wss/?${query}`;
  }
}

function checkUrls(urls) {
  const known = Array.isArray(urls) && urls.length > 0
    && urls.every((url) => typeof url === 'string' && /^wss?:\/\//.test(url));
  return known ? '' : 'The address of a server is needed, such as url: "wss://chat.example.org" (or urls: […]).';
}
