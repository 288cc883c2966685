import { InvalidArgumentError } from 'commander';
import type { Target } from '../../proto/vocab/config-version.ts';
import { parseDuration } from '../../proto/vocab/duration.ts';
import { isNodeName, isWord, type NodeName } from '../../proto/vocab/ids.ts';
import type { Matcher } from '../../proto/vocab/matcher.ts';
import { NODE_TYPES, type NodeType } from '../../proto/vocab/node.ts';

// Readers of what is typed after a command. Each throws InvalidArgumentError: usage, exit status 2.

export function nodeType(text: string): NodeType {
  const found = NODE_TYPES.find((t) => t === text);
  if (found === undefined) throw new InvalidArgumentError(`one of ${NODE_TYPES.join(', ')}.`);
  return found;
}

export function word(text: string): string {
  if (!isWord(text)) throw new InvalidArgumentError('up to 63 of a-z, 0-9, -, _ and .');
  return text;
}

export function nodeName(text: string): NodeName {
  const name = text.normalize('NFC');
  if (!isNodeName(name))
    throw new InvalidArgumentError('not a node name: up to 63 of a-z, 0-9, letters and -.');
  return name;
}

export function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === null || ms <= 0) throw new InvalidArgumentError('a duration: 15m, 1h30m, 24h.');
  return ms;
}

function label(text: string): readonly [string, string] {
  const m = /^([a-z0-9][a-z0-9._/-]*)=(.*)$/.exec(text);
  if (m === null) throw new InvalidArgumentError('name=value.');
  return [m[1] ?? '', m[2] ?? ''];
}

export function labels(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [name, value] = label(text);
  return { ...before, [name]: value };
}

export function many<T>(read: (text: string) => T): (text: string, before?: readonly T[]) => readonly T[] {
  return (text, before = []) => [...before, read(text)];
}

/** `region=~"hk|sg"`, `node=hk-1`, `alertname!=NodeDown`, `type!~core` */
export function matcher(text: string): Matcher {
  const m = /^([A-Za-z0-9_][A-Za-z0-9_.-]*)(=~|!~|!=|=)(.*)$/su.exec(text);
  if (m === null) throw new InvalidArgumentError('name=value, name!=value, name=~regex or name!~regex.');
  const value = (m[3] ?? '').replace(/^"(.*)"$/s, '$1');
  const isRegex = m[2] === '=~' || m[2] === '!~';
  if (isRegex) {
    try {
      new RegExp(value, 'u');
    } catch {
      throw new InvalidArgumentError(`${value} is not a regular expression.`);
    }
  }
  return { name: m[1] ?? '', value, isRegex, isEqual: m[2] === '=' || m[2] === '=~' };
}

export interface TargetFlags {
  readonly type?: NodeType;
  readonly region?: readonly string[];
  readonly node?: readonly NodeName[];
  readonly labelSelector?: Readonly<Record<string, string>>;
}

export function targetOf(f: TargetFlags): Target {
  return {
    ...(f.node === undefined ? {} : { nodes: f.node }),
    ...(f.labelSelector === undefined ? {} : { labels: f.labelSelector }),
    ...(f.type === undefined ? {} : { nodeType: f.type }),
    ...(f.region === undefined ? {} : { regions: f.region }),
  };
}

/** `hk-1 hk-2`, `region=hk`, `type=edge`, `rack=a3`, `all`; all given parts must hold. */
export function targetOfWords(given: readonly string[]): Target {
  const nodes: NodeName[] = [];
  const regions: string[] = [];
  let all = false;
  let type: NodeType | undefined;
  let selector: Record<string, string> | undefined;
  for (const text of given) {
    if (text === 'all') all = true;
    else if (!text.includes('=')) nodes.push(nodeName(text));
    else {
      const [name, value] = label(text);
      if (name === 'region') regions.push(word(value));
      else if (name === 'type') type = nodeType(value);
      else if (name === 'node') nodes.push(nodeName(value));
      else selector = { ...selector, [name]: value };
    }
  }
  if (all && given.length > 1) throw new InvalidArgumentError('all stands alone.');
  return targetOf({
    ...(nodes.length > 0 ? { node: nodes } : {}),
    ...(regions.length > 0 ? { region: regions } : {}),
    ...(type === undefined ? {} : { type }),
    ...(selector === undefined ? {} : { labelSelector: selector }),
  });
}

/** `region=hk type=edge`, `everybody` */
export function formatTarget(t: Target): string {
  const parts = [
    ...(t.nodes ?? []),
    ...Object.entries(t.labels ?? {}).map(([k, v]) => `${k}=${v}`),
    ...(t.nodeType === undefined ? [] : [`type=${t.nodeType}`]),
    ...(t.regions ?? []).map((r) => `region=${r}`),
  ];
  return parts.length === 0 ? 'everybody' : parts.join(' ');
}

/** `rack=a3` sets, `rack-` takes away. */
export function changes(given: readonly string[]): Readonly<Record<string, string | null>> {
  const all: Record<string, string | null> = {};
  for (const text of given) {
    const m = /^([A-Za-z0-9_][A-Za-z0-9._/-]*?)(?:=(.*)|-)$/s.exec(text);
    if (m?.[1] === undefined) throw new InvalidArgumentError(`${text}: NAME=VALUE sets, NAME- takes away.`);
    if (Object.hasOwn(all, m[1])) throw new InvalidArgumentError(`${m[1]} is given twice.`);
    all[m[1]] = m[2] ?? null;
  }
  return all;
}
