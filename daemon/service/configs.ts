import { bodyHash } from '../../proto/document/hash.ts';
import { redact } from '../../proto/document/redact.ts';
import { type Caller, may } from '../../proto/vocab/can.ts';
import type { ConfigVersion, Target } from '../../proto/vocab/config-version.ts';
import { AppError, formatRefusal } from '../../proto/vocab/errors.ts';
import { isVersionLabel, type Revision, type RolloutId, type VersionLabel } from '../../proto/vocab/ids.ts';
import type { Refusal } from '../../proto/vocab/node.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { nextLabel } from '../core/config-version/select.ts';
import type { ConfigsService as Api, Mutation } from './api.ts';
import type { Clock, MetricsRings, Snapshot, Store, Turns } from './ports.ts';
import { confirmed, must, targetOf, undone } from './published.ts';
import { LONGEST_TEXT, type PublishedNow, type Publisher } from './publisher.ts';
import { refuseUnfit, type StoredVersion } from './publishing.ts';
import { decode, Reviews } from './reviews.ts';
import { Slices } from './slices.ts';
import { templateRefusals } from './template-refusals.ts';
import type { Templates } from './templates.ts';
import { authorise, type Decision, guardRevision, type Writer } from './write.ts';

interface Needs {
  readonly writer: Writer;
  readonly store: Store;
  readonly templates: Templates;
  readonly publisher: Publisher;
  readonly rings: MetricsRings;
  readonly clock: Clock;
  readonly turns: Turns;
}

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
    const { writer, templates, publisher, clock } = this.needs;
    await templates.body(must(writer.view(), args.label));
    const strategy = publisher.strategy(args);
    if (args.dryRun) {
      authorise(m.caller, 'config.publish');
      const view = writer.view();
      const version = must(view, args.label);
      const plan = publisher.plan(m, view, version, args.target, clock.now());
      const slices = new Slices(this.needs);
      for (const node of plan.hit) {
        if (slices.over) await slices.next();
        refuseUnfit(templates, plan, node);
      }
      return { revision: view.revision, version, nodes: plan.hit.map((n) => n.name), rollout: null };
    }
    if (may(m.caller, 'config.publish')) await this.renderAhead(args);
    const { revision, result } = await writer.mutate<PublishedNow>(
      m,
      'config.publish',
      args,
      (view, now) => {
        const version = must(view, args.label);
        guardRevision(m, version.label, version.modRevision);
        return publisher.published(m, view, version, args.target, now, { strategy, reverts: null });
      },
      (r) => r.label,
      (view, label, at) => publishedAt(view, label, args.target, at),
    );
    return { revision, ...this.answer(result) };
  }

  async previewRollback(args: { label: string; target: Target }): ReturnType<Api['previewRollback']> {
    const { writer, templates, rings, clock, publisher } = this.needs;
    const view = writer.view();
    const { from, target } = undone(view, args);
    await templates.body(from);
    const newLabel = nextLabel(view.list('version').map((v) => v.label));
    const now = clock.now();
    const nodes = publisher.winners(view, { ...from, label: newLabel, publications: [] }, target);
    const streams = nodes.reduce((n, node) => n + (rings.figures(node.name, now)?.streams ?? 0), 0);
    return { toLabel: from.label, newLabel, nodes: nodes.map((n) => n.name), streams };
  }

  async rollback(
    m: Mutation,
    args: { label: string; target: Target; confirmNodes: number | null },
  ): ReturnType<Api['rollback']> {
    if (m.reason.trim() === '')
      throw new AppError('invalid', 'a rollback needs a reason: it is kept with the version');
    const { writer, publisher } = this.needs;
    // Nothing is asked of the state before the queue: a repeated request finds what the first one made of it.
    const { revision, result } = await writer.mutate<PublishedNow>(
      m,
      'config.rollback',
      args,
      (view, now) => {
        guardRevision(m, args.label, must(view, args.label).modRevision);
        const done = publisher.takenBack(m, view, args, now, null);
        confirmed(args.confirmNodes, done.result.nodes.length);
        return done;
      },
      (r) => r.label,
      (view, label, at) => publishedAt(view, label, {}, at),
    );
    return { revision, ...this.answer(result) };
  }

  /** The decision is made in one turn, and asks for a rendering for each node: there they are by then, made in many. */
  private async renderAhead(args: { readonly label: string; readonly target: Target }): Promise<void> {
    const { writer, templates, publisher } = this.needs;
    const view = writer.view();
    const version = must(view, args.label);
    const slices = new Slices(this.needs);
    for (const node of publisher.winners(view, version, args.target)) {
      if (slices.over) await slices.next();
      templates.render(view, version, node);
    }
  }

  private answer({ label, nodes, rollout }: PublishedNow) {
    const view = this.needs.writer.view();
    return { version: must(view, label), nodes, rollout: view.get('rollout', rollout) ?? null };
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
}

/** What a publication of this revision answered, as far as it is still known. */
function publishedAt(view: Snapshot, label: string, target: Target, at: Revision): PublishedNow {
  const version = must(view, label);
  const made = version.publications.find((p) => p.revision === at);
  return {
    label: version.label,
    nodes: targetOf(view, label, target),
    rollout: made?.rollout ?? ('' as RolloutId),
  };
}

function refuseBad(refusals: readonly Refusal[]): void {
  const [first, ...more] = refusals;
  if (!first) return;
  const others = more.length > 0 ? ` (and ${more.length} more)` : '';
  throw new AppError('invalid', `${formatRefusal(first)}${others}`, { refusals });
}

const quoted = (s: string): string => JSON.stringify(safeText(s, { max: 64 }));
