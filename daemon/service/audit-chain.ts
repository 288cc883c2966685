import { createHash } from 'node:crypto';
import type { AuditRecord } from '../../proto/vocab/audit.ts';

// The audit log as text: a record a line, each holding the hash of the one before. Whoever changes, takes out or moves
// a line breaks the chain there; whoever cuts its end is found by the head that the journal knows.

/** `prev` of the first record. */
export const GENESIS = '0'.repeat(64);

/** What a record says, before it has its place in the chain. */
export type AuditEntry = Omit<AuditRecord, 'seq' | 'prev' | 'hash'>;

/** A place in the chain: the last record up to there. */
export interface AuditHead {
  readonly seq: number;
  readonly hash: string;
}

export const EMPTY_HEAD: AuditHead = { seq: 0, hash: GENESIS };

/** Gives an entry its place behind `head`. */
export function seal(entry: AuditEntry, head: AuditHead): AuditRecord {
  const body = inOrder({ ...entry, seq: head.seq + 1, prev: head.hash });
  return { ...body, hash: hashOf(body) };
}

export function lineOf(record: AuditRecord): string {
  return `${JSON.stringify({ ...inOrder(record), hash: record.hash })}\n`;
}

/** Always the same keys in the same order: the text is what is hashed. */
function inOrder(r: Omit<AuditRecord, 'hash'>): Omit<AuditRecord, 'hash'> {
  const { seq, at, actor, role, source, action, subject, outcome, revision, requestId, reason, prev } = r;
  return { seq, at, actor, role, source, action, subject, outcome, revision, requestId, reason, prev };
}

function hashOf(body: Omit<AuditRecord, 'hash'>): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('hex');
}

/** Follows the chain line by line, from its first record; remembers the first thing that is wrong. */
export class ChainCheck {
  head: AuditHead = EMPTY_HEAD;
  records = 0;
  fault: string | null = null;
  private readonly expected: AuditHead | null;

  /** @param expected a record known from elsewhere: one of this seq must come, with this hash */
  constructor(expected: AuditHead | null) {
    this.expected = expected;
  }

  /** @param line without its line end */
  take(line: string): void {
    const record = readRecord(line);
    if (record === null) {
      this.blame(`after seq ${this.head.seq}: a line is no record (it was changed, or is incomplete)`);
      return;
    }
    this.records += 1;
    this.compare(record, line);
    this.head = { seq: record.seq, hash: record.hash };
  }

  /** There is no more. @returns what is wrong, or `null` */
  end(): string | null {
    const { expected, head } = this;
    if (expected !== null && head.seq < expected.seq) {
      const which =
        expected.seq === head.seq + 1
          ? `seq ${expected.seq} is missing`
          : `seq ${head.seq + 1} to ${expected.seq} are missing`;
      this.blame(`${which}: the log ends at ${head.seq}, it was cut`);
    }
    return this.fault;
  }

  private compare(record: AuditRecord, line: string): void {
    const { head, expected } = this;
    const { seq } = record;
    if (seq > head.seq + 1) {
      const which =
        seq === head.seq + 2 ? `seq ${seq - 1} is missing` : `seq ${head.seq + 1} to ${seq - 1} are missing`;
      this.blame(`${which}: ${seq} follows ${head.seq}`);
    } else if (seq <= head.seq) this.blame(`seq ${seq} stands behind ${head.seq}: it was moved or repeated`);
    else if (record.prev !== head.hash) {
      this.blame(`seq ${seq} does not follow from the one before it: one of the two was changed`);
    }
    if (hashOf(inOrder(record)) !== record.hash || lineOf(record) !== `${line}\n`) {
      this.blame(`seq ${seq} was changed: its hash does not hold`);
    } else if (expected?.seq === seq && expected.hash !== record.hash) {
      this.blame(`seq ${seq} is not the one that the store knows: the log was written anew`);
    } else if (record.action === GAP) this.blame(`seq ${seq}: ${record.reason}`);
  }

  private blame(fault: string): void {
    this.fault ??= fault;
  }
}

/** The action of the record by which a master says that its log had been tampered with when it began. */
export const GAP = 'audit.gap';

export function readRecord(line: string): AuditRecord | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const r = value as Partial<AuditRecord>;
  const texts = [r.actor, r.source, r.action, r.subject, r.outcome, r.requestId, r.reason, r.prev, r.hash];
  const sound = Number.isSafeInteger(r.seq) && texts.every((t) => typeof t === 'string');
  return sound ? (value as AuditRecord) : null;
}
