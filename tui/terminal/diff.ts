import { type CellRow, isRisky } from './cells.ts';

const ESC = String.fromCharCode(27);
/** Unchanged cells between two changes that cost less to write again than to jump over. */
const REWRITE = 4;

function cellAt(r: CellRow, x: number): string {
  return r.ch[x] ?? ' ';
}

function lookAt(r: CellRow, x: number): string {
  return r.look[x] ?? '';
}

function same(a: CellRow, b: CellRow, x: number): boolean {
  return cellAt(a, x) === cellAt(b, x) && lookAt(a, x) === lookAt(b, x);
}

/** From one look to another in the fewest bytes. */
function lookChange(from: string, to: string): string {
  if (from === to) return '';
  if (to === '') return `${ESC}[m`;
  if (from === '') return `${ESC}[${to}m`;
  if (to.startsWith(`${from};`)) return `${ESC}[${to.slice(from.length + 1)}m`;
  return `${ESC}[;${to}m`;
}

/** The bytes that turn row `y` from `before` to `after`; starts and ends in the default look. */
export function rowDiff(before: CellRow, after: CellRow, y: number, columns: number): string {
  const n = Math.min(columns, Math.max(before.ch.length, after.ch.length));
  let out = '';
  let look = '';
  /** Where the terminal's cursor is, or -1 when that is not known. */
  let at = -1;
  let x = 0;
  while (x < n) {
    if (same(before, after, x)) {
      x += 1;
      continue;
    }
    while (x > 0 && after.ch[x] === '') x -= 1;
    if (x >= after.ch.length) {
      // Nothing more but blanks: erased in the default look.
      out += lookChange(look, '') + (at === x ? '' : goto(y, x)) + `${ESC}[K`;
      return out;
    }
    if (at !== x) {
      const bridge = at >= 0 && x > at ? bridged(after, at, x, look) : null;
      out += bridge ?? (at >= 0 && x > at ? forward(x - at) : goto(y, x));
    }
    const want = lookAt(after, x);
    out += lookChange(look, want);
    look = want;
    const cluster = cellAt(after, x);
    out += cluster;
    let w = 1;
    while (after.ch[x + w] === '') w += 1;
    x += w;
    // After the last column the cursor hangs; after a risky character it is anybody's guess.
    at = x >= columns || isRisky(cluster) ? -1 : x;
  }
  return out + lookChange(look, '');
}

/** The unchanged cells in between, when writing them is cheaper than a jump. */
function bridged(r: CellRow, from: number, to: number, look: string): string | null {
  if (to - from > REWRITE) return null;
  let out = '';
  for (let x = from; x < to; x++) {
    const c = cellAt(r, x);
    if (lookAt(r, x) !== look || c === '' || isRisky(c)) return null;
    out += c;
  }
  // A wide character's second half counts as a cell: its first half must be in the bridge too.
  return out;
}

function forward(cells: number): string {
  return cells === 1 ? `${ESC}[C` : `${ESC}[${cells}C`;
}

function goto(y: number, x: number): string {
  return x === 0 ? `${ESC}[${y + 1}H` : `${ESC}[${y + 1};${x + 1}H`;
}

export interface Scroll {
  /** First and last row that move. */
  readonly top: number;
  readonly bottom: number;
  /** Rows upwards; negative: downwards. */
  readonly by: number;
}

/** Fewer rows saved than this are not worth moving the rest. */
const WORTH = 4;

/** The shift that explains most of what changed, if one does. Lines are compared whole. */
export function findScroll(before: readonly string[], after: readonly string[]): Scroll | null {
  const n = Math.min(before.length, after.length);
  const where = new Map<string, number>();
  for (let y = 0; y < n; y++) {
    const line = before[y] ?? '';
    // A line that stands twice tells nothing about where it came from.
    where.set(line, where.has(line) ? -1 : y);
  }
  const votes = new Map<number, number>();
  for (let y = 0; y < n; y++) {
    if (after[y] === before[y]) continue;
    const from = where.get(after[y] ?? '') ?? -1;
    if (from >= 0) votes.set(from - y, (votes.get(from - y) ?? 0) + 1);
  }
  let by = 0;
  let most = 0;
  for (const [shift, count] of votes) {
    if (shift !== 0 && count > most) {
      most = count;
      by = shift;
    }
  }
  if (most < WORTH) return null;
  let top = n;
  let bottom = -1;
  for (let y = 0; y < n; y++) {
    const from = y + by;
    if (from < 0 || from >= n || after[y] === before[y] || after[y] !== before[from]) continue;
    top = Math.min(top, y, from);
    bottom = Math.max(bottom, y, from);
  }
  let harm = 0;
  for (let y = top; y <= bottom; y++) {
    const from = y + by;
    const stays = from >= top && from <= bottom && after[y] === before[from];
    if (after[y] === before[y] && !stays) harm += 1;
  }
  return most - harm >= WORTH && Math.abs(by) <= bottom - top ? { top, bottom, by } : null;
}

export function scrollBytes(s: Scroll): string {
  const move = s.by > 0 ? `${ESC}[${s.by}S` : `${ESC}[${-s.by}T`;
  return `${ESC}[${s.top + 1};${s.bottom + 1}r${move}${ESC}[r`;
}

/** What rows are after the terminal has scrolled. */
export function scrolled<T>(rows: readonly T[], s: Scroll, blank: T): T[] {
  return rows.map((r, y) => {
    if (y < s.top || y > s.bottom) return r;
    const from = y + s.by;
    return from >= s.top && from <= s.bottom ? (rows[from] ?? blank) : blank;
  });
}
