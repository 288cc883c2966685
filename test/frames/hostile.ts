import { expect } from 'vitest';
import { paint, type Row } from '../../tui/theme/row.ts';
import { width } from '../../tui/theme/width.ts';
import type { Ui } from '../../tui/views/ui.ts';

// What an attacker, a broken agent or a careless colleague can put into a name, a label, a log line, a comment.

export const HOSTILE = [
  '\u001b[2J\u001b[H',
  '\u001b]52;c;cm0gLXJm\u0007',
  '\u009b31m',
  '\r\n\t\u0000\u0007\u007f',
  '\u202eetanimret\u202c\u2066\u2069',
  'zero\u200bwidth\u200d\ufeff',
  '\u{1f468}\u200d\u{1f469}',
  '\ud800 lone',
  '\u2028\u2029',
  '九龙上海'.repeat(20),
  'e\u0301'.repeat(40),
  'x'.repeat(5000),
];

const FORBIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u;
const SGR = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, 'g');

/** Nothing of what must not be in a row is in it, and it has its width. */
export function harmless(rows: readonly Row[], u: Ui): void {
  for (const r of rows) {
    const painted = paint(r, u.width, u.theme);
    const bare = painted.replace(SGR, '');
    expect(bare).not.toMatch(FORBIDDEN);
    expect([width(bare), bare]).toEqual([u.width, bare]);
  }
}
