import { type Row, row, type Seg, seg } from '../theme/row.ts';
import { padTo, width } from '../theme/width.ts';
import type { DescribeProps, SeriesRow } from './describe.ts';
import { bounds, fixed, runs, sparkOwn } from './format.ts';
import { type Ui, WIDE } from './ui.ts';

interface Layout {
  readonly minutes: number;
  readonly label: number;
  readonly region: number;
  readonly gap: string;
}

function layout(ui: Ui): Layout {
  return ui.width >= WIDE
    ? { minutes: 60, label: 12, region: 9, gap: '   ' }
    : { minutes: 30, label: 9, region: 8, gap: '  ' };
}

/** Sparklines of minutes with min, max and now beside them, the marks under their minute, the time axis. */
export function describeSeries(p: DescribeProps, ui: Ui): readonly Row[] {
  const l = layout(ui);
  const rows = p.series.map((s) => seriesRow(s, l, ui));
  return [headRow(p, l, ui), ...rows, ...markRows(p, l, ui)];
}

function headRow(p: DescribeProps, l: Layout, ui: Ui): Row {
  const { say, text } = ui.theme;
  const wide = ui.width >= WIDE;
  const title = say(wide ? 'describe.last' : 'describe.last.short', { n: l.minutes });
  const heads = [say('describe.min'), say('describe.max'), say('describe.now')].map((w) =>
    padTo(w, 8, 'right'),
  );
  const region = p.series.some((s) => s.regionNow !== undefined && s.regionNow !== null)
    ? say('describe.regionnow', { region: text(p.region) })
    : '';
  const over = p.series.some((s) => s.over !== undefined) ? say('describe.over') : '';
  return row(
    ' ',
    seg(padTo(title, l.label + l.minutes), 'strong'),
    seg(heads.join('') + padTo(region, l.region, 'right') + l.gap + over, 'quiet'),
  );
}

function seriesRow(s: SeriesRow, l: Layout, ui: Ui): Row {
  const values = s.values.slice(-l.minutes);
  const b = bounds(values);
  const now = values.findLast((v) => v !== null) ?? null;
  const overNow = s.limit !== undefined && now !== null && now > s.limit;
  const figure = (n: number | null) => padTo(fixed(n, s.decimals), 8, 'right');
  const over = s.over === undefined ? '' : ui.theme.text(ui.width >= WIDE ? s.over.wide : s.over.narrow);
  const region = s.regionNow === undefined ? '' : fixed(s.regionNow, s.decimals);
  return row(
    ' ',
    padTo(ui.theme.text(s.label), l.label),
    ...sparkSegs(values, s.limit, l, ui),
    seg(figure(b?.min ?? null) + figure(b?.max ?? null)),
    seg(figure(now), overNow ? 'warn' : 'text'),
    seg(padTo(region, l.region, 'right')),
    seg(l.gap),
    seg(over, 'warn'),
  );
}

/** Cells over the limit stand out of their own row. */
function sparkSegs(
  values: readonly (number | null)[],
  limit: number | undefined,
  l: Layout,
  ui: Ui,
): readonly Seg[] {
  const drawn = [...sparkOwn(values, l.minutes, ui.theme.sym.spark)];
  const pad = l.minutes - values.length;
  const cells = drawn.map((ch, i) => {
    const v = values[i - pad] ?? null;
    return { ch, over: limit !== undefined && v !== null && v > limit };
  });
  return runs(cells, (a, b) => a.over === b.over).map((run) =>
    seg(run.map((c) => c.ch).join(''), run[0]?.over === true ? 'warn' : 'text'),
  );
}

function markRows(p: DescribeProps, l: Layout, ui: Ui): readonly Row[] {
  const { say, text } = ui.theme;
  const lane: string[] = Array.from({ length: l.minutes }, () => ' ');
  const legends: string[] = [];
  for (const m of p.marks) {
    const at = l.minutes - 1 - m.minutesAgo;
    if (at < 0 || at >= l.minutes) continue;
    const [letter = ''] = text(m.letter);
    // The lane is cells: one that is not one cell wide would push the rest off their minutes.
    lane[at] = width(letter) === 1 ? letter : '?';
    const words = `${text(m.letter)} ${text(m.legend)}`;
    if (!legends.includes(words)) legends.push(words);
  }
  const out: Row[] = [];
  if (legends.length > 0)
    out.push(
      row(` ${padTo(say('describe.events'), l.label)}${lane.join('')}  `, seg(legends.join('   '), 'quiet')),
    );
  if (ui.width >= WIDE && p.axis.length > 0) {
    const labels = p.axis.map((a) => padTo(text(a), 15)).join('');
    out.push(row(seg(`${' '.repeat(l.label + 1)}${labels}`, 'quiet')));
  }
  return out;
}
