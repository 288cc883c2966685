import { Lines } from './lines.ts';
import { parseYaml } from './parse.ts';
import { Problems } from './problems.ts';
import type { Shape } from './rules.ts';
import { DOCUMENT } from './schema.ts';
import type { Tree } from './tree.ts';
import { withStandIns } from './variables.ts';

/** Keys that hold secrets wherever they stand, also where this engine reads nothing. */
const TELLING = /pass(?:word|wd|phrase)?|secret|token/i;
const NAMED = /^["']?(?:\$\{[A-Za-z0-9_.-]+\}|sealed:(?:secret|cert)\/[A-Za-z0-9_.@-]+)["']?$/;
/** In a comment, or in a text that is no YAML. */
const IN_COMMENT = /#.*?(?:pass(?:word|wd|phrase)?|secret|token)["']?\s*[:=]\s*(\S.*)$/i;
const IN_LINE = /(?:pass(?:word|wd|phrase)?|secret|token)["']?\s*[:=]\s*(\S.*)$/i;

interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * A body, as written or rendered, with a `*` for each character of its passwords: every place is kept, and so is how long
 * they are. What only names one, `${secret.NAME}`, stays.
 */
export function redact(text: string): string {
  const tree = parseYaml(withStandIns(text), new Problems(new Lines(text)));
  const spans: Span[] = [];
  if (tree) collect(tree, DOCUMENT, false, spans);
  for (const line of linesOf(text)) {
    const told = (tree ? IN_COMMENT : IN_LINE).exec(line.text)?.[1];
    if (told !== undefined) spans.push({ start: line.end - told.length, end: line.end });
  }
  let out = '';
  let from = 0;
  for (const { start, end } of spans.toSorted((a, b) => a.start - b.start)) {
    if (start < from) continue;
    const was = text.slice(start, end);
    out += text.slice(from, start) + (NAMED.test(was) ? was : masked(was));
    from = end;
  }
  return out + text.slice(from);
}

function masked(text: string): string {
  return text.includes('\n') ? text.replace(/\S/g, '*') : '*'.repeat(text.length);
}

function collect(tree: Tree, shape: Shape | null, secret: boolean, into: Span[]): void {
  if (tree.kind === 'scalar') {
    const telling = secret || (shape?.kind === 'text' && shape.secret);
    if (telling && tree.end > tree.start) into.push(tree);
  } else if (tree.kind === 'list') {
    for (const item of tree.items) collect(item, shape?.kind === 'list' ? shape.of : null, secret, into);
  } else {
    const keys = shape?.kind === 'map' ? shape.keys : {};
    for (const e of tree.entries) {
      const rule = Object.hasOwn(keys, e.key) ? keys[e.key] : undefined;
      const inside = rule?.is === 'read' ? rule.shape : rule?.is === 'wrong' ? (rule.inside ?? null) : null;
      collect(e.value, inside, secret || TELLING.test(e.key), into);
    }
  }
}

function* linesOf(text: string): Generator<{ readonly text: string; readonly end: number }> {
  let at = 0;
  for (const line of text.split('\n')) {
    const bare = line.endsWith('\r') ? line.slice(0, -1) : line;
    yield { text: bare, end: at + bare.length };
    at += line.length + 1;
  }
}
