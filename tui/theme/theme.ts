import { safeText } from '../../proto/vocab/safe-text.ts';
import type { Background, Depth } from './depth.ts';
import type { Lang, Locale } from './locale.ts';
import { type Say, sayIn } from './messages.ts';
import { type Palette, palette } from './palette.ts';
import { ASCII_SYMBOLS, type Symbols, UTF8_SYMBOLS } from './symbols.ts';

export interface Theme {
  readonly depth: Depth;
  readonly lang: Lang;
  readonly palette: Palette;
  readonly sym: Symbols;
  readonly say: Say;
  /** Any text that came from outside, fit for this terminal: nothing invisible, nothing it cannot show. */
  readonly text: (outside: string) => string;
}

const PLAIN = /^[\x20-\x7e]*$/;

/** What the locale cannot show is spelt by code point: `hk-{4e5d}{9f99}-04`. */
function spelt(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, (c) => `{${(c.codePointAt(0) ?? 0).toString(16)}}`);
}

/**
 * @param ambiguousWide the terminal was seen to draw `●` two cells wide: ASCII symbols, the rest stays
 */
export function createTheme(a: {
  readonly depth: Depth;
  readonly background: Background;
  readonly locale: Locale;
  readonly ambiguousWide?: boolean;
}): Theme {
  const ascii = !a.locale.utf8 || a.ambiguousWide === true;
  const sym = ascii ? ASCII_SYMBOLS : UTF8_SYMBOLS;
  return {
    depth: a.depth,
    lang: a.locale.lang,
    palette: palette(a.depth, a.background),
    sym,
    say: sayIn(a.locale.lang),
    text: (outside) => {
      if (outside.length <= 1024 && PLAIN.test(outside)) return outside;
      const safe = safeText(outside, { max: 1024 });
      return a.locale.utf8 ? safe : spelt(safe);
    },
  };
}
