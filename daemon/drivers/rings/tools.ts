import type { CellWriter } from './cell.ts';
import type { Gather } from './gather.ts';

/** What works for all rings: they are many, and one is busy at a time. */
export interface Tools {
  readonly writer: CellWriter;
  readonly gather: Gather;
}
