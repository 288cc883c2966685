import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { MessageReader } from './message-reader.ts';

const MOST = 1000;

function framed(...texts: readonly string[]): Buffer {
  return Buffer.concat(
    texts.map((t) => {
      const head = Buffer.alloc(5);
      head.writeUInt32BE(t.length, 1);
      return Buffer.concat([head, Buffer.from(t, 'latin1')]);
    }),
  );
}

function readIn(chunks: readonly Buffer[], reader = new MessageReader(MOST)): string[] {
  const out: string[] = [];
  for (const chunk of chunks) reader.feed(chunk, (m) => out.push(m.toString('latin1')));
  return out;
}

describe('messages out of a stream', () => {
  const texts = ['hello', '', 'x'.repeat(MOST), 'the last one'];
  const bytes = framed(...texts);

  test('several in one chunk, an empty one among them', () => {
    expect(readIn([bytes])).toEqual(texts);
  });

  test('wherever the bytes were cut in two', () => {
    for (let at = 0; at <= bytes.length; at++) {
      expect(readIn([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(texts);
    }
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 64])('in pieces of %i bytes', (size) => {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    );
    expect(readIn(pieces)).toEqual(texts);
  });

  test('what is not whole yet is nobody’s', () => {
    const reader = new MessageReader(MOST);
    expect(readIn([bytes.subarray(0, 7)], reader)).toEqual([]);
    expect(readIn([bytes.subarray(7, 10)], reader)).toEqual(['hello']);
  });

  test('one that is too long, or compressed, is not read, and those before it were', () => {
    const out: string[] = [];
    const read = (more: Buffer) => (): void =>
      new MessageReader(MOST).feed(Buffer.concat([framed('first'), more]), (m) =>
        out.push(m.toString('latin1')),
      );
    expect(read(framed('x'.repeat(MOST + 1)))).toThrow(
      expect.objectContaining({ code: 'too_large', message: 'a message of 1001 bytes; 1000 is the most' }),
    );
    expect(read(Buffer.from([1, 0, 0, 0, 1, 0]))).toThrow(expect.objectContaining({ code: 'unsupported' }));
    expect(out).toEqual(['first', 'first']);
  });

  test('a length that is a lie asks for no memory', () => {
    expect(() => readIn([Buffer.from([0, 0xff, 0xff, 0xff, 0xff])])).toThrow(/4294967295 bytes/);
  });

  test('between two messages nothing of them is kept', () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const reader = new MessageReader(MOST);
    const seen = ((): WeakRef<Buffer> => {
      const chunk = framed('a', 'b');
      readIn([chunk], reader);
      return new WeakRef(chunk);
    })();
    // A reference that was made in this turn is held to its end.
    return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      gc();
      expect(seen.deref()).toBeUndefined();
    });
  });
});
