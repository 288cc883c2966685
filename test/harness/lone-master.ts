import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import type { ConsoleApi } from '../../proto/link/console-api.ts';
import { connectConsole } from '../../proto/link/console-client.ts';
import { program, until } from '../../scripts/demo/process.ts';

interface Bound {
  readonly grpc: string;
  readonly http: string;
  readonly socket: string;
  readonly pid: number;
}

export interface LoneMasterSettings {
  /** Kept, and used again by the next start; a temporary one otherwise. */
  readonly dir?: string;
  /** Where the store is; in `dir` otherwise. */
  readonly db?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Put before the runtime, such as `['prlimit', '--nofile=200']`; it must become the master, not start it. */
  readonly through?: readonly string[];
  readonly heartbeat?: string;
}

/** A master without nodes, as a process of its own, under conditions that the test makes. */
export class LoneMaster {
  readonly dir: string;
  readonly bound: Bound;
  readonly api: ConsoleApi;
  private readonly child: ReturnType<typeof launch>;
  private readonly own: boolean;
  private over = false;
  private writes = 0;

  private constructor(dir: string, own: boolean, child: ReturnType<typeof launch>, bound: Bound) {
    this.dir = dir;
    this.own = own;
    this.child = child;
    this.bound = bound;
    this.api = connectConsole({ socket: bound.socket });
    void child.then(() => {
      this.over = true;
    });
  }

  static async start(s: LoneMasterSettings = {}): Promise<LoneMaster> {
    const dir = s.dir ?? mkdtempSync(path.join(tmpdir(), 'aicdn-lone-'));
    const file = path.join(dir, 'ready');
    rmSync(file, { force: true });
    const child = launch(dir, file, s);
    let over: string | null = null;
    void child.then((r) => {
      over = r.shortMessage ?? 'ended';
    });
    const bound = await until(
      'the master is ready',
      20_000,
      () => {
        if (over !== null) throw new Error(over);
        return JSON.parse(readFileSync(file, 'utf8')) as Bound;
      },
      () => readFileSync(path.join(dir, 'master.log'), 'utf8').slice(-2000),
    );
    return new LoneMaster(dir, s.dir === undefined, child, bound);
  }

  get log(): string {
    return readFileSync(path.join(this.dir, 'master.log'), 'utf8');
  }

  health(): Promise<{
    readonly status: number;
    readonly body: { readonly status: string; readonly reason?: string };
  }> {
    return fetch(`http://${this.bound.http}/health`).then(async (r) => ({
      status: r.status,
      body: (await r.json()) as { status: string; reason?: string },
    }));
  }

  /** An acknowledged write, or the code of its refusal. */
  async write(comment: string): Promise<string> {
    try {
      await this.api.createSilence(
        { reason: 'fault' },
        {
          matchers: [{ name: 'node', value: `none-${this.writes++}`, isRegex: false, isEqual: true }],
          alert: null,
          startsAt: null,
          endsAt: Date.now() + 100 * 86_400_000,
          comment,
        },
      );
      return 'acknowledged';
    } catch (e) {
      return (e as { code?: string }).code ?? String(e);
    }
  }

  async comments(): Promise<readonly string[]> {
    return (await this.api.listAlerts()).silences.map((s) => s.comment);
  }

  kill(signal: NodeJS.Signals): Promise<unknown> {
    process.kill(this.bound.pid, signal);
    return this.child;
  }

  /** The folder goes too, unless it was given. */
  async stop(): Promise<void> {
    this.api.close();
    if (!this.over) await this.kill('SIGTERM');
    if (this.own) rmSync(this.dir, { recursive: true, force: true });
  }
}

function launch(dir: string, ready: string, s: LoneMasterSettings) {
  const set = {
    'http.addr': '127.0.0.1:0',
    'grpc.addr': '127.0.0.1:0',
    'grpc.advertise': '127.0.0.1',
    state_dir: path.join(dir, 'master'),
    socket: path.join(dir, 'm.sock'),
    'heartbeat.interval': s.heartbeat ?? '1s',
    'rollout.strategy': 'at-once',
    'rollout.revert': 'at-once',
    ...(s.db === undefined ? {} : { 'database.uri': `file://${s.db}` }),
  };
  const args = Object.entries(set).flatMap(([k, v]) => ['--set', `${k}=${v}`]);
  const [file = process.execPath, ...before] = [...(s.through ?? []), process.execPath];
  return execa(
    file,
    [...before, program('master'), 'run', '--config', '/dev/null', '--ready-file', ready, ...args],
    {
      stdin: 'ignore',
      stdout: { file: path.join(dir, 'master.log'), append: true },
      stderr: { file: path.join(dir, 'master.log'), append: true },
      buffer: false,
      reject: false,
      env: { NODE_ENV: 'production', ...s.env },
    },
  );
}
