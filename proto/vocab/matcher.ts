import { AppError } from './errors.ts';

/** `node = hk-05`, `region =~ "hk|sg"`; Alertmanager's four forms. Regexes are anchored at both ends. */
export interface Matcher {
  readonly name: string;
  readonly value: string;
  readonly isRegex: boolean;
  readonly isEqual: boolean;
}

const MAX_VALUE = 256;
const MAX_QUANTIFIERS = 6;
const MAX_UNBOUNDED = 3;

/**
 * Why a matcher cannot be taken, or `null`. Alertmanager's regexes are RE2 and linear; ours backtrack, so what can
 * blow up on a label of 63 letters is refused: repeated groups that repeat or choose inside, and many repetitions.
 */
export function matcherProblem(m: Matcher): string | null {
  if (m.name === '') return 'a matcher needs a label name';
  if (m.value.length > MAX_VALUE) return `a matcher's value has at most ${MAX_VALUE} characters`;
  return m.isRegex ? regexProblem(m.value) : null;
}

/** A missing label matches as the empty string. Compile once, match many. Throws `invalid` on a `matcherProblem`. */
export function compileMatcher(m: Matcher): (labels: Readonly<Record<string, string>>) => boolean {
  const problem = matcherProblem(m);
  if (problem !== null) throw new AppError('invalid', problem);
  const re = m.isRegex ? new RegExp(`^(?:${m.value})$`, 'u') : null;
  return (labels) => {
    const v = Object.hasOwn(labels, m.name) ? (labels[m.name] ?? '') : '';
    const hit = re ? re.test(v) : v === m.value;
    return hit === m.isEqual;
  };
}

export function formatMatcher(m: Matcher): string {
  const op = m.isEqual ? (m.isRegex ? '=~' : '=') : m.isRegex ? '!~' : '!=';
  return m.isRegex ? `${m.name}${op}"${m.value}"` : `${m.name}${op}${m.value}`;
}

function regexProblem(source: string): string | null {
  try {
    // Alone first: `a)|(b` is no regex, but would be one inside the anchors, and loose at both ends.
    new RegExp(source, 'u');
  } catch (e) {
    return `not a regex: ${e instanceof Error ? e.message.replace(/^.*: /, '') : source}`;
  }
  if (/\\[1-9k]|\(\?[=!<]/.test(source)) return 'a regex without look-around and back-references, please';
  let quantifiers = 0;
  let unbounded = 0;
  // One entry an open group: does it repeat or choose inside?
  const groups: boolean[] = [];
  let closed = false;
  for (const [part] of source.matchAll(
    /\\.|\[(?:\\.|[^\]\\])*\]|\((?:\?:)?|\)|\||[*+?]\??|\{\d+(?:,\d*)?\}\??|./gsu,
  )) {
    const wasClosed = closed;
    closed = false;
    if (part.startsWith('(')) groups.push(false);
    else if (part === ')') {
      const inner = groups.pop() ?? false;
      closed = inner;
      if (inner) mark(groups);
    } else if (part === '|') {
      // Alternatives add, they do not multiply.
      if (groups.length === 0) quantifiers = unbounded = 0;
      mark(groups);
    } else if (/^(?:[*+?]|\{\d)/.test(part)) {
      if (wasClosed && !part.startsWith('?'))
        return 'a regex must not repeat a group that repeats or chooses inside';
      quantifiers += 1;
      if (/^[*+]|,\}/.test(part)) unbounded += 1;
      mark(groups);
      if (quantifiers > MAX_QUANTIFIERS || unbounded > MAX_UNBOUNDED)
        return `a regex repeats at most ${MAX_UNBOUNDED} times with * or +, ${MAX_QUANTIFIERS} times in all`;
    }
  }
  return null;
}

function mark(groups: boolean[]): void {
  if (groups.length > 0) groups[groups.length - 1] = true;
}
