import assert from 'node:assert/strict';
import * as crypto from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import path from 'node:path';
import { run } from './rig.mjs';

const json = (body) => JSON.parse(body.toString('utf8'));

/** A certificate for 127.0.0.1 that is its own authority. */
export async function makeCertificate(folder) {
  const key = path.join(folder.path, 'tls.key');
  const cert = path.join(folder.path, 'tls.crt');
  await run('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=push',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert,
  ]);
  return { file: cert, key: await readFile(key), cert: await readFile(cert) };
}

/** A provider that checks every request as its documents have it, and answers as it is told to. */
class Provider {
  #requests = [];
  #waiting = [];
  answers = []; // of the next requests: { status, headers, body }
  connections = 0;
  problems = [];

  async listen(server, scheme) {
    this.server = server;
    server.on(scheme === 'https' ? 'secureConnection' : 'connection', () => { this.connections += 1; });
    server.on('request', (request, response) => this.#take(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.url = `${scheme}://127.0.0.1:${server.address().port}`;
    return this;
  }

  #take(request, response) {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const seen = {
        method: request.method, path: request.url, headers: request.headers, version: request.httpVersion,
        body: Buffer.concat(parts), at: Date.now(),
      };
      let answer;
      try {
        answer = this.check(seen) ?? this.answers.shift() ?? { status: this.success };
      } catch (error) {
        this.problems.push(error);
        answer = { status: 400, body: JSON.stringify({ reason: 'CheckFailed' }) };
      }
      response.writeHead(answer.status, answer.headers ?? {});
      response.end(answer.body ?? '');
      if (seen.internal) return;
      const next = this.#waiting.shift();
      if (next) next(seen);
      else this.#requests.push(seen);
    });
  }

  /** The next request, checked; fails the test if a check did. */
  async next(patience = 20_000) {
    const timer = AbortSignal.timeout(patience);
    const seen = this.#requests.shift() ?? await Promise.race([
      new Promise((resolve) => { this.#waiting.push(resolve); }),
      once(timer, 'abort').then(() => { throw this.problems[0] ?? new Error('no request came'); }),
    ]);
    assert.deepEqual(this.problems, []);
    return seen;
  }

  /** Requests that nobody has asked for yet. */
  get unread() {
    return this.#requests.length;
  }

  stop() {
    this.server.closeAllConnections?.();
    return new Promise((resolve) => { this.server.close(resolve); });
  }
}

export class Webhook extends Provider {
  success = 204;
  secret = crypto.randomBytes(32).toString('hex');
  #seen = new Set();

  static start() {
    return new Webhook().listen(http.createServer(), 'http');
  }

  /** As docs/push.md tells receivers to. */
  check({ method, headers, body }) {
    assert.equal(method, 'POST');
    assert.equal(headers['content-type'], 'application/json');
    const at = headers['vartalap-timestamp'];
    const signature = headers['vartalap-signature'];
    assert.ok(Math.abs(Date.now() / 1000 - Number(at)) < 300, 'too old');
    const wanted = `v1=${crypto.createHmac('sha256', this.secret).update(`${at}.`).update(body).digest('hex')}`;
    assert.equal(signature, wanted);
    const what = json(body);
    assert.equal(what.id, headers['vartalap-event-id']);
    const once = `${what.id}/${what.attempt}/${what.event}/${what.at}`;
    assert.ok(!this.#seen.has(once), 'a replay');
    this.#seen.add(once);
  }
}

function takeApart(token) {
  const [head, claims, signature] = token.split('.');
  const read = (part) => JSON.parse(Buffer.from(part, 'base64url'));
  return {
    head: read(head), claims: read(claims), signed: `${head}.${claims}`, signature: Buffer.from(signature, 'base64url'),
  };
}

export class Fcm extends Provider {
  success = 200;
  tokensGiven = 0;
  tokensEnded = 0; // up to this one
  refuseTokens = [];

  static async start(folder) {
    const fcm = new Fcm();
    await fcm.listen(http.createServer(), 'http');
    const { publicKey, privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
    fcm.publicKey = publicKey;
    fcm.privateText = privateKey.export({ type: 'pkcs8', format: 'pem' });
    fcm.account = await folder.write('account.json', JSON.stringify({
      type: 'service_account', project_id: 'chat-1', private_key_id: 'k', private_key: fcm.privateText,
      client_email: 'push@chat-1.example', token_uri: `${fcm.url}/token`,
    }));
    return fcm;
  }

  check(seen) {
    assert.equal(seen.method, 'POST');
    if (seen.path === '/token') {
      seen.internal = true;
      return this.#giveToken(seen);
    }
    assert.equal(seen.path, '/v1/projects/chat-1/messages:send');
    assert.equal(seen.headers['content-type'], 'application/json');
    const number = Number(seen.headers.authorization.match(/^Bearer ya29\.(\d+)$/)[1]);
    assert.ok(number <= this.tokensGiven);
    if (number <= this.tokensEnded) return { status: 401, body: '{}' };
    const { message } = json(seen.body);
    assert.equal(typeof message.token, 'string');
    let size = 0;
    for (const [key, value] of Object.entries(message.data)) {
      assert.equal(typeof value, 'string');
      size += Buffer.byteLength(key) + Buffer.byteLength(value);
    }
    assert.ok(size <= 4096, `${size} bytes of data`);
    assert.match(message.android.ttl, /^\d+(\.\d+)?s$/);
    assert.ok(['high', 'normal'].includes(message.android.priority));
  }

  #giveToken({ headers, body }) {
    assert.equal(headers['content-type'], 'application/x-www-form-urlencoded');
    const form = new URLSearchParams(body.toString());
    assert.equal(form.get('grant_type'), 'urn:ietf:params:oauth:grant-type:jwt-bearer');
    const { head, claims, signed, signature } = takeApart(form.get('assertion'));
    assert.equal(head.alg, 'RS256');
    assert.ok(crypto.verify('sha256', Buffer.from(signed), this.publicKey, signature), 'signature');
    assert.equal(claims.iss, 'push@chat-1.example');
    assert.equal(claims.aud, `${this.url}/token`);
    assert.equal(claims.scope, 'https://www.googleapis.com/auth/firebase.messaging');
    assert.ok(claims.exp - claims.iat <= 3600 && Math.abs(claims.iat - Date.now() / 1000) < 60);
    const refused = this.refuseTokens.shift();
    if (refused) return refused;
    this.tokensGiven += 1;
    return {
      status: 200, headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ access_token: `ya29.${this.tokensGiven}`, expires_in: 3599, token_type: 'Bearer' }),
    };
  }
}

function checkEs256(token, publicKey) {
  const { head, claims, signed, signature } = takeApart(token);
  assert.equal(head.alg, 'ES256');
  assert.ok(crypto.verify('sha256', Buffer.from(signed), { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature), 'signature');
  return { head, claims };
}

async function ecKeyFile(folder, name) {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const file = await folder.write(name, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return { publicKey, file };
}

export class Apns extends Provider {
  success = 200;

  static async start(folder, tls) {
    const apns = new Apns();
    await apns.listen(http2.createSecureServer({ key: tls.key, cert: tls.cert, allowHTTP1: false }), 'https');
    Object.assign(apns, await ecKeyFile(folder, 'AuthKey.p8'));
    return apns;
  }

  check({ method, path: where, headers, version, body }) {
    assert.equal(version, '2.0');
    assert.equal(method, 'POST');
    assert.match(where, /^\/3\/device\/[0-9a-f]{64,200}$/);
    const { head, claims } = checkEs256(headers.authorization.replace(/^bearer /, ''), this.publicKey);
    assert.equal(head.kid, 'KEYID67890');
    assert.equal(claims.iss, 'TEAM567890');
    assert.ok(Math.abs(claims.iat - Date.now() / 1000) < 3600);
    assert.equal(headers['apns-topic'], 'org.example.chat');
    assert.ok(body.length <= 4096);
    const { aps } = json(body);
    if (headers['apns-push-type'] === 'background') {
      assert.equal(headers['apns-priority'], '5');
      assert.equal(aps['content-available'], 1);
      assert.equal(aps.alert, undefined);
    } else {
      assert.equal(headers['apns-push-type'], 'alert');
      assert.ok(aps.alert);
    }
    assert.ok(Number(headers['apns-expiration']) > Date.now() / 1000);
    assert.ok(Buffer.byteLength(headers['apns-collapse-id']) <= 64);
  }

  async stop() {
    for (const session of this.sessions ?? []) session.destroy();
    this.server.close();
  }
}

const hkdf = (key, salt, info, size) => Buffer.from(crypto.hkdfSync('sha256', key, salt, info, size));

/** A browser's side of Web Push: its subscription, and how it decrypts (RFC 8291, RFC 8188). */
class Browser {
  constructor(endpoint) {
    this.key = crypto.createECDH('prime256v1');
    this.key.generateKeys();
    this.secret = crypto.randomBytes(16);
    this.subscription = {
      endpoint, expirationTime: null,
      keys: { p256dh: this.key.getPublicKey('base64url'), auth: this.secret.toString('base64url') },
    };
  }

  decrypt(body) {
    const salt = body.subarray(0, 16);
    assert.ok(body.readUInt32BE(16) >= body.length - 86, 'one record');
    assert.equal(body[20], 65);
    const theirs = body.subarray(21, 86);
    const shared = this.key.computeSecret(theirs);
    const info = Buffer.concat([Buffer.from('WebPush: info\0'), this.key.getPublicKey(), theirs]);
    const input = hkdf(shared, this.secret, info, 32);
    const key = hkdf(input, salt, 'Content-Encoding: aes128gcm\0', 16);
    const nonce = hkdf(input, salt, 'Content-Encoding: nonce\0', 12);
    const open = crypto.createDecipheriv('aes-128-gcm', key, nonce);
    open.setAuthTag(body.subarray(-16));
    const plain = Buffer.concat([open.update(body.subarray(86, -16)), open.final()]);
    const end = plain.lastIndexOf(2);
    assert.ok(plain.subarray(end + 1).every((byte) => byte === 0), 'padding');
    return json(plain.subarray(0, end));
  }
}

export class WebPush extends Provider {
  success = 201;
  #browsers = new Map();

  static async start(folder, tls) {
    const service = new WebPush();
    await service.listen(https.createServer({ key: tls.key, cert: tls.cert }), 'https');
    Object.assign(service, await ecKeyFile(folder, 'vapid.pem'));
    return service;
  }

  subscribe() {
    const where = `/send/${crypto.randomBytes(16).toString('hex')}`;
    const browser = new Browser(this.url + where);
    this.#browsers.set(where, browser);
    return browser;
  }

  check(seen) {
    const { method, path: where, headers, body } = seen;
    assert.equal(method, 'POST');
    assert.equal(headers['content-encoding'], 'aes128gcm');
    assert.match(headers.ttl, /^\d+$/);
    assert.ok(['very-low', 'low', 'normal', 'high'].includes(headers.urgency));
    assert.match(headers.topic, /^[A-Za-z0-9_-]{1,32}$/);
    assert.ok(body.length <= 4096);
    const [, token, key] = headers.authorization.match(/^vapid t=([^,]+), ?k=([A-Za-z0-9_-]+)$/);
    const raw = this.publicKey.export({ format: 'jwk' });
    const point = Buffer.concat([Buffer.from([4]), Buffer.from(raw.x, 'base64url'), Buffer.from(raw.y, 'base64url')]);
    assert.equal(key, point.toString('base64url'));
    const { claims } = checkEs256(token, this.publicKey);
    assert.equal(claims.aud, this.url);
    assert.equal(claims.sub, 'mailto:ops@example.org');
    assert.ok(claims.exp > Date.now() / 1000 && claims.exp <= Date.now() / 1000 + 86_400);
    seen.plain = this.#browsers.get(where).decrypt(body);
  }
}
