import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/demo/process.ts';

// Every shell script of the tree, by two programs that know shells better than we do.

const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard', 'scripts', '.ci', 'config'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .trim()
  .split('\n');
const shebang = (file: string): boolean =>
  /^#!.*\b(ba)?sh\b/.test(readFileSync(path.join(ROOT, file), 'utf8').slice(0, 40));
const scripts = tracked.filter((f) => f.endsWith('.sh') || (!path.basename(f).includes('.') && shebang(f)));

it('finds them', () => {
  expect(scripts).toEqual(
    expect.arrayContaining([
      '.ci/run',
      'scripts/optimize.sh',
      'scripts/load-balance.sh',
      'scripts/lib/kernel.sh',
    ]),
  );
});

describe.each(scripts)('%s', (file) => {
  it('shellcheck has nothing to say, and shfmt would write it alike', async () => {
    const check = await execa('shellcheck', ['-x', '-P', 'SCRIPTDIR', '-P', ROOT, file], {
      cwd: ROOT,
      reject: false,
    });
    expect(check.stdout + check.stderr).toBe('');
    const format = await execa('shfmt', ['-i', '2', '-ci', '-d', file], { cwd: ROOT, reject: false });
    expect(format.stdout + format.stderr).toBe('');
  });

  it('ends at the first fault; what is run says with what, what is sourced says so', () => {
    const text = readFileSync(path.join(ROOT, file), 'utf8');
    const runnable = (statSync(path.join(ROOT, file)).mode & 0o111) !== 0;
    if (runnable) expect(text).toMatch(/^#!\/usr\/bin\/env bash\n[\s\S]*^set -e?uo pipefail$/m);
    else expect(text).toMatch(/^# shellcheck shell=bash\n/);
  });
});
