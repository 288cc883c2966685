import type { Behaviour, Tally } from './behaviour.ts';
import type { Planned } from './plan.ts';

// Between the fleet and the processes that its agents live in.

export interface ToJoin {
  readonly node: Planned;
  readonly token: string;
}

export type ToCrew =
  /** `caPem`: of a master that is not the one they joined. */
  | { readonly kind: 'address'; readonly at: string; readonly caPem: string | null }
  | { readonly kind: 'behave'; readonly behaviour: Behaviour }
  | { readonly kind: 'join'; readonly nodes: readonly ToJoin[] }
  /** All that have joined and are not planned to stay away. */
  | { readonly kind: 'connect' }
  /** These connections break: of all of them, spread over the fleet, the part from `from` to `to` (0 to 1). */
  | { readonly kind: 'cut'; readonly from: number; readonly to: number; readonly why: string }
  | { readonly kind: 'stop' };

export type FromCrew =
  | { readonly kind: 'ready' }
  | { readonly kind: 'tally'; readonly tally: Tally }
  | { readonly kind: 'failed'; readonly what: string; readonly why: string };
