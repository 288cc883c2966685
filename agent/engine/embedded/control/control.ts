import { collide, parseAddress } from '../../../../proto/document/address.ts';
import type { TunnelDocument } from '../../../../proto/document/document.ts';
import { configHash } from '../../../../proto/document/hash.ts';
import { AppError, formatRefusal } from '../../../../proto/vocab/errors.ts';
import type { ConfigHash } from '../../../../proto/vocab/ids.ts';
import type { EngineInfo, Refusal, WorkerInfo } from '../../../../proto/vocab/node.ts';
import type {
  ApplyResult,
  DrainStatus,
  EngineIdentity,
  ReloadResult,
  UpgradeResult,
  ValidateResult,
} from '../../port.ts';
import type { Bind, BindProblem, DataPort } from '../data/messages.ts';
import type { Hello } from '../protocol.ts';
import { type Drain, Drains } from './drains.ts';
import type { Log, LogRing } from './logs.ts';
import { type Loaded, loadMaterials, stampOf } from './materials.ts';
import { type Plan, planDocument } from './plan.ts';
import { loadSecrets, revealed, type Secrets } from './sealed.ts';
import type { CallTable } from './server.ts';

/** What is in force. */
interface Running {
  readonly document: TunnelDocument;
  readonly hash: ConfigHash;
  readonly identity: EngineIdentity;
  readonly plan: Plan;
  readonly fingerprint: string;
  readonly stamp: string;
  readonly materials: Loaded['materials'];
  /** Absent: an earlier release kept none. */
  readonly secrets?: Secrets;
}

/** What a control process that comes after this one has to know; plain data. The plan is worked out anew. */
export interface Memo {
  readonly generation: number;
  readonly reason: string;
  readonly running: Omit<Running, 'plan'> | null;
  readonly drains: readonly Drain[];
}

/** The processes that carry, where there are any beside this one. */
export interface Workers {
  readonly list: readonly WorkerInfo[];
  readonly restarts: number;
  upgrade(args: { exec: string; deadlineMs: number }): Promise<UpgradeResult>;
}

/** Decides what data carries: one change at a time, each of them whole or not at all. */
export class Control {
  readonly #data: DataPort;
  readonly #log: Log;
  readonly #hello: Hello['hello'];
  readonly #startedAt: number;
  readonly #drains: Drains;
  readonly #workers: Workers | null;
  readonly #keep: (memo: Memo) => void;
  #running: Running | null = null;
  #generation = 0;
  #reason = 'started';
  #leaving = false;
  #queue: Promise<unknown> = Promise.resolve();
  readonly calls: CallTable;

  constructor(needs: {
    data: DataPort;
    hello: Hello['hello'];
    logs: LogRing;
    startedAt: number;
    now: () => number;
    /** `null`: all in this process. */
    workers?: Workers | null;
    /** What an earlier one kept; its plan is with data already. */
    memo?: Memo | null;
    keep?: (memo: Memo) => void;
    /** Called after `upgrade` has been answered: another control takes over. */
    onUpgraded?: () => void;
    /** Called after `stop` has been answered. */
    onStop: () => void;
  }) {
    const { data, hello, logs, startedAt, now, memo, onStop } = needs;
    this.#data = data;
    this.#log = logs.log;
    this.#hello = hello;
    this.#startedAt = startedAt;
    this.#workers = needs.workers ?? null;
    this.#keep = needs.keep ?? (() => undefined);
    this.#drains = new Drains({ data, log: logs.log, now }, memo?.drains ?? []);
    if (memo) {
      this.#generation = memo.generation;
      this.#reason = memo.reason;
      const { running } = memo;
      this.#running = running && { ...running, plan: planOf(running) };
    }
    this.calls = {
      info: async () => this.#info(),
      validate: ({ document, identity }) => this.#validate(document, identity),
      apply: (args) => this.#alone(() => this.#apply(args)),
      reload: () => this.#alone(() => this.#reload()),
      confirm: () => data.call('confirm', {}),
      effective: async () => ({
        generation: this.#generation,
        document: this.#running?.document ?? null,
        hash: this.#running === null ? null : configHash(this.#running.document),
      }),
      stats: async () => ({ instance: hello.instance, ...(await data.call('stats', {})) }),
      logs: async ({ after, max }) => logs.after(Number(after) || 0, Number(max) || 0),
      drain: (args) => this.#alone(() => this.#drain(args)),
      drainStatus: async () => ({ drains: await this.#drains.status() }),
      undrain: ({ service }) => this.#alone(() => this.#undrain(service ?? null)),
      upgrade: (args) =>
        this.#alone(async () => {
          if (this.#workers === null) {
            throw new AppError('unsupported', 'this engine runs as one process: start it anew to upgrade it');
          }
          const done = await this.#workers.upgrade(args);
          this.#leaving = true;
          setImmediate(() => needs.onUpgraded?.());
          return done;
        }),
      stop: async () => {
        setImmediate(onStop);
        return {};
      },
    };
  }

  /** Nothing has been applied or reloaded yet. */
  get untouched(): boolean {
    return this.#generation === 0;
  }

  /** Swaps certificates whose files have changed. A half-written pair is left for the next look. */
  async refresh(): Promise<void> {
    await this.#alone(async () => {
      const running = this.#running;
      if (running === null) return;
      const stamp = await stampOf(running.plan.wants);
      if (stamp === running.stamp) return;
      const loaded = await loadMaterials(running.plan.wants);
      if (loaded.refusals.length > 0) {
        this.#log('warn', `kept the old certificates: ${loaded.refusals.map(formatRefusal).join('; ')}`);
      } else if (loaded.fingerprint !== running.fingerprint) {
        await this.#data.call('materials', { materials: loaded.materials });
        this.#log('info', 'certificates changed on disk and are in use now');
      }
      const { fingerprint, materials } = loaded.refusals.length > 0 ? running : loaded;
      this.#running = { ...running, stamp, fingerprint, materials };
      this.#remember();
    });
  }

  /** What data has to carry: the plan without what is drained. */
  get carried(): { services: Plan['services']; materials: Loaded['materials'] } | null {
    const running = this.#running;
    return running && { services: this.#carried(running.plan), materials: running.materials };
  }

  close(): void {
    this.#drains.close();
  }

  #carried(plan: Plan): Plan['services'] {
    return plan.services.filter((s) => !this.#drains.covers(s.name));
  }

  #remember(): void {
    const running = this.#running;
    const { plan: _, ...kept } = running ?? { plan: null };
    this.#keep({
      generation: this.#generation,
      reason: this.#reason,
      running: running && (kept as Omit<Running, 'plan'>),
      drains: this.#drains.all,
    });
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(() => {
      if (this.#leaving) throw new AppError('unavailable', 'the engine is being upgraded; ask again');
      return work();
    });
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  #info(): EngineInfo {
    const { version, instance, pid } = this.#hello;
    return {
      kind: 'embedded',
      version,
      instance,
      pid,
      generation: this.#generation,
      documentHash: this.#running?.hash ?? null,
      reason: this.#reason,
      listeners: (this.#running?.document.services ?? []).map((s) => ({
        service: s.name,
        addr: s.addr,
        type: s.listener.type,
      })),
      startedAt: this.#startedAt,
      workers: this.#workers?.list ?? [{ pid, version }],
      restarts: this.#workers?.restarts ?? 0,
    };
  }

  async #drain({
    service,
    deadlineMs,
  }: {
    service: string | null;
    deadlineMs: number;
  }): Promise<DrainStatus> {
    const running = this.#running;
    if (running === null) throw new AppError('precondition', 'the engine carries nothing to drain');
    if (service !== null && !running.plan.services.some((s) => s.name === service)) {
      throw new AppError('not_found', `there is no service ${JSON.stringify(service)} in what is carried`);
    }
    if (!(deadlineMs >= 0 && Number.isFinite(deadlineMs))) {
      throw new AppError('invalid', 'deadlineMs must be a time in milliseconds');
    }
    const before = this.#drains.all.find((d) => d.service === service);
    const drain = await this.#drains.begin(service, deadlineMs);
    try {
      await this.#swap(running.document, this.#carried(running.plan), running.materials);
    } catch (cause) {
      this.#drains.end(service);
      if (before !== undefined) this.#drains.undo(before);
      throw cause;
    }
    this.#drains.run(drain);
    this.#remember();
    this.#log(
      'info',
      `draining ${service ?? 'every service'} until ${new Date(drain.deadline).toISOString()}`,
    );
    const drains = await this.#drains.status();
    return drains.find((d) => d.service === service) ?? { ...drain, streams: 0, oldestMs: 0, etaMs: 0 };
  }

  async #undrain(service: string | null): Promise<{ opened: readonly string[] }> {
    const running = this.#running;
    const drain = this.#drains.end(service);
    if (drain === null || running === null) return { opened: [] };
    try {
      const done = await this.#swap(running.document, this.#carried(running.plan), running.materials);
      this.#remember();
      this.#log('info', `${service ?? 'every service'} takes streams again`);
      return { opened: done.opened };
    } catch (cause) {
      this.#drains.undo(drain);
      throw cause;
    }
  }

  /** Binds, then commits: whole or not at all. */
  async #swap(
    document: TunnelDocument,
    services: Plan['services'],
    materials: Loaded['materials'],
  ): Promise<Pick<ApplyResult, 'opened' | 'closed' | 'kept'>> {
    const { problems } = await this.#data.call('bind', { listeners: bindsOf(services) });
    if (problems.length > 0) throw refused(problems.map((p) => this.#bindRefusal(document, p)));
    try {
      return await this.#data.call('commit', { services, materials });
    } catch (cause) {
      await this.#data.call('abort', {});
      throw cause;
    }
  }

  async #prepare(
    document: TunnelDocument,
    identity: EngineIdentity,
  ): Promise<{ plan: Plan; secrets: Secrets } & Loaded> {
    let plan: Plan;
    let sealed: Awaited<ReturnType<typeof loadSecrets>>;
    try {
      sealed = await loadSecrets(document, identity.sealedDir ?? '');
      plan = planOf({ document, identity, secrets: sealed.secrets });
    } catch (cause) {
      throw new AppError('invalid', 'this is not a tunnel document', { cause });
    }
    const early = [...plan.refusals, ...sealed.refusals];
    const loaded = await loadMaterials(early.length > 0 ? [] : plan.wants);
    return { plan, secrets: sealed.secrets, ...loaded, refusals: [...early, ...loaded.refusals] };
  }

  async #validate(document: TunnelDocument, identity: EngineIdentity): Promise<ValidateResult> {
    const { plan, refusals } = await this.#prepare(document, identity);
    const stays = new Set(plan.services.map((s) => JSON.stringify(s.listen)));
    const leaving = (this.#running?.plan.services ?? []).filter((s) => !stays.has(JSON.stringify(s.listen)));
    const { services } = await this.#data.call('stats', {});
    const wouldClose = leaving.map(({ name }) => ({
      service: name,
      streams: services.find((s) => s.service === name)?.streams ?? 0,
    }));
    if (refusals.length > 0) return { problems: refusals, wouldClose };
    const { problems } = await this.#data.call('tryBind', { listeners: bindsOf(plan.services) });
    return { problems: problems.map((p) => this.#bindRefusal(document, p)), wouldClose };
  }

  async #apply(args: {
    document: TunnelDocument;
    hash: ConfigHash;
    baseGeneration: number;
    identity: EngineIdentity;
  }): Promise<ApplyResult> {
    const { document, hash, baseGeneration, identity } = args;
    if (baseGeneration !== this.#generation) {
      throw new AppError(
        'conflict',
        `the engine is at generation ${this.#generation}, not ${baseGeneration}; read it again and decide anew`,
      );
    }
    const { plan, materials, secrets, fingerprint, refusals } = await this.#prepare(document, identity);
    if (refusals.length > 0) throw refused(refusals);
    const own = configHash(document);
    if (hash !== own) throw new AppError('invalid', `the document's hash is ${own}, not ${hash}`);
    const stamp = await stampOf(plan.wants);
    const done = await this.#swap(document, this.#carried(plan), materials);
    this.#generation += 1;
    this.#running = { document, hash: own, identity, plan, fingerprint, stamp, materials, secrets };
    this.#reason = 'applied';
    this.#remember();
    const list = (names: readonly string[]): string => names.join(', ') || 'none';
    this.#log(
      'info',
      `generation ${this.#generation} carries ${own.slice(0, 12)}: opened ${list(done.opened)}; closed ${list(done.closed)}; kept ${list(done.kept)}`,
    );
    return { generation: this.#generation, documentHash: own, ...done };
  }

  async #reload(): Promise<ReloadResult> {
    const running = this.#running;
    const before = { generation: this.#generation, documentHash: running?.hash ?? null };
    let unchanged = true;
    if (running !== null) {
      const stamp = await stampOf(running.plan.wants);
      const { materials, fingerprint, refusals } = await loadMaterials(running.plan.wants);
      if (refusals.length > 0) throw refused(refusals);
      unchanged = fingerprint === running.fingerprint;
      await this.#data.call('materials', { materials });
      this.#running = { ...running, fingerprint, stamp, materials };
    }
    this.#generation += 1;
    this.#reason = 'reloaded';
    this.#remember();
    this.#log(
      'info',
      `generation ${this.#generation}: reloaded, ${unchanged ? 'nothing had changed' : 'new certificates'}`,
    );
    const { services } = await this.#data.call('stats', {});
    const streamsKept = services.reduce((sum, s) => sum + s.streams, 0);
    return { before, after: { ...before, generation: this.#generation }, unchanged, streamsKept };
  }

  #bindRefusal(document: TunnelDocument, problem: BindProblem): Refusal {
    const index = document.services.findIndex((s) => s.name === problem.service);
    const path = `services[${index}].addr`;
    const addr = parseAddress(document.services[index]?.addr ?? '', 'listen');
    const own = this.#running?.plan.services.find((s) => typeof addr !== 'string' && collide(s.listen, addr));
    if (own === undefined) return { code: 'in_use', message: problem.message, path };
    return {
      code: 'in_use',
      message: `port ${own.listen.port} is in use by service ${own.name} of the running document`,
      path,
      hint: 'remove that service in one version and add this one in the next',
    };
  }
}

function planOf({ document, identity, secrets }: Pick<Running, 'document' | 'identity' | 'secrets'>): Plan {
  return planDocument(revealed(document, identity.sealedDir ?? '', secrets ?? {}), identity);
}

function bindsOf(services: Plan['services']): Bind[] {
  return services.map(({ name, listen }) => ({ service: name, listen }));
}

function refused(refusals: readonly Refusal[]): AppError {
  return new AppError('invalid', refusals.map(formatRefusal).join('; '), { refusals });
}
