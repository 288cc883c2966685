import type { Millis, NodeName, VersionLabel } from '../../../proto/vocab/ids.ts';
import type { MetricsReport } from '../../../proto/vocab/metrics.ts';
import type { Node } from '../../../proto/vocab/node.ts';
import { HASH } from '../../fakes/services.ts';

const REGIONS = ['hk', 'sg', 'jp', 'us', 'de'];

/** A fleet in force: each node as the store keeps one that has joined and runs its version. */
export function nodesOf(count: number, now: Millis): readonly Node[] {
  return Array.from({ length: count }, (_, i): Node => {
    const region = REGIONS[i % REGIONS.length] ?? 'hk';
    return {
      name: `${region}-edge-${String(i).padStart(4, '0')}` as NodeName,
      nodeType: i % 10 === 9 ? 'core' : 'edge',
      region,
      labels: { rack: `r${i % 40}`, tier: i % 3 === 0 ? 'gold' : 'silver' },
      eligibility: 'eligible',
      drain: 'none',
      configSync: 'in_sync',
      identity: 'accepted',
      initialized: true,
      target: { version: 'v42' as VersionLabel, hash: HASH },
      effective: { version: 'v42' as VersionLabel, hash: HASH },
      rejectedHash: null,
      failure: null,
      warnings: [],
      agentVersion: '0.1.0',
      engine: null,
      capabilities: ['listener.tcp', 'listener.tls', 'handler.relay', 'dialer.tls'],
      joinedAt: now,
      certificate: { serial: `${i}`.padStart(32, '4'), notAfter: now + 7 * 86_400_000 },
      modRevision: 1,
    };
  });
}

/** Ten seconds of a busy service. */
export function reportOf(now: Millis): MetricsReport {
  return {
    engineInstance: 'bench',
    from: now - 10_000,
    sliceMs: 10_000,
    services: [
      {
        service: 'chat',
        streams: 120,
        opened: 40,
        closed: 38,
        errors: 1,
        abortedClient: 2,
        abortedOrigin: 0,
        abortedTunnel: 0,
        bytesIn: 400_000,
        bytesOut: 9_000_000,
        requests: 900,
        connect: { index: [8, 12, 16], count: [20, 15, 5], sumMs: 400 },
        ttft: { index: [30, 33, 36], count: [400, 400, 100], sumMs: 300_000 },
        gap: { index: [18, 20, 22], count: [9000, 8000, 500], sumMs: 500_000 },
      },
    ],
    host: { cpuPct: 31.5, memPct: 44.25, openFiles: 400, diskFreeBytes: 9e9 },
    log: [],
  };
}
