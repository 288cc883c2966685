import { describe, expect, test } from 'vitest';
import { backgroundFromEnv, backgroundFromRgb, colourDepth, type Depth } from './depth.ts';
import { localeFromEnv } from './locale.ts';
import { EN } from './messages-en.ts';
import { ZH } from './messages-zh.ts';
import { type Palette, palette, type Token } from './palette.ts';
import { clip, ends, paint, plain, row, seg, segsWidth } from './row.ts';
import { ASCII_SYMBOLS, UTF8_SYMBOLS } from './symbols.ts';
import { createTheme } from './theme.ts';
import { cutEnd, cutMiddle, padTo, width } from './width.ts';

const ESC = '\u001b';

describe('depth', () => {
  test.each<[Depth, Record<string, string>]>([
    ['truecolor', { TERM: 'xterm-256color', COLORTERM: 'truecolor' }],
    ['256', { TERM: 'screen-256color' }],
    ['16', { TERM: 'xterm' }],
    ['16', { TERM: 'linux' }],
    ['none', { TERM: 'xterm-256color', COLORTERM: 'truecolor', NO_COLOR: '1' }],
    ['16', { TERM: 'xterm', NO_COLOR: '' }],
    ['dumb', { TERM: 'dumb', COLORTERM: 'truecolor' }],
    ['dumb', {}],
  ])('%s: %j', (want, env) => {
    expect(colourDepth(env)).toBe(want);
  });

  test('background', () => {
    expect(backgroundFromEnv({ COLORFGBG: '0;15' })).toBe('light');
    expect(backgroundFromEnv({ COLORFGBG: '15;default;0' })).toBe('dark');
    expect(backgroundFromEnv({})).toBeNull();
    expect(backgroundFromRgb([0xfdfd, 0xf6f6, 0xe3e3])).toBe('light');
    expect(backgroundFromRgb([0x0000, 0x2b2b, 0x3636])).toBe('dark');
  });
});

describe('locale', () => {
  test.each([
    [{ LANG: 'zh_CN.UTF-8' }, { lang: 'zh', utf8: true }],
    [
      { LANG: 'en_GB.utf8', LC_ALL: 'zh_TW.UTF-8' },
      { lang: 'zh', utf8: true },
    ],
    [{ LANG: 'zh_CN.GB18030' }, { lang: 'en', utf8: false }],
    [{ LANG: 'C' }, { lang: 'en', utf8: false }],
    [{}, { lang: 'en', utf8: false }],
    [
      { LANG: 'zh_CN.UTF-8', TERM: 'linux' },
      { lang: 'en', utf8: false },
    ],
    [
      { LANG: 'de_DE.UTF-8', LANGUAGE: 'zh:de' },
      { lang: 'zh', utf8: true },
    ],
  ])('%j', (env, want) => {
    expect(localeFromEnv(env)).toEqual(want);
  });
});

describe('palette', () => {
  const shown = (p: Palette, t: Token) => p.token[t].open.replaceAll(ESC, '');

  test('the hues, by depth', () => {
    expect(shown(palette('truecolor', 'dark'), 'ok')).toBe('[38;2;86;180;233m');
    expect(shown(palette('256', 'light'), 'crit')).toBe('[38;5;88m');
    expect(shown(palette('16', 'dark'), 'warn')).toContain('[33m');
    expect(shown(palette('16', 'light'), 'ok')).toBe('[34m');
    expect(shown(palette('none', 'dark'), 'crit')).toBe('[1m');
    expect(shown(palette('none', 'dark'), 'stale')).toBe('[2m');
    expect(shown(palette('none', 'dark'), 'ok')).toBe('');
  });

  test('a selection is inverse at every depth but dumb, which gets no sequence at all', () => {
    for (const d of ['truecolor', '256', '16', 'none'] as const)
      expect(palette(d, 'dark').accent.open).toBe(`${ESC}[7m`);
    const p = palette('dumb', 'dark');
    const all = [...Object.values(p.token), p.accent, p.bold];
    expect(all.every((i) => i.open === '' && i.close === '')).toBe(true);
  });

  test('no bright black: Solarized paints it as the background', () => {
    for (const bg of ['dark', 'light'] as const)
      for (const i of Object.values(palette('16', bg).token)) expect(i.open).not.toContain('[90m');
  });
});

describe('width', () => {
  test('names lose their middle, sentences their end, never half a wide character', () => {
    expect(cutMiddle('edge-hk-central-04', 11, '…')).toBe('edge-hk…-04');
    expect(cutMiddle('hk-{4e5d}{9f99}-04', 12, '~')).toBe('hk-{4e5~}-04');
    expect(cutEnd('九龙九龙', 6, '…')).toBe('九龙…');
    expect(width(cutMiddle('上海上海上海-03', 9, '…'))).toBeLessThanOrEqual(9);
    expect(padTo('九龙', 3)).toBe('九 ');
    expect(padTo('九龙', 6, 'right')).toBe('  九龙');
  });

  test('every cut fits', () => {
    for (const s of ['hk-01', 'cn-上海-03', '한국어-이름', 'e\u0301e\u0301e\u0301', 'x'.repeat(90)])
      for (let n = 0; n < 20; n++) {
        expect(width(cutEnd(s, n, '…'))).toBeLessThanOrEqual(n);
        expect(width(cutMiddle(s, n, '…'))).toBeLessThanOrEqual(n);
        expect(width(padTo(s, n))).toBe(n);
      }
  });
});

describe('rows', () => {
  const theme = createTheme({ depth: '256', background: 'dark', locale: { lang: 'en', utf8: true } });

  test('painted to the last cell, cut where they are too long', () => {
    const r = row(seg('九龙', 'crit'), ' and more');
    for (let n = 1; n < 20; n++) expect(width(plain(r, n, theme))).toBe(n);
    expect(plain(r, 8, theme)).toBe('九龙 an…');
    expect(paint(row(seg('a', 'ok')), 3, theme)).toBe(`${ESC}[38;5;75ma${ESC}[39m  `);
  });

  test('the cursor row is inverse over its own colours, to the edge', () => {
    const text = paint({ segs: [seg('x', 'crit')], accent: true }, 3, theme);
    expect(text.split(`${ESC}[7m`)).toHaveLength(3);
    expect(text.endsWith(`  ${ESC}[27m`)).toBe(true);
  });

  test('the right end stays, the left gives way', () => {
    expect(plain(ends([seg('a long left end')], [seg('right')], 12, '…'), 12, theme)).toBe('a long…right');
    expect(segsWidth(clip([seg('ab'), seg('cd')], 3, '…'))).toBe(3);
  });
});

test('both languages say everything, with the same values', () => {
  const holes = (s: string) => [...new Set(s.match(/\{\w+\}/g) ?? [])].sort();
  // A unit that one language leaves out, or a word it needs more.
  const free = new Set(['notice.whole']);
  for (const [key, words] of Object.entries(EN)) {
    const zh = ZH[key as keyof typeof EN];
    expect(zh.length).toBeGreaterThan(0);
    if (!free.has(key)) expect([key, holes(zh)]).toEqual([key, holes(words)]);
  }
});

test('no symbol has an emoji form, each is one cell, ASCII is ASCII', () => {
  const flat = (s: typeof UTF8_SYMBOLS) => [
    ...Object.values(s.verdict),
    ...s.spark,
    ...s.bar,
    s.cut,
    s.rule,
    s.times,
    s.down,
    s.up,
    s.caret,
  ];
  for (const c of flat(UTF8_SYMBOLS)) {
    expect(/\p{Emoji_Presentation}/u.test(c)).toBe(false);
    expect(width(c)).toBe(1);
  }
  for (const c of flat(ASCII_SYMBOLS)) expect(c).toMatch(/^[\x21-\x7e]$/);
});
