import type { Adapter } from 'lowdb';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Log } from '../service/ports.ts';
import type { Disk } from './disk.ts';
import { Journal } from './journal.ts';
import { type OnLoss, type Places, type Recovered, recover } from './recover.ts';
import { prune, writeSnapshot } from './snapshot.ts';
import type { State } from './state.ts';

export interface AdapterSettings {
  readonly places: Places;
  readonly schema: number;
  readonly rotateBytes: number;
  /** A snapshot is taken after so many commits or so many journal bytes, and on close. */
  readonly snapshotCommits: number;
  readonly snapshotBytes: number;
  /** How long to wait before a disk that refused is tried again. */
  readonly retryMs: number;
}

interface Waiting {
  readonly state: State;
  readonly line: Uint8Array;
  readonly done: PromiseWithResolvers<void>;
}

/**
 * lowdb's adapter with a journal under it: lowdb's own writer never fsyncs. `read` recovers; `write` appends the commit
 * that made the state. All writes that wait while one datasync runs go out together, in one write and one datasync.
 */
export class JournalAdapter implements Adapter<State> {
  readonly #settings: AdapterSettings;
  readonly #disk: Disk;
  readonly #log: Log;
  readonly #onRollback: (durable: State) => void;
  #storeId = '';
  #journal: Journal | null = null;
  #durable: State | null = null;
  #queue: Waiting[] = [];
  #pumping: Promise<void> | null = null;
  #snapshotting: Promise<void> | null = null;
  #sinceSnapshot = { commits: 0, bytes: 0 };
  #broken: string | null = null;
  #repairing: Promise<void> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(
    settings: AdapterSettings,
    needs: {
      readonly disk: Disk;
      readonly log: Log;
      /** Called before the refused writes are, so that nobody decides on what was never durable. */
      readonly onRollback: (durable: State) => void;
    },
  ) {
    this.#settings = settings;
    this.#disk = needs.disk;
    this.#log = needs.log;
    this.#onRollback = needs.onRollback;
  }

  get broken(): string | null {
    return this.#broken;
  }

  /** Recovery, with what it did; then `read` hands out its state. */
  async recover(onLoss: OnLoss): Promise<Recovered> {
    const { places, schema, rotateBytes } = this.#settings;
    const found = await recover(places, { disk: this.#disk, onLoss }, schema);
    this.#journal = new Journal({ dir: places.journal, rotateBytes }, { disk: this.#disk }, found.tail);
    this.#durable = found.state;
    this.#sinceSnapshot.commits = found.replayed;
    return found;
  }

  /** The id that snapshots carry. */
  named(storeId: string): void {
    this.#storeId = storeId;
  }

  async read(): Promise<State | null> {
    return this.#durable;
  }

  write(state: State): Promise<void> {
    if (this.#closed) return Promise.reject(refused('it is closed'));
    if (this.#broken !== null) return Promise.reject(refused(this.#broken));
    if (!state.line) return Promise.reject(new AppError('internal', 'a state without a commit'));
    const done = Promise.withResolvers<void>();
    this.#queue.push({ state, line: state.line, done });
    this.#pumping ??= this.#pump();
    return done.promise;
  }

  /** Everything waiting is written, a snapshot taken. A store that is broken closes as it is. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#retry) clearTimeout(this.#retry);
    await this.#pumping;
    await this.#repairing;
    await this.#snapshotting;
    if (this.#broken === null && this.#sinceSnapshot.commits > 0) await this.#snapshot();
    await this.#journal?.close();
  }

  async #pump(): Promise<void> {
    // Whoever commits in this turn of the loop rides along.
    await new Promise((turn) => setImmediate(turn));
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      const first = batch[0]?.state.revision ?? 0;
      const [only] = batch;
      const bytes = only && batch.length === 1 ? only.line : Buffer.concat(batch.map((w) => w.line));
      try {
        await this.#journal?.append(first, bytes);
      } catch (e) {
        this.#pumping = null;
        this.#fail(e, batch);
        return;
      }
      this.#durable = batch.at(-1)?.state ?? this.#durable;
      this.#sinceSnapshot.commits += batch.length;
      this.#sinceSnapshot.bytes += bytes.length;
      for (const w of batch) w.done.resolve();
      this.#snapshotIfDue();
    }
    // In the same turn as the check above: a write that comes later starts a new pump.
    this.#pumping = null;
  }

  /** healthy -> broken: this batch and all behind it are refused, the state is the last durable one again. */
  #fail(error: unknown, batch: readonly Waiting[]): void {
    const lost = [...batch, ...this.#queue];
    this.#queue = [];
    const why = reasonOf(error);
    this.#broken = why;
    this.#log.error('the store takes no writes', { reason: why, refused: lost.length });
    if (this.#durable) this.#onRollback(this.#durable);
    for (const w of lost) w.done.reject(refused(why, error));
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#closed) return;
    this.#retry = setTimeout(() => {
      this.#repairing = this.#repair().finally(() => {
        this.#repairing = null;
      });
    }, this.#settings.retryMs);
    this.#retry.unref();
  }

  /** broken -> healthy, or broken still */
  async #repair(): Promise<void> {
    try {
      await this.#journal?.repair();
    } catch (e) {
      this.#broken = reasonOf(e);
      this.#retryLater();
      return;
    }
    this.#broken = null;
    this.#log.info('the store takes writes again', { revision: this.#durable?.revision });
  }

  #snapshotIfDue(): void {
    const { commits, bytes } = this.#sinceSnapshot;
    const { snapshotCommits, snapshotBytes } = this.#settings;
    if (this.#snapshotting || (commits < snapshotCommits && bytes < snapshotBytes)) return;
    // The snapshot ends where a segment ends, so that whole segments are covered by it.
    this.#journal?.rotate();
    this.#snapshotting = this.#snapshot().finally(() => {
      this.#snapshotting = null;
    });
  }

  /** A snapshot that fails costs nothing but a longer journal: it is tried again when the next one is due. */
  async #snapshot(): Promise<void> {
    const state = this.#durable;
    if (!state) return;
    this.#sinceSnapshot = { commits: 0, bytes: 0 };
    const { places, schema } = this.#settings;
    try {
      await this.#disk.mkdir(places.snapshots);
      const header = { schema, storeId: this.#storeId };
      await writeSnapshot({ dir: places.snapshots, header }, { disk: this.#disk }, state);
      await prune(places, { disk: this.#disk });
    } catch (e) {
      this.#log.warn('no snapshot was taken', { reason: reasonOf(e), revision: state.revision });
    }
  }
}

export function refused(why: string, cause?: unknown): AppError {
  return new AppError('unavailable', `the store takes no writes: ${why}`, { cause });
}

export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'the disk is full';
  if (code === 'EIO') return 'the disk reports an input/output error';
  if (code === 'EROFS') return 'the file system is read-only';
  return error instanceof Error ? error.message : String(error);
}
