import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { tokenFile } from './token-file.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'ai-cdn-tokens-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const TOKENS = { accessToken: 'a', refreshToken: 'r' };

test('a context that is pointed elsewhere has no tokens there', () => {
  tokenFile(dir, 'prod', 'here:1 ab').set(TOKENS);
  expect(tokenFile(dir, 'prod', 'here:1 ab').get()).toMatchObject(TOKENS);
  expect(tokenFile(dir, 'prod', 'elsewhere:1 ab').get()).toBeNull();
  expect(tokenFile(dir, '../prod', 'here:1 ab').path.startsWith(`${dir}/`)).toBe(true);
});

test('a file that others can read is no login', () => {
  const file = tokenFile(dir, 'prod', 'x');
  file.set(TOKENS);
  chmodSync(file.path, 0o644);
  expect(file.get()).toBeNull();
});

test('one at a time, and the next when the one before is done or has failed', async () => {
  const file = tokenFile(dir, 'prod', 'x');
  let inside = 0;
  let most = 0;
  const work = async (fails: boolean): Promise<void> => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise(setImmediate);
    inside -= 1;
    if (fails) throw new Error('refused');
  };
  const done = await Promise.allSettled([0, 1, 2, 3].map((i) => file.exclusively(() => work(i % 2 === 1))));
  expect(done.map((d) => d.status).toSorted()).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected']);
  expect(most).toBe(1);
  expect(readdirSync(dir)).toEqual([]);
});

test('the lock of a process that is gone is taken over', async () => {
  const file = tokenFile(dir, 'prod', 'x');
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  writeFileSync(`${file.path}.lock`, `${pid} x`);
  expect(await file.exclusively(async () => 'in')).toBe('in');
  expect(readdirSync(dir)).toEqual([]);
});
