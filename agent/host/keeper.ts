import type { ConfigHash, Millis } from '../../proto/vocab/ids.ts';
import type { EngineInfo } from '../../proto/vocab/node.ts';
import type { SealedRef } from '../../proto/vocab/secret.ts';
import { cancelled, confirmed, reached } from '../core/confirm-timer.ts';
import type { Log } from '../core/log.ts';
import {
  type Observed,
  type Plan,
  plan,
  planFailure,
  planStuck,
  type Sighting,
  sealedNeeded,
  sighted,
} from '../core/plan.ts';
import type { Failure, Kept, Offer, Step } from '../core/steps.ts';
import type { Engine } from '../engine/port.ts';
import type { Executors } from './executors.ts';

export interface KeeperNeeds {
  readonly engine: Engine;
  readonly executors: Executors;
  readonly memory: { kept: Kept };
  readonly spool: { remember(kept: Kept): Promise<void> };
  /** Brings the engine to take what the node was told to; why it could not, or `null`. */
  readonly hold?: (instance: string) => Promise<string | null>;
  readonly sealed: { keepOnly(refs: readonly SealedRef[]): Promise<void> };
  readonly now: () => Millis;
  readonly log: Log;
}

/** Drift is looked for this often; a lost engine, a new offer or a due commit at once. */
const LOOK_MS = 5_000;
const TRIES = 3;
const FIRST_RETRY_MS = 500;
const MOST_RETRY_MS = 10_000;

/** Keeps the node at what it should run: observes, plans, runs the steps, one thing at a time. */
export class Keeper {
  readonly #needs: KeeperNeeds;
  #offer: Offer | null = null;
  #tries = 0;
  #retryAt = 0;
  #adoptTried = false;
  #sightings: readonly Sighting[] = [];
  #info: EngineInfo | null = null;
  #trouble: string | null = null;
  #unheld: string | null = null;
  #queue: Promise<unknown> = Promise.resolve();
  #planned = false;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(needs: KeeperNeeds) {
    this.#needs = needs;
  }

  /** Settles after the first look: the engine is found (one that is being started soon is), or known to be lost. */
  async start(patienceMs = { linked: 200, started: 3_000 }): Promise<void> {
    const { promise: answers, resolve } = Promise.withResolvers<void>();
    this.#needs.engine.onLink((up) => {
      if (up) resolve();
      else this.#info = null;
      this.#retryAt = 0;
      void this.wake();
    });
    // One that is there answers in a moment; only then is one started.
    await soon(answers, patienceMs.linked);
    await this.wake();
    if (this.#info) return;
    await soon(answers, patienceMs.started);
    await this.wake();
  }

  /** What was read last; `null` while the engine is lost. */
  get engine(): EngineInfo | null {
    return this.#info;
  }

  /** Why the node is not at what it should run, or `null`. */
  get trouble(): string | null {
    return this.#trouble ?? this.#unheld;
  }

  get effectiveHash(): ConfigHash | null {
    return this.#info ? this.#info.documentHash : (this.#needs.memory.kept.effective?.hash ?? null);
  }

  get rejectedHash(): ConfigHash | null {
    return this.#needs.memory.kept.rejected?.hash ?? null;
  }

  /** The newest offer is the one that counts; one that is being put into force is finished first. */
  offer(offer: Offer): Promise<void> {
    const { version, revision, hash } = offer;
    this.#needs.log.info('a config is offered', { version, revision, hash });
    this.#offer = offer;
    this.#tries = 0;
    this.#retryAt = 0;
    return this.wake();
  }

  commitConfirmed(id: string): Promise<void> {
    return this.#commit((kept) => confirmed(kept.commit, id));
  }

  commitCancelled(id: string): Promise<void> {
    return this.#commit((kept) => cancelled(kept.commit, id, this.#needs.now()));
  }

  /** A conversation with the master began. */
  masterReached(): Promise<void> {
    return this.#commit((kept) => reached(kept.commit));
  }

  /** The next engine process was ordered: it is neither a crash nor news. */
  expectNewEngine(): void {
    this.#sightings = [];
  }

  /** Alone with the engine: no config is put into force meanwhile. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /** Reads the engine's state again; one that does not answer in time counts as lost. */
  async refresh(withinMs = 5_000): Promise<EngineInfo | null> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), withinMs);
    });
    this.#info = await Promise.race([this.#needs.engine.info().catch(() => null), late]);
    clearTimeout(timer);
    return this.#info;
  }

  wake(): Promise<void> {
    if (this.#planned || this.#stopped) return this.#queue.then(() => undefined);
    this.#planned = true;
    return this.exclusive(async () => {
      this.#planned = false;
      await this.#keep();
    }).catch((e: unknown) => {
      this.#needs.log.error('keeper', { error: e instanceof Error ? (e.stack ?? e.message) : String(e) });
    });
  }

  /** Finishes what is being done. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    await this.#queue;
  }

  async #commit(next: (kept: Kept) => Kept['commit']): Promise<void> {
    await this.exclusive(async () => {
      const { memory, spool, log } = this.#needs;
      const commit = next(memory.kept);
      if (JSON.stringify(commit) === JSON.stringify(memory.kept.commit)) return;
      memory.kept = { ...memory.kept, commit };
      await spool.remember(memory.kept).catch((e: unknown) => {
        log.error('cannot be remembered across a restart', { error: String(e) });
      });
    });
    await this.wake();
  }

  async #keep(): Promise<void> {
    const { now, log, memory } = this.#needs;
    for (let rounds = 0; rounds < 8 && !this.#stopped; rounds++) {
      const offer = this.#offer;
      const p = plan(offer, await this.#observe(), now());
      if (p.steps.length === 0) {
        log.debug('nothing to do', { why: p.why });
        if (p.why === 'in sync') this.#trouble = null;
        if (offer && this.#offer === offer && now() >= this.#retryAt && this.#info) this.#offer = null;
        break;
      }
      log.debug('plan', { why: p.why, steps: p.steps.map((s) => s.do) });
      await this.#carryOut(p, offer);
    }
    // Not under the feet of a document that is still being tried.
    if (this.#offer === null) {
      await this.#needs.sealed.keepOnly(sealedNeeded(memory.kept, now())).catch((e: unknown) => {
        log.warn('what is not used any more was not removed', { error: String(e) });
      });
    }
    this.#schedule(memory.kept, now());
  }

  async #observe(): Promise<Observed> {
    const info = await this.refresh();
    if (info) {
      await this.#sight(info);
      this.#unheld = (await this.#needs.hold?.(info.instance)) ?? null;
    }
    return {
      engine: info ? { state: 'up', instance: info.instance, hash: info.documentHash } : { state: 'lost' },
      kept: this.#needs.memory.kept,
      sightings: this.#sightings,
      adoptTried: this.#adoptTried,
      retryAt: this.#retryAt,
    };
  }

  async #sight(info: EngineInfo): Promise<void> {
    const before = this.#sightings;
    this.#sightings = sighted(before, info.instance, this.#needs.now());
    if (before.length === 0 || this.#sightings === before) return;
    const text = `a new engine process (pid ${info.pid}) has taken over; the streams of the one before it were cut`;
    await execute(this.#needs.executors, { do: 'note', kind: 'engine', text });
  }

  async #carryOut(p: Plan, offer: Offer | null): Promise<void> {
    const failed = await this.#run(p.steps);
    if (p.steps.some((s) => s.do === 'adopt')) this.#adoptTried = true;
    if (!failed) {
      this.#tries = 0;
      if (p.for === 'offer' && this.#offer === offer) this.#offer = null;
      return;
    }
    const { failure } = failed;
    this.#trouble = failure.refusal.message;
    if (p.for !== 'offer' || !offer || (failure.transient && this.#tries < TRIES)) {
      this.#later(failure);
      return;
    }
    const { kept } = this.#needs.memory;
    const stuck = await this.#run(planFailure(failure, offer, kept));
    if (stuck) await this.#run(planStuck(failure, offer, kept));
    else this.#trouble = null;
    this.#tries = 0;
    if (this.#offer === offer) this.#offer = null;
  }

  #later(failure: Failure): void {
    const wait = Math.min(MOST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#tries, 10));
    this.#tries += 1;
    this.#retryAt = this.#needs.now() + wait;
    const fields = { phase: failure.phase, why: failure.refusal.message, againMs: wait };
    const { log } = this.#needs;
    // A start takes its time, and the same trouble is said a few times only.
    const level = failure.refusal.code === 'engine_lost' && this.#tries === 1 ? 'info' : 'warn';
    log[this.#tries <= TRIES ? level : 'debug']('not done, trying again', fields);
  }

  async #run(steps: readonly Step[]): Promise<{ step: Step; failure: Failure } | null> {
    for (const step of steps) {
      const failure = await execute(this.#needs.executors, step);
      if (failure) return { step, failure };
    }
    return null;
  }

  #schedule(kept: Kept, now: Millis): void {
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#stopped) return;
    const moments = [now + LOOK_MS];
    if (this.#retryAt > now) moments.push(this.#retryAt);
    if (kept.commit.kind === 'waiting') moments.push(kept.commit.deadline);
    const wait = Math.max(10, Math.min(...moments) - now);
    this.#timer = setTimeout(() => void this.wake(), wait);
  }
}

async function soon(event: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([event, late]);
  clearTimeout(timer);
}

function execute<K extends Step['do']>(
  table: Executors,
  step: Extract<Step, { do: K }>,
): Promise<Failure | null> {
  // One row a step, see `Executors`: the row of `step.do` takes this step.
  const executor = table[step.do] as (step: Step) => Promise<Failure | null>;
  return executor(step);
}
