import { byId, el, paintAvatar } from './dom.js';
import { formatListTime } from './format.js';
import { pageAs } from './identity.js';

/** The list of conversations and the field that adds one. */
export class ContactList {
  #handlers;
  #list = byId('contacts');
  /** conversation id → its li */
  #items = new Map();

  /** `handlers`: `{user, onOpen(id), onAdd(name)}`; onAdd may throw an Error that is shown. */
  constructor(handlers) {
    this.#handlers = handlers;
    this.#listenToForm();
    this.#list.addEventListener('keydown', (event) => this.#arrow(event));
    const other = handlers.user === 'bob' ? 'alice' : 'bob';
    byId('suggest').textContent = `Chat with ${other}`;
    byId('suggest').addEventListener('click', () => handlers.onAdd(other));
    byId('suggest-window').textContent = `Open a window as ${other}`;
    byId('suggest-window').href = pageAs(other);
  }

  /** Shows `conversations`. Rows stay the same elements, so that focus and a click under way survive. */
  render(conversations, openId, typing) {
    const items = conversations.map((conversation) => {
      if (!this.#items.has(conversation.id)) this.#items.set(conversation.id, this.#item(conversation.id));
      const item = this.#items.get(conversation.id);
      this.#fill(item.firstElementChild, conversation, conversation.id === openId, typing.has(conversation.id));
      return item;
    });
    const focused = document.activeElement;
    if (items.some((item, at) => this.#list.children[at] !== item)) this.#list.replaceChildren(...items);
    if (this.#list.contains(focused)) focused.focus();
    byId('no-contacts').hidden = conversations.length > 0;
    this.#list.hidden = conversations.length === 0;
  }

  /** Moves the focus to a conversation, or to the field when it is not there. */
  focus(id) {
    const button = [...this.#list.querySelectorAll('button')].find((candidate) => candidate.dataset.id === id);
    (button ?? byId('add-name')).focus();
  }

  #item(id) {
    const button = el('button', { type: 'button', class: 'contact', 'data-id': id });
    button.addEventListener('click', () => this.#handlers.onOpen(id));
    return el('li', {}, button);
  }

  #fill(button, { name, kind, unread, lastText, lastOutgoing, lastTime, lastSeq }, open, typing) {
    const last = lastSeq === 0 ? 'No messages yet' : `${lastOutgoing ? 'You: ' : ''}${lastText}`;
    if (open) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
    button.replaceChildren(
      paintAvatar(el('span', { 'aria-hidden': 'true' }), name),
      el('span', { class: 'contact-name' }, kind === 'group' ? `${name} (group)` : name),
      el('span', { class: 'contact-time' }, lastSeq === 0 ? '' : formatListTime(lastTime)),
      el('span', { class: typing ? 'preview typing' : 'preview' }, typing ? 'typing…' : last),
      ...(unread === 0 ? [] : [this.#badge(unread)]));
  }

  #badge(unread) {
    return el('span', { class: 'badge' }, String(unread),
      el('span', { class: 'hidden' }, unread === 1 ? ' unread message' : ' unread messages'));
  }

  #listenToForm() {
    const input = byId('add-name');
    const problem = byId('add-problem');
    input.addEventListener('input', () => { problem.textContent = ''; });
    input.addEventListener('keydown', (event) => {
      if (event.key !== 'ArrowDown') return;
      event.preventDefault();
      this.#list.querySelector('button')?.focus();
    });
    byId('add-form').addEventListener('submit', async (event) => {
      event.preventDefault();
      try {
        await this.#handlers.onAdd(input.value.trim());
        input.value = '';
      } catch (error) {
        problem.textContent = error.message;
        input.focus();
      }
    });
  }

  #arrow(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    const buttons = [...this.#list.querySelectorAll('button')];
    const at = buttons.indexOf(document.activeElement);
    if (!(event.key in steps) || at < 0) return;
    event.preventDefault();
    const next = at + steps[event.key];
    if (next < 0) byId('add-name').focus();
    else buttons[Math.min(next, buttons.length - 1)].focus();
  }
}
