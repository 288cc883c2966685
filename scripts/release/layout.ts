import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { bundle, PROGRAMS } from '../bundle.mjs';
import { NODE_FLAGS } from '../node-flags.ts';
import type { Entry } from './tar.ts';

// What is where in a release:
//   bin/      aicdn-master, aicdn-agent, aicdn-engine, aicdnctl, aicdn-tui
//   lib/      node, the libraries it needs, a bundle a program
//   config/   the shipped settings, examples and templates
//   scripts/  what an operator runs, and what those scripts read
//   units/    for systemd
//   sbom.json, VERSION, LICENSE

const COMMANDS = {
  'aicdn-master': 'master',
  'aicdn-agent': 'agent',
  'aicdn-engine': 'engine',
  aicdnctl: 'ctl',
  'aicdn-tui': 'tui',
} as const;

/** We know that node:ffi is young: what it does for us is tested in each release. */
const QUIET = '--disable-warning=ExperimentalWarning';

/** A program finds its release from wherever it is called, also through links. */
function command(bundleName: string): string {
  const flags = [QUIET, ...(NODE_FLAGS[bundleName] ?? [])].join(' ');
  return `#!/bin/sh
self=$(readlink -f -- "$0") || exit 1
root=\${self%/bin/*}
exec "$root/lib/node" ${flags} "$root/lib/${bundleName}.mjs" "$@"
`;
}

/** All but the runtime, into an empty folder. `version`: what the programs say they are. */
export async function layOut(args: {
  readonly root: string;
  readonly into: string;
  readonly version: string;
}): Promise<void> {
  const { root, into, version } = args;
  const at = (...parts: string[]): string => path.join(into, ...parts);
  for (const dir of ['bin', 'lib', 'config', 'scripts', 'units']) mkdirSync(at(dir), { recursive: true });
  const scripts = path.join(root, 'scripts');
  await bundle({
    entryPoints: { ...PROGRAMS, ...toolsOf(scripts) },
    outdir: at('lib'),
    sourcemap: false,
    version,
  });
  for (const [name, bundleName] of Object.entries(COMMANDS)) {
    writeFileSync(at('bin', name), command(bundleName));
    chmodSync(at('bin', name), 0o755);
  }
  copy(path.join(root, 'config'), at('config'), (name) => !/\.ts$|^README\.md$|^units\/?/.test(name));
  copy(path.join(root, 'config/units'), at('units'), (name) => /\.(service|socket|target|timer)$/.test(name));
  copy(scripts, at('scripts'), (name) => /^([^/]+|lib\/[^/]+)\.sh$/.test(name));
  writeFileSync(at('VERSION'), `${version}\n`);
  cpSync(path.join(root, 'LICENSE'), at('LICENSE'));
}

/** Programs behind the shell scripts: `run_tool NAME` runs `scripts/NAME/main.ts`, `lib/NAME.mjs` in a release. */
function toolsOf(scripts: string): Record<string, string> {
  const names = new Set<string>();
  for (const file of readdirSync(scripts).filter((f) => f.endsWith('.sh'))) {
    const text = readFileSync(path.join(scripts, file), 'utf8');
    for (const [, name] of text.matchAll(/^\s*run_tool ([a-z-]+)/gm)) if (name) names.add(name);
  }
  return Object.fromEntries([...names].map((name) => [name, path.join(scripts, name, 'main.ts')]));
}

function copy(from: string, to: string, wanted: (name: string) => boolean): void {
  if (!existsSync(from)) return;
  for (const file of filesUnder(from)) {
    if (!wanted(file)) continue;
    mkdirSync(path.dirname(path.join(to, file)), { recursive: true });
    cpSync(path.join(from, file), path.join(to, file));
  }
}

function filesUnder(dir: string, below = ''): readonly string[] {
  return readdirSync(path.join(dir, below), { withFileTypes: true })
    .flatMap((e) =>
      e.isDirectory() ? filesUnder(dir, path.join(below, e.name)) : [path.join(below, e.name)],
    )
    .toSorted();
}

/** A laid-out folder as the archive holds it, under its own name. Modes are 755 for what runs, 644 for the rest. */
export function entriesOf(dir: string): readonly Entry[] {
  const top = path.basename(dir);
  const files = filesUnder(dir);
  const folders = new Set([`${top}/`]);
  for (const file of files) {
    for (let up = path.dirname(file); up !== '.'; up = path.dirname(up)) folders.add(`${top}/${up}/`);
  }
  return [
    ...[...folders].map((name) => ({ name, mode: 0o755 })),
    ...files.map((file) => ({
      name: `${top}/${file}`,
      mode: /^bin\/|^lib\/node$|^scripts\/[^/]+\.sh$/.test(file) ? 0o755 : 0o644,
      content: readFileSync(path.join(dir, file)),
    })),
  ].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
