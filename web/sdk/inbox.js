import { bodyText, clientAckFrame } from './frames.js';
import { conversationOf, messageKey } from './history.js';

const batchSize = 64;

/**
 * What the server sends, in its order: everything that waits is written to the store as one, and only then
 * acknowledged and shown. Repeats are dropped, and acknowledged again.
 */
export class Inbox {
  #context;
  #queue = [];
  #running = false;

  /** `context`: `{user, steps, history, receipts, outbox, clock, uuid, emit, send, storageFailed}`. */
  constructor(context) {
    this.#context = context;
  }

  receive(frame) {
    this.#queue.push(frame);
    if (!this.#running) this.#drain();
  }

  async #drain() {
    this.#running = true;
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, batchSize);
      await this.#store(batch);
    }
    this.#running = false;
  }

  async #store(batch) {
    try {
      await this.#context.steps.run((work) => this.#handle(work, batch));
    } catch (error) {
      // Nothing was written, so nothing is acknowledged: the server sends it again. What is wrong with one frame (or
      // too much for the disk) must not hold up the others.
      if (batch.length === 1) this.#context.storageFailed(error);
      else for (const frame of batch) await this.#store([frame]);
    }
  }

  async #handle(work, batch) {
    const serverIds = [];
    for (const frame of batch) {
      if (frame.type === 'ack') await this.#confirmed(work, frame);
      else if (frame.type === 'error') await this.#refused(work, frame);
      else await this.#delivered(work, frame);
      if (frame.type === 'delivery' && frame.serverId) serverIds.push(frame.serverId);
    }
    work.after(() => {
      if (serverIds.length === 0) return;
      this.#context.send(JSON.stringify(clientAckFrame({ id: this.#context.uuid(), serverIds })));
    });
  }

  async #confirmed(work, frame) {
    const entry = this.#context.outbox.get(frame.id);
    if (!entry) return;
    this.#settle(work, entry);
    if (entry.kind !== 'message') return;
    const status = frame.status === 'delivered' && !entry.group ? 'delivered' : 'sent';
    await this.#context.history.raiseStatus(work, entry.key, status, {
      serverId: frame.serverId, durability: frame.durability,
    });
  }

  async #refused(work, frame) {
    const { outbox, emit, history } = this.#context;
    const retried = frame.code === 'unavailable';
    const entry = outbox.get(frame.id);
    if (retried) {
      outbox.postpone(frame.id);
    } else if (entry) {
      this.#settle(work, entry);
      if (entry.kind === 'message') await history.fail(work, entry.key, { code: frame.code, message: frame.message });
    }
    work.after(() => emit('error', { id: frame.id, code: frame.code, message: frame.message, retried }));
  }

  #settle(work, entry) {
    const { outbox, emit } = this.#context;
    work.remove('outbox', entry.seq);
    work.after(() => {
      outbox.settle(entry.id);
      emit('pending', outbox.waiting);
    });
  }

  async #delivered(work, frame) {
    const key = messageKey(frame.from, frame.to, frame.id);
    if (await work.get('seen', key)) return;
    work.put('seen', key, { key, at: this.#context.clock.now() });
    const own = frame.from === this.#context.user && frame.to === this.#context.user;
    if (own && typeof frame.meta.mirrorTo === 'string') await this.#mirrored(work, frame);
    else if (frame.action === 'state') await this.#state(work, frame.from, frame.body);
    else if (frame.contentType === 'notification') work.after(() => this.#context.emit('notification', frame));
    else await this.#message(work, frame, key);
  }

  async #message(work, frame, key) {
    const { user, history, receipts, clock } = this.#context;
    const outgoing = frame.from === user;
    const message = {
      key, id: frame.id, from: frame.from, to: frame.to, kind: frame.kind, conversation: conversationOf(frame, user),
      seq: history.nextSeq(), text: bodyText(frame.body), outgoing, status: outgoing ? 'sent' : 'received',
      createdAt: frame.createdAt ?? clock.now(), serverId: frame.serverId,
    };
    await history.addMessage(work, message, clock.now());
    if (!outgoing) receipts.note(work, message, 'delivered');
  }

  async #state(work, from, body) {
    if (!Array.isArray(body?.ids) || !['delivered', 'read'].includes(body.state)) return;
    for (const id of body.ids.filter((value) => typeof value === 'string')) {
      const key = messageKey(this.#context.user, from, id);
      if (await this.#context.history.raiseStatus(work, key, body.state)) continue;
      // Perhaps written on another device, whose copy is still on its way here.
      const early = `state:${key}`;
      if ((await work.get('seen', early))?.state === 'read') continue;
      work.put('seen', early, { key: early, at: this.#context.clock.now(), state: body.state });
    }
  }

  /** Another device of this user sent something: a message to show as one's own, or a read receipt. */
  async #mirrored(work, frame) {
    const { user, history, clock } = this.#context;
    const { mirrorTo, mirrorId, mirrorKind } = frame.meta;
    const original = { kind: mirrorKind === 'group' ? 'group' : 'user', from: user, to: mirrorTo };
    const conversation = conversationOf(original, user);
    if (frame.action === 'state') {
      if (frame.body?.state === 'read') await this.#readElsewhere(work, conversation, mirrorTo, frame.body.ids);
      return;
    }
    const key = messageKey(user, mirrorTo, String(mirrorId));
    if (frame.action !== 'message' || await work.get('messages', key)) return;
    const early = await work.get('seen', `state:${key}`);
    await history.addMessage(work, {
      ...original, key, id: String(mirrorId), conversation, seq: history.nextSeq(), text: bodyText(frame.body),
      outgoing: true, status: early?.state ?? 'sent', createdAt: frame.createdAt ?? clock.now(), mirrored: true,
    }, clock.now());
  }

  async #readElsewhere(work, id, partner, ids) {
    const { history, user } = this.#context;
    const conversation = await work.get('conversations', id);
    if (!conversation || !Array.isArray(ids)) return;
    let { readSeq, unread } = conversation;
    for (const messageId of ids) {
      const message = await work.get('messages', messageKey(partner, user, String(messageId)));
      if (!message || message.seq <= conversation.readSeq) continue;
      readSeq = Math.max(readSeq, message.seq);
      unread = Math.max(0, unread - 1);
    }
    history.putConversation(work, { ...conversation, readSeq, unread });
  }
}
