import { announce, byId } from './dom.js';
import { plural } from './format.js';
import { leave } from './identity.js';

const movedShown = 10_000;

/** Says in words how the connection is, and what a person can do about it. */
export class StatusView {
  #client;
  #nodes;
  #ticker = null;
  #action = null;
  #notice = '';
  #spoken = '';
  /** True from a lost connection until the next good one, through all attempts. */
  #lost = false;
  /** The address of the last good connection. */
  #last;
  /** Names of the nodes between which the chat moved, `{from, to}`, while the person is told. */
  #moved = null;

  constructor(client, nodes) {
    this.#client = client;
    this.#nodes = nodes;
    client.on('open', ({ url }) => this.#opened(url));
    client.on('state', () => this.#paint());
    client.on('pending', () => this.#paint());
    client.on('error', (error) => this.#error(error));
    byId('banner-action').addEventListener('click', () => this.#action?.());
    byId('plug').addEventListener('click', () => this.#togglePlug());
    byId('use-here').addEventListener('click', () => location.reload());
    byId('replaced-leave').addEventListener('click', () => leave(client.user));
    // The window that took over is the truth; closing the dialog would leave a page that only looks alive.
    byId('replaced').addEventListener('cancel', (event) => event.preventDefault());
    addEventListener('online', () => this.#paint());
    addEventListener('offline', () => this.#paint());
    this.#paint();
  }

  /** Shows `words` until the person has read them. */
  notice(words) {
    this.#notice = words;
    this.#paint();
  }

  /** The names of nodes may have changed. */
  refresh() {
    this.#paint();
  }

  #opened(url) {
    const [from, to] = [this.#nodes.nameOf(this.#last), this.#nodes.nameOf(url)];
    this.#last = url;
    if (!from || !to || from === to) return;
    const moved = { from, to };
    this.#moved = moved;
    announce(movedTitle(moved), 'announce-state');
    this.#paint();
    setTimeout(() => this.#hide(moved), movedShown);
  }

  #hide(moved) {
    if (this.#moved !== moved) return;
    this.#moved = null;
    this.#paint();
  }

  #error(error) {
    if (error.code === 'storage') this.notice(`This browser cannot keep messages at the moment (${error.message}).`);
  }

  #togglePlug() {
    if (this.#client.state.name === 'paused') this.#client.connect();
    else this.#client.disconnect();
  }

  #paint() {
    const { state } = this.#client;
    clearTimeout(this.#ticker);
    if (state.name === 'waiting') this.#lost = true;
    else if (state.name !== 'connecting') this.#lost = false;
    const view = this.#describe(state);
    byId('connection').dataset.state = view.mood;
    byId('connection-text').textContent = view.short;
    byId('plug').setAttribute('aria-pressed', String(state.name === 'paused'));
    this.#banner(view.title ? view : this.#noticeView(view));
    this.#speak(view.spoken ?? view.short);
    const dialog = byId('replaced');
    if (state.name === 'replaced' && !dialog.open) dialog.showModal();
    if (view.counting) this.#ticker = setTimeout(() => this.#paint(), 250);
  }

  /** A screen reader hears each change once, not every second of a countdown or every attempt. */
  #speak(words) {
    if (words === this.#spoken || words === '') return;
    this.#spoken = words;
    announce(words, 'announce-state');
  }

  #banner({ title, text, action, actionWords, mood }) {
    byId('banner').hidden = !title;
    byId('banner').dataset.state = mood;
    if (!title) return;
    byId('banner-title').textContent = title;
    byId('banner-text').textContent = text;
    byId('banner-action').hidden = !action;
    byId('banner-action').textContent = actionWords ?? '';
    this.#action = action;
  }

  #noticeView(view) {
    if (this.#notice) {
      return { title: 'Please note.', text: this.#notice, mood: 'wait', actionWords: 'Close', action: () => this.notice('') };
    }
    if (view.mood === 'good' && this.#moved) {
      const moved = this.#moved;
      return {
        title: movedTitle(moved), text: `The connection to ${moved.from} ended; this chat goes on over ${moved.to}.`,
        mood: 'good', actionWords: 'Close', action: () => this.#hide(moved),
      };
    }
    return view;
  }

  #kept() {
    const count = this.#client.pending;
    if (count === 0) return 'What you write now is kept and sent later.';
    return `${plural(count, 'message is', 'messages are')} kept and will be sent.`;
  }

  #describe(state) {
    const node = this.#nodes.nameOf(state.url);
    const views = {
      idle: () => ({ mood: 'wait', short: 'Starting…' }),
      connecting: () => ({
        mood: 'wait', short: node ? `Connecting to ${node}…` : 'Connecting…', spoken: '',
        ...(this.#lost && { title: this.#lostTitle(), text: this.#kept() }),
      }),
      connected: () => ({ mood: 'good', short: node ? `Connected to ${node}` : 'Connected' }),
      waiting: () => this.#waiting(state, node),
      paused: () => ({
        mood: 'off', short: 'Disconnected by you', title: 'You pulled the plug.', text: this.#kept(),
        actionWords: 'Connect again', action: () => this.#client.connect(),
      }),
      replaced: () => ({ mood: 'off', short: 'Open in another window' }),
      refused: () => ({
        mood: 'bad', short: 'Stopped', title: 'The server closed the connection for good',
        text: `(code ${state.code}${state.reason ? `, ${state.reason}` : ''}). Your messages are kept.`,
        actionWords: 'Load the page again', action: () => location.reload(),
      }),
      unauthorized: () => ({
        mood: 'bad', short: 'Not accepted', title: 'The server does not accept this name.',
        text: 'It may ask for an access token.', actionWords: 'Change name', action: () => leave(this.#client.user),
      }),
    };
    return views[state.name]();
  }

  #waiting(state, node) {
    const seconds = Math.max(0, Math.ceil((state.retryAt - Date.now()) / 1000));
    const trying = node ? `Trying ${node}` : 'Reconnecting';
    const when = seconds > 0 ? `${trying} in ${seconds} s…` : `${trying}…`;
    return {
      mood: 'wait', short: when, spoken: `${this.#lostTitle()} Reconnecting.`, counting: true, title: this.#lostTitle(),
      text: `${when} ${this.#kept()}`, actionWords: 'Try now', action: () => this.#client.checkNow(),
    };
  }

  #lostTitle() {
    if (!navigator.onLine) return 'You are offline.';
    const node = this.#nodes.nameOf(this.#last);
    return node ? `Connection to ${node} lost.` : 'Connection lost.';
  }
}

function movedTitle({ from, to }) {
  return `Moved from ${from} to ${to}.`;
}
