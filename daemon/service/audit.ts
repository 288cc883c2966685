import type { AuditRecord, AuditVerdict } from '../../proto/vocab/audit.ts';
import type { Caller } from '../../proto/vocab/can.ts';
import { AppError, type ErrorCode } from '../../proto/vocab/errors.ts';
import type { Millis, Revision } from '../../proto/vocab/ids.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import {
  type AuditEntry,
  type AuditHead,
  ChainCheck,
  EMPTY_HEAD,
  GAP,
  lineOf,
  readRecord,
  seal,
} from './audit-chain.ts';
import type { AuditFile, Clock, Draft, Log, Snapshot } from './ports.ts';

/** Who does what to what, before it is known what comes of it. */
export interface About {
  readonly caller: Pick<Caller, 'actor' | 'source'> & { readonly role: Caller['role'] | null };
  readonly action: string;
  readonly subject: string;
  readonly requestId: string;
  readonly reason: string;
}

/** A record that has its place in the chain and waits for what it tells of. */
export interface Ticket {
  /** What it tells of is on disk. Settles once the record is as well. @throws AppError `unavailable` */
  landed(): Promise<void>;
  /** It did not happen: the record says so instead. Settles as `landed` does. */
  dropped(outcome: ErrorCode): Promise<void>;
}

interface Waiting {
  entry: AuditEntry;
  record: AuditRecord;
  /** What it tells of is settled: it may be written. */
  ready: boolean;
  /** Handed to the journal with this commit. */
  journalled: boolean;
  readonly done: PromiseWithResolvers<void>;
}

/** The head that the journal knows: `<seq> <hash>`. */
const META = 'audit_head';
/** Records whose commits are not on disk yet, at most: more mutations than this are not decided at one time. */
const MOST_WAITING = 10_000;

/**
 * The audit log. A record gets its place when its mutation is decided, goes into the same commit (so that a crash loses
 * none), is written once that commit is on disk, and is on disk before the mutation is answered. Records that wait while
 * one sync runs share the next.
 */
export class AuditTrail {
  private readonly file: AuditFile;
  private readonly clock: Clock;
  private readonly log: Log;
  /** Of the last record given a place. */
  private head: AuditHead = EMPTY_HEAD;
  /** Of the last record on disk. */
  private durable: AuditHead = EMPTY_HEAD;
  private queue: Waiting[] = [];
  private writing: Promise<void> | null = null;
  private broken: string | null = null;

  constructor(needs: { file: AuditFile; clock: Clock; log: Log }) {
    this.file = needs.file;
    this.clock = needs.clock;
    this.log = needs.log;
  }

  /** Why nothing can be recorded at the moment, or `null`. */
  degraded(): string | null {
    return this.broken === null ? null : `the audit log takes no records: ${this.broken}`;
  }

  /** @throws AppError `unavailable`: what cannot be recorded is not done */
  check(): void {
    const why = this.degraded();
    if (why !== null) throw new AppError('unavailable', why);
    if (this.queue.length >= MOST_WAITING) throw new AppError('unavailable', 'too many changes at once');
  }

  /** In the turn of the decision: the record's place is that of the decision. */
  begin(about: About, outcome: 'ok' | ErrorCode, revision: Revision | null, at: Millis): Ticket {
    const entry: AuditEntry = {
      at,
      actor: safeText(about.caller.actor, { max: 128 }),
      role: about.caller.role,
      source: safeText(about.caller.source, { max: 64 }),
      action: about.action,
      subject: safeText(about.subject, { max: 128 }),
      outcome,
      revision,
      requestId: safeText(about.requestId, { max: 128 }),
      reason: safeText(about.reason, { max: 500 }),
    };
    const record = seal(entry, this.head);
    this.head = record;
    const done = Promise.withResolvers<void>();
    done.promise.catch(() => {});
    const waiting: Waiting = { entry, record, ready: false, journalled: false, done };
    this.queue.push(waiting);
    return {
      landed: () => this.settle(waiting),
      dropped: (code) => {
        this.amend(waiting, code);
        return this.settle(waiting);
      },
    };
  }

  /** A record of what made no commit. */
  tell(about: About, outcome: 'ok' | ErrorCode): Promise<void> {
    return this.begin(about, outcome, null, this.clock.now()).landed();
  }

  /** For a commit that is being made: the records that no commit holds yet, without those that are on disk by now. */
  ops(view: Snapshot): Draft[] {
    const out: Draft[] = [];
    for (const { record } of view.list('audit')) {
      if (record.seq <= this.durable.seq) out.push({ op: 'del', kind: 'audit', key: `${record.seq}` });
    }
    for (const w of this.queue) {
      if (w.journalled) continue;
      w.journalled = true;
      out.push({ op: 'put', kind: 'audit', key: `${w.record.seq}`, value: { record: w.record } });
    }
    return [...out, headOp(this.head)];
  }

  /**
   * Records that made no commit are in no journal yet: what makes the journal know of them, or `null`.
   * @param last nothing comes after: the journal keeps no copy of what the log has, so that a cut end shows as one
   */
  mark(view: Snapshot, last = false): Draft[] | null {
    const known = this.durable.seq <= journalledHead(view).seq;
    if (this.broken !== null || (known && !(last && view.count('audit') > 0))) return null;
    return this.ops(view);
  }

  /** A disk that refused is tried again. */
  async retry(): Promise<void> {
    if (this.broken === null || this.writing !== null) return;
    try {
      await this.file.repair();
    } catch (error) {
      this.broken = this.file.reason(error);
      return;
    }
    this.broken = null;
    this.log.info('the audit log takes records again', { seq: this.durable.seq });
    this.write();
    await this.writing;
  }

  /** Settles once all that may be written is, or was refused. */
  async settled(): Promise<void> {
    await this.writing;
  }

  /**
   * Where the log ends, and whether that is where the journal says. What a crash kept from it is written from the
   * journal; what else is missing becomes a record itself.
   * @returns what was found, in sentences
   */
  async start(view: Snapshot): Promise<readonly string[]> {
    const found: string[] = [];
    if (this.file.cut > 0) found.push('the audit log ended in the middle of a record, which was cut');
    const end = await lastRecord(this.file);
    this.durable = end ?? EMPTY_HEAD;
    this.head = this.durable;
    await this.restore(view, found);
    const wrong = await this.missing(view);
    if (wrong !== null) {
      found.push(`the audit log was tampered with: ${wrong}`);
      const caller = { actor: 'master', role: null, source: 'start' } as const;
      await this.tell({ caller, action: GAP, subject: 'audit', requestId: '', reason: wrong }, 'internal');
    }
    return found;
  }

  /** @param limit records; `before`: older than this seq */
  async list(args: {
    limit: number;
    before: number | null;
    actor?: string;
    action?: string;
  }): Promise<{ records: readonly AuditRecord[]; next: number | null }> {
    const records: AuditRecord[] = [];
    const before = args.before ?? Number.POSITIVE_INFINITY;
    for (const first of (await this.file.segments()).toReversed()) {
      if (first >= before) continue;
      for (const line of linesOf(await this.file.read(first)).toReversed()) {
        const r = readRecord(line);
        if (r === null || r.seq >= before || r.seq > this.durable.seq) continue;
        if (args.actor !== undefined && r.actor !== args.actor) continue;
        if (args.action !== undefined && r.action !== args.action) continue;
        // One more than asked for says that there is a next page.
        if (records.length === args.limit) return { records, next: records.at(-1)?.seq ?? null };
        records.push(r);
      }
    }
    return { records, next: null };
  }

  /** Up to the last record that is on disk now. */
  verify(): Promise<AuditVerdict> {
    return verifyFile(this.file, this.durable, this.durable.seq);
  }

  private amend(waiting: Waiting, outcome: ErrorCode): void {
    waiting.entry = { ...waiting.entry, outcome, revision: null };
    // Those behind it are not written before it, and those with commits are refused like it: all get other hashes.
    const from = this.queue.indexOf(waiting);
    let before = this.queue[from - 1]?.record ?? this.durable;
    for (const w of this.queue.slice(from)) {
      w.record = seal(w.entry, before);
      w.journalled = false;
      before = w.record;
    }
    this.head = before;
  }

  private settle(waiting: Waiting): Promise<void> {
    waiting.ready = true;
    if (this.broken !== null) waiting.done.reject(new AppError('unavailable', this.degraded() ?? ''));
    else this.write();
    return waiting.done.promise;
  }

  private write(): void {
    this.writing ??= this.pump();
  }

  private async pump(): Promise<void> {
    // Whoever settles in this turn rides along.
    await Promise.resolve();
    for (;;) {
      const stop = this.queue.findIndex((w) => !w.ready);
      const batch = stop === -1 ? this.queue.slice() : this.queue.slice(0, stop);
      const [first] = batch;
      if (!first) break;
      try {
        await this.file.append(first.record.seq, Buffer.from(batch.map((w) => lineOf(w.record)).join('')));
      } catch (error) {
        this.refuse(this.file.reason(error));
        break;
      }
      this.queue = this.queue.slice(batch.length);
      this.durable = batch.at(-1)?.record ?? this.durable;
      for (const w of batch) w.done.resolve();
    }
    // In the same turn as the last look at the queue: what is ready later starts a new pump.
    this.writing = null;
  }

  /** healthy -> broken: none of those that wait is acknowledged; their records are written once the disk takes them. */
  private refuse(why: string): void {
    this.broken = why;
    this.log.error('the audit log takes no records', { reason: why, waiting: this.queue.length });
    for (const w of this.queue) w.done.reject(new AppError('unavailable', this.degraded() ?? ''));
  }

  private async restore(view: Snapshot, found: string[]): Promise<void> {
    const whole = pendingAfter(view, this.durable);
    const at = whole.at(-1) ?? this.durable;
    const [first] = whole;
    if (!first) return;
    await this.file.append(first.seq, Buffer.from(whole.map(lineOf).join('')));
    this.durable = at;
    this.head = at;
    found.push(
      `${whole.length === 1 ? 'a record' : `${whole.length} records`} that the audit log lacked came from the journal (seq ${first.seq} to ${at.seq})`,
    );
  }

  /** What stands in the last segment is looked at; all of it only when somebody asks. */
  private async missing(view: Snapshot): Promise<string | null> {
    const known = journalledHead(view);
    const { seq } = this.durable;
    if (seq < known.seq) return `seq ${seq + 1} to ${known.seq} are missing, the journal knows of them`;
    const last = (await this.file.segments()).at(-1);
    if (last === undefined) return null;
    const lines = linesOf(await this.file.read(last));
    const same = lines.map(readRecord).find((r) => r?.seq === known.seq);
    return same && same.hash !== known.hash ? `seq ${known.seq} is not the one that the journal knows` : null;
  }
}

/** The head as a commit keeps it. */
function headOp(head: AuditHead): Draft {
  return { op: 'put', kind: 'meta', key: META, value: { id: META, value: `${head.seq} ${head.hash}` } };
}

/** The last record that the journal knows of. */
export function journalledHead(view: Snapshot): AuditHead {
  const [seq, hash] = String(view.get('meta', META)?.value ?? '').split(' ');
  return seq && hash ? { seq: Number(seq), hash } : EMPTY_HEAD;
}

/** Follows the whole log. `expected`: a record that must be in it; `upTo`: what comes later is not looked at. */
export async function verifyFile(
  file: Pick<AuditFile, 'segments' | 'read'>,
  expected: AuditHead,
  upTo = Number.POSITIVE_INFINITY,
): Promise<AuditVerdict> {
  const check = new ChainCheck(expected.seq === 0 ? null : expected);
  const segments = await file.segments();
  for (const [i, first] of segments.entries()) {
    for (const line of linesOf(await file.read(first), i === segments.length - 1)) {
      if (check.head.seq >= upTo) break;
      check.take(line);
    }
  }
  const fault = check.end();
  return { ok: fault === null, records: check.records, head: check.head.hash, fault };
}

/** The log and the journal of a master that does not run, each against the other. Nothing is changed. */
export async function verifyStopped(
  file: Pick<AuditFile, 'segments' | 'read'>,
  view: Snapshot,
): Promise<AuditVerdict & { readonly waiting: number }> {
  const last = (await lastRecord(file)) ?? EMPTY_HEAD;
  const waiting = pendingAfter(view, last);
  // What a crash kept from the log is in the journal: the next start writes it.
  const known = waiting.length > 0 ? last : journalledHead(view);
  return { ...(await verifyFile(file, known)), waiting: waiting.length };
}

/** Records of the journal that follow on the log's end. */
function pendingAfter(view: Snapshot, last: AuditHead): AuditRecord[] {
  const later = view
    .list('audit')
    .map((p) => p.record)
    .filter((r) => r.seq > last.seq)
    .sort((a, b) => a.seq - b.seq);
  const out: AuditRecord[] = [];
  for (const record of later) {
    if (seal(record, out.at(-1) ?? last).hash !== record.hash) break;
    out.push(record);
  }
  return out;
}

async function lastRecord(file: Pick<AuditFile, 'segments' | 'read'>): Promise<AuditHead | null> {
  for (const first of (await file.segments()).toReversed()) {
    for (const line of linesOf(await file.read(first)).toReversed()) {
      const record = readRecord(line);
      if (record !== null) return record;
    }
  }
  return null;
}

/** @param open the last segment: what stands behind its last line end is still being written, or never was */
function linesOf(bytes: Uint8Array, open = true): string[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const lines = text.split('\n');
  const rest = lines.pop();
  return rest === '' || rest === undefined || open ? lines : [...lines, rest];
}
