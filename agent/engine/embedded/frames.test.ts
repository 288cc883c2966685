import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameReader } from './frames.ts';
import { MAX_FRAME } from './protocol.ts';

function read(chunks: readonly Buffer[]): { values: unknown[]; broken: string | null } {
  const reader = new FrameReader();
  const values: unknown[] = [];
  let broken: string | null = null;
  for (const c of chunks) broken = reader.push(c, (v) => values.push(v));
  return { values, broken };
}

const frame = (v: unknown): Buffer => encodeFrame(v) as Buffer;

describe('frames', () => {
  it('reads frames glued together and cut at every byte', () => {
    const sent = [{ a: 1 }, 'é…', [null, { deep: ['x'.repeat(300)] }]];
    const bytes = Buffer.concat(sent.map(frame));
    expect(read([bytes])).toEqual({ values: sent, broken: null });
    expect(read([...bytes].map((b) => Buffer.from([b])))).toEqual({ values: sent, broken: null });
    for (let cut = 0; cut <= bytes.length; cut += 7) {
      expect(read([bytes.subarray(0, cut), bytes.subarray(cut)]).values).toEqual(sent);
    }
  });

  it('refuses a length above the limit before its bytes arrive', () => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(MAX_FRAME + 1);
    expect(read([head]).broken).toMatch(/a frame of 1048577 bytes/);
  });

  it('takes nothing after garbage', () => {
    const bad = Buffer.from('\0\0\0\x03abc', 'latin1');
    const { values, broken } = read([bad, frame({ a: 1 })]);
    expect(values).toEqual([]);
    expect(broken).toMatch(/not JSON/);
  });

  it('does not encode what is too large', () => {
    expect(encodeFrame('x'.repeat(MAX_FRAME))).toBeNull();
    expect(encodeFrame('x'.repeat(MAX_FRAME - 2))?.length).toBe(MAX_FRAME + 4);
  });
});
