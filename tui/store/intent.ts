import type { Target } from '../../proto/vocab/config-version.ts';
import type { RolloutVerb } from '../../proto/vocab/rollout.ts';
import type { SortColumn } from './sort.ts';

export const SCREENS = ['nodes', 'regions', 'rollouts', 'alerts', 'incidents', 'pulses'] as const;
export type ScreenId = (typeof SCREENS)[number];

/** What is meant by a key, never which key it was. */
export type Intent =
  // look
  | {
      readonly kind: 'open-screen';
      readonly screen: ScreenId;
      /** Of screen 3. */
      readonly pane?: 'rollout' | 'versions';
      /** Of the nodes. */
      readonly filter?: string;
    }
  /** `null`: the newest that is open. */
  | { readonly kind: 'open-rollout'; readonly id: string | null }
  | { readonly kind: 'last-screen' }
  /** `version`: of a rollout not the target but what it publishes. */
  | { readonly kind: 'describe'; readonly version?: true }
  /** The rollout before or after. */
  | { readonly kind: 'other'; readonly by: 1 | -1 }
  | { readonly kind: 'help' }
  | { readonly kind: 'freeze' }
  /** Over how long the bars go. */
  | { readonly kind: 'window' }
  | { readonly kind: 'refresh' }
  // move
  | { readonly kind: 'move'; readonly by: number }
  | { readonly kind: 'page'; readonly by: number }
  | { readonly kind: 'jump'; readonly to: 'first' | 'last' }
  | { readonly kind: 'next-pane' }
  // find
  | { readonly kind: 'filter-open' }
  | { readonly kind: 'command-open' }
  | { readonly kind: 'complete' }
  | { readonly kind: 'order-open' }
  | { readonly kind: 'order-by'; readonly column: SortColumn }
  | { readonly kind: 'order-shift'; readonly by: 1 | -1 }
  | { readonly kind: 'order-turn' }
  | { readonly kind: 'mark' }
  // act
  | { readonly kind: 'reload' }
  | { readonly kind: 'silence' }
  | { readonly kind: 'roll-back' }
  /** By `:`, which version and to whom. */
  | { readonly kind: 'publish'; readonly label?: string; readonly target?: Target | null }
  | { readonly kind: 'pause' }
  /** `null`: the one on screen. */
  | { readonly kind: 'rollout-verb'; readonly verb: RolloutVerb; readonly id: string | null }
  | { readonly kind: 'revert-last' }
  | { readonly kind: 'restart' }
  | { readonly kind: 'drain' }
  | { readonly kind: 'expire-silence' }
  // a sheet, a prompt
  | { readonly kind: 'type'; readonly text: string }
  | { readonly kind: 'erase' }
  | { readonly kind: 'erase-line' }
  | { readonly kind: 'field'; readonly by: 1 | -1 }
  | { readonly kind: 'choose'; readonly by: 1 | -1 }
  | { readonly kind: 'submit' }
  | { readonly kind: 'yes' }
  | { readonly kind: 'no' }
  // leave
  | { readonly kind: 'peel' }
  | { readonly kind: 'back' }
  | { readonly kind: 'quit' }
  /** A key whose work is not here yet: always off, with its reason. */
  | { readonly kind: 'not-here' };
