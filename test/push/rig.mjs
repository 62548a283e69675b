import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import * as http from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const binary = path.resolve(root, process.env.VARTALAP_BIN ?? 'build/release/vartalap');
const patience = 30_000;

export const run = promisify(execFile);

/** Asks again and again until `look` gives something. */
export async function eventually(what, look) {
  const end = Date.now() + patience;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await pause(20);
  }
}

export async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => { server.close(resolve); })));
  return ports;
}

/** A folder of files for one test, gone with it. */
export class Folder {
  static async make() {
    const folder = new Folder();
    folder.path = await mkdtemp(path.join(tmpdir(), 'vartalap-push-'));
    return folder;
  }

  async write(name, text) {
    const file = path.join(this.path, name);
    await writeFile(file, text, { mode: 0o600 });
    return file;
  }

  remove() {
    return rm(this.path, { recursive: true, force: true });
  }
}

/** `[push]` with short waits; `lines` begin with keys of it, which replace these. */
function push(lines) {
  const part = lines.findIndex((line) => line.startsWith('['));
  const keys = new Map([
    ['delay', '"100ms"'], ['restart_delay', '"100ms"'], ['retry_first', '"50ms"'], ['retry_max', '"200ms"'], ['timeout', '"5s"'],
    ...lines.slice(0, part).map((line) => line.split(' = ')),
  ]);
  return ['[push]', ...[...keys].map(([key, value]) => `${key} = ${value}`), ...lines.slice(part), ''];
}

/** A node, or several of one cluster, with the given `[push]`; output is kept, at level debug. */
export class Nodes {
  #folder;
  #children = new Map();
  output = '';

  static async start(folder, lines, count = 1) {
    const nodes = new Nodes();
    nodes.#folder = folder;
    const ports = await freePorts(3 * count);
    nodes.all = Array.from({ length: count }, (_, index) => {
      const [client, admin, peer] = ports.slice(3 * index, 3 * index + 3);
      return { name: `n${index + 1}`, client, admin, peer };
    });
    if (count > 1) await folder.write('cluster.secret', 'x'.repeat(64));
    nodes.config = await folder.write('cluster.toml', [
      '[cluster]', 'name = "push-test"',
      ...(count > 1 ? ['secret_file = "cluster.secret"', '[replication]', 'replicas = 1'] : []),
      ...nodes.all.flatMap(({ name, client, admin, peer }) => [
        '[[node]]', `name = "${name}"`, `client = "127.0.0.1:${client}"`, `admin = "127.0.0.1:${admin}"`,
        `peer = "127.0.0.1:${peer}"`, `data = "${name}"`,
      ]),
      '[runtime]', 'log_level = "debug"', 'shards = 2',
      ...push(lines),
    ].join('\n'));
    await Promise.all(nodes.all.map(({ name }) => nodes.restart(name)));
    if (count > 1) await Promise.all(nodes.all.map((_, at) => nodes.settled(at)));
    return nodes;
  }

  async restart(name = 'n1') {
    const child = spawn(binary, ['serve', '--config', this.config, '--node', name], {
      cwd: this.#folder.path, stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.set(name, child);
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { this.output += data; });
    const { admin } = this.all.find((each) => each.name === name);
    await eventually(`${name} is ready:\n${this.output}`, async () => {
      if (child.exitCode !== null) throw new Error(`${name} ended:\n${this.output}`);
      return fetch(`http://127.0.0.1:${admin}/readyz`).then((response) => response.ok, () => false);
    });
  }

  /** Homes are where they belong, as that node sees it: none moves, which would wake users again. */
  settled(at) {
    return eventually(`node ${at} is settled`, async () => await this.metric('cluster_calm', '', at) === 1
      && await this.metric('buckets_claimed', '', at) === 0);
  }

  async kill(name = 'n1', signal = 'SIGKILL') {
    const child = this.#children.get(name);
    this.#children.delete(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }

  async stop() {
    await Promise.all([...this.#children.keys()].map((name) => this.kill(name)));
  }

  /** Calls the HTTP API as `user`; `at` is the number of the node. */
  async api(user, method, where, body, at = 0) {
    const response = await fetch(`http://127.0.0.1:${this.all[at].client}/v1.0${where}`, {
      method, headers: { user, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  }

  /** Registers a push target; again where its home cannot be told for the moment. */
  register(user, device, platform, token, at = 0) {
    return eventually(`${user} has registered`, async () => {
      const { status, body } = await this.api(user, 'PUT', `/devices/${device}`, { platform, token }, at);
      if (status !== 200 && status !== 503) throw new Error(`register: ${status} ${JSON.stringify(body)}`);
      return status === 200;
    });
  }

  /** Sends a text and waits for its confirmation. */
  async say(from, to, text, at = 0) {
    const id = `m${Math.random().toString(36).slice(2)}`;
    const frame = {
      _v: 2.1, id, head: { type: 'individual', to, contentType: 'text', action: 'message', chatid: 'c' },
      meta: { createdAt: 1 }, body: { text },
    };
    const { status, body } = await this.api(from, 'POST', '/messages?ack=true', [JSON.stringify(frame)], at);
    const ack = JSON.parse(body.acks[0]);
    if (status !== 201 || ack.head.contentType !== 'SERVER_ACK') throw new Error(`say: ${body.acks[0]}`);
    return { id, serverId: ack.meta.serverId };
  }

  /** Acknowledges everything that waits for the device. */
  async fetchAll(user, device) {
    const { body } = await this.api(user, 'GET', `/messages?device=${device}`);
    const serverIds = body.messages.map((message) => message.meta.serverId);
    await this.api(user, 'POST', `/messages/ack?device=${device}`, { serverIds });
    return body.messages;
  }

  /** A WebSocket that takes what it gets and never says a word; destroy it to end it. */
  async connectSilently(user, device) {
    const request = http.get({
      host: '127.0.0.1', port: this.all[0].client, path: `/v1.0/wss/?device=${device}`,
      headers: {
        user, connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13',
        'sec-websocket-key': randomBytes(16).toString('base64'),
      },
    });
    const [, socket] = await once(request, 'upgrade');
    socket.on('error', () => {});
    socket.resume();
    return socket;
  }

  /** The push platform of a device, or undefined. */
  async platformOf(user, device) {
    const { body } = await this.api(user, 'GET', '/devices');
    return body.find((each) => each.device === device)?.push;
  }

  async metric(name, label = '', at = 0) {
    const page = await fetch(`http://127.0.0.1:${this.all[at].admin}/metrics`).then((answer) => answer.text());
    const start = `vartalap_${name}${label && `{${label}}`} `;
    const line = page.split('\n').find((each) => each.startsWith(start));
    return line ? Number(line.slice(start.length)) : undefined;
  }

  /** `vartalap …` as an operator runs it: { code, out, err }. */
  async command(...args) {
    try {
      const { stdout, stderr } = await run(binary, [...args, '--config', this.config], { cwd: this.#folder.path });
      return { code: 0, out: stdout, err: stderr };
    } catch (error) {
      return { code: error.code, out: error.stdout, err: error.stderr };
    }
  }
}
