import { byteLength } from './frames.js';

const resendAfter = 10_000;
const longestResend = 60_000;
const longestPause = 30_000;

/**
 * What was not confirmed yet, in the order in which it was written. Decides what goes to the socket and when:
 * everything again after a reconnect, in the original order, before anything new; on a live connection a frame again
 * not before 10 s. It keeps no store: entries come in when they are stored, and go when they are answered.
 *
 * Entry: `{seq, id, text, kind, key?}`; text is the frame exactly as it was sent the first time.
 */
export class Outbox {
  #send;
  #clock;
  #limit;
  /** id → entry, everything. */
  #entries = new Map();
  /** Entries to send, by seq. */
  #unsent = [];
  /** id → {entry, dueAt, tries}, sent on this connection. */
  #inFlight = new Map();
  #live = false;
  #pausedUntil = 0;
  #pauses = 0;
  #timer = null;

  /** `send(text) → bool`; `limit`: frames in flight at most. */
  constructor({ send, clock, limit = 128 }) {
    this.#send = send;
    this.#clock = clock;
    this.#limit = limit;
  }

  /** Replaces all entries by what the store holds. */
  load(entries) {
    this.#inFlight.clear();
    this.#entries = new Map(entries.map((entry) => [entry.id, entry]));
    this.#unsent = [...entries].sort((a, b) => a.seq - b.seq);
  }

  add(entry) {
    this.#entries.set(entry.id, entry);
    this.#enqueue(entry);
    this.#pump();
  }

  get(id) {
    return this.#entries.get(id);
  }

  /** Number of chat messages that wait for their confirmation. */
  get waiting() {
    let count = 0;
    for (const entry of this.#entries.values()) count += Number(entry.kind === 'message');
    return count;
  }

  opened() {
    this.#live = true;
    this.#pausedUntil = 0;
    this.#pauses = 0;
    this.#pump();
  }

  closed() {
    this.#live = false;
    this.#inFlight.clear();
    this.#unsent = [...this.#entries.values()].sort((a, b) => a.seq - b.seq);
    this.#disarm();
  }

  /** The server answered for good; returns the entry, or undefined for an unknown id. */
  settle(id) {
    const entry = this.#entries.get(id);
    if (!entry) return undefined;
    this.#entries.delete(id);
    if (!this.#inFlight.delete(id)) this.#unsent = this.#unsent.filter((other) => other !== entry);
    this.#pauses = 0;
    this.#pump();
    return entry;
  }

  /** The server cannot take it now: wait, then go on with it before everything that came later. */
  postpone(id) {
    const flight = this.#inFlight.get(id);
    if (!flight) return;
    this.#inFlight.delete(id);
    this.#enqueue(flight.entry);
    if (this.#pausedUntil <= this.#clock.now()) {
      this.#pausedUntil = this.#clock.now() + Math.min(longestPause, 1000 * 2 ** this.#pauses);
      this.#pauses = Math.min(this.#pauses + 1, 8);
    }
    this.#pump();
  }

  /** The largest frame in flight: what a close for size was about. */
  largestInFlight() {
    const entries = [...this.#inFlight.values()].map((flight) => flight.entry);
    return entries.sort((a, b) => byteLength(b.text) - byteLength(a.text))[0];
  }

  #enqueue(entry) {
    let at = this.#unsent.length;
    while (at > 0 && this.#unsent[at - 1].seq > entry.seq) at -= 1;
    this.#unsent.splice(at, 0, entry);
  }

  #pump() {
    if (!this.#live) return;
    const now = this.#clock.now();
    for (const flight of this.#inFlight.values()) {
      if (flight.dueAt <= now && this.#send(flight.entry.text)) {
        flight.tries += 1;
        flight.dueAt = now + Math.min(longestResend, resendAfter * 2 ** flight.tries);
      }
    }
    while (this.#pausedUntil <= now && this.#unsent.length > 0 && this.#inFlight.size < this.#limit) {
      if (!this.#send(this.#unsent[0].text)) break;
      const entry = this.#unsent.shift();
      this.#inFlight.set(entry.id, { entry, dueAt: now + resendAfter, tries: 0 });
    }
    this.#arm(now);
  }

  #arm(now) {
    this.#disarm();
    let next = this.#pausedUntil > now && this.#unsent.length > 0 ? this.#pausedUntil : Infinity;
    for (const flight of this.#inFlight.values()) next = Math.min(next, flight.dueAt);
    if (next === Infinity) return;
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = null;
      this.#pump();
    }, Math.max(1, next - now));
  }

  #disarm() {
    if (this.#timer !== null) this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }
}
