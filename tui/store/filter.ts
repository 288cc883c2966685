import type { Node } from '../../proto/vocab/node.ts';
import { type Words, words } from './words.ts';

/** A compiled filter; `error`: the text does not stand and nothing is filtered. */
export interface Filter {
  readonly matches: (node: Node) => boolean;
  readonly error: Words | null;
}

const ALL: Filter = { matches: () => true, error: null };

function broken(en: string, zh: string): Filter {
  return { matches: () => true, error: words(en, zh) };
}

/** What a plain expression is held against: everything the row names. */
function haystack(n: Node): string {
  const labels = Object.entries(n.labels).map(([k, v]) => `${k}=${v}`);
  return [n.name, n.region, n.nodeType, n.effective?.version ?? '', ...labels].join(' ');
}

/** The letters of the needle in their order, anything between. */
function fuzzy(needle: string): Filter {
  const want = [...needle.toLowerCase()].filter((c) => c !== ' ');
  return {
    error: null,
    matches: (n) => {
      let i = 0;
      for (const c of haystack(n).toLowerCase()) if (c === want[i]) i++;
      return i >= want.length;
    },
  };
}

interface Term {
  readonly name: string;
  readonly want: string | null;
  readonly equal: boolean;
}

/** `region=hk rack!=a3 isp`: all must hold; a bare word asks that the label exists. */
function labels(text: string): Filter {
  const terms: Term[] = [];
  for (const part of text.split(/[\s,]+/).filter((p) => p !== '')) {
    const m = /^([\p{L}\p{N}._/-]+)(?:(!?=)(.*))?$/u.exec(part);
    if (m === null) return broken(`-l: ${part} is not name=value`, `-l：${part} 不是 name=value`);
    terms.push({ name: m[1] ?? '', want: m[2] === undefined ? null : (m[3] ?? ''), equal: m[2] !== '!=' });
  }
  return {
    error: null,
    matches: (n) => {
      const all: Readonly<Record<string, string>> = {
        ...n.labels,
        region: n.region,
        type: n.nodeType,
        node: n.name,
      };
      return terms.every((t) => {
        const has = Object.hasOwn(all, t.name);
        return t.want === null ? has : ((has ? all[t.name] : '') === t.want) === t.equal;
      });
    },
  };
}

/** Quantifiers over a group that itself repeats: minutes of work for one row. */
const NESTED = /\([^)]*[+*}][^)]*\)[+*{]/;

/**
 * `/` as typed: a regular expression (smart case), `!expr` its inverse, `-f letters` fuzzy, `-l name=value` labels.
 * An expression that does not compile says so and filters nothing.
 */
export function compileFilter(text: string): Filter {
  const t = text.trim();
  if (t === '' || t === '!') return ALL;
  if (t === '-f' || t.startsWith('-f ')) return fuzzy(t.slice(2).trim());
  if (t === '-l' || t.startsWith('-l ')) return labels(t.slice(2).trim());
  // Spaces count inside an expression.
  const inverse = text.startsWith('!');
  const source = inverse ? text.slice(1) : text;
  if (source.length > 200) return broken('longer than 200 characters', '超过 200 个字符');
  if (NESTED.test(source)) return broken('a repeat inside a repeat', '重复之内又有重复');
  let re: RegExp;
  try {
    re = new RegExp(source, /\p{Lu}/u.test(source) ? 'u' : 'iu');
  } catch (e) {
    const why = e instanceof Error ? e.message.replace(/^.*: /s, '') : String(e);
    return broken(why, why);
  }
  return { error: null, matches: (n) => re.test(haystack(n)) !== inverse };
}
