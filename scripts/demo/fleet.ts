// The whole loop as real processes on loopback: a master, two edges, a core, an origin, chat clients.
// State lives in one temporary folder; stop() leaves no process and no file behind.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ConsoleApi } from '../../proto/link/console-api.ts';
import { connectConsole } from '../../proto/link/console-client.ts';
import type { PeopleApi } from '../../proto/link/people-api.ts';
import type { RolloutsApi } from '../../proto/link/rollouts-api.ts';
import type { NodeType } from '../../proto/vocab/node.ts';
import { coreDocument, EDGE_DOCUMENT } from './documents.ts';
import { freePorts } from './ports.ts';
import { alive, type Child, end, forget, program, ready, start, until } from './process.ts';

export interface FleetOptions {
  /** Chat clients an edge; 0 starts none. */
  readonly clients?: number;
  /** Ports of origins already running, instead of our own. */
  readonly origins?: { readonly a: number; readonly b: number };
  /** Names of the nodes to start; all by default, `[]` is a master alone. */
  readonly nodes?: readonly string[];
  /** How publications go, and how they are taken back: `at-once` when not given. */
  readonly strategy?: 'standard' | 'unattended' | 'quick' | 'at-once';
  /** Told what happens, a line each. */
  readonly say?: (line: string) => void;
}

/** What chat.ts has counted for one edge. */
export interface ChatTally {
  readonly answers: number;
  readonly tokens: number;
  readonly failed: number;
  readonly lastError: string;
}

interface NodePlan {
  readonly name: string;
  readonly type: NodeType;
  readonly region: string;
  readonly labels: Readonly<Record<string, string>>;
}

interface MasterReady {
  readonly grpc: string;
  readonly http: string;
  readonly socket: string;
  readonly ca: string;
  readonly pid: number;
}

interface AgentReady {
  readonly pid: number;
  readonly node: string;
  readonly enginePid: number;
  readonly engineSocket: string;
}

export interface FleetPorts {
  readonly grpc: number;
  readonly http: number;
  readonly originA: number;
  readonly originB: number;
  readonly chat1: number;
  readonly chat2: number;
  readonly coreA: number;
  readonly coreB: number;
}

/** Sockets lie in the folder, and their paths have 103 bytes at most. */
function shortTmp(): string {
  return tmpdir().length <= 60 ? tmpdir() : '/tmp';
}

export class Fleet {
  readonly dir: string;
  readonly ports: FleetPorts;
  readonly socket: string;
  /** Of the running master; changes when it is started again. */
  master!: Child;
  masterReady!: MasterReady;
  readonly agents = new Map<string, Child>();
  readonly engines = new Map<string, number>();
  /** By edge name, as the clients last printed it. */
  tallies: Record<string, ChatTally> = {};
  readonly nodes: readonly NodePlan[];
  private readonly strategy: NonNullable<FleetOptions['strategy']>;
  private readonly helpers: Child[] = [];
  private readonly everStarted = new Set<number>();
  private console: (ConsoleApi & PeopleApi & RolloutsApi) | null = null;
  private stopping: Promise<void> | null = null;

  private constructor(
    dir: string,
    ports: FleetPorts,
    { nodes: only, strategy }: Pick<FleetOptions, 'nodes' | 'strategy'>,
  ) {
    this.dir = dir;
    this.strategy = strategy ?? 'at-once';
    this.ports = ports;
    this.socket = path.join(dir, 'master.sock');
    const nodes: NodePlan[] = [
      { name: 'cn-1', type: 'core', region: 'cn', labels: {} },
      {
        name: 'hk-1',
        type: 'edge',
        region: 'hk',
        labels: { chat_port: `${ports.chat1}`, core_port: `${ports.coreA}` },
      },
      {
        name: 'hk-2',
        type: 'edge',
        region: 'hk',
        labels: { chat_port: `${ports.chat2}`, core_port: `${ports.coreB}` },
      },
    ];
    this.nodes = nodes.filter((n) => only?.includes(n.name) ?? true);
  }

  /** Starts everything and returns once every node runs its version. On failure nothing is left. */
  static async start(options: FleetOptions = {}): Promise<Fleet> {
    const say = options.say ?? (() => {});
    const [grpc, http, a, b, chat1, chat2, coreA, coreB] = (await freePorts(8)) as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const ports = {
      grpc,
      http,
      chat1,
      chat2,
      coreA,
      coreB,
      originA: options.origins?.a ?? a,
      originB: options.origins?.b ?? b,
    };
    const fleet = new Fleet(mkdtempSync(path.join(shortTmp(), 'ai-cdn-')), ports, options);
    try {
      chmodSync(fleet.dir, 0o700);
      mkdirSync(fleet.logDir);
      if (!options.origins) fleet.startHelper('origin', 'origin.ts', [`${a}`, `${b}`]);
      await fleet.startMaster();
      say(`master on grpc 127.0.0.1:${grpc}`);
      if (fleet.nodes.length === 0) return fleet;
      await Promise.all(fleet.nodes.map((n) => fleet.enrol(n)));
      say(`enrolled ${fleet.nodes.map((n) => n.name).join(', ')}`);
      await fleet.publishDocuments();
      await fleet.inSync();
      say('v1 on the core, v2 on the edges');
      if (options.clients) {
        const edges = [`hk-1=${chat1}`, `hk-2=${chat2}`];
        fleet.startHelper('chat', 'chat.ts', [`${options.clients}`, ...edges], (line) => {
          fleet.tallies = JSON.parse(line) as Record<string, ChatTally>;
        });
      }
      return fleet;
    } catch (e) {
      await fleet.stop();
      throw e;
    }
  }

  get logDir(): string {
    return path.join(this.dir, 'log');
  }

  get api(): ConsoleApi & PeopleApi & RolloutsApi {
    const api = this.console ?? connectConsole({ socket: this.socket });
    this.console = api;
    return api;
  }

  async startMaster(): Promise<void> {
    const settings = path.join(this.dir, 'master.yml');
    writeFileSync(
      settings,
      `name: demo
http: {addr: "127.0.0.1:${this.ports.http}"}
grpc: {addr: "127.0.0.1:${this.ports.grpc}", advertise: ["127.0.0.1:${this.ports.grpc}"]}
database: {type: file, uri: "file://${path.join(this.dir, 'master', 'db')}"}
state_dir: ${path.join(this.dir, 'master')}
socket: ${this.socket}
heartbeat: {interval: 1s}
alerts: {node_down: {for: 5s}}
rollout: {strategy: ${this.strategy}, revert: ${this.strategy === 'at-once' ? 'at-once' : 'quick'}}
log: {level: info}
`,
      { mode: 0o600 },
    );
    const file = path.join(this.dir, 'master.ready');
    forget(file);
    this.master = this.run('master', ['run', '--config', settings, '--ready-file', file]);
    this.masterReady = await ready<MasterReady>(this.master, file, 15_000);
  }

  async enrol(node: NodePlan): Promise<void> {
    const { token } = await this.api.createToken(
      { reason: 'demo' },
      {
        nodeType: node.type,
        region: node.region,
        name: node.name,
        ttlMs: null,
        replace: false,
      },
    );
    const dir = path.join(this.dir, node.name);
    mkdirSync(dir, { mode: 0o700 });
    const labels = Object.entries(node.labels)
      .map(([k, v]) => `${k}: "${v}"`)
      .join(', ');
    writeFileSync(
      path.join(dir, 'agent.yml'),
      `node: {type: ${node.type}, region: ${node.region}, name: ${node.name}, labels: {${labels}}}
master: {addr: "127.0.0.1:${this.ports.grpc}", token: ${token}}
gost: {config_path: ${path.join(dir, 'gost.yml')}}
state_dir: ${path.join(dir, 'state')}
engine: {socket: ${path.join(dir, 'engine.sock')}, spawn: true, workers: 1}
`,
      { mode: 0o600 },
    );
    await this.startAgent(node.name);
  }

  async startAgent(name: string): Promise<void> {
    const dir = path.join(this.dir, name);
    const file = path.join(dir, 'ready');
    forget(file);
    const child = this.run(
      'agent',
      ['run', '--config', path.join(dir, 'agent.yml'), '--ready-file', file],
      name,
    );
    this.agents.set(name, child);
    const { enginePid } = await ready<AgentReady>(child, file, 20_000);
    this.engines.set(name, enginePid);
    this.everStarted.add(enginePid);
  }

  async publishDocuments(): Promise<void> {
    const versions = [
      {
        label: 'v1',
        text: coreDocument({
          a: this.ports.coreA,
          b: this.ports.coreB,
          originA: this.ports.originA,
          originB: this.ports.originB,
        }),
        type: 'core',
      },
      { label: 'v2', text: EDGE_DOCUMENT, type: 'edge' },
    ] as const;
    for (const v of versions) {
      await this.api.createConfig(
        { reason: 'demo' },
        {
          label: v.label,
          description: `what the demo's ${v.type} runs`,
          body: Buffer.from(v.text),
          parent: null,
        },
      );
      await this.api.publish(
        { reason: 'demo' },
        {
          label: v.label,
          target: { nodeType: v.type },
          dryRun: false,
          // Nothing runs yet that could be lost.
          strategy: 'at-once',
        },
      );
    }
  }

  /** Waits until every node (or these) is ready and runs what it should. */
  async inSync(names: readonly string[] = this.nodes.map((n) => n.name), withinMs = 20_000): Promise<void> {
    let seen = '';
    await until(
      `${names.join(', ')} ready and in sync`,
      withinMs,
      async () => {
        const { nodes, vitals } = await this.api.listNodes();
        const status = new Map(vitals.map((v) => [`${v.name}`, v.status]));
        const mine = nodes.filter((n) => names.includes(n.name));
        seen = mine
          .map((n) =>
            `${n.name} ${status.get(n.name)} ${n.configSync} ${n.failure?.refusal.message ?? ''}`.trim(),
          )
          .join(', ');
        const done = mine.filter((n) => status.get(n.name) === 'ready' && n.configSync === 'in_sync');
        return done.length === names.length ? true : null;
      },
      () => seen,
    );
  }

  /** Tells our origin to answer this much later on one listener. */
  async slow(listener: 'a' | 'b', delayMs: number): Promise<void> {
    const port = listener === 'a' ? this.ports.originA : this.ports.originB;
    const res = await fetch(`http://127.0.0.1:${port}/control`, {
      method: 'POST',
      body: JSON.stringify({ listener, delay_ms: delayMs }),
    });
    if (!res.ok) throw new Error(`origin: ${res.status} ${await res.text()}`);
  }

  /** All that a client or a second console needs, one JSON object. */
  describe(): Record<string, unknown> {
    const pids = (m: ReadonlyMap<string, Child>): Record<string, number> =>
      Object.fromEntries([...m].map(([name, c]) => [name, c.pid]));
    return {
      chat: `http://127.0.0.1:${this.ports.chat1}/v1`,
      origin: `http://127.0.0.1:${this.ports.originA}/v1`,
      grpc: `127.0.0.1:${this.ports.grpc}`,
      console: this.socket,
      ca: this.masterReady.ca,
      state: this.dir,
      pids: {
        master: this.master.pid,
        agents: pids(this.agents),
        engines: Object.fromEntries(this.engines),
      },
      edges: {
        'hk-1': `http://127.0.0.1:${this.ports.chat1}/v1`,
        'hk-2': `http://127.0.0.1:${this.ports.chat2}/v1`,
      },
      origins: {
        a: `http://127.0.0.1:${this.ports.originA}/v1`,
        b: `http://127.0.0.1:${this.ports.originB}/v1`,
      },
      health: `http://127.0.0.1:${this.ports.http}/health`,
    };
  }

  stop(): Promise<void> {
    this.stopping ??= this.stopAll();
    return this.stopping;
  }

  private async stopAll(): Promise<void> {
    // Engines outlive their agents on purpose, and an agent may have spawned a new one since: ask who runs now.
    try {
      if (this.console) {
        for (const n of (await this.console.listNodes()).nodes) {
          if (n.engine && n.engine.pid > 0 && this.engines.has(n.name)) this.everStarted.add(n.engine.pid);
        }
      }
    } catch {
      // No master to ask: the ids of the start are what is known.
    }
    this.console?.close();
    for (const helper of this.helpers) helper.kill('SIGTERM');
    await Promise.all([...this.agents.values()].map((c) => end(c.pid)));
    await Promise.all([...this.everStarted].filter(alive).map((pid) => end(pid)));
    if (this.master) await end(this.master.pid, 5000);
    await Promise.all(this.helpers.map((c) => end(c.pid)));
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 3 });
  }

  private run(which: 'master' | 'agent', args: readonly string[], name: string = which): Child {
    return start({ name, argv: [program(which), ...args], logDir: this.logDir });
  }

  private startHelper(
    name: string,
    script: string,
    args: readonly string[],
    onLine?: (line: string) => void,
  ): void {
    let rest = '';
    const onStdout = (text: string): void => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine?.(line);
    };
    const argv = [path.join(import.meta.dirname, script), ...args];
    this.helpers.push(start({ name, argv, logDir: this.logDir, ...(onLine ? { onStdout } : {}) }));
  }
}
