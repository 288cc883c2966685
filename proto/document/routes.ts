import type { RouteChange } from '../vocab/blast.ts';
import type { Chain, ForwardNode, Hop, HopNode, Service, TunnelDocument } from './document.ts';
import { canonicalJson } from './hash.ts';

// Where connections go, and what of it is different in the next document.

/** By hop and forwarder, in the order of the documents. Services that come or go are listeners, not routes. */
export function routeChanges(from: TunnelDocument, to: TunnelDocument): readonly RouteChange[] {
  return [...hopChanges(from, to), ...serviceChanges(from, to)];
}

function hopChanges(from: TunnelDocument, to: TunnelDocument): RouteChange[] {
  const [before, after] = [usedHops(from), usedHops(to)];
  const out: RouteChange[] = [];
  for (const [name, { hop, services }] of after) {
    const was = before.get(name);
    if (was) out.push(...ofHop(was.hop, hop, services));
    else out.push(whole(hop, 'added', services));
  }
  for (const [name, { hop, services }] of before) {
    if (!after.has(name)) out.push(whole(hop, 'removed', services));
  }
  return out;
}

/** Hops that some service's connections go through, with the names of those services. */
function usedHops(doc: TunnelDocument): Map<string, { hop: Hop; services: string[] }> {
  const chains = new Map(doc.chains.map((c): [string, Chain] => [c.name, c]));
  const hops = new Map(doc.hops.map((h): [string, Hop] => [h.name, h]));
  const used = new Map<string, { hop: Hop; services: string[] }>();
  for (const s of doc.services) {
    for (const name of chains.get(s.handler.chain ?? '')?.hops ?? []) {
      const hop = hops.get(name);
      if (!hop) continue;
      const known = used.get(name) ?? { hop, services: [] };
      known.services.push(s.name);
      used.set(name, known);
    }
  }
  return used;
}

function whole(hop: Hop, change: 'added' | 'removed', services: readonly string[]): RouteChange {
  const nodes = hop.nodes.map((n) => n.name).join(' ');
  const fields = [
    change === 'added' ? { key: 'nodes', from: '', to: nodes } : { key: 'nodes', from: nodes, to: '' },
  ];
  return { of: 'hop', name: hop.name, node: null, addr: '', change, fields, services, takers: null };
}

function ofHop(was: Hop, is: Hop, services: readonly string[]): RouteChange[] {
  const base = { of: 'hop', name: is.name, services } as const;
  const out: RouteChange[] = [];
  const selector = fieldsOf({ selector: was.selector }, { selector: is.selector });
  if (selector.length > 0)
    out.push({ ...base, node: null, addr: '', change: 'changed', fields: selector, takers: null });
  const takers = (name: string) => is.nodes.filter((n) => n.name !== name && !n.backup).length;
  return [...out, ...nodeChanges(was.nodes, is.nodes, told, takers).map((c) => ({ ...base, ...c }))];
}

function serviceChanges(from: TunnelDocument, to: TunnelDocument): RouteChange[] {
  const before = new Map(from.services.map((s): [string, Service] => [s.name, s]));
  const out: RouteChange[] = [];
  for (const is of to.services) {
    const was = before.get(is.name);
    if (!was) continue;
    const own = { name: is.name, services: [is.name] } as const;
    const fields = fieldsOf(toldOf(from, was), toldOf(to, is));
    if (fields.length > 0)
      out.push({ ...own, of: 'service', node: null, addr: '', change: 'changed', fields, takers: null });
    const [a, b] = [was.forwarder?.nodes ?? [], is.forwarder?.nodes ?? []];
    const takers = (name: string) => b.filter((n) => n.name !== name).length;
    for (const c of nodeChanges(a, b, (n) => ({ addr: n.addr }), takers)) {
      out.push({ ...own, of: 'forwarder', ...c });
    }
  }
  return out;
}

/** All of a service that decides what becomes of a connection but for the nodes it may go to. */
function toldOf(doc: TunnelDocument, s: Service): Readonly<Record<string, unknown>> {
  const { chain, auther, ...handler } = s.handler;
  const guard = (kind: 'limiter' | 'climiter' | 'rlimiter' | 'admission') => {
    const { name, ...rest } = (doc[`${kind}s`] ?? []).find((g) => g.name === s[kind]) ?? { name: '' };
    return { name, ...rest };
  };
  const users = doc.authers.find((a) => a.name === auther)?.auths ?? [];
  return {
    chain,
    hops: doc.chains.find((c) => c.name === chain)?.hops.join(' ') ?? null,
    handler,
    auther,
    // Who may come in; that a password is another one shows, and no password does.
    users: users.map((u) => new Secret(u.username, u.password)),
    selector: s.forwarder?.selector ?? null,
    dialTimeoutMs: s.dialTimeoutMs,
    enableStats: s.enableStats,
    maxStreams: s.listener.maxStreams ?? null,
    readBufferBytes: s.listener.readBufferBytes ?? null,
    limiter: guard('limiter'),
    climiter: guard('climiter'),
    rlimiter: guard('rlimiter'),
    admission: guard('admission'),
  };
}

function told(n: HopNode): Readonly<Record<string, unknown>> {
  const { name: _name, connector, ...rest } = n;
  const { auth } = connector;
  return {
    ...rest,
    connector: { type: connector.type, auth: auth && new Secret(auth.username, auth.password) },
  };
}

/** Compared whole, told without its password. */
class Secret {
  readonly shown: string;
  readonly whole: string;

  constructor(user: string, password: string) {
    this.shown = `${user}:*`;
    this.whole = canonicalJson([user, password]);
  }
}

/** Of one that comes: it takes connections only when the others do not. */
const BACKUP = [{ key: 'backup', from: '', to: 'true' }];

type NodeChange = Pick<RouteChange, 'node' | 'addr' | 'change' | 'fields' | 'takers'>;

function nodeChanges<N extends HopNode | ForwardNode>(
  from: readonly N[],
  to: readonly N[],
  of: (n: N) => Readonly<Record<string, unknown>>,
  takers: (name: string) => number,
): NodeChange[] {
  const [before, after] = [named(from), named(to)];
  const out: NodeChange[] = [];
  for (const [node, n] of after) {
    const was = before.get(node);
    // Counted for those that change: all of them are looked at for it.
    const base = () => ({ node, addr: n.addr, takers: takers(node) });
    if (!was) out.push({ ...base(), change: 'added', fields: of(n)['backup'] === true ? BACKUP : [] });
    else {
      const fields = fieldsOf(of(was), of(n));
      if (fields.length > 0) out.push({ ...base(), change: 'changed', fields });
    }
  }
  for (const [node, n] of before) {
    if (!after.has(node))
      out.push({ node, addr: n.addr, change: 'removed', fields: [], takers: takers(node) });
  }
  return out;
}

const named = <N extends { readonly name: string }>(nodes: readonly N[]): ReadonlyMap<string, N> =>
  new Map(nodes.map((n) => [n.name, n]));

/** The leaves that differ, by the way to them. */
function fieldsOf(from: unknown, to: unknown, at = ''): RouteChange['fields'][number][] {
  if (from === to) return [];
  const [a, b] = [branchesOf(from), branchesOf(to)];
  if (a === null && b === null) {
    return leaf(from) === leaf(to) ? [] : [{ key: at, from: shown(from), to: shown(to) }];
  }
  const keys = [...new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})])];
  return keys.flatMap((k) => fieldsOf(a?.[k] ?? null, b?.[k] ?? null, at === '' ? k : `${at}.${k}`));
}

function branchesOf(value: unknown): Readonly<Record<string, unknown>> | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Secret)
    return null;
  return value as Readonly<Record<string, unknown>>;
}

function leaf(value: unknown): string {
  if (value instanceof Secret) return value.whole;
  return Array.isArray(value) ? `[${value.map(leaf).join(',')}]` : canonicalJson(value ?? null);
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Secret) return value.shown;
  if (Array.isArray(value)) return value.map(shown).join(' ');
  return typeof value === 'object' ? canonicalJson(value) : String(value);
}
