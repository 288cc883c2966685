import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CpuProfile, keepBusiest, selfTimes } from './profile.ts';

const frame = (functionName: string, url = '', lineNumber = -1) => ({ functionName, url, lineNumber });

function profile(busyUs: number): CpuProfile {
  return {
    nodes: [
      { id: 1, callFrame: frame('(idle)') },
      { id: 2, callFrame: frame('carry', 'file:///x/engine.mjs', 41) },
      { id: 3, callFrame: frame('') },
      { id: 4, callFrame: frame('carry', 'file:///x/engine.mjs', 41) },
    ],
    samples: [1, 2, 3, 4],
    timeDeltas: [9_000_000, busyUs, busyUs, busyUs * 2],
  };
}

describe('where the time went', () => {
  it('is by function, whoever called it, without the time of waiting', () => {
    expect(selfTimes(profile(1000))).toEqual({
      busyMs: 4,
      top: [
        { name: 'carry engine.mjs:42', ms: 3, share: 0.75 },
        { name: '(anonymous)', ms: 1, share: 0.25 },
      ],
    });
  });

  it('is told of the process that did the work', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'aicdn-profile-'));
    try {
      const from = join(dir, 'raw');
      await mkdir(from);
      await writeFile(join(from, 'a.cpuprofile'), JSON.stringify(profile(10)));
      await writeFile(join(from, 'b.cpuprofile'), JSON.stringify(profile(500_000)));
      const said = await keepBusiest(from, join(dir, 'rps.cpuprofile'));
      expect(said).toContain('2.0 s busy');
      expect(said).toContain('75.0 %  carry engine.mjs:42');
      expect(await readdir(dir)).toEqual(['rps.cpuprofile']);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('says so when there is nothing to tell', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'aicdn-profile-'));
    expect(await keepBusiest(dir, join(dir, 'rps.cpuprofile'))).toBe(
      'rps.cpuprofile: the engine left no profile',
    );
    await rm(dir, { recursive: true });
  });
});
