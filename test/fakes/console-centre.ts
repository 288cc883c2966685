import { readDocument } from '../../proto/document/read.ts';
import { redact } from '../../proto/document/redact.ts';
import { unifiedDiff } from '../../proto/document/unified.ts';
import type { BlastRadius } from '../../proto/vocab/blast.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { VersionLabel } from '../../proto/vocab/ids.ts';
import type { Node, NodeVitals } from '../../proto/vocab/node.ts';
import type { SecretKind, SecretView } from '../../proto/vocab/secret.ts';
import type { RegionVariables } from '../../proto/vocab/variables.ts';
import { fakeStrategy } from './console-rollouts.ts';

/** The console master's variables and secrets, and what it says of bodies. Values are not kept: nobody asks for them. */
export class CentreTwin {
  readonly #secrets = new Map<string, SecretView>();
  readonly #regions = new Map<string, RegionVariables>();
  readonly #now: () => number;

  constructor(needs: { now: () => number }) {
    this.#now = needs.now;
  }

  validate(body: Uint8Array) {
    const r = readDocument(new TextDecoder().decode(body));
    return { problems: r.ok ? [] : r.refusals, nodes: [] };
  }

  diff(from: { name: string; body: Uint8Array }, to: { name: string; body: Uint8Array }) {
    const side = ({ name, body }: { name: string; body: Uint8Array }) => {
      const text = new TextDecoder().decode(body);
      return { name, text, shown: redact(text) };
    };
    return unifiedDiff(side(from), side(to));
  }

  blast(label: VersionLabel, nodes: readonly Node[], vitals: ReadonlyMap<string, NodeVitals>): BlastRadius {
    const hit = nodes.map((n) => ({
      name: n.name,
      region: n.region,
      nodeType: n.nodeType,
      streams: vitals.get(n.name)?.streams ?? 0,
      from: n.effective?.version ?? null,
      change: n.effective?.version === label ? ('unchanged' as const) : ('update' as const),
      why: n.effective?.version ? `it runs ${n.effective.version}` : 'it runs nothing yet',
      closes: [],
      opens: [],
    }));
    const regions = [...new Set(hit.map((n) => n.region))].toSorted().map((region) => {
      const own = hit.filter((n) => n.region === region);
      return { region, nodes: own.length, streams: own.reduce((sum, n) => sum + n.streams, 0) };
    });
    const streams = hit.reduce((sum, n) => sum + n.streams, 0);
    const plan = {
      strategy: fakeStrategy,
      steps: fakeStrategy.steps.map((step) => ({ step, targets: hit.length, atLeastMs: 15_000 })),
      supersedes: [],
      atLeastMs: 60_000,
    };
    const here = hit.filter((n) => vitals.get(n.name)?.status === 'ready');
    const reach = {
      ...({
        check: 'reach',
        verdict: here.length === hit.length ? 'pass' : 'warn',
        passed: here.length,
      } as const),
      ...{ of: hit.length, bad: hit.length - here.length, about: [], nodes: [], why: '' },
    };
    return {
      ...{ toLabel: label, nodes: hit, regions, streams, streamsCut: 0, listenersClosed: 0, listeners: [] },
      ...{ routes: [], routesUnknown: 0, more: 0, checks: [reach], warnings: [], plan },
    };
  }

  get regions(): readonly RegionVariables[] {
    return [...this.#regions.values()];
  }

  setRegion(
    region: string,
    by: Readonly<Record<string, string | null>>,
    modRevision: number,
  ): RegionVariables {
    const all = { ...this.#regions.get(region)?.variables, ...by };
    const variables = Object.fromEntries(
      Object.entries(all).filter((e): e is [string, string] => e[1] !== null),
    );
    const made = { region, variables, updatedBy: 'lin(1000)', updatedAt: this.#now(), modRevision };
    this.#regions.set(region, made);
    return made;
  }

  get secrets(): readonly SecretView[] {
    return [...this.#secrets.values()];
  }

  put(name: string, kind: SecretKind, modRevision: number): SecretView {
    const version = (this.#secrets.get(name)?.version ?? 0) + 1;
    const made: SecretView = {
      ...{ name, kind, version, updatedBy: 'lin(1000)', updatedAt: this.#now(), modRevision },
      notAfter: kind === 'certificate' ? this.#now() + 90 * 86_400_000 : null,
      names: kind === 'certificate' ? [`${name}.example`] : [],
      usedBy: [],
    };
    this.#secrets.set(name, made);
    return made;
  }

  remove(name: string): void {
    if (!this.#secrets.delete(name)) throw new AppError('not_found', `there is no secret ${name}`);
  }
}
