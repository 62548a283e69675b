import { announce, byId } from './dom.js';
import { plural } from './format.js';
import { leave } from './identity.js';

/** Says in words how the connection is, and what a person can do about it. */
export class StatusView {
  #client;
  #ticker = null;
  #action = null;
  #notice = '';
  #spoken = '';
  /** True from a lost connection until the next good one, through all attempts. */
  #lost = false;

  constructor(client) {
    this.#client = client;
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
    return view;
  }

  #kept() {
    const count = this.#client.pending;
    if (count === 0) return 'What you write now is kept and sent later.';
    return `${plural(count, 'message is', 'messages are')} kept and will be sent.`;
  }

  #describe(state) {
    const views = {
      idle: () => ({ mood: 'wait', short: 'Starting…' }),
      connecting: () => ({
        mood: 'wait', short: 'Connecting…', spoken: '', ...(this.#lost && { title: lostTitle(), text: this.#kept() }),
      }),
      connected: () => ({ mood: 'good', short: 'Connected' }),
      waiting: () => this.#waiting(state),
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

  #waiting(state) {
    const seconds = Math.max(0, Math.ceil((state.retryAt - Date.now()) / 1000));
    const when = seconds > 0 ? `Reconnecting in ${seconds} s…` : 'Reconnecting…';
    return {
      mood: 'wait', short: when, spoken: `${lostTitle()} Reconnecting.`, counting: true, title: lostTitle(),
      text: `${when} ${this.#kept()}`, actionWords: 'Try now', action: () => this.#client.checkNow(),
    };
  }
}

function lostTitle() {
  return navigator.onLine ? 'Connection lost.' : 'You are offline.';
}
