import type { Draft } from './ports.ts';
import type { Decision } from './write.ts';

export function nothing(): Decision<null> {
  return { ops: [], events: [], effects: [], result: null };
}

/** Later puts of the same key win: each was made from the one before. */
export function merge(a: Decision<null>, b: Decision<null>): Decision<null> {
  const ops = new Map<string, Draft>();
  for (const op of [...a.ops, ...b.ops]) ops.set(`${op.kind}/${op.key}`, op);
  return {
    ops: [...ops.values()],
    events: [...a.events, ...b.events],
    effects: [...(a.effects ?? []), ...(b.effects ?? [])],
    result: null,
  };
}
