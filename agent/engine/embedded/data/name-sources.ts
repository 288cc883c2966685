import dns from 'node:dns';
import { readFile, stat } from 'node:fs/promises';
import net from 'node:net';

/** A resolver that says nothing is asked once more after this. */
const ANSWER_MS = 1_500;
const TRIES = 2;
/** Once one family has answered the other gets this long. */
const OTHER_FAMILY_MS = 300;
/** Neither says for how long it holds: the hosts file is looked at again soon, the system's resolver is not cheap. */
const HOSTS_TTL_MS = 1_000;
const SYSTEM_TTL_MS = 30_000;

/** Addresses by family: null could not be learned, none are there. */
export interface Found {
  readonly v4: readonly string[] | null;
  readonly v6: readonly string[] | null;
  readonly ttlMs: number;
  /** Why there is nothing, or not all; empty when nothing is missing. */
  readonly why: string;
}

export interface NameSourcesSettings {
  /** DNS servers, `host:port`; none: the system's, and what else the system knows (search domains, mDNS). */
  readonly servers: readonly string[];
  readonly hostsFile: string;
}

type Family = { readonly addresses: readonly string[]; readonly ttlMs: number } | string;

/** Where addresses of a name come from: the hosts file, DNS with its TTLs, and the system's own resolver. */
export class NameSources {
  readonly #settings: NameSourcesSettings;
  #hosts: { readonly of: string; readonly names: ReadonlyMap<string, readonly string[]> } | null = null;
  #resolver: dns.promises.Resolver | null = null;

  constructor(settings: NameSourcesSettings) {
    this.#settings = settings;
  }

  async find(name: string): Promise<Found> {
    const written = (await this.#readHosts()).get(name.toLowerCase());
    if (written !== undefined) return { ...byFamily(written), ttlMs: HOSTS_TTL_MS, why: '' };
    const asked = await this.#askDns(name);
    const some = (asked.v4?.length ?? 0) + (asked.v6?.length ?? 0) > 0;
    if (some || this.#settings.servers.length > 0) return asked;
    return (await askSystem(name)) ?? asked;
  }

  /** Questions under way are given up. */
  stop(): void {
    this.#resolver?.cancel();
    this.#resolver = null;
  }

  /** Read again when it has changed; unreadable, it says nothing. */
  async #readHosts(): Promise<ReadonlyMap<string, readonly string[]>> {
    const { hostsFile } = this.#settings;
    try {
      const { mtimeMs, size, ino } = await stat(hostsFile);
      const of = [mtimeMs, size, ino].join();
      if (this.#hosts?.of !== of) this.#hosts = { of, names: parseHosts(await readFile(hostsFile, 'utf8')) };
      return this.#hosts.names;
    } catch {
      return new Map();
    }
  }

  async #askDns(name: string): Promise<Found> {
    const resolver = this.#resolver ?? this.#makeResolver();
    this.#resolver = resolver;
    const v4 = family(resolver.resolve4(name, { ttl: true }));
    const v6 = family(resolver.resolve6(name, { ttl: true }));
    await Promise.race([hasSome(v4), hasSome(v6), Promise.all([v4, v6])]);
    const late = Promise.withResolvers<Family>();
    const timer = setTimeout(() => late.resolve('no answer yet'), OTHER_FAMILY_MS);
    const [four, six] = await Promise.all([v4, v6].map((f) => Promise.race([f, late.promise])));
    clearTimeout(timer);
    const found = together(four as Family, six as Family);
    // It keeps the servers it began with: after a failure the next one reads anew what the system says.
    if (found.v4 === null && found.v6 === null && this.#resolver === resolver) this.#resolver = null;
    return found;
  }

  #makeResolver(): dns.promises.Resolver {
    const { servers } = this.#settings;
    const resolver = new dns.promises.Resolver({ timeout: ANSWER_MS, tries: TRIES });
    if (servers.length > 0) resolver.setServers(servers);
    return resolver;
  }
}

/** Lines of `address name…`, in their order. */
export function parseHosts(text: string): Map<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    const kind = net.isIP(address);
    if (kind === 0) continue;
    const plain = address.includes('%') ? address : canonical(address, kind);
    for (const alias of aliases) {
      const known = names.get(alias.toLowerCase());
      if (known === undefined) names.set(alias.toLowerCase(), [plain]);
      else if (!known.includes(plain)) known.push(plain);
    }
  }
  return names;
}

/** As the kernel writes it: what is compared with a connection's own address. */
function canonical(address: string, kind: number): string {
  return new net.SocketAddress({ address, family: kind === 6 ? 'ipv6' : 'ipv4' }).address;
}

function byFamily(addresses: readonly string[]): { v4: readonly string[]; v6: readonly string[] } {
  return {
    v4: addresses.filter((a) => net.isIP(a) === 4),
    v6: addresses.filter((a) => net.isIP(a) === 6),
  };
}

async function family(asked: Promise<dns.RecordWithTtl[]>): Promise<Family> {
  try {
    const records = await asked;
    const ttlMs = Math.min(...records.map((r) => r.ttl)) * 1000;
    return { addresses: records.map((r) => r.address), ttlMs };
  } catch (e) {
    const { code } = e as NodeJS.ErrnoException;
    // The name has none of that family, or is not there at all: an answer like any other.
    if (code === 'ENODATA' || code === 'ENOTFOUND') return { addresses: [], ttlMs: Infinity };
    return code ?? String(e);
  }
}

/** Settles when there are addresses; what has none leaves it to the others. */
async function hasSome(asked: Promise<Family>): Promise<void> {
  const answer = await asked;
  if (typeof answer === 'string' || answer.addresses.length === 0) await new Promise(() => undefined);
}

function together(four: Family, six: Family): Found {
  const failed = [four, six].filter((f) => typeof f === 'string');
  const told = [four, six].filter((f) => typeof f !== 'string');
  const nothing = failed.length === 0 && told.every((f) => f.addresses.length === 0);
  return {
    v4: typeof four === 'string' ? null : four.addresses,
    v6: typeof six === 'string' ? null : six.addresses,
    ttlMs: Math.min(...told.map((f) => f.ttlMs)),
    why: nothing ? 'ENOTFOUND' : (failed[0] ?? ''),
  };
}

/** Null when it has none either. */
async function askSystem(name: string): Promise<Found | null> {
  try {
    const all = await dns.promises.lookup(name, { all: true, order: 'verbatim' });
    return { ...byFamily(all.map((a) => a.address)), ttlMs: SYSTEM_TTL_MS, why: '' };
  } catch {
    return null;
  }
}
