import { existsSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { end, program, until } from '../../scripts/demo/process.ts';

const LIBRARY = ['x86_64', 'aarch64']
  .map((arch) => `/usr/lib/${arch}-linux-gnu/faketime/libfaketimeMT.so.1`)
  .find((file) => existsSync(file));
const NODES = ['cn-1', 'hk-1'];
const DAY_MS = 86_400_000;

export interface NodeCertificate {
  readonly serial: string;
  readonly notAfter: number;
}

/** A master, a core and an edge as real processes, whose clock is set (libfaketime under each of them). */
export class ClockedFleet {
  readonly fleet: Fleet;
  readonly nodes: readonly string[] = NODES;
  days = 0;

  private constructor(fleet: Fleet) {
    this.fleet = fleet;
  }

  static async start(): Promise<ClockedFleet> {
    if (LIBRARY === undefined) throw new Error('libfaketime is missing: apt-get install libfaketime');
    return new ClockedFleet(await Fleet.start({ nodes: NODES }));
  }

  async stop(): Promise<void> {
    this.setClock(0);
    await this.fleet.stop();
  }

  /** Everything ends. */
  async switchOff(): Promise<void> {
    const { agents, engines, master } = this.fleet;
    const pids = [...engines.values()];
    await Promise.all([...agents.values()].map((c) => end(c.pid)));
    await Promise.all(pids.map((pid) => end(pid)));
    await end(master.pid);
  }

  /** Everything begins, so many days after the real time, and every node is in sync. */
  async switchOn(days: number): Promise<void> {
    this.setClock(days);
    await this.fleet.startMaster();
    await Promise.all(NODES.map((name) => this.fleet.startAgent(name)));
    await this.fleet.inSync(NODES, 90_000);
  }

  async certificates(): Promise<Map<string, NodeCertificate>> {
    const { nodes } = await this.fleet.api.listNodes();
    return new Map(
      nodes.map((n) => [
        n.name,
        { serial: n.certificate?.serial ?? '', notAfter: n.certificate?.notAfter ?? 0 },
      ]),
    );
  }

  /** Once every node has another certificate than before, and the edge and the core carry with theirs. */
  async renewed(before: ReadonlyMap<string, NodeCertificate>): Promise<Map<string, NodeCertificate>> {
    const now = await until('new certificates', 30_000, async () => {
      const seen = await this.certificates();
      return NODES.every((n) => seen.get(n)?.serial !== before.get(n)?.serial) ? seen : null;
    });
    await this.fleet.inSync(NODES, 30_000);
    const answer = await fetch(`http://127.0.0.1:${this.fleet.ports.chat1}/v1/models`);
    if (answer.status >= 500) throw new Error(`through the tunnel: ${answer.status} ${await answer.text()}`);
    return now;
  }

  /** `aicdn-master …` beside the stopped master. */
  async offline(...args: readonly string[]): Promise<{ code: number; text: string }> {
    const settings = ['--config', path.join(this.fleet.dir, 'master.yml')];
    const run = await execa(process.execPath, [program('master'), ...args, ...settings], { reject: false });
    return { code: run.exitCode ?? -1, text: `${run.stdout}${run.stderr}` };
  }

  now(): number {
    return Date.now() + this.days * DAY_MS;
  }

  private setClock(days: number): void {
    this.days = days;
    const faked = {
      LD_PRELOAD: LIBRARY,
      FAKETIME: `+${days}d`,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
    for (const [name, value] of Object.entries(faked)) {
      if (days === 0 || value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}
