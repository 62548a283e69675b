import { backoff } from './backoff.js';

const moveWithin = 300;

/** Servers that are as good as each other, and whose turn it is. */
export class Addresses {
  #urls;
  #at = 0;
  #random;

  constructor(urls, random) {
    this.#urls = [...urls];
    this.#random = random;
  }

  get current() { return this.#urls[this.#at]; }

  next() {
    this.#at = (this.#at + 1) % this.#urls.length;
  }

  /** Goes on with the address whose turn it is, if that is one of the new ones too. */
  replace(urls) {
    this.#at = Math.max(0, urls.indexOf(this.current));
    this.#urls = [...urls];
  }

  /**
   * Milliseconds between failure number `failures` (from 0) and the next address. Another server may well be there, so
   * it is asked almost at once (apart from everybody else who lost the same server); when all were asked, the wait
   * grows, so that each of them sees one attempt in it, as if it were the only one.
   */
  waitBefore(failures) {
    const asked = failures + 1;
    if (asked % this.#urls.length !== 0) return Math.round(moveWithin * this.#random());
    return backoff(asked / this.#urls.length - 1, this.#random);
  }
}
