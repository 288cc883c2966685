import type { BlastRadius, NodeBlast } from '../../proto/vocab/config-version.ts';
import type { NodeName, RolloutId, VersionLabel } from '../../proto/vocab/ids.ts';
import type { RevertPreview } from '../../proto/vocab/rollout.ts';
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
  };
}

/** What publishing v43 to hk would do, in the middle of rollout 31. */
export const blast43: BlastRadius = {
  toLabel: 'v43' as VersionLabel,
  nodes: Array.from({ length: 64 }, (_, i) =>
    blast(`hk-${String(i + 1).padStart(2, '0')}`, i < 28 ? 'v42' : 'v41', i === 63 ? 654 : 630),
  ),
  regions: [{ region: 'hk', nodes: 64, streams: 40_344 }],
  streams: 40_344,
  listenersClosed: 28,
  plan: {
    strategy: fakeStrategy,
    steps: [1, 7, 32, 64].map((targets, i) => ({
      step: fakeStrategy.steps[i] ?? { size: { percent: 100 }, perRegion: true, pause: null, analysis: true },
      targets,
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
    aboutMs: 22 * 60_000,
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
