import { execa } from 'execa';
import { program } from '../../scripts/demo/process.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one of our programs to its end. */
export async function run(
  which: Parameters<typeof program>[0],
  args: readonly string[],
  opts: { input?: string; env?: Record<string, string>; timeoutMs?: number } = {},
): Promise<Ran> {
  const r = await execa(process.execPath, [program(which), ...args], {
    reject: false,
    timeout: opts.timeoutMs ?? 30_000,
    env: { NODE_ENV: 'production', ...opts.env },
    ...(opts.input === undefined ? { stdin: 'ignore' as const } : { input: opts.input }),
  });
  return { code: r.exitCode ?? -1, stdout: r.stdout, stderr: r.stderr };
}
