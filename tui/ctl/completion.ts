import type { Argument, Command, Option } from 'commander';

/** What is wanted at the cursor, as far as the command line alone says. */
export type Wanted =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'files' }
  | { readonly kind: 'names'; readonly of: Names };

/** Names that only a master, or the contexts file, knows. `targets`: nodes, and `region=` and label pairs. */
export type Names =
  | 'nodes'
  | 'regions'
  | 'labels'
  | 'targets'
  | 'versions'
  | 'contexts'
  | 'commands'
  | 'rollouts'
  | 'silences'
  | 'tokens'
  | 'users'
  | 'api-keys'
  | 'secrets'
  | 'certificates';

const OF_OPTION: Readonly<Record<string, Names>> = {
  '--context': 'contexts',
  '--region': 'regions',
  '--node': 'nodes',
  '--replace': 'nodes',
  '--label-selector': 'labels',
  '--parent': 'versions',
  '--actor': 'users',
};

const FILES = ['--socket', '--from-file', '--cert', '--key', '--chain', '--passphrase-file'];

/** By noun and argument; `*` is any noun. */
const OF_ARGUMENT: Readonly<Record<string, Names | 'files'>> = {
  'nodes name': 'nodes',
  'logs name': 'nodes',
  '* target': 'targets',
  'configs label': 'versions',
  'configs from': 'versions',
  'configs to': 'versions',
  'contexts name': 'contexts',
  'commands id': 'commands',
  'rollouts id': 'rollouts',
  'silences id': 'silences',
  'tokens id': 'tokens',
  'users name': 'users',
  'api-keys id': 'api-keys',
  'secrets name': 'secrets',
  'certificates name': 'certificates',
  'variables region': 'regions',
  '* file': 'files',
};

/** Making something takes a name that is not there yet. */
const MAKES = ['create', 'add'];

function optionAt(chain: readonly Command[], flag: string): Option | null {
  for (const c of chain.toReversed()) {
    const found = c.options.find((o) => o.long === flag || o.short === flag);
    if (found !== undefined) return found;
  }
  return null;
}

function ofOption(option: Option): Wanted {
  if (option.argChoices !== undefined) return { kind: 'words', words: option.argChoices };
  const long = option.long ?? '';
  if (FILES.includes(long)) return { kind: 'files' };
  if (long === '--type') return { kind: 'words', words: ['edge', 'core'] };
  const names = OF_OPTION[long];
  return names === undefined ? { kind: 'words', words: [] } : { kind: 'names', of: names };
}

function ofArgument(chain: readonly Command[], argument: Argument | undefined): Wanted {
  const last = chain.at(-1);
  if (argument === undefined || last === undefined) return { kind: 'words', words: [] };
  if (argument.argChoices !== undefined) return { kind: 'words', words: argument.argChoices };
  const noun = chain[1]?.name() ?? '';
  const found = OF_ARGUMENT[`${noun} ${argument.name()}`] ?? OF_ARGUMENT[`* ${argument.name()}`];
  if (found === undefined || (MAKES.includes(last.name()) && found !== 'files'))
    return { kind: 'words', words: [] };
  return found === 'files' ? { kind: 'files' } : { kind: 'names', of: found };
}

/** @param words what stands behind the program's name; the last one is being written, and may be empty */
export function wantedAt(program: Command, words: readonly string[]): Wanted {
  const chain: Command[] = [program];
  let positions = 0;
  let value: Option | null = null;
  const current = words.at(-1) ?? '';
  for (const word of words.slice(0, -1)) {
    const here = chain.at(-1) ?? program;
    if (value !== null) value = null;
    else if (word.startsWith('-')) {
      const option = word.includes('=') ? null : optionAt(chain, word);
      value = option !== null && (option.required || option.optional) ? option : null;
    } else {
      const sub = here.commands.find((c) => c.name() === word || c.aliases().includes(word));
      if (sub !== undefined && positions === 0) chain.push(sub);
      else positions += 1;
    }
  }
  if (value !== null) return ofOption(value);
  const here = chain.at(-1) ?? program;
  const [flag = '', ...rest] = current.split('=');
  if (current.startsWith('--') && rest.length > 0) {
    const option = optionAt(chain, flag);
    const wanted = option === null ? { kind: 'words' as const, words: [] } : ofOption(option);
    if (wanted.kind !== 'words') return wanted;
    return { kind: 'words', words: wanted.words.map((w) => `${flag}=${w}`) };
  }
  if (current.startsWith('-')) {
    const flags = chain.flatMap((c) =>
      c.options.filter((o) => !o.hidden).map((o) => o.long ?? o.short ?? ''),
    );
    return { kind: 'words', words: [...new Set([...flags, '--help'])] };
  }
  const visible = here.commands.filter((c) => !c.name().startsWith('__'));
  if (visible.length > 0) return { kind: 'words', words: visible.map((c) => c.name()) };
  const all = here.registeredArguments;
  const last = all.at(-1);
  return ofArgument(chain, all[positions] ?? (last?.variadic === true ? last : undefined));
}

// The shells' own functions ask `aicdnctl __complete`, so that they never grow old. No word is quoted for them: names
// hold nothing that a shell reads.

export const BASH = `# aicdnctl for bash: source <(aicdnctl completion bash)
_aicdnctl() {
  local line=\${COMP_LINE:0:COMP_POINT} cur head i
  local -a words out
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  cur=\${words[\${#words[@]}-1]}
  COMPREPLY=()
  mapfile -t out < <(aicdnctl __complete -- "\${words[@]:1}" 2>/dev/null)
  if [[ \${out[0]-} == :files ]]; then
    compopt -o default
    return
  fi
  # bash breaks words at = and replaces what is behind it only.
  head=
  [[ $COMP_WORDBREAKS == *=* && $cur == *=* ]] && head=\${cur%=*}=
  for i in "\${out[@]}"; do
    [[ -n $i && $i == "$cur"* ]] && COMPREPLY+=("\${i#"$head"}")
  done
}
complete -F _aicdnctl aicdnctl
`;

export const ZSH = `#compdef aicdnctl
# aicdnctl for zsh: source <(aicdnctl completion zsh), or this file as _aicdnctl in a folder of fpath
_aicdnctl() {
  local -a out
  out=("\${(@f)$(aicdnctl __complete -- "\${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
  if [[ \${out[1]} == :files ]]; then
    _files
    return
  fi
  compadd -- \${out:#}
}
if [[ \${funcstack[1]} == _aicdnctl ]]; then
  _aicdnctl "$@"
else
  compdef _aicdnctl aicdnctl
fi
`;
