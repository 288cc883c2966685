import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LoneMaster } from '../harness/lone-master.ts';
import { mounted } from '../harness/mounted.ts';

// A2: the power goes while writes are acknowledged: a real ext4 on a loop device is shut down without its log being
// flushed (EXT4_IOC_SHUTDOWN), so that what was not synced is gone. Every acknowledged write is there afterwards.
// A journal cut at every byte of its last record is daemon/store/recovery.test.ts. AICDN_FAULTS_LONG=1: 20 cuts, not 3.

const CUTS = process.env['AICDN_FAULTS_LONG'] === '1' ? 20 : 3;
const WRITERS = 8;
/** _IOR('X', 125, u32), NOLOGFLUSH */
const SHUTDOWN =
  'open(F, "<", shift) or die; my $how = pack("L", 2); ioctl(F, 0x8004587d, $how) or die "ioctl: $!"';

let dir: string;
let disk: { stop(): Promise<void> };
let master: LoneMaster;
const at = (): string => path.join(dir, 'disk');
const mount = async (): Promise<void> => {
  disk = await mounted(at(), ['-o', 'loop', path.join(dir, 'disk.img')]);
};
const start = async (): Promise<void> => {
  master = await LoneMaster.start({ dir, db: path.join(at(), 'db') });
};
beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'aicdn-a2-'));
  const image = path.join(dir, 'disk.img');
  writeFileSync(image, '');
  truncateSync(image, 64 * 1024 * 1024);
  await execa('mkfs.ext4', ['-q', image]);
  await mount();
  await start();
});
afterAll(async () => {
  await master?.stop();
  await disk?.stop();
  rmSync(dir, { recursive: true, force: true });
});

it(`the power is cut ${CUTS} times under writes: nothing acknowledged is lost, and it starts every time`, async () => {
  const acknowledged: string[] = [];
  for (let cut = 0; cut < CUTS; cut++) {
    let over = false;
    const since = acknowledged.length;
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    const writer = async (w: number): Promise<void> => {
      for (let n = 0; !over; n++) {
        const comment = `cut ${cut} writer ${w} write ${n}`;
        if ((await master.write(comment)) === 'acknowledged') acknowledged.push(comment);
        if (acknowledged.length >= since + 50) resolve();
      }
    };
    const writers = Array.from({ length: WRITERS }, (_, w) => writer(w));
    await enough;
    await execa('perl', ['-e', SHUTDOWN, at()]);
    over = true;
    await master.kill('SIGKILL');
    await Promise.all(writers);
    await master.stop();
    await disk.stop();
    await mount();
    await start();
    expect(await master.comments()).toEqual(expect.arrayContaining(acknowledged));
  }
  expect(acknowledged.length).toBeGreaterThanOrEqual(50 * CUTS);
});
