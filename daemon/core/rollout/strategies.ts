import type { Refusal } from '../../../proto/vocab/node.ts';
import type { Gates, Strategy } from '../../../proto/vocab/rollout.ts';

export const STRATEGY_NAMES = ['standard', 'unattended', 'quick', 'at-once', 'revert'] as const;

/** Single fields over a named strategy; `gates` and `abort` field by field. */
export type StrategyOverrides = Partial<Omit<Strategy, 'gates' | 'abort'>> & {
  readonly gates?: Partial<Gates>;
  readonly abort?: Partial<Strategy['abort']>;
};

/** @throws AppError `invalid` for an unknown name, or with the refusals of `checkStrategy` */
export function strategyNamed(_name: string, _overrides?: StrategyOverrides): Strategy {
  throw new Error('not yet');
}

/** What is wrong with it, each with the field. */
export function checkStrategy(_strategy: Strategy): readonly Refusal[] {
  throw new Error('not yet');
}
