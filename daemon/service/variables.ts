import { AppError, formatRefusal } from '../../proto/vocab/errors.ts';
import { isWord, type NodeName } from '../../proto/vocab/ids.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { isVariableWord, type RegionVariables } from '../../proto/vocab/variables.ts';
import type { VariablesService as Api, Mutation } from './api.ts';
import { type FollowNeeds, following } from './follow.ts';
import type { Snapshot } from './ports.ts';
import { withEntity } from './published.ts';
import { unfitness } from './rendering.ts';
import { guardRevision, type Writer } from './write.ts';

const LONGEST_VALUE = 253;
const MOST_VARIABLES = 64;

/** What `${region.NAME}` stands for: a commit a change, with who, when and why. */
export class VariablesService implements Api {
  private readonly needs: FollowNeeds & { readonly writer: Writer };

  constructor(needs: FollowNeeds & { readonly writer: Writer }) {
    this.needs = needs;
  }

  listRegions(): readonly RegionVariables[] {
    return this.needs.writer.view().list('region');
  }

  async setRegion(
    m: Mutation,
    args: { region: string; variables: Readonly<Record<string, string | null>> },
  ): ReturnType<Api['setRegion']> {
    const { region } = args;
    check(args);
    const { writer } = this.needs;
    const { revision, result } = await writer.mutate<readonly NodeName[]>(
      m,
      'config.publish',
      args,
      (view, now, next) => {
        const old = view.get('region', region);
        guardRevision(m, `the variables of ${region}`, old?.modRevision);
        const variables = changed(old?.variables ?? {}, args.variables);
        const value: RegionVariables = {
          region,
          variables,
          updatedBy: m.caller.actor,
          updatedAt: now,
          modRevision: next,
        };
        const after = withEntity(view, 'region', region, value);
        this.refuseBroken(view, after, region);
        const { nodes, decision } = following(
          this.needs,
          after,
          now,
          (n, names) => n.region === region && names.some(isOfRegion),
        );
        const told = Object.entries(args.variables).map(([k, v]) =>
          v === null ? `took ${k} away` : `set ${k} to ${v}`,
        );
        const reason = m.reason.trim() === '' ? '' : `: ${m.reason}`;
        const text = `region ${region}: ${told.join(', ')}; ${nodes.length} nodes follow${reason}`;
        return {
          ops: [{ op: 'put', kind: 'region', key: region, value }, ...decision.ops],
          events: [
            { kind: 'config', who: m.caller.actor, subject: region, level: 'info', text },
            ...decision.events,
          ],
          effects: decision.effects ?? [],
          result: nodes,
        };
      },
      () => region,
      () => [],
    );
    const kept = writer.view().get('region', region);
    if (!kept) throw new AppError('internal', `the variables of ${region} are gone`);
    return { revision, region: kept, nodes: result };
  }

  /** @throws AppError `invalid` naming a node that would lose its document */
  private refuseBroken(view: Snapshot, after: Snapshot, region: string): void {
    const { templates } = this.needs;
    for (const node of view.list('node')) {
      if (node.region !== region || node.identity !== 'accepted') continue;
      const version = templates.chosen(view, node);
      if (!version || !templates.names(version).some(isOfRegion)) continue;
      const was = templates.wanted(view, node);
      const will = templates.wanted(after, node);
      if (!will || !was?.rendered.ok) continue;
      const [first] = will.rendered.ok ? [] : unfitness(will.rendered, node);
      if (!first) continue;
      throw new AppError(
        'invalid',
        `${will.label} could not be rendered for ${node.name} any more: ${formatRefusal(first)}`,
        { refusals: [first] },
      );
    }
  }
}

/** @throws AppError `invalid` */
function check({ region, variables }: Parameters<Api['setRegion']>[1]): void {
  const bad = (why: string): never => {
    throw new AppError('invalid', why);
  };
  if (!isWord(region)) bad(`region ${quoted(region)}: a-z, 0-9, -, _ and . are wanted, such as hk`);
  const all = Object.entries(variables);
  if (all.length === 0) bad('no variable is named: nothing would change');
  for (const [name, value] of all) {
    if (!isVariableWord(name)) bad(`variable ${quoted(name)}: letters, digits, _, - and . are wanted`);
    if (value === null) continue;
    if (value === '') bad(`variable ${name} is empty: take it away instead`);
    if (value.length > LONGEST_VALUE) bad(`variable ${name} is longer than ${LONGEST_VALUE} characters`);
    if (safeText(value, { max: LONGEST_VALUE }) !== value) bad(`variable ${name} holds what cannot be seen`);
  }
}

/** Sorted by name. @throws AppError `too_large` */
function changed(
  old: Readonly<Record<string, string>>,
  by: Readonly<Record<string, string | null>>,
): Readonly<Record<string, string>> {
  const all = new Map(Object.entries(old));
  for (const [name, value] of Object.entries(by)) {
    if (value === null) all.delete(name);
    else all.set(name, value);
  }
  if (all.size > MOST_VARIABLES) {
    throw new AppError('too_large', `a region has at most ${MOST_VARIABLES} variables`);
  }
  return Object.fromEntries([...all].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

const isOfRegion = (name: string): boolean => name.startsWith('region.');

const quoted = (s: string): string => JSON.stringify(safeText(s, { max: 63 }));
