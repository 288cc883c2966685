import * as crypto from 'node:crypto';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Passwords } from '../service/ports.ts';

// argon2id of node:crypto, which runs beside the event loop. Kept as PHC strings, each with its own parameters and salt:
// raising these makes new hashes dearer and leaves the old ones readable.

export interface PasswordSettings {
  /** KiB. */
  readonly memory: number;
  readonly passes: number;
  /** How many are computed at once: each takes a thread of Node's four, which the disk needs as well. */
  readonly atOnce: number;
  /** Who comes when so many wait already is told to come later. */
  readonly mostWaiting: number;
}

/** OWASP's first choice for argon2id: 46 MiB, one pass, one lane. Two at once hold 92 MiB. */
export const PASSWORDS: PasswordSettings = { memory: 47_104, passes: 1, atOnce: 2, mostWaiting: 64 };

const SALT_BYTES = 16;
const HASH_BYTES = 32;
const SHAPE = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=1\$([A-Za-z0-9+/]{16,64})\$([A-Za-z0-9+/]{43})$/;

interface Kept {
  readonly memory: number;
  readonly passes: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

export function createPasswords(
  settings: PasswordSettings,
  { random }: { readonly random: { bytes(n: number): Uint8Array } },
): Passwords {
  let running = 0;
  const waiting: (() => void)[] = [];
  // What an unknown user's password is compared with: of the same cost, and nobody's.
  const nobody: Kept = {
    memory: settings.memory,
    passes: settings.passes,
    salt: Buffer.from(random.bytes(SALT_BYTES)),
    hash: Buffer.from(random.bytes(HASH_BYTES)),
  };

  async function computed(password: string, k: Omit<Kept, 'hash'>): Promise<Buffer> {
    if (running >= settings.atOnce) {
      if (waiting.length >= settings.mostWaiting) {
        throw new AppError('unavailable', 'too many people log in at once; try again in a moment', {
          retryAfterMs: 1000,
        });
      }
      await new Promise<void>((turn) => waiting.push(turn));
    } else running += 1;
    try {
      return await argon2id(password, k);
    } finally {
      // The place goes to the next one; who comes meanwhile stands behind.
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  }

  return {
    async hash(password) {
      const salt = Buffer.from(random.bytes(SALT_BYTES));
      const { memory, passes } = settings;
      const hash = await computed(password, { memory, passes, salt });
      return `$argon2id$v=19$m=${memory},t=${passes},p=1$${plain(salt)}$${plain(hash)}`;
    },
    async verify(password, kept) {
      const k = (kept === null ? null : read(kept)) ?? nobody;
      const hash = await computed(password, k);
      return crypto.timingSafeEqual(hash, k.hash) && k !== nobody;
    },
  };
}

function argon2id(password: string, k: Omit<Kept, 'hash'>): Promise<Buffer> {
  const { argon2 } = crypto;
  if (typeof argon2 !== 'function') {
    throw new AppError('precondition', `Node ${process.version} has no argon2: passwords need 24.7 or newer`);
  }
  const parameters = {
    message: password,
    nonce: k.salt,
    parallelism: 1,
    tagLength: HASH_BYTES,
    memory: k.memory,
    passes: k.passes,
  };
  return new Promise((resolve, reject) => {
    argon2('argon2id', parameters, (error, hash) => (error ? reject(error) : resolve(hash)));
  });
}

function read(kept: string): Kept | null {
  const m = SHAPE.exec(kept);
  if (!m) return null;
  return {
    memory: Number(m[1]),
    passes: Number(m[2]),
    salt: Buffer.from(m[3] ?? '', 'base64'),
    hash: Buffer.from(m[4] ?? '', 'base64'),
  };
}

/** Base64 without padding, as PHC strings have it. */
function plain(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
