import { ACT_ROWS } from './act-rows.ts';
import { FLEET_ROWS } from './fleet-rows.ts';
import { GO_ROWS } from './go-rows.ts';
import { LOOK_ROWS } from './look-rows.ts';
import type { KeyRow } from './row.ts';

/** The only table of keys there is. */
export const KEY_ROWS: readonly KeyRow[] = [...LOOK_ROWS, ...GO_ROWS, ...ACT_ROWS, ...FLEET_ROWS];
