import type { Scope } from '../../proto/document/variables.ts';
import type { Node } from '../../proto/vocab/node.ts';
import { formatSealedRef, type SecretKind, sealedVariable } from '../../proto/vocab/secret.ts';
import type { Subject } from '../core/config-version/target.ts';
import type { Snapshot } from './ports.ts';

// What a template may name: `${node.name}`, `${node.type}`, `${node.region}`, `${label.KEY}`, `${region.NAME}`,
// `${core.name}`, `${core.region}`, `${core.label.KEY}` in an entry that is repeated for each core, `${secret.NAME}` and
// `${cert.NAME}`.

type Values = Readonly<Record<string, string>>;

const SEALED: Readonly<Record<string, SecretKind>> = { secret: 'secret', cert: 'certificate' };

/** Cores of one state of the registry, by the list itself. */
const cores = new WeakMap<readonly Node[], readonly Values[]>();

/** @param names of the template: what is sealed is looked up by name and listed nowhere */
export function scopeOf(view: Snapshot, node: Subject, names: readonly string[]): Scope {
  const variables = Object.entries(view.get('region', node.region)?.variables ?? {});
  const vars: Record<string, string> = Object.fromEntries([
    ...Object.entries(node.labels).map(([k, v]) => [`label.${k}`, v] as const),
    ...variables.map(([k, v]) => [`region.${k}`, v] as const),
    ...sealedOf(view, names),
  ]);
  return {
    vars: { ...vars, 'node.name': node.name, 'node.type': node.nodeType, 'node.region': node.region },
    lists: {
      // Most templates name no cores, and who asks for them reads the whole registry.
      get core() {
        return coresOf(view);
      },
    },
    hints: (name) => hintFor(name, node),
  };
}

function sealedOf(view: Snapshot, names: readonly string[]): (readonly [string, string])[] {
  return names.flatMap((name) => {
    const asked = sealedName(name);
    const found = asked && view.get('secret', asked.name);
    if (!asked || found?.kind !== asked.kind) return [];
    return [[name, formatSealedRef(found)] as const];
  });
}

/** `cert.web` -> what it asks for; `null`: it asks for nothing sealed. */
export function sealedName(name: string): { readonly kind: SecretKind; readonly name: string } | null {
  const dot = name.indexOf('.');
  const word = name.slice(0, Math.max(dot, 0));
  const kind = Object.hasOwn(SEALED, word) ? SEALED[word] : undefined;
  return kind === undefined ? null : { kind, name: name.slice(dot + 1) };
}

/**
 * Cores that are members, eligible, and have run a document once, by name. Whether one answers at the moment is not asked:
 * the edges set a silent one aside themselves, within seconds, and a list that followed every blink would send documents
 * to the whole fleet with it.
 */
function coresOf(view: Snapshot): readonly Values[] {
  const nodes = view.list('node');
  const known = cores.get(nodes);
  if (known) return known;
  const made = nodes
    .filter((n) => n.nodeType === 'core' && isListed(n))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((n) => ({
      ...Object.fromEntries(Object.entries(n.labels).map(([k, v]) => [`label.${k}`, v])),
      name: n.name,
      region: n.region,
    }));
  cores.set(nodes, made);
  return made;
}

function isListed(n: Node): boolean {
  return n.identity === 'accepted' && n.eligibility === 'eligible' && n.initialized;
}

/** What of a node its own document, or those of others, depend on. */
export function registryFacts(n: Node): string {
  const listed = n.nodeType === 'core' && isListed(n);
  return JSON.stringify([n.identity, n.region, n.nodeType, n.labels, listed, n.capabilities]);
}

/** At a glance: what a config changes of a node is none of them. `false`: look closer. */
export function sameFacts(a: Node, b: Node): boolean {
  return (
    a.labels === b.labels &&
    a.capabilities === b.capabilities &&
    a.identity === b.identity &&
    a.region === b.region &&
    a.nodeType === b.nodeType &&
    a.eligibility === b.eligibility &&
    a.initialized === b.initialized
  );
}

const CORE_HINT =
  'write - {name: "$\u007bcore.name}", addr: "$\u007bcore.label.addr}:8443", …} as an entry of hops[].nodes: it is repeated for each core; addr is a label of the cores';

function hintFor(name: string, node: Subject | null): string | null {
  const asked = sealedName(name);
  if (asked) {
    const what = asked.kind === 'secret' ? 'secret' : 'certificate';
    return `there is no ${what} of that name on this master; put it there first`;
  }
  if (/^core_?nodes?$/i.test(name)) return CORE_HINT;
  if (name.startsWith('core.')) {
    return 'a core is listed once it has run a document and while it is eligible; give it the label';
  }
  if (name.startsWith('region.')) {
    const where = node ? `region ${node.region}` : 'the region';
    return `set it as a variable of ${where}`;
  }
  if (name.startsWith('label.') && node) return `give ${node.name} this label`;
  return null;
}

/** Whether a name stands for something that may come later: its absence is no fault of a template. */
export function isFreeName(name: string): boolean {
  return /^(?:label|region|core\.label)\./.test(name);
}

/** The scope of a node that has everything the template asks for. */
export function standInScope(names: readonly string[], free: Values): Scope {
  const core: Record<string, string> = { name: 'core-1', region: 'hk' };
  const vars: Record<string, string> = { 'node.name': 'node-1', 'node.region': 'hk', 'node.type': 'edge' };
  for (const [name, value] of Object.entries(free)) {
    if (name.startsWith('core.')) core[name.slice('core.'.length)] = value;
    else vars[name] = value;
  }
  for (const name of names) {
    const asked = sealedName(name);
    if (asked) vars[sealedVariable(asked)] = formatSealedRef({ ...asked, version: 1 });
  }
  return { vars, lists: { core: [core] }, hints: (name) => hintFor(name, null) };
}
