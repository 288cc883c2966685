import { bodyHash } from '../../proto/document/hash.ts';
import { redact } from '../../proto/document/redact.ts';
import { type Caller, may } from '../../proto/vocab/can.ts';
import type { ConfigVersion, Target } from '../../proto/vocab/config-version.ts';
import { AppError, formatRefusal } from '../../proto/vocab/errors.ts';
import { isVersionLabel, type NodeName, type VersionLabel } from '../../proto/vocab/ids.ts';
import type { Node, Refusal } from '../../proto/vocab/node.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { nextLabel } from '../core/config-version/select.ts';
import { describeTarget } from '../core/config-version/target.ts';
import { triedAgain } from '../core/node/axes.ts';
import { type AgentsService, aimed } from './agents.ts';
import type { ConfigsService as Api, Mutation } from './api.ts';
import type { Clock, Draft, MetricsRings, Snapshot, Store } from './ports.ts';
import { must, overlay, targetOf, undone, winnersOf } from './published.ts';
import { type Plan, planOf, refuseUnfit, type StoredVersion } from './publishing.ts';
import { type Templates, templateRefusals } from './rendering.ts';
import { decode, Reviews } from './reviews.ts';
import { authorise, type Decision, type Effect, guardRevision, type Writer } from './write.ts';

interface Needs {
  readonly writer: Writer;
  readonly store: Store;
  readonly templates: Templates;
  readonly agents: Pick<AgentsService, 'settle'>;
  readonly rings: MetricsRings;
  readonly clock: Clock;
}

const LONGEST_TEXT = 500;

export class ConfigsService implements Api {
  private readonly needs: Needs;
  private readonly reviews: Reviews;

  constructor(needs: Needs) {
    this.needs = needs;
    this.reviews = new Reviews(needs);
  }

  list(): readonly ConfigVersion[] {
    return this.needs.writer.view().list('version');
  }

  async get(caller: Caller, label: string): Promise<{ version: ConfigVersion; body: Uint8Array }> {
    const version = must(this.needs.writer.view(), label);
    const text = await this.needs.templates.body(version);
    const shown = may(caller, 'config.create') ? text : redact(text);
    return { version, body: new TextEncoder().encode(shown) };
  }

  validate(...[caller, args]: Parameters<Api['validate']>): ReturnType<Api['validate']> {
    return this.reviews.validate(caller, args);
  }

  diff(...[caller, args]: Parameters<Api['diff']>): ReturnType<Api['diff']> {
    return this.reviews.diff(caller, args);
  }

  previewPublish(...[caller, args]: Parameters<Api['previewPublish']>): ReturnType<Api['previewPublish']> {
    return this.reviews.previewPublish(caller, args);
  }

  async create(
    m: Mutation,
    args: Parameters<Api['create']>[1],
  ): Promise<{ revision: number; version: ConfigVersion }> {
    const text = decode(args.body);
    refuseBad(templateRefusals(text));
    if (args.label !== null && !isVersionLabel(args.label)) {
      throw new AppError(
        'invalid',
        `label ${quoted(args.label)}: letters, digits, . _ - are wanted, such as v1.0.1`,
      );
    }
    const hash = bodyHash(args.body);
    await this.needs.store.putBlob(args.body);
    this.needs.templates.keep(hash, text);
    const { revision, result } = await this.needs.writer.mutate<VersionLabel>(
      m,
      'config.create',
      { ...args, body: hash },
      (view, now) => {
        const label = (args.label ?? nextLabel(view.list('version').map((v) => v.label))) as VersionLabel;
        const old = view.get('version', label);
        if (old && old.bodyHash === hash) return { ops: [], events: [], result: label };
        if (old) {
          throw new AppError(
            'conflict',
            `${label} exists with another body; versions never change, choose another label`,
          );
        }
        const parent =
          args.parent === null ? (view.list('version').at(-1)?.label ?? null) : must(view, args.parent).label;
        return this.newVersion(m, {
          label,
          description: safeText(args.description, { max: LONGEST_TEXT }),
          bodyHash: hash,
          parent,
          rollbackOf: null,
          ...(args.target ? { target: args.target } : {}),
          createdBy: m.caller.actor,
          createdAt: now,
          publications: [],
        });
      },
      (label) => label,
      (_view, label) => label as VersionLabel,
    );
    return { revision, version: must(this.needs.writer.view(), result) };
  }

  async publish(m: Mutation, args: Parameters<Api['publish']>[1]): ReturnType<Api['publish']> {
    const { writer } = this.needs;
    await this.needs.templates.body(must(writer.view(), args.label));
    if (args.dryRun) {
      authorise(m.caller, 'config.publish');
      const view = writer.view();
      const version = must(view, args.label);
      const plan = this.plan(m, view, version, args.target, this.needs.clock.now());
      for (const node of plan.hit) refuseUnfit(this.needs.templates, plan, node);
      return { revision: view.revision, version, nodes: plan.hit.map((n) => n.name), rollout: null };
    }
    const { revision, result } = await writer.mutate<readonly NodeName[]>(
      m,
      'config.publish',
      args,
      (view, now) => {
        const version = must(view, args.label);
        guardRevision(m, version.label, version.modRevision);
        return this.published(m, view, version, args.target, now);
      },
      () => args.label,
      (view, label) => targetOf(view, label, args.target),
    );
    return { revision, version: must(writer.view(), args.label), nodes: result, rollout: null };
  }

  async previewRollback(args: { label: string; target: Target }): ReturnType<Api['previewRollback']> {
    const { writer, templates, rings, clock } = this.needs;
    const view = writer.view();
    const { from, target } = undone(view, args);
    await templates.body(from);
    const newLabel = nextLabel(view.list('version').map((v) => v.label));
    const now = clock.now();
    const nodes = this.winners(view, { ...from, label: newLabel, publications: [] }, target);
    const streams = nodes.reduce((n, node) => n + (rings.figures(node.name, now)?.streams ?? 0), 0);
    return { toLabel: from.label, newLabel, nodes: nodes.map((n) => n.name), streams };
  }

  async rollback(
    m: Mutation,
    args: { label: string; target: Target; confirmNodes: number | null },
  ): ReturnType<Api['rollback']> {
    if (m.reason.trim() === '')
      throw new AppError('invalid', 'a rollback needs a reason: it is kept with the version');
    const { writer } = this.needs;
    // Nothing is asked of the state before the queue: a repeated request finds what the first one made of it.
    const { revision, result } = await writer.mutate<{ label: VersionLabel; nodes: readonly NodeName[] }>(
      m,
      'config.rollback',
      args,
      (view, now) => {
        const own = must(view, args.label);
        guardRevision(m, args.label, own.modRevision);
        const { from, target } = undone(view, args);
        const label = nextLabel(view.list('version').map((v) => v.label));
        const version: StoredVersion = {
          label,
          description: `rolls ${args.label} back to the content of ${from.label}: ${safeText(m.reason, { max: LONGEST_TEXT })}`,
          bodyHash: from.bodyHash,
          parent: own.label,
          rollbackOf: from.label,
          createdBy: m.caller.actor,
          createdAt: now,
          publications: [],
        };
        const done = this.published(m, view, version, target, now);
        if (args.confirmNodes !== null && args.confirmNodes !== done.result.length) {
          throw new AppError(
            'conflict',
            `${done.result.length} nodes would be hit now, not ${args.confirmNodes}; look again`,
          );
        }
        return { ...done, result: { label, nodes: done.result } };
      },
      (r) => r.label,
      (view, label) => ({ label: label as VersionLabel, nodes: targetOf(view, label, {}) }),
    );
    return { revision, version: must(writer.view(), result.label), nodes: result.nodes, rollout: null };
  }

  private newVersion(m: Mutation, value: StoredVersion): Decision<VersionLabel> {
    return {
      ops: [{ op: 'put', kind: 'version', key: value.label, value }],
      events: [
        {
          kind: 'config',
          who: m.caller.actor,
          subject: value.label,
          level: 'info',
          text: `created ${value.label}`,
        },
      ],
      result: value.label,
    };
  }

  /** Those the version would win by a publication to this target: not those that something closer is published to. */
  private winners(view: Snapshot, version: StoredVersion, target: Target): readonly Node[] {
    const publication = { target, publishedBy: '', publishedAt: 0, reason: '', revision: view.revision + 1 };
    const after = overlay(view, {
      ...version,
      publications: [...version.publications, publication],
      modRevision: 0,
    });
    return winnersOf(this.needs.templates, after, publication);
  }

  private plan(m: Mutation, view: Snapshot, version: StoredVersion, target: Target, at: number): Plan {
    const reason = safeText(m.reason, { max: LONGEST_TEXT });
    return planOf(this.needs.templates, view, version, target, { actor: m.caller.actor, reason, at });
  }

  private published(
    m: Mutation,
    view: Snapshot,
    version: StoredVersion,
    target: Target,
    now: number,
  ): Decision<readonly NodeName[]> {
    const { templates } = this.needs;
    const plan = this.plan(m, view, version, target, now);
    const { hit, value, after, revision } = plan;
    const ops: Draft[] = [{ op: 'put', kind: 'version', key: version.label, value }];
    const effects: Effect[] = [];
    for (const node of hit) {
      // Together with the rest of this node's: a rendering is not kept for a whole fleet.
      refuseUnfit(templates, plan, node);
      const next = triedAgain(aimed(node, templates, after, now), revision);
      const settled = this.needs.agents.settle(node, next, after);
      for (const op of settled.ops) if (!ops.some((o) => o.kind === 'meta' && o.key === op.key)) ops.push(op);
      effects.push(...(settled.effects ?? []));
    }
    const verb = version.rollbackOf ? `rolled back to the content of ${version.rollbackOf} as` : 'published';
    const reason = m.reason.trim() === '' ? '' : `: ${m.reason}`;
    const nodes = hit.map((n) => n.name);
    return {
      ops,
      events: [
        {
          kind: 'config',
          who: m.caller.actor,
          subject: version.label,
          level: 'info',
          text: `${verb} ${version.label} to ${describeTarget(target)}, ${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}${reason}`,
        },
      ],
      effects,
      result: nodes,
    };
  }
}

function refuseBad(refusals: readonly Refusal[]): void {
  const [first, ...more] = refusals;
  if (!first) return;
  const others = more.length > 0 ? ` (and ${more.length} more)` : '';
  throw new AppError('invalid', `${formatRefusal(first)}${others}`, { refusals });
}

const quoted = (s: string): string => JSON.stringify(safeText(s, { max: 64 }));
