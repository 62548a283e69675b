/**
 * Reads and changes of one step, written to the store together at the end: a step sees its own changes, and nobody
 * sees half of them. Steps run one after another (see Steps), so read-modify-write needs no lock.
 */
class UnitOfWork {
  #store;
  #changes = new Map();
  #after = [];

  constructor(store) {
    this.#store = store;
  }

  async get(table, key) {
    const change = this.#changes.get(slot(table, key));
    return change ? change.value : this.#store.get(table, key);
  }

  put(table, key, value) {
    this.#changes.set(slot(table, key), { table, key, value });
  }

  remove(table, key) {
    this.put(table, key, undefined);
  }

  /** Runs `action` when everything of this step is written, and only then. */
  after(action) {
    this.#after.push(action);
  }

  async commit() {
    if (this.#changes.size > 0) await this.#store.write([...this.#changes.values()]);
    for (const action of this.#after) action();
  }
}

/** Runs steps one after another against a store. */
export class Steps {
  #store;
  #last = Promise.resolve();

  constructor(store) {
    this.#store = store;
  }

  /** Runs `step(work)`; resolves with its result when its changes are written, rejects when nothing was written. */
  run(step) {
    const result = this.#last.then(async () => {
      const work = new UnitOfWork(this.#store);
      const value = await step(work);
      await work.commit();
      return value;
    });
    this.#last = result.catch(() => {});
    return result;
  }
}

function slot(table, key) {
  return JSON.stringify([table, key]);
}
