import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch, phone, Window } from './pages.mjs';
import { Server } from './server.mjs';

const axeSource = await readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
let browser;

before(async () => { browser = await launch(); });
after(() => browser?.close());

/** A test with a server and windows of its own, which are closed whatever happens. */
function scenario(name, body) {
  test(name, { timeout: 180_000 }, async () => {
    const windows = [];
    const server = await Server.start();
    const open = async (options) => {
      windows.push(await Window.open(browser, server.origin, options));
      return windows.at(-1);
    };
    try {
      await body({ server, open });
      for (const window of windows.splice(0)) await window.close();
    } finally {
      await Promise.allSettled(windows.map((window) => window.context.close()));
      await server.stop();
    }
  });
}

async function pair(open) {
  const alice = await open({ user: 'alice' });
  const bob = await open({ user: 'bob' });
  await Promise.all([alice.connected(), bob.connected()]);
  await alice.openConversation('bob');
  await bob.openConversation('alice');
  return { alice, bob };
}

/** Violations that axe finds, one line each. */
async function violations({ page }) {
  await page.evaluate(axeSource);
  return page.evaluate(async () => {
    const { violations: found } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
    return found.map((rule) => `${rule.id}: ${rule.nodes.map((node) => node.html.slice(0, 120)).join(' | ')}`);
  });
}

scenario('page asks for a name, keeps it for the tab and in the address', async ({ open }) => {
  const window = await open();
  const { page } = window;
  await page.getByRole('heading', { name: 'Vartalap' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'name');
  for (const name of ['alice', 'bob']) {
    assert.equal(await page.getByRole('link', { name: `Open as ${name}` }).getAttribute('href'), `?user=${name}`);
  }
  await window.screenshot('first-wide');
  await page.keyboard.press('Enter');
  await page.getByText('A name is needed.').waitFor();
  await page.getByLabel('Your name').fill('server');
  await page.keyboard.press('Enter');
  await page.getByText('is reserved').waitFor();
  await page.getByLabel('Your name').fill('zoë & co');
  await page.keyboard.press('Enter');
  await window.connected();
  assert.equal(new URL(page.url()).searchParams.get('user'), 'zoë & co');
  await page.goto(window.origin);
  await page.getByRole('heading', { name: 'zoë & co' }).waitFor();
  await page.getByRole('button', { name: 'Change name' }).click();
  await page.getByLabel('Your name').waitFor();
});

scenario('two people chat: unread count, typing, ticks up to read, and text that stays text', async ({ open }) => {
  const alice = await open({ user: 'alice' });
  const bob = await open({ user: 'bob' });
  await Promise.all([alice.connected(), bob.connected()]);
  await alice.screenshot('empty-wide');
  await alice.page.getByRole('button', { name: 'Chat with bob' }).click();
  await alice.page.getByRole('heading', { name: 'Say hello to bob' }).waitFor();
  const markup = '<img src=x onerror="document.title=1"> & <b>bold</b>';
  await alice.say('hello bob', markup, 'two\nlines');
  await alice.ticks('delivered');
  await bob.page.getByRole('button', { name: /alice.*3 unread messages/ }).waitFor();
  assert.match(await bob.page.title(), /^\(3\) bob/);
  await bob.openConversation('alice');
  assert.deepEqual(await bob.texts('in'), ['hello bob', markup, 'two\nlines']);
  await alice.ticks('read');
  assert.equal(await bob.page.locator('.badge').count(), 0);
  await bob.page.getByLabel('Message to alice').pressSequentially('hi');
  await alice.page.getByText('bob is typing…').waitFor();
  await bob.page.keyboard.press('Enter');
  await alice.message('hi').waitFor();
  await alice.page.getByText('bob is typing…').waitFor({ state: 'hidden' });
  await alice.page.locator('#announce', { hasText: 'bob: hi' }).waitFor({ state: 'attached' });
  await bob.ticks('read');
  await alice.page.getByText('Today', { exact: true }).waitFor();
  await alice.screenshot('chat-wide');
  await alice.page.emulateMedia({ colorScheme: 'dark' });
  await alice.screenshot('chat-wide-dark');
});

scenario('conversation is complete, in order and without repeats after kill -9 with messages waiting', async ({ server, open }) => {
  const { alice, bob } = await pair(open);
  const said = Array.from({ length: 3 }, (_, n) => `together ${n}`);
  await alice.say(...said);
  await bob.message('together 2').waitFor();
  await bob.say('answer 0', 'answer 1');
  await alice.message('answer 1').waitFor();
  await alice.ticks('read');

  await bob.page.close();
  const waiting = Array.from({ length: 6 }, (_, n) => `waiting ${n}`);
  await alice.say(...waiting);
  await alice.ticks('sent', 'read');
  await server.kill();

  await alice.page.getByText('Connection lost.').first().waitFor();
  const offline = Array.from({ length: 5 }, (_, n) => `while down ${n}`);
  await alice.say(...offline);
  await alice.page.getByText('5 messages are kept and will be sent.').waitFor();
  assert.equal(await alice.message('while down 4').getAttribute('data-status'), 'queued');
  await alice.screenshot('server-down-wide');

  await server.restart();
  await alice.ticks('sent', 'read');
  await bob.newPage('/?user=bob');
  await bob.connected();
  await bob.openConversation('alice');
  await bob.message('while down 4').waitFor();
  await bob.say('answer 2');
  await alice.message('answer 2').waitFor();
  await alice.ticks('read');
  await bob.ticks('read');

  const fromAlice = [...said, ...waiting, ...offline];
  const fromBob = ['answer 0', 'answer 1', 'answer 2'];
  for (const [window, own, others] of [[alice, fromAlice, fromBob], [bob, fromBob, fromAlice]]) {
    assert.deepEqual(await window.texts('out'), own);
    assert.deepEqual(await window.texts('in'), others);
  }
});

scenario('conversation is complete when the node is killed in the middle of sending, again and again', async ({ server, open }) => {
  const { alice, bob } = await pair(open);
  const expected = [];
  for (let round = 0; round < 3; round += 1) {
    const texts = Array.from({ length: 8 }, (_, n) => `round ${round} message ${n}`);
    expected.push(...texts);
    await alice.say(...texts.slice(0, 4));
    const killed = server.kill();
    await alice.say(...texts.slice(4));
    await killed;
    await server.restart();
  }
  await alice.ticks('read');
  assert.deepEqual(await alice.texts('out'), expected);
  assert.deepEqual(await bob.texts('in'), expected);
});

scenario('unsent messages are kept over reloads of the page while the server is down', async ({ server, open }) => {
  const { alice, bob } = await pair(open);
  await alice.page.evaluate(() => navigator.serviceWorker.ready.then(() => {}));
  await server.kill();
  await alice.say('one', 'two');
  await alice.page.reload();
  await alice.message('two').waitFor();
  assert.deepEqual(await alice.texts('out'), ['one', 'two']);
  await alice.ticks('queued');
  await alice.say('three');
  await alice.page.reload();
  await alice.message('three').waitFor();
  await alice.page.getByText('3 messages are kept and will be sent.').waitFor();
  await server.restart();
  await alice.ticks('read');
  await bob.message('three').waitFor();
  assert.deepEqual(await bob.texts('in'), ['one', 'two', 'three']);
});

scenario('person who pulls the plug reads everything after putting it back', async ({ open }) => {
  const { alice, bob } = await pair(open);
  await bob.page.getByRole('button', { name: 'Disconnect for a while' }).click();
  await bob.page.getByText('You pulled the plug.').waitFor();
  await alice.say('a', 'b');
  await alice.ticks('sent');
  await bob.say('c');
  await bob.page.getByText('1 message is kept and will be sent.').waitFor();
  assert.equal(await bob.message('c').getAttribute('data-status'), 'queued');
  await bob.page.getByRole('button', { name: 'Connect again' }).click();
  await bob.connected();
  await Promise.all([alice.ticks('read'), bob.ticks('read')]);
  assert.deepEqual(await bob.texts('in'), ['a', 'b']);
  assert.deepEqual(await alice.texts('in'), ['c']);
});

scenario('second tab of the same device takes over, and the first says so and can take back', async ({ open }) => {
  const { alice, bob } = await pair(open);
  const first = alice.page;
  await alice.newPage('/?user=alice');
  await alice.connected();
  const dialog = first.getByRole('dialog', { name: 'Open in another window' });
  await dialog.waitFor();
  await first.keyboard.press('Escape');
  assert.equal(await dialog.isVisible(), true);
  assert.equal(await first.evaluate(() => document.activeElement.id), 'use-here');
  if (process.env.SCREENSHOTS) await first.screenshot({ path: `${process.env.SCREENSHOTS}/replaced-wide.png` });
  await alice.openConversation('bob');
  await alice.say('from the second tab');
  await bob.message('from the second tab').waitFor();
  const second = alice.page;
  await dialog.getByRole('button', { name: 'Use it here' }).click();
  await second.getByRole('dialog', { name: 'Open in another window' }).waitFor();
  alice.page = first;
  await alice.connected();
  await alice.message('from the second tab').waitFor();
  await bob.say('welcome back');
  await alice.message('welcome back').waitFor();
});

scenario('another device of the same user shows what was sent here, with its ticks', async ({ open }) => {
  const { alice, bob } = await pair(open);
  const elsewhere = await open({ user: 'alice' });
  await elsewhere.connected();
  await alice.say('on both devices');
  await alice.ticks('read');
  await elsewhere.openConversation('bob');
  await elsewhere.message('on both devices').waitFor();
  assert.deepEqual(await elsewhere.texts('out'), ['on both devices']);
  await bob.say('seen by both');
  await Promise.all([alice.message('seen by both').waitFor(), elsewhere.message('seen by both').waitFor()]);
  await elsewhere.ticks('read');
});

scenario('page works on a phone: list and conversation are two panes that switch', async ({ open }) => {
  const alice = await open({ user: 'alice', viewport: phone, hasTouch: true });
  const bob = await open({ user: 'bob' });
  await Promise.all([alice.connected(), bob.connected()]);
  await bob.openConversation('alice');
  await bob.say('are you on your phone?');
  const contact = alice.page.getByRole('button', { name: /bob/ }).filter({ hasText: 'are you' });
  await contact.waitFor();
  await alice.screenshot('list-phone');
  assert.equal(await alice.page.locator('.chat-pane').isVisible(), false);
  await contact.tap();
  await alice.say('yes, and this text is long enough to need more than one line of a narrow screen');
  assert.equal(await alice.page.locator('.list-pane').isVisible(), false);
  await alice.ticks('read');
  await alice.screenshot('chat-phone');
  await alice.page.emulateMedia({ colorScheme: 'dark' });
  await alice.screenshot('chat-phone-dark');
  const overflow = await alice.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
  const small = await alice.page.locator('button:visible').evaluateAll((buttons) => buttons
    .filter((button) => button.getBoundingClientRect().height < 40).map((button) => button.outerHTML));
  assert.deepEqual(small, [], 'buttons are large enough for a finger');
  await alice.page.getByRole('button', { name: 'Back to conversations' }).tap();
  await contact.or(alice.page.getByRole('button', { name: /bob/ })).first().waitFor();
  await alice.page.getByRole('button', { name: /^bob|bob/ }).first().tap();
  await alice.message('are you on your phone?').waitFor();
  await alice.page.goBack();
  await alice.page.locator('.list-pane').waitFor();
});

scenario('page is usable with the keyboard alone', async ({ open }) => {
  const bob = await open({ user: 'bob' });
  await bob.connected();
  const { page } = await open();
  const focus = () => page.evaluate(() => document.activeElement.id || document.activeElement.dataset.id);
  await page.getByLabel('Your name').waitFor();
  await page.keyboard.type('alice');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement.id === 'add-name');
  for (const name of ['carol', 'bob']) {
    await page.keyboard.type(name);
    await page.keyboard.press('Enter');
    await page.waitForFunction((partner) => document.activeElement.id === 'text'
      && document.getElementById('partner-name').textContent === partner, name);
    if (name === 'carol') {
      await page.keyboard.press('Escape');
      await page.waitForFunction(() => document.activeElement.dataset.id === 'user:carol');
      await page.keyboard.press('ArrowUp');
      assert.equal(await focus(), 'add-name');
    }
  }
  await page.keyboard.type('first line');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('second line');
  await page.keyboard.press('Enter');
  await bob.page.getByRole('button', { name: /alice.*1 unread message/ }).waitFor();
  assert.equal(await focus(), 'text');
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.activeElement.dataset.id === 'user:bob');
  assert.equal(await page.locator('#conversation').isVisible(), false);
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, 'solid', 'the focus can be seen');
  await page.keyboard.press('ArrowDown');
  assert.equal(await focus(), 'user:carol');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement.id === 'text');
  await page.keyboard.press('Tab');
  assert.equal(await focus(), 'send');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Shift+Tab');
  assert.equal(await focus(), 'log');
});

scenario('page has landmarks and labels, and axe finds nothing, in light and dark', async ({ server, open }) => {
  const first = await open();
  await first.page.getByLabel('Your name').waitFor();
  assert.deepEqual(await violations(first), []);
  const { alice, bob } = await pair(open);
  assert.deepEqual(await violations(alice), []);
  await alice.say('for the screen reader');
  await bob.say('answer');
  await alice.message('answer').waitFor();
  await alice.ticks('read');
  for (const [role, name] of [
    ['navigation', 'Conversations'], ['main', undefined], ['region', 'Messages with bob'], ['textbox', 'Message to bob'],
    ['button', 'Send'], ['list', 'Contacts'], ['region', 'bob'],
  ]) {
    assert.equal(await alice.page.getByRole(role, name && { name, exact: true }).count(), 1, `${role} ${name}`);
  }
  assert.equal((await alice.message('for the screen reader').textContent()).startsWith('You: '), true);
  await alice.message('for the screen reader').getByText('read', { exact: true }).waitFor({ state: 'attached' });
  for (const colorScheme of ['light', 'dark']) {
    await alice.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    assert.deepEqual(await violations(alice), []);
  }
  await server.kill();
  await alice.page.getByText('Connection lost.').first().waitFor();
  await alice.say('queued');
  for (const colorScheme of ['light', 'dark']) {
    await alice.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    assert.deepEqual(await violations(alice), []);
  }
  await alice.page.locator('#announce-state', { hasText: 'Connection lost. Reconnecting.' }).waitFor({ state: 'attached' });
});

scenario('browser that keeps nothing is told so, and chats all the same', async ({ open }) => {
  const bob = await open({ user: 'bob' });
  const window = await open();
  await window.page.addInitScript(() => { indexedDB.open = () => { throw new Error('not here'); }; });
  await window.page.goto(`${window.origin}/?user=alice`);
  await window.page.getByText('does not keep messages when the page is closed').waitFor();
  await window.page.getByRole('button', { name: 'Close', exact: true }).click();
  await window.openConversation('bob');
  await window.say('hello');
  await bob.openConversation('alice');
  await bob.message('hello').waitFor();
});

scenario('long history shows its end first and earlier messages on demand, in order', async ({ open }) => {
  const { alice, bob } = await pair(open);
  const texts = Array.from({ length: 130 }, (_, n) => `line ${n}`);
  await alice.page.evaluate(async (lines) => {
    const field = document.getElementById('text');
    for (const line of lines) {
      field.value = line;
      document.getElementById('composer').requestSubmit();
    }
  }, texts);
  await alice.ticks('read');
  assert.deepEqual(await bob.texts('in'), texts);
  await bob.page.reload();
  await bob.message('line 129').waitFor();
  assert.deepEqual(await bob.texts('in'), texts.slice(70));
  await bob.page.locator('#log').evaluate((log) => { log.scrollTop = 0; });
  await alice.say('while bob reads earlier ones');
  await bob.page.getByRole('button', { name: 'New messages' }).waitFor();
  await bob.page.getByRole('button', { name: 'Show earlier messages' }).click();
  await bob.message('line 10').waitFor();
  await bob.page.getByRole('button', { name: 'Show earlier messages' }).click();
  await bob.message('line 0').waitFor();
  assert.deepEqual(await bob.texts('in'), [...texts, 'while bob reads earlier ones']);
  await bob.page.getByRole('button', { name: 'New messages' }).click();
  await bob.page.getByRole('button', { name: 'New messages' }).waitFor({ state: 'hidden' });
});

scenario('store in the browser behaves as the one that the SDK is tested with', async ({ open }) => {
  const { page } = await open();
  const results = await page.evaluate(async () => {
    const { IndexedDbStore, MemoryStore } = await import('/sdk/index.js');
    const exercise = async (store) => {
      const seen = [];
      const message = (key, conversation, seq) => ({ table: 'messages', key, value: { key, conversation, seq } });
      await store.write([message('a', 'x', 3), message('b', 'x', 1), message('c', 'y', 2), message('d', 'x', 10)]);
      await store.write([{ table: 'outbox', key: 2, value: { seq: 2 } }, { table: 'outbox', key: 10, value: { seq: 10 } },
        { table: 'seen', key: 'k', value: { key: 'k', at: 5 } }, message('c', 'y', 4)]);
      const failed = await store.write([{ table: 'outbox', key: 7, value: { seq: 7, bad: () => {} } },
        { table: 'outbox', key: 2, value: undefined }]).then(() => 'written', () => 'refused');
      seen.push(failed, await store.get('messages', 'c'), await store.get('messages', 'none') ?? 'nothing');
      const conversation = { index: 'byConversation', lower: ['x', 0], upper: ['x', Infinity] };
      for (const [table, query] of [
        ['outbox', {}], ['outbox', { reverse: true, limit: 1 }], ['messages', { index: 'bySeq', reverse: true, limit: 2 }],
        ['messages', conversation], ['messages', { ...conversation, reverse: true, limit: 2 }],
        ['messages', { ...conversation, upper: ['x', 10] }], ['seen', { index: 'byTime', upper: 5 }],
        ['seen', { index: 'byTime', upper: 6 }],
      ]) seen.push(await store.list(table, query));
      await store.write([{ table: 'outbox', key: 2, value: undefined }]);
      seen.push(await store.list('outbox'));
      store.close();
      return seen;
    };
    const kept = await exercise(await IndexedDbStore.open('contract'));
    const again = await IndexedDbStore.open('contract');
    return { memory: await exercise(new MemoryStore()), kept, again: await again.list('outbox') };
  });
  assert.equal(results.memory[0], 'refused');
  assert.deepEqual(results.kept, results.memory);
  assert.deepEqual(results.again, [{ seq: 10 }]);
});
