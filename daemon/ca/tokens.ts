import { createHash, timingSafeEqual } from 'node:crypto';
import { formatJoinToken } from '../../proto/link/join-token.ts';
import type { Random } from '../service/ports.ts';

export interface NewToken {
  readonly id: string;
  /** sha256 hex: all the master keeps. */
  readonly secretHash: string;
  /** `ct1.…`, shown once. */
  readonly text: string;
}

/** 256 bits of secret. */
export function makeToken(pin: string, random: Random): NewToken {
  const id = random.hex(5);
  const secret = Buffer.from(random.bytes(32)).toString('base64url');
  return { id, secretHash: hashSecret(secret), text: formatJoinToken({ pin, id, secret }) };
}

export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** In a time that tells nothing about where they differ. */
export function secretMatches(secret: string, secretHash: string): boolean {
  const given = Buffer.from(hashSecret(secret));
  const kept = Buffer.from(secretHash);
  return given.length === kept.length && timingSafeEqual(given, kept);
}
