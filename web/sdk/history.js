const ranks = { queued: 0, failed: 0, sent: 1, delivered: 2, read: 3 };

/** The key of a message everywhere in the store, and that by which repeats are known. */
export function messageKey(from, to, id) {
  return JSON.stringify([from, to, id]);
}

/** The conversation in which a message between `user` and the others belongs. */
export function conversationOf({ kind, from, to }, user) {
  if (kind === 'group') return `group:${to}`;
  return `user:${from === user ? to : from}`;
}

/**
 * Messages and conversations as a person sees them. Every method that changes something takes the unit of work in
 * which it does so; events are emitted when that is written.
 *
 * Message: `{key, id, from, to, kind, conversation, seq, text, outgoing, status, createdAt, serverId, error?}`.
 * Conversation: `{id, kind, name, lastSeq, lastText, lastOutgoing, lastTime, unread, readSeq}`.
 */
export class History {
  #store;
  #emit;
  #conversations = new Map();
  #seq = 0;

  constructor({ store, emit }) {
    this.#store = store;
    this.#emit = emit;
  }

  async load() {
    const conversations = await this.#store.list('conversations');
    this.#conversations = new Map(conversations.map((conversation) => [conversation.id, conversation]));
    const [message] = await this.#store.list('messages', { index: 'bySeq', reverse: true, limit: 1 });
    const [entry] = await this.#store.list('outbox', { reverse: true, limit: 1 });
    this.#seq = Math.max(this.#seq, message?.seq ?? 0, entry?.seq ?? 0);
  }

  /** Numbers messages and outgoing frames in the order in which this device met them. */
  nextSeq() {
    this.#seq += 1;
    return this.#seq;
  }

  /** Conversations, the most recent first. */
  conversations() {
    return [...this.#conversations.values()].sort((a, b) => b.lastTime - a.lastTime || b.lastSeq - a.lastSeq);
  }

  /** At most `limit` messages before `before` (a seq), oldest first. */
  async messages(conversation, { before = Infinity, limit = 50 } = {}) {
    const rows = await this.#store.list('messages', {
      index: 'byConversation', lower: [conversation, 0], upper: [conversation, before], limit, reverse: true,
    });
    return rows.reverse();
  }

  /** Incoming messages of a conversation from seq `lower` on. */
  async incomingFrom(conversation, lower) {
    const rows = await this.#store.list('messages', {
      index: 'byConversation', lower: [conversation, lower], upper: [conversation, Infinity],
    });
    return rows.filter((message) => !message.outgoing);
  }

  async openConversation(work, { id, kind, name }, now) {
    const known = await work.get('conversations', id);
    if (known) return known;
    const conversation = {
      id, kind, name, lastSeq: 0, lastText: '', lastOutgoing: false, lastTime: now, unread: 0, readSeq: 0,
    };
    this.putConversation(work, conversation);
    return conversation;
  }

  putConversation(work, conversation) {
    work.put('conversations', conversation.id, conversation);
    work.after(() => {
      this.#conversations.set(conversation.id, conversation);
      this.#emit('conversation', conversation);
    });
  }

  async addMessage(work, message, now) {
    work.put('messages', message.key, message);
    work.after(() => this.#emit('message', message));
    const name = message.kind === 'group' || message.outgoing ? message.to : message.from;
    const conversation = await this.openConversation(
      work, { id: message.conversation, kind: message.kind, name }, now);
    this.putConversation(work, {
      ...conversation, lastSeq: message.seq, lastText: message.text, lastOutgoing: message.outgoing, lastTime: now,
      unread: conversation.unread + Number(!message.outgoing),
    });
  }

  /** Moves the status of an outgoing message forward, never back. Returns whether the message is known. */
  async raiseStatus(work, key, status, changes = {}) {
    const message = await work.get('messages', key);
    if (!message) return false;
    const newStatus = ranks[status] > ranks[message.status] ? status : message.status;
    const { error, ...rest } = message;
    this.#update(work, { ...rest, ...changes, status: newStatus, ...(newStatus === 'failed' && { error }) });
    return true;
  }

  /** The server refused the message for good. What was confirmed once stays confirmed. */
  async fail(work, key, error) {
    const message = await work.get('messages', key);
    if (message?.status === 'queued') this.#update(work, { ...message, status: 'failed', error });
  }

  /** Takes a failed message out of the history; returns it, or undefined when it has not failed. */
  async removeFailed(work, key) {
    const message = await work.get('messages', key);
    if (message?.status !== 'failed') return undefined;
    work.remove('messages', key);
    work.after(() => this.#emit('removed', message));
    return message;
  }

  #update(work, message) {
    work.put('messages', message.key, message);
    work.after(() => this.#emit('status', message));
  }
}
