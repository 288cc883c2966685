import type { Millis, Revision, VersionLabel } from './ids.ts';

export const SECRET_KINDS = ['secret', 'certificate'] as const;
export type SecretKind = (typeof SECRET_KINDS)[number];

/** What the master tells of a sealed value: never the value. */
export interface SecretView {
  /** Unique over both kinds: `${secret.NAME}` or `${cert.NAME}`. */
  readonly name: string;
  readonly kind: SecretKind;
  /** + 1 on every put; goes on where it was when a removed name is put again. */
  readonly version: number;
  readonly updatedBy: string;
  readonly updatedAt: Millis;
  /** Of a certificate: when its leaf expires. */
  readonly notAfter: Millis | null;
  /** Of a certificate: the names and addresses its leaf is for. */
  readonly names: readonly string[];
  /** Versions in force that name it. */
  readonly usedBy: readonly VersionLabel[];
  readonly modRevision: Revision;
}

/** What stands in a rendered document instead of the value: the node has the value in a file of its own. */
export interface SealedRef {
  readonly kind: SecretKind;
  readonly name: string;
  readonly version: number;
}

/** On its way to a node that uses it. A certificate is PEM: key, leaf, chain. */
export interface SealedItem extends SealedRef {
  readonly content: Uint8Array;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const WORDS = { secret: 'secret', certificate: 'cert' } as const satisfies Record<SecretKind, string>;
const REF = /^sealed:(secret|cert)\/([A-Za-z0-9][A-Za-z0-9_.-]{0,62})@([1-9]\d{0,8})$/;

/** It becomes part of a file's name on the nodes: no slash, no dot at the front. */
export function isSecretName(text: string): boolean {
  return NAME.test(text);
}

/** `sealed:cert/web@3` */
export function formatSealedRef(ref: SealedRef): string {
  return `sealed:${WORDS[ref.kind]}/${ref.name}@${ref.version}`;
}

/** `null`: this is no such reference. */
export function parseSealedRef(text: string): SealedRef | null {
  const m = REF.exec(text);
  if (m?.[2] === undefined) return null;
  return { kind: m[1] === 'cert' ? 'certificate' : 'secret', name: m[2], version: Number(m[3]) };
}

/** The variable that names it in a template: `cert.web`, `secret.edge`. */
export function sealedVariable(ref: Pick<SealedRef, 'kind' | 'name'>): string {
  return `${WORDS[ref.kind]}.${ref.name}`;
}

/** Its file on a node that uses it: another version is another file, so that one can be put back. */
export function sealedFile(ref: SealedRef): string {
  return `${WORDS[ref.kind]}.${ref.name}@${ref.version}`;
}

/** The references in a rendered text, each once. */
export function sealedRefsIn(text: string): readonly SealedRef[] {
  const found = new Set(text.match(/sealed:(?:secret|cert)\/[A-Za-z0-9_.-]+@\d+/g) ?? []);
  return [...found].map(parseSealedRef).filter((ref) => ref !== null);
}
