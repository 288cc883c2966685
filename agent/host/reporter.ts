import type { HostFigures, LogLine, MetricsReport } from '../../proto/vocab/metrics.ts';
import type { EngineInfo } from '../../proto/vocab/node.ts';
import { type Counters, deltas } from '../core/deltas.ts';
import type { Engine } from '../engine/port.ts';

const MOST_LINES = 64;
const LONGEST_LINE = 1024;

/** Makes reports of an engine's counters: what happened since the last one. */
export class Reporter {
  readonly #needs: {
    engine: Engine;
    info: () => EngineInfo | null;
    host: (pids: readonly number[]) => Promise<HostFigures>;
    /** The agent's own lines since the last call. */
    ownLines: () => readonly LogLine[];
    now: () => number;
  };
  #last: Counters | null = null;
  #from: number;
  #base: Promise<void> = Promise.resolve();
  #logInstance = '';
  #logSeq = 0;

  constructor(needs: {
    engine: Engine;
    info: () => EngineInfo | null;
    host: (pids: readonly number[]) => Promise<HostFigures>;
    ownLines: () => readonly LogLine[];
    now: () => number;
  }) {
    this.#needs = needs;
    this.#from = needs.now();
  }

  /** What happened until now is in no report: a gap stays a gap. */
  reset(): void {
    this.#last = null;
    this.#from = this.#needs.now();
    const stats = this.#needs.engine.stats().then(
      (s) => {
        this.#last = s;
      },
      () => undefined,
    );
    // What the host counts as well begins anew.
    const host = this.#needs.host([]).catch(() => undefined);
    this.#base = Promise.all([stats, host]).then(() => undefined);
  }

  /** Without an engine there are still the host's figures. */
  async report(): Promise<MetricsReport> {
    const { engine, info, host, ownLines, now } = this.#needs;
    await this.#base;
    const from = this.#from;
    const [stats, figures, lines] = await Promise.all([
      engine.stats().catch(() => null),
      host(processesOf(info())),
      this.#engineLines(),
    ]);
    const at = now();
    const services = stats ? deltas(this.#last, stats) : [];
    if (stats) this.#last = stats;
    this.#from = at;
    const log = [...lines, ...ownLines()].toSorted((a, b) => a.at - b.at).slice(-MOST_LINES);
    return {
      engineInstance: stats?.instance ?? '',
      from,
      sliceMs: Math.max(0, at - from),
      services: services.slice(0, 256),
      host: figures,
      log: log.map((l) => ({ ...l, text: l.text.slice(0, LONGEST_LINE) })),
    };
  }

  /** The last lines now, for a hello. */
  async tail(): Promise<readonly LogLine[]> {
    return this.#engineLines();
  }

  async #engineLines(): Promise<readonly LogLine[]> {
    const instance = this.#needs.info()?.instance ?? '';
    if (instance === '') return [];
    if (instance !== this.#logInstance) {
      this.#logInstance = instance;
      this.#logSeq = 0;
    }
    try {
      const { lines } = await this.#needs.engine.logs(this.#logSeq, 1000);
      this.#logSeq = lines.at(-1)?.seq ?? this.#logSeq;
      return lines.slice(-MOST_LINES).map(({ at, level, text }) => ({ at, level, text }));
    } catch {
      return [];
    }
  }
}

/** Streams lie in the workers, where an engine has them. */
export function processesOf(info: EngineInfo | null): readonly number[] {
  return info === null ? [] : [...new Set([info.pid, ...(info.workers ?? []).map((w) => w.pid)])];
}
