import net from 'node:net';
import type { Found } from './name-sources.ts';
import type { SteadyLog } from './steady-log.ts';

const SHORTEST_MS = 1_000;
const LONGEST_MS = 300_000;
/** That there is no such name holds this long; so does an old answer before DNS is asked again. */
const NOTHING_MS = 3_000;
const FAILED_MS = 5_000;
/** An old answer is used when the new one is not there by then. */
const PATIENCE_MS = 1_000;
/** That DNS does not answer is said this often for a name. */
const SAY_MS = 60_000;
/** Peers of a relay without a forwarder may ask for names of their own. */
const MOST_NAMES = 4_096;

export type Answer =
  | { readonly ok: true; readonly addresses: readonly string[] }
  | { readonly ok: false; readonly why: string };

export interface NamesNeeds {
  readonly sources: { readonly find: (name: string) => Promise<Found>; readonly stop: () => void };
  /** Milliseconds that only grow. */
  readonly clock: () => number;
  /** Calls `run` once, unless the returned function is called before. */
  readonly after: (ms: number, run: () => void) => () => void;
  readonly log: SteadyLog;
}

interface Entry {
  readonly name: string;
  answer: Answer;
  /** The last good ones, by family: what a new answer leaves open stays. */
  v4: readonly string[];
  v6: readonly string[];
  until: number;
  /** The last question was not answered, or not in time. */
  failing: boolean;
  saidAt: number | null;
  asking: Promise<void> | null;
  readonly watchers: Set<(addresses: readonly string[]) => void>;
  unwatch: (() => void) | null;
}

/**
 * Addresses of names, each for its TTL. Questions for one name at a time are one. When DNS fails, the last good answer
 * goes on being used: a fleet does not stop because its resolver does.
 */
export class Names {
  readonly #needs: NamesNeeds;
  readonly #entries = new Map<string, Entry>();
  #stopped = false;

  constructor(needs: NamesNeeds) {
    this.#needs = needs;
  }

  /** An address is its own answer. Names without a dot or with one at the end are names like any other. */
  async resolve(name: string): Promise<Answer> {
    if (net.isIP(name) !== 0) return { ok: true, addresses: [name] };
    const entry = this.#entryOf(name);
    if (this.#needs.clock() < entry.until) return entry.answer;
    const asking = this.#ask(entry);
    if (!entry.answer.ok) await asking;
    else if (!entry.failing) await this.#patiently(entry, asking);
    return entry.answer;
  }

  /** Tells the addresses of a name now and whenever they are others; an address never changes. */
  watch(name: string, tell: (addresses: readonly string[]) => void): () => void {
    if (net.isIP(name) !== 0) return () => undefined;
    const entry = this.#entryOf(name);
    entry.watchers.add(tell);
    if (entry.answer.ok) tell(entry.answer.addresses);
    if (entry.unwatch === null) this.#lookAgain(entry);
    return () => {
      entry.watchers.delete(tell);
      if (entry.watchers.size > 0) return;
      entry.unwatch?.();
      entry.unwatch = null;
    };
  }

  stop(): void {
    this.#stopped = true;
    for (const entry of this.#entries.values()) {
      entry.watchers.clear();
      entry.unwatch?.();
    }
    this.#needs.sources.stop();
  }

  #entryOf(name: string): Entry {
    const found = this.#entries.get(name);
    if (found !== undefined) return found;
    if (this.#entries.size >= MOST_NAMES) this.#forgetOne();
    const entry: Entry = {
      name,
      answer: { ok: false, why: 'not asked yet' },
      v4: [],
      v6: [],
      until: -Infinity,
      failing: false,
      saidAt: null,
      asking: null,
      watchers: new Set(),
      unwatch: null,
    };
    this.#entries.set(name, entry);
    return entry;
  }

  /** The oldest that nobody waits for or watches. */
  #forgetOne(): void {
    for (const { name, asking, watchers } of this.#entries.values()) {
      if (asking !== null || watchers.size > 0) continue;
      this.#entries.delete(name);
      return;
    }
  }

  #ask(entry: Entry): Promise<void> {
    entry.asking ??= this.#needs.sources.find(entry.name).then((found) => {
      entry.asking = null;
      this.#found(entry, found);
    });
    return entry.asking;
  }

  // fresh or late -> known, or gone on with as it was
  async #patiently(entry: Entry, asking: Promise<void>): Promise<void> {
    const late = Promise.withResolvers<void>();
    const cancel = this.#needs.after(PATIENCE_MS, () => {
      entry.failing = true;
      late.resolve();
    });
    await Promise.race([asking, late.promise]);
    cancel();
  }

  #found(entry: Entry, found: Found): void {
    if (this.#stopped) return;
    const now = this.#needs.clock();
    const v4 = found.v4 ?? entry.v4;
    const v6 = found.v6 ?? entry.v6;
    const addresses = [...v6, ...v4];
    const told = (found.v4?.length ?? 0) + (found.v6?.length ?? 0) > 0;
    entry.failing = !told && (found.v4 === null || found.v6 === null);
    if (entry.failing) {
      entry.until = now + (entry.answer.ok ? FAILED_MS : NOTHING_MS);
      if (entry.answer.ok) this.#saySilence(entry, found.why, now);
      else entry.answer = { ok: false, why: found.why };
      return;
    }
    if (entry.saidAt !== null) this.#say(entry, 'info', 'DNS answers again');
    entry.saidAt = null;
    if (addresses.length === 0) {
      entry.until = now + NOTHING_MS;
      entry.answer = { ok: false, why: found.why };
      return;
    }
    const others = !entry.answer.ok || !sameSet(entry.answer.addresses, addresses);
    entry.v4 = v4;
    entry.v6 = v6;
    entry.until = now + Math.min(Math.max(found.ttlMs, SHORTEST_MS), LONGEST_MS);
    entry.answer = { ok: true, addresses };
    if (others) for (const tell of [...entry.watchers]) tell(addresses);
  }

  #lookAgain(entry: Entry): void {
    const wait = Math.max(0, entry.until - this.#needs.clock());
    const unwatch = this.#needs.after(wait, () => {
      void this.#ask(entry).then(() => {
        // Given up meanwhile, and perhaps watched anew: then that one looks.
        if (entry.unwatch === unwatch && !this.#stopped) this.#lookAgain(entry);
      });
    });
    entry.unwatch = unwatch;
  }

  #saySilence(entry: Entry, why: string, now: number): void {
    if (entry.saidAt !== null && now - entry.saidAt < SAY_MS) return;
    entry.saidAt = now;
    const last = entry.answer.ok ? entry.answer.addresses.join(', ') : '';
    this.#say(entry, 'warn', `DNS does not answer (${why}); its last addresses go on being used: ${last}`);
  }

  #say(entry: Entry, level: 'info' | 'warn', text: string): void {
    this.#needs.log.say(level, `name ${entry.name}`, text);
  }
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((x) => b.includes(x));
}
