import { checkMessageSize } from '../sdk/index.js';
import { byId, paintAvatar } from './dom.js';
import { pageAs } from './identity.js';
import { MessageList } from './message_list.js';

const pageSize = 60;
const nearBottom = 80;

/** The open conversation: its messages and the field to write in. */
export class ConversationView {
  #client;
  #onBack;
  #conversation = null;
  #list;
  #log = byId('log');
  #text = byId('text');
  #drafts = new Map();
  /** Counts openings, so that messages loaded for an earlier one are not shown in a later. */
  #opening = 0;
  #missed = [];

  constructor(client, { onBack }) {
    this.#client = client;
    this.#onBack = onBack;
    this.#list = new MessageList(byId('messages'), {
      onRetry: (message) => client.retry(message), onDiscard: (message) => client.discard(message),
    });
    this.#listen();
  }

  /** Shows a conversation, or none when null. */
  async open(conversation, typingName) {
    const same = conversation?.id === this.#conversation?.id;
    byId('conversation').hidden = !conversation;
    if (same) {
      if (conversation) this.#focusText();
      return;
    }
    if (this.#conversation) this.#drafts.set(this.#conversation.id, this.#text.value);
    this.#conversation = conversation;
    this.#opening += 1;
    if (!conversation) return;
    this.#paintHeader(conversation);
    this.setTyping(conversation.id, typingName);
    this.#text.value = this.#drafts.get(conversation.id) ?? '';
    this.#grow();
    this.#problem('');
    await this.#load(conversation);
    this.#focusText();
  }

  add(message) {
    if (message.conversation !== this.#conversation?.id) return;
    if (this.#missed) {
      this.#missed.push(message);
      return;
    }
    const follow = message.outgoing || this.#atBottom();
    this.#list.append(message);
    byId('no-messages').hidden = true;
    if (follow) this.#scrollDown();
    else byId('jump').hidden = false;
  }

  update(message) {
    if (message.conversation !== this.#conversation?.id) return;
    this.#missed?.push(message);
    const follow = this.#atBottom();
    this.#list.update(message);
    if (follow) this.#scrollDown();
  }

  remove(message) {
    if (message.conversation !== this.#conversation?.id) return;
    this.#list.remove(message);
    this.#text.focus();
  }

  setTyping(conversation, name) {
    if (conversation !== this.#conversation?.id) return;
    const note = byId('partner-note');
    note.textContent = name === null ? this.#restingNote() : `${name} is typing…`;
    note.classList.toggle('typing', name !== null);
  }

  #restingNote() {
    return this.#conversation.kind === 'group' ? 'Group' : '';
  }

  #paintHeader({ name, kind }) {
    paintAvatar(byId('partner-avatar'), name);
    byId('partner-name').textContent = name;
    byId('text-label').textContent = `Message to ${name}`;
    this.#log.setAttribute('aria-label', `Messages with ${name}`);
    byId('no-messages-title').textContent = `Say hello to ${name}`;
    byId('no-messages').querySelector('p').hidden = kind === 'group';
    byId('no-messages-link').textContent = `open this page in a second window as ${name}`;
    byId('no-messages-link').href = pageAs(name);
  }

  async #load(conversation) {
    const opening = this.#opening;
    this.#missed = [];
    this.#list.clear();
    byId('jump').hidden = true;
    byId('earlier').hidden = true;
    byId('no-messages').hidden = true;
    const messages = await this.#client.messages(conversation.id, { limit: pageSize });
    if (opening !== this.#opening) return;
    this.#list.showNames(conversation.kind === 'group');
    for (const message of [...messages, ...this.#missed]) this.#list.append(message);
    this.#missed = null;
    byId('earlier').hidden = messages.length < pageSize;
    byId('no-messages').hidden = !this.#list.empty;
    this.#scrollDown();
  }

  async #loadEarlier() {
    const opening = this.#opening;
    const { id } = this.#conversation;
    const messages = await this.#client.messages(id, { before: this.#list.firstSeq, limit: pageSize });
    if (opening !== this.#opening) return;
    const fromBottom = this.#log.scrollHeight - this.#log.scrollTop;
    this.#list.prepend(messages);
    this.#log.scrollTop = this.#log.scrollHeight - fromBottom;
    byId('earlier').hidden = messages.length < pageSize;
    if (byId('earlier').hidden) this.#log.focus();
  }

  #listen() {
    byId('back').addEventListener('click', () => this.#onBack());
    byId('earlier').addEventListener('click', () => this.#loadEarlier());
    byId('jump').addEventListener('click', () => {
      this.#scrollDown();
      this.#text.focus();
    });
    this.#log.addEventListener('scroll', () => {
      if (this.#atBottom()) byId('jump').hidden = true;
    }, { passive: true });
    byId('conversation').addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.#onBack();
    });
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#text.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    this.#text.addEventListener('input', () => this.#written());
    new ResizeObserver(() => this.#grow()).observe(byId('composer'));
  }

  #written() {
    this.#grow();
    this.#problem('');
    const { name, kind } = this.#conversation;
    this.#client.typing(name, { kind, typing: this.#text.value !== '' });
  }

  async #send() {
    const text = this.#text.value.trim();
    const { name, kind } = this.#conversation;
    if (text === '') return;
    const problem = checkMessageSize(text, 65_536);
    this.#problem(problem);
    if (problem) return;
    // Cleared at once, so that nothing is sent twice and typing goes on; put back when it could not be kept.
    this.#text.value = '';
    this.#grow();
    this.#text.focus();
    try {
      await this.#client.send(name, text, { kind });
      this.#client.typing(name, { kind, typing: false });
    } catch (error) {
      if (this.#text.value === '') this.#text.value = text;
      this.#problem(`This browser could not keep the message: ${error.message}`);
    }
  }

  #problem(words) {
    byId('text-problem').textContent = words;
  }

  #focusText() {
    // A focused field opens the keyboard of a phone over what one came to read.
    if (matchMedia('(pointer: coarse)').matches) byId('partner-name').focus();
    else this.#text.focus();
  }

  #grow() {
    this.#text.style.height = 'auto';
    this.#text.style.height = `${Math.min(this.#text.scrollHeight, 160)}px`;
  }

  #atBottom() {
    return this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < nearBottom;
  }

  #scrollDown() {
    this.#log.scrollTop = this.#log.scrollHeight;
    byId('jump').hidden = true;
  }
}
