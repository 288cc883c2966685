/** One key as the router names it: a character, or `enter`, `esc`, `up`, `ctrl-r`. */
export interface Key {
  readonly name: string;
  /** The characters it would type into a field; empty for a key that types nothing. */
  readonly text: string;
}

export type Input =
  | { readonly kind: 'key'; readonly key: Key }
  /** Bracketed paste: fills a focused field, one line, and does nothing else. */
  | { readonly kind: 'paste'; readonly text: string };

const CJK = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303f]+$/u;

/** An input method left on sends full-width forms: they are folded to the key that was meant. */
export function foldWidth(name: string): string {
  return /^[\uff01-\uff5e]$/u.test(name) ? name.normalize('NFKC') : name;
}

/** A letter only an input method can have sent, where a key is due. */
export function isInputMethod(text: string): boolean {
  return text !== '' && CJK.test(text);
}
