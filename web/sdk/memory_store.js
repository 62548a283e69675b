/**
 * The store contract, kept in memory: for tests, for programs that keep nothing, and for browsers without IndexedDB.
 *
 * A store has the tables below. `write` is atomic: when its promise resolves, all of it will survive (as far as the
 * store survives); when it rejects, nothing was written. Keys are strings, numbers or arrays of these.
 */
export const schema = {
  outbox: { key: 'seq' },
  messages: { key: 'key', indexes: { bySeq: 'seq', byConversation: ['conversation', 'seq'] } },
  conversations: { key: 'id' },
  receipts: { key: 'key' },
  seen: { key: 'key', indexes: { byTime: 'at' } },
};

export class MemoryStore {
  #tables = new Map(Object.keys(schema).map((name) => [name, new Map()]));

  /** True when what is written outlives the page. */
  persistent = false;

  async get(table, key) {
    return clone(this.#tables.get(table).get(key));
  }

  /** Applies `[{table, key, value}]` as one; a value of undefined removes the key. */
  async write(operations) {
    for (const { table, key, value } of clone(operations)) {
      if (value === undefined) this.#tables.get(table).delete(key);
      else this.#tables.get(table).set(key, value);
    }
  }

  /**
   * Values in key order, or in the order of `index`, with lower <= key < upper; `reverse` takes them from the end
   * (and returns them in that order), at most `limit`.
   */
  async list(table, { index, lower, upper, limit = Infinity, reverse = false } = {}) {
    const path = index ? schema[table].indexes[index] : schema[table].key;
    const keyOf = (value) => (Array.isArray(path) ? path.map((name) => value[name]) : value[path]);
    const rows = [...this.#tables.get(table).values()].filter((value) => {
      const key = keyOf(value);
      return (lower === undefined || compare(key, lower) >= 0) && (upper === undefined || compare(key, upper) < 0);
    });
    rows.sort((a, b) => compare(keyOf(a), keyOf(b)));
    if (reverse) rows.reverse();
    return clone(rows.slice(0, limit));
  }

  close() {}
}

function clone(value) {
  return value === undefined ? undefined : structuredClone(value);
}

function compare(a, b) {
  if (Array.isArray(a)) {
    for (let i = 0; i < Math.min(a.length, b.length); i += 1) {
      const order = compare(a[i], b[i]);
      if (order !== 0) return order;
    }
    return a.length - b.length;
  }
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
  return a < b ? -1 : Number(a > b);
}
