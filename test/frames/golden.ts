import { readFileSync } from 'node:fs';
import { plain, type Row } from '../../tui/theme/row.ts';
import type { Ui } from '../../tui/views/ui.ts';

/** The rows of `test/frames/<name>.txt`, exactly. */
export function golden(name: string): string[] {
  return readFileSync(new URL(`./${name}.txt`, import.meta.url), 'utf8')
    .replace(/\n$/, '')
    .split('\n');
}

/** A view's rows as they stand on the screen, without looks. */
export function drawn(rows: readonly Row[], ui: Ui): string[] {
  return rows.map((r) => plain(r, ui.width, ui.theme));
}
