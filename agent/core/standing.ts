import type { Millis } from '../../proto/vocab/ids.ts';
import type { DrainView, Standing } from '../../proto/vocab/node.ts';

// From what the node was told to what its engine has to drain. Pure.

interface Told {
  readonly stopped: { readonly until: Millis | null } | null;
  readonly drains: readonly { readonly service: string | null; readonly until: Millis }[];
}

/** An engine's drain has a deadline; this one never comes. */
export const NEVER: Millis = Date.UTC(2100, 0, 1);
/** A deadline is told as a time from now: it comes out of the engine that much later. */
const SAME_MS = 2_000;

export interface Holding {
  readonly drain: readonly { readonly service: string | null; readonly until: Millis }[];
  readonly undrain: readonly (string | null)[];
}

/** What to tell the engine so that it drains what it should; of two deadlines for everything the sooner counts. */
export function holding(told: Told, found: readonly DrainView[]): Holding {
  const wanted = new Map<string | null, Millis>();
  for (const d of told.drains) wanted.set(d.service, d.until);
  if (told.stopped) {
    const until = told.stopped.until ?? NEVER;
    wanted.set(null, Math.min(until, wanted.get(null) ?? NEVER));
  }
  const has = new Map(found.map((d) => [d.service, d.deadline]));
  return {
    drain: [...wanted]
      .filter(
        ([service, until]) => Math.abs((has.get(service) ?? Number.NEGATIVE_INFINITY) - until) > SAME_MS,
      )
      .map(([service, until]) => ({ service, until })),
    undrain: [...has.keys()].filter((service) => !wanted.has(service)),
  };
}

/** What the master is told: the drains it asked for, with what the engine says of them. */
export function standing(told: Told, found: readonly DrainView[]): Standing {
  return {
    stopped: told.stopped !== null,
    drains: told.drains.map(({ service, until }) => {
      const f = found.find((d) => d.service === service);
      // Not known while there is no engine: nothing runs there.
      const { streams, oldestMs, etaMs } = f ?? { streams: 0, oldestMs: 0, etaMs: null };
      return { service, streams, oldestMs, etaMs, deadline: until };
    }),
  };
}
