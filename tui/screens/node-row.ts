import type { Millis } from '../../proto/vocab/ids.ts';
import type { ConfigSync, NodeStatus, NodeVitals } from '../../proto/vocab/node.ts';
import type { NodeItem } from '../store/select-nodes.ts';
import type { Verdict } from '../theme/symbols.ts';
import type { Theme } from '../theme/theme.ts';
import type { Figure, NodeRow } from '../views/node-table.ts';
import { speak } from './words.ts';

/** A figure older than this becomes `-` in a list; describe shows it with its age. */
const FIGURES_LAST_MS = 60_000;

/** Where a figure stands over its limit; the limits are the default rules'. */
const LIMITS: readonly (readonly [Figure, (v: NodeVitals) => number | null, number])[] = [
  ['p99', (v) => v.p99Ms, 100],
  ['err', (v) => v.errPct, 1],
  ['cpu', (v) => v.cpuPct, 80],
  ['mem', (v) => v.memPct, 80],
];

const SYNC: Readonly<Record<ConfigSync, Verdict | null>> = {
  in_sync: null,
  out_of_sync: 'waiting',
  applying: 'changing',
  failed: 'wrong',
  drifted: 'warning',
  unknown: 'unseen',
};

export function syncVerdict(sync: ConfigSync): Verdict | null {
  return SYNC[sync];
}

function isAway(status: NodeStatus): boolean {
  return status === 'disconnected' || status === 'down' || status === 'unknown';
}

/** `NodeDown 2m39s` -> `NodeDown 2m`: where the note is narrow the name matters more than the second. */
function shortAge(text: string): string {
  return text.replace(/(\d+[mhd]) ?\d+[smh]$/, '$1');
}

/** @param now the master's clock */
export function nodeRow(i: NodeItem, now: Millis, marked: boolean, theme: Theme, narrow = false): NodeRow {
  const { node, vitals: v } = i;
  const away = isAway(i.status);
  const seenMs = v?.lastSeen == null ? null : Math.max(0, now - v.lastSeen);
  const old = v === null || (away && (seenMs === null || seenMs > FIGURES_LAST_MS));
  const keep = <T>(value: T | null | undefined): T | null => (old ? null : (value ?? null));
  // Held back it still runs what it should, for now.
  const sync = i.rollout === 'held_by_streams' ? 'waiting' : SYNC[node.configSync];
  const noteText = narrow ? shortAge : (text: string) => text;
  return {
    name: node.name,
    region: node.region,
    type: node.nodeType,
    verdict: i.verdict,
    status: i.status,
    seenMs,
    version: node.effective?.version ?? null,
    sync: away && sync !== null ? 'unseen' : sync,
    streams: keep(v?.streams),
    rps: keep(v?.rps),
    ttft95Ms: keep(v?.ttft95Ms),
    p99Ms: keep(v?.p99Ms),
    errPct: keep(v?.errPct),
    cpuPct: keep(v?.cpuPct),
    memPct: keep(v?.memPct),
    p99Minutes: v?.p99Minutes ?? [],
    note:
      i.note === null
        ? null
        : { verdict: i.note.verdict, text: noteText(speak(i.note.text, theme)), quiet: i.note.quiet },
    over:
      v === null || old
        ? []
        : LIMITS.flatMap(([figure, of, limit]) => ((of(v) ?? 0) > limit ? [figure] : [])),
    marked,
    stale: i.gone || (away && i.status !== 'down'),
    gap99Ms: keep(v?.gap99Ms),
    abortedPct: keep(v?.abortedPct),
    engine: node.engine === null ? '' : `${node.engine.kind} ${node.engine.version}`,
    agent: node.agentVersion,
    labels: Object.entries(node.labels)
      .map(([k, l]) => `${k}=${l}`)
      .join(' '),
  };
}
