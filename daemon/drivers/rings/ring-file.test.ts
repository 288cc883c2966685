import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeName } from '../../../proto/vocab/ids.ts';
import { busySlice, reportOf, seeded } from '../../../test/fakes/traffic.ts';
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

/** Sums are kept to a sixteenth of a millisecond a cell. */
const near = (a: unknown): unknown =>
  JSON.parse(JSON.stringify(a), (k, v: unknown) => (k === 'sumMs' ? Math.round((v as number) / 100) : v));

describe('rings in a file', () => {
  it('are the same rings after it, and go on from there', async () => {
    const { rings, now } = filled();
    await rings.save(file);
    const again = createRings();
    expect(await again.load(file)).toBeNull();
    expect(near(told(again, now))).toEqual(near(told(rings, now)));
    const more = reportOf([busySlice('chat', seeded(9))]);
    for (const r of [rings, again]) for (const n of names) r.take(n, more, now + 10_000, HK);
    expect(near(told(again, now + 10_000))).toEqual(near(told(rings, now + 10_000)));
  });

  it('a file that is not there is a first start', async () => {
    expect(await createRings().load(file)).toBeNull();
  });

  it('of a damaged one what stands before the damage is read, and it is said', async () => {
    const { rings, now } = filled();
    await rings.save(file);
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
    await filled().rings.save(file);
    writeFileSync(file, content);
    const again = createRings();
    expect(await again.load(file)).toMatch(/holds no figures of this release: they begin anew/);
    expect(again.totalsByPlace()).toEqual([]);
  });

  it('cut anywhere it is read up to there', async () => {
    const { rings } = filled();
    await rings.save(file);
    const bytes = readFileSync(file);
    for (let at = 16; at < bytes.length - 1; at += 997) {
      writeFileSync(file, bytes.subarray(0, at));
      expect(await createRings().load(file)).toMatch(/is damaged/);
    }
  });
});
