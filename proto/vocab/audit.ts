import type { Role } from './can.ts';
import type { ErrorCode } from './errors.ts';
import type { Millis, Revision } from './ids.ts';

/** One line of the audit log: who did what, on what, from where, and what came of it. Hash-chained. */
export interface AuditRecord {
  /** Grows by one a record, from 1. */
  readonly seq: number;
  readonly at: Millis;
  /** `lin`, `lin(1000)`, `key:ci`, `local`, `master`; who was named in a login that failed. */
  readonly actor: string;
  /** `null`: not known, such as of a login that failed. */
  readonly role: Role | null;
  /** `unix`, or the address asked from. */
  readonly source: string;
  /** An action of the table in can.ts, or `login`, `logout`, `refresh`, `bootstrap`, `user.password`, `audit.gap`. */
  readonly action: string;
  /** What it was done on: a node, a version, a user. */
  readonly subject: string;
  readonly outcome: 'ok' | ErrorCode;
  /** Of the commit that it made; `null`: none. */
  readonly revision: Revision | null;
  readonly requestId: string;
  readonly reason: string;
  /** Of the record before; 64 zeros before the first. */
  readonly prev: string;
  /** sha256 hex over this record's JSON without the hash. */
  readonly hash: string;
}

export interface AuditVerdict {
  readonly ok: boolean;
  readonly records: number;
  /** Hash of the last record; 64 zeros when there is none. */
  readonly head: string;
  /** The first thing that is wrong: which seq, and what. */
  readonly fault: string | null;
}
