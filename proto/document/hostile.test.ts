// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how documents write their variables
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatRefusal } from '../vocab/errors.ts';
import { Lines } from './lines.ts';
import { parseYaml } from './parse.ts';
import { MAX_PROBLEMS, Problems } from './problems.ts';
import { readDocument } from './read.ts';

const GOOD = readFileSync(new URL('fixtures/both.yml', import.meta.url), 'utf8');
const KIB_256 = 256 * 1024;
const filled = (unit: string) => unit.repeat(Math.floor(KIB_256 / unit.length));

function says(text: string): string {
  const r = readDocument(text);
  return r.ok ? 'ok' : formatRefusal(r.refusals[0] ?? { code: '', message: 'nothing' });
}

describe('documents that mean harm', () => {
  it.each([
    ['300 KB', 'a'.repeat(300_000), 'line 1, column 1: 293 KiB is too large (at most 256 KiB)'],
    [
      '90,000 letters of three bytes',
      '字'.repeat(90_000),
      'line 1, column 1: 264 KiB is too large (at most 256 KiB)',
    ],
    ['20,000 lists', '['.repeat(20_000), 'line 1, column 33: nested deeper than 32 levels'],
    ['20,000 maps', '{a: '.repeat(20_000), 'line 1, column 129: nested deeper than 32 levels'],
    ['20,000 dashes', '- '.repeat(20_000), 'line 1, column 65: nested deeper than 32 levels'],
    ['20,000 question marks', '? '.repeat(20_000), 'line 1, column 65: nested deeper than 32 levels'],
    [
      'a staircase of keys',
      Array.from({ length: 600 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
      'line 33, column 34: nested deeper than 32 levels',
    ],
    [
      'a billion laughs',
      'a: &a ["lol"]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nservices: *c\n',
      'line 1, column 4: anchors (&name) are not read (write the value out)',
    ],
    [
      'a JavaScript tag',
      'services: !!js/function "x"',
      'line 1, column 11: tags (!name) are not read (write the value out)',
    ],
    [
      'a prototype',
      '__proto__: {services: []}\nservices: []\n',
      'line 1, column 1: __proto__: unknown key (known here: services, chains, hops, authers, limiters, climiters, rlimiters, admissions)',
    ],
    [
      'a prototype inside',
      'services: [{__proto__: {name: a}, constructor: 1}]',
      'line 1, column 12: services[0].name: is missing (write name: edge-tls; gost opens the port of a nameless service and serves nobody)',
    ],
    ['NUL', 'services:\0', 'line 1, column 10: control character \\u{0} (remove it)'],
  ])('%s', (_, text, want) => {
    expect(says(text)).toBe(want);
  });

  it.each([
    'password: | hunter2hunter2\n  x\n',
    'a: [1\n} hunter2hunter2',
    'password: hunter2hunter2: x',
    '"hunter2hunter2" hunter2hunter2: [',
    "password: 'hunter2hunter2' hunter2hunter2",
    'services: [{name: x, addr: ":1", password: hunter2hunter2}]',
    'authers: [{name: a, auths: [{username: u, password: [hunter2hunter2]}]}]',
  ])('%j: what is wrong is said without the password', (text) => {
    const r = readDocument(text);
    expect(r.ok).toBe(false);
    expect(JSON.stringify(r)).not.toContain('hunter2');
  });

  // Each fills the whole size with what a careless reader is quadratic in; a time-out of the run is the failure.
  it.each([
    'a: b\n',
    'k',
    '"',
    "'",
    '# c\n',
    '\n',
    ' ',
    '- \n',
    'a\n ',
    ', ',
    ': ',
    '|\n',
    '\r\n',
    '$',
    '${',
    '${a} ',
    '\\',
  ])('256 KiB of %j', (unit) => {
    expect(readDocument(filled(unit)).ok).toBe(false);
    expect(readDocument(`services: [${filled(unit).slice(20)}]`).ok).toBe(false);
    expect(readDocument(`services: "${filled(unit).slice(20)}"`).ok).toBe(false);
  });

  it('says at most 50 things, also of 2,000 different unknown keys and of 500 colliding services', () => {
    const keys = Array.from({ length: 2000 }, (_, i) => `k${i}: 1\n`).join('');
    const services = Array.from({ length: 500 }, () => '- {name: a, addr: ":1"}\n').join('');
    for (const text of [keys, `services:\n${services}`]) {
      const r = readDocument(text);
      expect(r.ok ? 0 : r.refusals.length).toBe(MAX_PROBLEMS);
    }
  });

  it('leaves no trace of __proto__', () => {
    readDocument(
      '__proto__: {polluted: yes}\nservices: [{__proto__: {addr: ":1"}, constructor: {prototype: {x: 1}}}]',
    );
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect('polluted' in {}).toBe(false);
    const problems = new Problems(new Lines(''));
    expect(parseYaml('__proto__: 1', problems)).toMatchObject({
      kind: 'map',
      entries: [{ key: '__proto__' }],
    });
  });

  it('shows no control character of a key or a value in what it says', () => {
    const r = readDocument('services: [{"\\u001b[2J": 1, addr: "\\u001b]0;x\\u0007:80", name: "a\\nb"}]');
    const text = r.ok ? '' : r.refusals.map(formatRefusal).join(' ');
    expect(text).toContain('\\u{1b}[2J');
    expect(text).not.toMatch(/\p{Cc}/u);
  });
});

const WORDS = [
  'services',
  'tls',
  'relay',
  ':443',
  '"',
  "'",
  '[',
  ']',
  '{',
  '}',
  ': ',
  '- ',
  '\n',
  '  ',
  '\t',
  '&a',
  '*a',
  '!t',
];
const MORE = [
  '|',
  '>',
  '#',
  '---',
  '%',
  '${x}',
  '\0',
  '10s',
  '-1',
  '1e999',
  '~',
  '<<',
  '__proto__',
  '\u202e',
  '𝒳',
  '\ud800',
  '?',
];

const mutation = fc.record({
  at: fc.nat(GOOD.length),
  cut: fc.nat(40),
  put: fc.oneof(fc.constantFrom(...WORDS, ...MORE), fc.string({ maxLength: 8 })),
});

describe('a good document with random edits', () => {
  it('is read or refused with places inside it, never thrown at', () => {
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (edits) => {
        let text = GOOD;
        for (const { at, cut, put } of edits) text = text.slice(0, at) + put + text.slice(at + cut);
        const lines = text.split('\n');
        const r = readDocument(text);
        if (r.ok) {
          expect(r.document.services.every((s) => s.name !== '' && s.addr !== '')).toBe(true);
          return;
        }
        expect(r.refusals.length).toBeGreaterThan(0);
        expect(r.refusals.length).toBeLessThanOrEqual(MAX_PROBLEMS);
        for (const { line = 0, column = 0 } of r.refusals) {
          expect(line).toBeGreaterThanOrEqual(1);
          expect(line).toBeLessThanOrEqual(lines.length);
          expect(column).toBeGreaterThanOrEqual(1);
          expect(column).toBeLessThanOrEqual((lines[line - 1]?.length ?? 0) + 1);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('and so is any text', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom(...WORDS, ...MORE), fc.string())), (parts) => {
        const r = readDocument(parts.join(''));
        expect(r.ok || r.refusals.length > 0).toBe(true);
      }),
      { numRuns: 400 },
    );
  });
});
