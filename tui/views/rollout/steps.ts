import { type Row, seg } from '../../theme/row.ts';
import type { Verdict } from '../../theme/symbols.ts';
import { count, durationIn, NONE } from '../format.ts';
import { heads, place } from '../table.ts';
import type { Ui } from '../ui.ts';
import { verdictSeg } from '../verdict.ts';

export interface StepRow {
  readonly verdict: Verdict;
  /** `1 a region`, `50 %` */
  readonly what: string;
  /** Nodes on the new version when it is over. */
  readonly targets: number;
  readonly healthy: number | null;
  /** `HH:MM:SS`; `null`: not yet. */
  readonly started: string | null;
  readonly tookMs: number | null;
  readonly note: string;
}

const AT = {
  what: { x: 2, width: 14 },
  targets: { x: 17, width: 7, align: 'right' },
  healthy: { x: 25, width: 7, align: 'right' },
  started: { x: 34, width: 8 },
  took: { x: 44, width: 7 },
} as const;
const NOTE_AT = 52;

/** @param near only so many from there on */
export function stepRows(
  steps: readonly StepRow[],
  ui: Ui,
  near: { readonly from: number; readonly n: number } = { from: 0, n: steps.length },
): readonly Row[] {
  const { say, text } = ui.theme;
  const title = heads(
    [
      [{ x: 1, width: 14 }, { label: say('steps.title') }],
      [AT.targets, { label: say('steps.targets') }],
      [AT.healthy, { label: say('steps.healthy') }],
      [AT.started, { label: say('steps.started') }],
      [AT.took, { label: say('steps.took') }],
    ],
    ui,
  );
  return [
    title,
    ...steps.slice(near.from, near.from + near.n).map((s, i) => ({
      segs: place(
        [
          [AT.what, [verdictSeg(s.verdict, ui), seg(` ${near.from + i + 1} ${text(s.what)}`)]],
          [AT.targets, seg(count(s.targets))],
          [AT.healthy, seg(count(s.healthy))],
          [AT.started, seg(s.started === null ? NONE : text(s.started), 'quiet')],
          [AT.took, seg(s.tookMs === null ? NONE : durationIn(s.tookMs, AT.took.width))],
          [{ x: NOTE_AT, width: Math.max(0, ui.width - NOTE_AT) }, seg(text(s.note))],
        ],
        ui,
      ),
    })),
  ];
}
