import type { Intent } from '../store/intent.ts';
import type { State } from '../store/state.ts';
import { type Words, words } from '../store/words.ts';
import { all, always, mayAct, notHere, onScreen3, type Reason } from './reasons.ts';

/** Where a key means something. A sheet and a prompt have keys of their own (`match.ts`). */
export const WHERES = [
  'nodes',
  'node',
  'regions',
  'rollout',
  'target',
  'alerts',
  'versions',
  'version',
  'absent',
  'help',
] as const;
export type Where = (typeof WHERES)[number];

export type Section = 'look' | 'find' | 'go' | 'act' | 'fleet' | 'leave';

export const SECTIONS: readonly { readonly id: Section; readonly title: Words }[] = [
  { id: 'look', title: words('Look', '查看') },
  { id: 'act', title: words('Act', '操作') },
  { id: 'find', title: words('Find', '查找') },
  { id: 'fleet', title: words('Fleet and rollout', '全局与发布') },
  { id: 'go', title: words('Go', '跳转') },
  { id: 'leave', title: words('Leave', '离开') },
];

/** One key: what it means, where, what it is called, and why it is off. */
export interface KeyRow {
  /** Names as the router gives them; the first is printed. */
  readonly keys: readonly string[];
  readonly where: readonly Where[];
  readonly intent: Intent;
  readonly section: Section;
  readonly description: Words;
  /** In the key row: a short name and where it stands; those with the highest number are left out first. */
  readonly bar?: {
    readonly label: Words | ((state: State) => Words);
    readonly rank: number;
    /** Left out first where the row is narrow; those from the fifth on are as well. */
    readonly spare?: true;
    /** On the alerts screen: only while this table has the cursor. */
    readonly pane?: 'alerts' | 'silences';
  };
  /** Touches a node or the master's state: never from a paste, only on what was drawn. */
  readonly acts: boolean;
  /** `null`: it works. Otherwise why it is off. */
  readonly disabledReason: Reason;
}

export const SCREENS: readonly Where[] = WHERES.filter((w) => w !== 'help');

export function looks(
  keys: readonly string[],
  where: readonly Where[],
  section: Section,
  intent: Intent,
  description: Words,
  more: { bar?: KeyRow['bar']; off?: Reason } = {},
): KeyRow {
  const row = { keys, where, intent, section, description, acts: false, disabledReason: more.off ?? always };
  return more.bar === undefined ? row : { ...row, bar: more.bar };
}

export function acts(
  keys: readonly string[],
  where: readonly Where[],
  intent: Intent,
  description: Words,
  off: Reason,
  bar?: KeyRow['bar'],
): KeyRow {
  const row = {
    keys,
    where,
    intent,
    section: 'act' as const,
    description,
    acts: true,
    disabledReason: all(mayAct, off),
  };
  return bar === undefined ? row : { ...row, bar };
}

export function later(
  key: string,
  where: readonly Where[],
  section: Section,
  description: Words,
  en: string,
  zh: string,
): KeyRow {
  return {
    keys: [key],
    where,
    intent: { kind: 'not-here' },
    section,
    description,
    acts: false,
    disabledReason: notHere(en, zh),
  };
}

/** What reaches further than one node. */
export function fleet(
  keys: readonly string[],
  where: readonly Where[],
  intent: Intent,
  description: Words,
  off: Reason,
  at?: KeyRow['bar'],
): readonly KeyRow[] {
  return [{ ...acts(keys, where, intent, description, off, at), section: 'fleet' }];
}

/** A key of screen 3: in its place on the nodes', off there. */
export function elsewhere(key: string, intent: Intent, description: Words): readonly KeyRow[] {
  return fleet([key], ['nodes', 'node'], intent, description, onScreen3);
}

export const bar = (en: string, zh: string, rank: number) => ({ label: words(en, zh), rank });
