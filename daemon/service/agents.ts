import type { AgentHello, ConfigStatusReport, FollowedLines } from '../../proto/vocab/agent-link.ts';
import { type CommandResult, isSettled } from '../../proto/vocab/command.ts';
import { formatRefusal } from '../../proto/vocab/errors.ts';
import type { Millis, NodeName } from '../../proto/vocab/ids.ts';
import type { MetricsReport } from '../../proto/vocab/metrics.ts';
import type { ConfigFailure, EngineInfo, Node, Standing } from '../../proto/vocab/node.ts';
import {
  answered,
  drifted,
  greeted,
  offerDue,
  offered,
  offerLost,
  retarget,
  retryOf,
  stands,
} from '../core/node/axes.ts';
import { AgentWords, type Word } from './agent-words.ts';
import type { AgentEvents } from './api.ts';
import { CommandResults } from './command-results.ts';
import { merge, nothing } from './decisions.ts';
import type { FollowedLogs } from './followed-logs.ts';
import { logOf, madeSafe, safeEngine, safeHello, safeReport, safeStanding } from './ingest.ts';
import type { AgentLink, Clock, Draft, Log, MetricsRings, Snapshot } from './ports.ts';
import { ranKey } from './published.ts';
import { unfitness } from './rendering.ts';
import type { Sessions } from './sessions.ts';
import type { Templates } from './templates.ts';
import type { Decision, Effect, EventDraft, Writer } from './write.ts';

interface Needs {
  readonly writer: Writer;
  readonly templates: Templates;
  readonly sessions: Sessions;
  readonly rings: MetricsRings;
  readonly follows: FollowedLogs;
  readonly link: AgentLink;
  readonly clock: Clock;
  readonly log: Log;
  readonly moment?: (() => Promise<void>) | undefined;
}

const MOST_EVENTS = 50;
/** In a row, before an engine is said to run something else. */
const ODD_READINGS = 2;

/** What agents say. Nothing here makes an agent's stream wait for the disk; what that refuses is kept and tried again. */
export class AgentsService implements AgentEvents {
  private readonly needs: Needs;
  private greet: (name: NodeName) => void = () => {};
  private readonly words: AgentWords;
  /** Whose hello waits to be written: what is due to them is decided with it, and not twice. */
  private readonly greeting = new Set<NodeName>();
  private readonly results: CommandResults;

  constructor(needs: Needs) {
    this.needs = needs;
    this.words = new AgentWords(needs);
    this.results = new CommandResults({
      ...needs,
      settle: (before, after, view) => this.settle(before, after, view),
    });
  }

  /** Told of every node that connects: one that somebody looks at reports each second from the start. */
  onConnected(greet: (name: NodeName) => void): void {
    this.greet = greet;
  }

  connected(name: NodeName, hello: AgentHello, remote: string): void {
    const { sessions, clock, rings } = this.needs;
    sessions.began(name, remote, clock.now());
    rings.addLog(name, hello.logTail.map(madeSafe));
    this.greet(name);
    const said = safeHello(hello);
    this.greeting.add(name);
    this.decide(name, 'hello', (node, view, now) => {
      this.greeting.delete(name);
      const met = greeted(node, said);
      const next = aimed(met, this.needs.templates, view, now);
      const told = this.results.take(
        view,
        said.ledgerOpen.map((r) => [name, r]),
        now,
      );
      const commands = this.results.due(view, name, now, told);
      const event: EventDraft = {
        kind: 'node',
        who: name,
        subject: name,
        level: 'info',
        text: `connected from ${remote}, agent ${said.agentVersion}`,
      };
      // Applied while nobody could be told: it is said now, and not again by the status that follows.
      const arrived =
        met.configSync === 'in_sync' && node.configSync !== 'in_sync'
          ? [appliedEvent(met, this.why(view, met))]
          : [];
      return merge(
        told,
        merge(this.settle(node, next, view), {
          ...nothing(),
          ...commands,
          events: [event, ...arrived, ...driftEvents(node, met)],
        }),
      );
    });
  }

  heartbeat(
    name: NodeName,
    health: 'ok' | 'engine_lost' | 'degraded',
    engine: EngineInfo | null,
    sentAt?: Millis,
    at: Millis = this.needs.clock.now(),
  ): void {
    const { sessions, writer } = this.needs;
    sessions.beat(name, at, health, sentAt);
    if (!engine) return;
    const known = sessions.nodeOf(name, writer.view());
    if (!known || known.configSync === 'applying') {
      sessions.oddReading(name, false);
      return;
    }
    const other = engine.documentHash !== (known.engine?.documentHash ?? null);
    const odd = sessions.oddReading(name, other);
    // A reading may have crossed an answer on its way: one that is other is believed when the next says the same.
    if (other ? odd < ODD_READINGS : known.engine?.instance === engine.instance) return;
    const safe = safeEngine(engine);
    this.decide(name, 'engine', (node, view) => {
      const next = drifted(node, safe);
      return merge(this.settle(node, next, view), { ...nothing(), events: driftEvents(node, next) });
    });
  }

  configStatus(name: NodeName, report: ConfigStatusReport): void {
    this.needs.sessions.heard(name, this.needs.clock.now());
    if (report.status === 'applying') return;
    const safe = safeReport(report);
    if (safe.status === 'failed') this.needs.rings.addLog(name, logOf(safe.logTail, this.needs.clock.now()));
    this.decide(name, 'config status', (node, view, now) => {
      const next = answered(node, safe, now);
      // Told again until the agent knows that it was heard: nothing is written for nothing.
      if (saysNothingNew(node, next)) return nothing();
      const events = [...configEvents(node, safe, this.why(view, node)), ...driftEvents(node, next)];
      return { ...this.settle(node, next, view), events };
    });
  }

  commandStatus(name: NodeName, result: CommandResult): void {
    const { sessions, clock } = this.needs;
    sessions.heard(name, clock.now());
    if (!isSettled(result.state)) sessions.tookCommand(name, result.commandId, clock.now());
    if (this.results.later(name, result)) return;
    this.decide(name, 'command status', (_node, view, now) => this.results.take(view, [[name, result]], now));
  }

  /** Once a second: what waits to be written together. */
  tick(): Promise<unknown> {
    return this.results.tick();
  }

  standing(name: NodeName, standing: Standing): void {
    const { sessions, clock } = this.needs;
    sessions.heard(name, clock.now());
    const safe = safeStanding(standing);
    sessions.stands(name, safe);
    const known = this.needs.writer.view().get('node', name);
    if (!known || stands(known, safe) === known) return;
    this.decide(name, 'standing', (node, view) => {
      const next = stands(node, safe);
      const told = standingEvent(node, next);
      return merge(this.settle(node, next, view), { ...nothing(), events: told === null ? [] : [told] });
    });
  }

  logLines(name: NodeName, lines: FollowedLines): void {
    this.needs.sessions.heard(name, this.needs.clock.now());
    this.needs.follows.take(name, lines);
  }

  metrics(name: NodeName, report: MetricsReport, at: Millis = this.needs.clock.now()): void {
    const { sessions, rings, writer } = this.needs;
    sessions.heard(name, at);
    if (report.log.length > 0) rings.addLog(name, report.log.map(madeSafe));
    rings.take(name, report, at, sessions.nodeOf(name, writer.view()));
  }

  events(name: NodeName, events: readonly { at: Millis; kind: string; text: string }[]): void {
    this.decide(name, 'events', () => ({
      ...nothing(),
      events: events.slice(0, MOST_EVENTS).map((e) => ({
        kind: 'node',
        who: name,
        subject: name,
        level: 'warn',
        text: `${e.kind}: ${e.text}`,
      })),
    }));
  }

  disconnected(name: NodeName, reason: string): void {
    this.needs.sessions.ended(name);
    this.greeting.delete(name);
    this.needs.follows.gone(name, `${name} is not connected any more: ${reason}`);
    this.decide(name, 'disconnected', (node, view) => {
      const streams = this.needs.rings.figures(name, this.needs.clock.now())?.streams;
      const goOn = streams ? `; its ${streams} streams go on without the agent` : '';
      const event: EventDraft = {
        kind: 'node',
        who: name,
        subject: name,
        level: 'warn',
        text: `disconnected: ${reason}${goOn}`,
      };
      return merge(this.settle(node, offerLost(node), view, false), { ...nothing(), events: [event] });
    });
  }

  /** Puts a changed node, offering what is due to one that is here. Shared with publish, rollback and the tick. */
  settle(before: Node, after: Node, view: Snapshot, offer = true): Decision<null> {
    const { link, templates } = this.needs;
    let next = after;
    const effects: Effect[] = [];
    if (offer && offerDue(next) && link.connected(next.name) && !this.greeting.has(next.name)) {
      const plan = templates.wanted(view, next);
      if (plan?.rendered.ok && plan.wanted?.hash === next.target?.hash) {
        const { hash } = plan.rendered;
        const body = templates.sent(plan.rendered);
        const { label, rollout } = plan;
        const rollbackMs = (rollout && view.get('rollout', rollout)?.strategy.rollbackMs) ?? null;
        // Opened now, of this very state: what is sealed leaves the master only in an offer.
        const sealed = templates.opened(view, plan.rendered.sealed);
        const retry = retryOf(next, hash);
        next = offered(next);
        effects.push(() =>
          link.offerConfig(next.name, {
            hash,
            version: label,
            revision: view.revision + 1,
            body,
            sealed,
            retry,
            rollbackMs,
          }),
        );
      }
    }
    if (next === before) return nothing();
    const ops: Draft[] = [{ op: 'put', kind: 'node', key: next.name, value: next }];
    const ran = next.configSync === 'in_sync' && next.target ? ranKey(next.target.version) : null;
    if (ran !== null && !view.get('meta', ran)) {
      ops.push({ op: 'put', kind: 'meta', key: ran, value: { id: ran, value: view.revision + 1 } });
    }
    return { ops, events: [], effects, result: null };
  }

  /** By whom and why what it should run was published to it: its own timeline tells its history. */
  private why(view: Snapshot, node: Node): string {
    const stands = this.needs.templates.winner(view, node);
    if (!stands || stands.label !== node.target?.version) return '';
    const { publishedBy, reason } = stands.publication;
    return `, published by ${publishedBy}${reason === '' ? '' : `: ${reason}`}`;
  }

  /** The disk takes writes again. */
  retry(): void {
    this.words.retry();
  }

  /** Everything said so far is on disk, or waits for it. */
  settled(): Promise<void> {
    return this.words.settled();
  }

  private decide(name: NodeName, what: string, decide: Word['decide']): void {
    this.words.say({ name, what, decide });
  }
}

/**
 * The node with what it should run now; what cannot be rendered for it, or what it cannot carry, is said as a failure of
 * its config. It goes on with what it runs.
 */
export function aimed(node: Node, templates: Templates, view: Snapshot, now: Millis): Node {
  const plan = templates.wanted(view, node);
  if (!plan) return retarget(node, null);
  const [unfit] = unfitness(plan.rendered, node);
  if (!unfit) return retarget(node, plan.wanted);
  const why = plan.rendered.ok ? 'cannot be carried' : 'cannot be rendered for this node';
  const refusal = { ...unfit, message: `${plan.label} ${why}: ${unfit.message}` };
  const known = node.target === null && node.configSync === 'failed' ? node.failure : null;
  // Said again, it is not news.
  if (known && formatRefusal(known.refusal) === formatRefusal(refusal)) return node;
  const failure: ConfigFailure = { phase: 'validate', refusal, logTail: '', reverted: false, at: now };
  return { ...retarget(node, null), configSync: 'failed', failure };
}

function standingEvent(before: Node, after: Node): EventDraft | null {
  const of = { kind: 'node', who: after.name, subject: after.name, level: 'info' } as const;
  if ((before.stopped ?? false) !== (after.stopped ?? false)) {
    return {
      ...of,
      text: after.stopped ? 'stopped: it takes no new streams' : 'started: it takes streams again',
    };
  }
  const said = {
    none: 'takes streams again',
    draining: 'is draining',
    drained: 'is drained: no stream is left',
  };
  return before.drain === after.drain ? null : { ...of, text: said[after.drain] };
}

/** Agents say again after a reconnect what may not have been heard: the timeline is told of what is new only. */
function configEvents(
  node: Node,
  r: Exclude<ConfigStatusReport, { status: 'applying' }>,
  why: string,
): EventDraft[] {
  const of = { kind: 'config', who: node.name, subject: node.name } as const;
  const wanted = node.target?.hash;
  if (r.status === 'applied') {
    if (node.configSync === 'in_sync' && node.effective?.hash === r.effectiveHash) return [];
    if (r.effectiveHash === wanted) return [appliedEvent(node, why)];
    return [{ ...of, level: 'info', text: 'applied a config' }];
  }
  const known = node.rejectedHash === r.rejectedHash;
  if (known && (r.rejectedHash !== wanted || node.failure !== null)) return [];
  // Another version is its target by now; this one must not be blamed.
  const label = r.rejectedHash === wanted ? node.target?.version : null;
  const back = r.reverted ? '; last-known-good put back' : '';
  const fault = formatRefusal(r.refusal);
  return [
    { ...of, level: 'error', text: `refused ${label ?? 'an earlier config'} in ${r.phase}: ${fault}${back}` },
  ];
}

/** Where a node stands with its config, but for when. */
function standOf(n: Node) {
  const { configSync, initialized, rejectedHash, warnings } = n;
  const failure = n.failure && { ...n.failure, at: 0 };
  return { configSync, initialized, rejectedHash, failure, warnings, effective: n.effective?.hash ?? null };
}

function saysNothingNew(before: Node, after: Node): boolean {
  if (before.configSync !== after.configSync || before.effective?.hash !== after.effective?.hash)
    return false;
  return JSON.stringify(standOf(before)) === JSON.stringify(standOf(after));
}

/** Said when it is seen: put right, it would be forgotten. */
function driftEvents(before: Node, after: Node): EventDraft[] {
  if (after.configSync !== 'drifted' || before.configSync === 'drifted') return [];
  const runs = after.effective?.hash.slice(0, 12) ?? 'nothing';
  const wanted = after.target ? `${after.target.hash.slice(0, 12)} (${after.target.version})` : 'nothing';
  const text = `drifted: its engine runs ${runs} instead of ${wanted}, which is offered again`;
  return [{ kind: 'config', who: after.name, subject: after.name, level: 'warn', text }];
}

function appliedEvent(node: Node, why: string): EventDraft {
  const text = `applied ${node.target?.version ?? 'a config'}${why}`;
  return { kind: 'config', who: node.name, subject: node.name, level: 'info', text };
}
