import { formatRefusal } from '../../../proto/vocab/errors.ts';
import type { NodeFacts } from './facts.ts';

// What a node's facts say, in a rollout's words.

/** It is heard of: it can be offered something. */
export function isHere(f: NodeFacts): boolean {
  return f.status === 'ready' || f.status === 'initializing';
}

/** Not heard of. `unknown` is not it: a master that has just begun has heard of nobody. */
export function isOffline(f: NodeFacts): boolean {
  return f.status === 'disconnected' || f.status === 'down';
}

/** It runs the new version, said so, and is here. */
export function isWell(f: NodeFacts): boolean {
  return f.status === 'ready' && f.configSync === 'in_sync' && f.hash !== null && f.effectiveHash === f.hash;
}

/** It refused this document, or could not keep it: a NACK, a crash loop, a switch it could not confirm. */
export function refuses(f: NodeFacts): boolean {
  return f.hash !== null && f.rejectedHash === f.hash;
}

/** Why it must not be offered the version at all, or `null`. */
export function unfitFor(f: NodeFacts): string | null {
  if (f.unfit !== null) return f.unfit;
  if (f.hash === null) return 'the version cannot be rendered for it';
  if (!f.eligible)
    return 'it is not eligible: it has no turn until it is made so again, and gets the version once the rollout has succeeded';
  if (refuses(f)) return `it has refused this document before: ${refusalOf(f)}`;
  return null;
}

/** `PREPARE: line 3, column 9: services[0].addr: in use by nginx` */
export function refusalOf(f: NodeFacts): string {
  if (!f.failure) return 'the reason is not known';
  const kept = f.failure.reverted ? '; it went back to what it ran' : '';
  return `${f.failure.phase.toUpperCase()}: ${formatRefusal(f.failure.refusal)}${kept}`;
}

/** Why it is not well now. */
export function notWell(f: NodeFacts): string {
  if (f.status !== 'ready') return `it is ${f.status}`;
  if (f.configSync !== 'in_sync') return `its config is ${f.configSync.replaceAll('_', ' ')}`;
  return 'it runs another document';
}
