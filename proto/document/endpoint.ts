import type { ListenerInfo } from '../vocab/node.ts';
import { type HostPort, isHost, parseAddress } from './address.ts';

/** Labels that say where clients reach a node, in this order. Listeners on every address do not know it. */
const ADDRESS_LABELS = ['public_addr', 'addr'] as const;

const EVERYWHERE: readonly string[] = ['', '0.0.0.0', '::'];

export function isLoopback(host: string): boolean {
  return /^(127\.|::1$|localhost\.?$)/i.test(host);
}

// Ranges for private networks and for providers' own translation, IPv4 and IPv6.
const PRIVATE =
  /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd][\da-f]{2}:)/i;

/**
 * Where a listener of a node is reached from outside, as the node tells it; or why that is not known. A label wins over a
 * listener's own address, which may lie behind a provider's translation; where it is bound to every address, the node's own
 * ones are left, those of no private network first. One on loopback stays there.
 */
export function endpointOf(
  node: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly addresses?: readonly string[];
  },
  listener: Pick<ListenerInfo, 'addr'>,
): HostPort | string {
  const bound = parseAddress(listener.addr, 'listen');
  if (typeof bound === 'string') return `listener ${listener.addr}: ${bound}`;
  if (isLoopback(bound.host)) return bound;
  const label = ADDRESS_LABELS.find((l) => node.labels[l] !== undefined);
  if (label !== undefined) {
    const host = node.labels[label] ?? '';
    return isHost(host) ? { host, port: bound.port } : `its label ${label} is no host or address`;
  }
  if (!EVERYWHERE.includes(bound.host)) return bound;
  const told = (node.addresses ?? []).filter(isHost);
  const host = told.find((a) => !PRIVATE.test(a)) ?? told[0];
  if (host !== undefined) return { host, port: bound.port };
  return `no address: aicdnctl node label ${node.name} public_addr=HOST`;
}
