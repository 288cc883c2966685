import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { commandsOnce } from '../harness/once.ts';

it('commands delivered three times and more, through kills and cuts, take effect once and are all heard of', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'aicdn-once-'));
  try {
    const r = await commandsOnce({ dir, nodes: 2, commands: 60, kills: 2, cuts: 3 });
    expect(r).toMatchObject({ commands: 120, twice: [], lost: [], contradicted: [], untrue: [] });
    expect(r.fewest).toBeGreaterThanOrEqual(3);
    expect(r.executions).toBeGreaterThanOrEqual(r.commands - r.unknown);
    expect([r.kills, r.cuts]).toEqual([4, 6]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
