import stringWidth from 'string-width';

// Cells, not code points: CJK is two, ambiguous is one (a terminal that disagrees gets the ASCII symbols).

const ASCII = /^[\x20-\x7e]*$/;
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

export function width(text: string): number {
  return ASCII.test(text) ? text.length : stringWidth(text);
}

/** Longest head of at most `cells` cells; never half a wide character. */
function head(text: string, cells: number): string {
  if (ASCII.test(text)) return text.slice(0, Math.max(0, cells));
  let out = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    const w = stringWidth(segment);
    if (used + w > cells) break;
    out += segment;
    used += w;
  }
  return out;
}

function tail(text: string, cells: number): string {
  if (cells <= 0) return '';
  if (ASCII.test(text)) return text.slice(-cells);
  let out = '';
  let used = 0;
  for (const { segment } of [...graphemes.segment(text)].reverse()) {
    const w = stringWidth(segment);
    if (used + w > cells) break;
    out = segment + out;
    used += w;
  }
  return out;
}

/** At most `cells` cells, the mark at the end where something was cut. */
export function cutEnd(text: string, cells: number, mark: string): string {
  if (width(text) <= cells) return text;
  if (cells <= 0) return '';
  return head(text, cells - 1) + mark;
}

/** Names are cut in the middle: the end is what tells them apart. */
export function cutMiddle(text: string, cells: number, mark: string): string {
  if (width(text) <= cells) return text;
  if (cells <= 0) return '';
  if (cells < 4) return cutEnd(text, cells, mark);
  const right = Math.round((cells - 1) / 3);
  const end = tail(text, right);
  return head(text, cells - 1 - right) + mark + end;
}

/** Exactly `cells` cells: cut without a mark, or padded. */
export function padTo(text: string, cells: number, align: 'left' | 'right' = 'left'): string {
  const w = width(text);
  if (w === cells) return text;
  const cut = w > cells ? head(text, cells) : text;
  const pad = ' '.repeat(Math.max(0, cells - width(cut)));
  return align === 'left' ? cut + pad : pad + cut;
}
