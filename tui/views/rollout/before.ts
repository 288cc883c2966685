import { type Row, row, seg } from '../../theme/row.ts';
import type { Verdict } from '../../theme/symbols.ts';
import { type Place, place } from '../table.ts';
import { type Ui, WIDE } from '../ui.ts';
import { verdictSeg } from '../verdict.ts';

/** A rollout that is over. */
export interface BeforeRow {
  readonly id: string;
  readonly what: string;
  readonly verdict: Verdict;
  readonly state: string;
  /** `Sat 22:10` */
  readonly when: string;
  readonly took: string;
  /** `140 of 140` */
  readonly done: string;
  readonly by: string;
}

export function beforeRows(rows: readonly BeforeRow[], ui: Ui): readonly Row[] {
  const { text, say } = ui.theme;
  const wide = ui.width >= WIDE;
  const at = {
    label: { x: 1, width: 8 },
    id: { x: 10, width: 3 },
    what: { x: 14, width: wide ? 18 : 17 },
    state: { x: 33, width: 14 },
    when: { x: 48, width: 10 },
    took: { x: 59, width: wide ? 5 : 7 },
    done: { x: 65, width: wide ? 12 : 0 },
    by: { x: 78, width: wide ? ui.width - 78 : 0 },
  } satisfies Readonly<Record<string, Place>>;
  if (rows.length === 0) return [];
  return rows.map((r, i) => {
    const cells = place(
      [
        [at.label, seg(i === 0 ? say('before.title') : '', 'strong')],
        [at.id, seg(text(r.id))],
        [at.what, seg(text(r.what))],
        [at.state, [verdictSeg(r.verdict, ui), seg(` ${text(r.state)}`)]],
        [at.when, seg(text(r.when), 'quiet')],
        [at.took, seg(text(r.took), 'quiet')],
        [at.done, seg(text(r.done))],
        [at.by, seg(text(r.by), 'quiet')],
      ],
      ui,
    );
    return row(...cells);
  });
}
