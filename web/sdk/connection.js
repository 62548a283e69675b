import { Addresses } from './addresses.js';
import { backoff, closeAction } from './backoff.js';
import { Emitter } from './emitter.js';

const handshakeTimeout = 10_000;
const pingInterval = 25_000;
const pongTimeout = 10_000;
const stableAfter = 5_000;

/**
 * One WebSocket at a time, kept open: connects, notices silence, reconnects as the close-code table says, with the next
 * address where there are several.
 *
 * Events: `open` `{url}`, `frame` (text), `close`, and `state` with
 * `{name, url?, retryAt?, code?, reason?}`; name is one of idle, connecting, connected, waiting (next attempt at
 * retryAt), replaced, refused (the server found a defect in this client), unauthorized, paused. `url` is the address
 * that it is connected to, or that it tries now or next.
 */
export class Connection extends Emitter {
  state = { name: 'idle' };

  #options;
  #addresses;
  #socket = null;
  #attempt = 0;
  #lastHeard = 0;
  #timers = new Map();
  /** Counts sockets, so that what an abandoned one still says is not heard. */
  #generation = 0;
  /** Counts what makes an older answer about the credentials worthless: a start, a stop, an open connection. */
  #episode = 0;
  #renewToken = false;

  /**
   * options: `urls`, the addresses of servers that are as good as each other, the first to begin with;
   * `makeUrl(address, renewToken) → Promise<url>`, `protocols`, `WebSocket`, `clock`, `random`, and
   * `probe(url) → Promise<boolean>`: false when the server refuses this user's credentials.
   */
  constructor(options) {
    super();
    this.#options = options;
    this.#addresses = new Addresses(options.urls, options.random);
  }

  /** From now on these are the addresses; an open connection stays as it is. */
  setUrls(urls) {
    this.#addresses.replace(urls);
    if (this.state.name === 'waiting') this.#setState({ ...this.state, url: this.#addresses.current });
  }

  start() {
    if (this.#socket || this.#timers.has('retry') || this.state.name === 'connecting') return;
    this.#attempt = 0;
    this.#episode += 1;
    this.#open();
  }

  /** Closes and stays closed until start(). */
  stop() {
    this.#episode += 1;
    this.#abandon(1000);
    this.#setState({ name: 'paused' });
  }

  /** Something changed outside (network, visibility, a person's wish): look now instead of at the next timer. */
  checkNow() {
    if (this.state.name === 'waiting') {
      this.#clear('retry');
      this.#open();
    } else if (this.state.name === 'connected') {
      this.#ping();
    }
  }

  /** Hands `text` to the socket; false when there is none that is open. */
  send(text) {
    if (this.state.name !== 'connected') return false;
    this.#socket.send(text);
    return true;
  }

  async #open() {
    this.#generation += 1;
    const generation = this.#generation;
    const address = this.#addresses.current;
    this.#setState({ name: 'connecting', url: address });
    let url;
    let socket;
    try {
      url = await this.#options.makeUrl(address, this.#renewToken);
      if (generation !== this.#generation) return;
      socket = new this.#options.WebSocket(url, this.#options.protocols);
    } catch {
      // No server had a part in it: no reason to turn to another, nor to hurry.
      if (generation === this.#generation) this.#wait(backoff(this.#attempt, this.#options.random));
      return;
    }
    this.#renewToken = false;
    this.#socket = socket;
    const ifCurrent = (action) => (event) => {
      if (generation === this.#generation) action(event);
    };
    socket.onopen = ifCurrent(() => this.#opened(address));
    socket.onmessage = ifCurrent((event) => this.#heard(event.data));
    socket.onclose = ifCurrent((event) => this.#closed(event.code, event.reason, url));
    this.#arm('handshake', handshakeTimeout, () => this.#closed(1006, '', url));
  }

  #opened(url) {
    this.#episode += 1;
    this.#clear('handshake');
    this.#lastHeard = this.#options.clock.now();
    this.#arm('stable', stableAfter, () => { this.#attempt = 0; });
    this.#armPing(pingInterval);
    this.#setState({ name: 'connected', url });
    this.emit('open', { url });
  }

  #heard(data) {
    this.#lastHeard = this.#options.clock.now();
    this.#clear('pong');
    if (typeof data === 'string' && data !== 'pong') this.emit('frame', data);
  }

  #closed(code, reason, url) {
    const wasOpen = this.state.name === 'connected';
    this.#abandon();
    const { action, wait } = closeAction(code, reason);
    if (wasOpen) this.emit('close', { code, reason });
    if (action === 'replaced' || action === 'refused') {
      this.#setState({ name: action, code, reason });
    } else if (action === 'renew') {
      this.#renewToken = true;
      this.#wait(wait ?? backoff(this.#attempt, this.#options.random), { code, reason });
    } else {
      this.#waitForNext(wait, { code, reason });
      if (!wasOpen) this.#askWhy(url);
    }
  }

  /** A browser does not tell why a handshake failed: bad credentials are worth no second attempt, so ask. */
  async #askWhy(url) {
    const episode = this.#episode;
    const accepted = await this.#options.probe(url).catch(() => true);
    if (episode !== this.#episode || accepted) return;
    this.#abandon();
    this.#setState({ name: 'unauthorized' });
  }

  /** The next attempt goes to the next address: after `wait`, or as soon as is fair to the servers. */
  #waitForNext(wait, details) {
    const ms = wait ?? this.#addresses.waitBefore(this.#attempt);
    this.#addresses.next();
    this.#wait(ms, details);
  }

  #wait(ms, details = {}) {
    this.#attempt += 1;
    this.#arm('retry', ms, () => this.#open());
    this.#setState({ name: 'waiting', url: this.#addresses.current, retryAt: this.#options.clock.now() + ms, ...details });
  }

  #armPing(ms) {
    this.#arm('ping', ms, () => {
      const silent = this.#options.clock.now() - this.#lastHeard;
      if (silent >= pingInterval) this.#ping();
      this.#armPing(silent >= pingInterval ? pingInterval : pingInterval - silent);
    });
  }

  #ping() {
    if (this.#timers.has('pong')) return;
    this.#socket.send('ping');
    this.#arm('pong', pongTimeout, () => this.#closed(1006, 'no answer to a ping'));
  }

  /** Forgets the socket and every timer; a close event that comes later is not heard. */
  #abandon(code) {
    this.#generation += 1;
    for (const name of [...this.#timers.keys()]) this.#clear(name);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    const wasOpen = this.state.name === 'connected';
    socket.close(code);
    if (code === 1000 && wasOpen) this.emit('close', { code, reason: '' });
  }

  #setState(state) {
    this.state = state;
    this.emit('state', state);
  }

  #arm(name, ms, action) {
    this.#clear(name);
    this.#timers.set(name, this.#options.clock.setTimeout(() => {
      this.#timers.delete(name);
      action();
    }, ms));
  }

  #clear(name) {
    if (!this.#timers.has(name)) return;
    this.#options.clock.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}
