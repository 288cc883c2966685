import type { Lang } from './locale.ts';
import { EN, type WordKey } from './messages-en.ts';
import { ZH } from './messages-zh.ts';

export type { WordKey } from './messages-en.ts';

/** `say('title.marked', { n: 2 })` -> `2 marked`. Values are put in as they are: make outside text safe first. */
export type Say = (key: WordKey, values?: Readonly<Record<string, string | number>>) => string;

export function sayIn(lang: Lang): Say {
  const words: Readonly<Record<WordKey, string>> = lang === 'zh' ? ZH : EN;
  return (key, values) => {
    const template = words[key];
    if (values === undefined) return template;
    return template.replace(/\{(\w+)\}/g, (whole, name: string) =>
      Object.hasOwn(values, name) ? String(values[name]) : whole,
    );
  };
}
