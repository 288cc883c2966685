import type { Millis, Revision } from './ids.ts';

/** What `${region.NAME}` stands for on the nodes of a region, as an operator set it. */
export interface RegionVariables {
  readonly region: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly updatedBy: string;
  readonly updatedAt: Millis;
  readonly modRevision: Revision;
}

/** Letters, digits, `_`, `-` and `.`; a letter or `_` first: what may stand behind `region.` and `label.`. */
export function isVariableWord(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_.-]{0,62}$/.test(text);
}
