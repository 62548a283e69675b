import { ContactList } from './contacts.js';
import { ConversationView } from './conversation.js';
import { announce, byId, paintAvatar } from './dom.js';
import { leave } from './identity.js';
import { plural } from './format.js';
import { StatusView } from './status.js';

const typingShown = 6_000;

/** The chat screen: brings the client's events to the views and the person's wishes to the client. */
export class Chat {
  #client;
  #contacts;
  #conversation;
  #status;
  #open = null;
  #typing = new Map();
  #scheduled = false;

  /** `keeps`: whether messages outlive the page; `nodes`: how the servers are called (see Nodes). */
  constructor(client, { keeps, nodes }) {
    this.#client = client;
    this.#contacts = new ContactList({
      user: client.user, onOpen: (id) => this.#go(id), onAdd: (name) => this.#add(name),
    });
    this.#conversation = new ConversationView(client, { onBack: () => this.#back() });
    this.#status = new StatusView(client, nodes);
    this.#listen();
    if (!keeps) this.#status.notice('This browser does not keep messages when the page is closed.');
    byId('kept').hidden = !keeps;
  }

  show() {
    byId('chat').hidden = false;
    paintAvatar(byId('my-avatar'), this.#client.user);
    byId('my-name').textContent = this.#client.user;
    this.#followHash();
    if (!this.#open) byId('add-name').focus();
  }

  /** There is news of the cluster's nodes. */
  nodesChanged() {
    this.#status.refresh();
  }

  #listen() {
    const client = this.#client;
    client.on('conversation', () => this.#refresh());
    client.on('message', (message) => this.#message(message));
    client.on('status', (message) => this.#conversation.update(message));
    client.on('removed', (message) => this.#conversation.remove(message));
    client.on('typing', (event) => this.#setTyping(event.conversation, event.typing ? event.from : null));
    client.on('notification', (frame) => this.#notification(frame));
    addEventListener('hashchange', () => this.#followHash());
    addEventListener('online', () => client.checkNow());
    addEventListener('offline', () => client.checkNow());
    addEventListener('focus', () => this.#markRead());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') client.checkNow();
      this.#markRead();
    });
    byId('leave').addEventListener('click', () => leave(client.user));
  }

  #message(message) {
    this.#setTyping(message.conversation, null);
    this.#conversation.add(message);
    if (!message.outgoing) announce(`${message.from}: ${message.text}`);
  }

  #notification(frame) {
    if (frame.from !== 'server' || frame.action !== 'gap') return;
    const count = Number(frame.body?.count ?? frame.meta.count ?? 0);
    this.#status.notice(`This device was away for long: ${plural(count, 'message was', 'messages were')} dropped.`);
  }

  #setTyping(conversation, from) {
    clearTimeout(this.#typing.get(conversation)?.timer);
    if (from === null) {
      if (!this.#typing.delete(conversation)) return;
    } else {
      const timer = setTimeout(() => this.#setTyping(conversation, null), typingShown);
      this.#typing.set(conversation, { from, timer });
    }
    this.#conversation.setTyping(conversation, from);
    this.#refresh();
  }

  /** Many events come in one go; the list is painted once for all of them. */
  #refresh() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#paint();
      this.#markRead();
    });
  }

  #paint() {
    const conversations = this.#client.conversations();
    this.#contacts.render(conversations, this.#open, this.#typing);
    byId('nothing-open-title').textContent = conversations.length > 0 ? 'Pick a conversation' : 'Start a conversation';
    byId('nothing-open-text').textContent = conversations.length > 0
      ? 'What you write is kept here until the server has it, and there until they have it.'
      : 'Add somebody on the left, by name. They need not be online.';
    const unread = conversations.reduce((sum, conversation) => sum + conversation.unread, 0);
    document.title = `${unread > 0 ? `(${unread}) ` : ''}${this.#client.user} · Vartalap`;
  }

  async #add(name) {
    if (name === this.#client.user) throw new Error('That is you.');
    const conversation = await this.#client.addConversation(name);
    this.#go(conversation.id);
  }

  #go(id) {
    const hash = `#${encodeURIComponent(id)}`;
    if (location.hash === hash) this.#followHash();
    else location.hash = hash;
  }

  #back() {
    const last = this.#open;
    history.replaceState(null, '', location.pathname + location.search);
    this.#followHash();
    this.#contacts.focus(last);
  }

  /** The open conversation is in the address, so that the browser's Back works as on a phone expected. */
  #followHash() {
    let id = '';
    try {
      id = decodeURIComponent(location.hash.slice(1));
    } catch {
      id = '';
    }
    const conversation = this.#client.conversations().find((candidate) => candidate.id === id);
    this.#open = conversation?.id ?? null;
    byId('chat').dataset.pane = conversation ? 'chat' : 'list';
    byId('nothing-open').hidden = Boolean(conversation);
    this.#conversation.open(conversation ?? null, this.#typing.get(id)?.from ?? null);
    this.#paint();
    this.#markRead();
  }

  #markRead() {
    const unread = this.#client.conversations().find((candidate) => candidate.id === this.#open)?.unread ?? 0;
    if (unread === 0 || document.visibilityState !== 'visible' || !document.hasFocus()) return;
    this.#client.markRead(this.#open);
  }
}
