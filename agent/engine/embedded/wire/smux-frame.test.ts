import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AT_MOST,
  FIN,
  FrameReader,
  LEAVING,
  NOP,
  PSH,
  type SmuxVersion,
  SYN,
  UPD,
  writeHeader,
} from './smux-frame.ts';

function frame(version: SmuxVersion, cmd: number, sid: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const b = Buffer.alloc(8);
  writeHeader(b, 0, { version, cmd, length: payload.length, sid });
  return Buffer.concat([b, payload]);
}

function words(...n: number[]): Buffer {
  const b = Buffer.alloc(n.length * 4);
  for (const [i, v] of n.entries()) b.writeUInt32LE(v, i * 4);
  return b;
}

/** Reads chunks and tells what was in them, payload joined per frame. */
function read(
  chunks: readonly Buffer[],
  version: SmuxVersion | null,
): { told: string[]; fault: string | null } {
  const told: string[] = [];
  const reader = new FrameReader(version, {
    open: (sid) => told.push(`open ${sid}`),
    end: (sid) => told.push(`end ${sid}`),
    push: (sid, length) => told.push(`push ${sid} ${length} `),
    data: (piece) => {
      told[told.length - 1] += piece.toString('hex');
    },
    update: (sid, consumed, window) => told.push(`update ${sid} ${consumed} ${window}`),
    word: (word) => told.push(`word ${word}`),
  });
  for (const chunk of chunks) {
    const fault = reader.feed(chunk);
    if (fault !== null) return { told, fault };
  }
  return { told, fault: null };
}

const SPOKEN = Buffer.concat([
  frame(2, SYN, 3),
  frame(2, PSH, 3, Buffer.from('abc')),
  frame(2, NOP, 0),
  frame(2, NOP, LEAVING),
  frame(2, NOP, AT_MOST + 100),
  frame(2, UPD, 3, words(7, 1_048_576)),
  frame(2, PSH, 3),
  frame(2, PSH, 0xffffffff, Buffer.from('0123456789')),
  frame(2, FIN, 3),
]);
const TOLD = [
  'open 3',
  'push 3 3 616263',
  'word 1',
  'word 2147483748',
  'update 3 7 1048576',
  'push 3 0 ',
  'push 4294967295 10 30313233343536373839',
  'end 3',
];

describe('frames', () => {
  it('are the bytes a Go peer sends', () => {
    expect(frame(1, SYN, 3).toString('hex')).toBe('0100000003000000');
    expect(frame(2, PSH, 5, Buffer.from('hi')).toString('hex')).toBe('02020200050000006869');
  });

  it('are read the same wherever the chunks are cut', () => {
    for (let at = 0; at <= SPOKEN.length; at++)
      expect(read([SPOKEN.subarray(0, at), SPOKEN.subarray(at)], 2)).toEqual({ told: TOLD, fault: null });
    expect(
      read(
        [...SPOKEN].map((b) => Buffer.from([b])),
        null,
      ),
    ).toEqual({ told: TOLD, fault: null });
  });

  it('may not change their version, nor be of one not asked for', () => {
    expect(read([frame(1, SYN, 3), frame(2, SYN, 5)], null)).toEqual({
      told: ['open 3'],
      fault: 'version 2 instead of 1',
    });
    expect(read([frame(1, SYN, 3)], 2).fault).toBe('version 1 instead of 2');
    expect(read([Buffer.from('GET / HTTP/1.1\r\n')], null).fault).toBe('version 71 instead of 1 or 2');
  });

  it.each([
    [SYN, 'command 0 with 1 bytes'],
    [FIN, 'command 1 with 1 bytes'],
    [NOP, 'command 3 with 1 bytes'],
    [UPD, 'a window update of 1 bytes'],
    [5, 'command 5'],
  ])('of command %i with a byte too much are refused, as a Go peer does', (cmd, fault) => {
    expect(read([frame(2, cmd, 3, Buffer.from('x'))], 2).fault).toBe(fault);
  });

  it('have no window updates in version 1', () => {
    expect(read([frame(1, UPD, 3, words(1, 1))], 1).fault).toBe('a window update in version 1');
  });

  it('made of any bytes are read or refused, and never throw', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }), (chunks) => {
        const bytes: Buffer[] = chunks.map((c) => Buffer.from(c));
        const whole = read([Buffer.concat(bytes)], null);
        const cut = read(bytes, null);
        expect(cut.fault).toBe(whole.fault);
      }),
      { numRuns: 500 },
    );
  });
});
