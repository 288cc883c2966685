import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeName } from '../../../proto/vocab/ids.ts';
import { busySlice, reportOf, seeded, sliceOf } from '../../../test/fakes/traffic.ts';
import { createRings, type KeptRings } from './rings.ts';

const BEGAN = Date.UTC(2026, 10, 24, 3, 0, 0);
const HK = { region: 'hk', nodeType: 'edge' } as const;
const names = ['hk-1', 'hk-2'] as NodeName[];

let dir = '';
let file = '';
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'rings-'));
  file = path.join(dir, 'state', 'rings');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Forty minutes of two nodes; the last minute goes on. */
function filled(): { rings: KeptRings; now: number } {
  const random = seeded(3);
  const reports = Array.from({ length: 8 }, () => reportOf([busySlice('chat', random)]));
  const rings = createRings();
  let now = BEGAN;
  for (let i = 0; i < 243; i++) {
    now = BEGAN + i * 10_000;
    names.forEach((n, k) => {
      rings.take(n, reports[(i + 3 * k) % 8] as (typeof reports)[0], now, HK);
    });
  }
  return { rings, now };
}

function told(rings: KeptRings, now: number) {
  const args = { service: null, start: BEGAN, end: BEGAN + 45 * 60_000, stepMs: 60_000, now };
  const totals = rings.totalsByPlace().map((t) => ({ ...t, services: [...t.services] }));
  return {
    figures: names.map((n) => rings.figures(n, now)),
    window: rings.window('hk-1' as NodeName, BEGAN, now),
    range: rings.range('hk-2' as NodeName, args),
    tens: rings.range('hk-2' as NodeName, { ...args, stepMs: 600_000 }),
    region: rings.rangeOf({ region: 'hk', nodeType: 'edge' }, args),
    totals: JSON.parse(JSON.stringify(totals)) as unknown,
    // What a place is now begins anew: it takes a report.
    regions: rings.regions([{ ...HK, names }], now)[0]?.ttft95Minutes,
  };
}

/** What Prometheus reads: requests, first tokens and bytes sent, of hk and of hk-1, and requests of each service. */
function grown(rings: KeptRings) {
  const place = rings.totalsByPlace()[0];
  const node = rings.totals('hk-1' as NodeName);
  const [region, ofNode] = [place, node].map((t) => [t?.all.requests, t?.all.ttft.total, t?.all.bytesOut]);
  const services = [place, node].flatMap((t) =>
    [...(t?.services ?? [])].map(([name, s]) => [name, s.requests]),
  );
  return { region, node: ofNode, services };
}

/** Sums are kept to a sixteenth of a millisecond a cell. */
const near = (a: unknown): unknown =>
  JSON.parse(JSON.stringify(a), (k, v: unknown) => (k === 'sumMs' ? Math.round((v as number) / 100) : v));

describe('rings in a file', () => {
  it('are the same rings after it, and go on from there', async () => {
    const { rings, now } = filled();
    await rings.save(file, true);
    const again = createRings();
    expect(await again.load(file)).toBeNull();
    expect(near(told(again, now))).toEqual(near(told(rings, now)));
    const more = reportOf([busySlice('chat', seeded(9))]);
    for (const r of [rings, again]) for (const n of names) r.take(n, more, now + 10_000, HK);
    expect(near(told(again, now + 10_000))).toEqual(near(told(rings, now + 10_000)));
  });

  it('of a master that was killed have the past, and count from 0: what was told after it is not known', async () => {
    const { rings, now } = filled();
    await rings.save(file, false);
    const again = createRings();
    expect(await again.load(file)).toBeNull();
    const { totals, ...past } = told(again, now);
    const { totals: _, ...before } = told(rings, now);
    expect(near(past)).toEqual(near(before));
    expect(grown(again)).toEqual({
      region: [0, 0, 0],
      node: [0, 0, 0],
      services: [
        ['chat', 0],
        ['chat', 0],
      ],
    });
    expect(totals).toHaveLength(1);

    // The minute goes on: all of it is told, and only what is new is counted.
    const more = reportOf([busySlice('chat', seeded(9))]);
    const [slice] = more.services;
    const since = [slice?.requests, slice?.ttft.count.reduce((a, b) => a + b), slice?.bytesOut];
    for (const at of [now + 1000, now + 70_000]) {
      const both = [rings, again];
      for (const r of both) r.take('hk-1' as NodeName, more, at, HK);
      const [whole, part] = both.map((r) => told(r, at));
      expect(near(part?.range)).toEqual(near(whole?.range));
      expect(near(part?.region)).toEqual(near(whole?.region));
      const times = at === now + 1000 ? 1 : 2;
      const counted = since.map((n) => times * (n ?? Number.NaN));
      expect(grown(again)).toMatchObject({ region: counted, node: counted });
    }
  });

  it('are of a master that ended only once: whoever reads it is killed next, as far as is known', async () => {
    const { rings } = filled();
    await rings.save(file, true);
    const first = createRings();
    await first.load(file);
    expect(grown(first)).toEqual(grown(rings));
    const second = createRings();
    expect(await second.load(file)).toBeNull();
    expect(grown(second).node).toEqual([0, 0, 0]);
  });

  it('no sum is less after it', async () => {
    const rings = createRings();
    const sums = (r: KeptRings): number[] =>
      [r.totals('hk-1' as NodeName)?.all, r.totalsByPlace()[0]?.all].map((p) => p?.ttft.sumMs ?? Number.NaN);
    rings.take('hk-1' as NodeName, reportOf([sliceOf('chat', { ttft: [100.001] })]), BEGAN, HK);
    const before = sums(rings);
    await rings.save(file, true);
    const again = createRings();
    await again.load(file);
    sums(again).forEach((sum, i) => {
      expect(sum).toBeGreaterThanOrEqual(before[i] ?? Number.NaN);
      expect(sum).toBeCloseTo(100, 0);
    });
  });

  it('a file that is not there is a first start', async () => {
    expect(await createRings().load(file)).toBeNull();
  });

  it('of a damaged one what stands before the damage is read, and it is said', async () => {
    const { rings, now } = filled();
    await rings.save(file, true);
    const bytes = readFileSync(file);
    bytes[bytes.length - 100] = (bytes.at(-100) ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const again = createRings();
    expect(await again.load(file)).toMatch(/rings is damaged at byte \d+ .* figures behind it are lost/);
    expect(again.figures('hk-1' as NodeName, now)).toEqual(rings.figures('hk-1' as NodeName, now));
    expect(again.figures('hk-2' as NodeName, now)).toBeNull();
  });

  it.each([
    ['of another release', 'ai-cdn rings 99\n'],
    ['of something else', 'hello'],
    ['that is empty', ''],
  ])('one %s is not read', async (_, content) => {
    await filled().rings.save(file, true);
    writeFileSync(file, content);
    const again = createRings();
    expect(await again.load(file)).toMatch(/holds no figures of this release: they begin anew/);
    expect(again.totalsByPlace()).toEqual([]);
  });

  it('cut anywhere it is read up to there', async () => {
    const { rings } = filled();
    await rings.save(file, true);
    const bytes = readFileSync(file);
    for (let at = 22; at < bytes.length - 1; at += 997) {
      writeFileSync(file, bytes.subarray(0, at));
      expect(await createRings().load(file)).toMatch(/is damaged/);
    }
  });
});
