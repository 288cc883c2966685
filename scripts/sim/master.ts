import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MASTER_KEYS } from '../../config/master.ts';
import type { ConsoleApi } from '../../proto/link/console-api.ts';
import { connectConsole } from '../../proto/link/console-client.ts';
import type { PeopleApi } from '../../proto/link/people-api.ts';
import { freePorts } from '../demo/ports.ts';
import { type Child, end, forget, program, ready, start } from '../demo/process.ts';
import { NODE_FLAGS } from '../node-flags.ts';

export interface SimMasterSettings {
  readonly heartbeat?: string;
  /** More settings of the master, `key=value`. */
  readonly set?: readonly string[];
  /** For the runtime, before the program. */
  readonly runtime?: readonly string[];
}

/** A master of the simulation's own, as a process; its folder goes with it. Started again it has the same ports. */
export class SimMaster {
  readonly dir: string;
  readonly address: string;
  readonly rest: string;
  readonly api: ConsoleApi & PeopleApi;
  readonly #settings: SimMasterSettings;
  #child: Child | null = null;

  private constructor(dir: string, grpc: number, http: number, settings: SimMasterSettings) {
    this.dir = dir;
    this.address = `127.0.0.1:${grpc}`;
    this.rest = `http://127.0.0.1:${http}`;
    this.#settings = settings;
    this.api = connectConsole({
      socket: path.join(dir, 'm.sock'),
      readDeadlineMs: 60_000,
      writeDeadlineMs: 60_000,
    });
  }

  static async start(settings: SimMasterSettings = {}): Promise<SimMaster> {
    const [grpc = 0, http = 0] = await freePorts(2);
    const dir = mkdtempSync(path.join(tmpdir().length <= 60 ? tmpdir() : '/tmp', 'aicdn-sim-'));
    mkdirSync(path.join(dir, 'log'));
    const master = new SimMaster(dir, grpc, http, settings);
    try {
      await master.begin();
    } catch (e) {
      await master.stop();
      throw e;
    }
    return master;
  }

  get pid(): number {
    if (this.#child === null) throw new Error('the master does not run');
    return this.#child.pid;
  }

  get logFile(): string {
    return path.join(this.dir, 'log', 'master.log');
  }

  get stateDir(): string {
    return path.join(this.dir, 'state');
  }

  /** Once everything listens. @param runtime for the runtime, instead of what it was begun with first */
  async begin({ runtime = this.#settings.runtime ?? [] }: SimMasterSettings = {}): Promise<void> {
    const file = path.join(this.dir, 'ready');
    forget(file);
    const set = [
      `grpc.addr=${this.address}`,
      'grpc.advertise=127.0.0.1',
      `http.addr=${this.rest.replace('http://', '')}`,
      `state_dir=${this.stateDir}`,
      `socket=${path.join(this.dir, 'm.sock')}`,
      'log.level=warn',
      'name=sim',
      // A publication is for everybody at once.
      ...('rollout.strategy' in MASTER_KEYS ? ['rollout.strategy=at-once'] : []),
      ...(this.#settings.heartbeat === undefined ? [] : [`heartbeat.interval=${this.#settings.heartbeat}`]),
      ...(this.#settings.set ?? []),
    ].flatMap((s) => ['--set', s]);
    const run = [program('master'), 'run', '--config', '/dev/null', '--ready-file', file, ...set];
    this.#child = start({
      name: 'master',
      argv: [...(NODE_FLAGS['master'] ?? []), ...runtime, ...run],
      logDir: path.join(this.dir, 'log'),
    });
    await ready(this.#child, file, 60_000);
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child) return;
    child.kill(signal);
    await child.ended;
    this.#child = null;
  }

  async stop(): Promise<void> {
    this.api.close();
    if (this.#child) await end(this.#child.pid, 20_000);
    this.#child = null;
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 3 });
  }
}
