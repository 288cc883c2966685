import type { Draft } from './ports.ts';
import type { Decision } from './write.ts';

export function nothing(): Decision<null> {
  return { ops: [], events: [], effects: [], result: null };
}

/** Later puts of the same key win: each was made from the one before. */
export function merge(a: Decision<null>, b: Decision<null>): Decision<null> {
  return mergeAll([a, b]);
}

/** Of a whole fleet: two at a time would copy what there is for each that is added. */
export function mergeAll(all: readonly Decision<null>[]): Decision<null> {
  const ops = new Map<string, Draft>();
  for (const d of all) for (const op of d.ops) ops.set(`${op.kind}/${op.key}`, op);
  return {
    ops: [...ops.values()],
    events: all.flatMap((d) => d.events),
    effects: all.flatMap((d) => d.effects ?? []),
    result: null,
  };
}
