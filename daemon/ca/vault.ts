import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Random, Vault } from '../service/ports.ts';
import { readKept, writeKept } from './kept-file.ts';

const ALGORITHM = 'aes-256-gcm';
const IV = 12;
const TAG = 16;

/**
 * AES-256-GCM under the key in `file` (64 hex, 0600). The key is made with the first thing that is sealed: a master whose
 * key was lost must not get another one unseen.
 * @throws AppError `precondition` when what is there is no key
 */
export async function openVault(file: string, { random }: { readonly random: Random }): Promise<Vault> {
  let key = parsed(file, await readKept(file).catch((cause: Error) => unusable(file, cause.message, cause)));
  let making: Promise<Buffer> | null = null;

  async function made(): Promise<Buffer> {
    const hex = Buffer.from(random.bytes(32)).toString('hex');
    await writeKept(file, `${hex}\n`).catch((cause: Error) => unusable(file, cause.message, cause));
    return Buffer.from(hex, 'hex');
  }

  function own(): Buffer {
    if (!key) throw new AppError('internal', 'nothing can be sealed before there is a key');
    return key;
  }

  return {
    async ready() {
      if (key) return;
      making ??= made().finally(() => {
        making = null;
      });
      key = await making;
    },

    seal(about, content) {
      const k = own();
      const iv = Buffer.from(random.bytes(IV));
      const cipher = createCipheriv(ALGORITHM, part(k, 'seal'), iv);
      cipher.setAAD(Buffer.from(about));
      const sealed = Buffer.concat([iv, cipher.update(content), cipher.final(), cipher.getAuthTag()]);
      return { sealed: sealed.toString('base64'), keyId: idOf(k) };
    },

    open(about, { sealed, keyId }) {
      if (!key || idOf(key) !== keyId) {
        throw new AppError('precondition', `${about} is sealed under a key that is not in ${file}`);
      }
      const all = Buffer.from(sealed, 'base64');
      try {
        const decipher = createDecipheriv(ALGORITHM, part(key, 'seal'), all.subarray(0, IV));
        decipher.setAAD(Buffer.from(about));
        decipher.setAuthTag(all.subarray(-TAG));
        return Buffer.concat([decipher.update(all.subarray(IV, -TAG)), decipher.final()]);
      } catch (cause) {
        throw new AppError('precondition', `${about} is damaged: it does not open`, { cause });
      }
    },

    digest: (content) => createHmac('sha256', part(own(), 'digest')).update(content).digest('hex'),
  };
}

/** A key a use, of the one that is kept. */
function part(key: Buffer, use: 'seal' | 'digest' | 'id'): Buffer {
  return createHmac('sha256', key).update(`ai-cdn sealing ${use}`).digest();
}

function idOf(key: Buffer): string {
  return part(key, 'id').toString('hex').slice(0, 16);
}

function parsed(file: string, text: string | null): Buffer | null {
  if (text === null) return null;
  if (!/^[0-9a-f]{64}\n?$/.test(text)) return unusable(file, 'it holds no key of 64 hex digits');
  return Buffer.from(text.trim(), 'hex');
}

function unusable(file: string, why: string, cause?: unknown): never {
  throw new AppError(
    'precondition',
    `the sealing key in ${file} cannot be used: ${why}. Restore the file from a backup; without it every secret has to be put again.`,
    { cause },
  );
}
