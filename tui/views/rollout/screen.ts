import { BLANK, ends, type Row, row, type Seg, seg, segsWidth } from '../../theme/row.ts';
import type { Verdict } from '../../theme/symbols.ts';
import { cutEnd, padTo } from '../../theme/width.ts';
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
/** So many are seen before there is room for more than them. */
const ROOMY_TABLE = 8;

/** Everything from row 4 to the message: steps, waits, targets, gate, the ones before; roomy where there is room. */
export function rolloutRows(p: RolloutProps, ui: Ui): readonly Row[] {
  const room = Math.max(1, ui.height - AROUND);
  return shaded(p, roomyRows(p, room, ui) ?? tightRows(p, room, ui));
}

/** Blank rows between the parts, the gate whole, what was before; `null`: it does not fit. */
function roomyRows(p: RolloutProps, room: number, ui: Ui): readonly Row[] | null {
  const lines = lineRows(p, ui, true);
  const gate = p.gate === null ? [] : [BLANK, ...gateRows(p.gate, ui)];
  const top = [
    titleRow(p, ui),
    ...stepRows(p.steps, ui),
    BLANK,
    ...lines,
    ...(lines.length === 0 ? [] : [BLANK]),
    ...sumRows(p, ui),
    BLANK,
  ];
  const table = Math.max(LEAST_TABLE, Math.min(p.rows.length + 1, ROOMY_TABLE));
  const left = room - top.length - gate.length - table;
  if (left < 0) return null;
  const past = beforeRows(p.before.slice(0, Math.max(0, Math.min(2, left - 1))), ui);
  const tail = [...gate, ...(past.length === 0 ? [] : [BLANK, ...past])];
  return [...top, ...targetTable(p, room - top.length - tail.length, ui), ...tail];
}

/** What explains gives way to what is wrong: lines are cut, then the steps but those of now, then the gate's second row. */
function tightRows(p: RolloutProps, room: number, ui: Ui): readonly Row[] {
  const gate = p.gate === null ? [] : gateLines(p.gate, ui);
  const title = titleRow(p, ui);
  const sums = sumRows(p, ui);
  const now = Math.max(
    0,
    p.steps.findLastIndex((s) => s.started !== null),
  );
  const near = { from: Math.min(now, Math.max(0, p.steps.length - 2)), n: 2 };
  const tries = [
    [title, ...stepRows(p.steps, ui), ...lineRows(p, ui, true), ...sums],
    [title, ...stepRows(p.steps, ui), ...lineRows(p, ui, false), ...sums],
    [title, ...stepRows(p.steps, ui, near), ...lineRows(p, ui, false), ...sums],
  ];
  const top = tries.find((t) => room - t.length - gate.length >= LEAST_TABLE) ?? tries.at(-1) ?? [];
  const foot = gate.slice(0, Math.max(0, room - top.length - LEAST_TABLE));
  return [...top, ...targetTable(p, Math.max(2, room - top.length - foot.length), ui), ...foot];
}

function sumRows(p: RolloutProps, ui: Ui): readonly Row[] {
  return [...summaryRows(p, ui), ...barRow(p, ui)];
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
  // Who began it gives way to what it does, but for its first words.
  const by = text(ui.width >= WIDE ? p.by.long : p.by.short);
  const room = Math.max(LEAST_BY, ui.width - segsWidth(left) - 3);
  return ends(left, [seg(`  ${cutEnd(by, room, sym.cut)} `, 'quiet')], ui.width, sym.cut);
}

/** Cells of who began it that stay. */
const LEAST_BY = 8;

/** `whole`: wrapped where a row is too short; otherwise cut. */
function lineRows(p: RolloutProps, ui: Ui, whole: boolean): readonly Row[] {
  const { text } = ui.theme;
  return p.lines.flatMap((l) =>
    (whole ? wrapped(text(l.text), ui.width - textAt(ui) - 1) : [text(l.text)]).map((part, i) =>
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
