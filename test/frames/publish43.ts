import type { BlastCheck, BlastRadius, NodeBlast } from '../../proto/vocab/blast.ts';
import type { NodeName, RolloutId, VersionLabel } from '../../proto/vocab/ids.ts';
import { type RevertPreview, type RolloutStep, stepAtLeastMs } from '../../proto/vocab/rollout.ts';
import { fakeStrategy } from '../fakes/console-rollouts.ts';
import { rollout31 } from './rollout31.ts';

// What v43 would do in the middle of rollout 31, and what U would.

function blast(name: string, from: string, streams: number): NodeBlast {
  return {
    name: name as NodeName,
    region: 'hk',
    nodeType: 'edge',
    streams,
    from: from as VersionLabel,
    change: 'update',
    why: `it runs ${from}`,
    closes: from === 'v42' ? [{ service: 'edge-wss', addr: ':8443', streams: 43 }] : [],
    opens: [{ service: 'edge-wss', addr: ':9443' }],
  };
}

function stepOf(i: number): RolloutStep {
  return fakeStrategy.steps[i] ?? { size: { percent: 100 }, perRegion: true, pause: null, analysis: true };
}

function passed(check: BlastCheck['check'], of: number, about: readonly string[]): BlastCheck {
  return { check, verdict: 'pass', passed: of, of, bad: 0, about, nodes: [], why: '' };
}

/** What publishing v43 to hk would do, in the middle of rollout 31. */
export const blast43: BlastRadius = {
  toLabel: 'v43' as VersionLabel,
  nodes: Array.from({ length: 64 }, (_, i) =>
    blast(`hk-${String(i + 1).padStart(2, '0')}`, i < 28 ? 'v42' : 'v41', i === 63 ? 654 : 630),
  ),
  regions: [{ region: 'hk', nodes: 64, streams: 40_344 }],
  streams: 40_344,
  streamsCut: 0,
  listenersClosed: 28,
  listeners: [
    { change: 'closes', service: 'edge-wss', addr: ':8443', type: 'wss', nodes: 28, streams: 1204 },
    { change: 'opens', service: 'edge-wss', addr: ':9443', type: 'wss', nodes: 64, streams: null },
    { change: 'keeps', service: 'edge-tls', addr: ':443', type: 'tls', nodes: 64, streams: null },
    { change: 'keeps', service: 'edge-ws', addr: ':8080', type: 'ws', nodes: 64, streams: null },
  ],
  routes: [
    {
      ...{ of: 'hop', name: 'cores', node: 'cn-上海-03', addr: '198.51.100.13:8443', change: 'changed' },
      fields: [
        { key: 'backup', from: 'false', to: 'true' },
        { key: 'weight', from: '2', to: '1' },
      ],
      ...{ services: ['edge-wss'], takers: 59, nodes: 64, streams: 2904 },
    },
    {
      ...{ of: 'hop', name: 'cores', node: null, addr: '', change: 'changed' },
      fields: [{ key: 'selector.failTimeoutMs', from: '15000', to: '10000' }],
      ...{ services: ['edge-wss'], takers: null, nodes: 64, streams: null },
    },
  ],
  routesUnknown: 0,
  more: 0,
  checks: [
    passed('schema', 64, []),
    passed('variables', 64, ['core.name', 'region.path']),
    { ...passed('ports', 64, [':9443']), verdict: 'unknown', passed: 0, bad: 64 },
    passed('engines', 64, ['embedded 64']),
    {
      ...passed('reach', 64, ['ready 63', 'down 1']),
      ...{ verdict: 'warn', passed: 63, bad: 1, nodes: ['hk-17' as NodeName], why: 'hk-17: it is down' },
    },
  ],
  warnings: [
    {
      ...{ code: 'others_stay', nodes: 40, names: ['sg-01' as NodeName] },
      text: 'sg and us are not hit and go on sending to cn-上海-03',
    },
  ],
  plan: {
    strategy: fakeStrategy,
    steps: [1, 7, 32, 64].map((targets, i) => ({
      step: stepOf(i),
      targets,
      atLeastMs: stepAtLeastMs(fakeStrategy, stepOf(i), targets - ([0, 1, 7, 32][i] ?? 0)),
    })),
    supersedes: [
      {
        id: '31' as RolloutId,
        version: 'v42' as VersionLabel,
        step: 2,
        steps: 4,
        regions: [
          { region: 'sg', released: 19, targets: 40 },
          { region: 'us', released: 17, targets: 36 },
        ],
      },
    ],
    atLeastMs: 17 * 60_000,
  },
};

export const diff43 = `--- v42
+++ v43
@@ -22,5 +22,5 @@
 services:
 - name: edge-wss
-  addr: ":8443"
+  addr: ":9443"
   handler: {type: tcp, chain: to-core, retries: 2}
   listener: {type: wss, metadata: {path: /ws}, tls: {certFile: e.pem, keyFile: ek.pem}}
@@ -58,7 +58,7 @@
 hops:
 - name: cores
-  selector: {strategy: rand, maxFails: 1, failTimeout: 15s}
+  selector: {strategy: rand, maxFails: 1, failTimeout: 10s}
   nodes:
   - {name: sh2, addr: "198.51.100.12:8443", connector: {type: relay}, dialer: {type: mtls}}
-  - {name: sh3, addr: "198.51.100.13:8443", connector: {type: relay}, metadata: {weight: 2}}
+  - {name: sh3, addr: "198.51.100.13:8443", connector: {type: relay}, metadata: {backup: true}}
   - {name: sh4, addr: "198.51.100.14:8443", connector: {type: relay}, dialer: {type: mtls}}
`;

/** What `U` would do now. */
export const revert31: RevertPreview = {
  rollout: rollout31,
  by: 'abort',
  toLabel: 'v41' as VersionLabel,
  newLabel: null,
  nodes: Array.from({ length: 66 }, (_, i) => `hk-${i}` as NodeName),
  regions: [
    { region: 'hk', nodes: 30, streams: 20_000 },
    { region: 'sg', nodes: 19, streams: 10_054 },
    { region: 'us', nodes: 17, streams: 15_000 },
  ],
  streams: 45_054,
  batches: 9,
  closes: [{ service: 'edge-wss :8443', nodes: 64, streams: 2711 }],
};
