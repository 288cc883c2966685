import type { GateName, Verdict as GateVerdict } from '../../../proto/vocab/rollout.ts';
import type { Token } from '../../theme/palette.ts';
import { type Row, row, type Seg, seg } from '../../theme/row.ts';
import type { Verdict } from '../../theme/symbols.ts';
import { wrapped } from '../describe-body.ts';
import { count, fixed, NONE } from '../format.ts';
import { heads, type Place, place } from '../table.ts';
import type { Ui } from '../ui.ts';
import { verdictSeg } from '../verdict.ts';

/** One measure in one region. Quantiles in ms, ratios in per cent; `null`: cannot be said. */
export interface GateCell {
  readonly canary: number | null;
  readonly stable: number | null;
  /** Per cent for quantiles, points for ratios. */
  readonly change: number | null;
  readonly verdict: GateVerdict;
}

export interface GateLine {
  readonly gate: GateName;
  readonly limit: number;
  /** Of all regions, the worst. */
  readonly verdict: GateVerdict;
  /** In the order of the regions. */
  readonly cells: readonly (GateCell | null)[];
}

export interface GateRegion {
  readonly region: string;
  readonly canaryNodes: number;
  /** 0: compared with the canaries' own past. */
  readonly stableNodes: number;
  readonly canarySamples: number;
  readonly stableSamples: number;
}

export interface GateProps {
  readonly number: number;
  readonly readings: number;
  /** `HH:MM:SS` */
  readonly at: string;
  /** `canary v42 against stable v41 of the same region, last 5 min, at least 1,000 samples` */
  readonly how: string;
  /** Worst first. */
  readonly regions: readonly GateRegion[];
  readonly gates: readonly GateLine[];
  /** `largest share of hk TTFT p95: hk-05 at 2,410 ms. …`; `null`: nobody's. */
  readonly largest: string | null;
}

const SIGN: Readonly<Record<GateVerdict, Verdict>> = {
  pass: 'well',
  close: 'warning',
  fail: 'wrong',
  inconclusive: 'unseen',
};

const BLOCK_AT = 15;
const BLOCK = 28;

function isRatio(gate: GateName): boolean {
  return gate === 'errors' || gate === 'aborted';
}

function figure(gate: GateName, n: number | null): string {
  return isRatio(gate) ? fixed(n, 2) : count(n);
}

/** `+24.7 %`, `-0.02 pt`, ` 0.0 %` */
function change(gate: GateName, n: number | null): { readonly figure: string; readonly unit: string } {
  const unit = isRatio(gate) ? ' pt' : ' %';
  if (n === null) return { figure: NONE, unit: '' };
  const text = n.toFixed(isRatio(gate) ? 2 : 1);
  if (Number(text) === 0) return { figure: '0.0', unit };
  return { figure: n > 0 ? `+${text}` : text, unit };
}

function limitOf(g: GateLine): string {
  return isRatio(g.gate) ? `+${g.limit.toFixed(2)} pt` : `+${g.limit} %`;
}

function token(v: GateVerdict): Token {
  return v === 'fail' ? 'crit' : v === 'close' ? 'warn' : 'text';
}

/** `194k` */
function thousands(n: number): string {
  return n < 10_000 ? count(n) : `${count(n / 1000)}k`;
}

/** The whole table: as many regions as fit, the worst first. */
export function gateRows(p: GateProps, ui: Ui): readonly Row[] {
  const { say, text } = ui.theme;
  const fits = Math.max(1, Math.floor((ui.width - BLOCK_AT - 17) / BLOCK));
  const shown = p.regions.slice(0, fits);
  const limit: Place = { x: BLOCK_AT + BLOCK * shown.length - 4, width: 9 };
  const verdict: Place = { x: limit.x + 10, width: Math.max(0, ui.width - limit.x - 10) };
  const more = p.regions.length - shown.length;
  const out: Row[] = [
    row(
      ' ',
      seg(say('gate.title'), 'strong'),
      seg(`, ${say('gate.reading', { n: p.number, all: p.readings, at: text(p.at) })}`),
      seg(`: ${text(p.how)}`, 'quiet'),
    ),
    heads(
      [
        ...shown.map(
          (r, i) => [{ x: BLOCK_AT + BLOCK * i, width: 24 }, { label: regionHead(r, ui) }] as const,
        ),
        [limit, { label: say('gate.limit') }],
        [verdict, { label: say('gate.verdict') }],
      ],
      ui,
    ),
  ];
  for (const g of p.gates) {
    const cells: [Place, Seg | readonly Seg[]][] = [[{ x: 2, width: 9 }, seg(say(`gate.${g.gate}`))]];
    shown.forEach((_, i) => {
      const c = g.cells[i] ?? null;
      if (c === null) return;
      const x = BLOCK_AT + BLOCK * i;
      const by = change(g.gate, c.change);
      cells.push([{ x: x - 3, width: 6, align: 'right' }, seg(figure(g.gate, c.canary))]);
      cells.push([{ x: x + 4, width: 6, align: 'right' }, seg(figure(g.gate, c.stable))]);
      cells.push([{ x: x + 11, width: 6, align: 'right' }, seg(by.figure, token(c.verdict))]);
      cells.push([{ x: x + 17, width: 3 }, seg(by.unit, token(c.verdict))]);
    });
    cells.push([limit, seg(limitOf(g), 'quiet')], [verdict, verdictWords(g.verdict, ui)]);
    out.push({ segs: place(cells, ui) });
  }
  const samples: [Place, Seg][] = [[{ x: 2, width: 9 }, seg(say('gate.samples'), 'quiet')]];
  shown.forEach((r, i) => {
    const x = BLOCK_AT + BLOCK * i;
    samples.push([{ x: x - 3, width: 6, align: 'right' }, seg(thousands(r.canarySamples), 'quiet')]);
    if (r.stableSamples > 0 || r.stableNodes > 0) {
      samples.push([{ x: x + 4, width: 6, align: 'right' }, seg(thousands(r.stableSamples), 'quiet')]);
    }
  });
  if (more > 0) samples.push([{ x: limit.x, width: ui.width - limit.x }, seg(say('gate.more', { n: more }))]);
  out.push({ segs: place(samples, ui) });
  if (p.largest !== null) out.push(row(`  ${text(p.largest)}`));
  return out;
}

function regionHead(r: GateRegion, ui: Ui): string {
  const values = { region: ui.theme.text(r.region), n: count(r.canaryNodes), m: count(r.stableNodes) };
  return ui.theme.say(r.stableNodes === 0 ? 'gate.past' : 'gate.nodes', values);
}

function verdictWords(v: GateVerdict, ui: Ui): readonly Seg[] {
  return [verdictSeg(SIGN[v], ui), seg(` ${ui.theme.say(`gate.${v}`)}`, token(v))];
}

const RANK: readonly GateVerdict[] = ['fail', 'inconclusive', 'close', 'pass'];

/** Where the table does not fit: the reading that is worst, and whose it is. */
export function gateLines(p: GateProps, ui: Ui): readonly Row[] {
  const { say, text } = ui.theme;
  const all = p.gates.flatMap((g) =>
    g.cells.flatMap((c, i) => (c === null ? [] : [{ g, c, region: p.regions[i]?.region ?? '' }])),
  );
  const near = (x: (typeof all)[number]) => (x.c.change ?? 0) / (x.g.limit || 1);
  const [worst] = all.sort(
    (a, b) => RANK.indexOf(a.c.verdict) - RANK.indexOf(b.c.verdict) || near(b) - near(a),
  );
  if (worst === undefined) return [];
  const by = change(worst.g.gate, worst.c.change);
  const figures = `${figure(worst.g.gate, worst.c.canary)} : ${figure(worst.g.gate, worst.c.stable)}`;
  const line = row(
    ' ',
    seg(say('gate.title'), 'strong'),
    ` ${p.number}/${p.readings} ${text(p.at)}  `,
    `${text(worst.region)} ${say(`gate.${worst.g.gate}`)} ${figures}  `,
    seg(`${by.figure}${by.unit}`, token(worst.c.verdict)),
    seg(`, ${say('gate.limit')} ${limitOf(worst.g)}  `, 'quiet'),
    ...verdictWords(worst.c.verdict, ui),
  );
  const largest = p.largest === null ? [] : wrapped(text(p.largest), ui.width - 3).slice(0, 2);
  return [line, ...largest.map((part) => row(`  ${part}`))];
}
