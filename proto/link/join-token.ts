import { AppError } from '../vocab/errors.ts';

/** `ct1.<sha256 of CA DER>.<id>.<secret>`: what an operator carries from the master to a new node. */
export interface JoinTokenParts {
  /** sha256 hex of the CA certificate's DER: checked before the secret leaves the node. */
  readonly pin: string;
  readonly id: string;
  readonly secret: string;
}

const SHAPE = /^ct1\.([0-9a-f]{64})\.([A-Za-z0-9_-]{4,32})\.([A-Za-z0-9_-]{22,128})$/;

export function formatJoinToken(t: JoinTokenParts): string {
  return `ct1.${t.pin}.${t.id}.${t.secret}`;
}

/**
 * Surrounding white space (a pasted line end) is forgiven, nothing else.
 * @throws AppError `invalid`; the message never repeats the text, which may hold a secret.
 */
export function parseJoinToken(text: string): JoinTokenParts {
  const m = SHAPE.exec(text.trim());
  if (!m) {
    throw new AppError(
      'invalid',
      'this is not a join token: one reads ct1.<64 hex digits>.<id>.<secret>; make one with `aicdnctl token create` on the master, and copy all of it',
    );
  }
  return { pin: m[1] ?? '', id: m[2] ?? '', secret: m[3] ?? '' };
}
