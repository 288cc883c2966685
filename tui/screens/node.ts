import { formatDuration } from '../../proto/vocab/duration.ts';
import { formatRefusal } from '../../proto/vocab/errors.ts';
import type { Millis } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import type { NodeDetail } from '../../proto/vocab/node-detail.ts';
import { alertItem, inhibitors } from '../store/select-alerts.ts';
import { isStale } from '../store/select-header.ts';
import { masterNow, type NodeItem, nodeItem } from '../store/select-nodes.ts';
import type { State } from '../store/state.ts';
import { commandVerdict, resultWords } from '../store/task-words.ts';
import type { Row } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import {
  type AxisRow,
  type DescribeProps,
  describeMaxScroll,
  describeRows,
  type SeriesRow,
} from '../views/describe.ts';
import type { FrameParts } from '../views/frame.tsx';
import type { Ui } from '../views/ui.ts';
import { keybar, messageOrPrompt } from './foot.ts';
import { syncVerdict } from './node-row.ts';
import { clock, hourMinute, speak } from './words.ts';

const STATUS: Readonly<Record<NodeItem['status'], Verdict>> = {
  initializing: 'changing',
  ready: 'well',
  disconnected: 'unseen',
  down: 'wrong',
  unknown: 'unseen',
};

function axes(i: NodeItem): readonly AxisRow[] {
  const n = i.node;
  const config: AxisRow = {
    axis: 'config_sync',
    verdict: syncVerdict(n.configSync) ?? 'well',
    word: n.configSync,
  };
  const runs = n.effective?.version;
  const wants = n.target?.version;
  // The phase of a refusal stands with its reason.
  const extra = n.configSync === 'in_sync' ? runs : wants;
  const drains = { none: 'well', draining: 'changing', drained: 'aside' } as const;
  const ids = { pending: 'waiting', accepted: 'well', revoked: 'aside' } as const;
  return [
    { axis: 'status', verdict: STATUS[i.status], word: i.status },
    { axis: 'eligibility', verdict: n.eligibility === 'eligible' ? 'well' : 'aside', word: n.eligibility },
    { axis: 'drain', verdict: drains[n.drain], word: n.drain },
    extra == null || extra === '' ? config : { ...config, extra },
    { axis: 'identity', verdict: ids[n.identity], word: n.identity },
  ];
}

/** The refusal, whole: the phase and the place, then what the engine said. */
function failure(n: Node): readonly string[] {
  if (n.configSync !== 'failed' || n.failure === null) return n.warnings;
  const f = n.failure;
  const runs = n.effective?.version ?? 'what it ran';
  // Before the switch nothing had been changed, so there was nothing to put back.
  const early = f.phase === 'validate' || f.phase === 'prepare';
  const kept = f.reverted || early ? `keeps ${runs}` : 'not put back';
  const head = `${n.target?.version ?? ''} ${f.phase.toUpperCase()} at ${clock(f.at)}, ${kept}`;
  const tail = f.logTail.split('\n').filter((l) => l.trim() !== '');
  return [head, formatRefusal(f.refusal), ...tail.slice(-8)];
}

const SERIES: readonly {
  readonly name: string;
  readonly label: string;
  readonly decimals: 0 | 2;
  readonly limit?: number;
}[] = [
  { name: 'ttft_p50', label: 'TTFT p50', decimals: 0 },
  { name: 'ttft_p95', label: 'TTFT p95', decimals: 0 },
  { name: 'gap_p99', label: 'gap  p99', decimals: 0 },
  { name: 'p99', label: 'P99', decimals: 0, limit: 100 },
  { name: 'streams', label: 'streams', decimals: 0 },
  { name: 'rps', label: 'req/s', decimals: 0 },
  { name: 'err_pct', label: 'err %', decimals: 2, limit: 1 },
  { name: 'cpu_pct', label: 'cpu %', decimals: 0, limit: 80 },
];

function series(detail: NodeDetail | null, ui: Ui): readonly SeriesRow[] {
  const sign = ui.theme.sym.verdict.warning;
  return SERIES.map((s) => {
    const found = detail?.series.find((x) => x.name === s.name);
    const values = (found?.values ?? []).map((v) => (Number.isFinite(v) ? v : null));
    const last = values.at(-1) ?? null;
    const row: SeriesRow = { label: s.label, values, decimals: s.decimals };
    if (s.limit === undefined) return row;
    if (last === null || last <= s.limit) return { ...row, limit: s.limit };
    return {
      ...row,
      limit: s.limit,
      over: { wide: `${sign} limit ${s.limit}`, narrow: `${sign} ${s.limit}` },
    };
  });
}

const MINUTE = 60_000;

/** What happened to the node, under its minute. */
function marks(detail: NodeDetail | null): DescribeProps['marks'] {
  if (detail === null) return [];
  const last = detail.lastMinuteAt;
  const out: { minutesAgo: number; letter: string; legend: string }[] = [];
  const add = (at: Millis, letter: string, legend: string) => {
    const minutesAgo = Math.floor((last + MINUTE - at) / MINUTE);
    if (minutesAgo >= 0 && minutesAgo < 60) out.push({ minutesAgo, letter, legend });
  };
  for (const c of detail.commands) add(c.createdAt, c.type[0] ?? 'c', `${c.type[0] ?? 'c'} ${c.type}`);
  for (const e of detail.events) if (e.kind === 'config') add(e.at, 'c', 'c config');
  return out;
}

function certificates(n: Node, now: Millis, ui: Ui): DescribeProps['certificates'] {
  if (n.certificate === null) return [];
  const note = ui.theme.lang === 'zh' ? '过半自动续期' : 'renews itself';
  return [{ name: 'agent', leftMs: n.certificate.notAfter - now, note }];
}

function commands(detail: NodeDetail | null, name: string, ui: Ui): DescribeProps['commands'] {
  return (detail?.commands ?? []).flatMap((task) => {
    const r = Object.entries(task.results).find(([n]) => n === name)?.[1];
    if (r === undefined) return [];
    const said = speak(resultWords(r), ui.theme);
    return [
      {
        at: clock(task.createdAt),
        what: task.type,
        who: task.createdBy.replace(/\(\d+\)$/, ''),
        verdict: commandVerdict(r.state),
        word: r.state,
        tookMs: r.state === 'queued' || r.state === 'received' || r.state === 'running' ? null : r.tookMs,
        text: r.state === 'succeeded' ? said.replace(/^[\d.]+ m?s[,，] ?/, '') : said,
      },
    ];
  });
}

export function describeProps(state: State, ui: Ui): DescribeProps | null {
  if (state.place.kind !== 'node') return null;
  const item = nodeItem(state.picture, state.place.name);
  if (item === null) return null;
  const { node } = item;
  const { name } = node;
  const now = masterNow(state.picture);
  const fetched = state.detail?.name === name ? state.detail.detail : null;
  const at = state.nodes.shown.findIndex((i) => i.node.name === name);
  const last = fetched?.lastMinuteAt ?? now;
  const { engine } = node;
  return {
    name,
    region: node.region,
    verdict: item.verdict,
    status: item.status,
    firing: item.alerts.filter((a) => alertItem(a).state === 'firing').length,
    labels: node.labels,
    place: at < 0 ? null : { at: at + 1, of: state.nodes.shown.length },
    seenMs: item.vitals?.lastSeen == null ? null : wholeSeconds(now - item.vitals.lastSeen),
    instance: engine?.instance ?? null,
    axes: axes(item),
    failure: failure(node),
    engine:
      engine === null
        ? null
        : {
            kind: engine.kind,
            version: engine.version,
            pid: engine.pid,
            upMs: Math.max(0, now - engine.startedAt),
            generation: engine.generation,
            reason: engine.reason,
            listeners: engine.listeners,
          },
    agentVersion: node.agentVersion,
    certificates: certificates(node, now, ui),
    series: series(fetched, ui),
    marks: marks(fetched),
    axis: [59, 44, 29, 14].map((ago) => hourMinute(last - ago * MINUTE)),
    alerts: item.alerts.map((a) => {
      const i = alertItem(a);
      const by =
        i.state === 'suppressed' ? `, ${[...a.silencedBy, ...inhibitors(a, state.picture)].join(' ')}` : '';
      return {
        rule: a.rule,
        verdict: i.verdict,
        state: i.state,
        forMs: wholeSeconds(now - i.since),
        text: `${a.value}${by}`,
        quiet: i.state === 'suppressed',
      };
    }),
    commands: commands(fetched, name, ui),
    log:
      fetched === null
        ? null
        : [...fetched.log].reverse().map((l) => ({
            at: `${clock(l.at)}.${String(l.at % 1000).padStart(3, '0')}`,
            level: l.level,
            text: l.text,
          })),
    stale: isStale(state),
    scroll: state.detail?.scroll ?? 0,
  };
}

/** How far the page may scroll. */
export function nodeMaxScroll(state: State, ui: Ui): number {
  const p = describeProps(state, ui);
  return p === null ? 0 : describeMaxScroll(p, ui);
}

export function nodeParts(state: State, ui: Ui, header: readonly Row[]): FrameParts {
  const p = describeProps(state, ui);
  const foot = [messageOrPrompt(state, ui), keybar(state, ui)];
  if (p === null) return { header, body: [], foot };
  return { header, body: describeRows(p, ui), foot };
}

/** At least one second: milliseconds of an age only flicker. */
export function wholeSeconds(ms: number): number {
  return Math.max(1_000, ms);
}

/** `5m37s` of a past or coming moment; never negative. */
export function ago(now: Millis, then: Millis): string {
  return formatDuration(Math.abs(now - then));
}
