import path from 'node:path';
import { execa } from 'execa';
import { ROOT } from '../../scripts/demo/process.ts';
import type { Ran } from '../harness/run.ts';

const SCRIPTS = path.join(ROOT, 'scripts');

/** A script of ours to its end, nobody at its keyboard. `cwd`: it works from any folder. */
export function script(
  name: string,
  args: readonly string[],
  opts: { readonly env?: Record<string, string>; readonly input?: string; readonly cwd?: string } = {},
): Promise<Ran> {
  return ran('bash', [path.join(SCRIPTS, name), ...args], opts);
}

/** Some lines of bash over our parts: `parts` are names under scripts/lib. */
export function sourced(
  parts: readonly string[],
  lines: string,
  env: Record<string, string> = {},
): Promise<Ran> {
  const sources = parts.map((p) => `. "$SCRIPTS/lib/${p}.sh"`).join('\n');
  const text = `set -euo pipefail\nPROGRAM=test\nROOT=$(dirname "$SCRIPTS")\n${sources}\n${lines}\n`;
  return ran('bash', ['-c', text], { env: { ...env, SCRIPTS } });
}

async function ran(
  program: string,
  args: readonly string[],
  opts: { readonly env?: Record<string, string>; readonly input?: string; readonly cwd?: string },
): Promise<Ran> {
  const r = await execa(program, args, {
    reject: false,
    timeout: 30_000,
    cwd: opts.cwd ?? '/',
    env: opts.env ?? {},
    ...(opts.input === undefined ? { stdin: 'ignore' as const } : { input: opts.input }),
  });
  return { code: r.exitCode ?? -1, stdout: r.stdout, stderr: r.stderr };
}
