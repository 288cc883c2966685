import { AppError } from '../../../../proto/vocab/errors.ts';
import type { WorkerInfo } from '../../../../proto/vocab/node.ts';
import type { ConfirmResult, ServiceStats, UpgradeResult } from '../../port.ts';
import type { Bind, BindProblem, DataCall, DataCalls, DataTable } from '../data/messages.ts';
import type { Workers } from './control.ts';
import { addStreams, bury, later, sumStats } from './sums.ts';
import type { Sums, WorkerFacts, WorkersNeeds } from './workers-link.ts';

const STATS_MS = 1_500;
const CALL_MS = 10_000;
const FIRST_WORKER_MS = 10_000;
const LOOK_MS = 200;
/** Longer than a handshake and a relay header may take: who has just connected is no stream yet. */
const NEWCOMERS_MS = 26_000;

interface Worker extends WorkerFacts {
  /** It carries the plan: rejects when it could not take it. */
  readonly ready: Promise<void>;
  at: 'fresh' | 'carrying' | 'retiring';
  /** As last told: what has been told is never taken back. */
  told: readonly ServiceStats[];
}

type Plan = DataCalls['commit']['args'];

/**
 * Several data processes as one: a change is in all of them or in none, figures are sums. One that joins gets what
 * the others carry before it counts; one that leaves takes its streams with it and leaves its figures.
 */
export class WorkersData implements Workers {
  readonly #needs: WorkersNeeds;
  readonly #wanted: number;
  readonly #workers = new Map<number, Worker>();
  #plan: Plan | null = null;
  #gone: readonly ServiceStats[] = [];
  #found: readonly number[] = [];
  #restarts: number;
  #turn: Promise<void> = Promise.resolve();
  /** Between `bind` and `commit` or `abort`. */
  #held: { readonly carriers: readonly Worker[]; readonly release: () => void } | null = null;
  /** The control that is to come, while an upgrade ends. */
  standby: number | null = null;

  constructor(settings: { wanted: number; restarts: number }, needs: WorkersNeeds) {
    this.#needs = needs;
    this.#wanted = settings.wanted;
    this.#restarts = settings.restarts;
  }

  /** Where a control before this one left off: all that are there get `plan`, whatever it had told them. */
  async resume(from: {
    plan: Plan | null;
    workers: readonly WorkerFacts[];
    sums: Sums | null;
    /** Who left meanwhile, with what they had counted. */
    left?: readonly { readonly worker: number; readonly figures: readonly ServiceStats[] }[];
  }): Promise<void> {
    const { gone, told, found = [] } = from.sums ?? { gone: [], told: {} };
    this.#plan = from.plan;
    const accounts = new Map(Object.entries(told));
    for (const { worker, figures } of from.left ?? []) {
      // Counted by one that did not live to say so.
      if (found.includes(worker)) continue;
      accounts.set(String(worker), later(accounts.get(String(worker)) ?? [], figures));
    }
    for (const w of from.workers) accounts.delete(String(w.id));
    this.#gone = sumStats([gone, ...[...accounts.values()].map(bury)]);
    this.#found = (from.left ?? []).map((l) => l.worker);
    for (const w of from.workers) this.joined(w, told[String(w.id)]);
    this.#keepSums();
    const carrying = from.workers.filter((w) => w.retireBy === null);
    await Promise.allSettled(carrying.map((w) => this.#workers.get(w.id)?.ready));
  }

  get list(): readonly WorkerInfo[] {
    const carrying = this.#at('carrying').toSorted((a, b) => a.id - b.id);
    return carrying.map(({ pid, version }) => ({ pid, version }));
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** unknown -> fresh -> carrying, or retiring when it was on its way out already */
  joined(facts: WorkerFacts, told: readonly ServiceStats[] = []): void {
    if (this.#workers.has(facts.id)) return;
    const ready = Promise.withResolvers<void>();
    ready.promise.catch(() => undefined);
    const worker: Worker = { ...facts, ready: ready.promise, at: 'fresh', told };
    this.#workers.set(facts.id, worker);
    if (facts.retireBy !== null) {
      worker.at = 'retiring';
      void this.#seeOff(worker, facts.retireBy);
      return;
    }
    this.#adopt(worker).then(ready.resolve, (e: unknown) => {
      this.#needs.log('error', `worker ${worker.pid} does not carry: ${text(e)}`);
      ready.reject(e);
      this.#needs.link.end(worker.id, true);
    });
  }

  /** `figures`: as it had left them with the primary. */
  left(id: number, restarts: number, figures: readonly ServiceStats[] = []): void {
    const worker = this.#workers.get(id);
    this.#restarts = restarts;
    if (worker === undefined) return;
    this.#workers.delete(id);
    this.#gone = sumStats([this.#gone, bury(later(worker.told, figures))]);
    this.#keepSums();
  }

  readonly calls: DataTable = {
    tryBind: async ({ listeners }) => ({ problems: await this.#probe(listeners) }),
    bind: ({ listeners }) => this.#bind(listeners),
    commit: (plan) => this.#commit(plan),
    abort: async () => {
      const held = this.#take();
      await Promise.allSettled(held.carriers.map((w) => this.#call(w, 'abort', {})));
      held.release();
      return {};
    },
    materials: async (args) => {
      await this.#whenCarried();
      const release = await this.#lock();
      try {
        const [first, ...rest] = this.#carriers();
        if (first !== undefined) await this.#call(first, 'materials', args);
        if (this.#plan !== null) this.#plan = { ...this.#plan, ...args };
        await this.#follow(rest, (w) => this.#call(w, 'materials', args));
        return {};
      } finally {
        release();
      }
    },
    confirm: () => this.#confirm(),
    stats: async () => ({ services: await this.#stats() }),
    streams: async () => {
      const all = await this.#ask((w) => this.#call(w, 'streams', {}));
      return { services: addStreams(all), sockets: all.reduce((sum, s) => sum + s.sockets, 0) };
    },
    cut: async (args) => {
      await this.#ask((w) => this.#call(w, 'cut', args));
      return {};
    },
    leave: async () => {
      await this.#ask((w) => this.#call(w, 'leave', {}));
      return {};
    },
    stop: async () => {
      await this.#ask((w) => this.#call(w, 'stop', {}));
      return {};
    },
  };

  /** All new ones carry before the first old one stops accepting; else nothing has changed. */
  async upgrade(args: { exec: string; deadlineMs: number }): Promise<UpgradeResult> {
    const { link, now, log } = this.#needs;
    const old = this.#at('carrying');
    const made: number[] = [];
    try {
      const standby = await link.fork(args.exec, 'control');
      made.push(standby.id);
      const forks = await Promise.allSettled(
        Array.from({ length: this.#wanted }, () => link.fork(args.exec, 'data')),
      );
      made.push(...forks.flatMap((f) => (f.status === 'fulfilled' ? [f.value.id] : [])));
      for (const f of forks) {
        if (f.status === 'rejected') throw f.reason;
        await this.#workers.get(f.value.id)?.ready;
      }
      const fresh = forks.flatMap((f) => {
        const w = f.status === 'fulfilled' ? this.#workers.get(f.value.id) : undefined;
        return w === undefined ? [] : [w];
      });
      if (fresh.length < this.#wanted) throw new AppError('unavailable', 'a new worker died');
      link.use(args.exec);
      this.standby = standby.id;
      const by = now() + args.deadlineMs;
      await Promise.all(old.map((w) => this.#retire(w, by)));
      const { services } = await this.calls.streams({});
      log('info', `upgraded to ${standby.version}: ${fresh.length} new workers carry`);
      return {
        version: standby.version,
        workers: fresh.map(({ pid, version }) => ({ pid, version })),
        streamsKept: services.reduce((sum, s) => sum + s.streams, 0),
      };
    } catch (cause) {
      for (const id of made) link.end(id, true);
      throw new AppError('invalid', `${args.exec} does not take over: ${text(cause)}`, { cause });
    }
  }

  /** Workers of an upgrade that its control did not live to end. */
  async trim(version: string, deadlineMs: number): Promise<void> {
    const carriers = [...this.#at('carrying')].sort(
      (a, b) => Number(b.version === version) - Number(a.version === version),
    );
    const by = this.#needs.now() + deadlineMs;
    await Promise.all(carriers.slice(this.#wanted).map((w) => this.#retire(w, by)));
  }

  #at(at: Worker['at']): readonly Worker[] {
    return [...this.#workers.values()].filter((w) => w.at === at);
  }

  // fresh -> carrying
  async #adopt(worker: Worker): Promise<void> {
    const release = await this.#lock();
    try {
      if (this.#plan !== null) {
        const listeners = this.#plan.services.map(({ name, listen }) => ({ service: name, listen }));
        const { problems } = await this.#call(worker, 'bind', { listeners });
        if (problems.length > 0) throw new Error(problems.map((p) => p.message).join('; '));
        await this.#call(worker, 'commit', this.#plan);
      }
      worker.at = 'carrying';
    } finally {
      release();
    }
  }

  // carrying -> retiring
  async #retire(worker: Worker, by: number): Promise<void> {
    worker.at = 'retiring';
    this.#needs.link.retire(worker.id, by);
    // The ports stay open in those that came before.
    await this.#call(worker, 'leave', {}).catch((e: unknown) => {
      this.#needs.log('warn', `worker ${worker.pid}: ${text(e)}`);
    });
    void this.#seeOff(worker, by);
  }

  // retiring -> gone
  async #seeOff(worker: Worker, by: number): Promise<void> {
    const { link, now, log } = this.#needs;
    const since = now();
    try {
      while (this.#workers.has(worker.id) && now() < by) {
        const { services, sockets } = await this.#call(worker, 'streams', {});
        const quiet = sockets === 0 || now() - since > NEWCOMERS_MS;
        if (services.length === 0 && quiet) break;
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS).unref());
      }
      await this.#call(worker, 'stop', {});
      worker.told = (await this.#call(worker, 'stats', {})).services;
      log('info', `worker ${worker.pid} of ${worker.version} ends`);
      link.end(worker.id, false);
    } catch (e) {
      if (this.#workers.has(worker.id)) {
        log('warn', `worker ${worker.pid}: ${text(e)}`);
        link.end(worker.id, true);
      }
    }
  }

  async #bind(listeners: readonly Bind[]): Promise<{ problems: readonly BindProblem[] }> {
    await this.#whenCarried();
    const release = await this.#lock();
    let carriers: readonly Worker[] = [];
    try {
      const problems = await this.#probe(listeners);
      carriers = this.#carriers();
      if (problems.length === 0) {
        const results = await Promise.allSettled(carriers.map((w) => this.#call(w, 'bind', { listeners })));
        for (const r of results) {
          if (r.status === 'rejected') throw r.reason;
          problems.push(...r.value.problems);
        }
      }
      if (problems.length === 0) {
        this.#held = { carriers, release };
        return { problems: [] };
      }
      await this.#abort(carriers);
      release();
      return { problems: once(problems) };
    } catch (e) {
      await this.#abort(carriers);
      release();
      throw e;
    }
  }

  async #abort(carriers: readonly Worker[]): Promise<void> {
    await Promise.allSettled(carriers.map((w) => this.#call(w, 'abort', {})));
  }

  async #commit(plan: Plan): Promise<DataCalls['commit']['ok']> {
    if (this.#held === null) throw new Error('commit without bind');
    const [first, ...rest] = this.#held.carriers;
    if (first === undefined) throw new Error('commit without a worker');
    // What cannot be carried fails in the first one, before anything has changed anywhere.
    const done = await this.#call(first, 'commit', plan);
    const held = this.#take();
    try {
      this.#plan = plan;
      await this.#follow(rest, (w) => this.#call(w, 'commit', plan));
      return done;
    } finally {
      held.release();
    }
  }

  /** Past the first there is no way back: one that cannot follow is replaced by one that can. */
  async #follow(rest: readonly Worker[], tell: (worker: Worker) => Promise<unknown>): Promise<void> {
    const results = await Promise.allSettled(rest.map(tell));
    results.forEach((r, i) => {
      const worker = rest[i];
      if (r.status === 'fulfilled' || worker === undefined || !this.#workers.has(worker.id)) return;
      this.#needs.log('error', `worker ${worker.pid} does not follow and is replaced: ${text(r.reason)}`);
      this.#needs.link.end(worker.id, true);
    });
  }

  async #probe(listeners: readonly Bind[]): Promise<BindProblem[]> {
    const open = new Set((this.#plan?.services ?? []).map((s) => JSON.stringify(s.listen)));
    const problems: BindProblem[] = [];
    for (const { service, listen } of listeners) {
      if (open.has(JSON.stringify(listen))) continue;
      const message = await this.#needs.probe(listen);
      if (message !== null) problems.push({ service, message });
    }
    return problems;
  }

  async #confirm(): Promise<ConfirmResult> {
    await this.#whenCarried();
    const [first, ...rest] = this.#carriers();
    if (first === undefined) return { listeners: [], routes: [] };
    const [whole, ...others] = await Promise.all([
      this.#call(first, 'confirm', {}),
      ...rest.map((w) => this.#call(w, 'confirm', { listenersOnly: true })),
    ]);
    const listeners = whole.listeners.map((l) => {
      const deaf = others.some((o) => !o.listeners.some((x) => x.service === l.service && x.accepting));
      return deaf && l.accepting
        ? { ...l, accepting: false, error: 'one of the workers does not accept' }
        : l;
    });
    return { listeners, routes: whole.routes };
  }

  async #stats(): Promise<readonly ServiceStats[]> {
    const { log } = this.#needs;
    await Promise.all(
      [...this.#workers.values()].map(async (w) => {
        try {
          const { services } = await within(this.#needs.link.call(w.id, 'stats', {}), STATS_MS);
          // It may have left while it answered: what it left is added already.
          if (this.#workers.has(w.id)) w.told = services;
        } catch (e) {
          log('debug', `worker ${w.pid}: no figures: ${text(e)}`);
        }
      }),
    );
    this.#keepSums();
    return sumStats([this.#gone, ...[...this.#workers.values()].map((w) => w.told)]);
  }

  #keepSums(): void {
    const told = Object.fromEntries([...this.#workers.values()].map((w) => [w.id, w.told]));
    this.#needs.keepSums({ gone: this.#gone, told, found: this.#found });
  }

  /** Of those that answer, those that left not counted. */
  async #ask<T>(ask: (worker: Worker) => Promise<T>): Promise<T[]> {
    const results = await Promise.allSettled([...this.#workers.values()].map(ask));
    return results.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : []));
  }

  #call<K extends DataCall>(
    worker: Worker,
    name: K,
    args: DataCalls[K]['args'],
  ): Promise<DataCalls[K]['ok']> {
    return within(this.#needs.link.call(worker.id, name, args), CALL_MS);
  }

  #carriers(): readonly Worker[] {
    const carriers = this.#at('carrying');
    if (carriers.length === 0) throw new AppError('unavailable', 'no worker is there to carry');
    return carriers;
  }

  /** Waits for the first worker: after the start, or when the only one has just died. Not while holding the turn. */
  async #whenCarried(): Promise<void> {
    const until = this.#needs.now() + FIRST_WORKER_MS;
    while (this.#at('carrying').length === 0 && this.#needs.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS / 10));
    }
  }

  async #lock(): Promise<() => void> {
    const before = this.#turn;
    const mine = Promise.withResolvers<void>();
    this.#turn = mine.promise;
    await before;
    return mine.resolve;
  }

  #take(): { readonly carriers: readonly Worker[]; readonly release: () => void } {
    const held = this.#held ?? { carriers: [], release: () => undefined };
    this.#held = null;
    return held;
  }
}

/** Every worker says the same of a port: once is enough. */
function once(problems: readonly BindProblem[]): readonly BindProblem[] {
  return [...new Map(problems.map((p) => [p.service, p])).values()];
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new AppError('timeout', `no answer in ${ms / 1000} s`)), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function text(e: unknown): string {
  return e instanceof Error ? e.message : String(e);
}
