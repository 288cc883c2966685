import stringWidth from 'string-width';

// A row of the screen as cells: what stands there, and its looks as SGR parameters in one canonical order, so that
// two cells look the same exactly when their strings are equal.

export interface CellRow {
  /** A wide character is followed by an empty cell. */
  readonly ch: readonly string[];
  /** SGR parameters; empty is the default look. */
  readonly look: readonly string[];
}

export const EMPTY_ROW: CellRow = { ch: [], look: [] };

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const SGR = new RegExp(`${String.fromCharCode(27)}\\[([\\d;:]*)m`, 'y');

/** The state SGR sequences build up. Slots: colours, then attributes. */
interface Look {
  fg: string;
  bg: string;
  readonly attrs: Set<number>;
}

/** Attribute -> the code that ends it. */
const ENDS: Readonly<Record<number, readonly number[]>> = {
  22: [1, 2],
  23: [3],
  24: [4],
  25: [5],
  27: [7],
  28: [8],
  29: [9],
};

function apply(look: Look, params: string): void {
  const codes = params === '' ? [0] : params.split(/[;:]/).map(Number);
  for (let i = 0; i < codes.length; i++) {
    const n = codes[i] ?? 0;
    if (n === 0) {
      look.fg = '';
      look.bg = '';
      look.attrs.clear();
    } else if (n === 38 || n === 48) {
      const size = codes[i + 1] === 5 ? 3 : 5;
      const colour = codes.slice(i, i + size).join(';');
      if (n === 38) look.fg = colour;
      else look.bg = colour;
      i += size - 1;
    } else if ((n >= 30 && n <= 37) || (n >= 90 && n <= 97)) look.fg = String(n);
    else if ((n >= 40 && n <= 47) || (n >= 100 && n <= 107)) look.bg = String(n);
    else if (n === 39) look.fg = '';
    else if (n === 49) look.bg = '';
    else if (ENDS[n] !== undefined) for (const a of ENDS[n]) look.attrs.delete(a);
    else if (n < 10) look.attrs.add(n);
  }
}

function keyOf(look: Look): string {
  const attrs = [...look.attrs].sort((a, b) => a - b).join(';');
  return [attrs, look.fg, look.bg].filter((s) => s !== '').join(';');
}

/** One code unit, one cell, by the look of it: ASCII, Latin, box drawing and blocks, braille. */
function isSimple(code: number): boolean {
  return (code >= 0x20 && code < 0x7f) || (code >= 0xa1 && code < 0x300 && code !== 0xad) || isBlock(code);
}

function isBlock(code: number): boolean {
  return (code >= 0x2500 && code < 0x25a0) || (code >= 0x2800 && code < 0x2900);
}

/** A line with SGR as at most `columns` cells. Other control characters are left out: nothing here moves the cursor. */
export function parseRow(line: string, columns: number): CellRow {
  const ch: string[] = [];
  const look: string[] = [];
  const now: Look = { fg: '', bg: '', attrs: new Set() };
  let key = '';
  let i = 0;
  while (i < line.length && ch.length < columns) {
    const code = line.charCodeAt(i);
    if (code === 0x1b) {
      SGR.lastIndex = i;
      const m = SGR.exec(line);
      if (m === null) i += 1;
      else {
        apply(now, m[1] ?? '');
        key = keyOf(now);
        i = SGR.lastIndex;
      }
      continue;
    }
    // A simple character may still be the base of a combining one.
    if (isSimple(code) && !isCombining(line.charCodeAt(i + 1))) {
      ch.push(line[i] ?? ' ');
      look.push(key);
      i += 1;
      continue;
    }
    const first = graphemes
      .segment(line.slice(i, i + 64))
      [Symbol.iterator]()
      .next();
    const cluster = first.done === true ? line.charAt(i) : first.value.segment;
    i += cluster.length;
    const w = stringWidth(cluster);
    if (w === 0 || code < 0x20) continue;
    if (ch.length + w > columns) {
      ch.push(' ');
      look.push(key);
      break;
    }
    ch.push(cluster);
    look.push(key);
    for (let k = 1; k < w; k++) {
      ch.push('');
      look.push(key);
    }
  }
  while (ch.length > 0 && ch[ch.length - 1] === ' ' && look[look.length - 1] === '') {
    ch.pop();
    look.pop();
  }
  return { ch, look };
}

function isCombining(code: number): boolean {
  // Anything that is not plain may join the one before it; the segmenter decides.
  return code >= 0x300 && !isBlock(code) && !(code >= 0x4e00 && code < 0xa000);
}

/** A character a terminal may count differently from us: the cursor is not trusted after it. */
export function isRisky(cluster: string): boolean {
  return cluster.length > 1 || (cluster.codePointAt(0) ?? 0) > 0xffff;
}
