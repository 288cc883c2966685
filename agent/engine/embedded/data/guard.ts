import type { BandwidthLimit, CountLimit } from '../../../../proto/document/document.ts';
import { contains, ipBytes, type Network, parseNetwork } from '../../../../proto/document/network.ts';
import type { DataService } from './messages.ts';
import type { Entry, Tally, Want } from './tally.ts';

/**
 * Of a public port without a connection limit of its own: one address cannot take all descriptors. Never more for the
 * node; where several processes carry, each lets in its part of one half without asking, so that nobody is refused
 * below the other half.
 */
const MOST_BY_DEFAULT = 8_192;
/** Bandwidth runs ahead by this much, so that timers need not be exact. */
const AHEAD_MS = 50;

const LOOPBACK = ['127.0.0.0/8', '::1'].flatMap((text) => parseNetwork(text) ?? []);

type Guarded = Pick<DataService, 'name' | 'handler' | 'guards'>;

/** Gives back what a connection took. */
export type Leave = () => void;

/** For how many ms the source has to be silent after so many bytes; `null`: it need not. */
export interface Pace {
  readonly in: ((bytes: number) => number) | null;
  readonly out: ((bytes: number) => number) | null;
}

interface Matcher<T> {
  readonly all: T | null;
  readonly each: T | null;
  readonly networks: readonly { readonly network: Network; readonly limit: T }[];
}

/** Who may come in, how many, how often and how fast: one version of a service's, counted in the node's tally. */
export class Guard {
  readonly #of: Guarded;
  readonly #tally: Tally;
  readonly #clock: () => number;
  readonly #admitted: readonly Network[];
  readonly #connections: Matcher<CountLimit>;
  readonly #rates: Matcher<CountLimit>;
  readonly #bandwidth: Matcher<BandwidthLimit>;

  /** `clock`: milliseconds that only grow. */
  constructor(of: Guarded, needs: { tally: Tally; clock: () => number }) {
    const { guards = {} } = of;
    this.#of = of;
    this.#tally = needs.tally;
    this.#clock = needs.clock;
    this.#admitted = (guards.admission?.matchers ?? []).flatMap((text) => parseNetwork(text) ?? []);
    this.#connections = matcher(guards.climiter?.limits ?? []);
    this.#rates = matcher(guards.rlimiter?.limits ?? []);
    this.#bandwidth = matcher(guards.limiter?.limits ?? []);
  }

  /** A connection from an address: what to call when it closes, or why it is refused. */
  enter(address: string): Leave | string | Promise<Leave | string> {
    const bytes = ipBytes(address);
    const admission = this.#of.guards?.admission;
    if (admission !== undefined) {
      const listed = bytes !== null && this.#admitted.some((n) => contains(n, bytes));
      if (listed !== admission.whitelist) return 'not admitted';
    }
    const wants = this.#wants(address, bytes);
    if (wants.length === 0) return NOTHING_TAKEN;
    const entry = this.#tally.enter(wants);
    return entry instanceof Promise ? entry.then(leaveOrWhy) : leaveOrWhy(entry);
  }

  /** Of one stream; `null`: as fast as it can. */
  pace(address: string): Pace | null {
    const limiter = this.#of.guards?.limiter;
    if (limiter === undefined) return null;
    const { all, each, networks } = this.#bandwidth;
    const bytes = ipBytes(address);
    const own = bytes && networks.find(({ network }) => contains(network, bytes))?.limit;
    const shared = [
      { limit: all, key: '$' },
      { limit: own ?? null, key: keyOf(address, bytes) },
    ];
    const way = (direction: 'in' | 'out'): Pace['in'] => {
      const spends = shared.flatMap(({ limit, key }) => {
        const rate = limit?.[direction] ?? null;
        const name = `limiter ${limiter.name} ${direction} ${key}`;
        return rate === null ? [] : [(n: number) => this.#tally.spend(name, n, rate)];
      });
      // `$$` is of a connection, whatever the address: nobody else counts on it.
      const rate = each?.[direction] ?? null;
      if (rate !== null) spends.push(this.#spendAlone(rate));
      if (spends.length === 0) return null;
      return (n) => Math.max(0, Math.max(...spends.map((spend) => spend(n))) - AHEAD_MS);
    };
    const pace = { in: way('in'), out: way('out') };
    return pace.in === null && pace.out === null ? null : pace;
  }

  #spendAlone(rate: number): (bytes: number) => number {
    let paid = 0;
    return (n) => {
      const now = this.#clock();
      paid = Math.max(now, paid) + (n * 1000) / rate;
      return paid - now;
    };
  }

  #wants(address: string, bytes: readonly number[] | null): readonly Want[] {
    const { name: service, handler, guards } = this.#of;
    const { climiter, rlimiter } = guards ?? {};
    // A core's clients are edges: few addresses with many connections each.
    const capped = climiter === undefined && handler === 'tcp' && !isLoopback(bytes);
    const most = capped ? BY_DEFAULT : this.#connections;
    const name = climiter === undefined ? `of service ${service}` : climiter.name;
    return [
      ...limitsOf(most, address, bytes).map(({ limit, key }): Want => {
        const place = { kind: 'place', key: `climiter ${name} ${key}`, limit } as const;
        return capped ? { ...place, loose: true } : place;
      }),
      ...limitsOf(this.#rates, address, bytes).map(
        ({ limit, key }): Want => ({ kind: 'rate', key: `rlimiter ${rlimiter?.name} ${key}`, limit }),
      ),
    ];
  }
}

const NOTHING_TAKEN: Leave = () => undefined;

function leaveOrWhy(entry: Entry): Leave | string {
  if ('leave' in entry) return entry.leave;
  const { kind, key, limit, loose } = entry.refusedBy;
  if (kind === 'rate') return `more than ${limit} connections a second`;
  if (loose) return 'too many connections of its address';
  return `more than ${limit} connections ${key.endsWith(' $') ? 'at once' : 'of its address'}`;
}

const BY_DEFAULT: Matcher<CountLimit> = {
  all: null,
  each: { key: '$$', limit: MOST_BY_DEFAULT },
  networks: [],
};

function isLoopback(bytes: readonly number[] | null): boolean {
  return bytes !== null && LOOPBACK.some((n) => contains(n, bytes));
}

function matcher<T extends { readonly key: string }>(limits: readonly T[]): Matcher<T> {
  return {
    all: limits.find((l) => l.key === '$') ?? null,
    each: limits.find((l) => l.key === '$$') ?? null,
    networks: limits
      .flatMap((limit) => {
        const network = parseNetwork(limit.key);
        return network === null ? [] : [{ network, limit }];
      })
      // The narrowest range that holds an address is the one meant.
      .toSorted((a, b) => b.network.bits - a.network.bits),
  };
}

function limitsOf(
  m: Matcher<CountLimit>,
  address: string,
  bytes: readonly number[] | null,
): { limit: number; key: string }[] {
  const own = bytes && m.networks.find(({ network }) => contains(network, bytes))?.limit;
  const one = own ?? m.each;
  return [
    ...(m.all === null ? [] : [{ limit: m.all.limit, key: '$' }]),
    ...(one ? [{ limit: one.limit, key: keyOf(address, bytes) }] : []),
  ];
}

/** A port of both families gives an IPv4 client as IPv6, one of IPv4 as it is: it is the same client. */
function keyOf(address: string, bytes: readonly number[] | null): string {
  return bytes?.length === 4 ? bytes.join('.') : address;
}
