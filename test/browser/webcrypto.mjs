// Node 18, which Debian 12 has, keeps Web Crypto in a module; browsers and
// later versions have it as a global.
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto;
