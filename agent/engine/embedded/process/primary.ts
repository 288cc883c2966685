import cluster from 'node:cluster';
import net from 'node:net';
import { AppError } from '../../../../proto/vocab/errors.ts';
import { lockOf } from '../../lock.ts';
import { listenOnSocket } from '../control/socket-path.ts';
import { Watchdog } from '../control/watchdog.ts';
import { every } from '../data/every.ts';
import { factsOf, fork, type Member, type Role } from './member.ts';
import type { Answer, CallFault, ControlStart, Left, ToPrimary, ToWorker } from './messages.ts';

const STOP_MS = 2_000;
/** A control that was told to drain says so itself; one that does not is passed over. */
const LATE_MS = 1_000;
const LINES_KEPT = 200;
/** One that lived shorter than this is made again more slowly each time. */
const SHORT_LIFE_MS = 3_000;
const SLOWEST_MS = 5_000;

export interface PrimarySettings
  extends Pick<ControlStart, 'socket' | 'document' | 'identity' | 'instance' | 'startedAt'> {
  readonly workers: number;
  readonly exec: string;
  /** For data workers, unread. */
  readonly dns: readonly string[];
}

export interface PrimaryNeeds {
  readonly now: () => number;
  /** Milliseconds that only grow. */
  readonly clock: () => number;
  readonly exit: (code: number) => void;
}

/**
 * The one process that stays: it forks, holds the ports while a worker has them open, passes calls on and keeps what
 * control wants back. It reads none of it. Ports are shared by `SCHED_NONE`: each worker accepts for itself.
 */
export class Primary {
  readonly #settings: PrimarySettings;
  readonly #needs: PrimaryNeeds;
  readonly #members = new Map<number, Member>();
  readonly #kept = new Map<string, unknown>();
  /** Data's answers on the way: whose, and what control calls it. */
  readonly #calls = new Map<number, { readonly worker: number; readonly id: number }>();
  /** Proof that this engine lives while its control is being replaced. */
  readonly #lock = net.createServer((s) => s.destroy());
  readonly #watchdog: Watchdog;
  /** Control's answer on the way. */
  #pong: PromiseWithResolvers<void> | null = null;
  #lines: Extract<ToWorker, { t: 'line' }>[] = [];
  /** Gone while no control was there, until one has counted them. */
  #left: Left[] = [];
  #exec: string;
  #control: Member | null = null;
  #lastCall = 0;
  #restarts = 0;
  #falls = 0;
  #up: PromiseWithResolvers<void> | null = Promise.withResolvers<void>();
  #stopping = false;
  #draining = false;
  /** Somebody who carries has been heard since this was asked last. */
  #heardData = true;

  constructor(settings: PrimarySettings, needs: PrimaryNeeds) {
    this.#settings = settings;
    this.#needs = needs;
    this.#exec = settings.exec;
    this.#watchdog = new Watchdog({
      clock: needs.clock,
      every,
      ask: (id) => this.#ping(id),
      onHung: (id) => this.#hung(id),
    });
  }

  /** Resolves once control answers on its socket. @throws AppError */
  async start(): Promise<void> {
    const { socket, workers } = this.#settings;
    const lock = lockOf(socket);
    try {
      await listenOnSocket(this.#lock, lock);
    } catch (e) {
      if (e instanceof AppError) throw new AppError(e.code, e.message.replaceAll(lock, socket), { cause: e });
      throw e;
    }
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.on('message', (child, message: ToPrimary) => {
      const member = this.#members.get(child.id);
      if (member !== undefined) this.#heard(member, message);
    });
    cluster.on('exit', (child, code, signal: string | null) => {
      const member = this.#members.get(child.id);
      if (member !== undefined) this.#gone(member, signal ?? `exit ${code}`);
    });
    for (let i = 0; i < workers; i++) this.#fork('data', this.#exec, true);
    this.#control = this.#fork('control', this.#exec, true);
    await this.#up?.promise;
  }

  /** Whether one of those who carry lives; they are asked again for the next time. */
  carries(): boolean {
    const heard = this.#heardData;
    this.#heardData = false;
    for (const m of this.#members.values()) {
      if (m.role !== 'data' || m.at !== 'working') continue;
      if (m.pings) this.#tell(m, { t: 'ping' });
      // One of an earlier release cannot be asked.
      else this.#heardData = true;
    }
    return heard;
  }

  /** Takes nothing new; stops when nothing is carried any more, after `forMs` at the latest. Asked again: at once. */
  drain(forMs: number): void {
    if (forMs === 0 || this.#draining || this.#control?.at !== 'working') {
      void this.stop();
      return;
    }
    this.#draining = true;
    this.#tellControl({ t: 'drain', by: this.#needs.now() + forMs });
    setTimeout(() => void this.stop(), forMs + LATE_MS);
  }

  async stop(code = 0): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const m of this.#members.values()) this.#tell(m, { t: 'end' });
    const until = this.#needs.now() + STOP_MS;
    while (this.#members.size > 0 && this.#needs.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    for (const m of this.#members.values()) m.child.process.kill('SIGKILL');
    await new Promise<void>((resolve) => this.#lock.close(() => resolve()));
    this.#needs.exit(code);
  }

  // nothing -> starting
  #fork(role: Role, exec: string, wanted: boolean): Member {
    const say = (text: string): void => this.#say('error', text);
    const member = fork({ role, exec, wanted, bornAt: this.#needs.now() }, say);
    this.#members.set(member.id, member);
    return member;
  }

  #heard(from: Member, m: ToPrimary): void {
    if (m.t === 'hello') this.#greeted(from, m);
    else if (m.t === 'line') this.#line(m);
    else if (m.t === 'pong') {
      if (from === this.#control) this.#pong?.resolve();
      else if (from.role === 'data') this.#heardData = true;
    } else if (m.t === 'figures') from.figures = m.services;
    else if (m.t === 'tally') this.#tellControl({ t: 'tally', worker: from.id, report: m.report });
    else if (m.t === 'answer') {
      const call = this.#calls.get(m.id);
      this.#calls.delete(m.id);
      if (call !== undefined) this.#tellControl({ ...m, id: call.id });
    } else if (from === this.#control) this.#ordered(m);
  }

  /** What control, and nobody else, may order. */
  #ordered(m: Exclude<ToPrimary, { t: 'hello' | 'line' | 'answer' | 'tally' | 'pong' | 'figures' }>): void {
    switch (m.t) {
      case 'up':
        this.#up?.resolve();
        this.#up = null;
        this.#left = [];
        break;
      case 'failed':
        this.#up?.reject(new AppError('unavailable', m.message));
        break;
      case 'call':
        this.#pass(m);
        break;
      case 'tallied': {
        const worker = this.#members.get(m.worker);
        if (worker !== undefined) this.#tell(worker, { t: 'tallied', answer: m.answer });
        break;
      }
      case 'fork':
        this.#fork(m.role, m.exec, false).hello.promise.then(
          (ok) => this.#tellControl({ t: 'answer', id: m.id, answer: { ok } }),
          (e: unknown) => this.#tellControl({ t: 'answer', id: m.id, answer: { error: faultOf(e) } }),
        );
        break;
      case 'use':
        this.#exec = m.exec;
        for (const x of this.#members.values()) if (x.exec === m.exec) x.wanted = true;
        break;
      case 'keep':
        this.#kept.set(m.name, m.value);
        break;
      case 'retire':
      case 'end':
        this.#dismiss(m);
        break;
      case 'handover':
        this.#handover(m.to);
        break;
      case 'stop':
        void this.stop();
        break;
    }
  }

  #pass(m: Extract<ToPrimary, { t: 'call' }>): void {
    const worker = this.#members.get(m.worker);
    if (worker === undefined || !worker.child.isConnected()) {
      this.#tellControl({ t: 'answer', id: m.id, answer: { error: GONE } });
      return;
    }
    this.#lastCall += 1;
    this.#calls.set(this.#lastCall, { worker: m.worker, id: m.id });
    this.#tell(worker, { t: 'call', id: this.#lastCall, name: m.name, args: m.args });
  }

  #dismiss(m: Extract<ToPrimary, { t: 'retire' | 'end' }>): void {
    const worker = this.#members.get(m.worker);
    if (worker === undefined) return;
    if (m.t === 'retire') {
      worker.retireBy = m.by;
      worker.wanted = false;
    } else if (m.now) worker.child.process.kill('SIGKILL');
    else this.#tell(worker, { t: 'end' });
  }

  // starting -> working, or standby
  #greeted(member: Member, { version, pings }: Extract<ToPrimary, { t: 'hello' }>): void {
    member.version = version;
    member.pings = pings === true;
    const facts = factsOf(member);
    if (member.role === 'data') {
      member.at = 'working';
      this.#heardData = true;
      this.#tell(member, { t: 'data', dns: this.#settings.dns });
      this.#tellControl({ t: 'joined', worker: facts });
    } else if (member === this.#control) this.#begin(member);
    else member.at = 'standby';
    member.hello.resolve(facts);
  }

  // starting | standby -> working
  #begin(control: Member): void {
    const { socket, document, identity, instance, startedAt, workers } = this.#settings;
    control.at = 'working';
    const members = [...this.#members.values()];
    const start: ControlStart = {
      ...{ socket, document, identity, instance, startedAt, wanted: workers, pid: process.pid },
      restarts: this.#restarts,
      workers: members.filter((m) => m.role === 'data' && m.at === 'working').map(factsOf),
      kept: Object.fromEntries(this.#kept),
      left: this.#left,
    };
    this.#tell(control, { t: 'control', start });
    const lines = this.#lines;
    this.#lines = [];
    for (const line of lines) this.#tell(control, line);
    if (control.pings) this.#watchdog.watch(control.id);
  }

  async #ping(id: number): Promise<void> {
    const control = this.#members.get(id);
    if (control === undefined) return;
    this.#pong = Promise.withResolvers<void>();
    this.#tell(control, { t: 'ping' });
    await this.#pong.promise;
  }

  #hung(id: number): void {
    const member = this.#members.get(id);
    if (member === undefined) return;
    member.hung = true;
    member.child.process.kill('SIGKILL');
  }

  /** The old control has let go of its socket. */
  #handover(to: number): void {
    const old = this.#control;
    const next = this.#members.get(to);
    if (old !== null) {
      old.wanted = false;
      this.#watchdog.forget(old.id);
      this.#tell(old, { t: 'end' });
    }
    this.#calls.clear();
    this.#control = next ?? this.#fork('control', this.#exec, true);
    this.#control.wanted = true;
    if (this.#control.at === 'standby') this.#begin(this.#control);
  }

  // any -> gone
  #gone(member: Member, how: string): void {
    const { id, role, child, wanted } = member;
    this.#members.delete(id);
    this.#watchdog.forget(id);
    member.hello.reject(new AppError('unavailable', `it ended at once (${how}); its log says why`));
    if (this.#stopping) return;
    for (const [call, { worker, id: asked }] of this.#calls) {
      if (worker !== id) continue;
      this.#calls.delete(call);
      this.#tellControl({ t: 'answer', id: asked, answer: { error: GONE } });
    }
    const mine = member === this.#control;
    if (mine) {
      this.#control = null;
      this.#calls.clear();
      this.#up?.reject(new AppError('unavailable', `control ended at its start (${how})`));
    }
    if (wanted) this.#restarts += 1;
    if (role === 'data') this.#leaves(member);
    if (!wanted || (role === 'control' && !mine)) return;
    const end = member.hung ? 'did not answer for 15 s, was killed' : `died (${how})`;
    this.#say('error', `the ${role} worker ${child.process.pid ?? ''} ${end} and is replaced`);
    this.#falls = this.#needs.now() - member.bornAt < SHORT_LIFE_MS ? this.#falls + 1 : 0;
    const wait = this.#falls < 2 ? 0 : Math.min(SLOWEST_MS, 100 * 2 ** this.#falls);
    setTimeout(() => {
      if (this.#stopping) return;
      const next = this.#fork(role, this.#exec, true);
      if (mine) this.#control = next;
    }, wait);
  }

  #leaves({ id, figures }: Member): void {
    if (this.#control?.at === 'working')
      this.#tellControl({ t: 'left', worker: id, restarts: this.#restarts, figures });
    else this.#left.push({ worker: id, figures });
  }

  #tell(member: Member, message: ToWorker): void {
    // A write to one that has just died is told by its exit.
    if (member.child.isConnected()) member.child.send(message, () => undefined);
  }

  #tellControl(message: ToWorker): void {
    if (this.#control?.at === 'working') this.#tell(this.#control, message);
  }

  #line(line: Extract<ToWorker, { t: 'line' }>): void {
    if (this.#control?.at === 'working') this.#tellControl(line);
    else this.#lines = [...this.#lines, line].slice(-LINES_KEPT);
  }

  #say(level: 'info' | 'error', text: string): void {
    this.#line({ t: 'line', level, text });
  }
}

const GONE: CallFault = { code: 'unavailable', message: 'the worker is gone' };

function faultOf(e: unknown): Extract<Answer, { error: unknown }>['error'] {
  if (!(e instanceof AppError)) return { code: 'internal', message: String(e) };
  return { code: e.code, message: e.message, refusals: e.refusals };
}
