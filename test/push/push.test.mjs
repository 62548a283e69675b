import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Apns, Fcm, Webhook, WebPush, makeCertificate } from './providers.mjs';
import { Folder, Nodes, eventually } from './rig.mjs';

const apnsToken = 'ab'.repeat(32);

/** A test with servers, files and nodes of its own, which end whatever happens. */
function scenario(name, body) {
  test(name, { timeout: 120_000 }, async () => {
    const folder = await Folder.make();
    const running = [];
    let nodes;
    const keep = async (starting) => {
      running.push(await starting);
      return running.at(-1);
    };
    const start = async (lines, count) => {
      nodes = await Nodes.start(folder, lines, count);
      return nodes;
    };
    try {
      await body({ folder, keep, start });
    } catch (error) {
      error.message += `\n${nodes?.output.slice(-4000)}`;
      throw error;
    } finally {
      await nodes?.stop();
      await Promise.allSettled(running.map((each) => each.stop()));
      await folder.remove();
    }
  });
}

async function withWebhook({ folder, keep }, url) {
  const hook = await keep(Webhook.start());
  const secret = await folder.write('hook.secret', `${hook.secret}\n`);
  hook.lines = ['[push.webhook]', `url = "${url ?? hook.url}/wake?x=1"`, `secret_file = ${JSON.stringify(secret)}`];
  return hook;
}

async function withFcm({ folder, keep }) {
  const fcm = await keep(Fcm.start(folder));
  fcm.lines = ['[push.fcm]', `account_file = ${JSON.stringify(fcm.account)}`, `url = "${fcm.url}"`];
  return fcm;
}

async function withApns({ folder, keep }, alert) {
  const tls = await makeCertificate(folder);
  const apns = await keep(Apns.start(folder, tls));
  apns.lines = [
    `ca_file = ${JSON.stringify(tls.file)}`, '[push.apns]', `key_file = ${JSON.stringify(apns.file)}`,
    'key_id = "KEYID67890"', 'team_id = "TEAM567890"', 'topic = "org.example.chat"', `url = "${apns.url}"`,
    ...(alert === undefined ? [] : [`alert = "${alert}"`]),
  ];
  return apns;
}

async function withWebPush({ folder, keep }, allowed = true) {
  const tls = await makeCertificate(folder);
  const service = await keep(WebPush.start(folder, tls));
  service.lines = [
    `ca_file = ${JSON.stringify(tls.file)}`, '[push.webpush]', `key_file = ${JSON.stringify(service.file)}`,
    'subject = "mailto:ops@example.org"', `private_endpoints = ${allowed}`,
  ];
  return service;
}

scenario('webhook: one signed call a user, until the user has been back', async (with_) => {
  const hook = await withWebhook(with_);
  const nodes = await with_.start(hook.lines);
  await nodes.api('bob', 'PUT', '/devices/phone', {});
  await nodes.say('alice', 'bob', 'one');
  const { serverId } = await nodes.say('alice', 'bob', 'two');
  const first = JSON.parse((await hook.next()).body);
  assert.equal(first.event, 'offline');
  assert.equal(first.user, 'bob');
  assert.equal(first.pending, 2);
  assert.equal(first.serverId, serverId);
  assert.deepEqual(first.devices, ['phone']);
  assert.equal(first.message, undefined);
  await nodes.say('alice', 'bob', 'three');
  // A push of somebody else is the sign that none of bob's is on its way.
  await nodes.say('alice', 'eve', 'fence');
  assert.equal(JSON.parse((await hook.next()).body).user, 'eve');
  await nodes.fetchAll('bob', 'phone');
  await nodes.say('alice', 'bob', 'four');
  const second = JSON.parse((await hook.next()).body);
  assert.equal(second.user, 'bob');
  assert.notEqual(second.id, first.id);
  assert.equal(hook.unread, 0);
});

scenario('webhook: 5xx and silence are repeated as the same event, with the same id', async (with_) => {
  const hook = await withWebhook(with_);
  hook.answers = [{ status: 500 }, { status: 503 }, { status: 408 }];
  const nodes = await with_.start(hook.lines);
  await nodes.say('alice', 'bob', 'one');
  const calls = [await hook.next(), await hook.next(), await hook.next(), await hook.next()].map(({ body }) => JSON.parse(body));
  assert.deepEqual(calls.map(({ attempt }) => attempt), [0, 1, 2, 3]);
  assert.equal(new Set(calls.map(({ id }) => id)).size, 1);
  await eventually('counted', async () => await nodes.metric('push_delivered_total', 'provider="webhook"') === 1);
  assert.equal(await nodes.metric('push_retry_total', 'provider="webhook"'), 3);
});

scenario('webhook: 429 with Retry-After is kept to by all', async (with_) => {
  const hook = await withWebhook(with_);
  hook.answers = [{ status: 429, headers: { 'retry-after': '2' } }];
  const nodes = await with_.start(hook.lines);
  await nodes.say('alice', 'bob', 'one');
  const refused = await hook.next();
  await nodes.say('alice', 'eve', 'one');
  const after = [await hook.next(), await hook.next()];
  for (const { at } of after) assert.ok(at - refused.at >= 1900, `${at - refused.at} ms`);
});

scenario('webhook: what is refused for good is not repeated', async (with_) => {
  const hook = await withWebhook(with_);
  hook.answers = [{ status: 400 }];
  const nodes = await with_.start(hook.lines);
  await nodes.say('alice', 'bob', 'one');
  await hook.next();
  await eventually('counted', async () => await nodes.metric('push_rejected_total', 'provider="webhook"') === 1);
  assert.equal(await nodes.metric('push_queue'), 0);
});

scenario('a device that acknowledges first is not woken', async (with_) => {
  const hook = await withWebhook(with_);
  const nodes = await with_.start(['delay = "1s"', ...hook.lines]);
  await nodes.api('bob', 'PUT', '/devices/phone', {});
  await nodes.say('alice', 'bob', 'one');
  assert.equal((await nodes.fetchAll('bob', 'phone')).length, 1);
  await eventually('cancelled', async () => await nodes.metric('push_cancelled_total') === 1);
  await nodes.say('alice', 'eve', 'fence');
  assert.equal(JSON.parse((await hook.next()).body).user, 'eve');
  assert.equal(hook.unread, 0);
});

scenario('kill -9 loses no wake-up, and repeats none that was delivered', async (with_) => {
  const hook = await withWebhook(with_);
  hook.answers = [{ status: 204 }];
  const nodes = await with_.start(['retry_first = "2s"', 'retry_max = "2s"', ...hook.lines]);
  await nodes.say('alice', 'done', 'one');
  await hook.next();
  await eventually('counted', async () => await nodes.metric('push_delivered_total', 'provider="webhook"') === 1);
  hook.answers = [{ status: 503 }];
  await nodes.say('alice', 'tried', 'one');
  const tried = JSON.parse((await hook.next()).body);
  await eventually('counted', async () => await nodes.metric('push_retry_total', 'provider="webhook"') === 1);
  // Storage keeps order: once this is confirmed, the progress above is durable.
  await nodes.say('alice', 'fresh', 'one');
  await nodes.kill();
  await nodes.restart();
  const calls = [await hook.next(), await hook.next()].map(({ body }) => JSON.parse(body));
  const of = (user) => calls.find((each) => each.user === user);
  assert.equal(of('fresh').pending, 1);
  assert.equal(of('tried').id, tried.id);
  assert.equal(of('tried').attempt, 1);
  await nodes.say('alice', 'fence', 'one');
  assert.equal(JSON.parse((await hook.next()).body).user, 'fence');
  assert.equal(hook.unread, 0);
});

scenario('FCM: one access token for all, data as text, no content', async (with_) => {
  const fcm = await withFcm(with_);
  const nodes = await with_.start(fcm.lines);
  await nodes.register('bob', 'phone', 'fcm', 'fcm-token-bob');
  await nodes.api('eve', 'POST', '/login', { username: 'eve', notificationToken: 'fcm-token-eve', deviceId: 'default' });
  assert.equal(await nodes.platformOf('eve', 'default'), 'fcm');
  await nodes.say('alice', 'bob', 'secret words');
  await nodes.say('alice', 'eve', 'secret words');
  const sent = [await fcm.next(), await fcm.next()].map(({ body }) => JSON.parse(body).message);
  assert.deepEqual(sent.map(({ token }) => token).sort(), ['fcm-token-bob', 'fcm-token-eve']);
  for (const { data } of sent) {
    assert.equal(data.type, 'wake');
    assert.equal(data.pending, '1');
    assert.equal(data.message, undefined);
  }
  assert.equal(fcm.tokensGiven, 1);
});

scenario('FCM: a token that is gone is forgotten, another one stays', async (with_) => {
  const fcm = await withFcm(with_);
  fcm.answers = [{
    status: 404,
    body: JSON.stringify({ error: { code: 404, status: 'NOT_FOUND', details: [{ errorCode: 'UNREGISTERED' }] } }),
  }];
  const nodes = await with_.start(fcm.lines);
  await nodes.register('bob', 'phone', 'fcm', 'gone');
  await nodes.say('alice', 'bob', 'one');
  await fcm.next();
  await eventually('forgotten', async () => await nodes.platformOf('bob', 'phone') === undefined);
  assert.equal(await nodes.metric('push_tokens_dropped_total'), 1);
  // The app comes back with a new one, and is told what waits.
  await nodes.register('bob', 'phone', 'fcm', 'new');
  assert.equal(JSON.parse((await fcm.next()).body).message.token, 'new');
});

scenario('FCM: an access token that has ended is replaced at once', async (with_) => {
  const fcm = await withFcm(with_);
  const nodes = await with_.start(fcm.lines);
  await nodes.register('bob', 'phone', 'fcm', 't');
  await nodes.register('eve', 'phone', 'fcm', 't');
  await nodes.say('alice', 'bob', 'one');
  await fcm.next();
  fcm.tokensEnded = fcm.tokensGiven;
  await nodes.say('alice', 'eve', 'one');
  await fcm.next(); // 401
  await fcm.next();
  await eventually('counted', async () => await nodes.metric('push_delivered_total', 'provider="fcm"') === 2);
  assert.equal(await nodes.metric('push_retry_total', 'provider="fcm"'), 0);
  assert.equal(await nodes.metric('push_misconfigured_total', 'provider="fcm"'), 0);
});

scenario('FCM: Google not giving a token is repeated, or told to the operator', async (with_) => {
  const fcm = await withFcm(with_);
  fcm.refuseTokens = [{ status: 503 }, { status: 400, body: '{"error":"invalid_grant"}' }];
  const nodes = await with_.start(fcm.lines);
  await nodes.register('bob', 'phone', 'fcm', 't');
  await nodes.say('alice', 'bob', 'one');
  await eventually('told', () => nodes.output.includes('invalid_grant'));
  assert.equal(await nodes.metric('push_retry_total', 'provider="fcm"'), 1);
  assert.equal(await nodes.metric('push_misconfigured_total', 'provider="fcm"'), 1);
  assert.equal(await nodes.platformOf('bob', 'phone'), 'fcm');
});

scenario('Web Push: a browser decrypts what it is sent', async (with_) => {
  const service = await withWebPush(with_);
  const nodes = await with_.start(service.lines);
  const browser = service.subscribe();
  await nodes.register('bob', 'web', 'webpush', browser.subscription);
  assert.equal(await nodes.platformOf('bob', 'web'), 'webpush');
  const { serverId } = await nodes.say('alice', 'bob', 'one');
  const { plain } = await service.next();
  assert.deepEqual(plain, { type: 'wake', pending: 1, serverId });
});

scenario('Web Push: content where it is configured and fits, never over 4096 bytes', async (with_) => {
  const service = await withWebPush(with_);
  const nodes = await with_.start(['content = true', ...service.lines]);
  const browser = service.subscribe();
  await nodes.register('bob', 'web', 'webpush', browser.subscription);
  const { id } = await nodes.say('alice', 'bob', 'grüße');
  const { plain } = await service.next();
  assert.equal(plain.message.id, id);
  assert.equal(plain.message.head.from, 'alice');
  assert.equal(plain.message.body.text, 'grüße');
  const stored = await nodes.fetchAll('bob', 'web');
  assert.deepEqual(plain.message.body, stored[0].body);
  await nodes.say('alice', 'bob', 'x'.repeat(10_000));
  const big = await service.next();
  assert.equal(big.plain.message, undefined);
  assert.equal(big.plain.pending, 1);
});

scenario('Web Push: 410 forgets the subscription, 503 does not', async (with_) => {
  const service = await withWebPush(with_);
  service.answers = [{ status: 503 }, { status: 410 }];
  const nodes = await with_.start(service.lines);
  await nodes.register('bob', 'web', 'webpush', service.subscribe().subscription);
  await nodes.say('alice', 'bob', 'one');
  await service.next();
  assert.equal(await nodes.platformOf('bob', 'web'), 'webpush');
  await service.next();
  await eventually('forgotten', async () => await nodes.platformOf('bob', 'web') === undefined);
});

scenario('Web Push: a client cannot have the node call its neighbours', async (with_) => {
  const service = await withWebPush(with_, false);
  const nodes = await with_.start(service.lines);
  await nodes.register('bob', 'web', 'webpush', service.subscribe().subscription);
  await nodes.say('alice', 'bob', 'one');
  await eventually('tried', async () => await nodes.metric('push_retry_total', 'provider="webpush"') > 0);
  assert.equal(service.connections, 0);
});

scenario('APNs: HTTP/2, one connection, an alert with the provider token', async (with_) => {
  const apns = await withApns(with_);
  const nodes = await with_.start(apns.lines);
  for (const user of ['bob', 'eve', 'joe']) {
    await nodes.register(user, 'phone', 'apns', apnsToken);
    await nodes.say('alice', user, 'one');
  }
  const calls = [await apns.next(), await apns.next(), await apns.next()];
  assert.equal(JSON.parse(calls[0].body).aps.alert, 'New messages');
  assert.equal(new Set(calls.map(({ headers }) => headers.authorization)).size, 1);
  assert.equal(apns.connections, 1);
});

scenario('APNs: a silent push, where no alert is wanted', async (with_) => {
  const apns = await withApns(with_, '');
  const nodes = await with_.start(apns.lines);
  await nodes.register('bob', 'phone', 'apns', apnsToken);
  await nodes.say('alice', 'bob', 'one');
  assert.equal((await apns.next()).headers['apns-push-type'], 'background');
});

scenario('APNs: 429 and 500 are repeated, 403 is told to the operator, 410 forgets', async (with_) => {
  const apns = await withApns(with_);
  apns.answers = [
    { status: 429, body: '{"reason":"TooManyRequests"}' }, { status: 500, body: '{"reason":"InternalServerError"}' },
    { status: 410, body: '{"reason":"Unregistered","timestamp":1}' },
    { status: 403, body: '{"reason":"InvalidProviderToken"}' },
  ];
  const nodes = await with_.start(apns.lines);
  await nodes.register('bob', 'phone', 'apns', apnsToken);
  await nodes.say('alice', 'bob', 'one');
  for (let i = 0; i < 3; i += 1) await apns.next();
  await eventually('forgotten', async () => await nodes.platformOf('bob', 'phone') === undefined);
  await nodes.register('eve', 'phone', 'apns', apnsToken);
  await nodes.say('alice', 'eve', 'one');
  await apns.next();
  await eventually('told', () => nodes.output.includes('InvalidProviderToken'));
  assert.equal(await nodes.platformOf('eve', 'phone'), 'apns');
});

scenario('each device is woken by its own provider, and retried alone', async (with_) => {
  const [fcm, hook] = [await withFcm(with_), await withWebhook(with_)];
  fcm.answers = [{ status: 503 }];
  const nodes = await with_.start([...fcm.lines, ...hook.lines]);
  await nodes.register('bob', 'phone', 'fcm', 't1');
  await nodes.api('bob', 'PUT', '/devices/bare', {});
  await nodes.say('alice', 'bob', 'one');
  assert.deepEqual(JSON.parse((await hook.next()).body).devices.sort(), ['bare', 'phone']);
  await fcm.next();
  await fcm.next();
  await eventually('over', async () => await nodes.metric('push_queue') === 0);
  assert.equal(hook.unread, 0);
});

scenario('receipts and typing wake nobody', async (with_) => {
  const hook = await withWebhook(with_);
  const nodes = await with_.start(hook.lines);
  const frame = (head) => JSON.stringify({
    _v: 2.1, id: `n${head.contentType}`, head: { type: 'individual', to: 'bob', chatid: 'c', ...head }, body: { ids: ['x'], state: 'read' },
  });
  await nodes.api('alice', 'POST', '/messages?ack=true', [
    frame({ contentType: 'notification', action: 'state' }), frame({ contentType: 'text', action: 'typing', ephemeral: true }),
  ]);
  await nodes.say('alice', 'eve', 'fence');
  assert.equal(JSON.parse((await hook.next()).body).user, 'eve');
  assert.equal(hook.unread, 0);
});

scenario('no token, secret or content is in the log, at level debug', async (with_) => {
  const [fcm, hook] = [await withFcm(with_), await withWebhook(with_)];
  fcm.answers = [{ status: 400, body: '{"error":{"message":"fcm-token-bob is bad","status":"INVALID_ARGUMENT"}}' }];
  hook.answers = [{ status: 500 }];
  const nodes = await with_.start(['content = true', ...fcm.lines, ...hook.lines]);
  await nodes.register('bob', 'phone', 'fcm', 'fcm-token-bob');
  await nodes.say('alice', 'bob', 'secret words');
  await fcm.next();
  await hook.next();
  await hook.next();
  await eventually('logged', () => nodes.output.includes('INVALID_ARGUMENT'));
  for (const secret of ['fcm-token-bob', 'secret words', 'ya29', hook.secret, 'PRIVATE KEY']) {
    assert.ok(!nodes.output.includes(secret), secret);
  }
  assert.match(nodes.output, /push: user=bob device=phone fcm: rejected, status 400 INVALID_ARGUMENT/);
});

scenario('push targets are checked when they are registered', async (with_) => {
  const hook = await withWebhook(with_);
  const nodes = await with_.start(hook.lines);
  const put = async (body) => (await nodes.api('bob', 'PUT', '/devices/d', body)).status;
  for (const bad of [
    { platform: 'gcm', token: 'x' }, { platform: 'fcm' }, { platform: 'fcm', token: '' }, { platform: 'fcm', token: 'a b' },
    { platform: 'fcm', token: 'x'.repeat(3000) }, { platform: 'apns', token: 'xyz' }, { platform: 'apns', token: 'zz'.repeat(32) },
    { platform: 'webpush', token: '{}' }, { platform: 'webpush', token: { endpoint: 'file:///etc/passwd', keys: {} } }, { platform: 7 },
  ]) assert.equal(await put(bad), 400, JSON.stringify(bad));
  assert.equal(await put({ platform: 'fcm', token: 'x' }), 200);
  assert.equal(await nodes.platformOf('bob', 'd'), 'fcm');
  assert.equal(await put({}), 200); // says nothing about it
  assert.equal(await nodes.platformOf('bob', 'd'), 'fcm');
  assert.equal(await put({ platform: 'none' }), 200);
  assert.equal(await nodes.platformOf('bob', 'd'), undefined);
});

scenario('vartalap push test and push key', async (with_) => {
  const [service, hook] = [await withWebPush(with_), await withWebhook(with_)];
  hook.answers = [{ status: 500 }];
  const nodes = await with_.start([...service.lines, ...hook.lines]);
  const browser = service.subscribe();
  await nodes.register('bob', 'web', 'webpush', browser.subscription);
  const failed = await nodes.command('push', 'test', 'bob');
  assert.equal(failed.code, 1);
  assert.match(failed.out, /^:webhook +webhook +retry +status 500$/m);
  assert.match(failed.out, /^web +webpush +delivered +status 201$/m);
  assert.equal(JSON.parse((await hook.next()).body).event, 'test');
  assert.equal((await service.next()).plain.type, 'test');
  assert.equal((await nodes.command('push', 'test', 'bob')).code, 0);
  await service.next();
  const token = await nodes.command('push', 'test', '--platform', 'webpush', '--token', JSON.stringify(browser.subscription));
  assert.deepEqual([token.code, token.err], [0, '']);
  await service.next();
  const key = await nodes.command('push', 'key');
  assert.equal(Buffer.from(key.out.trim(), 'base64url').length, 65);
  assert.equal((await nodes.command('push', 'test', '--platform', 'fcm', '--token', 't')).code, 1);
  assert.equal((await nodes.command('push', 'test')).code, 2);
  // Without the administration's token nobody can have it done.
  const bare = await fetch(`http://127.0.0.1:${nodes.all[0].admin}/push/test?user=bob`, { method: 'POST' });
  assert.equal(bare.status, 401);
});

scenario('who is connected is not woken, until the connection dies unseen', async (with_) => {
  const hook = await withWebhook(with_);
  const nodes = await with_.start(hook.lines);
  const socket = await nodes.connectSilently('bob', 'phone');
  await nodes.say('alice', 'bob', 'one');
  await nodes.say('alice', 'eve', 'fence');
  assert.equal(JSON.parse((await hook.next()).body).user, 'eve');
  assert.equal(hook.unread, 0);
  socket.destroy();
  const told = JSON.parse((await hook.next()).body);
  assert.deepEqual([told.user, told.pending, told.devices], ['bob', 1, ['phone']]);
});

scenario('a device that never acknowledges is woken when the retries are over', async (with_) => {
  const hook = await withWebhook(with_);
  const nodes = await with_.start([...hook.lines, '[delivery]', 'ack_timeout = "100ms"', 'max_retries = 2']);
  await nodes.connectSilently('bob', 'phone');
  await nodes.say('alice', 'bob', 'one');
  assert.equal(JSON.parse((await hook.next()).body).user, 'bob');
});

scenario('a connection that a restart ended wakes its user only after restart_delay', async (with_) => {
  const hook = await withWebhook(with_);
  const nodes = await with_.start(['delay = "0s"', ...hook.lines]);
  await nodes.connectSilently('bob', 'phone');
  await nodes.say('alice', 'bob', 'one');
  await nodes.kill('n1', 'SIGTERM');
  assert.equal(hook.unread, 0);
  await nodes.restart();
  assert.equal(JSON.parse((await hook.next()).body).user, 'bob');
});

scenario('cluster: the home wakes its users, wherever their devices were registered', async (with_) => {
  const fcm = await withFcm(with_);
  const nodes = await with_.start(fcm.lines, 3);
  const users = Array.from({ length: 9 }, (_, index) => `user${index}`);
  for (const [index, user] of users.entries()) await nodes.register(user, 'phone', 'fcm', `token-${user}`, index % 3);
  for (const user of users) await nodes.say('alice', user, 'one');
  const told = [];
  for (const _ of users) told.push(JSON.parse((await fcm.next()).body).message.token);
  assert.deepEqual(told.sort(), users.map((user) => `token-${user}`));
  await nodes.register('fence', 'phone', 'fcm', 'fence');
  await nodes.say('alice', 'fence', 'one');
  assert.equal(JSON.parse((await fcm.next()).body).message.token, 'fence');
  assert.equal(fcm.unread, 0);
  const tests = await Promise.all(users.map((user) => nodes.command('push', 'test', user)));
  assert.deepEqual(tests.map(({ code }) => code), users.map(() => 0));
});

scenario('cluster: when the home dies, who takes over wakes its users', async (with_) => {
  const fcm = await withFcm(with_);
  fcm.success = 503;
  const nodes = await with_.start(['retry_first = "1h"', 'retry_max = "1h"', ...fcm.lines], 3);
  const users = Array.from({ length: 9 }, (_, index) => `user${index}`);
  for (const user of users) await nodes.register(user, 'phone', 'fcm', `token-${user}`);
  for (const user of users) await nodes.say('alice', user, 'one');
  for (const _ of users) await fcm.next();
  const events = [0, 1, 2].map((at) => nodes.metric('push_retry_total', 'provider="fcm"', at));
  const homes = await Promise.all(events);
  const busy = homes.indexOf(Math.max(...homes));
  fcm.success = 200;
  await nodes.kill(`n${busy + 1}`);
  const told = [];
  for (let i = 0; i < homes[busy]; i += 1) told.push(JSON.parse((await fcm.next(60_000)).body).message.token);
  assert.equal(new Set(told).size, homes[busy]);
});

scenario('cluster: a target whose home is gone is to be registered again, not refused', async (with_) => {
  const fcm = await withFcm(with_);
  const nodes = await with_.start(fcm.lines, 2);
  await nodes.kill('n2');
  const users = Array.from({ length: 12 }, (_, index) => `user${index}`);
  const answers = await Promise.all(users.map((user) => nodes.api(user, 'PUT', '/devices/phone', { platform: 'fcm', token: 't' })));
  const statuses = new Set(answers.map(({ status }) => status));
  assert.ok(statuses.has(503) && [...statuses].every((status) => status === 200 || status === 503), [...statuses].join());
  await nodes.restart('n2');
  for (const user of users) await nodes.register(user, 'phone', 'fcm', 't');
});

scenario('an end in order wakes nobody, and what waits is told by the next start', async (with_) => {
  const hook = await withWebhook(with_);
  const nodes = await with_.start(['delay = "1m"', ...hook.lines]);
  await nodes.say('alice', 'bob', 'one');
  await nodes.kill('n1', 'SIGTERM');
  assert.equal(hook.unread, 0);
  await nodes.restart();
  assert.equal(JSON.parse((await hook.next()).body).user, 'bob');
});
