import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { ConsoleApi } from '../../proto/link/console-api.ts';
import { added, BEHAVIOUR, type Behaviour, NOTHING, type Tally } from './behaviour.ts';
import type { FromCrew, ToCrew, ToJoin } from './messages.ts';
import { type Planned, type PlanSettings, planned } from './plan.ts';

export type SimFleetSettings = Partial<PlanSettings> & {
  readonly nodes: number;
  /** `host:port` of the master's agents' port. */
  readonly address: string;
  readonly behaviour?: Partial<Behaviour>;
  /** One for every 4,000 agents, and two at least from 200 on. */
  readonly processes?: number;
};

const A_PROCESS = 4_000;
/** Token requests under way at once. */
const AT_ONCE = 48;
const BATCH = 32;
const GONE_MS = 10_000;

/**
 * Thousands of agents, made up but for their conversation with a real master: each has a key and a certificate of its
 * own, a mutual-TLS stream, and the agent's own session above it; engine, host and streams are simulated.
 */
export class SimFleet {
  readonly nodes: readonly Planned[];
  #behaviour: Behaviour;
  readonly #crews: readonly ChildProcess[];
  readonly #tallies: Tally[];
  readonly #watchers = new Set<() => void>();
  readonly #failures: string[] = [];
  #over = false;

  private constructor(settings: SimFleetSettings, crews: readonly ChildProcess[]) {
    this.#crews = crews;
    this.#tallies = crews.map(() => NOTHING);
    this.#behaviour = { ...BEHAVIOUR, ...settings.behaviour };
    this.nodes = planned({ flap: 0, offline: 0, bad: 0, cores: 0.04, prefix: '', seed: 1, ...settings });
    crews.forEach((crew, i) => {
      crew.on('message', (m: FromCrew) => this.#heard(i, m));
      crew.on('exit', (code, signal) => {
        if (!this.#over) this.#failures.push(`a simulating process ended (${signal ?? code})`);
        this.#changed();
      });
    });
    this.#tell({ kind: 'address', at: settings.address, caPem: null });
    this.#tell({ kind: 'behave', behaviour: this.#behaviour });
  }

  /** Its processes stand; nobody has joined yet. */
  static async start(settings: SimFleetSettings): Promise<SimFleet> {
    const { nodes } = settings;
    const processes = settings.processes ?? Math.max(Math.ceil(nodes / A_PROCESS), nodes >= 200 ? 2 : 1);
    const crews = Array.from({ length: processes }, () =>
      fork(path.join(import.meta.dirname, 'crew.ts'), {
        execArgv: ['--max-old-space-size=8192'],
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      }),
    );
    const ready = crews.map(async (crew) => {
      await Promise.race([once(crew, 'message'), once(crew, 'exit')]);
      if (!crew.connected) throw new Error('a simulating process did not start');
    });
    try {
      await Promise.all(ready);
    } catch (e) {
      for (const crew of crews) crew.kill('SIGKILL');
      throw e;
    }
    return new SimFleet(settings, crews);
  }

  get tally(): Tally {
    return this.#tallies.reduce(added, NOTHING);
  }

  /** Who will be there once all is well. */
  get expected(): number {
    return this.nodes.filter((n) => !n.offline).length;
  }

  /**
   * Each gets a join token from the console API, makes its key, and is enrolled with it. Settles once all are.
   * @throws what the master said to the first one that it refused
   */
  async join(api: Pick<ConsoleApi, 'createToken'>): Promise<void> {
    const { nodes } = this;
    const share = Math.ceil(nodes.length / this.#crews.length);
    const batches: ToJoin[][] = this.#crews.map(() => []);
    const send = (crew: number, least: number): void => {
      const batch = batches[crew] ?? [];
      if (batch.length >= least && batch.length > 0)
        this.#send(crew, { kind: 'join', nodes: batch.splice(0) });
    };
    let next = 0;
    const asking = async (): Promise<void> => {
      for (let i = next++; i < nodes.length && this.#failures.length === 0; i = next++) {
        const node = nodes[i] as Planned;
        const { nodeType, region, name } = node;
        const { token } = await api.createToken(
          { reason: 'simulated fleet' },
          { nodeType, region, name, ttlMs: 6 * 3_600_000, replace: false },
        );
        const crew = Math.floor(i / share);
        batches[crew]?.push({ node, token });
        send(crew, BATCH);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, asking));
    this.#crews.forEach((_, crew) => {
      send(crew, 1);
    });
    await this.until('everybody has joined', 600_000, (t) => t.joined === nodes.length);
  }

  /** Those that have joined dial, all at once. */
  connect(): void {
    this.#tell({ kind: 'connect' });
  }

  behave(change: Partial<Behaviour>): void {
    this.#behaviour = { ...this.#behaviour, ...change };
    this.#tell({ kind: 'behave', behaviour: this.#behaviour });
  }

  /** At the next dial. @param caPem where it is not the CA they joined by */
  moveTo(address: string, caPem: string | null = null): void {
    this.#tell({ kind: 'address', at: address, caPem });
  }

  /** The connections of a part of the fleet break now: from 0 to 0.1 is a tenth of it, spread over all regions. */
  cut(from = 0, to = 1, why = 'cut'): void {
    this.#tell({ kind: 'cut', from, to, why });
  }

  /** Looked at whenever something was told, four times a second. @throws Error naming what was waited for and what was seen */
  until(what: string, withinMs: number, holds: (t: Tally) => boolean): Promise<Tally> {
    return new Promise((resolve, reject) => {
      const done = (act: () => void): void => {
        clearTimeout(late);
        this.#watchers.delete(look);
        act();
      };
      const look = (): void => {
        const t = this.tally;
        const [failure] = this.#failures;
        if (failure !== undefined) done(() => reject(new Error(failure)));
        else if (holds(t)) done(() => resolve(t));
      };
      const late = setTimeout(() => {
        const { nodes: _, ...seen } = this.tally;
        done(() => reject(new Error(`not within ${withinMs / 1000} s: ${what} (${JSON.stringify(seen)})`)));
      }, withinMs);
      this.#watchers.add(look);
      look();
    });
  }

  /** Says goodbye to the master, ends the processes. */
  async stop(): Promise<void> {
    this.#over = true;
    const gone = this.#crews.map(async (crew) => {
      if (crew.exitCode !== null || crew.signalCode !== null) return;
      const exit = once(crew, 'exit');
      if (crew.connected) crew.send({ kind: 'stop' } satisfies ToCrew);
      const late = setTimeout(() => crew.kill('SIGKILL'), GONE_MS);
      await exit;
      clearTimeout(late);
    });
    await Promise.all(gone);
  }

  #heard(crew: number, m: FromCrew): void {
    if (m.kind === 'tally') this.#tallies[crew] = m.tally;
    else if (m.kind === 'failed') this.#failures.push(`${m.what}: ${m.why}`);
    this.#changed();
  }

  #changed(): void {
    for (const look of [...this.#watchers]) look();
  }

  #send(crew: number, m: ToCrew): void {
    const to = this.#crews[crew];
    if (to?.connected) to.send(m);
  }

  #tell(m: ToCrew): void {
    this.#crews.forEach((_, i) => {
      this.#send(i, m);
    });
  }
}
