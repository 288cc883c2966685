import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import type { Fleet } from '../../scripts/demo/fleet.ts';
import { freePorts } from '../../scripts/demo/ports.ts';
import { end } from '../../scripts/demo/process.ts';
import { type RestFleet, startRestFleet } from './rest-fleet.ts';
import { RestRollouts } from './rest-rollouts.ts';

// A master and edges as processes, driven and read back by REST, with requests through every edge's engine.

/** Where an answer's first byte waits so long, and says how many it has given. */
export interface SlowOrigin {
  readonly port: number;
  stop(): Promise<void>;
}

/** @param reset of so many requests in a hundred the connection breaks instead of an answer */
export async function slowOrigin(delayMs: number, reset = 0): Promise<SlowOrigin> {
  let n = 0;
  const server = createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
    n += 1;
    if (reset > 0 && n % Math.round(100 / reset) === 0) {
      req.socket.resetAndDestroy();
      return;
    }
    setTimeout(() => res.end('carried'), delayMs);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** So many clients, each asking again as soon as it is answered, until they are told to stop. */
export class Load {
  #on = true;
  readonly #clients: Promise<void>[];

  constructor(ports: readonly number[], each: number) {
    this.#clients = ports.flatMap((port) => Array.from({ length: each }, () => this.#client(port)));
  }

  async stop(): Promise<void> {
    this.#on = false;
    await Promise.all(this.#clients);
  }

  async #client(port: number): Promise<void> {
    while (this.#on) {
      // Who is refused does not ask faster than who is answered.
      if (!(await ask(port))) await new Promise((r) => setTimeout(r, 200));
    }
  }
}

/** Each over a connection of its own: a stream stays with the route that it began on. Whether it was answered. */
export function ask(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const req = request({ port, host: '127.0.0.1', path: '/', agent: false }, (res) => {
      res.resume();
      res.on('end', () => resolve(true));
      res.on('error', () => resolve(false));
    });
    req.on('error', () => resolve(false));
    req.end();
  });
}

/** What the edges run: clients at `chat_port`, to one of the origins in turns. `name` makes it another document. */
export function edgeTo(
  name: string,
  origins: readonly (number | string)[],
  listen = '${label.chat_port}',
): string {
  const nodes = origins.map(
    (o, i) => `
    - {name: ${name}-${i + 1}, addr: "${typeof o === 'number' ? `127.0.0.1:${o}` : o}"}`,
  );
  return `services:
- name: chat
  addr: "127.0.0.1:${listen}"
  handler: {type: tcp}
  listener: {type: tcp}
  forwarder:
    selector: {strategy: round, maxFails: 1000, failTimeout: 1s}
    nodes:${nodes.join('')}
`;
}

export class WatchedFleet extends RestRollouts {
  readonly fleet: Fleet;
  readonly names: readonly string[];
  readonly ports: ReadonlyMap<string, number>;

  private constructor(rest: RestFleet, ports: ReadonlyMap<string, number>) {
    super(rest.base, rest.token);
    this.fleet = rest.fleet;
    this.ports = ports;
    this.names = [...ports.keys()];
  }

  static async start(names: readonly string[]): Promise<WatchedFleet> {
    const rest = await startRestFleet();
    try {
      const free = await freePorts(names.length);
      const ports = new Map(names.map((n, i) => [n, free[i] ?? 0]));
      const f = new WatchedFleet(rest, ports);
      await Promise.all(
        names.map((name) =>
          f.fleet.enrol({
            name,
            type: 'edge',
            region: name.split('-')[0] ?? '',
            labels: { chat_port: `${ports.get(name)}` },
          }),
        ),
      );
      return f;
    } catch (e) {
      await rest.fleet.stop();
      throw e;
    }
  }

  /** What stands before a rollout; on every node when this returns. */
  async base(config: string): Promise<void> {
    await this.publish('base', config, {}, 'at-once');
    await this.fleet.inSync(this.names, 60_000);
  }

  /** How often its agent was offered each version, by its own log. */
  offers(name: string): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const line of readFileSync(this.fleet.agents.get(name)?.logFile ?? '', 'utf8').split('\n')) {
      if (!line.includes('a config is offered')) continue;
      const { version } = JSON.parse(line) as { version: string };
      counts[version] = (counts[version] ?? 0) + 1;
    }
    return counts;
  }

  /** By REST: the process of its engine. */
  async enginePid(name: string): Promise<number> {
    const node = await this.well<{ engine: { pid: number } | null }>('GET', `/nodes/${name}`);
    return node.engine?.pid ?? 0;
  }

  /** The node's agent reaches the master through here from now on. */
  async through(name: string, path_: MasterPath): Promise<void> {
    const file = path.join(this.fleet.dir, name, 'agent.yml');
    const text = readFileSync(file, 'utf8');
    writeFileSync(
      file,
      text.replace(`addr: "127.0.0.1:${this.fleet.ports.grpc}"`, `addr: "127.0.0.1:${path_.port}"`),
    );
    const agent = this.fleet.agents.get(name);
    if (agent) await end(agent.pid);
    await this.fleet.startAgent(name);
  }

  async again(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.fleet.master.kill(signal);
    await this.fleet.master.ended;
    await this.fleet.startMaster();
  }

  stop(): Promise<void> {
    return this.fleet.stop();
  }
}

/** A way to the master that is there as long as `open` says so, asked all the time. */
export class MasterPath {
  readonly #server: net.Server;
  readonly #pairs = new Set<net.Socket>();
  readonly #watch: NodeJS.Timeout;
  cuts = 0;
  #held = false;

  private constructor(server: net.Server, open: () => Promise<boolean>) {
    this.#server = server;
    let isOpen = true;
    let asking = false;
    server.on('connection', (s) => {
      if (!isOpen) s.destroy();
    });
    this.#watch = setInterval(() => {
      if (asking) return;
      asking = true;
      void open().then((now) => {
        asking = false;
        if (isOpen && !now) {
          this.cuts += 1;
          this.#held = false;
          for (const s of this.#pairs) s.destroy();
        }
        isOpen = now;
      });
    }, 20);
  }

  static async to(port: number, open: () => Promise<boolean>): Promise<MasterPath> {
    const server = net.createServer();
    const made = new MasterPath(server, open);
    server.on('connection', (near) => {
      if (near.destroyed) return;
      const far = net.connect(port, '127.0.0.1');
      for (const s of [near, far]) {
        made.#pairs.add(s);
        s.on('error', () => undefined);
        s.on('close', () => {
          made.#pairs.delete(s);
          near.destroy();
          far.destroy();
        });
      }
      near.on('data', (bytes) => {
        if (!made.#held) far.write(bytes);
      });
      far.pipe(near);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return made;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** What the node says is lost until the way is cut: else its last word would race with the cut. */
  hold(): void {
    this.#held = true;
  }

  stop(): void {
    clearInterval(this.#watch);
    for (const s of this.#pairs) s.destroy();
    this.#server.close();
  }
}

/** Whether somebody accepts there. */
export async function accepts(port: number): Promise<boolean> {
  const s = net.connect(port, '127.0.0.1');
  const [said] = await Promise.race([
    once(s, 'connect').then(() => [true]),
    once(s, 'error').then(() => [false]),
  ]).catch(() => [false]);
  s.destroy();
  return said === true;
}
