import type { ConfigHash, NodeName, RolloutId, VersionLabel } from '../../proto/vocab/ids.ts';
import type { Node, NodeStatus } from '../../proto/vocab/node.ts';
import {
  type GateName,
  type GateReading,
  type LegalVerb,
  ROLLOUT_VERBS,
  type Rollout,
  type RolloutTarget,
  type Verdict,
} from '../../proto/vocab/rollout.ts';
import { EMPTY_FLEET } from '../../tui/store/fleet.ts';
import { NODES_VIEW, regroup } from '../../tui/store/nodes-view.ts';
import { ROLLOUTS_VIEW } from '../../tui/store/rollouts-view.ts';
import { initialState, type State } from '../../tui/store/state.ts';
import { fakeAlert, fakeNode, fakeVersion, fakeVitals } from '../fakes/console-master.ts';
import { fakeCounts, fakeRollout, fakeStrategy, fakeTarget } from '../fakes/console-rollouts.ts';

// Rollout 31 of the fleet of asia.ts, as the master would give it: 03:12:07, step 3 of 4.

const at = (hour: number, minute: number, second: number, day = 24): number =>
  new Date(2026, 10, day, hour, minute, second).getTime();
export const NOW = at(3, 12, 7);

function cell(
  gate: GateName,
  region: string,
  [canary, stable, change]: readonly [number, number, number],
  limit: number,
  verdict: Verdict = 'pass',
): GateReading {
  const samples = { hk: [194_000, 227_000], sg: [81_000, 84_000], us: [179_000, 195_000] }[region] ?? [0, 0];
  const nodes = { hk: [28, 35], sg: [19, 19], us: [17, 19] }[region] ?? [0, 0];
  return {
    ...{ gate, region, canary, stable, change, limit, verdict },
    canarySamples: samples[0] ?? 0,
    stableSamples: samples[1] ?? 0,
    canaryNodes: nodes[0] ?? 0,
    stableNodes: nodes[1] ?? 0,
  };
}

const GATES: readonly GateReading[] = [
  cell('ttft95', 'hk', [804, 645, 24.7], 25, 'close'),
  cell('ttft95', 'sg', [709, 706, 0.4], 25),
  cell('ttft95', 'us', [765, 787, -2.8], 25),
  cell('gap99', 'hk', [63, 64, -1.6], 25),
  cell('gap99', 'sg', [73, 72, 1.4], 25),
  cell('gap99', 'us', [82, 82, 0], 25),
  cell('errors', 'hk', [0.28, 0.24, 0.04], 0.3),
  cell('errors', 'sg', [0.18, 0.18, 0], 0.3),
  cell('errors', 'us', [0.28, 0.29, 0], 0.3),
  cell('aborted', 'hk', [0.19, 0.17, 0.02], 0.3),
  cell('aborted', 'sg', [0.13, 0.12, 0.01], 0.3),
  cell('aborted', 'us', [0.18, 0.21, -0.02], 0.3),
];

const COUNTS = {
  healthy: 58,
  soaking: 6,
  applying: 2,
  failed: 1,
  held_by_streams: 1,
  deferred_offline: 2,
  excluded: 1,
  waiting: 69,
} as const;

export const rollout31: Rollout = fakeRollout('31', {
  version: 'v42' as VersionLabel,
  target: { nodeType: 'edge' },
  strategy: { ...fakeStrategy, name: 'standard' },
  state: { kind: 'progressing', phase: 'soaking' },
  step: 2,
  steps: [
    {
      targets: 3,
      startedAt: at(2, 44, 20),
      endedAt: at(2, 50, 12),
      note: 'waited for a person: lin promoted 02:50:12',
    },
    {
      targets: 15,
      startedAt: at(2, 50, 15),
      endedAt: at(2, 57, 40),
      note: 'paused inconclusive 02:55:10 (sg aborted, 612 samples); lin resumed',
    },
    { targets: 70, startedAt: at(2, 57, 41), endedAt: null, note: '' },
    { targets: 140, startedAt: null, endedAt: null, note: '' },
  ],
  counts: fakeCounts(COUNTS),
  readings: [
    {
      at: at(3, 11, 40),
      number: 2,
      step: 2,
      verdict: 'close',
      gates: GATES,
      largest: {
        node: 'hk-05' as NodeName,
        gate: 'ttft95',
        region: 'hk',
        value: 2410,
        without: 680,
        changeWithout: 5.4,
      },
      why: '',
    },
  ],
  nextReadingAt: at(3, 12, 40),
  waits: ['6 targets to stay healthy for 30s'],
  failuresLeft: 1,
  deadline: at(3, 21, 20),
  createdBy: 'lin(1000)',
  reason: 'add wss listener',
  createdAt: at(2, 44, 0),
  updatedAt: NOW,
});

function over(id: string, more: Partial<Rollout>, took: number): Rollout {
  const r = fakeRollout(id, { state: { kind: 'succeeded' }, step: 3, ...more });
  return { ...r, endedAt: r.createdAt + took };
}

const past: readonly Rollout[] = [
  over(
    '30',
    {
      version: 'v41' as VersionLabel,
      target: { nodeType: 'edge' },
      counts: fakeCounts({ healthy: 140 }),
      createdBy: 'mei',
      createdAt: at(22, 10, 0, 21),
    },
    48 * 60_000,
  ),
  over(
    '29',
    {
      version: 'v39' as VersionLabel,
      target: { nodeType: 'core' },
      counts: fakeCounts({ healthy: 60 }),
      createdBy: 'wei',
      createdAt: at(15, 2, 0, 20),
    },
    31 * 60_000,
  ),
];

const ago = (minutes: number, seconds: number): number => NOW - minutes * 60_000 - seconds * 1000;

function target(node: string, more: Partial<RolloutTarget>): RolloutTarget {
  return fakeTarget('31', node, { region: node.slice(0, 2), step: 2, ...more });
}

const names = (region: string, n: number): string[] =>
  Array.from({ length: n }, (_, i) => `${region}-${String(i + 1).padStart(2, '0')}`);
const EDGES = [...names('hk', 64), ...names('sg', 40), ...names('us', 36)];

/** Those of whom nothing is to be said: the first 58 have it, the others wait. */
function others(told: readonly RolloutTarget[]): readonly RolloutTarget[] {
  const known = new Set<string>(told.map((t) => t.node));
  return EDGES.filter((n) => !known.has(n)).map((n, i) =>
    i < COUNTS.healthy
      ? target(n, { state: 'healthy', released: true, since: ago(20, 0), step: 1 })
      : target(n, { state: 'waiting', since: ago(28, 0), step: 3 }),
  );
}

const TOLD: readonly RolloutTarget[] = [
  ...['hk-29', 'hk-30', 'sg-19', 'sg-20', 'us-17', 'us-18'].map((n) =>
    target(n, { state: 'soaking', released: true, since: ago(0, 12), switchedAt: ago(0, 12) }),
  ),
  target('hk-31', {
    state: 'applying',
    released: true,
    since: ago(0, 2),
    why: 'SWITCH; the agent reverts by itself at 03:14:05 unless it reaches the master',
  }),
  target('hk-32', { state: 'applying', released: true, since: ago(0, 2), why: 'PREPARE' }),
  target('sg-12', {
    state: 'held_by_streams',
    since: ago(10, 55),
    why: 'engine change to gost needs a drain: 212 streams left, oldest 18m, about 6 min',
  }),
  target('us-09', {
    state: 'deferred_offline',
    since: ago(0, 22),
    why: 'disconnected 03:11:45, last seen 32 s ago; streams go on without the agent',
  }),
  target('hk-17', {
    state: 'deferred_offline',
    since: ago(3, 39),
    why: 'down, last seen 03:07:48. Gets v42 when it returns; never blocks',
  }),
  target('sg-30', { state: 'excluded', since: ago(28, 0), why: 'ineligible' }),
  target('hk-19', {
    state: 'failed',
    since: ago(13, 36),
    offeredAt: ago(13, 38),
    why: 'PREPARE: edge-wss tcp :8443 in use by nginx pid 2211; keeps v41, 0 streams cut',
  }),
];

/** All 140, in no order. */
export const targets31: readonly RolloutTarget[] = [...others(TOLD), ...TOLD];

const version = (label: string) => ({
  version: label as VersionLabel,
  hash: label.padEnd(64, '0') as ConfigHash,
});

/** The nodes of the fleet: what they run, and one that refused. */
function nodes31(): readonly Node[] {
  const has = new Set<string>(
    targets31.filter((t) => t.state === 'healthy' || t.state === 'soaking').map((t) => t.node),
  );
  const edges = EDGES.map((n) => {
    const runs = version(has.has(n) ? 'v42' : 'v41');
    return fakeNode(n, { region: n.slice(0, 2), target: runs, effective: runs });
  });
  const cores = names('cn', 60).map((n) =>
    fakeNode(n, { region: 'cn', nodeType: 'core', target: version('v39'), effective: version('v39') }),
  );
  const refused: Partial<Node> = {
    configSync: 'failed',
    target: version('v42'),
    failure: {
      phase: 'prepare',
      refusal: {
        code: 'port_in_use',
        message: 'edge-wss tcp :8443 in use by nginx pid 2211',
        line: 24,
        column: 10,
        path: 'services[0].addr',
        hint: 'free the port, then :retry 31',
      },
      logTail: 'prepare: listen tcp :8443: address in use\nprepare: nothing was changed',
      reverted: false,
      at: ago(13, 36),
    },
  };
  return [...edges, ...cores].map((n) => (n.name === 'hk-19' ? { ...n, ...refused } : n));
}

const LEGAL: readonly LegalVerb[] = ROLLOUT_VERBS.map((verb) => {
  const ok = verb !== 'resume' && verb !== 'promote';
  return { verb, ok, why: ok ? '' : 'step 3 is not over: its nodes are not all healthy yet' };
});

const AWAY: Readonly<Record<string, NodeStatus>> = { 'hk-17': 'down', 'us-09': 'disconnected' };

/** The console on screen 3, with what the stream and the master have said. */
export function state31(more: Partial<State> = {}, rollout: Partial<Rollout> = {}): State {
  const r: Rollout = { ...rollout31, ...rollout };
  const nodes = nodes31();
  const alerts = [fakeAlert('LatencyP99High', 'hk-05'), fakeAlert('Buffering', 'hk-05')];
  const fleet: State['fleet'] = {
    ...EMPTY_FLEET,
    at: NOW,
    receivedAt: NOW,
    begin: {
      revision: 88_412,
      storeId: 'store-1',
      watchId: 'w1',
      caller: { actor: 'lin(1000)', role: 'operator' },
      context: 'prod-asia',
      masterVersion: '1.4.2',
      heartbeatIntervalMs: 10_000,
      advertise: '203.0.113.5:50051',
      caPin: '9f2b7c40',
    },
    figures: { streams: 93_384, rps: 3201, ttft95Ms: 738, p99Ms: 81, errPct: 0.25, degraded: null },
    vitals: new Map(
      nodes.map((n) => [n.name, fakeVitals(n.name, NOW, { status: AWAY[n.name] ?? 'ready', streams: 623 })]),
    ),
    facts: {
      ...EMPTY_FLEET.facts,
      node: new Map(nodes.map((n) => [n.name, n])),
      alert: new Map(alerts.map((a) => [a.fingerprint, a])),
      version: new Map(
        [
          fakeVersion('v42', { parent: 'v41' as VersionLabel, createdAt: at(2, 38, 40) }),
          fakeVersion('v43', {
            parent: 'v42' as VersionLabel,
            createdAt: at(3, 10, 20),
            description: 'wss to :9443, 上海-03 to backup',
            publications: [],
            bodyHash: 'a71c04e'.padEnd(64, '0') as never,
          }),
        ].map((v) => [v.label as string, v]),
      ),
      rollout: new Map([...past, r].map((x) => [x.id as string, x])),
    },
  };
  return {
    ...initialState(NOW),
    connection: { kind: 'live', since: 0, back: null },
    fleet,
    picture: fleet,
    nodes: regroup(NODES_VIEW, fleet, { apply: true, rows: 16 }),
    place: { kind: 'screen', screen: 'rollouts' },
    rollouts: {
      ...ROLLOUTS_VIEW,
      got: { id: '31' as RolloutId, revision: r.modRevision, targets: targets31, legal: LEGAL },
      askedAt: NOW,
    },
    ...more,
  };
}
