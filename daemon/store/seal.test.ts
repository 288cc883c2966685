import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { sealed, unsealed } from './seal.ts';

const COST = { n: 1024, r: 8, p: 1 };
const PASS = 'what nobody guesses';

async function* parts(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const out: Uint8Array[] = [];
  for await (const p of source) out.push(p);
  return Buffer.concat(out);
}

const seal = (plain: Buffer) => all(sealed(parts(plain, 10_007), PASS, { random: randomBytes, cost: COST }));
const open = (file: Buffer, pass = PASS) => all(unsealed(parts(file, 8_191), pass));

/** Header, then frames: what an editor of the file has to play with. */
function split(file: Buffer): { readonly head: Buffer; readonly frames: readonly Buffer[] } {
  let at = file.indexOf(0x0a, file.indexOf(0x0a) + 1) + 1;
  const head = file.subarray(0, at);
  const frames: Buffer[] = [];
  while (at < file.length) {
    const end = at + 4 + file.readUInt32BE(at) + 16;
    frames.push(file.subarray(at, end));
    at = end;
  }
  return { head, frames };
}

describe('sealed and unsealed', () => {
  test.each([0, 1, 64 * 1024, 64 * 1024 + 1, 200_000])('%i bytes come back', async (n) => {
    const plain = randomBytes(n);
    expect((await open(await seal(plain))).equals(plain)).toBe(true);
  });

  test('the same content is another file each time', async () => {
    const plain = Buffer.from('the same');
    expect((await seal(plain)).equals(await seal(plain))).toBe(false);
  });

  test('frames left out, doubled, exchanged or made the last are all told', async () => {
    const { head, frames } = split(await seal(randomBytes(200_000)));
    const [a, b, c, d] = frames as [Buffer, Buffer, Buffer, Buffer];
    expect(frames).toHaveLength(4);
    for (const wrong of [
      [b, c, d],
      [a, c, d],
      [a, b, c],
      [a, a, b, c, d],
      [b, a, c, d],
      [a, b, d, c],
      [a],
      [],
    ]) {
      await expect(open(Buffer.concat([head, ...wrong]))).rejects.toMatchObject({ code: 'invalid' });
    }
    await expect(open(Buffer.concat([head, ...frames, a]))).rejects.toMatchObject({ code: 'invalid' });
  });

  test('any changed byte is told; another passphrase is told as such', async () => {
    const file = await seal(randomBytes(300));
    for (let at = 0; at < file.length; at += 7) {
      const changed = Buffer.from(file);
      changed[at] = (changed[at] ?? 0) ^ 0x20;
      await expect(open(changed)).rejects.toMatchObject({ code: 'invalid' });
    }
    await expect(open(file, 'something else')).rejects.toThrow(/passphrase is not the one/);
  });
});
