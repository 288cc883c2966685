import type { AgentHello, ConfigStatusReport } from '../../../proto/vocab/agent-link.ts';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { ConfigHash, Millis, Revision, VersionLabel } from '../../../proto/vocab/ids.ts';
import type { EngineInfo, Node, Standing } from '../../../proto/vocab/node.ts';

// The arrows of a node's config_sync axis. Each takes the node and returns it changed, or the very same object when
// nothing changed, so that nothing is journalled for nothing.

type Stored = Omit<Node, 'modRevision'>;
export interface Wanted {
  readonly version: VersionLabel;
  readonly hash: ConfigHash;
}

/** any -> out_of_sync | in_sync | failed: another version is its target now (or none). */
export function retarget<N extends Stored>(node: N, wanted: Wanted | null): N {
  if (wanted?.hash === node.target?.hash && wanted?.version === node.target?.version) return node;
  if (wanted === null) return { ...node, target: null, configSync: 'unknown', failure: null };
  if (node.effective?.hash === wanted.hash) {
    return { ...node, target: wanted, effective: wanted, configSync: 'in_sync', failure: null };
  }
  // A hash it has refused is never offered again: it stays failed until another document is its target.
  const rejected = node.rejectedHash === wanted.hash;
  return {
    ...node,
    target: wanted,
    configSync: rejected ? 'failed' : 'out_of_sync',
    failure: rejected ? node.failure : null,
  };
}

/**
 * failed -> out_of_sync: a person asks once more for what it has refused, which may have had a passing cause. Whatever it
 * is offered next is tried, and is refused again at once if that was it.
 */
export function triedOnceMore<N extends Stored>(node: N, revision: Revision): N {
  const { rejectedHash } = node;
  if (rejectedHash === null) return node;
  const tried: N = { ...node, rejectedHash: null, retry: { hash: rejectedHash, revision } };
  if (node.target?.hash !== rejectedHash || node.configSync !== 'failed') return tried;
  return { ...tried, configSync: 'out_of_sync', failure: null };
}

/** Of the publication that asks for the try, for an offer of this hash; 0: none does. */
export function retryOf(node: Stored, hash: ConfigHash): Revision {
  return node.retry?.hash === hash ? node.retry.revision : 0;
}

/** out_of_sync | drifted -> applying: it has been offered. */
export function offered<N extends Stored>(node: N): N {
  if (node.configSync === 'applying') return node;
  if (node.configSync !== 'out_of_sync' && node.configSync !== 'drifted') {
    throw new AppError('internal', `node ${node.name}: ${node.configSync} -> applying is not an arrow`);
  }
  return { ...node, configSync: 'applying' };
}

/** applying -> out_of_sync: the session ended before an answer; it is offered again to the next one. */
export function offerLost<N extends Stored>(node: N): N {
  return node.configSync === 'applying' ? { ...node, configSync: 'out_of_sync' } : node;
}

/**
 * any -> in_sync | failed | drifted | the same: what it answered. An answer about a document that is no longer wanted
 * changes what is known of it, not where it stands: the newer offer is on its way.
 */
export function answered<N extends Stored>(node: N, report: ConfigStatusReport, at: Millis): N {
  if (report.status === 'applying') return node;
  const known: N = {
    ...node,
    engine: report.engine ?? node.engine,
    effective: effectiveOf(node, report.effectiveHash),
    warnings: report.warnings,
  };
  if (report.status === 'applied') {
    const confirmed: N = { ...known, initialized: true };
    if (report.effectiveHash === node.retry?.hash) delete (confirmed as { retry?: unknown }).retry;
    if (node.target !== null && report.effectiveHash === node.target.hash) {
      return { ...confirmed, configSync: 'in_sync', failure: null };
    }
    // Unasked, it went back to something else.
    return node.configSync === 'in_sync' ? { ...confirmed, configSync: 'drifted' } : confirmed;
  }
  const { phase, refusal, logTail, reverted, rejectedHash } = report;
  if (node.target?.hash !== rejectedHash) {
    const held = node.rejectedHash !== null && node.rejectedHash === node.target?.hash;
    return held ? known : { ...known, rejectedHash };
  }
  const failure = { phase, refusal, logTail, reverted, at };
  const failed: N = { ...known, rejectedHash, configSync: 'failed', failure };
  if (failed.retry?.hash === rejectedHash) delete (failed as { retry?: unknown }).retry;
  return failed;
}

/** any -> in_sync | drifted | out_of_sync | failed: what it says it runs when it connects. */
export function greeted<N extends Stored>(node: N, hello: AgentHello): N {
  const effective = effectiveOf(node, hello.effectiveHash);
  // It remembers its refusal; a person has asked for one more try since, and it has not heard of that yet.
  const asked = hello.rejectedHash !== null && retryOf(node, hello.rejectedHash) > 0;
  const next: N = {
    ...node,
    agentVersion: hello.agentVersion,
    capabilities: hello.capabilities,
    labels: labelled(hello.labels, node.assigned ?? {}),
    engine: hello.engine,
    ...(hello.publicAddresses.length > 0 || node.addresses ? { addresses: hello.publicAddresses } : {}),
    rejectedHash: asked ? null : (hello.rejectedHash ?? node.rejectedHash),
    effective,
  };
  if (!node.target) return { ...next, configSync: 'unknown' };
  if (hello.effectiveHash === node.target.hash) {
    return { ...next, effective: node.target, configSync: 'in_sync', failure: null, initialized: true };
  }
  if (next.rejectedHash === node.target.hash) return { ...next, configSync: 'failed' };
  const was = node.configSync;
  return { ...next, configSync: was === 'in_sync' || was === 'drifted' ? 'drifted' : 'out_of_sync' };
}

/** in_sync -> drifted: its engine runs something else than what was applied. */
export function drifted<N extends Stored>(node: N, engine: EngineInfo): N {
  const changed = { ...node, engine, effective: effectiveOf(node, engine.documentHash) };
  return node.configSync === 'in_sync' && engine.documentHash !== node.target?.hash
    ? { ...changed, configSync: 'drifted' }
    : changed;
}

/** What its agent gives, and over it what operators said; `null` takes away. */
export function labelled(
  own: Readonly<Record<string, string>>,
  assigned: Readonly<Record<string, string | null>>,
): Readonly<Record<string, string>> {
  const all = Object.entries({ ...own, ...assigned });
  return Object.fromEntries(all.filter((l): l is [string, string] => l[1] !== null));
}

/** drain: any -> none | draining | drained, and stopped or not: what it says of itself. */
export function stands<N extends Stored>(node: N, said: Standing): N {
  const left = said.drains.some((d) => d.streams > 0);
  const drain = said.drains.length === 0 ? 'none' : left ? 'draining' : 'drained';
  if (node.drain === drain && (node.stopped ?? false) === said.stopped) return node;
  const { stopped: _, ...rest } = node;
  return { ...rest, drain, ...(said.stopped ? { stopped: true } : {}) } as N;
}

/** Whether an offer is due: the next step of a node that is connected. */
export function offerDue(node: Stored): boolean {
  return (
    node.target !== null &&
    node.target.hash !== node.rejectedHash &&
    (node.configSync === 'out_of_sync' || node.configSync === 'drifted')
  );
}

function effectiveOf(node: Stored, hash: ConfigHash | null): Stored['effective'] {
  if (hash === null) return null;
  if (node.target?.hash === hash) return node.target;
  return node.effective?.hash === hash ? node.effective : { version: null, hash };
}
