import type { HostPort } from '../../proto/document/address.ts';
import { endpointOf, isLoopback } from '../../proto/document/endpoint.ts';
import type { ListenerInfo, NodeStatus, NodeType } from '../../proto/vocab/node.ts';

/** A node as the registry has it at this moment, whichever way it was read. */
export interface Member {
  readonly name: string;
  readonly region: string;
  readonly nodeType: NodeType;
  readonly status: NodeStatus;
  readonly eligibility: string;
  readonly drain: string;
  readonly stopped: boolean;
  readonly identity: string;
  readonly configSync: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of its interfaces, as its agent tells them. */
  readonly addresses: readonly string[];
  /** `null`: not known. */
  readonly streams: number | null;
  readonly ttft95Ms: number | null;
  readonly errPct: number | null;
  /** What its engine listens on, as the agent read it back. */
  readonly listeners: readonly ListenerInfo[];
}

export interface Standing {
  /**
   * `yes` takes clients. `spare`: the master has not heard of it, which says nothing about its streams: it is tried where
   * nothing else is left. `no` is to get nobody.
   */
  readonly serves: 'yes' | 'spare' | 'no';
  /** Why it is not `yes`, or what is wrong all the same; `null`: nothing. */
  readonly why: string | null;
}

export function standing(m: Member): Standing {
  if (m.identity !== 'accepted') return { serves: 'no', why: m.identity };
  if (m.stopped) return { serves: 'no', why: 'stopped' };
  if (m.drain !== 'none') return { serves: 'no', why: m.drain };
  if (m.eligibility !== 'eligible') return { serves: 'no', why: 'ineligible' };
  if (m.status === 'initializing') return { serves: 'no', why: 'runs no config yet' };
  if (m.listeners.length === 0) return { serves: 'no', why: 'listens on nothing' };
  if (m.status === 'down' || m.status === 'unknown') return { serves: 'spare', why: m.status };
  if (m.status === 'disconnected') return { serves: 'yes', why: 'disconnected from the master' };
  if (m.configSync === 'failed') return { serves: 'yes', why: 'refused its last config' };
  if (m.configSync === 'drifted') return { serves: 'yes', why: 'does not run what was applied' };
  return { serves: 'yes', why: null };
}

/** Best first: ready, then the fewest streams, then the fewest errors; one whose figures are not known comes last. */
export function best(members: readonly Member[]): Member[] {
  const last = Number.POSITIVE_INFINITY;
  return members
    .filter((m) => m.status === 'ready' && standing(m).serves === 'yes')
    .sort(
      (a, b) =>
        order(a.streams ?? last, b.streams ?? last) ||
        order(a.errPct ?? 0, b.errPct ?? 0) ||
        (a.name < b.name ? -1 : 1),
    );
}

const order = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);

export type Endpoint = HostPort;

/** Where a listener is reached from outside, or why it is not; `local`: what lies on loopback is reached as well. */
export function endpoint(m: Member, listener: ListenerInfo, local: boolean): Endpoint | string {
  const at = endpointOf(m, listener);
  if (typeof at === 'string' || local || !isLoopback(at.host)) return at;
  return 'listens on loopback only (--local takes it)';
}

/** `203.0.113.5:443`, `[2001:db8::5]:443` */
export function written(e: Endpoint): string {
  return e.host.includes(':') ? `[${e.host}]:${e.port}` : `${e.host}:${e.port}`;
}
