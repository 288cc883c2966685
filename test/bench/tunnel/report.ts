import type { Sample } from './measures.ts';

/** peer -> measure -> one sample a round. */
export type Results = ReadonlyMap<string, ReadonlyMap<string, readonly Sample[]>>;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function valuesOf(results: Results, peer: string, measure: string, field: string): number[] {
  return (results.get(peer)?.get(measure) ?? []).map((s) => s[field] ?? Number.NaN);
}

type Of = readonly [peer: string, other: string, measure: string, field: string];

/** Median over the rounds of `peer` with `other` of the same round; `null` where one of them was not measured. */
function beside(results: Results, of: Of, how: (mine: number, theirs: number) => number): number | null {
  const [peer, other, measure, field] = of;
  const theirs = valuesOf(results, other, measure, field);
  const all = valuesOf(results, peer, measure, field)
    .map((mine, i) => how(mine, theirs[i] ?? Number.NaN))
    .filter(Number.isFinite);
  return all.length === 0 ? null : median(all);
}

const quotient = (mine: number, theirs: number): number => mine / theirs;
const difference = (mine: number, theirs: number): number => mine - theirs;

function middle(results: Results, peer: string, measure: string, field: string): number | null {
  const values = valuesOf(results, peer, measure, field).filter(Number.isFinite);
  return values.length === 0 ? null : median(values);
}

const ONE_HOP = 'ours';
/** Between nodes this is what is used unless something else is asked for. */
const TWO_HOPS = 'ours mtls';
const GO_TWO_HOPS = 'go smux';
const NOBODY = 'direct';

const QUOTIENTS: Readonly<Record<string, Of>> = {
  one_hop_rps_vs_haproxy: [ONE_HOP, 'haproxy', 'rps', 'perSecond'],
  one_hop_rps_vs_go_copy: [ONE_HOP, 'go copy', 'rps', 'perSecond'],
  one_hop_rps_vs_gost: [ONE_HOP, 'gost', 'rps', 'perSecond'],
  one_hop_cpu_vs_haproxy: [ONE_HOP, 'haproxy', 'rps', 'cpuUs'],
  connections_vs_haproxy: [ONE_HOP, 'haproxy', 'connections', 'perSecond'],
  tls_rps_vs_haproxy: [ONE_HOP, 'haproxy', 'tls rps', 'perSecond'],
  tls_handshakes_vs_haproxy: [ONE_HOP, 'haproxy', 'tls handshakes', 'perSecond'],
  bulk_vs_haproxy: [ONE_HOP, 'haproxy', 'bulk', 'mbPerSecond'],
  two_hops_rps_vs_go_smux: [TWO_HOPS, GO_TWO_HOPS, 'rps', 'perSecond'],
  two_hops_rps_vs_gost: [TWO_HOPS, 'gost mtls', 'rps', 'perSecond'],
  two_hops_cpu_vs_go_smux: [TWO_HOPS, GO_TWO_HOPS, 'rps', 'cpuUs'],
  two_hops_bulk_vs_go_smux: [TWO_HOPS, GO_TWO_HOPS, 'bulk', 'mbPerSecond'],
};

/** Without these a run has not said what it is for. */
export const EXPECTED: readonly string[] = [
  'one_hop_rps_vs_haproxy',
  'connections_vs_haproxy',
  'tls_rps_vs_haproxy',
  'tls_handshakes_vs_haproxy',
  'bulk_vs_haproxy',
  'two_hops_rps_vs_go_smux',
  'idle_kib_per_connection',
];

/**
 * Every ratio that could be taken, and the figures that stand beside them: `_ms` and `_cores` are in these units,
 * `idle_kib_per_connection` in KiB, `two_hops_transport` is the transport that all of `two_hops_` are of.
 */
export function ratiosOf(results: Results): Record<string, number | string> {
  const ratios: Record<string, number | string> = {};
  const put = (name: string, value: number | null): void => {
    if (value !== null) ratios[name] = Number(value.toPrecision(3));
  };
  for (const [name, of] of Object.entries(QUOTIENTS)) put(name, beside(results, of, quotient));
  put('idle_kib_per_connection', middle(results, ONE_HOP, 'idle', 'kibPerConnection'));
  put('two_hops_idle_kib_per_connection', middle(results, TWO_HOPS, 'idle', 'kibPerConnection'));
  if (results.has(TWO_HOPS)) ratios['two_hops_transport'] = TWO_HOPS.slice('ours '.length);
  for (const measure of streamsOf(results)) {
    const name = measure.replace(' ', '_');
    for (const [field, q] of [
      ['p50Ms', 'p50'],
      ['p99Ms', 'p99'],
    ] as const) {
      for (const [hops, peer] of [
        ['one_hop', ONE_HOP],
        ['two_hops', TWO_HOPS],
        ['go_smux', GO_TWO_HOPS],
      ] as const)
        put(`${hops}_${name}_added_${q}_ms`, beside(results, [peer, NOBODY, measure, field], difference));
      put(
        `two_hops_${name}_${q}_vs_go_smux`,
        beside(results, [TWO_HOPS, GO_TWO_HOPS, measure, field], quotient),
      );
    }
    put(`two_hops_${name}_cores`, middle(results, TWO_HOPS, measure, 'cores'));
    put(`go_smux_${name}_cores`, middle(results, GO_TWO_HOPS, measure, 'cores'));
  }
  return ratios;
}

function streamsOf(results: Results): string[] {
  const measures = new Set([...results.values()].flatMap((m) => [...m.keys()]));
  return [...measures].filter((m) => m.startsWith('sse '));
}

export interface Column {
  readonly title: string;
  readonly measure: string;
  readonly field: string;
  readonly digits: number;
  /** What `direct` had in the same round is taken off. */
  readonly added?: boolean;
}

const REQUESTS: readonly Column[] = [
  { title: 'requests/s', measure: 'rps', field: 'perSecond', digits: 0 },
  { title: 'p99 ms', measure: 'rps', field: 'p99Ms', digits: 2 },
  { title: 'CPU µs', measure: 'rps', field: 'cpuUs', digits: 1 },
  { title: 'connections/s', measure: 'connections', field: 'perSecond', digits: 0 },
  { title: 'CPU µs', measure: 'connections', field: 'cpuUs', digits: 1 },
  { title: 'MB/s', measure: 'bulk', field: 'mbPerSecond', digits: 0 },
  { title: 'idle KiB', measure: 'idle', field: 'kibPerConnection', digits: 1 },
];
const TLS: readonly Column[] = [
  { title: 'requests/s', measure: 'tls rps', field: 'perSecond', digits: 0 },
  { title: 'p99 ms', measure: 'tls rps', field: 'p99Ms', digits: 2 },
  { title: 'CPU µs', measure: 'tls rps', field: 'cpuUs', digits: 1 },
  { title: 'handshakes/s', measure: 'tls handshakes', field: 'perSecond', digits: 0 },
  { title: 'CPU µs', measure: 'tls handshakes', field: 'cpuUs', digits: 1 },
];

/** Of one measure, `line`. */
export const LINE_COLUMNS: readonly Column[] = [
  { title: 'added p50 ms a chunk', measure: 'line', field: 'addedP50Ms', digits: 1 },
  { title: 'added p99 ms a chunk', measure: 'line', field: 'addedP99Ms', digits: 1 },
  { title: 'new stream, first byte p50 ms', measure: 'line', field: 'firstP50Ms', digits: 0 },
  { title: 'p99 ms', measure: 'line', field: 'firstP99Ms', digits: 0 },
  { title: 'MB/s', measure: 'line', field: 'mbPerSecond', digits: 1 },
  { title: 'failed', measure: 'line', field: 'failed', digits: 0 },
];

function streamColumns(measure: string): readonly Column[] {
  return [
    { title: 'p50 ms', measure, field: 'p50Ms', digits: 2 },
    { title: 'p99 ms', measure, field: 'p99Ms', digits: 2 },
    { title: 'added p50 ms', measure, field: 'p50Ms', digits: 2, added: true },
    { title: 'added p99 ms', measure, field: 'p99Ms', digits: 2, added: true },
    { title: 'cores', measure, field: 'cores', digits: 2 },
    { title: 'CPU µs a chunk', measure, field: 'cpuUs', digits: 1 },
  ];
}

/** Medians, a table a theme and a line a peer, in Markdown; peers without a figure are left out. */
export function tablesOf(results: Results): string {
  const tables: [string, readonly Column[]][] = [
    ['Small requests, bulk, memory', REQUESTS],
    ['TLS 1.3 ended, one hop', TLS],
    ...streamsOf(results).map((m): [string, readonly Column[]] => [
      `${m.slice('sse '.length)} streams of 20 chunks/s`,
      streamColumns(m),
    ]),
  ];
  return tables
    .map(([title, columns]) => ({ title, table: tableOf(results, columns) }))
    .flatMap(({ title, table }) => (table === null ? [] : [`**${title}**\n\n${table}`]))
    .join('\n\n');
}

/** `null` when there is not a figure for it. */
export function tableOf(results: Results, columns: readonly Column[]): string | null {
  const rows = [...results.keys()].flatMap((peer) => {
    const cells = columns.map(({ measure, field, digits, added }) => {
      const value = added
        ? peer === NOBODY
          ? null
          : beside(results, [peer, NOBODY, measure, field], difference)
        : middle(results, peer, measure, field);
      return value === null ? '' : value.toFixed(digits);
    });
    return cells.every((c) => c === '') ? [] : [[peer, ...cells]];
  });
  if (rows.length === 0) return null;
  const lines = [['', ...columns.map((c) => c.title)], ['---', ...columns.map(() => '---:')], ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** What did not go as it should: a figure beside failures is no figure. */
export function failuresOf(results: Results): string[] {
  return [...results].flatMap(([peer, measures]) =>
    [...measures].flatMap(([measure, samples]) => {
      const failed = samples.reduce((sum, s) => sum + (s['failed'] ?? 0), 0);
      return failed > 0 ? [`${peer}, ${measure}: ${failed} failed`] : [];
    }),
  );
}
