/** Lines around a change. */
const AROUND = 3;
/** Beyond so many changes the way between two texts is not looked for any more: all old lines go, all new ones come. */
const MOST_CHANGES = 1500;

interface Line {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

/** A side of a diff: what is compared, and what is shown in its place, line for line. */
export interface Side {
  readonly name: string;
  readonly text: string;
  readonly shown: string;
}

/**
 * A unified diff: the same for the same texts, always. Lines that differ only in what is not shown are told as changed,
 * though they look alike. Equal texts give an empty one.
 */
export function unifiedDiff(from: Side, to: Side): { unified: string; added: number; removed: number } {
  const lines = align(linesOf(from), linesOf(to));
  const added = lines.filter((l) => l.sign === '+').length;
  const removed = lines.filter((l) => l.sign === '-').length;
  if (added + removed === 0) return { unified: '', added, removed };
  const out = [`--- ${from.name}`, `+++ ${to.name}`];
  for (const [start, end] of hunks(lines)) {
    const before = lines.slice(0, start);
    const own = lines.slice(start, end);
    const range = (sign: '-' | '+'): string => {
      const count = own.filter((l) => l.sign !== sign).length;
      const first = before.filter((l) => l.sign !== sign).length + (count > 0 ? 1 : 0);
      return count === 1 ? `${first}` : `${first},${count}`;
    };
    out.push(`@@ -${range('+')} +${range('-')} @@`, ...own.map((l) => `${l.sign}${l.text}`));
  }
  return { unified: `${out.join('\n')}\n`, added, removed };
}

interface Compared {
  readonly text: string;
  readonly shown: string;
}

function linesOf(side: Side): readonly Compared[] {
  const shown = split(side.shown);
  return split(side.text).map((text, i) => ({ text, shown: shown[i] ?? '' }));
}

function split(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function hunks(lines: readonly Line[]): readonly (readonly [number, number])[] {
  const found: [number, number][] = [];
  for (const [i, l] of lines.entries()) {
    if (l.sign === ' ') continue;
    const start = Math.max(0, i - AROUND);
    const end = Math.min(lines.length, i + AROUND + 1);
    const last = found.at(-1);
    if (last && start <= last[1]) last[1] = end;
    else found.push([start, end]);
  }
  return found;
}

function align(a: readonly Compared[], b: readonly Compared[]): readonly Line[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head]?.text === b[head]?.text) head++;
  let tail = 0;
  while (
    tail < a.length - head &&
    tail < b.length - head &&
    a[a.length - 1 - tail]?.text === b[b.length - 1 - tail]?.text
  )
    tail++;
  const same = (l: Compared): Line => ({ sign: ' ', text: l.shown });
  return [
    ...b.slice(0, head).map(same),
    ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...b.slice(b.length - tail).map(same),
  ];
}

/** Myers' greedy way: the fewest lines that go and come, those that go first. */
function middle(a: readonly Compared[], b: readonly Compared[]): readonly Line[] {
  const trace: Int32Array[] = [];
  const most = Math.min(a.length + b.length, MOST_CHANGES);
  const at = (v: Int32Array, k: number): number => v[k + most + 1] ?? 0;
  const v = new Int32Array(2 * most + 3);
  for (let d = 0; d <= most; d++) {
    trace.push(v.slice());
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && at(v, k - 1) < at(v, k + 1));
      let x = down ? at(v, k + 1) : at(v, k - 1) + 1;
      let y = x - k;
      while (x < a.length && y < b.length && a[x]?.text === b[y]?.text) {
        x++;
        y++;
      }
      v[k + most + 1] = x;
      if (x >= a.length && y >= b.length) return back(a, b, trace, at);
    }
  }
  return [
    ...a.map((l): Line => ({ sign: '-', text: l.shown })),
    ...b.map((l): Line => ({ sign: '+', text: l.shown })),
  ];
}

function back(
  a: readonly Compared[],
  b: readonly Compared[],
  trace: readonly Int32Array[],
  at: (v: Int32Array, k: number) => number,
): readonly Line[] {
  const out: Line[] = [];
  let x = a.length;
  let y = b.length;
  for (let d = trace.length - 1; d >= 0; d--) {
    const v = trace[d] as Int32Array;
    const k = x - y;
    const down = k === -d || (k !== d && at(v, k - 1) < at(v, k + 1));
    const fromK = down ? k + 1 : k - 1;
    const fromX = at(v, fromK);
    const fromY = fromX - fromK;
    while (x > fromX && y > fromY) {
      x--;
      y--;
      out.push({ sign: ' ', text: b[y]?.shown ?? '' });
    }
    if (d === 0) break;
    if (down) out.push({ sign: '+', text: b[--y]?.shown ?? '' });
    else out.push({ sign: '-', text: a[--x]?.shown ?? '' });
  }
  return out.reverse();
}
