import { Composer, CST, isMap, isScalar, isSeq, Lexer, type ParsedNode, Parser, type YAMLError } from 'yaml';
import { keyPath, type Problems } from './problems.ts';
import type { Entry, Tree } from './tree.ts';

export const MAX_BYTES = 256 * 1024;
const MAX_DEPTH = 32;
/** The library takes some 4 µs for each: this is what keeps a hostile text below 200 ms. */
const MAX_TOKENS = 50_000;

/**
 * Text -> tree, or `null` with what is wrong in `problems`.
 * One YAML 1.2 document, no anchors, aliases, tags or directives, unique text keys, at most 256 KiB and 32 levels.
 * All of these are found while lexing: the library's composer recurses, so that depth must be known before it runs.
 */
export function parseYaml(text: string, problems: Problems): Tree | null {
  const bytes = text.length > MAX_BYTES ? text.length : new TextEncoder().encode(text).length;
  if (bytes > MAX_BYTES) {
    problems.refuse('', 0, {
      code: 'too_large',
      message: `${Math.ceil(bytes / 1024)} KiB is too large`,
      hint: `at most ${MAX_BYTES / 1024} KiB`,
    });
    return null;
  }
  const strange = STRANGE.exec(text);
  if (strange) {
    const code = (strange[0].codePointAt(0) ?? 0).toString(16);
    problems.refuse('', strange.index, { message: `control character \\u{${code}}`, hint: 'remove it' });
    return null;
  }
  const tokens = lexed(text, problems);
  if (!tokens) return null;
  const [doc, second] = new Composer({ uniqueKeys: false, strict: true }).compose(tokens, true, text.length);
  for (const e of firstOfLines([...(doc?.errors ?? []), ...(doc?.warnings ?? [])], problems))
    problems.refuse('', Math.min(e.pos[0], text.length), { message: sentence(e.message), hint: 'not YAML' });
  if (second)
    problems.refuse('', second.range[0], {
      message: 'a second YAML document',
      hint: 'one document a version; remove everything from here',
    });
  if (!problems.none) return null;
  return plain(doc?.contents ?? null, 0, text, '', problems);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what this looks for
const STRANGE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff]|\r(?!\n)/;

const COLLECTIONS: ReadonlySet<string> = new Set(['block-map', 'block-seq', 'flow-collection']);

const REFUSED_TOKENS: Readonly<Record<string, string>> = {
  anchor: 'anchors (&name) are not read',
  alias: 'aliases (*name) are not read',
  tag: 'tags (!name) are not read',
  'directive-line': 'directives (%NAME) are not read',
};

function lexed(text: string, problems: Problems): CST.Token[] | null {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  let scalar = false;
  let count = 0;
  for (const lexeme of new Lexer().lex(text)) {
    const type: CST.TokenType | null = scalar ? 'scalar' : CST.tokenType(lexeme);
    if (++count > MAX_TOKENS) {
      const message = `has more than ${MAX_TOKENS} words and signs`;
      problems.refuse('', parser.offset, { code: 'too_large', message });
      return null;
    }
    const refused = REFUSED_TOKENS[type ?? ''];
    if (refused !== undefined) {
      problems.refuse('', parser.offset, { message: refused, hint: 'write the value out' });
      return null;
    }
    scalar = !scalar && type === 'scalar';
    const start = parser.offset;
    tokens.push(...parser.next(lexeme));
    // Bottom of the stack is the document; a scalar on top is no level.
    if (parser.stack.length > MAX_DEPTH + 1 && COLLECTIONS.has(parser.stack.at(-1)?.type ?? '')) {
      problems.refuse('', start, { message: `nested deeper than ${MAX_DEPTH} levels` });
      return null;
    }
  }
  tokens.push(...parser.end());
  return tokens;
}

function plain(
  node: ParsedNode | null,
  start: number,
  text: string,
  path: string,
  problems: Problems,
): Tree | null {
  if (node === null) return { kind: 'scalar', value: null, source: '', start, end: start };
  const spot = { start: node.range[0], end: node.range[1] };
  if (isScalar(node)) {
    const value = node.value;
    const source = typeof node.source === 'string' ? node.source : '';
    if (
      value === null ||
      typeof value === 'string' ||
      typeof value === 'boolean' ||
      typeof value === 'number'
    )
      return { kind: 'scalar', value, source, ...spot };
    return { kind: 'scalar', value: source, source, ...spot };
  }
  if (isSeq(node)) {
    const list = node.items.map((n, i) => plain(n, spot.start, text, `${path}[${i}]`, problems));
    return { kind: 'list', items: list.filter((t) => t !== null), ...spot };
  }
  if (!isMap(node)) return null;
  const entries: Entry[] = [];
  const seen = new Map<string, number>();
  for (const { key, value } of node.items) {
    const keyStart = key?.range[0] ?? spot.start;
    if (!isScalar(key) || typeof key.value !== 'string') {
      problems.refuse(path, keyStart, { message: 'a key that is not a text', hint: 'write "key": value' });
      continue;
    }
    const at = keyPath(path, key.value);
    const first = seen.get(key.value);
    if (first !== undefined) {
      problems.refuse(at, keyStart, {
        message: `written twice, first on line ${problems.lineOf(first)}`,
        hint: 'remove one',
      });
      continue;
    }
    seen.set(key.value, keyStart);
    const tree = plain(value, key.range[1], text, at, problems);
    if (tree) entries.push({ key: key.value, keyStart, value: tree });
  }
  return { kind: 'map', entries, ...spot };
}

/** One syntax error makes others behind it: the first of a line, three lines at most. */
function firstOfLines(errors: readonly YAMLError[], problems: Problems): readonly YAMLError[] {
  const byLine = new Map<number, YAMLError>();
  for (const e of errors) {
    const line = problems.lineOf(e.pos[0]);
    if (!byLine.has(line)) byLine.set(line, e);
  }
  return [...byLine.values()].slice(0, 3);
}

/** Without what the library quotes: it may be a password. */
function sentence(message: string): string {
  const bare = message.replace(/: ".*$|(?<=characters|token): .*$/s, '');
  return bare.charAt(0).toLowerCase() + bare.slice(1).replace(/\.$/, '');
}
