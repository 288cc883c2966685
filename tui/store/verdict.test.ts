import { expect, test } from 'vitest';
import type { Fingerprint, SilenceId, VersionLabel } from '../../proto/vocab/ids.ts';
import type { Node, NodeVitals } from '../../proto/vocab/node.ts';
import { fakeAlert, fakeNode, fakeVitals } from '../../test/fakes/console-master.ts';
import { judge, verdictRank } from './verdict.ts';

const NOW = 1_000_000_000;
const v42 = { version: 'v42' as VersionLabel, hash: 'b'.repeat(64) as never };

function judged(
  node: Partial<Node>,
  vitals: Partial<NodeVitals> | null,
  alerts = [] as ReturnType<typeof fakeAlert>[],
) {
  const j = judge(
    fakeNode('hk-1', node),
    vitals === null ? undefined : fakeVitals('hk-1', NOW, vitals),
    alerts,
    NOW,
  );
  return `${j.verdict} ${j.note?.text.en ?? '-'}${j.note?.quiet === true ? ' (quiet)' : ''}`;
}

const nodeDown = fakeAlert('NodeDown', 'hk-1', { severity: 'critical', firingAt: NOW - 159_000 });
const latency = fakeAlert('LatencyP99High', 'hk-1', { firingAt: NOW - 337_000 });

test.each([
  ['well', {}, {}, [], 'well -'],
  ['a critical alert', {}, { status: 'down' }, [nodeDown, latency], 'wrong NodeDown 2m39s'],
  ['down, no alert yet', {}, { status: 'down', lastSeen: NOW - 259_000 }, [], 'wrong down 4m19s'],
  ['refused', { configSync: 'failed', target: v42 }, {}, [latency], 'wrong refused v42'],
  ['disconnected', {}, { status: 'disconnected' }, [], 'unseen disconnected'],
  ['disconnected with an offer', { target: v42 }, { status: 'disconnected' }, [], 'unseen v42 deferred'],
  ['a warning', { configSync: 'drifted' }, {}, [latency], 'warning LatencyP99High 5m37s'],
  ['drifted', { configSync: 'drifted' }, {}, [], 'warning drifted'],
  ['applying', { configSync: 'applying', target: v42 }, {}, [], 'changing applying v42'],
  ['initializing', {}, { status: 'initializing' }, [], 'changing initializing'],
  ['draining', { drain: 'draining' }, { streams: 212 }, [], 'changing draining 212'],
  ['out of sync', { configSync: 'out_of_sync', target: v42 }, {}, [], 'waiting waits for v42'],
  ['drained', { drain: 'drained' }, {}, [], 'aside drained'],
  ['revoked', { identity: 'revoked' }, { status: 'down' }, [nodeDown], 'aside revoked'],
] as const)('%s', (_, node, vitals, alerts, want) => {
  expect(judged(node, vitals, [...alerts])).toBe(want);
});

test('what another alert says already is no verdict of its own: the node is down, and that is all', () => {
  const region = { severity: 'critical', inhibitedBy: ['RegionDown-hk' as Fingerprint] } as const;
  const held = fakeAlert('NodeDown', 'hk-1', region);
  expect(judged({}, { status: 'down' }, [held])).toMatch(/^wrong down/);
  expect(judged({}, {}, [held, latency])).toBe('warning LatencyP99High 5m37s');
});

test('a silenced alert is no verdict, and never invisible', () => {
  const silenced = fakeAlert('CertExpiring', 'hk-1', { silencedBy: ['S-41' as SilenceId] });
  expect(judged({}, {}, [silenced])).toBe('well CertExpiring silenced (quiet)');
  expect(judged({}, {}, [silenced, latency])).toBe('warning LatencyP99High 5m37s');
  const quietDown = fakeAlert('NodeDown', 'hk-1', {
    severity: 'critical',
    silencedBy: ['S-41' as SilenceId],
  });
  expect(judged({}, { status: 'down' }, [quietDown])).toBe('wrong NodeDown S-41 (quiet)');
});

test('before the first figures a node is not called lost', () => {
  expect(judged({}, null)).toBe('well -');
  expect(judged({ initialized: false }, null)).toBe('changing initializing');
});

test('worst first is one order', () => {
  expect(
    ['well', 'aside', 'waiting', 'paused', 'changing', 'warning', 'unseen', 'wrong'].map((v) =>
      verdictRank(v as 'well'),
    ),
  ).toEqual([7, 6, 5, 4, 3, 2, 1, 0]);
});
