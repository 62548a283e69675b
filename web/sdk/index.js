/** Public face of the client SDK; see ../README.md for how to use it. */
export { VartalapClient } from './client.js';
export { MemoryStore } from './memory_store.js';
export { IndexedDbStore } from './indexed_db_store.js';
export { checkName, checkMessageSize } from './frames.js';
