import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { Commands } from '../../agent/host/commands.ts';
import type { OrderArgs, Orders, Outcome } from '../../agent/host/orders.ts';
import { join } from '../../agent/session/join.ts';
import { Session } from '../../agent/session/session.ts';
import { IdentitySpool } from '../../agent/spool/identity.ts';
import { Ledger } from '../../agent/spool/ledger.ts';
import { type CommandResult, isSettled } from '../../proto/vocab/command.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { until } from '../../scripts/demo/process.ts';
import { memoryLog } from '../fakes/services.ts';
import { type ScriptedMaster, scriptedMaster } from './scripted-master.ts';

// Commands delivered again and again to agents that die and connections that break: how often each took effect, and
// what the master heard of it. The agents' session, commands and ledger are the real ones, over TLS and on the disk.

export interface OnceReport {
  readonly commands: number;
  readonly deliveries: number;
  /** Of any command. */
  readonly fewest: number;
  /** Effects in all. */
  readonly executions: number;
  /** Commands that took effect more than once. */
  readonly twice: readonly string[];
  /** Commands whose end the master never heard of. */
  readonly lost: readonly string[];
  /** Commands of which the master heard two different ends. */
  readonly contradicted: readonly string[];
  /** Said to have succeeded, without having taken effect. */
  readonly untrue: readonly string[];
  /** Ended as "not known" by a kill. */
  readonly unknown: number;
  readonly kills: number;
  readonly cuts: number;
}

/** In flight to one node. */
const WINDOW = 24;
const never = new Promise<never>(() => undefined);

/** One life of an agent: what it has begun when it is killed stays begun, and it writes nothing any more. */
class Life {
  private dead = false;
  private readonly writing = new Set<Promise<unknown>>();
  private readonly session: Session;
  private turn: Promise<unknown> = Promise.resolve();
  readonly commands: Commands;

  private constructor(node: Node, ledger: Ledger) {
    const put = ledger.put.bind(ledger);
    ledger.put = (result) => (this.dead ? never : this.write(put(result)));
    const told = ledger.told.bind(ledger);
    ledger.told = (id) => (this.dead ? never : this.write(told(id)));
    const log = memoryLog();
    const effect = ({ options, alone }: OrderArgs): Promise<Outcome> =>
      alone(async () => {
        if (this.dead) return never;
        node.effect(options.service ?? '');
        await new Promise((resolve) => setImmediate(resolve));
        return this.dead
          ? never
          : { outputTail: '', before: null, after: null, unchanged: true, streamsKept: 0 };
      });
    const none = (): Promise<Outcome> => Promise.reject(new Error('not part of this'));
    const orders: Orders = {
      drain: effect,
      ...{ reload: none, restart: none, stop: none, start: none, status: none, logs: none, undrain: none },
    };
    const { identity } = node;
    this.session = new Session(
      {
        addresses: [node.master.address],
        labels: {},
        agentVersion: '0.1.0',
        instanceUid: randomBytes(16).toString('hex'),
      },
      {
        node: {
          hello: async () => ({
            ...{ engine: null, capabilities: [], effectiveHash: null, rejectedHash: null },
            ...{ publicAddresses: [], logTail: [] },
          }),
          heartbeat: async () => ({ health: 'ok', engine: null }),
          standing: async () => ({ stopped: false, drains: [] }),
          metrics: async () => null,
          metricsFromNow: () => undefined,
        },
        identity: { current: () => identity, renewed: async () => undefined },
        orders: {
          reached: () => undefined,
          offer: () => undefined,
          commitConfirmed: () => undefined,
          commitCancelled: () => undefined,
          command: (c) => void this.commands.receive(c),
          cancel: (id) => void this.commands.cancel(id),
          followLogs: () => undefined,
          endFollow: () => undefined,
          writable: () => undefined,
        },
        told: { command: (id) => void ledger.told(id), event: () => undefined },
        log,
        random: Math.random,
      },
    );
    this.commands = new Commands({
      ledger,
      orders,
      exclusive: (work) => {
        const mine = this.turn.then(work);
        this.turn = mine.catch(() => undefined);
        return mine;
      },
      report: (result) => {
        if (!this.dead) this.session.result(result);
      },
      masterNow: () => this.session.masterNow(),
      now: () => Date.now(),
      log,
    });
    for (const result of ledger.untold()) this.session.result(result);
    this.session.start();
  }

  static async begin(node: Node): Promise<Life> {
    const ledger = new Ledger(
      { stateDir: node.dir },
      {
        now: () => Date.now(),
        report: (text) => {
          throw new Error(text);
        },
      },
    );
    await ledger.load();
    return new Life(node, ledger);
  }

  private write<T>(work: Promise<T>): Promise<T> {
    this.writing.add(work);
    return work.finally(() => this.writing.delete(work)).then((v) => (this.dead ? never : v));
  }

  /** As by SIGKILL: what the system had been given is written, nothing else. */
  async kill(): Promise<void> {
    this.dead = true;
    await this.session.stop('');
    await Promise.allSettled([...this.writing]);
  }
}

class Node {
  readonly effects = new Map<string, number>();
  readonly ends = new Map<string, Set<CommandResult['state']>>();
  readonly begun: string[] = [];
  readonly deliveries = new Map<string, number>();
  private next = 0;
  readonly name: NodeName;
  readonly dir: string;
  readonly master: ScriptedMaster;
  readonly identity: Awaited<ReturnType<IdentitySpool['store']>>;
  private readonly total: number;

  constructor(of: Pick<Node, 'name' | 'dir' | 'master' | 'identity'>, total: number) {
    this.name = of.name;
    this.dir = of.dir;
    this.master = of.master;
    this.identity = of.identity;
    this.total = total;
  }

  effect(id: string): void {
    this.effects.set(id, (this.effects.get(id) ?? 0) + 1);
  }

  get open(): string[] {
    return this.begun.filter((id) => !this.ends.has(id));
  }

  get done(): boolean {
    return this.next === this.total && this.open.length === 0;
  }

  fill(): void {
    while (this.next < this.total && this.open.length < WINDOW) {
      const id = `${this.name}-${this.next++}`;
      this.begun.push(id);
      this.deliver(id);
      this.deliver(id);
    }
  }

  /** To whoever is there; nobody is told twice that it was lost. */
  deliver(id: string, type: 'drain' | 'status' = 'drain'): void {
    if (!this.master.sessions.connected(this.name)) return;
    this.deliveries.set(id, (this.deliveries.get(id) ?? 0) + 1);
    this.master.sessions.sendCommand(this.name, {
      id,
      type,
      timeoutMs: 600_000,
      expiresAt: Date.now() + 3_600_000,
      options: type === 'drain' ? { service: id } : {},
    });
  }

  heard(result: CommandResult): void {
    if (!isSettled(result.state)) return;
    const id = `${result.commandId}`;
    const ends = this.ends.get(id) ?? new Set();
    if (ends.size === 0) {
      this.ends.set(id, ends);
      // The third time, after it is over.
      this.deliver(id);
    }
    ends.add(result.state);
  }
}

/**
 * @param s.kills of each agent, `s.cuts` of each connection; both spread over its commands
 */
export async function commandsOnce(s: {
  readonly dir: string;
  readonly nodes: number;
  readonly commands: number;
  readonly kills: number;
  readonly cuts: number;
}): Promise<OnceReport> {
  const master = await scriptedMaster({ dir: s.dir });
  const nodes = await Promise.all(
    Array.from({ length: s.nodes }, async (_, i) => {
      const name = `hk-${i}` as NodeName;
      const dir = path.join(s.dir, name);
      const joined = await join({
        ...{ addresses: [master.address], token: master.token(), name },
        ...{ nodeType: 'edge', region: 'hk', labels: {}, agentVersion: '0.1.0' },
      });
      const identity = await new IdentitySpool({ stateDir: dir }, { report: () => undefined }).store(joined);
      return new Node({ name, dir, master, identity }, s.commands);
    }),
  );
  const byName = new Map(nodes.map((n) => [n.name, n]));
  let heard = 0;
  const listen = (): void => {
    for (; heard < master.heard.calls.length; heard++) {
      const call = master.heard.calls[heard];
      const node = call && byName.get(call.name);
      if (!node) continue;
      // At least once: whatever has no end yet is said again in each conversation.
      if (call.method === 'connected') for (const id of node.open) node.deliver(id);
      if (call.method === 'commandStatus') node.heard(call.args[0] as CommandResult);
    }
  };
  let kills = 0;
  let cuts = 0;
  const drive = async (node: Node): Promise<void> => {
    let life = await Life.begin(node);
    const faults = s.kills + s.cuts;
    for (let fault = 0; !node.done; ) {
      listen();
      node.fill();
      const due = ((fault + 1) * s.commands) / (faults + 1);
      if (fault < faults && node.ends.size >= due) {
        if (
          fault % Math.max(1, Math.round(faults / Math.max(1, s.kills))) === 0 &&
          kills < s.kills * s.nodes
        ) {
          kills += 1;
          await life.kill();
          life = await Life.begin(node);
        } else {
          cuts += 1;
          master.sessions.disconnect(node.name, 'cut by the test');
        }
        fault += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await until('each has been delivered three times', 20_000, () => {
      listen();
      const few = node.begun.filter((id) => (node.deliveries.get(id) ?? 0) < 3);
      for (const id of few) node.deliver(id);
      return few.length === 0 ? true : null;
    });
    // A conversation keeps its order: once this one is answered, all before it have been.
    const last = `${node.name}-last`;
    await until('the last ones have been answered', 20_000, () => {
      listen();
      if (!node.ends.has(last)) node.deliver(last, 'status');
      return node.ends.has(last) ? true : null;
    });
    await life.kill();
  };
  try {
    await Promise.all(nodes.map(drive));
    listen();
  } finally {
    await master.stop();
  }
  return reportOf(nodes, kills, cuts);
}

function reportOf(nodes: readonly Node[], kills: number, cuts: number): OnceReport {
  const begun = nodes.flatMap((n) => n.begun);
  const effects = new Map(nodes.flatMap((n) => [...n.effects]));
  const ends = new Map(nodes.flatMap((n) => [...n.ends]));
  const has = (id: string, state: CommandResult['state']): boolean => ends.get(id)?.has(state) ?? false;
  return {
    commands: begun.length,
    deliveries: nodes.reduce((sum, n) => sum + [...n.deliveries.values()].reduce((a, b) => a + b, 0), 0),
    fewest: Math.min(...nodes.flatMap((n) => n.begun.map((id) => n.deliveries.get(id) ?? 0))),
    executions: [...effects.values()].reduce((sum, n) => sum + n, 0),
    twice: [...effects].filter(([, n]) => n > 1).map(([id]) => id),
    lost: begun.filter((id) => !ends.has(id)),
    contradicted: [...ends].filter(([, states]) => states.size > 1).map(([id]) => id),
    untrue: begun.filter((id) => has(id, 'succeeded') && !effects.has(id)),
    unknown: begun.filter((id) => has(id, 'failed')).length,
    kills,
    cuts,
  };
}
