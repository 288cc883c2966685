import type { Target } from '../../proto/vocab/config-version.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { NODE_TYPES, type NodeType } from '../../proto/vocab/node.ts';
import type { RolloutVerb } from '../../proto/vocab/rollout.ts';
import type { Intent, ScreenId } from './intent.ts';
import { asIs, type Words, words } from './words.ts';

/** What `:` takes. Usage as it stands under the line. */
export const COMMANDS: readonly { readonly name: string; readonly usage: string; readonly what: Words }[] = [
  {
    name: 'publish',
    usage: 'publish VERSION [region=R type=T NODE …|all]',
    what: words('asks with the blast radius', '先给出影响范围再询问'),
  },
  { name: 'rollout', usage: 'rollout [ID]', what: words('shows it', '查看') },
  { name: 'promote', usage: 'promote [ID] [--full]', what: words('asks', '先询问') },
  { name: 'pause', usage: 'pause [ID]', what: words('at once', '立即') },
  { name: 'resume', usage: 'resume [ID]', what: words('at once', '立即') },
  { name: 'abort', usage: 'abort [ID]', what: words('asks', '先询问') },
  { name: 'undo', usage: 'undo [ID]', what: words('asks', '先询问') },
  { name: 'retry', usage: 'retry [ID]', what: words('what failed, once more; asks', '重试失败者；先询问') },
  { name: 'revert', usage: 'revert', what: words('the last publish, as U', '上次发布，同 U') },
  { name: 'versions', usage: 'versions', what: words('config versions', '配置版本') },
  { name: 'nodes', usage: 'nodes [FILTER]', what: words('as / has it', '同 /') },
  { name: 'regions', usage: 'regions', what: words('screen 2', '第 2 屏') },
  { name: 'alerts', usage: 'alerts', what: words('screen 4', '第 4 屏') },
  { name: 'quit', usage: 'quit', what: words('leaves', '退出') },
];

export type Parsed =
  | { readonly kind: 'intent'; readonly intent: Intent }
  | { readonly kind: 'error'; readonly why: Words };

const VERBS: readonly string[] = [
  'pause',
  'resume',
  'promote',
  'abort',
  'undo',
  'retry',
] satisfies RolloutVerb[];

function means(intent: Intent): Parsed {
  return { kind: 'intent', intent };
}

function usage(name: string): Parsed {
  const found = COMMANDS.find((c) => c.name === name);
  return { kind: 'error', why: asIs(`:${found?.usage ?? name}`) };
}

/** `region=hk type=edge`, node names, `all`; `null`: a part that is none of these. */
function targetOf(parts: readonly string[]): Target | null {
  const nodes: NodeName[] = [];
  const labels: Record<string, string> = {};
  const regions: string[] = [];
  let nodeType: NodeType | undefined;
  for (const part of parts) {
    const at = part.indexOf('=');
    if (part === 'all' && parts.length === 1) return {};
    if (at < 0) nodes.push(part as NodeName);
    else {
      const [key, value] = [part.slice(0, at), part.slice(at + 1)];
      if (key === '' || value === '') return null;
      if (key === 'region') regions.push(...value.split(','));
      else if (key === 'type') {
        nodeType = NODE_TYPES.find((t) => t === value);
        if (nodeType === undefined) return null;
      } else if (key === '__proto__') return null;
      else labels[key] = value;
    }
  }
  return {
    ...(nodes.length === 0 ? {} : { nodes }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(nodeType === undefined ? {} : { nodeType }),
    ...(regions.length === 0 ? {} : { regions }),
  };
}

const SCREENS: Readonly<Record<string, ScreenId>> = { regions: 'regions', alerts: 'alerts' };

/** A line of `:` -> what it means, or what was expected instead. */
export function parseCommand(line: string): Parsed {
  const [name = '', ...rest] = line
    .trim()
    .split(/\s+/)
    .filter((p) => p !== '');
  if (VERBS.includes(name)) {
    const full = name === 'promote' && rest.includes('--full');
    const [id, ...more] = rest.filter((p) => !(full && p === '--full'));
    if (more.length > 0 || id?.startsWith('-')) return usage(name);
    const verb = full ? 'promote_full' : (name as RolloutVerb);
    return means({ kind: 'rollout-verb', verb, id: id ?? null });
  }
  switch (name) {
    case 'publish': {
      const [label, ...to] = rest;
      const target = targetOf(to);
      if (label === undefined || target === null) return usage(name);
      return means({ kind: 'publish', label, target: to.length === 0 ? null : target });
    }
    case 'rollout':
      return rest.length > 1 ? usage(name) : means({ kind: 'open-rollout', id: rest[0] ?? null });
    case 'versions':
      return means({ kind: 'open-screen', screen: 'rollouts', pane: 'versions' });
    case 'nodes':
      return means({ kind: 'open-screen', screen: 'nodes', filter: rest.join(' ') });
    case 'regions':
    case 'alerts':
      return means({ kind: 'open-screen', screen: SCREENS[name] ?? 'nodes' });
    case 'revert':
      return means({ kind: 'revert-last' });
    case 'q':
    case 'quit':
      return means({ kind: 'quit' });
    default: {
      const names = COMMANDS.map((c) => c.name).join(' ');
      return {
        kind: 'error',
        why: words(`no such command; there are: ${names}`, `没有该命令；可用：${names}`),
      };
    }
  }
}

/** The command being typed, for its hint; `null`: several could be meant. */
export function commandHint(line: string): (typeof COMMANDS)[number] | null {
  const [name = ''] = line.trimStart().split(/\s/);
  const could = COMMANDS.filter((c) => c.name.startsWith(name));
  return could.find((c) => c.name === name) ?? (could.length === 1 ? (could[0] ?? null) : null);
}

/** The names that what is typed could become; Tab completes to what they share. */
export function completeCommand(line: string): string {
  if (/\s/.test(line.trimStart())) return line;
  const could = COMMANDS.map((c) => c.name).filter((n) => n.startsWith(line.trim()));
  const [first] = could;
  if (first === undefined) return line;
  let n = first.length;
  while (!could.every((c) => c.startsWith(first.slice(0, n)))) n -= 1;
  return could.length === 1 ? `${first} ` : first.slice(0, n);
}
