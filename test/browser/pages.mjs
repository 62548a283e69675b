import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { chromium } from 'playwright-core';

const args = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];
export const wide = { width: 1280, height: 800 };
export const phone = { width: 390, height: 844 };

/** Starts the browser, with a profile folder that is new and goes with it. */
export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
}

/** A window of one person: a page in a context (a browser profile) and what a test does and sees there. */
export class Window {
  constructor(context, origin) {
    this.context = context;
    this.origin = origin;
    this.problems = [];
  }

  static async open(browser, origin, { user, viewport = wide, colorScheme = 'light', hasTouch = false } = {}) {
    const context = await browser.newContext({ viewport, colorScheme, hasTouch, locale: 'en-GB' });
    const window = new Window(context, origin);
    await window.newPage(user === undefined ? '/' : `/?user=${encodeURIComponent(user)}`);
    return window;
  }

  /** Another tab of the same browser profile; it becomes this window's page. */
  async newPage(address) {
    this.page = await this.context.newPage();
    this.page.setDefaultTimeout(30_000);
    this.page.on('pageerror', (error) => this.problems.push(String(error)));
    this.page.on('console', (message) => {
      // That the server is away is what some tests are about; everything else that is red is a defect.
      if (message.type() === 'error' && !/ERR_CONNECTION|WebSocket connection/.test(message.text())) {
        this.problems.push(message.text());
      }
    });
    await this.page.goto(this.origin + address);
    return this.page;
  }

  /** Waits until the page says so; with the name of a node where there are several. */
  connected(node) {
    const words = node ? `Connected to ${node}` : 'Connected';
    return this.page.locator('#connection', { hasText: new RegExp(`^${words}$`) }).waitFor();
  }

  async openConversation(name) {
    const contact = this.page.getByRole('list', { name: 'Contacts' }).getByRole('button', { name });
    if (await contact.count() > 0) await contact.click();
    else await this.addContact(name);
    await this.page.getByRole('heading', { name, exact: true }).waitFor();
  }

  async addContact(name) {
    await this.page.getByLabel('Start a conversation with').fill(name);
    await this.page.getByRole('button', { name: 'Add contact' }).click();
  }

  /** Writes and sends; resolves when the page shows the message. */
  async say(...texts) {
    for (const text of texts) {
      await this.page.getByRole('textbox', { name: /^Message to/ }).fill(text);
      await this.page.keyboard.press('Enter');
      await this.message(text).waitFor();
    }
  }

  message(text) {
    const body = this.page.locator('.text').getByText(text, { exact: true });
    return this.page.locator('#messages > .message', { has: body });
  }

  /** Waits until every own message has one of these states. */
  async ticks(...states) {
    await this.page.waitForFunction((wanted) => {
      const own = [...document.querySelectorAll('#messages > .out')];
      return own.length > 0 && own.every((element) => wanted.includes(element.dataset.status));
    }, states);
  }

  /** What the conversation shows, from top to bottom: own messages as they are, others' with their author. */
  texts(side) {
    return this.page.locator(`#messages > .${side} .text`).allTextContents();
  }

  async screenshot(name) {
    if (!process.env.SCREENSHOTS) return;
    await mkdir(process.env.SCREENSHOTS, { recursive: true });
    await this.page.screenshot({ path: path.join(process.env.SCREENSHOTS, `${name}.png`) });
  }

  async close() {
    await this.context.close();
    assert.deepEqual(this.problems, [], 'the page reported errors');
  }
}
