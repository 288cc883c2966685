/** What was made last is there for whoever asks for the same soon after. */
export class Latest<K, V> {
  private readonly most: number;
  private readonly known = new Map<K, V>();

  constructor(most: number) {
    this.most = most;
  }

  of(key: K, make: () => V): V {
    const value = this.known.has(key) ? (this.known.get(key) as V) : make();
    this.known.delete(key);
    this.known.set(key, value);
    const oldest = this.known.size > this.most ? this.known.keys().next() : null;
    if (oldest && !oldest.done) this.known.delete(oldest.value);
    return value;
  }
}
