import { readFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { until } from '../../scripts/demo/process.ts';

// Page cache survives kill -9, so the kill tests cannot show that a reply waits for its fdatasync. The kernel can.

const HELD_MS = 300;
let fleet: Fleet;
beforeAll(async () => {
  fleet = await Fleet.start({ nodes: [] });
});
afterAll(() => fleet?.stop());

const write = (n: number) =>
  fleet.api.createSilence(
    { reason: 'fdatasync' },
    {
      matchers: [{ name: 'node', value: `none-${n}`, isRegex: false, isEqual: true }],
      alert: null,
      startsAt: null,
      endsAt: Date.now() + 3_600_000,
      comment: `write ${n}`,
    },
  );

async function traced<T>(
  inject: string | null,
  body: () => Promise<T>,
): Promise<{ result: T; calls: string[] }> {
  const out = path.join(fleet.dir, `strace-${Math.random().toString(36).slice(2)}`);
  const rules = ['-e', 'trace=fdatasync', ...(inject ? ['-e', `inject=fdatasync:${inject}`] : [])];
  const strace = execa('strace', ['-f', '-qq', '-o', out, ...rules, '-p', `${fleet.master.pid}`], {
    reject: false,
    buffer: false,
  });
  // Attached once the master's threads show a tracer.
  await until('strace attached', 10_000, () =>
    /TracerPid:\s+[1-9]/.test(readFileSync(`/proc/${fleet.master.pid}/status`, 'utf8')) ? true : null,
  );
  try {
    const result = await body();
    return {
      result,
      calls: readFileSync(out, 'utf8')
        .split('\n')
        .filter((l) => l.includes('fdatasync')),
    };
  } finally {
    strace.kill('SIGINT');
    await strace;
  }
}

describe('a reply waits for its fdatasync', () => {
  it('one after another: at least one fdatasync each', async () => {
    const { calls } = await traced(null, async () => {
      for (let n = 0; n < 20; n++) await write(n);
    });
    expect(calls.filter((l) => /fdatasync.*= 0/.test(l)).length).toBeGreaterThanOrEqual(20);
  });

  it('a kernel that holds fdatasync back holds the reply back', async () => {
    const { result } = await traced(`delay_enter=${HELD_MS * 1000}`, async () => {
      const started = performance.now();
      await write(100);
      return performance.now() - started;
    });
    expect(result).toBeGreaterThanOrEqual(HELD_MS);
  });

  it('a disk that fails it gets no acknowledgement, and later writes go on without a restart', async () => {
    const { result } = await traced('error=EIO', () =>
      write(200).then(
        () => 'acknowledged',
        (e: { code?: string }) => e.code ?? 'refused',
      ),
    );
    expect(result).toBe('unavailable');
    const { silence } = await until('the store writes again', 15_000, () => write(201).catch(() => null));
    const { silences } = await fleet.api.listAlerts();
    expect(silences.map((s) => s.comment)).toContain(silence.comment);
    expect(silences.map((s) => s.comment)).not.toContain('write 200');
  });
});
