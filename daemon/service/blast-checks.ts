import { collide, parseAddress } from '../../proto/document/address.ts';
import { type BlastCheck, CHECKS } from '../../proto/vocab/blast.ts';
import type { ConfigVersion } from '../../proto/vocab/config-version.ts';
import { formatRefusal } from '../../proto/vocab/errors.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import type { Node, NodeStatus } from '../../proto/vocab/node.ts';
import { sealedVariable } from '../../proto/vocab/secret.ts';
import type { ListenerChange } from './blast-listeners.ts';
import { lacking, type Rendered } from './rendering.ts';
import { sealedName } from './scope.ts';
import type { Templates } from './templates.ts';

type Name = BlastCheck['check'];
type Verdict = BlastCheck['verdict'];

/** Names and things looked at that are told of one check. */
const MOST_NODES = 10;
const MOST_ABOUT = 16;
/** What is told of several nodes is the worst that is found. */
const WORSE: readonly Verdict[] = ['pass', 'unknown', 'warn', 'fail'];

interface Sum {
  of: number;
  passed: number;
  verdict: Verdict;
  /** How many the verdict is about, and the first of them. */
  bad: number;
  nodes: NodeName[];
  readonly about: Map<string, number>;
  why: string;
}

/** What was looked at before, node by node. */
export class Checks {
  private readonly names: readonly string[];
  private readonly sums = new Map<Name, Sum>(
    CHECKS.map((c) => [
      c,
      { of: 0, passed: 0, verdict: 'pass', bad: 0, nodes: [], about: new Map(), why: '' },
    ]),
  );

  constructor(templates: Templates, version: ConfigVersion) {
    this.names = templates.names(version);
  }

  /** @param listeners `null`: the node cannot run it */
  add(node: Node, rendered: Rendered, listeners: ListenerChange | null, status: NodeStatus): void {
    this.document(node, rendered);
    if (rendered.ok) this.engine(node, rendered.requires);
    if (listeners && listeners.opens.length > 0) this.ports(node, listeners.opens);
    this.about('reach', status);
    if (status === 'ready' || status === 'initializing') this.pass('reach');
    else this.found('reach', 'warn', node, `it is ${status}`);
  }

  told(): readonly BlastCheck[] {
    return [...this.sums].flatMap(([check, s]) => {
      if (s.of === 0) return [];
      const { of, passed, verdict, bad, nodes, why } = s;
      return [{ check, verdict, passed, of, bad, about: this.aboutOf(check, s), nodes, why }];
    });
  }

  private aboutOf(check: Name, s: Sum): readonly string[] {
    if (check === 'variables') {
      return this.names.filter((n) => sealedName(n) === null).slice(0, MOST_ABOUT);
    }
    const counted = check === 'engines' || check === 'reach';
    return [...s.about]
      .toSorted((a, b) => b[1] - a[1])
      .slice(0, MOST_ABOUT)
      .map(([what, n]) => (counted ? `${what} ${n}` : what));
  }

  /** One thing after the other: what has no values is not read, what is not read names nothing. */
  private document(node: Node, rendered: Rendered): void {
    const [first] = rendered.ok ? [] : rendered.refusals;
    const why = first ? formatRefusal(first) : '';
    const at = rendered.ok ? null : rendered.at;
    const seals = this.names.some((n) => sealedName(n) !== null);
    for (const check of ['variables', 'schema', ...(seals ? (['sealed'] as const) : [])] as const) {
      if (check === at) {
        this.found(check, 'fail', node, why);
        return;
      }
      this.pass(check);
    }
    if (rendered.ok) for (const ref of rendered.sealed) this.about('sealed', sealedVariable(ref));
  }

  private engine(node: Node, requires: readonly string[]): void {
    if (node.engine) this.about('engines', node.engine.kind);
    if (node.capabilities.length === 0) {
      this.found('engines', 'unknown', node, 'it has not said what it can carry');
      return;
    }
    const missing = lacking(requires, node);
    if (missing.length === 0) this.pass('engines');
    else this.found('engines', 'fail', node, `it lacks ${missing.join(', ')}`);
  }

  private ports(node: Node, opens: ListenerChange['opens']): void {
    for (const o of opens) this.about('ports', o.addr);
    const own = takenByItself(node, opens);
    if (own !== null) this.found('ports', 'fail', node, own);
    else if (saidTaken(node, opens)) this.found('ports', 'warn', node, node.failure?.refusal.message ?? '');
    else this.found('ports', 'unknown', null, '');
  }

  private pass(check: Name): void {
    const sum = this.sum(check);
    sum.of += 1;
    sum.passed += 1;
  }

  /** @param node `null`: none that should be named */
  private found(check: Name, verdict: Verdict, node: Node | null, why: string): void {
    const sum = this.sum(check);
    sum.of += 1;
    const worse = WORSE.indexOf(verdict) - WORSE.indexOf(sum.verdict);
    if (worse < 0) return;
    if (worse > 0)
      Object.assign(sum, { verdict, bad: 0, nodes: [], why: node === null ? why : `${node.name}: ${why}` });
    sum.bad += 1;
    if (node !== null && sum.nodes.length < MOST_NODES) sum.nodes.push(node.name);
  }

  private about(check: Name, what: string): void {
    const { about } = this.sum(check);
    about.set(what, (about.get(what) ?? 0) + 1);
  }

  private sum(check: Name): Sum {
    return this.sums.get(check) as Sum;
  }
}

/** A new listener is opened before one that goes is closed: on the same port of another address it is refused. */
function takenByItself(node: Node, opens: ListenerChange['opens']): string | null {
  for (const o of opens) {
    const at = parseAddress(o.addr, 'listen');
    for (const l of node.engine?.listeners ?? []) {
      const was = parseAddress(l.addr, 'listen');
      if (typeof at === 'string' || typeof was === 'string' || !collide(at, was)) continue;
      return `${o.addr} of ${o.service} is in use by ${l.service} ${l.addr} of what it runs; remove that in one version, add this in the next`;
    }
  }
  return null;
}

/** What it last refused, it refused for one of these ports. */
function saidTaken(node: Node, opens: ListenerChange['opens']): boolean {
  const refusal = node.failure?.refusal;
  if (refusal?.code !== 'in_use') return false;
  const port = /\bport (\d+)\b/.exec(refusal.message)?.[1];
  return port !== undefined && opens.some((o) => o.addr.endsWith(`:${port}`));
}
