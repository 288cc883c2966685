import type { Refusal } from '../../proto/vocab/node.ts';

/** What an engine says of itself when asked whether it carries. */
export interface Reach {
  readonly listeners: readonly {
    readonly service: string;
    readonly accepting: boolean;
    readonly error: string;
  }[];
  readonly routes: readonly { readonly service: string; readonly reached: boolean; readonly error: string }[];
}

export type Verdict =
  | { readonly ok: true; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly refusal: Refusal };

/**
 * CONFIRM: every listener accepts, and every route that reached its target before the switch still does. One that never
 * did is a warning: else nothing could be applied while the origin is down, not even the fix.
 * @param before read before the switch; `null`: nothing ran
 */
export function judgeConfirm(before: Reach | null, after: Reach): Verdict {
  const deaf = after.listeners.find((l) => !l.accepting);
  if (deaf) {
    return {
      ok: false,
      refusal: {
        code: 'not_accepting',
        message: `${deaf.service} does not accept: ${deaf.error || 'no reason given'}`,
      },
    };
  }
  const reachedBefore = reachedServices(before);
  const warnings: string[] = [];
  for (const r of after.routes) {
    if (r.reached) continue;
    const why = r.error || 'no reason given';
    if (reachedBefore.has(r.service)) {
      return {
        ok: false,
        refusal: {
          code: 'not_reached',
          message: `${r.service} does not reach its target any more: ${why}`,
          hint: 'it did before the switch',
        },
      };
    }
    warnings.push(`${r.service} does not reach its target: ${why}`);
  }
  return { ok: true, warnings: [...new Set(warnings)] };
}

/** Services all of whose routes reach. */
function reachedServices(reach: Reach | null): ReadonlySet<string> {
  const all = new Set((reach?.routes ?? []).map((r) => r.service));
  for (const r of reach?.routes ?? []) if (!r.reached) all.delete(r.service);
  return all;
}
