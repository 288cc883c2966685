import path from 'node:path';
import type { Millis } from '../../proto/vocab/ids.ts';
import { makeDir, readRecord, record, writeRecord } from './durable.ts';

/** Something that happened on the node, for the master's timeline. */
export interface SpooledEvent {
  readonly at: Millis;
  readonly kind: string;
  readonly text: string;
}

/** The link takes 256 at once. */
const MOST = 256;

/** What happened while the master was away: `<state_dir>/events`. The oldest give way. */
export class EventSpool {
  readonly #file: string;
  readonly #report: (text: string) => void;
  #events: readonly SpooledEvent[] = [];
  #writing: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;

  constructor(settings: { readonly stateDir: string }, needs: { report: (text: string) => void }) {
    this.#file = path.join(settings.stateDir, 'events');
    this.#report = needs.report;
  }

  async load(): Promise<void> {
    this.#events = (await readRecord(this.#file, readEvents, this.#report)) ?? [];
  }

  all(): readonly SpooledEvent[] {
    return this.#events;
  }

  /** A full disk loses the copy on it, said each time, never the event in memory. */
  add(event: SpooledEvent): Promise<void> {
    return this.#set([...this.#events, event].slice(-MOST));
  }

  /** They have reached the master. */
  drop(told: readonly SpooledEvent[]): Promise<void> {
    return this.#set(this.#events.filter((e) => !told.includes(e)));
  }

  /** Many at once are one write: the last state is what counts. */
  #set(events: readonly SpooledEvent[]): Promise<void> {
    this.#events = events;
    this.#next ??= this.#writing.then(async () => {
      this.#next = null;
      try {
        await makeDir(path.dirname(this.#file));
        await writeRecord(this.#file, this.#events);
      } catch (e) {
        this.#report(`${this.#file} cannot be written: ${e instanceof Error ? e.message : String(e)}`);
      }
    });
    this.#writing = this.#next;
    return this.#next;
  }
}

function readEvents(value: unknown): SpooledEvent[] {
  if (!Array.isArray(value)) throw new Error('is no list');
  return value.slice(-MOST).map((entry) => {
    const { at, kind, text } = record(entry);
    if (typeof at !== 'number' || typeof kind !== 'string' || typeof text !== 'string') {
      throw new Error('holds something that is no event');
    }
    return { at, kind, text };
  });
}
