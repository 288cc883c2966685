import { type Row, row, type Seg, seg } from '../../theme/row.ts';
import type { Verdict } from '../../theme/symbols.ts';
import { cutMiddle } from '../../theme/width.ts';
import { type KeyHint, keybarRow } from '../foot.ts';
import { count } from '../format.ts';
import { heads, place } from '../table.ts';
import type { Ui } from '../ui.ts';
import { verdictSeg, verdictToken } from '../verdict.ts';
import { ruleRow } from './parts.ts';

/** The result of an act, node by node: failures first as given. */
export interface ResultSheetProps {
  readonly title: string;
  readonly aside: { readonly verdict: Verdict; readonly text: string };
  readonly counts: readonly { readonly verdict: Verdict; readonly n: number; readonly word: string }[];
  readonly settled: number;
  readonly total: number;
  readonly rows: readonly {
    readonly name: string;
    readonly verdict: Verdict;
    readonly state: string;
    readonly tookMs: number | null;
    readonly output: string;
  }[];
  readonly cursor: number;
  readonly keys: readonly KeyHint[];
  readonly last: KeyHint | null;
}
export function resultSheetRows(p: ResultSheetProps, ui: Ui): readonly Row[] {
  const { text, say, sym } = ui.theme;
  const { verdict } = p.aside;
  const settled = say('sheet.settled', { n: count(p.settled), all: count(p.total) });
  const out: Row[] = [
    ruleRow(ui),
    row(
      ' ',
      seg(text(p.title), 'strong'),
      '   ',
      verdictSeg(verdict, ui),
      seg(` ${text(p.aside.text)}`, verdictToken(verdict)),
      `   ${settled}`,
    ),
  ];
  const counts: Seg[] = [seg(' ')];
  p.counts.forEach((c, i) => {
    if (i > 0) counts.push(seg('   '));
    counts.push(verdictSeg(c.verdict, ui), seg(` ${count(c.n)} ${text(c.word)}`));
  });
  out.push({ segs: counts });
  const at = {
    name: { x: 2, width: 11 },
    state: { x: 14, width: 12 },
    took: { x: 29, width: 5 },
    output: { x: 35, width: Math.max(0, ui.width - 35) },
  };
  out.push(
    heads(
      [
        [at.name, { label: say('sheet.col.node') }],
        [at.state, { label: say('sheet.col.state') }],
        [at.took, { label: say('sheet.col.took') }],
        [at.output, { label: say('sheet.col.output') }],
      ],
      ui,
    ),
  );
  p.rows.forEach((r, i) => {
    const here = i === p.cursor;
    const took = r.tookMs === null ? '-' : `${(r.tookMs / 1000).toFixed(1)}s`;
    const segs = place(
      [
        [{ x: 0, width: 2 }, seg(here ? '> ' : '  ', 'strong')],
        [at.name, seg(cutMiddle(text(r.name), at.name.width, sym.cut))],
        [at.state, [verdictSeg(r.verdict, ui), seg(` ${text(r.state)}`)]],
        [at.took, seg(took)],
        [at.output, seg(text(r.output))],
      ],
      ui,
    );
    out.push(here ? { segs, accent: true } : { segs });
  });
  out.push(keybarRow({ keys: p.keys, last: p.last, roomy: true }, ui));
  return out;
}
