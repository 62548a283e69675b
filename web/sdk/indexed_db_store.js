import { schema } from './memory_store.js';

/** The store contract (see memory_store.js) on IndexedDB: what is written outlives the page and the browser. */
export class IndexedDbStore {
  #db;

  persistent = true;

  constructor(db) {
    this.#db = db;
    // Another page with a newer schema must not wait for this one.
    db.onversionchange = () => db.close();
  }

  /** Opens (and at first creates) the database `name`. Rejects where the browser has none to give. */
  static open(name, factory = globalThis.indexedDB) {
    return new Promise((resolve, reject) => {
      const request = factory.open(name, 1);
      request.onupgradeneeded = () => createTables(request.result);
      request.onsuccess = () => resolve(new IndexedDbStore(request.result));
      request.onerror = () => reject(request.error);
      request.onblocked = () => reject(new Error('another page holds the database'));
    });
  }

  get(table, key) {
    return settle(this.#db.transaction(table).objectStore(table).get(key));
  }

  write(operations) {
    if (operations.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const tables = [...new Set(operations.map((operation) => operation.table))];
      // Strict: the acknowledgement that follows says that this device has the message, also after a power cut.
      const transaction = this.#db.transaction(tables, 'readwrite', { durability: 'strict' });
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error('the transaction was aborted'));
      for (const { table, key, value } of operations) {
        if (value === undefined) transaction.objectStore(table).delete(key);
        else transaction.objectStore(table).put(value);
      }
    });
  }

  list(table, { index, lower, upper, limit = Infinity, reverse = false } = {}) {
    const store = this.#db.transaction(table).objectStore(table);
    const source = index ? store.index(index) : store;
    const request = source.openCursor(range(lower, upper), reverse ? 'prev' : 'next');
    return new Promise((resolve, reject) => {
      const rows = [];
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const cursor = request.result;
        if (!cursor || rows.length >= limit) return resolve(rows);
        rows.push(cursor.value);
        return cursor.continue();
      };
    });
  }

  close() {
    this.#db.close();
  }
}

function createTables(db) {
  for (const [name, { key, indexes = {} }] of Object.entries(schema)) {
    const table = db.createObjectStore(name, { keyPath: key });
    for (const [index, path] of Object.entries(indexes)) table.createIndex(index, path);
  }
}

function range(lower, upper) {
  if (lower !== undefined && upper !== undefined) return IDBKeyRange.bound(lower, upper, false, true);
  if (lower !== undefined) return IDBKeyRange.lowerBound(lower);
  return upper === undefined ? null : IDBKeyRange.upperBound(upper, true);
}

function settle(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
