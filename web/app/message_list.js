import { el, icon } from './dom.js';
import { dayKey, formatDay, formatTime, refusalWords, statusWord } from './format.js';

const runGap = 5 * 60_000;

/** The messages of one conversation, oldest first, with day headings and runs of one sender drawn together. */
export class MessageList {
  #root;
  #handlers;
  /** key → {message, element}, in the order shown. */
  #shown = new Map();
  /** The message shown last. */
  #last = undefined;
  #names = false;

  /** `handlers`: `{onRetry(message), onDiscard(message)}` for messages that were refused. */
  constructor(root, handlers) {
    this.#root = root;
    this.#handlers = handlers;
  }

  get empty() { return this.#shown.size === 0; }

  get firstSeq() { return this.#shown.values().next().value?.message.seq; }

  clear() {
    this.#shown.clear();
    this.#last = undefined;
    this.#root.replaceChildren();
  }

  /** Whether incoming messages carry the sender's name (groups). */
  showNames(names) {
    this.#names = names;
  }

  append(message) {
    if (this.#shown.has(message.key)) {
      this.update(message);
      return;
    }
    this.#root.append(...this.#elements(message, this.#last));
    this.#last = message;
  }

  /** Puts older messages before those that are shown. */
  prepend(messages) {
    const all = [...messages, ...[...this.#shown.values()].map((shown) => shown.message)];
    this.clear();
    for (const message of all) this.append(message);
  }

  update(message) {
    const shown = this.#shown.get(message.key);
    if (!shown) return;
    shown.message = message;
    const { element } = shown;
    if (element.dataset.status === message.status) return;
    element.dataset.status = message.status;
    element.querySelector('.bubble-foot').replaceWith(this.#foot(message));
    element.querySelector('.refusal')?.remove();
    if (message.status === 'failed') element.append(this.#refusal(message));
  }

  remove(message) {
    this.#shown.get(message.key)?.element.remove();
    this.#shown.delete(message.key);
    if (this.#last?.key === message.key) this.#last = [...this.#shown.values()].pop()?.message;
  }

  /** The element of a message, after a day heading when its day differs from the one before. */
  #elements(message, before) {
    const newDay = !before || dayKey(before.createdAt) !== dayKey(message.createdAt);
    const sameRun = !newDay && before.from === message.from && message.createdAt - before.createdAt < runGap;
    const element = this.#bubble(message, sameRun);
    this.#shown.set(message.key, { message, element });
    return newDay ? [el('li', { class: 'day' }, el('span', {}, formatDay(message.createdAt))), element] : [element];
  }

  #bubble(message, sameRun) {
    const author = message.outgoing ? 'You' : message.from;
    const showName = this.#names && !message.outgoing && !sameRun;
    const element = el('li', {
      class: `message ${message.outgoing ? 'out' : 'in'}${sameRun ? ' run' : ''}`, 'data-id': message.id,
      'data-status': message.status,
    },
    el('div', { class: 'bubble' },
      el('span', { class: showName ? 'author' : 'hidden' }, showName ? author : `${author}: `),
      el('p', { class: 'text', dir: 'auto' }, message.text),
      this.#foot(message)));
    if (message.status === 'failed') element.append(this.#refusal(message));
    return element;
  }

  #foot(message) {
    const time = el('time', { dateTime: new Date(message.createdAt).toISOString() }, formatTime(message.createdAt));
    if (!message.outgoing) return el('span', { class: 'bubble-foot' }, time);
    const picture = message.status === 'read' ? 'delivered' : message.status;
    return el('span', { class: 'bubble-foot' }, time,
      el('span', { class: 'tick', title: statusWord(message.status) }, icon(picture),
        el('span', { class: 'hidden' }, ` ${statusWord(message.status)}`)));
  }

  #refusal(message) {
    const retry = el('button', { type: 'button', class: 'link' }, 'Try again');
    retry.addEventListener('click', () => this.#handlers.onRetry(message));
    const discard = el('button', { type: 'button', class: 'link' }, 'Delete');
    discard.addEventListener('click', () => this.#handlers.onDiscard(message));
    return el('p', { class: 'refusal' }, `Not sent: ${refusalWords(message.error)}. `, retry, ' ', discard);
  }
}
