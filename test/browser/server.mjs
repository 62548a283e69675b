import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const binary = path.resolve(root, process.env.VARTALAP_BIN ?? 'build/release/vartalap');
const startLimit = 30_000;

async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => { server.close(resolve); })));
  return ports;
}

/** Nodes n1, n2, … on free loopback ports: what cluster.toml says of them, and where they are. */
async function planNodes(folder, count) {
  const ports = await freePorts(3 * count);
  return Array.from({ length: count }, (_, index) => {
    const [client, admin, peer] = ports.slice(3 * index, 3 * index + 3);
    const name = `n${index + 1}`;
    const lines = [
      '[[node]]', `name = "${name}"`, `client = "127.0.0.1:${client}"`, `admin = "127.0.0.1:${admin}"`,
      `peer = "127.0.0.1:${peer}"`, `data = ${JSON.stringify(path.join(folder, name))}`, '',
    ];
    return { name, lines, origin: `http://127.0.0.1:${client}`, admin: `http://127.0.0.1:${admin}` };
  });
}

/** One vartalap node with data of its own, that can be killed and started again. */
export class Server {
  #folder;
  #process = null;
  #output = '';
  #admin;

  static async start() {
    const [server] = await Server.startCluster(1);
    return server;
  }

  /** `count` nodes of one cluster, each message on two of them; all are ready. */
  static async startCluster(count) {
    const folder = await mkdtemp(path.join(tmpdir(), 'vartalap-browser-'));
    const nodes = await planNodes(folder, count);
    await writeFile(path.join(folder, 'secret'), randomBytes(32).toString('hex'), { mode: 0o600 });
    await writeFile(path.join(folder, 'cluster.toml'), [
      '[cluster]', 'name = "browser-test"', ...(count > 1 ? ['secret_file = "secret"', '', '[replication]', 'replicas = 1'] : []),
      '', ...nodes.flatMap(({ lines }) => lines),
      '[auth]', 'mode = "none"', '',
      '[runtime]', `web = ${JSON.stringify(path.join(root, 'web'))}`, '',
    ].join('\n'));
    const servers = nodes.map(({ name, origin, admin }) => {
      const server = new Server();
      server.#folder = folder;
      server.name = name;
      server.origin = origin;
      server.#admin = admin;
      return server;
    });
    try {
      await Promise.all(servers.map((server) => server.restart()));
    } catch (error) {
      await Promise.all(servers.map((server) => server.stop()));
      throw error;
    }
    return servers;
  }

  /** Starts the node and waits until it says that it is ready. */
  async restart() {
    const config = path.join(this.#folder, 'cluster.toml');
    const child = spawn(binary, ['serve', '--config', config, '--node', this.name], {
      cwd: this.#folder, stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => { this.#output = (this.#output + data).slice(-8_000); });
    }
    const gone = new Promise((_, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        reject(new Error(`vartalap ended (${code ?? signal}) before it was ready:\n${this.#output}`));
      });
    });
    gone.catch(() => {});
    await Promise.race([this.#ready(), gone]);
  }

  /** kill -9, or another end; resolves when the process is gone. */
  async kill(signal = 'SIGKILL') {
    const child = this.#process;
    this.#process = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }

  async stop() {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #ready() {
    const end = Date.now() + startLimit;
    while (Date.now() < end) {
      const ready = await fetch(`${this.#admin}/readyz`).then((response) => response.ok, () => false);
      if (ready) return;
      await pause(20);
    }
    throw new Error(`vartalap is not ready after ${startLimit} ms:\n${this.#output}`);
  }
}
