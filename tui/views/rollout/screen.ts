import { BLANK, ends, type Row, row, type Seg, seg } from '../../theme/row.ts';
import type { Verdict } from '../../theme/symbols.ts';
import { padTo } from '../../theme/width.ts';
import { wrapped } from '../describe-body.ts';
import { count } from '../format.ts';
import { greyed } from '../grey.ts';
import { type Ui, WIDE } from '../ui.ts';
import { verdictSeg, verdictToken } from '../verdict.ts';
import { type BeforeRow, beforeRows } from './before.ts';
import { type GateProps, gateLines, gateRows } from './gate.ts';
import { type StepRow, stepRows } from './steps.ts';
import { barRow, type StateCount, summaryRows, type TargetRow, targetTable, textAt } from './targets.ts';

export interface RolloutProps {
  readonly id: string;
  /** `v42 to type=edge` */
  readonly what: string;
  readonly verdict: Verdict;
  /** `progressing, step 3 of 4, soaking` */
  readonly state: string;
  /** `by lin 02:44:00, 28m07s: "add wss listener"`; `short` where the terminal is narrow. */
  readonly by: { readonly long: string; readonly short: string };
  readonly steps: readonly StepRow[];
  /** What it waits for, what comes then, its limits. An empty label continues the one before. */
  readonly lines: readonly { readonly label: string; readonly text: string; readonly loud?: boolean }[];
  readonly total: number;
  readonly counts: readonly StateCount[];
  /** Nodes on the new version. */
  readonly onNow: { readonly version: string; readonly n: number } | null;
  readonly rows: readonly TargetRow[];
  readonly cursor: number;
  /** `null`: none was read. */
  readonly gate: GateProps | null;
  readonly before: readonly BeforeRow[];
  /** Why the targets are not here. */
  readonly error: string | null;
  readonly stale: boolean;
}

/** Header, message and keys. */
const AROUND = 5;
/** Heads and three targets: fewer say nothing. */
const LEAST_TABLE = 4;

/** Everything from row 4 to the message: steps, waits, targets, gate, the ones before; roomy where there is room. */
export function rolloutRows(p: RolloutProps, ui: Ui): readonly Row[] {
  const room = Math.max(1, ui.height - AROUND);
  const head = [titleRow(p, ui), ...stepRows(p.steps, ui)];
  const lines = lineRows(p, ui);
  const sums = [...summaryRows(p, ui), ...barRow(p, ui)];
  const wide = p.gate === null ? [] : gateRows(p.gate, ui);
  const table = p.rows.length === 0 ? 2 : Math.max(LEAST_TABLE, Math.min(p.rows.length + 1, 8));
  const whole = head.length + lines.length + sums.length + table + wide.length + 3;
  const past = (cells: number) => beforeRows(p.before.slice(0, Math.max(0, Math.min(2, cells))), ui);
  if (whole + 2 <= room) {
    const gate = wide.length === 0 ? [] : [BLANK, ...wide];
    const before = past(room - whole - gate.length + wide.length);
    const tail = [...gate, ...(before.length === 0 ? [] : [BLANK, ...before])];
    const top = [...head, BLANK, ...lines, ...(lines.length === 0 ? [] : [BLANK]), ...sums, BLANK];
    return shaded(p, [...top, ...targetTable(p, room - top.length - tail.length, ui), ...tail]);
  }
  const gate = p.gate === null ? [] : gateLines(p.gate, ui);
  const top = [...head, ...lines, ...sums];
  const left = room - top.length - gate.length;
  return shaded(p, [...top, ...targetTable(p, Math.max(LEAST_TABLE, left), ui), ...gate]);
}

function shaded(p: RolloutProps, rows: readonly Row[]): readonly Row[] {
  return p.stale ? rows.map(greyed) : rows;
}

function titleRow(p: RolloutProps, ui: Ui): Row {
  const { say, text, sym } = ui.theme;
  const left: Seg[] = [
    seg(' '),
    seg(say('tab.rollouts'), 'strong'),
    seg(` / ${text(p.id)}   ${text(p.what)}   `),
    verdictSeg(p.verdict, ui),
    seg(` ${text(p.state)}`, verdictToken(p.verdict)),
  ];
  return ends(
    left,
    [seg(`  ${text(ui.width >= WIDE ? p.by.long : p.by.short)} `, 'quiet')],
    ui.width,
    sym.cut,
  );
}

function lineRows(p: RolloutProps, ui: Ui): readonly Row[] {
  const { text } = ui.theme;
  return p.lines.flatMap((l) =>
    wrapped(text(l.text), ui.width - textAt(ui) - 1).map((part, i) =>
      row(
        ' ',
        seg(padTo(i === 0 ? text(l.label) : '', textAt(ui) - 1), 'quiet'),
        seg(part, l.loud === true ? 'strong' : 'text'),
      ),
    ),
  );
}

/** No rollout there ever was. */
export function noRolloutRows(ui: Ui): readonly Row[] {
  const { say } = ui.theme;
  return [
    row(' ', seg(say('tab.rollouts'), 'strong'), `  ${count(0)}`),
    BLANK,
    row(seg(` ${say('rollout.none')}`, 'quiet')),
  ];
}
