import { redact } from '../../proto/document/redact.ts';
import { unifiedDiff } from '../../proto/document/unified.ts';
import { AppError, formatRefusal } from '../../proto/vocab/errors.ts';
import type { VersionLabel } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import type { NodeFacts } from '../core/rollout/facts.ts';
import type { ConfigReviews as Api } from './api.ts';
import { Blast } from './blast.ts';
import type { Clock, MetricsRings, Turns } from './ports.ts';
import { must } from './published.ts';
import type { Publisher } from './publisher.ts';
import { planOf, unfit } from './publishing.ts';
import { Slices } from './slices.ts';
import { templateRefusals } from './template-refusals.ts';
import type { Templates } from './templates.ts';
import { authorise, type Writer } from './write.ts';

interface Needs {
  readonly writer: Writer;
  readonly templates: Templates;
  readonly publisher: Publisher;
  readonly rings: MetricsRings;
  readonly clock: Clock;
  readonly turns: Turns;
}

const MOST_BYTES = 256 * 1024;
/** Nodes whose problems are told: the rest would say the same. */
const MOST_NODES = 500;

/** What is asked before a publication. Reads only. */
export class Reviews implements Api {
  private readonly needs: Needs;

  constructor(needs: Needs) {
    this.needs = needs;
  }

  async validate(...[caller, args]: Parameters<Api['validate']>): ReturnType<Api['validate']> {
    authorise(caller, 'config.create');
    const text = decode(args.body);
    const problems = templateRefusals(text);
    if (problems.length > 0 || args.target === null) return { problems, nodes: [] };
    const { writer, templates, clock } = this.needs;
    const view = writer.view();
    // It takes its place among what is published, as if it were.
    const draft = {
      label: DRAFT,
      description: '',
      bodyHash: templates.keepDraft(text),
      parent: null,
      rollbackOf: null,
      createdBy: caller.actor,
      createdAt: clock.now(),
      publications: [],
    };
    try {
      const by = { actor: caller.actor, reason: '', at: clock.now() };
      const plan = planOf(templates, view, draft, args.target, by);
      const nodes: { node: Node['name']; problems: ReturnType<typeof unfit> }[] = [];
      const slices = new Slices(this.needs);
      for (const node of plan.hit) {
        if (slices.over) await slices.next();
        const own = unfit(templates, plan, node);
        if (own.length > 0 && nodes.length < MOST_NODES) nodes.push({ node: node.name, problems: own });
      }
      return { problems, nodes };
    } finally {
      templates.forgetDraft(draft.bodyHash);
    }
  }

  async diff(...[caller, args]: Parameters<Api['diff']>): ReturnType<Api['diff']> {
    authorise(caller, 'watch');
    const { writer } = this.needs;
    const view = writer.view();
    const node = args.node === null ? null : view.get('node', args.node);
    if (node === undefined) {
      throw new AppError('not_found', `there is no node ${safeText(args.node ?? '', { max: 63 })}`);
    }
    const [from, to] = [await this.side(args.from, node), await this.side(args.to, node)];
    return unifiedDiff(from, to);
  }

  async previewPublish(
    ...[caller, args]: Parameters<Api['previewPublish']>
  ): ReturnType<Api['previewPublish']> {
    authorise(caller, 'watch');
    const { writer, templates, rings, clock, publisher } = this.needs;
    const strategy = publisher.strategy(args);
    await templates.body(must(writer.view(), args.label));
    const view = writer.view();
    const now = clock.now();
    const plan = publisher.plan({ caller, reason: '' }, view, must(view, args.label), args.target, now);
    // What they run now is compared with it.
    for (const label of new Set(plan.hit.flatMap((n) => n.effective?.version ?? []))) {
      const version = view.get('version', label);
      if (version) await templates.body(version);
    }
    const blast = new Blast({ templates, rings }, plan, now);
    const slices = new Slices(this.needs);
    const facts: NodeFacts[] = [];
    const factsOf = publisher.factsOf(plan, now);
    for (const node of plan.hit) {
      const own = factsOf(node);
      blast.add(node, own);
      facts.push(own);
      if (slices.over) await slices.next();
    }
    const steps = publisher.steps(view, plan, strategy, now, facts);
    await slices.next();
    return blast.told(steps);
  }

  private async side(label: string, node: Node | null) {
    const { writer, templates } = this.needs;
    const view = writer.view();
    const version = must(view, label);
    const text = await templates.body(version);
    if (!node) return { name: version.label, text, shown: redact(text) };
    const rendered = templates.render(view, version, node);
    if (!rendered.ok) {
      const [first] = rendered.refusals;
      const why = first ? formatRefusal(first) : 'it does not render';
      throw new AppError('invalid', `${version.label} cannot be rendered for ${node.name}: ${why}`, {
        refusals: rendered.refusals,
      });
    }
    const name = `${version.label} for ${node.name}`;
    const own = rendered.source.text();
    return { name, text: own, shown: redact(own) };
  }
}

/** No version can be called this. */
const DRAFT = '(draft)' as VersionLabel;

/** @throws AppError `too_large`, `invalid` */
export function decode(body: Uint8Array): string {
  if (body.length > MOST_BYTES)
    throw new AppError('too_large', `a config may have ${MOST_BYTES} bytes, this one has ${body.length}`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (cause) {
    throw new AppError('invalid', 'the config is not UTF-8 text', { cause });
  }
}
