import { stateFrame } from './frames.js';

const batchDelay = 200;
const idsPerFrame = 100;

/**
 * Tells senders that their messages were delivered or read: stored with the message that they are about, gathered for
 * a moment (a read overtakes the delivered of the same message), then sent like any message.
 */
export class Receipts {
  #steps;
  #enqueue;
  #context;
  #timer = null;
  #live = false;

  /**
   * `enqueue(work, frame, kind)` puts a frame into the outbox; `context`: `{user, clock, uuid, store, enabled}`.
   */
  constructor({ steps, enqueue, context }) {
    this.#steps = steps;
    this.#enqueue = enqueue;
    this.#context = context;
  }

  note(work, message, state) {
    if (!this.#context.enabled || message.kind === 'group' || message.from === this.#context.user) return;
    work.put('receipts', message.key, { key: message.key, partner: message.from, id: message.id, state });
    work.after(() => this.#schedule());
  }

  opened() {
    this.#live = true;
    this.#schedule();
  }

  closed() {
    this.#live = false;
    if (this.#timer !== null) this.#context.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #schedule() {
    if (!this.#live || this.#timer !== null) return;
    this.#timer = this.#context.clock.setTimeout(() => {
      this.#timer = null;
      this.#steps.run((work) => this.#flush(work)).catch((error) => this.#context.storageFailed(error));
    }, batchDelay);
  }

  async #flush(work) {
    const batches = new Map();
    for (const receipt of await this.#context.store.list('receipts')) {
      const name = JSON.stringify([receipt.partner, receipt.state]);
      if (!batches.has(name)) batches.set(name, []);
      batches.get(name).push(receipt);
    }
    const { user, uuid, clock } = this.#context;
    for (const receipts of batches.values()) {
      for (let at = 0; at < receipts.length; at += idsPerFrame) {
        const some = receipts.slice(at, at + idsPerFrame);
        this.#enqueue(work, stateFrame({
          id: uuid(), from: user, to: some[0].partner, ids: some.map((receipt) => receipt.id),
          state: some[0].state, createdAt: clock.now(),
        }), 'state');
        for (const receipt of some) work.remove('receipts', receipt.key);
      }
    }
  }
}
