import { mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../scripts/demo/process.ts';
import { LoneMaster } from '../harness/lone-master.ts';
import { tinyDisk } from '../harness/mounted.ts';

// A8: a disk that is full, or that fails: nothing is acknowledged that is not on it, reads go on, health says so, and it
// passes without a restart. Under a restart afterwards everything acknowledged is there.

const DISK = 8 * 1024 * 1024;
let dir: string;
let disk: Awaited<ReturnType<typeof tinyDisk>>;
let master: LoneMaster;
beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'aicdn-a8-'));
  disk = await tinyDisk(path.join(dir, 'disk'), DISK);
  master = await LoneMaster.start({ dir, db: path.join(dir, 'disk', 'db') });
});
afterAll(async () => {
  await master?.stop();
  await disk?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const ballast = (): string => path.join(dir, 'disk', 'ballast');
const fill = (): void => {
  const { bavail, bsize } = statfsSync(path.join(dir, 'disk'));
  writeFileSync(ballast(), Buffer.alloc(Math.max(0, bavail * bsize)));
};

const acknowledged: string[] = [];
const writeOne = async (comment: string): Promise<string> => {
  const said = await master.write(comment);
  if (said === 'acknowledged') acknowledged.push(comment);
  return said;
};
const recovered = () =>
  until('writes are taken again', 30_000, async () =>
    (await writeOne(`again ${acknowledged.length}`)) === 'acknowledged' ? true : null,
  );
const restartedWithAll = async (): Promise<void> => {
  await master.kill('SIGKILL');
  await master.stop();
  master = await LoneMaster.start({ dir, db: path.join(dir, 'disk', 'db') });
  expect(await master.comments()).toEqual(expect.arrayContaining(acknowledged));
};

describe('ENOSPC', () => {
  it('is refused, said, and passes; nothing acknowledged is lost', async () => {
    for (let i = 0; i < 20; i++) expect(await writeOne(`before ${i}`)).toBe('acknowledged');
    fill();
    // The last file may have room in its last block.
    await until('a write is refused', 20_000, async () =>
      (await writeOne(`full ${Math.random()}`)) === 'unavailable' ? true : null,
    );
    for (let i = 0; i < 5; i++) expect(await writeOne(`full ${i}`)).toBe('unavailable');
    expect(await master.health()).toMatchObject({
      status: 503,
      body: { status: 'degraded', reason: 'the disk is full' },
    });
    expect(await master.comments()).toEqual(expect.arrayContaining(acknowledged));
    expect(await master.comments()).not.toContain('full 0');
    const { pid } = master.bound;
    rmSync(ballast());
    await recovered();
    await until('health is good', 20_000, async () => ((await master.health()).status === 200 ? true : null));
    expect(master.bound.pid).toBe(pid);
    await restartedWithAll();
    expect(await master.comments()).not.toContain('full 0');
  });
});

describe('EIO', () => {
  it('of fdatasync is refused, said, and passes; nothing acknowledged is lost', async () => {
    const { pid } = master.bound;
    const rule = ['-e', 'trace=fdatasync,fsync', '-e', 'inject=fdatasync,fsync:error=EIO'];
    const strace = execa('strace', ['-f', '-qq', '-o', '/dev/null', ...rule, '-p', `${pid}`], {
      reject: false,
      buffer: false,
    });
    await until('strace is attached', 10_000, () =>
      /TracerPid:\s+[1-9]/.test(readFileSync(`/proc/${pid}/status`, 'utf8')) ? true : null,
    );
    for (let i = 0; i < 3; i++) expect(await writeOne(`eio ${i}`)).toBe('unavailable');
    expect((await master.health()).status).toBe(503);
    expect(await master.comments()).toEqual(expect.arrayContaining(acknowledged));
    strace.kill('SIGINT');
    await strace;
    await recovered();
    expect(await master.comments()).not.toContain('eio 0');
    await restartedWithAll();
    expect(await master.comments()).not.toContain('eio 0');
  });
});
