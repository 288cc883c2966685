// A persistent ordered table. Every commit makes a new snapshot and 10,000 nodes must not be copied for it, so:
// entries live in chunks of 64 in insertion order, keys map to slots through small buckets, and an edit copies only the
// chunks and buckets it touches. A table of 10,000 costs an update some 2,200 pointers. The list is built on the first
// read of each version and kept with it.

const CHUNK_BITS = 6;
const CHUNK = 1 << CHUNK_BITS;
const MASK = CHUNK - 1;
const BUCKET_LOAD = 8;

export interface Entry<V> {
  readonly key: string;
  readonly value: V;
}
type Chunk<V> = (Entry<V> | undefined)[];
type Bucket = Map<string, number>;

interface Parts<V> {
  readonly chunks: readonly Chunk<V>[];
  readonly buckets: readonly Bucket[];
  /** Slots handed out, holes included. */
  readonly slots: number;
  readonly size: number;
}

/** FNV-1a over UTF-16 units. */
function hash(key: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193);
  return (h ^ (h >>> 15)) >>> 0;
}

export class Table<V> {
  readonly #parts: Parts<V>;
  #list: readonly V[] | null = null;

  private constructor(parts: Parts<V>) {
    this.#parts = parts;
  }

  static empty<V>(): Table<V> {
    return new Table<V>({ chunks: [], buckets: [new Map()], slots: 0, size: 0 });
  }

  get size(): number {
    return this.#parts.size;
  }

  get(key: string): V | undefined {
    const { buckets, chunks } = this.#parts;
    const slot = buckets[hash(key) & (buckets.length - 1)]?.get(key);
    return slot === undefined ? undefined : chunks[slot >> CHUNK_BITS]?.[slot & MASK]?.value;
  }

  /** In insertion order; an update keeps its place. The same array for the same version, frozen. */
  list(): readonly V[] {
    this.#list ??= Object.freeze(this.#values());
    return this.#list;
  }

  /** Without a generator: every commit that is followed by a reading of the whole list pays for this. */
  #values(): V[] {
    const values: V[] = new Array(this.#parts.size);
    let n = 0;
    for (const chunk of this.#parts.chunks) {
      for (let i = 0; i < chunk.length; i++) {
        const e = chunk[i];
        if (e) values[n++] = e.value;
      }
    }
    return values;
  }

  *entries(): Generator<Entry<V>> {
    for (const chunk of this.#parts.chunks) for (const e of chunk) if (e) yield e;
  }

  edit(): TableEdit<V> {
    return new TableEdit<V>(this.#parts, (parts) => new Table<V>(parts));
  }
}

/** A batch of changes; what it has copied once it owns until `done`. */
export class TableEdit<V> {
  #chunks: Chunk<V>[];
  #buckets: Bucket[];
  #slots: number;
  #size: number;
  #ownChunks = new Set<number>();
  #ownBuckets = new Set<number>();
  readonly #make: (parts: Parts<V>) => Table<V>;

  constructor(parts: Parts<V>, make: (parts: Parts<V>) => Table<V>) {
    this.#chunks = parts.chunks.slice();
    this.#buckets = parts.buckets.slice();
    this.#slots = parts.slots;
    this.#size = parts.size;
    this.#make = make;
  }

  get(key: string): V | undefined {
    const slot = this.#buckets[this.#bucketOf(key)]?.get(key);
    return slot === undefined ? undefined : this.#chunks[slot >> CHUNK_BITS]?.[slot & MASK]?.value;
  }

  /** @returns what was there before */
  put(key: string, value: V): V | undefined {
    const b = this.#bucketOf(key);
    let slot = this.#buckets[b]?.get(key);
    if (slot === undefined) {
      slot = this.#slots++;
      this.#size++;
      this.#ownedBucket(b).set(key, slot);
      if (this.#size > this.#buckets.length * BUCKET_LOAD) {
        this.#rebuild();
        // Which renumbers.
        slot = this.#buckets[this.#bucketOf(key)]?.get(key) ?? slot;
      }
    }
    const chunk = this.#ownedChunk(slot >> CHUNK_BITS);
    const before = chunk[slot & MASK]?.value;
    chunk[slot & MASK] = { key, value };
    return before;
  }

  delete(key: string): void {
    const b = this.#bucketOf(key);
    const slot = this.#buckets[b]?.get(key);
    if (slot === undefined) return;
    this.#ownedBucket(b).delete(key);
    this.#ownedChunk(slot >> CHUNK_BITS)[slot & MASK] = undefined;
    this.#size--;
    if (this.#slots - this.#size > CHUNK + this.#size) this.#rebuild();
  }

  done(): Table<V> {
    const made = this.#make({
      chunks: this.#chunks,
      buckets: this.#buckets,
      slots: this.#slots,
      size: this.#size,
    });
    // The edit owns nothing any more: a later change of it must not reach the table.
    this.#chunks = this.#chunks.slice();
    this.#buckets = this.#buckets.slice();
    this.#ownChunks = new Set();
    this.#ownBuckets = new Set();
    return made;
  }

  #bucketOf(key: string): number {
    return hash(key) & (this.#buckets.length - 1);
  }

  #ownedBucket(i: number): Bucket {
    let bucket = this.#buckets[i] ?? new Map();
    if (!this.#ownBuckets.has(i)) {
      bucket = new Map(bucket);
      this.#buckets[i] = bucket;
      this.#ownBuckets.add(i);
    }
    return bucket;
  }

  #ownedChunk(i: number): Chunk<V> {
    let chunk = this.#chunks[i] ?? [];
    if (!this.#ownChunks.has(i)) {
      chunk = chunk.slice();
      this.#chunks[i] = chunk;
      this.#ownChunks.add(i);
    }
    return chunk;
  }

  /** Closes the holes and grows the buckets; its cost is spread over the changes that led to it. */
  #rebuild(): void {
    const order = this.#buckets.flatMap((b) => [...b]).sort((a, b) => a[1] - b[1]);
    const old = this.#chunks;
    let width = 1;
    while (width * BUCKET_LOAD < order.length * 2) width *= 2;
    this.#buckets = Array.from({ length: width }, () => new Map());
    this.#chunks = [];
    this.#slots = order.length;
    order.forEach(([key, was], slot) => {
      this.#buckets[this.#bucketOf(key)]?.set(key, slot);
      const chunk = this.#chunks[slot >> CHUNK_BITS] ?? [];
      this.#chunks[slot >> CHUNK_BITS] = chunk;
      chunk[slot & MASK] = old[was >> CHUNK_BITS]?.[was & MASK];
    });
    this.#ownChunks = new Set(this.#chunks.keys());
    this.#ownBuckets = new Set(this.#buckets.keys());
  }
}
