import type { Env } from './depth.ts';

export type Lang = 'en' | 'zh';

export interface Locale {
  readonly lang: Lang;
  /** Whether text outside ASCII may be printed at all. */
  readonly utf8: boolean;
}

/** POSIX order for the character set; the language is LANGUAGE, then the same order. */
export function localeFromEnv(env: Env): Locale {
  const charset = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  const language = env['LC_ALL'] || env['LC_MESSAGES'] || env['LANG'] || '';
  // The Linux console has 512 glyphs: no CJK, no blocks worth relying on.
  const utf8 = /utf-?8/i.test(charset) && env['TERM'] !== 'linux';
  const first = language === 'C' || language === 'POSIX' ? '' : (env['LANGUAGE']?.split(':')[0] ?? '');
  const lang = /^zh/i.test(first || language) && utf8 ? 'zh' : 'en';
  return { lang, utf8 };
}
