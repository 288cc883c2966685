import { bodyHash } from '../../proto/document/hash.ts';
import { readDocument } from '../../proto/document/read.ts';
import { renderTemplate, templateVariables } from '../../proto/document/render.ts';
import type { ConfigVersion, Target } from '../../proto/vocab/config-version.ts';
import { AppError, formatRefusal } from '../../proto/vocab/errors.ts';
import { isVersionLabel, type NodeName, type VersionLabel } from '../../proto/vocab/ids.ts';
import type { Node, Refusal } from '../../proto/vocab/node.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { nextLabel, predecessor, standing, tieWith, winner } from '../core/config-version/select.ts';
import { describeTarget, sameTarget, targets } from '../core/config-version/target.ts';
import { type AgentsService, aimed, merge, nothing } from './agents.ts';
import type { ConfigsService as Api, Mutation } from './api.ts';
import type { Clock, MetricsRings, Snapshot, Store } from './ports.ts';
import { lacking, renderFor, type Templates } from './rendering.ts';
import { type Decision, guardRevision, type Writer } from './write.ts';

interface Needs {
  readonly writer: Writer;
  readonly store: Store;
  readonly templates: Templates;
  readonly agents: Pick<AgentsService, 'settle'>;
  readonly rings: MetricsRings;
  readonly clock: Clock;
}

type StoredVersion = Omit<ConfigVersion, 'modRevision'>;

const MOST_BYTES = 256 * 1024;
const LONGEST_TEXT = 500;

export class ConfigsService implements Api {
  private readonly needs: Needs;

  constructor(needs: Needs) {
    this.needs = needs;
  }

  list(): readonly ConfigVersion[] {
    return this.needs.writer.view().list('version');
  }

  async get(label: string): Promise<{ version: ConfigVersion; body: Uint8Array }> {
    const version = must(this.needs.writer.view(), label);
    return { version, body: new TextEncoder().encode(await this.needs.templates.body(version)) };
  }

  async create(
    m: Mutation,
    args: { label: string | null; description: string; body: Uint8Array; parent: string | null },
  ): Promise<{ revision: number; version: ConfigVersion }> {
    const text = decode(args.body);
    refuseBad(checkTemplate(text));
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

  async publish(
    m: Mutation,
    args: { label: string; target: Target; dryRun: boolean },
  ): Promise<{ revision: number; version: ConfigVersion; nodes: readonly NodeName[] }> {
    const { writer } = this.needs;
    await this.needs.templates.body(must(writer.view(), args.label));
    if (args.dryRun) {
      const view = writer.view();
      const version = must(view, args.label);
      return {
        revision: view.revision,
        version,
        nodes: this.plan(view, version, args.target).hit.map((n) => n.name),
      };
    }
    const { revision, result } = await writer.mutate<readonly NodeName[]>(
      m,
      'config.publish',
      args,
      (view, now, revision) => {
        const version = must(view, args.label);
        guardRevision(m, version.label, version.modRevision);
        return this.published(m, view, version, args.target, now, revision);
      },
      () => args.label,
      (view, label) =>
        view
          .list('node')
          .filter((n) => n.target?.version === label)
          .map((n) => n.name),
    );
    return { revision, version: must(writer.view(), args.label), nodes: result };
  }

  async previewRollback(args: { label: string; target: Target }): ReturnType<Api['previewRollback']> {
    const view = this.needs.writer.view();
    const { from, target, nodes } = this.rollbackPlan(view, args.label, args.target);
    const now = this.needs.clock.now();
    const streams = nodes.reduce(
      (n, node) => n + (this.needs.rings.figures(node.name, now)?.streams ?? 0),
      0,
    );
    void target;
    return {
      toLabel: from.label,
      newLabel: nextLabel(view.list('version').map((v) => v.label)),
      nodes: nodes.map((n) => n.name),
      streams,
    };
  }

  async rollback(
    m: Mutation,
    args: { label: string; target: Target; confirmNodes: number | null },
  ): Promise<{ revision: number; version: ConfigVersion; nodes: readonly NodeName[] }> {
    if (m.reason.trim() === '')
      throw new AppError('invalid', 'a rollback needs a reason: it is kept with the version');
    const { writer, templates } = this.needs;
    const seen = this.rollbackPlan(writer.view(), args.label, args.target);
    await templates.body(seen.from);
    const { revision, result } = await writer.mutate<{ label: VersionLabel; nodes: readonly NodeName[] }>(
      m,
      'config.rollback',
      args,
      (view, now, revision) => {
        const { from, target, nodes } = this.rollbackPlan(view, args.label, args.target);
        guardRevision(m, args.label, must(view, args.label).modRevision);
        if (args.confirmNodes !== null && args.confirmNodes !== nodes.length) {
          throw new AppError(
            'conflict',
            `${nodes.length} nodes would be hit now, not ${args.confirmNodes}; look again`,
          );
        }
        const label = nextLabel(view.list('version').map((v) => v.label));
        const version: StoredVersion = {
          label,
          description: `rolls ${args.label} back to the content of ${from.label}: ${safeText(m.reason, { max: LONGEST_TEXT })}`,
          bodyHash: from.bodyHash,
          parent: args.label as VersionLabel,
          rollbackOf: from.label,
          createdBy: m.caller.actor,
          createdAt: now,
          publications: [],
        };
        const done = this.published(m, view, version, target, now, revision);
        return { ...done, result: { label, nodes: done.result } };
      },
      (r) => r.label,
      (view, label) => ({
        label: label as VersionLabel,
        nodes: view
          .list('node')
          .filter((n) => n.target?.version === label)
          .map((n) => n.name),
      }),
    );
    return { revision, version: must(writer.view(), result.label), nodes: result.nodes };
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

  /** Who gets it, or why nobody may: a tie, a node that cannot render it, a node that cannot carry it. */
  private plan(view: Snapshot, version: StoredVersion, target: Target): { hit: Node[] } {
    const all = view.list('node');
    const text = this.text(version);
    const tie = tieWith(this.needs.templates.standing(view), version.label, target, all);
    if (tie) {
      throw new AppError(
        'conflict',
        `${tie.label} is published to ${describeTarget(tie.target)}, which names ${tie.node} as closely as ${describeTarget(target)} does; name the node, a label or the region more closely`,
      );
    }
    const hit = all.filter((n) => targets(target, n));
    for (const node of hit) {
      const rendered = renderFor(text, node);
      if (!rendered.ok) {
        const first = rendered.refusals[0] as Refusal;
        throw new AppError(
          'invalid',
          `${version.label} cannot be rendered for ${node.name}: ${formatRefusal(first)}`,
          {
            refusals: rendered.refusals,
          },
        );
      }
      const missing = lacking(rendered.document, node);
      if (missing.length > 0) {
        throw new AppError(
          'unsupported',
          `${node.name} cannot carry ${version.label}: its engine lacks ${missing.join(', ')}`,
        );
      }
    }
    return { hit };
  }

  private published(
    m: Mutation,
    view: Snapshot,
    version: StoredVersion,
    target: Target,
    now: number,
    revision: number,
  ): Decision<readonly NodeName[]> {
    this.plan(view, version, target);
    const publication = {
      target,
      publishedBy: m.caller.actor,
      publishedAt: now,
      reason: safeText(m.reason, { max: LONGEST_TEXT }),
      revision,
    };
    const value: ConfigVersion = {
      ...version,
      publications: [...version.publications, publication],
      modRevision: revision,
    };
    // Decided on the state as it will be: with this publication in it.
    const after = overlay(view, value, revision);
    let settled = nothing();
    const nodes: NodeName[] = [];
    for (const node of view.list('node')) {
      if (!targets(target, node)) continue;
      if (winner(this.needs.templates.standing(after), node)?.label !== version.label) continue;
      nodes.push(node.name);
      settled = merge(
        settled,
        this.needs.agents.settle(node, aimed(node, this.needs.templates, after, now), after),
      );
    }
    const verb = version.rollbackOf ? `rolled back to the content of ${version.rollbackOf} as` : 'published';
    const reason = m.reason.trim() === '' ? '' : `: ${m.reason}`;
    return {
      ops: [{ op: 'put', kind: 'version', key: version.label, value }, ...settled.ops],
      events: [
        {
          kind: 'config',
          who: m.caller.actor,
          subject: version.label,
          level: 'info',
          text: `${verb} ${version.label} to ${describeTarget(target)}, ${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}${reason}`,
        },
      ],
      effects: settled.effects ?? [],
      result: nodes,
    };
  }

  /**
   * What a rollback of `label` would do. Without a narrower target it covers the target it was last published to;
   * a narrower one gets a publication of its own.
   */
  private rollbackPlan(
    view: Snapshot,
    label: string,
    narrowed: Target,
  ): { from: ConfigVersion; target: Target; nodes: readonly Node[] } {
    const version = must(view, label);
    const versions = view.list('version');
    const last = version.publications.at(-1);
    if (!last)
      throw new AppError(
        'precondition',
        `${version.label} is not published anywhere; there is nothing to take back`,
      );
    const target = isEmpty(narrowed) ? last.target : narrowed;
    const stands = standing(versions);
    const nodes = view
      .list('node')
      .filter((n) => targets(target, n) && winner(stands, n)?.label === version.label);
    const previous = predecessor(
      versions,
      version.label,
      sameTarget(target, last.target) ? target : last.target,
    );
    if (previous === null) {
      throw new AppError(
        'precondition',
        `nothing ran before ${version.label}; publish another version instead`,
      );
    }
    return { from: must(view, previous), target, nodes };
  }

  private text(version: Pick<StoredVersion, 'bodyHash' | 'label'>): string {
    const text = this.needs.templates.known(version.bodyHash);
    if (text === undefined) throw new AppError('internal', `the body of ${version.label} is not loaded`);
    return text;
  }
}

/** The template with stand-ins for its variables: everything but their values can be checked before a node is known. */
function checkTemplate(text: string): readonly Refusal[] {
  // A port is the one value that fits wherever an address, a name or a number may stand.
  const vars = Object.fromEntries(templateVariables(text).map((name) => [name, '1024']));
  const rendered = renderTemplate(text, vars);
  if (!rendered.ok) return rendered.refusals;
  const read = readDocument(rendered.text);
  return read.ok ? [] : read.refusals;
}

function refuseBad(refusals: readonly Refusal[]): void {
  const [first, ...more] = refusals;
  if (!first) return;
  const others = more.length > 0 ? ` (and ${more.length} more)` : '';
  throw new AppError('invalid', `${formatRefusal(first)}${others}`, { refusals });
}

function decode(body: Uint8Array): string {
  if (body.length > MOST_BYTES)
    throw new AppError('too_large', `a config may have ${MOST_BYTES} bytes, this one has ${body.length}`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (cause) {
    throw new AppError('invalid', 'the config is not UTF-8 text', { cause });
  }
}

function must(view: Snapshot, label: string): ConfigVersion {
  const version = view.get('version', label);
  if (!version) throw new AppError('not_found', `there is no config version ${quoted(label)}`);
  return version;
}

function overlay(view: Snapshot, version: ConfigVersion, revision: number): Snapshot {
  return {
    revision,
    get: (kind, key) =>
      kind === 'version' && key === version.label ? (version as never) : view.get(kind, key),
    list: (kind) => {
      if (kind !== 'version') return view.list(kind);
      const others = view.list('version').filter((v) => v.label !== version.label);
      return [...others, version] as never;
    },
    count: (kind) => view.count(kind),
  };
}

function isEmpty(t: Target): boolean {
  return describeTarget(t) === 'all nodes';
}

const quoted = (s: string): string => JSON.stringify(safeText(s, { max: 64 }));
