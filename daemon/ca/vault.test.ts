import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openVault } from './vault.ts';

const random = {
  hex: (n: number) => randomBytes(n).toString('hex'),
  bytes: (n: number) => new Uint8Array(randomBytes(n)),
};
const SECRET = Buffer.from('hunter2-hunter2');

let file: string;
beforeEach(async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'ai-cdn-vault-'));
  file = path.join(dir, 'sealing.key');
  return () => rm(dir, { recursive: true, force: true });
});
const open = () => openVault(file, { random });
const made = async () => {
  const vault = await open();
  await vault.ready();
  return vault;
};

describe('the vault', () => {
  it('opens what it sealed, also after a restart; the key is made with the first thing, for its owner alone', async () => {
    const vault = await open();
    await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(() => vault.seal('a', SECRET)).toThrow(/before there is a key/);
    await vault.ready();
    const sealed = vault.seal('sealed:secret/a@1', SECRET);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(Buffer.from((await open()).open('sealed:secret/a@1', sealed))).toEqual(SECRET);
    expect((await open()).digest(SECRET)).toBe(vault.digest(SECRET));
  });

  it('two at once make one key', async () => {
    const vault = await open();
    await Promise.all([vault.ready(), vault.ready()]);
    const [a, b] = [vault.seal('a', SECRET), vault.seal('b', SECRET)];
    expect(a.keyId).toBe(b.keyId);
    expect(Buffer.from((await open()).open('b', b))).toEqual(SECRET);
  });

  it('nothing of it shows, not even that two are equal', async () => {
    const vault = await made();
    const [a, b] = [vault.seal('a', SECRET), vault.seal('a', SECRET)];
    expect(a.sealed).not.toBe(b.sealed);
    const key = (await readFile(file, 'utf8')).trim();
    for (const encoding of ['utf8', 'base64', 'hex'] as const) {
      expect(JSON.stringify([a, b])).not.toContain(SECRET.toString(encoding));
      expect(JSON.stringify([a, b])).not.toContain(Buffer.from(key, 'hex').toString(encoding));
    }
  });

  it('as something else, changed by one bit, or under another key, it does not open', async () => {
    const vault = await made();
    const sealed = vault.seal('sealed:secret/a@1', SECRET);
    expect(() => vault.open('sealed:secret/a@2', sealed)).toThrow(/does not open/);
    const bytes = Buffer.from(sealed.sealed, 'base64');
    for (const at of [0, 12, bytes.length - 1]) {
      const bent = Buffer.from(bytes);
      bent[at] = (bent[at] ?? 0) ^ 1;
      const other = { ...sealed, sealed: bent.toString('base64') };
      expect(() => vault.open('sealed:secret/a@1', other)).toThrow(/does not open/);
    }
    await writeFile(file, `${random.hex(32)}\n`);
    const stranger = await open();
    expect(() => stranger.open('sealed:secret/a@1', sealed)).toThrow(/under a key that is not in/);
  });

  it.each(['', 'not hex', 'ab'.repeat(31)])('a key file that holds %j is not replaced', async (text) => {
    await writeFile(file, text);
    await expect(open()).rejects.toMatchObject({ code: 'precondition' });
    expect(await readFile(file, 'utf8')).toBe(text);
  });
});
