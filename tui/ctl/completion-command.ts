import { Argument, type Command } from 'commander';
import type { Master } from '../client/place.ts';
import { BASH, type Names, wantedAt, ZSH } from './completion.ts';
import type { Contexts } from './context-commands.ts';
import type { Ctl } from './ctl.ts';
import type { Api, CtlIo } from './io.ts';

/** Nobody waits longer for a tab. */
const PATIENCE_MS = 700;

interface Needs {
  readonly io: CtlIo;
  readonly master: () => Master;
  readonly contexts: Contexts;
}

const HELP = `
  bash   source <(aicdnctl completion bash)     in ~/.bashrc
  zsh    source <(aicdnctl completion zsh)      in ~/.zshrc, after compinit`;

export function completionCommands(program: Command, ctl: Ctl, needs: Needs): void {
  program
    .command('completion')
    .description('completion of commands, flags and names for a shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh']))
    .addHelpText('after', HELP)
    .action((shell: string) => ctl.local(({ io }) => io.out(shell === 'bash' ? BASH : ZSH)));

  program
    .command('__complete', { hidden: true })
    .argument('[word...]')
    .action(async (words: readonly string[] = []) => {
      const found = await candidates(program, words, needs).catch(() => []);
      needs.io.out(found.map((w) => `${w}\n`).join(''));
    });
}

async function candidates(
  program: Command,
  words: readonly string[],
  needs: Needs,
): Promise<readonly string[]> {
  const wanted = wantedAt(program, words);
  if (wanted.kind === 'files') return [':files'];
  const current = words.at(-1) ?? '';
  // `--region=h` wants names behind its sign.
  const head = wanted.kind === 'names' && /^--[a-z-]+=/.exec(current)?.[0];
  const all = wanted.kind === 'words' ? wanted.words : await namesOf(wanted.of, needs);
  return [...new Set(all.map((w) => (head ? head + w : w)))].filter((w) => w.startsWith(current)).sort();
}

async function namesOf(of: Names, needs: Needs): Promise<readonly string[]> {
  if (of === 'contexts') return needs.contexts.all().contexts.map((c) => c.name);
  const { io } = needs;
  const api = io.connect(needs.master());
  try {
    return await Promise.race([ask(api, of), io.sleep(PATIENCE_MS).then(() => [])]);
  } finally {
    api.close();
  }
}

async function ask(api: Api, of: Exclude<Names, 'contexts'>): Promise<readonly string[]> {
  switch (of) {
    case 'nodes':
    case 'regions':
    case 'labels':
    case 'targets': {
      const { nodes } = await api.listNodes();
      const regions = nodes.map((n) => n.region);
      const labels = nodes.flatMap((n) => Object.entries(n.labels).map(([k, v]) => `${k}=${v}`));
      if (of === 'nodes') return nodes.map((n) => n.name);
      if (of === 'regions') return regions;
      if (of === 'labels') return labels;
      const named = regions.map((r) => `region=${r}`);
      return [...nodes.map((n) => n.name), ...named, ...labels, 'type=edge', 'type=core', 'all'];
    }
    case 'versions':
      return (await api.listConfigs()).map((v) => v.label);
    case 'commands':
      return (await api.listCommands({ limit: 50, before: null })).commands.map((c) => c.id);
    case 'rollouts':
      return (await api.listRollouts({ limit: 50, before: null })).rollouts.map((r) => r.id);
    case 'silences':
      return (await api.listAlerts()).silences.map((s) => s.id);
    case 'tokens':
      return (await api.listTokens()).map((t) => t.id);
    case 'users':
      return (await api.listUsers()).map((u) => u.name);
    case 'api-keys':
      return (await api.listApiKeys()).map((k) => k.id);
    case 'secrets':
    case 'certificates': {
      const kind = of === 'secrets' ? 'secret' : 'certificate';
      return (await api.listSecrets()).filter((s) => s.kind === kind).map((s) => s.name);
    }
  }
}
