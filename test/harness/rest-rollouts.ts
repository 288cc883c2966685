import { until } from '../../scripts/demo/process.ts';

// Rollouts driven and read back by REST.

export interface RestRollout {
  readonly id: string;
  readonly version: string;
  readonly state: string;
  readonly phase: string | null;
  readonly paused: string | null;
  readonly why: string;
  readonly step: number;
  readonly steps: readonly { readonly targets: number }[];
  readonly superseded_by: string | null;
  readonly counts: Readonly<Record<string, number>>;
  readonly readings: readonly {
    readonly verdict: string;
    readonly gates: readonly {
      readonly gate: string;
      readonly verdict: string;
      readonly change: number | null;
    }[];
    readonly largest: { readonly node: string } | null;
  }[];
  readonly waits: readonly string[];
}

export interface RestTarget {
  readonly node: string;
  readonly state: string;
  readonly released: boolean;
  readonly why: string;
  readonly step: number;
  readonly offered_at: string | null;
}

/** One a region through the gates, then all; a soak that outlasts an answer, and the rest as short as it may be. */
export const SHORT = {
  steps: [
    { count: 1, per_region: true, pause: null, analysis: true },
    { percent: 100, per_region: true, pause: null, analysis: false },
  ],
  min_healthy_ms: 2000,
  healthy_deadline_ms: 30_000,
  progress_deadline_ms: 120_000,
  // Longer than a master takes to be back, and again.
  rollback_ms: 20_000,
  gates: { readings: 3, interval_ms: 1000, window_ms: 60_000, min_samples: 150 },
} as const;

/** A master's REST, as an operator has it. */
export class RestRollouts {
  readonly #base: string;
  readonly #token: string;

  constructor(base: string, token: string) {
    this.#base = base;
    this.#token = token;
  }

  async call(method: string, where: string, body?: unknown): Promise<{ status: number; body: never }> {
    const r = await fetch(`${this.#base}/api/v1${where}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: r.status, body: (await r.json()) as never };
  }

  protected async well<T>(method: string, where: string, body?: unknown): Promise<T> {
    const r = await this.call(method, where, body);
    if (r.status >= 300) throw new Error(`${method} ${where}: ${r.status} ${JSON.stringify(r.body)}`);
    return r.body;
  }

  async create(version: string, config: string): Promise<void> {
    await this.well('POST', '/configs', { version, config });
  }

  /** Made and published; the id of the rollout. */
  async publish(
    version: string,
    config: string,
    overrides: object = SHORT,
    strategy = 'unattended',
  ): Promise<string> {
    await this.create(version, config);
    const r = await this.well<{ rollout: RestRollout }>('POST', `/configs/${version}/publish`, {
      target: { node_type: 'edge' },
      strategy,
      overrides,
    });
    return r.rollout.id;
  }

  rollout(id: string): Promise<RestRollout> {
    return this.well('GET', `/rollouts/${id}`);
  }

  async targets(id: string): Promise<readonly RestTarget[]> {
    return (await this.well<{ targets: RestTarget[] }>('GET', `/rollouts/${id}/targets?limit=500`)).targets;
  }

  verb(id: string, verb: string): Promise<RestRollout> {
    return this.well('POST', `/rollouts/${id}/${verb}`, { reason: 'test' });
  }

  /** Once it is in this state; another one that it cannot leave again is the error. */
  reached(id: string, state: string, and: (r: RestRollout) => boolean = () => true): Promise<RestRollout> {
    let seen: RestRollout | null = null;
    return until(
      `rollout ${id} ${state}`,
      120_000,
      async () => {
        seen = await this.rollout(id);
        return seen.state === state && and(seen) ? seen : null;
      },
      () => JSON.stringify(seen),
    );
  }

  /** By REST: which version each node runs. */
  async runs(): Promise<Record<string, string | null>> {
    const { nodes } = await this.well<{
      nodes: { name: string; version: string | null }[];
    }>('GET', '/nodes?limit=500');
    return Object.fromEntries(nodes.map((n) => [n.name, n.version]));
  }

  /** All of them run it, and say so. */
  allRun(version: string): Promise<true> {
    let seen: object = {};
    return until(
      `all on ${version}`,
      60_000,
      async () => {
        seen = await this.runs();
        return Object.values(seen).every((v) => v === version) ? true : null;
      },
      () => JSON.stringify(seen),
    );
  }
}
