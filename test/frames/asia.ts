import type { Depth } from '../../tui/theme/depth.ts';
import type { Locale } from '../../tui/theme/locale.ts';
import type { Verdict } from '../../tui/theme/symbols.ts';
import { createTheme } from '../../tui/theme/theme.ts';
import type { HeaderProps } from '../../tui/views/header.ts';
import type { NodeNote, NodeRow } from '../../tui/views/node-table.ts';
import type { RegionRow, RegionsProps } from '../../tui/views/regions.ts';
import type { Ui } from '../../tui/views/ui.ts';

// One fleet, one moment: the frames beside this file all show it.

export function ui(
  width: number,
  height: number,
  more: { depth?: Depth; locale?: Partial<Locale> } = {},
): Ui {
  return {
    width,
    height,
    theme: createTheme({
      depth: more.depth ?? 'truecolor',
      background: 'dark',
      locale: { lang: 'en', utf8: true, ...more.locale },
    }),
  };
}

export const header: HeaderProps = {
  context: 'prod-asia',
  open: 'nodes',
  badges: {
    rollouts: [{ verdict: 'changing', n: 1 }],
    alerts: [
      { verdict: 'wrong', n: 1 },
      { verdict: 'warning', n: 2 },
    ],
  },
  person: 'lin',
  role: 'operator',
  age: { kind: 'live', seconds: 1 },
  clock: '03:12:07',
  health: [
    { verdict: 'wrong', n: 1, word: 'down' },
    { verdict: 'unseen', n: 1, word: 'disconnected' },
    { verdict: 'well', n: 198, word: 'ready' },
  ],
  traffic: { streams: 93_384, rps: 3201, ttft95Ms: 738, p99Ms: 81, errPct: 0.25 },
  notice: {
    kind: 'text',
    verdict: 'changing',
    text: 'rollout 31  v42  step 3/4  58 of 70 healthy  1 failed   hk TTFT95 +24.7 %',
  },
};

export const wideNotice: HeaderProps['notice'] = {
  kind: 'text',
  verdict: 'changing',
  text: 'rollout 31  v42 to edge  step 3 of 4  58 of 70 healthy  1 failed   hk TTFT95 +24.7 % of +25 %   next reading 33 s',
};

type Figures = readonly [
  streams: number | null,
  rps: number | null,
  ttft95: number | null,
  p99: number | null,
  err: number | null,
  cpu: number | null,
  mem: number | null,
];

export function node(
  name: string,
  verdict: Verdict,
  version: string,
  figures: Figures,
  more: Partial<NodeRow> & { p99?: number | null } = {},
): NodeRow {
  const [streams, rps, ttft95Ms, p99Ms, errPct, cpuPct, memPct] = figures;
  return {
    name,
    region: name.slice(0, 2),
    type: 'edge',
    verdict,
    status: 'ready',
    seenMs: 2000,
    version,
    sync: null,
    streams,
    rps,
    ttft95Ms,
    p99Ms,
    errPct,
    cpuPct,
    memPct,
    p99Minutes: Array.from({ length: 10 }, () => p99Ms),
    note: null,
    over: [],
    marked: false,
    stale: false,
    ...more,
  };
}

export function note(verdict: Verdict, text: string, quiet = false): NodeNote {
  return { verdict, text, quiet };
}

/** `/hk` ordered by TTFT95: the first sixteen of 64. */
export const hk: readonly NodeRow[] = [
  node('hk-05', 'warning', 'v42', [912, 23, 2410, 184, 0.38, 44, 61], {
    marked: true,
    over: ['ttft95', 'p99'],
    note: note('warning', 'buffering 5m'),
  }),
  node('hk-23', 'warning', 'v42', [736, 25, 1120, 63, 1.3, 28, 47], {
    over: ['err'],
    note: note('warning', 'fires in 24s'),
  }),
  node('hk-08', 'well', 'v42', [638, 20, 730, 43, 0.14, 30, 40]),
  node('hk-33', 'well', 'v41', [505, 18, 718, 43, 0.26, 30, 40]),
  node('hk-32', 'changing', 'v41', [528, 17, 711, 38, 0.11, 35, 48], {
    sync: 'changing',
    note: note('changing', 'applying v42'),
  }),
  node('hk-39', 'well', 'v41', [616, 20, 710, 43, 0.2, 30, 40]),
  node('hk-47', 'well', 'v41', [568, 20, 708, 43, 0.1, 30, 40]),
  node('hk-16', 'well', 'v42', [770, 20, 707, 40, 0.2, 30, 40]),
  node('hk-19', 'wrong', 'v41', [623, 21, 690, 43, 0.3, 40, 54], {
    sync: 'wrong',
    note: note('wrong', 'refused v42'),
  }),
  node('hk-01', 'well', 'v42', [713, 20, 687, 42, 0.27, 30, 40]),
  node('hk-56', 'well', 'v41', [762, 20, 686, 43, 0.19, 30, 40]),
  node('hk-49', 'well', 'v41', [626, 20, 680, 42, 0.26, 30, 40]),
  node('hk-07', 'well', 'v42', [657, 20, 677, 39, 0.17, 30, 40]),
  node('hk-27', 'well', 'v42', [599, 20, 677, 43, 0.27, 30, 40]),
  node('hk-九龙-04', 'well', 'v41', [520, 18, 677, 41, 0.2, 28, 51], { gap99Ms: 65 }),
  node('hk-60', 'well', 'v41', [588, 20, 673, 38, 0.14, 30, 40]),
];

/** The same notes in the other language. */
export const zhNotes: Readonly<Record<string, string>> = {
  'hk-05': '疑似缓冲 5m',
  'hk-23': '24s 后告警',
  'hk-32': '应用中 v42',
  'hk-19': '拒绝 v42',
};

const spark = (levels: string): (number | null)[] =>
  [...levels].map((c) => (c === ' ' ? null : '▁▂▃▄▅▆▇█'.indexOf(c) * 25 + 1));

/** Worst first, the whole fleet: a few of the 32 on screen. */
export const worst: readonly NodeRow[] = [
  node('hk-17', 'wrong', 'v41', [null, null, null, null, null, null, null], {
    status: 'down',
    seenMs: 259_000,
    sync: 'unseen',
    p99Minutes: spark('▂▂▂▂▂     '),
    note: note('wrong', 'NodeDown 2m39s'),
  }),
  node('hk-19', 'wrong', 'v41', [623, 21, 690, 43, 0.3, 40, 54], {
    sync: 'wrong',
    note: note('wrong', 'refused v42'),
  }),
  node('us-09', 'unseen', 'v41', [889, 31, 713, 87, 0.35, 39, 43], {
    status: 'disconnected',
    seenMs: 32_000,
    sync: 'unseen',
    stale: true,
    p99Minutes: spark('▄▄▄▄▄▄▄▄▄ '),
    note: note('unseen', 'v42 deferred'),
  }),
  node('hk-05', 'warning', 'v42', [912, 23, 2410, 184, 0.38, 44, 61], {
    marked: true,
    over: ['ttft95', 'p99'],
    p99Minutes: spark('▅▅▆▆▇▇▇███'),
    note: note('warning', 'buffering 4m57s'),
    gap99Ms: 38,
    abortedPct: 0.42,
  }),
  node('hk-23', 'warning', 'v42', [736, 25, 1120, 63, 1.3, 28, 47], {
    marked: true,
    over: ['err'],
    note: note('warning', 'err fires in 24s'),
  }),
  node('us-22', 'warning', 'v41', [1132, 38, 771, 87, 0.36, 34, 43], {
    sync: 'warning',
    note: note('warning', 'drifted 41m'),
  }),
  node('cn-上海-03', 'warning', 'v39', [2904, 99, null, 64, 0.11, 91, 58], {
    type: 'core',
    over: ['cpu'],
    note: note('warning', 'cpu 91, acked', true),
  }),
];

type RegionFigures = readonly [
  streams: number,
  rps: number,
  ttft50: number | null,
  ttft95: number | null,
  gap99: number,
  p99: number,
  err: number,
  aborted: number,
];

const COUNTS = ['wrong', 'unseen', 'warning', 'changing', 'aside', 'well'] as const;

function region(
  name: string | null,
  type: 'edge' | 'core',
  counts: readonly [number, number, number, number, number, number],
  [streams, rps, ttft50Ms, ttft95Ms, gap99Ms, p99Ms, errPct, abortedPct]: RegionFigures,
  minutes: string,
): RegionRow {
  return {
    ...{ region: name, type, streams, rps, ttft50Ms, ttft95Ms, gap99Ms, p99Ms, errPct, abortedPct },
    nodes: counts.reduce((sum, n) => sum + n, 0),
    counts: Object.fromEntries(COUNTS.map((c, i) => [c, counts[i] ?? 0])) as RegionRow['counts'],
    ttft95Bar: [...minutes].map((c) => 400 + '▁▂▃▄▅▆▇█'.indexOf(c) * 100 + 1),
    over: [],
  };
}

/** The fleet by region, worst first. */
export const regions: RegionsProps = {
  rows: [
    region(
      'hk',
      'edge',
      [2, 0, 2, 4, 0, 56],
      [40_344, 1403, 288, 709, 63, 74, 0.26, 0.18],
      '▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▄▄',
    ),
    region(
      'us',
      'edge',
      [0, 1, 1, 2, 0, 32],
      [37_123, 1248, 339, 775, 82, 86, 0.28, 0.2],
      '▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄',
    ),
    region('cn', 'core', [0, 0, 1, 0, 0, 59], [93_384, 3201, null, null, 24, 33, 0.12, 0.09], ''),
    region(
      'sg',
      'edge',
      [0, 0, 0, 3, 1, 36],
      [15_917, 550, 308, 707, 72, 58, 0.18, 0.12],
      '▃▃▄▃▄▃▄▄▃▄▄▃▄▄▃▄▄▄▃▄▃▄▄▄',
    ),
  ],
  cursor: 0,
  all: region(
    null,
    'edge',
    [2, 1, 3, 9, 1, 124],
    [93_384, 3201, 311, 738, 75, 81, 0.25, 0.18],
    '▄▃▃▃▃▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄',
  ),
  window: { cells: 24, stepMs: 60_000 },
  scale: { from: 400, to: 1200 },
  peek: {
    region: 'hk',
    versions: [
      { label: 'v42', n: 28 },
      { label: 'v41', n: 36 },
    ],
    worst: { name: 'hk-05', ttft95Ms: 2410 },
    nodes: 64,
    reachable: 63,
    facts: ['1 refused v42', '2 applying', '2 soaking'],
  },
  core: 'cn',
  asOf: null,
  stale: false,
};
