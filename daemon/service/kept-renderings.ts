import type { Mould } from '../../proto/document/mould.ts';
import type { Rendered } from './rendering.ts';

// How much is held for each, in bytes, as measured: of a mould by the character of its text, most of which is the tree.
const PER_MOULD_CHARACTER = 32;
const PER_BATCH = 1024;
const PER_RENDERING = 1024;
const PER_REFUSAL = 512;
/** Of so many newcomers one takes the place of what came first. */
const ONE_IN = 8;

/** Renderings of one template with the same look-ups, and the mould that more are made in. */
export interface Batch {
  readonly mould: Mould | null;
  get(values: string): Rendered | undefined;
}

interface Held extends Batch {
  readonly key: string;
  mould: Mould | null;
  readonly renderings: Map<string, { readonly rendered: Rendered; readonly bytes: number }>;
  bytes: number;
  /** The last time somebody asked for it, in askings. */
  asked: number;
}

/**
 * Renderings that were made, as many as go into so many bytes. What nobody asked for while all others were asked for once
 * goes first, template by template. Where all that is asked for is more than fits, what is there stays, and only some of
 * the newcomers are kept: whoever walks round and round a large fleet finds as many as there is room for, and not none.
 */
export class KeptRenderings {
  private readonly most: number;
  /** Those asked for last are last. */
  private readonly batches = new Map<string, Held>();
  private bytes = 0;
  private count = 0;
  private asked = 0;
  private newcomers = 0;

  constructor(most: number) {
    this.most = most;
  }

  /** How much is held, and in how many renderings. */
  get held(): { readonly bytes: number; readonly renderings: number } {
    return { bytes: this.bytes, renderings: this.count };
  }

  batch(key: string): Batch {
    const batch = this.batches.get(key) ?? this.begun(key);
    this.asked += 1;
    batch.asked = this.asked;
    this.batches.delete(key);
    this.batches.set(key, batch);
    return batch;
  }

  keep(key: string, values: string, rendered: Rendered): void {
    const batch = this.batches.get(key);
    const bytes = PER_RENDERING + values.length + heldFor(rendered);
    if (!batch || batch.renderings.has(values) || !this.hasRoom(batch, bytes)) return;
    batch.renderings.set(values, { rendered, bytes });
    batch.bytes += bytes;
    this.bytes += bytes;
    this.count += 1;
  }

  keepMould(key: string, mould: Mould): void {
    const batch = this.batches.get(key);
    const bytes = mould.length * PER_MOULD_CHARACTER;
    if (!batch || batch.mould !== null || batch.bytes + bytes > this.most) return;
    // It is worth more than renderings, which cost little with one, and than a mould asked for before.
    if (!this.fits(batch, bytes)) this.dropRenderings([...this.batches.values()], bytes);
    for (const other of this.batches.values()) {
      if (this.bytes + bytes <= this.most) break;
      if (other !== batch) this.drop(other);
    }
    batch.mould = mould;
    batch.bytes += bytes;
    this.bytes += bytes;
  }

  /** All whose key begins so. */
  forget(prefix: string): void {
    for (const batch of this.batches.values()) if (batch.key.startsWith(prefix)) this.drop(batch);
  }

  private begun(key: string): Held {
    const renderings: Held['renderings'] = new Map();
    const get = (values: string): Rendered | undefined => renderings.get(values)?.rendered;
    this.bytes += PER_BATCH;
    return { key, mould: null, renderings, bytes: PER_BATCH, asked: 0, get };
  }

  private hasRoom(batch: Held, bytes: number): boolean {
    if (this.fits(batch, bytes)) return true;
    this.newcomers += 1;
    if (this.newcomers % ONE_IN !== 0) return false;
    this.dropRenderings([batch, ...this.batches.values()], bytes);
    return this.bytes + bytes <= this.most;
  }

  /** With what nobody asks for any more gone. */
  private fits(batch: Held, bytes: number): boolean {
    for (const other of this.batches.values()) {
      if (this.bytes + bytes <= this.most) return true;
      if (other === batch || this.asked - other.asked <= this.count) break;
      this.drop(other);
    }
    return this.bytes + bytes <= this.most;
  }

  private dropRenderings(of: readonly Held[], bytes: number): void {
    for (const batch of of) {
      for (const values of batch.renderings.keys()) {
        if (this.bytes + bytes <= this.most) return;
        this.dropOne(batch, values);
      }
    }
  }

  private dropOne(batch: Held, values: string): void {
    const bytes = batch.renderings.get(values)?.bytes ?? 0;
    batch.renderings.delete(values);
    batch.bytes -= bytes;
    this.bytes -= bytes;
    this.count -= 1;
  }

  private drop(batch: Held): void {
    this.batches.delete(batch.key);
    this.bytes -= batch.bytes;
    this.count -= batch.renderings.size;
  }
}

function heldFor(rendered: Rendered): number {
  return rendered.ok ? rendered.source.held : rendered.refusals.length * PER_REFUSAL;
}
