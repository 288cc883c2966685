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

/** Median over the rounds of `peer` beside `other` in the same round; `null` where one of them was not measured. */
function ratio(results: Results, of: readonly [peer: string, other: string, measure: string, field: string]) {
  const [peer, other, measure, field] = of;
  const theirs = valuesOf(results, other, measure, field);
  const ratios = valuesOf(results, peer, measure, field)
    .map((mine, i) => mine / (theirs[i] ?? Number.NaN))
    .filter(Number.isFinite);
  return ratios.length === 0 ? null : median(ratios);
}

const RATIOS: Readonly<Record<string, readonly [string, string, string, string]>> = {
  one_hop_rps_vs_haproxy: ['ours', 'haproxy', 'rps', 'perSecond'],
  one_hop_rps_vs_go_copy: ['ours', 'go copy', 'rps', 'perSecond'],
  one_hop_cpu_vs_haproxy: ['ours', 'haproxy', 'rps', 'cpuUs'],
  connections_vs_haproxy: ['ours', 'haproxy', 'connections', 'perSecond'],
  bulk_vs_haproxy: ['ours', 'haproxy', 'bulk', 'mbPerSecond'],
};

/** Every ratio that could be taken. Those of two hops are of the best transport, which is named. */
export function ratiosOf(results: Results): Record<string, number | string> {
  const ratios: Record<string, number | string> = {};
  const put = (name: string, value: number | null): void => {
    if (value !== null) ratios[name] = Number(value.toPrecision(3));
  };
  for (const [name, of] of Object.entries(RATIOS)) put(name, ratio(results, of));
  const idle = valuesOf(results, 'ours', 'idle', 'kibPerConnection').filter(Number.isFinite);
  put('idle_kib_per_connection', idle.length === 0 ? null : median(idle));
  const ways = [...results.keys()].filter((name) => name.startsWith('ours '));
  const beside = ways.flatMap((name) => {
    const rps = ratio(results, [name, 'go smux', 'rps', 'perSecond']);
    return rps === null ? [] : [{ name, rps }];
  });
  const best = beside.sort((a, b) => b.rps - a.rps)[0];
  if (best !== undefined) {
    ratios['two_hops_transport'] = best.name.slice('ours '.length);
    put('two_hops_rps_vs_go_smux', best.rps);
    put('two_hops_cpu_vs_go_smux', ratio(results, [best.name, 'go smux', 'rps', 'cpuUs']));
    for (const measure of results.get(best.name)?.keys() ?? []) {
      if (!measure.startsWith('sse ')) continue;
      const name = `two_hops_${measure.replace(' ', '_')}`;
      put(`${name}_p50_vs_go_smux`, ratio(results, [best.name, 'go smux', measure, 'p50Ms']));
      put(`${name}_p99_vs_go_smux`, ratio(results, [best.name, 'go smux', measure, 'p99Ms']));
    }
  }
  return ratios;
}

type Column = readonly [title: string, measure: string, field: string, digits: number];

function columnsOf(results: Results): Column[] {
  const columns: Column[] = [
    ['requests/s', 'rps', 'perSecond', 0],
    ['CPU µs', 'rps', 'cpuUs', 1],
    ['connections/s', 'connections', 'perSecond', 0],
    ['CPU µs', 'connections', 'cpuUs', 1],
    ['MB/s', 'bulk', 'mbPerSecond', 0],
    ['idle KiB', 'idle', 'kibPerConnection', 1],
  ];
  const streams = new Set([...results.values()].flatMap((m) => [...m.keys()]));
  for (const measure of [...streams].filter((m) => m.startsWith('sse '))) {
    columns.push([`${measure} p50 ms`, measure, 'p50Ms', 2], [`p99 ms`, measure, 'p99Ms', 2]);
    columns.push(['CPU µs', measure, 'cpuUs', 1]);
  }
  return columns;
}

/** Medians, a line a peer, as a Markdown table. */
export function tableOf(results: Results): string {
  const columns = columnsOf(results);
  const lines = [
    ['', ...columns.map(([title]) => title)],
    ['---', ...columns.map(() => '---:')],
    ...[...results.keys()].map((peer) => [
      peer,
      ...columns.map(([, measure, field, digits]) => {
        const values = valuesOf(results, peer, measure, field).filter(Number.isFinite);
        return values.length === 0 ? '' : median(values).toFixed(digits);
      }),
    ]),
  ];
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
