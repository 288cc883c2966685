import { parseDuration } from '../vocab/duration.ts';
import { safeText } from '../vocab/safe-text.ts';
import { parseSealedRef } from '../vocab/secret.ts';
import { parseAddress } from './address.ts';
import { parseSize } from './limits.ts';
import { keyPath, type Problems } from './problems.ts';
import type { KeyRule, Shape } from './rules.ts';
import { closest } from './spelling.ts';
import { type MapTree, type ScalarTree, type Tree, unescapeText } from './tree.ts';

const SEALED = /sealed:(?:secret|cert)\//;
const SEALED_HINT =
  '$\u007bsecret.NAME} is for password and caFile, $\u007bcert.NAME} for certFile and keyFile, each as the whole value';
const NOT_CARRIED = { code: 'unsupported', message: 'not carried by this engine' } as const;
const KIND_WORDS = { map: 'keys and values', list: 'a list', scalar: 'a value' } as const;

/** Holds a tree against the table, collecting everything that is wrong and where each path stands. */
export function checkShape(tree: Tree, shape: Shape, path: string, problems: Problems): void {
  if (problems.full) return;
  problems.place(path, tree.start);
  const wanted = shape.kind === 'map' || shape.kind === 'list' ? shape.kind : 'scalar';
  if (tree.kind === 'scalar' && tree.value === null) {
    problems.refuse(path, tree.start, { message: 'is empty', hint: `write ${KIND_WORDS[wanted]}` });
    return;
  }
  if (tree.kind !== wanted) {
    problems.refuse(path, tree.start, {
      message: `must be ${KIND_WORDS[wanted]}, not ${KIND_WORDS[tree.kind]}`,
      ...(wanted === 'list' ? { hint: 'start each entry with "- "' } : {}),
    });
    return;
  }
  if (shape.kind === 'map' && tree.kind === 'map') {
    checkMap(tree, shape.keys, path, problems);
    return;
  }
  if (shape.kind === 'list' && tree.kind === 'list') {
    if (tree.items.length === 0 && shape.empty !== null)
      problems.refuse(path, tree.start, { message: 'is an empty list', hint: shape.empty });
    for (const [i, item] of tree.items.entries()) checkShape(item, shape.of, `${path}[${i}]`, problems);
    return;
  }
  if (tree.kind === 'scalar') checkScalar(tree, shape, path, problems);
}

function checkMap(
  tree: MapTree,
  keys: Readonly<Record<string, KeyRule>>,
  path: string,
  problems: Problems,
): void {
  for (const { key, keyStart, value } of tree.entries) {
    if (problems.full) return;
    const at = keyPath(path, key);
    const rule = Object.hasOwn(keys, key) ? keys[key] : undefined;
    problems.place(at, keyStart);
    if (rule === undefined) {
      const meant = closest(key, Object.keys(keys));
      if (meant !== null) problems.excuse(keyPath(path, meant));
      const hint = meant === null ? knownHint(keys) : `did you mean ${meant}?`;
      problems.refuse(at, keyStart, { message: 'unknown key', hint });
    } else if (rule.is === 'later')
      problems.refuse(at, keyStart, {
        ...NOT_CARRIED,
        ...(rule.hint === undefined ? {} : { hint: rule.hint }),
      });
    else if (rule.is === 'wrong') {
      problems.refuse(at, keyStart, { message: rule.message, hint: rule.hint });
      if (rule.inside && value.kind === 'map') checkShape(value, rule.inside, at, problems);
    } else checkShape(value, rule.shape, at, problems);
  }
  for (const [key, rule] of Object.entries(keys)) {
    if (rule.is !== 'read' || !rule.required || problems.excused(keyPath(path, key))) continue;
    if (tree.entries.some((e) => e.key === key)) continue;
    problems.refuse(keyPath(path, key), tree.start, {
      message: 'is missing',
      ...(rule.hint ? { hint: rule.hint } : {}),
    });
  }
}

function checkScalar(tree: ScalarTree, shape: Shape, path: string, problems: Problems): void {
  const refuse = (message: string, hint?: string, code = 'invalid') =>
    problems.refuse(path, tree.start, { code, message, ...(hint === undefined ? {} : { hint }) });
  const { value } = tree;
  if (problems.refused(path)) return;
  if (typeof value === 'string' && value.includes('sealed:') && SEALED.test(value)) {
    const ref = parseSealedRef(value);
    if (ref && shape.kind === 'text' && shape.sealed === ref.kind) return;
    refuse(ref ? `a sealed ${ref.kind} cannot stand here` : 'a sealed value must stand alone', SEALED_HINT);
    return;
  }
  const shown = safeText(tree.source, { max: 40 });
  switch (shape.kind) {
    case 'bool':
      if (typeof value !== 'boolean') refuse('must be true or false', boolHint(tree.source));
      return;
    case 'count':
      if (typeof value !== 'number' || !Number.isInteger(value)) refuse('must be a whole number');
      else if (value < shape.min || value > shape.max)
        refuse(shape.min === shape.max ? `must be ${shape.min}` : `must be ${shape.min} to ${shape.max}`);
      return;
    case 'size': {
      const bytes = typeof value === 'string' ? parseSize(value) : value;
      if (typeof bytes !== 'number' || !Number.isInteger(bytes)) refuse(`${shown} is no size`, 'write 64KB');
      else if (bytes < shape.min || bytes > shape.max)
        refuse(`must be ${shape.min / 2 ** 10}KB to ${shape.max / 2 ** 20}MB`);
      return;
    }
    case 'duration': {
      if (typeof value === 'number') {
        refuse('a bare number is no duration', `write "${value > 0 ? shown : 10}s"`);
        return;
      }
      const ms = typeof value === 'string' ? parseDuration(value) : null;
      if (ms === null) refuse(`${shown} is no duration`, 'write "10s"');
      else if (ms < shape.minMs || ms > shape.maxMs)
        refuse(`must be ${shape.minMs}ms to ${shape.maxMs / 1000}s`);
      return;
    }
    case 'address': {
      if (typeof value === 'number') {
        refuse('must be host:port', `write ":${shown}"`);
        return;
      }
      const parsed = typeof value === 'string' ? parseAddress(value, shape.use) : 'must be host:port';
      if (typeof parsed === 'string')
        refuse(
          safeText(parsed, { max: 120 }),
          shape.use === 'listen' ? 'write ":443"' : 'write "203.0.113.10:8443"',
        );
      return;
    }
    case 'line': {
      const wrong = typeof value === 'string' ? shape.wrong(value) : 'must be a text';
      if (wrong !== null) refuse(safeText(wrong, { max: 120 }), shape.hint);
      return;
    }
    case 'choice':
      if (typeof value === 'string' && shape.values.includes(value)) return;
      if (typeof value === 'string' && shape.later.includes(value)) {
        refuse(
          `${shown} is not carried by this engine`,
          shape.hints?.[value] ?? `it carries ${words(shape.values)}`,
          'unsupported',
        );
        return;
      }
      refuse(`must be one of ${words(shape.values)}`, guess(shown, shape.values));
      return;
    case 'path':
      if (
        typeof value !== 'string' ||
        value.length > 1024 ||
        !/^\/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*$/.test(value)
      )
        refuse('is no path of a URL', 'write "/ws"');
      return;
    case 'name':
    case 'text':
      if (typeof value !== 'string')
        refuse(
          'must be a text',
          shape.kind === 'text' && shape.secret ? 'put it in quotes' : `write "${shown}"`,
        );
      else checkText(unescapeText(value), shape, refuse);
      return;
    case 'map':
    case 'list':
      return;
  }
}

const NAME = /^[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}._@:/-]*)$/u;

function checkText(
  text: string,
  shape: Extract<Shape, { kind: 'name' | 'text' }>,
  refuse: (message: string, hint?: string) => void,
): void {
  if (text === '') {
    refuse('is empty');
    return;
  }
  if (safeText(text, { max: text.length }) !== text) {
    refuse('holds a character that cannot be seen');
    return;
  }
  if (shape.kind === 'name') {
    if ([...text].length > 63 || !NAME.test(text))
      refuse('is no name', 'letters, digits and . _ - @ : /, at most 63, a letter or digit first');
  } else if (new TextEncoder().encode(text).length > shape.maxBytes)
    refuse(`is longer than ${shape.maxBytes} bytes`);
}

function knownHint(keys: Readonly<Record<string, KeyRule>>): string {
  const read = Object.keys(keys).filter((k) => keys[k]?.is === 'read');
  return read.length > 0 ? `known here: ${words(read)}` : 'remove it';
}

function boolHint(source: string): string {
  return /^(?:no|off|false|0)$/i.test(source) ? 'write false' : 'write true';
}

function words(list: readonly string[]): string {
  return list.join(', ');
}

function guess(word: string, known: readonly string[]): string | undefined {
  const best = closest(word, known);
  return best === null ? undefined : `did you mean ${best}?`;
}
