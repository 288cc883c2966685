import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { commandsOnce } from '../harness/once.ts';

it('10,000 executions, each command delivered three times and more through kills and cuts: none twice, none lost', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'aicdn-once-'));
  try {
    const r = await commandsOnce({ dir, nodes: 10, commands: 1_100, kills: 3, cuts: 12 });
    expect(r).toMatchObject({ twice: [], lost: [], contradicted: [], untrue: [], kills: 30 });
    expect(r.executions).toBeGreaterThanOrEqual(10_000);
    expect(r.fewest).toBeGreaterThanOrEqual(3);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
