import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, expect, it } from 'vitest';
import { ROOT } from '../../scripts/demo/process.ts';

const dir = mkdtempSync(path.join(tmpdir(), 'clone-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

it('npm start -- --check is green from a clean clone with only Node 20', async () => {
  // The host's own node and npm: what npm put before them on PATH is ours.
  const PATH = (process.env['PATH'] ?? '')
    .split(':')
    .filter((p) => !p.includes('node_modules') && !p.includes('node-gyp'))
    .join(':');
  const env = { PATH, HOME: process.env['HOME'] ?? dir, NO_COLOR: '1' };
  const host = await execa('node', ['--version'], { env, extendEnv: false });
  expect(host.stdout).toMatch(/^v20\./);

  const clone = path.join(dir, 'tree');
  await execa('git', ['clone', '--quiet', ROOT, clone]);
  const r = await execa('npm', ['start', '--', '--check'], {
    cwd: clone,
    env,
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    all: true,
  });
  expect(r.all).toContain('● the loop holds');
  expect(r.exitCode).toBe(0);
});
