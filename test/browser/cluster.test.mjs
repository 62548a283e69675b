import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { launch, Window } from './pages.mjs';
import { Server } from './server.mjs';

let browser;

before(async () => { browser = await launch(); });
after(() => browser?.close());

/** A test with a cluster of three nodes and windows of its own, which are closed whatever happens. */
function scenario(name, body) {
  test(name, { timeout: 180_000 }, async () => {
    const windows = [];
    const nodes = await Server.startCluster(3);
    const open = async (node, options) => {
      windows.push(await Window.open(browser, node.origin, options));
      return windows.at(-1);
    };
    try {
      await body({ nodes, open });
      for (const window of windows.splice(0)) await window.close();
    } finally {
      await Promise.allSettled(windows.map((window) => window.context.close()));
      await Promise.all(nodes.map((node) => node.kill()));
      await nodes[0].stop();
    }
  });
}

async function pair(open, forAlice, forBob) {
  const alice = await open(forAlice, { user: 'alice' });
  const bob = await open(forBob, { user: 'bob' });
  await Promise.all([alice.connected(forAlice.name), bob.connected(forBob.name)]);
  await alice.openConversation('bob');
  await bob.openConversation('alice');
  return { alice, bob };
}

const copied = (window) => window.page.evaluate(() => navigator.serviceWorker.ready.then(() => {}));

scenario('people on different nodes chat, and each page says on which it is', async ({ nodes: [n1, n2], open }) => {
  const { alice, bob } = await pair(open, n1, n2);
  await alice.say('from n1');
  await bob.message('from n1').waitFor();
  await bob.say('from n2');
  await alice.message('from n2').waitFor();
  await Promise.all([alice.ticks('read'), bob.ticks('read')]);
  await alice.screenshot('cluster-wide');
});

scenario('page whose node is killed goes on with another, says so, and loses nothing', async ({ nodes: [n1, n2, n3], open }) => {
  const { alice, bob } = await pair(open, n1, n3);
  await alice.say('before');
  await alice.ticks('read');
  const killed = n1.kill();
  await alice.say('in between 0', 'in between 1');
  await killed;
  await alice.connected('n2');
  await alice.page.getByText('Moved from n1 to n2.', { exact: true }).first().waitFor();
  await alice.screenshot('cluster-moved-wide');
  await alice.page.emulateMedia({ colorScheme: 'dark' });
  await alice.screenshot('cluster-moved-wide-dark');
  await alice.page.locator('#announce-state', { hasText: 'Moved from n1 to n2.' }).waitFor({ state: 'attached' });
  await alice.page.getByRole('button', { name: 'Close', exact: true }).click();
  assert.equal(await alice.page.locator('#banner').isVisible(), false);
  await alice.say('after');
  await alice.ticks('read');
  await bob.say('answer');
  await alice.message('answer').waitFor();
  assert.deepEqual(await bob.texts('in'), ['before', 'in between 0', 'in between 1', 'after']);
});

scenario('page opens and connects while its own node is down', async ({ nodes: [n1, n2, n3], open }) => {
  const { alice, bob } = await pair(open, n1, n3);
  await copied(alice);
  await alice.page.waitForFunction(() => localStorage.getItem('vartalap.nodes') !== null);
  await n1.kill();
  await alice.page.reload();
  await alice.connected('n2');
  await alice.say('from a page whose server is away');
  await bob.message('from a page whose server is away').waitFor();
});

scenario('page of a node that ends in order comes to another when it was told to', async ({ nodes: [n1, n2], open }) => {
  const { alice, bob } = await pair(open, n1, n2);
  const ended = n1.kill('SIGTERM');
  await alice.connected('n2');
  await ended;
  await alice.say('here I am');
  await bob.message('here I am').waitFor();
});

test('page does not follow a list of nodes in which its own server is not', { timeout: 60_000 }, async () => {
  const server = await Server.start();
  // As a proxy of a development machine that passes everything on under its own address.
  const proxy = createServer(async (request, response) => {
    const answer = await fetch(server.origin + request.url);
    const body = Buffer.from(await answer.arrayBuffer());
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' }).end(body);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => { proxy.once('listening', resolve); });
  const window = await Window.open(browser, `http://127.0.0.1:${proxy.address().port}`, { user: 'alice' });
  try {
    const asked = window.page.waitForResponse((response) => response.url().endsWith('/nodes') && response.ok());
    await window.page.reload();
    await asked;
    await window.page.getByText('Connection lost.').first().waitFor();
    await window.page.locator('#connection', { hasText: /^Reconnecting/ }).waitFor();
  } finally {
    await window.context.close();
    proxy.close();
    proxy.closeAllConnections();
    await server.stop();
  }
});
