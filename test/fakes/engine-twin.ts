import type {
  ConfirmResult,
  DrainStatus,
  Engine,
  EngineLogs,
  EngineStats,
  ValidateResult,
} from '../../agent/engine/port.ts';
import type { TunnelDocument } from '../../proto/document/document.ts';
import { configHash } from '../../proto/document/hash.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { ConfigHash } from '../../proto/vocab/ids.ts';
import type { EngineInfo, Refusal } from '../../proto/vocab/node.ts';

/** An engine that carries nothing and keeps every promise of the port: generations, all or nothing, read-back. */
export class EngineTwin implements Engine {
  up = true;
  instance = 'i1';
  generation = 0;
  document: TunnelDocument | null = null;
  can: readonly string[] = ['listener.tcp', 'handler.tcp', 'dialer.tcp', 'connector.relay'];
  /** Found by validate, such as a port in use. */
  problems: readonly Refusal[] = [];
  /** Services that do not reach their target. */
  unreached = new Set<string>();
  deaf = new Set<string>();
  /** Called before a call does anything; throws what should go wrong with it. */
  before: (call: keyof Engine) => void = () => {};
  counters: EngineStats['services'] = [];
  now: () => number = () => 0;
  lines: EngineLogs['lines'] = [{ seq: 1, at: 0, level: 'error', text: 'what the engine said' }];
  readonly calls: string[] = [];
  readonly #drains = new Map<string | null, DrainStatus>();
  readonly #listeners: ((up: boolean) => void)[] = [];

  /** Another process in its place, running nothing or what it found. */
  restart(instance: string, document: TunnelDocument | null = null): void {
    this.lose();
    this.instance = instance;
    this.generation = document ? 1 : 0;
    this.document = document;
    this.#drains.clear();
    this.up = true;
    for (const tell of this.#listeners) tell(true);
  }

  lose(): void {
    this.up = false;
    for (const tell of this.#listeners) tell(false);
  }

  #call(name: keyof Engine): void {
    if (!this.up) throw new AppError('unavailable', 'the engine is not there');
    this.calls.push(name);
    this.before(name);
  }

  #hash(): ConfigHash | null {
    return this.document && configHash(this.document);
  }

  async info(): Promise<EngineInfo> {
    this.#call('info');
    return {
      kind: 'embedded',
      version: '0',
      instance: this.instance,
      generation: this.generation,
      documentHash: this.#hash(),
      pid: 1,
      reason: '',
      listeners: [],
      startedAt: 0,
    };
  }

  async capabilities(): Promise<readonly string[]> {
    this.#call('capabilities');
    return this.can;
  }

  async validate(): Promise<ValidateResult> {
    this.#call('validate');
    return { problems: this.problems, wouldClose: [] };
  }

  async apply(args: Parameters<Engine['apply']>[0]): ReturnType<Engine['apply']> {
    this.#call('apply');
    if (args.baseGeneration !== this.generation) throw new AppError('conflict', 'read again');
    if (args.hash !== configHash(args.document)) throw new AppError('invalid', 'another hash');
    this.document = args.document;
    this.generation += 1;
    const kept = args.document.services.map((s) => s.name);
    return { generation: this.generation, documentHash: args.hash, opened: [], closed: [], kept };
  }

  async reload(): ReturnType<Engine['reload']> {
    this.#call('reload');
    const before = { generation: this.generation, documentHash: this.#hash() };
    this.generation += 1;
    return { before, after: { ...before, generation: this.generation }, unchanged: true, streamsKept: 4 };
  }

  async confirm(): Promise<ConfirmResult> {
    this.#call('confirm');
    const services = (this.document?.services ?? []).map((s) => s.name);
    return {
      listeners: services.map((service) => ({ service, accepting: !this.deaf.has(service), error: '' })),
      routes: services.map((service) => ({
        service,
        reached: !this.unreached.has(service),
        error: this.unreached.has(service) ? 'refused' : '',
      })),
    };
  }

  async effective(): ReturnType<Engine['effective']> {
    this.#call('effective');
    return { generation: this.generation, document: this.document, hash: this.#hash() };
  }

  async stats(): Promise<EngineStats> {
    this.#call('stats');
    return { instance: this.instance, services: this.counters };
  }

  async logs(after: number, max: number): ReturnType<Engine['logs']> {
    this.#call('logs');
    return { lines: this.lines.filter((l) => l.seq > after).slice(0, max) };
  }

  async drain(args: Parameters<Engine['drain']>[0]): ReturnType<Engine['drain']> {
    this.#call('drain');
    if (this.document === null) throw new AppError('precondition', 'the engine carries nothing to drain');
    if (args.service !== null && !this.document.services.some((s) => s.name === args.service)) {
      throw new AppError('not_found', `there is no service ${args.service}`);
    }
    const deadline = this.now() + args.deadlineMs;
    const drained = { service: args.service, streams: 0, oldestMs: 0, deadline, etaMs: 0 };
    this.#drains.set(args.service, drained);
    return drained;
  }

  async drainStatus(): ReturnType<Engine['drainStatus']> {
    this.#call('drainStatus');
    return { drains: [...this.#drains.values()] };
  }

  async undrain({ service }: Parameters<Engine['undrain']>[0]): ReturnType<Engine['undrain']> {
    this.#call('undrain');
    return { opened: this.#drains.delete(service) && service !== null ? [service] : [] };
  }

  async upgrade(): Promise<never> {
    this.#call('upgrade');
    throw new AppError('unsupported', 'one process');
  }

  async stop(): Promise<void> {
    this.#call('stop');
    this.lose();
  }

  onLink(listener: (up: boolean) => void): void {
    this.#listeners.push(listener);
  }

  close(): void {}
}
