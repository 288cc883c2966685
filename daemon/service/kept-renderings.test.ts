import { describe, expect, it } from 'vitest';
import type { Mould } from '../../proto/document/mould.ts';
import { seeded } from '../../test/fakes/traffic.ts';
import { KeptRenderings } from './kept-renderings.ts';
import type { Rendered } from './rendering.ts';

const KIB = 1024;
/** Of so many bytes, with what is counted for each. */
const rendering = (bytes: number): Rendered =>
  ({ ok: true, source: { held: bytes - KIB } }) as unknown as Rendered;
const mould = (length: number): Mould => ({ length }) as unknown as Mould;

/** @returns how many were there */
function walk(kept: KeptRenderings, key: string, nodes: number, bytes: number): number {
  let found = 0;
  for (let i = 0; i < nodes; i++) {
    if (kept.batch(key).get(`${i}`)) found += 1;
    else kept.keep(key, `${i}`, rendering(bytes));
  }
  return found;
}

describe('renderings that are kept', () => {
  it('all of a fleet that fits, however often it is walked round', () => {
    const kept = new KeptRenderings(1000 * KIB);
    expect(walk(kept, 'a', 400, 2 * KIB)).toBe(0);
    expect(walk(kept, 'a', 400, 2 * KIB)).toBe(400);
  });

  it('of more than fits, most of what there is room for', () => {
    const kept = new KeptRenderings(1000 * KIB);
    for (let round = 0; round < 20; round++) {
      const found = walk(kept, 'a', 1500, 2 * KIB);
      if (round > 0) expect(found).toBeGreaterThan(250);
    }
  });

  it('of two versions that are asked for in turns, and are more than fits', () => {
    const kept = new KeptRenderings(1000 * KIB);
    for (let round = 0; round < 10; round++) {
      let found = 0;
      for (let i = 0; i < 800; i++) {
        const key = i % 2 === 0 ? 'old' : 'new';
        if (kept.batch(key).get(`${i}`)) found += 1;
        else kept.keep(key, `${i}`, rendering(2 * KIB));
      }
      if (round > 0) expect(found).toBeGreaterThan(250);
    }
  });

  it('what nobody asks for any more goes, with its mould, as soon as its place is needed', () => {
    const kept = new KeptRenderings(1000 * KIB);
    walk(kept, 'old', 400, 2 * KIB);
    kept.keepMould('old', mould(KIB));
    for (let round = 0; round < 3; round++) walk(kept, 'new', 450, 2 * KIB);
    expect(walk(kept, 'new', 450, 2 * KIB)).toBe(450);
    expect(kept.batch('old').mould).toBe(null);
    expect(kept.batch('old').get('0')).toBe(undefined);
  });

  it('what stands under other values gives way in time', () => {
    const kept = new KeptRenderings(100 * KIB);
    walk(kept, 'a', 90, KIB);
    let rounds = 0;
    const there = (): boolean => {
      const known = kept.batch('a').get('new') !== undefined;
      if (!known) kept.keep('a', 'new', rendering(KIB));
      return known;
    };
    while (!there() && rounds < 100) rounds += 1;
    expect(rounds).toBeLessThan(30);
  });

  it('a mould comes before what others hold; what is forgotten holds nothing', () => {
    const kept = new KeptRenderings(100 * KIB);
    walk(kept, 'a 1', 90, KIB);
    kept.batch('b 1');
    kept.keepMould('b 1', mould(KIB));
    expect(kept.batch('b 1').mould).not.toBe(null);
    expect(kept.held.renderings).toBeGreaterThan(60);
    expect(kept.held.bytes).toBeLessThanOrEqual(100 * KIB);
    kept.forget('b ');
    kept.forget('a ');
    expect(kept.held).toEqual({ bytes: 0, renderings: 0 });
  });

  it.each([1, 2, 3, 4])('never more than there is room for, and counts what there is (%i)', (seed) => {
    const random = seeded(seed);
    const most = 200 * KIB;
    const kept = new KeptRenderings(most);
    const keys = Array.from({ length: 6 }, (_, i) => `${i} x`);
    for (let i = 0; i < 5000; i++) {
      const key = keys[Math.floor(random() * random() * keys.length)] ?? '';
      kept.batch(key);
      const what = random();
      if (what < 0.02) kept.forget(`${key[0]} `);
      else if (what < 0.05) kept.keepMould(key, mould(Math.floor(random() * 8 * KIB)));
      else kept.keep(key, `${Math.floor(random() * 99)}`, rendering(KIB + Math.floor(random() * 40 * KIB)));
      // Beginning a template's costs a little, which is not refused.
      expect(kept.held.bytes).toBeLessThanOrEqual(most + keys.length * KIB);
    }
    for (const key of keys) kept.forget(key);
    expect(kept.held).toEqual({ bytes: 0, renderings: 0 });
  });
});
