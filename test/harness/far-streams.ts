import { execa } from 'execa';
import { ROOT } from '../../scripts/demo/process.ts';
import type { FarStreams } from './far-ends.ts';
import type { Hosts } from './host.ts';

// far-ends.ts as processes in the network of booted hosts.

const PROGRAM = `${ROOT}/test/harness/far-ends.ts`;

export interface Far {
  stop(): Promise<void>;
}

/** An origin at the network's gateway. */
export async function farOrigin(hosts: Hosts, port: number): Promise<Far> {
  const child = launch(hosts, ['origin', `${port}`]);
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    void child.then((r) => reject(new Error(`the origin has ended: ${r.shortMessage ?? ''}`)));
  });
  return { stop: () => finish(child) };
}

/** Endless streams from there to a host. */
export class FarClients implements Far {
  readonly #child: ReturnType<typeof launch>;
  #rest = '';
  #wake: (() => void)[] = [];
  /** As they said last. */
  state: FarStreams = { open: 0, least: 0, faults: [] };

  private constructor(child: ReturnType<typeof launch>) {
    this.#child = child;
    child.stdout.on('data', (part: Buffer) => this.#read(part.toString('utf8')));
  }

  /** Resolves once all of them carry. */
  static async open(hosts: Hosts, to: { host: string; port: number; count: number }): Promise<FarClients> {
    const far = new FarClients(launch(hosts, ['clients', to.host, `${to.port}`, `${to.count}`]));
    await far.until((s) => s.open === to.count || s.faults.length > 0);
    return far;
  }

  async until(holds: (state: FarStreams) => boolean): Promise<void> {
    while (!holds(this.state)) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  /** Every stream has had so many more chunks, or one is over. */
  async advance(by: number): Promise<void> {
    const { least, faults } = this.state;
    await this.until((s) => s.least >= least + by || s.faults.length > faults.length);
  }

  stop(): Promise<void> {
    return finish(this.#child);
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    const last = lines.at(-1);
    if (last === undefined) return;
    this.state = JSON.parse(last) as FarStreams;
    for (const wake of this.#wake.splice(0)) wake();
  }
}

function launch(hosts: Hosts, args: readonly string[]) {
  const [file, argv] = hosts.outside(process.execPath, [PROGRAM, ...args]);
  return execa(file, argv, {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
    buffer: false,
    reject: false,
  });
}

async function finish(child: ReturnType<typeof launch>): Promise<void> {
  child.stdin.end();
  await child;
}
