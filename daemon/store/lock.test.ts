import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, test } from 'vitest';
import { createDisk } from './disk.ts';
import { openFileStore } from './file-store.ts';
import { type Processes, systemProcesses, takeLock } from './lock.ts';
import { commitOf } from './sample-commit.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'ai-cdn-lock-'));
  return () => rm(dir, { recursive: true, force: true });
});
const random = { hex: (n: number) => 'ab'.repeat(n) };
const disk = createDisk();
const alive = (table: Record<number, string>, self: number): Processes => ({
  self,
  startOf: async (pid) => table[pid] ?? null,
});

test('one store, one process: the second is told who has it', async () => {
  const first = await openFileStore({ dir }, { random });
  await expect(openFileStore({ dir }, { random })).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining(`in use by process ${process.pid}`),
  });
  await first.close();
  await (await openFileStore({ dir }, { random })).close();
});

test('a real second process: refused while the first lives, taken over once it was killed', async () => {
  const store = fileURLToPath(new URL('file-store.ts', import.meta.url));
  const script = `
    const { openFileStore } = await import(${JSON.stringify(store)});
    const store = await openFileStore({ dir: ${JSON.stringify(dir)} }, { random: { hex: (n) => 'cd'.repeat(n) } });
    await store.commit(${JSON.stringify(commitOf(1, 'theirs'))});
    console.log('open');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(child.stdout, 'data');
    await expect(openFileStore({ dir }, { random })).rejects.toThrow(`in use by process ${child.pid}`);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  const mine = await openFileStore({ dir }, { random });
  expect(mine.snapshot().get('meta', 'theirs')?.value).toBe('theirs@1');
  expect(mine.id).toBe('cd'.repeat(16));
  await mine.close();
});

test('a pid that came round again is not the holder', async () => {
  await takeLock(dir, { disk, processes: alive({ 7: 'monday' }, 7) });
  await expect(takeLock(dir, { disk, processes: alive({ 7: 'monday', 8: 'x' }, 8) })).rejects.toThrow(
    'process 7',
  );
  const release = await takeLock(dir, { disk, processes: alive({ 7: 'tuesday', 8: 'x' }, 8) });
  expect(JSON.parse(await readFile(path.join(dir, 'LOCK'), 'utf8'))).toEqual({ pid: 8, started: 'x' });
  await release();
  await expect(stat(path.join(dir, 'LOCK'))).rejects.toThrow('ENOENT');
});

test('a lock torn by a crash is taken over; of several that try at once one gets it', async () => {
  await writeFile(path.join(dir, 'LOCK'), '{"pi');
  const table = { 1: 'a', 2: 'a', 3: 'a' };
  const tries = await Promise.allSettled(
    [1, 2, 3].map((pid) => takeLock(dir, { disk, processes: alive(table, pid) })),
  );
  expect(tries.filter((t) => t.status === 'fulfilled')).toHaveLength(1);
});

test('a process killed while it took a lock over keeps nobody out', async () => {
  const dead = JSON.stringify({ pid: 7, started: 'monday' });
  await writeFile(path.join(dir, 'LOCK'), dead);
  await writeFile(path.join(dir, 'LOCK.takeover'), dead);
  await expect(takeLock(dir, { disk, processes: alive({ 7: 'monday', 8: 'x' }, 8) })).rejects.toMatchObject({
    code: 'conflict',
  });
  await takeLock(dir, { disk, processes: alive({ 8: 'x' }, 8) });
  await expect(stat(path.join(dir, 'LOCK.takeover'))).rejects.toThrow('ENOENT');
});

test('a place where no store can be says so', async () => {
  await writeFile(path.join(dir, 'file'), '');
  await expect(openFileStore({ dir: path.join(dir, 'file', 'db') }, { random })).rejects.toMatchObject({
    code: 'precondition',
    message: expect.stringMatching(/cannot be opened: .*database\.uri/),
  });
});

test('this process has a start time, a pid beyond all pids has none', async () => {
  expect(await systemProcesses.startOf(process.pid)).toMatch(/^([0-9a-f-]*:\d+|\?)$/);
  expect(await systemProcesses.startOf(2 ** 30)).toBeNull();
});

test('what the store makes is its own alone', async () => {
  const store = await openFileStore({ dir: path.join(dir, 'db') }, { random });
  await store.commit(commitOf(1, 'a'));
  await store.close();
  expect((await stat(path.join(dir, 'db'))).mode & 0o777).toBe(0o700);
  for (const file of ['store.json', 'journal/0000000000000001.jsonl', 'snapshot/0000000000000001.jsonl']) {
    expect((await stat(path.join(dir, 'db', file))).mode & 0o777, file).toBe(0o600);
  }
});
