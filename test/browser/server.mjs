import { spawn } from 'node:child_process';
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

/** One vartalap node on free loopback ports with data of its own, that can be killed and started again. */
export class Server {
  #folder;
  #process = null;
  #output = '';
  #admin;

  static async start() {
    const server = new Server();
    server.#folder = await mkdtemp(path.join(tmpdir(), 'vartalap-browser-'));
    const [client, admin, peer] = await freePorts(3);
    server.origin = `http://127.0.0.1:${client}`;
    server.#admin = `http://127.0.0.1:${admin}`;
    await writeFile(path.join(server.#folder, 'cluster.toml'), [
      '[cluster]', 'name = "browser-test"', '',
      '[[node]]', 'name = "n1"', `client = "127.0.0.1:${client}"`, `admin = "127.0.0.1:${admin}"`,
      `peer = "127.0.0.1:${peer}"`, `data = ${JSON.stringify(path.join(server.#folder, 'n1'))}`, '',
      '[auth]', 'mode = "none"', '',
      '[runtime]', `web = ${JSON.stringify(path.join(root, 'web'))}`, '',
    ].join('\n'));
    await server.restart();
    return server;
  }

  /** Starts the node and waits until it says that it is ready. */
  async restart() {
    const child = spawn(binary, ['serve', '--config', path.join(this.#folder, 'cluster.toml')], {
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

  /** kill -9; resolves when the process is gone. */
  async kill() {
    const child = this.#process;
    this.#process = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
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
