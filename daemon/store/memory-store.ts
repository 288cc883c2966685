import { createHash } from 'node:crypto';
import { AppError } from '../../proto/vocab/errors.ts';
import type { BodyHash } from '../../proto/vocab/ids.ts';
import type { Commit, Store } from '../service/ports.ts';
import { checkNext } from './next.ts';
import { decodeLine, isCommit } from './record.ts';
import { State } from './state.ts';

/** The store's twin without a disk. Values pass through the journal's codec, so what would not survive a restart shows. */
export interface MemoryStore extends Store {
  /** A disk that takes its time: commits stay unsettled until the returned function is called. */
  hold(): () => void;
  /** A disk that refuses (`no space left on device`): commits fail and are rolled back until `fail(null)`. */
  fail(reason: string | null): void;
}

export function createMemoryStore(settings: { readonly id?: string } = {}): MemoryStore {
  let head = State.empty();
  let durable = head;
  let broken: string | null = null;
  let closed = false;
  let failures = 0;
  let last = 'it is closed';
  let held: PromiseWithResolvers<void> | null = null;
  const blobs = new Map<string, Uint8Array>();
  const refuse = () => new AppError('unavailable', `the store takes no writes: ${last}`);

  return {
    id: settings.id ?? 'memory',
    recovery: [],
    snapshot: () => head,
    degraded: () => broken,
    async commit(commit: Commit): Promise<void> {
      if (closed || broken !== null) throw refuse();
      checkNext(head, commit);
      const kept = decodeLine(head.apply(commit).line?.subarray(0, -1) ?? new Uint8Array());
      if (!isCommit(kept)) throw new AppError('internal', 'a commit that its own journal would not read');
      const next = head.replay([kept]);
      head = next;
      const before = failures;
      await held?.promise;
      if (failures !== before) throw refuse();
      if (next.revision > durable.revision) durable = next;
    },
    async putBlob(bytes) {
      if (closed || broken !== null) throw refuse();
      const hash = createHash('sha256').update(bytes).digest('hex');
      blobs.set(hash, Uint8Array.from(bytes));
      return hash as BodyHash;
    },
    async getBlob(hash) {
      const found = blobs.get(hash);
      return found ? Uint8Array.from(found) : null;
    },
    async close() {
      closed = true;
    },
    hold() {
      const mine = Promise.withResolvers<void>();
      held = mine;
      return () => {
        if (held === mine) held = null;
        mine.resolve();
      };
    },
    fail(reason) {
      if (reason !== null) last = reason;
      broken = reason;
      if (reason === null) return;
      failures++;
      head = durable;
      held?.resolve();
      held = null;
    },
  };
}
