import path from 'node:path';
import type { Millis } from '../../proto/vocab/ids.ts';
import { makeDir, readRecord, record, writeRecord } from './durable.ts';

/** What this node was told to take no new streams on. Kept until it is told otherwise. */
export interface Told {
  /** `until`: what is left then is cut; `null`: streams end in their own time. */
  readonly stopped: { readonly until: Millis | null } | null;
  readonly drains: readonly { readonly service: string | null; readonly until: Millis }[];
}

export const SERVES: Told = { stopped: null, drains: [] };

const MOST_DRAINS = 257;

/** `<state_dir>/standing`: it outlives the agent, the engine and the host. */
export class StandingSpool {
  readonly #dir: string;
  readonly #report: (text: string) => void;

  constructor(settings: { readonly stateDir: string }, needs: { report: (text: string) => void }) {
    this.#dir = settings.stateDir;
    this.#report = needs.report;
  }

  async load(): Promise<Told> {
    return (await readRecord(this.#file, readTold, this.#report)) ?? SERVES;
  }

  /** On disk when it settles. */
  async keep(told: Told): Promise<void> {
    await makeDir(this.#dir);
    await writeRecord(this.#file, told);
  }

  get #file(): string {
    return path.join(this.#dir, 'standing');
  }
}

function readTold(value: unknown): Told {
  const { stopped, drains } = record(value);
  if (!Array.isArray(drains)) throw new Error('holds no drains');
  const until = stopped === null ? null : record(stopped)['until'];
  if (until !== null && typeof until !== 'number') throw new Error('holds an odd deadline');
  return {
    stopped: stopped === null ? null : { until },
    drains: drains.slice(0, MOST_DRAINS).map((d) => {
      const { service, until: end } = record(d);
      if ((service !== null && typeof service !== 'string') || typeof end !== 'number') {
        throw new Error('holds something that is no drain');
      }
      return { service, until: end };
    }),
  };
}
