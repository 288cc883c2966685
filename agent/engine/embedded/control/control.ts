import { collide, parseAddress } from '../../../../proto/document/address.ts';
import type { TunnelDocument } from '../../../../proto/document/document.ts';
import { configHash } from '../../../../proto/document/hash.ts';
import { AppError, formatRefusal } from '../../../../proto/vocab/errors.ts';
import type { ConfigHash } from '../../../../proto/vocab/ids.ts';
import type { EngineInfo, Refusal } from '../../../../proto/vocab/node.ts';
import type { ApplyResult, EngineIdentity, ReloadResult, ValidateResult } from '../../port.ts';
import type { BindProblem, DataPort } from '../data/messages.ts';
import type { Hello } from '../protocol.ts';
import type { Log, LogRing } from './logs.ts';
import { type Loaded, loadMaterials, stampOf } from './materials.ts';
import { type Plan, planDocument } from './plan.ts';
import type { CallTable } from './server.ts';

/** What is in force. */
interface Running {
  readonly document: TunnelDocument;
  readonly hash: ConfigHash;
  readonly identity: EngineIdentity;
  readonly plan: Plan;
  readonly fingerprint: string;
  readonly stamp: string;
}

/** Decides what data carries: one change at a time, each of them whole or not at all. */
export class Control {
  readonly #data: DataPort;
  readonly #log: Log;
  readonly #hello: Hello['hello'];
  readonly #startedAt: number;
  #running: Running | null = null;
  #generation = 0;
  #reason = 'started';
  #queue: Promise<unknown> = Promise.resolve();
  readonly calls: CallTable;

  constructor(needs: {
    data: DataPort;
    hello: Hello['hello'];
    logs: LogRing;
    startedAt: number;
    /** Called after `stop` has been answered. */
    onStop: () => void;
  }) {
    const { data, hello, logs, startedAt, onStop } = needs;
    this.#data = data;
    this.#log = logs.log;
    this.#hello = hello;
    this.#startedAt = startedAt;
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
      const { fingerprint } = loaded.refusals.length > 0 ? running : loaded;
      this.#running = { ...running, stamp, fingerprint };
    });
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work);
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
    };
  }

  async #prepare(document: TunnelDocument, identity: EngineIdentity): Promise<{ plan: Plan } & Loaded> {
    let plan: Plan;
    try {
      plan = planDocument(document, identity);
    } catch (cause) {
      throw new AppError('invalid', 'this is not a tunnel document', { cause });
    }
    const loaded = await loadMaterials(plan.refusals.length > 0 ? [] : plan.wants);
    return { plan, ...loaded, refusals: [...plan.refusals, ...loaded.refusals] };
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
    const { problems } = await this.#data.call('tryBind', { listeners: bindsOf(plan) });
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
    const { plan, materials, fingerprint, refusals } = await this.#prepare(document, identity);
    if (refusals.length > 0) throw refused(refusals);
    const own = configHash(document);
    if (hash !== own) throw new AppError('invalid', `the document's hash is ${own}, not ${hash}`);
    const stamp = await stampOf(plan.wants);
    const { problems } = await this.#data.call('bind', { listeners: bindsOf(plan) });
    if (problems.length > 0) throw refused(problems.map((p) => this.#bindRefusal(document, p)));
    let done: Pick<ApplyResult, 'opened' | 'closed' | 'kept'>;
    try {
      done = await this.#data.call('commit', { services: plan.services, materials });
    } catch (cause) {
      await this.#data.call('abort', {});
      throw cause;
    }
    this.#generation += 1;
    this.#running = { document, hash: own, identity, plan, fingerprint, stamp };
    this.#reason = 'applied';
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
      this.#running = { ...running, fingerprint, stamp };
    }
    this.#generation += 1;
    this.#reason = 'reloaded';
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

function bindsOf(plan: Plan): { service: string; listen: Plan['services'][number]['listen'] }[] {
  return plan.services.map(({ name, listen }) => ({ service: name, listen }));
}

function refused(refusals: readonly Refusal[]): AppError {
  return new AppError('invalid', refusals.map(formatRefusal).join('; '), { refusals });
}
