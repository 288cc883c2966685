import { createHmac } from 'node:crypto';
import type { Vault } from '../../daemon/service/ports.ts';
import { AppError } from '../../proto/vocab/errors.ts';

/** Keeps what is sealed in memory and hands out numbers: nothing of a content can be read from one. */
export function memoryVault(): Vault & { readonly keys: string[] } {
  const kept = new Map<string, { readonly about: string; readonly content: Uint8Array }>();
  const keys = ['key-1'];
  return {
    keys,
    ready: async () => {},
    seal(about, content) {
      const sealed = `sealed ${kept.size + 1}`;
      kept.set(sealed, { about, content: Uint8Array.from(content) });
      return { sealed, keyId: keys[0] ?? '' };
    },
    open(about, { sealed, keyId }) {
      const found = kept.get(sealed);
      if (!found || found.about !== about || !keys.includes(keyId)) {
        throw new AppError('precondition', `${about} does not open`);
      }
      return found.content;
    },
    digest: (content) =>
      createHmac('sha256', keys[0] ?? '')
        .update(content)
        .digest('hex'),
  };
}
