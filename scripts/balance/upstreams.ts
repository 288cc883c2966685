import { parseAddress } from '../../proto/document/address.ts';
import type { ListenerType } from '../../proto/document/document.ts';
import { isSecure } from '../../proto/document/transports.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import { type Endpoint, endpoint, type Member, standing } from './member.ts';

export interface Server extends Endpoint {
  readonly name: string;
  readonly region: string;
  /** 1 to 256, of the node's label `weight`. */
  readonly weight: number;
  readonly backup: boolean;
  /** What is noteworthy of it; empty mostly. */
  readonly note: string;
}

/** One service of the fleet, as something in front of it sees it. */
export interface Upstream {
  /** Safe as a name in either program. */
  readonly id: string;
  readonly service: string;
  /** `http`: in clear, proxied as HTTP. `tcp`: handed through, mostly because it is TLS that ends on the node. */
  readonly kind: 'http' | 'tcp';
  /** Where clients come in. */
  readonly listen: string;
  readonly servers: readonly Server[];
}

export interface Left {
  readonly name: string;
  readonly why: string;
}

export interface Wanted {
  /** Empty: every region. */
  readonly regions: readonly string[];
  /** Regions whose nodes stand by. */
  readonly backups: readonly string[];
  /** Empty: every service. */
  readonly services: readonly string[];
  readonly nodeType: 'edge' | 'core';
  /** Loopback listeners are taken: this is the nodes' own host. */
  readonly local: boolean;
  /** Everything is handed through, HTTP too. */
  readonly passthrough: boolean;
  /** service -> where clients come in, `8443` or `203.0.113.1:443`; `''` is of the only service. */
  readonly listen: ReadonlyMap<string, string>;
}

/** @throws AppError when there is nothing to hand to, or two services would come in at one place */
export function upstreamsOf(
  members: readonly Member[],
  want: Wanted,
): { readonly upstreams: readonly Upstream[]; readonly left: readonly Left[] } {
  const left: Left[] = [];
  const found = new Map<string, { service: string; kind: 'http' | 'tcp'; servers: Server[] }>();
  for (const m of [...members].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (m.nodeType !== want.nodeType) continue;
    const primary = want.regions.length === 0 || want.regions.includes(m.region);
    const stand = want.backups.includes(m.region);
    if (!primary && !stand) continue;
    const { serves, why } = standing(m);
    if (serves === 'no') {
      left.push({ name: m.name, why: why ?? '' });
      continue;
    }
    for (const l of m.listeners) {
      if (want.services.length > 0 && !want.services.includes(l.service)) continue;
      const at = endpoint(m, l, want.local);
      if (typeof at === 'string') {
        left.push({ name: `${m.name} ${l.service}`, why: at });
        continue;
      }
      const kind = want.passthrough || isSecure(l.type as ListenerType) ? 'tcp' : 'http';
      const key = `${kind} ${l.service}`;
      const one = found.get(key) ?? { service: l.service, kind, servers: [] };
      found.set(key, one);
      one.servers.push({
        ...at,
        name: m.name,
        region: m.region,
        weight: weightOf(m),
        backup: !primary || serves === 'spare',
        note: why ?? '',
      });
    }
  }
  if (found.size === 0) throw new AppError('not_found', nothing(members, want, left));
  return { upstreams: placed([...found.values()], want), left };
}

function nothing(members: readonly Member[], want: Wanted, left: readonly Left[]): string {
  const of = members.filter((m) => m.nodeType === want.nodeType).length;
  const why = left.slice(0, 5).map((l) => `${l.name}: ${l.why}`);
  const more = left.length > 5 ? [`and ${left.length - 5} more`] : [];
  return [`no ${want.nodeType} to hand clients to, of ${of}`, ...why, ...more].join('; ');
}

function weightOf(m: Member): number {
  const text = m.labels['weight'] ?? '1';
  const n = /^\d{1,3}$/.test(text) ? Number(text) : 1;
  return Math.min(256, Math.max(1, n));
}

function placed(
  found: readonly { service: string; kind: 'http' | 'tcp'; servers: Server[] }[],
  want: Wanted,
): Upstream[] {
  const names = new Set<string>();
  const ports = new Map<string, string>();
  return found.map(({ service, kind, servers }) => {
    const listen =
      want.listen.get(service) ??
      (found.length === 1 ? want.listen.get('') : undefined) ??
      `${mostCommon(servers)}`;
    const before = ports.get(listen);
    if (before !== undefined) {
      throw new AppError(
        'invalid',
        `services ${before} and ${service} would both come in at ${listen}: give one --listen ${service}=PORT, or name one with --service`,
      );
    }
    ports.set(listen, service);
    const base = `aicdn_${service.replace(/[^A-Za-z0-9]/g, '_').slice(0, 40)}`;
    let id = base;
    for (let n = 2; names.has(id); n++) id = `${base}_${n}`;
    names.add(id);
    // Where every server is a spare one, none is: nginx takes no upstream of backups alone.
    const spare = servers.every((s) => s.backup);
    return {
      id,
      service,
      kind,
      listen,
      servers: spare ? servers.map((s) => ({ ...s, backup: false })) : servers,
    };
  });
}

function mostCommon(servers: readonly Server[]): number {
  const count = new Map<number, number>();
  for (const s of servers) count.set(s.port, (count.get(s.port) ?? 0) + 1);
  return [...count].sort(([a, n], [b, m]) => m - n || a - b)[0]?.[0] ?? 0;
}

/** `--listen` as it is given: `8443`, `203.0.113.1:443`, `edge-tls=443`. @throws AppError `invalid` */
export function readListen(given: readonly string[]): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const text of given) {
    const at = text.lastIndexOf('=');
    const [service, place] = at < 0 ? ['', text] : [text.slice(0, at), text.slice(at + 1)];
    const parsed = parseAddress(/^\d+$/.test(place) ? `:${place}` : place, 'listen');
    if (typeof parsed === 'string') throw new AppError('invalid', `--listen ${text}: ${parsed}`);
    map.set(
      service,
      parsed.host === ''
        ? `${parsed.port}`
        : `${parsed.host.includes(':') ? `[${parsed.host}]` : parsed.host}:${parsed.port}`,
    );
  }
  return map;
}
