import { safeText } from '../../proto/vocab/safe-text.ts';
import { type Member, standing } from './member.ts';
import type { Probed } from './probe.ts';

export interface NodeHealth {
  readonly name: string;
  readonly region: string;
  readonly status: string;
  readonly serves: boolean;
  readonly why: string | null;
  readonly streams: number | null;
  readonly ttft95_ms: number | null;
  readonly err_pct: number | null;
  /** Listeners that were dialled, where that was asked for. */
  readonly probes?: readonly Probed[];
}

export interface Health {
  readonly exit: 0 | 1 | 8;
  readonly nodes: readonly NodeHealth[];
  readonly regions: readonly { readonly region: string; readonly nodes: number; readonly serving: number }[];
}

/** @param probes by node, what answered; `null` when nobody asked */
export function health(
  members: readonly Member[],
  probes: ReadonlyMap<string, readonly Probed[]> | null,
): Health {
  const nodes = [...members]
    .sort((a, b) => (a.region === b.region ? (a.name < b.name ? -1 : 1) : a.region < b.region ? -1 : 1))
    .map((m): NodeHealth => {
      const { serves, why } = standing(m);
      const tried = probes?.get(m.name) ?? [];
      const shut = tried.find((p) => p.error !== null);
      const listeners = tried.length > 0 && tried.every((p) => p.error !== null) ? 'no' : serves;
      return {
        name: m.name,
        region: m.region,
        status: m.status,
        serves: listeners === 'yes',
        why: why ?? (shut ? `${shut.address} ${shut.error}` : null),
        streams: m.streams,
        ttft95_ms: m.ttft95Ms,
        err_pct: m.errPct,
        ...(probes === null ? {} : { probes: tried }),
      };
    });
  const regions = [...new Set(nodes.map((n) => n.region))].map((region) => {
    const of = nodes.filter((n) => n.region === region);
    return { region, nodes: of.length, serving: of.filter((n) => n.serves).length };
  });
  const bare = nodes.length === 0 || regions.some((r) => r.serving === 0);
  const fine = nodes.every((n) => n.serves && n.why === null);
  return { exit: bare ? 8 : fine ? 0 : 1, nodes, regions };
}

const figure = (v: number | null, decimals = 0): string => (v === null ? '-' : v.toFixed(decimals));

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, x) => Math.max(...rows.map((r) => (r[x] ?? '').length)));
  return rows
    .map(
      (r) =>
        `${r
          .map((c, x) => c.padEnd(widths[x] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

export function healthText(h: Health): string {
  if (h.nodes.length === 0) return 'no such node has joined\n';
  const head = ['NAME', 'REGION', 'STATUS', 'SERVES', 'STREAMS', 'TTFT95', 'ERR%', 'NOTE'];
  const rows = h.nodes.map((n) => [
    n.name,
    n.region,
    n.status,
    n.serves ? 'yes' : 'no',
    figure(n.streams),
    figure(n.ttft95_ms),
    figure(n.err_pct, 2),
    safeText(n.why ?? '', { max: 120 }),
  ]);
  const regions = h.regions.map((r) => `${r.region} ${r.serving}/${r.nodes}`).join('   ');
  return `${table([head, ...rows])}\nserving: ${regions}\n`;
}

interface Picked {
  readonly name: string;
  readonly region: string;
  readonly streams: number | null;
  readonly endpoints: readonly { readonly service: string; readonly address: string }[];
}

/** Name, region, streams and where: tabs between, as `cut` and `read` want it. */
export function selectText(picked: readonly Picked[]): string {
  return picked
    .map((p) => {
      const where = p.endpoints.map((e) => `${safeText(e.service)}=${e.address}`).join(' ');
      return `${p.name}\t${p.region}\t${p.streams ?? '-'}\t${where}\n`;
    })
    .join('');
}

/** One line for the round, one for every node that is not as it was before. `before` is brought up to date. */
export function monitorLine(at: string, h: Health, before: Map<string, string>): string {
  const lines = [
    `${at}  ${h.regions.map((r) => `${r.region} ${r.serving}/${r.nodes}`).join('  ') || 'no node'}  ${h.nodes.reduce((n, x) => n + (x.streams ?? 0), 0)} streams`,
  ];
  const seen = new Map(
    h.nodes.map((n) => [n.name, n.why === null || n.why === n.status ? n.status : `${n.status}, ${n.why}`]),
  );
  for (const [name, now] of seen) {
    const was = before.get(name);
    if (was !== now && (was !== undefined || before.size > 0))
      lines.push(`${at}    ${name}: ${was ?? 'new'} -> ${safeText(now, { max: 120 })}`);
  }
  for (const name of before.keys()) if (!seen.has(name)) lines.push(`${at}    ${name}: gone`);
  before.clear();
  for (const [name, now] of seen) before.set(name, now);
  return `${lines.join('\n')}\n`;
}
