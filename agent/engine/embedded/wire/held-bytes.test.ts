import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeldBytes } from './held-bytes.ts';

describe('held bytes', () => {
  it('come out as they went in, whatever their sizes and whenever some are taken', () => {
    const steps = fc.array(fc.oneof(fc.nat({ max: 6_000 }), fc.constant('take' as const)), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (all) => {
        const held = new HeldBytes();
        const went: Buffer[] = [];
        const came: Buffer[] = [];
        let next = 0;
        for (const step of all) {
          if (step === 'take') came.push(held.shift() ?? Buffer.alloc(0));
          else {
            const piece = Buffer.alloc(step, next++);
            went.push(piece);
            held.push(piece);
          }
        }
        for (let piece = held.shift(); piece !== null; piece = held.shift()) came.push(piece);
        expect(Buffer.concat(came).equals(Buffer.concat(went))).toBe(true);
        expect(held.size).toBe(0);
      }),
    );
  });

  it('do not keep the chunks they were cut from', () => {
    const held = new HeldBytes();
    for (let i = 0; i < 1_000; i++) held.push(Buffer.allocUnsafeSlow(65_536).fill(i).subarray(7, 8));
    held.push(Buffer.allocUnsafeSlow(65_536).subarray(0, 20_000));
    expect(held.size).toBe(21_000);
    const first = held.shift();
    expect([first?.length, first?.buffer.byteLength]).toEqual([1_000, 16_384]);
    expect(held.shift()?.buffer.byteLength).toBeLessThan(65_536);
    // More than half of a chunk is worth keeping it.
    const most = Buffer.allocUnsafeSlow(65_536).subarray(0, 40_000);
    held.push(most);
    expect(held.shift()?.buffer).toBe(most.buffer);
  });
});
