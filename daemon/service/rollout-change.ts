import type { ConfigVersion, Publication } from '../../proto/vocab/config-version.ts';
import type { Millis, NodeName, RolloutId, VersionLabel } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import { OVER, type Rollout, type RolloutVerb } from '../../proto/vocab/rollout.ts';
import { targets as isTargeted } from '../core/config-version/target.ts';
import { triedOnceMore } from '../core/node/axes.ts';
import type { Advance, By, Said, StoredRollout, StoredTarget, VerbDone } from '../core/rollout/facts.ts';
import { read } from '../core/rollout/gates.ts';
import { advance } from '../core/rollout/rollout.ts';
import { supersede, verb } from '../core/rollout/verbs.ts';
import { type AgentsService, aimed } from './agents.ts';
import type { Draft, MetricsRings, Snapshot } from './ports.ts';
import { overlay, targetKey } from './published.ts';
import type { RolloutFacts } from './rollout-facts.ts';
import type { RolloutTargets } from './rollout-targets.ts';
import type { Templates } from './templates.ts';
import type { Decision, Effect, EventDraft } from './write.ts';

export interface ChangeNeeds {
  readonly templates: Templates;
  readonly facts: RolloutFacts;
  readonly targets: RolloutTargets;
  readonly agents: Pick<AgentsService, 'settle'>;
  readonly rings: Pick<MetricsRings, 'window'>;
  /** Why the master doubts itself rather than its nodes; `null`: it does not. */
  readonly suspicion: () => { readonly why: string } | null;
  /** Since when this master listens to its nodes. */
  readonly since: () => Millis;
}

interface Going {
  rollout: StoredRollout;
  /** In their order. */
  targets: readonly StoredTarget[];
  readonly changed: Map<NodeName, StoredTarget>;
}

/**
 * One commit's worth of rollouts: what the core says of them, and what follows from it for publications and nodes. Every
 * change of who has which version goes through here, so that the two never disagree.
 */
export class RolloutChange {
  private readonly needs: ChangeNeeds;
  private readonly view: Snapshot;
  private readonly now: Millis;
  private readonly versions = new Map<VersionLabel, ConfigVersion>();
  private readonly going = new Map<RolloutId, Going>();
  private readonly changedRollouts = new Set<RolloutId>();
  /** Whose winner may be another one by this. */
  private readonly reaim = new Set<NodeName>();
  /** As they are but for this change. */
  private readonly nodes = new Map<NodeName, Node>();
  private readonly events: EventDraft[] = [];

  constructor(needs: ChangeNeeds, view: Snapshot, now: Millis) {
    this.needs = needs;
    this.view = view;
    this.now = now;
  }

  putVersion(version: ConfigVersion): void {
    this.versions.set(version.label, version);
  }

  /** A new one; `go` takes it on. */
  begin({ rollout, targets }: { rollout: StoredRollout; targets: readonly StoredTarget[] }): void {
    this.going.set(rollout.id, { rollout, targets, changed: new Map(targets.map((t) => [t.node, t])) });
    this.changedRollouts.add(rollout.id);
  }

  /** It stops where it is. */
  supersede(rollout: Rollout, by: RolloutId): void {
    const g = this.known(rollout);
    this.took(g, supersede(g.rollout, g.targets, by, this.now));
  }

  /** @throws AppError `precondition` */
  verb(rollout: Rollout, what: RolloutVerb, by: By): void {
    const g = this.known(rollout);
    this.took(g, verb(g.rollout, g.targets, what, by, this.now));
  }

  /** Whoever has refused this rollout's document is asked once more. */
  private askAgain(g: Going, name: NodeName): void {
    const node = this.nodes.get(name) ?? this.view.get('node', name);
    const version = this.version(g.rollout.version);
    if (!node || !version || node.rejectedHash === null) return;
    if (this.needs.facts.of(this.view, version, this.now)(node, false).hash !== node.rejectedHash) return;
    this.nodes.set(name, triedOnceMore(node, this.view.revision + 1));
    this.reaim.add(name);
  }

  private version(label: VersionLabel): ConfigVersion | undefined {
    return this.versions.get(label) ?? this.view.get('version', label);
  }

  /**
   * What follows at once for this rollout. Once a change: what is released or taken back by it must be so before the
   * core is asked again.
   */
  go(rollout: StoredRollout): void {
    const g = this.known(rollout);
    if (OVER.includes(g.rollout.state.kind)) return;
    const { wantsReading } = this.took(g, this.advance(g, null));
    if (!wantsReading) return;
    const windowOf = this.needs.rings.window.bind(this.needs.rings);
    const reading = read(wantsReading, windowOf, g.rollout.strategy.gates, this.now);
    this.took(g, this.advance(g, reading));
  }

  private advance(g: Going, reading: ReturnType<typeof read> | null): Advance {
    const { facts, suspicion, since } = this.needs;
    const world = { since: since(), suspect: suspicion()?.why ?? null, reading };
    const known = facts.all(this.withNodes(), g.rollout, g.targets, this.now);
    return advance(g.rollout, g.targets, known, world, this.now);
  }

  private withNodes(): Snapshot {
    const { view, nodes, versions } = this;
    return {
      ...overlay(view, { versions: [...versions.values()] }),
      get: (kind, key) => {
        if (kind === 'node') return (nodes.get(key as NodeName) ?? view.get(kind, key)) as never;
        return ((kind === 'version' && versions.get(key as VersionLabel)) || view.get(kind, key)) as never;
      },
    };
  }

  private took<S extends Advance | VerbDone>(g: Going, said: S): S {
    const { id } = g.rollout;
    if (said.rollout !== g.rollout) this.changedRollouts.add(id);
    g.rollout = said.rollout;
    if (said.targets.length > 0) {
      for (const t of said.targets) g.changed.set(t.node, t);
      g.targets = g.targets.map((t) => g.changed.get(t.node) ?? t);
    }
    const asked = 'release' in said ? said.release : said.retry;
    for (const name of asked) this.askAgain(g, name);
    for (const name of [...asked, ...said.takeBack]) this.reaim.add(name);
    this.say(g.rollout, said.events);
    if (OVER.includes(said.rollout.state.kind)) this.close(g);
    return said;
  }

  private say(rollout: StoredRollout, events: readonly Said[]): void {
    for (const e of events) {
      this.events.push({
        kind: 'config',
        who: 'master',
        subject: rollout.version,
        level: e.level,
        text: e.text,
      });
    }
  }

  /** Its publication stands for what it has come to. */
  private close(g: Going): void {
    const { rollout, targets } = g;
    const version = this.version(rollout.version);
    if (!version?.publications.some((p) => p.rollout === rollout.id && p.open)) return;
    const whole = rollout.state.kind === 'succeeded';
    const only = targets.filter((t) => t.released).map((t) => t.node);
    this.putVersion({
      ...version,
      publications: version.publications.map((p) => (p.rollout === rollout.id ? closed(p, whole, only) : p)),
    });
    if (!whole) return;
    // Who was away, or has joined since, gets it now.
    const has = new Set(only);
    for (const n of this.view.list('node')) {
      if (n.identity === 'accepted' && !has.has(n.name) && isTargeted(rollout.target, n)) {
        this.reaim.add(n.name);
      }
    }
  }

  private known(rollout: StoredRollout): Going {
    const known = this.going.get(rollout.id);
    if (known) return known;
    const targets = this.needs.targets.of(this.view, rollout.id);
    const made: Going = { rollout, targets, changed: new Map() };
    this.going.set(rollout.id, made);
    return made;
  }

  rollout(id: RolloutId): StoredRollout | undefined {
    return this.going.get(id)?.rollout;
  }

  /** `null` when nothing changed. */
  decision(): Decision<null> | null {
    const { view, now } = this;
    const { templates, agents } = this.needs;
    const ops: Draft[] = [];
    const versions = [...this.versions.values()];
    for (const v of versions) ops.push({ op: 'put', kind: 'version', key: v.label, value: v });
    for (const id of this.changedRollouts) {
      const value = this.going.get(id)?.rollout;
      if (value) ops.push({ op: 'put', kind: 'rollout', key: id, value });
    }
    const targets = new Map<string, StoredTarget>();
    for (const { rollout, changed } of this.going.values()) {
      for (const t of changed.values()) targets.set(targetKey(rollout.id, t.node), t);
    }
    for (const [key, value] of targets) ops.push({ op: 'put', kind: 'target', key, value });
    const rollouts = [...this.going.values()].map((g) => g.rollout);
    const after = overlay(view, { versions, targets, rollouts });
    const effects: Effect[] = [];
    /** The mark that a version ran is the same whoever makes it. */
    const marks = new Map<string, Draft>();
    for (const name of this.reaim) {
      const before = view.get('node', name);
      if (before?.identity !== 'accepted') continue;
      const next = aimed(this.nodes.get(name) ?? before, templates, after, now);
      const settled = agents.settle(before, next, after);
      for (const op of settled.ops) {
        if (op.kind === 'meta') marks.set(op.key, op);
        else ops.push(op);
      }
      effects.push(...(settled.effects ?? []));
    }
    ops.push(...marks.values());
    if (ops.length === 0 && this.events.length === 0) return null;
    return { ops, events: this.events, effects, result: null };
  }
}

function closed(p: Publication, whole: boolean, only: readonly NodeName[]): Publication {
  const { open: _, ...rest } = p;
  return whole ? rest : { ...rest, only };
}
