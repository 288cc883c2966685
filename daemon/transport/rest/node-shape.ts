import { z } from 'zod';
import {
  type EngineInfo,
  NODE_STATUSES,
  type NodeVitals,
  type Node as VocabNode,
} from '../../../proto/vocab/node.ts';
import { iso, isoOrNull, Labels, NodeTypeWord, Refusal, Revision, Stamp } from './shapes.ts';

const number = z.number().nullable();

/** Of the last minute, `streams` is now; null is unknown, never 0. At most one second old. */
export const Figures = z
  .object({
    streams: number,
    rps: number,
    ttft_p95_ms: number,
    p99_ms: number.describe("of the tunnel's connect latency"),
    err_pct: number,
    aborted_pct: number,
    gap_p99_ms: number,
    cpu_pct: number,
    mem_pct: number,
  })
  .meta({ id: 'Figures' });

export const Engine = z
  .object({
    kind: z.enum(['embedded', 'gost']),
    version: z.string(),
    instance: z.string(),
    generation: z.int(),
    document_hash: z.string().nullable(),
    pid: z.int(),
    reason: z.string(),
    listeners: z.array(z.object({ service: z.string(), addr: z.string(), type: z.string() })),
    started_at: Stamp,
    workers: z.array(z.object({ pid: z.int(), version: z.string() })),
    restarts: z.int(),
  })
  .describe('read back from the engine itself')
  .meta({ id: 'Engine' });

const Phase = z.enum(['validate', 'prepare', 'switch', 'confirm']);

const FACTS = {
  name: z.string(),
  node_type: NodeTypeWord,
  region: z.string(),
  labels: Labels,
  eligibility: z.enum(['eligible', 'ineligible']),
  drain: z.enum(['none', 'draining', 'drained']),
  config_sync: z.enum(['in_sync', 'out_of_sync', 'applying', 'failed', 'drifted', 'unknown']),
  identity: z.enum(['pending', 'accepted', 'revoked']),
  version: z.string().nullable().describe('what it runs'),
  target_version: z.string().nullable().describe('what it is told to run'),
  agent_version: z.string(),
  joined_at: Stamp,
  mod_revision: Revision,
};

const LIVE = {
  status: z.enum(NODE_STATUSES),
  last_seen: Stamp.nullable(),
  clock_skew_ms: number.describe("how far its clock is ahead of the master's; null is unknown"),
  figures: Figures,
};

/** As a list has it. */
export const NodeItem = z.object({ ...FACTS, ...LIVE }).meta({ id: 'NodeItem' });

export const NodeLive = z.object({ name: z.string(), ...LIVE }).meta({ id: 'NodeLive' });

export const Node = z
  .object({
    ...FACTS,
    initialized: z.boolean(),
    stopped: z.boolean(),
    target_hash: z.string().nullable(),
    effective_hash: z.string().nullable(),
    rejected_hash: z.string().nullable(),
    failure: z
      .object({
        phase: Phase,
        refusal: Refusal,
        log_tail: z.string(),
        reverted: z.boolean(),
        at: Stamp,
      })
      .nullable(),
    warnings: z.array(z.string()),
    engine: Engine.nullable(),
    capabilities: z.array(z.string()),
    addresses: z.array(z.string()).describe('of its interfaces, as its agent tells them'),
    certificate: z.object({ serial: z.string(), not_after: Stamp }).nullable(),
    ...LIVE,
  })
  .meta({ id: 'Node' });

export const NodeChanged = z.object({ revision: Revision, node: Node }).meta({ id: 'NodeChanged' });

export function figuresJson(v: NodeVitals): z.output<typeof Figures> {
  return {
    streams: v.streams,
    rps: v.rps,
    ttft_p95_ms: v.ttft95Ms,
    p99_ms: v.p99Ms,
    err_pct: v.errPct,
    aborted_pct: v.abortedPct,
    gap_p99_ms: v.gap99Ms,
    cpu_pct: v.cpuPct,
    mem_pct: v.memPct,
  };
}

function liveJson(v: NodeVitals) {
  return {
    status: v.status,
    last_seen: isoOrNull(v.lastSeen),
    clock_skew_ms: v.clockSkewMs ?? null,
    figures: figuresJson(v),
  };
}

export function nodeLive(v: NodeVitals): z.output<typeof NodeLive> {
  return { name: v.name, ...liveJson(v) };
}

function factsJson(n: VocabNode) {
  return {
    name: n.name,
    node_type: n.nodeType,
    region: n.region,
    labels: { ...n.labels },
    eligibility: n.eligibility,
    drain: n.drain,
    config_sync: n.configSync,
    identity: n.identity,
    version: n.effective?.version ?? null,
    target_version: n.target?.version ?? null,
    agent_version: n.agentVersion,
    joined_at: iso(n.joinedAt),
    mod_revision: n.modRevision,
  };
}

export function nodeItem(n: VocabNode, v: NodeVitals): z.output<typeof NodeItem> {
  return { ...factsJson(n), ...liveJson(v) };
}

export function nodeJson(n: VocabNode, v: NodeVitals): z.output<typeof Node> {
  const { failure, certificate } = n;
  return {
    ...factsJson(n),
    initialized: n.initialized,
    stopped: n.stopped === true,
    target_hash: n.target?.hash ?? null,
    effective_hash: n.effective?.hash ?? null,
    rejected_hash: n.rejectedHash,
    failure: failure && {
      phase: failure.phase,
      refusal: { ...failure.refusal },
      log_tail: failure.logTail,
      reverted: failure.reverted,
      at: iso(failure.at),
    },
    warnings: [...n.warnings],
    engine: n.engine && engineJson(n.engine),
    capabilities: [...n.capabilities],
    addresses: [...(n.addresses ?? [])],
    certificate: certificate && { serial: certificate.serial, not_after: iso(certificate.notAfter) },
    ...liveJson(v),
  };
}

export function engineJson(e: EngineInfo): z.output<typeof Engine> {
  return {
    kind: e.kind,
    version: e.version,
    instance: e.instance,
    generation: e.generation,
    document_hash: e.documentHash,
    pid: e.pid,
    reason: e.reason,
    listeners: e.listeners.map((l) => ({ ...l })),
    started_at: iso(e.startedAt),
    workers: (e.workers ?? []).map((w) => ({ ...w })),
    restarts: e.restarts ?? 0,
  };
}
