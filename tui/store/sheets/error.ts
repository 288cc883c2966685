import type { ErrorCode } from '../../../proto/vocab/errors.ts';
import type { Millis } from '../../../proto/vocab/ids.ts';
import type { Refusal } from '../../../proto/vocab/node.ts';
import type { Words } from '../words.ts';
import { PLAIN, type SheetBase, type SheetRules } from './base.ts';

/** The master's answer to something refused, until Esc. */
export interface ErrorSheet extends SheetBase {
  readonly kind: 'error';
  readonly title: Words;
  readonly at: Millis;
  readonly code: ErrorCode;
  readonly message: string;
  readonly refusals: readonly Refusal[];
}

export const errorRules: SheetRules<ErrorSheet> = { ...PLAIN, yesNo: () => true, effect: () => null };
