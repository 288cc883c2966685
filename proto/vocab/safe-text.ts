// Everything from outside (names, labels, logs, comments, errors) passes here before a terminal or a log sees it.

// C0 and C1 controls, DEL, bidi overrides and isolates, zero-width and other invisible formatters, line and paragraph
// separators, lone surrogates, private use, non-characters, and all that Unicode calls ignorable: tags, variation
// selectors, Hangul fillers, soft hyphen, joiners.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\u2028\u2029\u2800]|\p{Default_Ignorable_Code_Point}/gu;
/** Nothing to look for, a code point a unit: nearly every name and key. */
const PRINTABLE = /^[ -~]*$/;

/**
 * Makes what cannot be seen, or would move the cursor, visible as `\u{1b}`.
 * @param max cut (with `…`) after this many code points
 * @param newline `keep` lets `\n` through (logs shown in a pane)
 */
export function safeText(text: string, opts: { max?: number; newline?: 'keep' | 'show' } = {}): string {
  const keep = opts.newline === 'keep';
  const max = opts.max ?? 4096;
  if (text.length <= max && PRINTABLE.test(text)) return text;
  // Bound the work before the regex: no code point takes more than two units, and one too many shows the cut.
  const head = text.length > max * 2 + 2 ? text.slice(0, max * 2 + 2) : text;
  let out = head.replace(UNSAFE, (c) => {
    if (c === '\n' && keep) return c;
    if (c === '\t') return ' ';
    return `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`;
  });
  const points = [...out];
  if (points.length > max) out = `${points.slice(0, Math.max(0, max - 1)).join('')}…`;
  return out;
}
