/** The word of `known` that was probably meant: same letters but for case and dashes, or at most two edits away. */
export function closest(word: string, known: readonly string[]): string | null {
  const bare = (w: string) => w.toLowerCase().replaceAll(/[-_.\s]/g, '');
  const same = known.find((k) => bare(k) === bare(word));
  if (same !== undefined) return same;
  if (word.length > 40) return null;
  let best: string | null = null;
  let least = word.length <= 4 ? 1 : 2;
  for (const k of known) {
    const d = distance(word.toLowerCase(), k.toLowerCase());
    if (d <= least && (best === null || d < least)) {
      best = k;
      least = d;
    }
  }
  return best;
}

/** Edits between two words; swapping two neighbours is one. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next[j] = Math.min(
        (row[j] ?? 0) + 1,
        (next[j - 1] ?? 0) + 1,
        (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
        swap ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}
