import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Agent, startAgent } from '../../agent/app.ts';
import { OwnLines } from '../../agent/core/own-lines.ts';
import { startEngine } from '../../agent/engine/embedded/app.ts';
import { type AgentSettings, loadAgentSettings } from '../../config/agent.ts';
import { loadMasterSettings } from '../../config/master.ts';
import { type Master, startMaster } from '../../daemon/app.ts';
import { createRings } from '../../daemon/drivers/rings/rings.ts';
import { createServices } from '../../daemon/service/services.ts';
import type { ConsoleApi } from '../../proto/link/console-api.ts';
import { connectConsole } from '../../proto/link/console-client.ts';
import { VERSION } from '../../proto/vocab/version.ts';
import { memoryLog } from '../fakes/services.ts';

type Log = ReturnType<typeof memoryLog>;

/**
 * The real master and real agents in this process, over real TLS: what is a constant for users, such as how long a
 * certificate lives, can be set here.
 */
export class Pair {
  readonly dir: string;
  readonly masterLog: Log = memoryLog();
  /** Of certificates that are issued from now on. */
  certificateMs: number | null = null;
  master!: Master;
  api!: ConsoleApi;
  private readonly undo: (() => unknown)[] = [];

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async start(over: { certificateMs?: number } = {}): Promise<Pair> {
    const pair = new Pair(await mkdtemp(path.join(tmpdir(), 'aicdn-pair-')));
    pair.certificateMs = over.certificateMs ?? null;
    const flags = {
      'http.addr': '127.0.0.1:0',
      'grpc.addr': '127.0.0.1:0',
      'grpc.advertise': '127.0.0.1',
      state_dir: path.join(pair.dir, 'master'),
      socket: path.join(pair.dir, 'master.sock'),
      'heartbeat.interval': '200ms',
      'rollout.strategy': 'at-once',
      'rollout.revert': 'at-once',
    };
    const { settings } = loadMasterSettings({ env: {}, flags });
    pair.master = await startMaster(settings, {
      log: pair.masterLog,
      createRings,
      createServices: (s, needs) =>
        createServices(
          {
            ...s,
            get certificateMs() {
              return pair.certificateMs ?? 7 * 86_400_000;
            },
          },
          needs,
        ),
    });
    pair.undo.push(() => pair.master.stop());
    pair.api = connectConsole({ socket: settings.socket });
    pair.undo.push(() => pair.api.close());
    return pair;
  }

  /** Where agents reach it. */
  get address(): string {
    return this.master.bound.grpc;
  }

  async token(over: Partial<Parameters<ConsoleApi['createToken']>[1]> = {}): Promise<string> {
    const args = {
      nodeType: 'edge',
      region: 'hk',
      name: null,
      ttlMs: null,
      replace: false,
      ...over,
    } as const;
    return (await this.api.createToken({ reason: 'test' }, args)).token;
  }

  settings(name: string, token: string | null): AgentSettings {
    const dir = path.join(this.dir, name);
    const flags = {
      'node.type': 'edge',
      'node.region': 'hk',
      'node.name': name,
      'master.addr': this.address,
      'gost.config_path': path.join(dir, 'gost.yml'),
      state_dir: path.join(dir, 'state'),
      'engine.socket': path.join(dir, 'e.sock'),
      ...(token === null ? {} : { 'master.token': token }),
    };
    return loadAgentSettings({ env: {}, flags }).settings;
  }

  /** Joins where the node has not. */
  async agent(name: string, token: string | null): Promise<Agent & { readonly log: Log }> {
    const log = memoryLog();
    const running = await startAgent(this.settings(name, token), null, {
      log,
      own: new OwnLines(),
      engineProgram: '/none',
      env: {},
      now: () => Date.now(),
      // Renews soon: at 0.46 of the certificate's life.
      random: () => 0.1,
    });
    let over = false;
    const stop = async (reason: string): Promise<void> => {
      if (over) return;
      over = true;
      await running.stop(reason);
    };
    this.undo.push(() => stop('the test is over'));
    return { node: running.node, stop, log };
  }

  async engine(name: string): Promise<void> {
    const dir = path.join(this.dir, name);
    const current = (file: string): string => path.join(dir, 'state', 'identity', 'current', file);
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    const running = await startEngine(
      {
        socket: path.join(dir, 'e.sock'),
        document: path.join(dir, 'gost.yml'),
        identity: { certFile: current('cert.pem'), keyFile: current('key.pem'), caFile: current('ca.pem') },
      },
      {
        version: VERSION,
        instance: name,
        pid: process.pid,
        now: () => Date.now(),
        clock: () => performance.now(),
        random: () => 0.5,
        write: () => undefined,
        exit: resolve,
      },
    );
    this.undo.push(async () => {
      await running.stop();
      await gone;
    });
  }

  async stop(): Promise<void> {
    for (const step of this.undo.splice(0).reverse()) await step();
    await rm(this.dir, { recursive: true, force: true });
  }
}
