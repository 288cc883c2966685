import type {
  Advance,
  NodeFacts,
  ReadingRequest,
  Said,
  StoredRollout,
  StoredTarget,
} from '../../daemon/core/rollout/facts.ts';
import { advance, begin } from '../../daemon/core/rollout/rollout.ts';
import { legalVerbs, verb } from '../../daemon/core/rollout/verbs.ts';
import type { ConfigHash, NodeName, RolloutId, VersionLabel } from '../../proto/vocab/ids.ts';
import type { NodeStatus, NodeType } from '../../proto/vocab/node.ts';
import type { Reading, RolloutVerb, Strategy, Verdict } from '../../proto/vocab/rollout.ts';

export const NEW = 'new' as ConfigHash;
export const OLD = 'old' as ConfigHash;

/** What a node makes of the new version. `cut`: it is gone after the switch, until it reverts by itself. */
export type Temper = 'good' | 'refuses' | 'silent' | 'crashes-later' | 'cut' | 'cannot-go-back';

export interface SimNode {
  readonly name: NodeName;
  readonly region: string;
  readonly nodeType: NodeType;
  temper: Temper;
  status: NodeStatus;
  eligible: boolean;
  unfit: string | null;
  wouldCut: number;
  streams: number;
  effective: ConfigHash;
  rejected: boolean;
  /** It has not said why. */
  mute: boolean;
  sync: NodeFacts['configSync'];
  /** Ticks that it takes to apply, and where it is. */
  readonly slow: number;
  at: number;
}

export function simNode(name: string, region: string, more: Partial<SimNode> = {}): SimNode {
  return {
    name: name as NodeName,
    region,
    nodeType: 'edge',
    temper: 'good',
    status: 'ready',
    eligible: true,
    unfit: null,
    wouldCut: 0,
    streams: 5,
    effective: OLD,
    rejected: false,
    mute: false,
    sync: 'in_sync',
    slow: 1,
    at: 0,
    ...more,
  };
}

export const reading = (request: ReadingRequest, at: number, verdict: Verdict): Reading => ({
  at,
  number: request.number,
  step: request.step,
  verdict,
  gates: [],
  largest: null,
  why: verdict === 'pass' ? '' : `hk TTFT p95 is ${verdict}`,
});

/** A fleet that does what a rollout says, tick by tick: registry, agents and engines in one. */
export class RolloutFleet {
  readonly nodes = new Map<NodeName, SimNode>();
  readonly events: Said[] = [];
  readonly releases: NodeName[] = [];
  rollout: StoredRollout;
  targets: Map<NodeName, StoredTarget>;
  suspect: string | null = null;
  since = 0;
  now: number;
  /** Every state goes through JSON, as if the master had been restarted between any two calls. */
  restarts = false;
  verdict: (r: ReadingRequest) => Verdict = () => 'pass';
  /** What the gates have said so far. */
  readonly verdicts: Verdict[] = [];
  /** After each advance, with what it said. */
  watch: (a: Advance) => void = () => {};

  constructor(
    nodes: readonly SimNode[],
    strategy: Strategy,
    more: { reverts?: RolloutId; now?: number } = {},
  ) {
    this.now = more.now ?? 1_000_000;
    for (const n of nodes) this.nodes.set(n.name, n);
    const begun = begin({
      id: '31' as RolloutId,
      version: 'v42' as VersionLabel,
      target: {},
      revision: 7,
      reverts: more.reverts ?? null,
      strategy,
      nodes: [...this.facts().values()],
      createdBy: 'lin',
      reason: 'test',
      now: this.now,
    });
    this.rollout = begun.rollout;
    this.targets = new Map(begun.targets.map((t) => [t.node, t]));
  }

  facts(): Map<NodeName, NodeFacts> {
    return new Map([...this.nodes].map(([name, n]) => [name, factsOf(n)]));
  }

  node(name: string): SimNode {
    return this.nodes.get(name as NodeName) as SimNode;
  }

  target(name: string): StoredTarget {
    return this.targets.get(name as NodeName) as StoredTarget;
  }

  states(): Record<string, string> {
    return Object.fromEntries([...this.targets].map(([n, t]) => [n, t.state]));
  }

  released(): NodeName[] {
    return [...this.targets.values()].filter((t) => t.released).map((t) => t.node);
  }

  /** One call, with the reading it asks for given back at once. */
  advance(): Advance {
    const first = this.#advance(null);
    if (first.wantsReading === null) return first;
    const verdict = this.verdict(first.wantsReading);
    this.verdicts.push(verdict);
    return this.#advance(reading(first.wantsReading, this.now, verdict));
  }

  #advance(read: Reading | null): Advance {
    if (this.restarts) {
      const kept = JSON.parse(JSON.stringify([this.rollout, [...this.targets.values()]])) as [
        StoredRollout,
        StoredTarget[],
      ];
      this.rollout = kept[0];
      this.targets = new Map(kept[1].map((t) => [t.node, t]));
    }
    const world = { since: this.since, suspect: this.suspect, reading: read };
    const a = advance(this.rollout, [...this.targets.values()], this.facts(), world, this.now);
    this.#take(a.rollout, a.targets);
    this.releases.push(...a.release);
    this.events.push(...a.events);
    this.watch(a);
    return a;
  }

  verb(which: RolloutVerb, reason = ''): void {
    const done = verb(this.rollout, [...this.targets.values()], which, { actor: 'lin', reason }, this.now);
    this.#take(done.rollout, done.targets);
    for (const n of done.retry) this.node(n).rejected = false;
    this.events.push(...done.events);
  }

  legal(): RolloutVerb[] {
    return legalVerbs(this.rollout, [...this.targets.values()])
      .filter((v) => v.ok)
      .map((v) => v.verb);
  }

  #take(rollout: StoredRollout, changed: readonly StoredTarget[]): void {
    this.rollout = rollout;
    for (const t of changed) this.targets.set(t.node, t);
    for (const n of this.nodes.values()) this.#retarget(n);
  }

  /** The registry: another version is its target now, in the same commit. */
  #retarget(n: SimNode): void {
    const wants = this.#wants(n);
    if (wants === NEW && n.rejected) n.sync = 'failed';
    else if (wants === n.effective) n.sync = 'in_sync';
    else if (n.sync === 'in_sync' || (n.sync === 'failed' && !n.rejected)) n.sync = 'out_of_sync';
    else if (wants === OLD && n.sync === 'failed' && n.temper !== 'cannot-go-back') n.sync = 'out_of_sync';
  }

  #wants(n: SimNode): ConfigHash {
    return this.targets.get(n.name)?.released ? NEW : OLD;
  }

  tick(ms = 1000): Advance {
    this.now += ms;
    for (const n of this.nodes.values()) this.#live(n);
    return this.advance();
  }

  #live(n: SimNode): void {
    if (n.status !== 'ready' && n.status !== 'initializing') return;
    if (n.temper === 'crashes-later' && n.effective === NEW) {
      n.at += 1;
      if (n.at > 3) this.#refuse(n);
      return;
    }
    const wants = this.#wants(n);
    if (wants === n.effective || n.sync === 'failed' || n.sync === 'in_sync') return;
    if (n.sync === 'out_of_sync') {
      n.sync = 'applying';
      n.at = 0;
      return;
    }
    n.at += 1;
    if (n.at < n.slow) return;
    n.at = 0;
    if (wants === OLD) {
      if (n.temper === 'cannot-go-back') n.sync = 'failed';
      else this.#run(n, OLD);
    } else if (n.temper === 'refuses') this.#refuse(n);
    else if (n.temper === 'cut') {
      n.status = 'disconnected';
      n.sync = 'out_of_sync';
    } else if (n.temper !== 'silent') this.#run(n, NEW);
  }

  /** A node that cut itself off has reverted, and is back with its word. */
  returns(name: string): void {
    const n = this.node(name);
    n.status = 'ready';
    if (n.temper === 'cut') this.#refuse(n);
  }

  #run(n: SimNode, hash: ConfigHash): void {
    n.effective = hash;
    n.sync = 'in_sync';
  }

  #refuse(n: SimNode): void {
    n.rejected = true;
    n.effective = OLD;
    n.sync = this.#wants(n) === NEW ? 'failed' : 'in_sync';
  }

  /** Tick by tick until it says so; the state it is stuck in is the error. */
  until(done: (f: RolloutFleet) => boolean, most = 3000): void {
    for (let i = 0; i < most; i++) {
      if (done(this)) return;
      this.tick();
    }
    throw new Error(`stuck: ${JSON.stringify(this.rollout.state)} ${JSON.stringify(this.rollout.waits)}`);
  }

  untilState(kind: StoredRollout['state']['kind'], most = 3000): void {
    this.until((f) => f.rollout.state.kind === kind, most);
  }
}

function factsOf(n: SimNode): NodeFacts {
  return {
    name: n.name,
    region: n.region,
    nodeType: n.nodeType,
    engine: 'embedded',
    status: n.status,
    eligible: n.eligible,
    hash: NEW,
    unfit: n.unfit,
    effectiveHash: n.effective,
    rejectedHash: n.rejected ? NEW : null,
    configSync: n.sync,
    failure:
      n.rejected && !n.mute
        ? {
            phase: 'prepare',
            refusal: { code: 'invalid', message: 'port in use' },
            logTail: '',
            reverted: false,
            at: 0,
          }
        : null,
    wouldCut: n.wouldCut,
    streams: n.streams,
  };
}
