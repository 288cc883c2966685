// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how documents write their variables
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatRefusal } from '../vocab/errors.ts';
import { readDocument } from './read.ts';
import { renderTemplate, templateVariables } from './render.ts';

const VARS = { CORE_NODE: '203.0.113.10', 'label.zone': 'a', EMPTY: '' };

function said(template: string, vars: Readonly<Record<string, string>> = VARS): string | string[] {
  const r = renderTemplate(template, vars);
  return r.ok ? r.text : r.refusals.map(formatRefusal);
}

describe('renderTemplate', () => {
  it.each([
    ['addr: "${CORE_NODE}:8443"', 'addr: "203.0.113.10:8443"'],
    ['${label.zone}${label.zone}', 'aa'],
    ['# ${GONE} in a comment\n  # ${GONE}\na: ${label.zone}', '# ${GONE} in a comment\n  # ${GONE}\na: a'],
    ['a: $${CORE_NODE}', 'a: $${CORE_NODE}'],
    ['a: $CORE_NODE $ {x} $', 'a: $CORE_NODE $ {x} $'],
    ['', ''],
  ])('%j -> %j', (template, text) => {
    expect(said(template)).toBe(text);
    expect(said(text)).toBe(text);
  });

  it.each([
    [
      'a: 1\nb: ${CORE_NODES}',
      {},
      'line 2, column 4: unknown variable ${CORE_NODES} (did you mean ${CORE_NODE}?)',
    ],
    [
      '${zzzzzzzzzzz}',
      {},
      'line 1, column 1: unknown variable ${zzzzzzzzzzz} (known: CORE_NODE, EMPTY, label.zone)',
    ],
    [
      '${__proto__}',
      {},
      'line 1, column 1: unknown variable ${__proto__} (known: CORE_NODE, EMPTY, label.zone)',
    ],
    ['${EMPTY}:443', {}, 'line 1, column 1: ${EMPTY} is empty here (give it a value)'],
    [
      'x ${CORE_NODE',
      {},
      'line 1, column 3: ${CORE_NODE is no variable (write ${NAME}; $${ is how a text says ${)',
    ],
    ['${}', {}, 'line 1, column 1: ${ is no variable (write ${NAME}; $${ is how a text says ${)'],
    ['${a-b}', {}, 'line 1, column 1: ${a-b is no variable (write ${NAME}; $${ is how a text says ${)'],
  ])('%j is refused', (template, _, want) => {
    expect(said(template)).toEqual([want]);
  });

  it.each([
    ['two lines', 'a\nb'],
    ['a control character', 'a\u001bb'],
    ['a line separator', 'a\u2028b'],
    ['a quote', 'a"b'],
    ['a comment', 'a #b'],
    ['a key', 'a: b'],
    ['a key at the end', 'a:'],
    ['a map', '{a}'],
    ['another variable', '${CORE_NODE}'],
    ['an alias', '*a'],
    ['a space at the end', 'a '],
    ['a list entry', '- a'],
  ])('a value holding %s is refused', (_, value) => {
    expect(said('a: ${X}', { X: value })).toEqual([
      'line 1, column 4: the value of ${X} would change the document (no quotes, braces, controls, ": " or " #")',
    ]);
  });

  it('names every problem at once', () => {
    expect(said('${A} ${B}\n${C}', {})).toHaveLength(3);
  });

  it('says at most 50', () => {
    expect(said('${A}\n'.repeat(200), {})).toHaveLength(50);
  });

  it('whatever a value holds, it stays inside its place', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (value) => {
        const r = renderTemplate('services: [{name: "${X}", addr: ":1"}]\nchains: []\n', { X: value });
        if (!r.ok) return;
        const problems = readDocument(r.text);
        const paths = problems.ok ? [] : problems.refusals.map((p) => p.path ?? '');
        expect(paths.filter((p) => !['services[0].name', 'services[0].handler'].includes(p))).toEqual([]);
      }),
    );
  });
});

describe('places in the template', () => {
  const template = 'services:\n- {name: ${N}, addr: "${H}:0", handler: {type: ${T}, chain: x}}\n';
  const r = renderTemplate(template, { N: 'a-long-name-for-an-edge', H: '203.0.113.10', T: 'tcp' });
  const refusals = () => {
    const read = readDocument(r.ok ? r.text : '');
    return read.ok || !r.ok ? [] : read.refusals.map((p) => r.toTemplate(p));
  };

  it('a problem behind variables stands where the template has it', () => {
    expect(refusals().map((p) => [p.path, p.line, p.column])).toEqual(
      [
        ['services[0].addr', 2, template.split('\n')[1]?.indexOf('"${H}')] satisfies unknown[],
        ['services[0].handler.chain', 2, template.split('\n')[1]?.indexOf('x}')],
      ].map(([path, line, index]) => [path, line, Number(index) + 1]),
    );
  });

  it('a problem inside a value stands at its variable', () => {
    const inside = r.ok ? r.toTemplate({ code: 'invalid', message: '', line: 2, column: 15 }) : null;
    expect(inside).toMatchObject({ line: 2, column: 10 });
  });

  it('other lines and problems without a place are left alone', () => {
    const at = { code: 'invalid', message: '', line: 1, column: 4 };
    const none = { code: 'invalid', message: '' };
    expect(r.ok && [r.toTemplate(at), r.toTemplate(none)]).toEqual([at, none]);
  });
});

it('templateVariables names each once, in order, without comments and escapes', () => {
  expect(templateVariables('# ${A}\n${B} ${C.d} $${E} ${B} ${not ok}')).toEqual(['B', 'C.d']);
});

it('the original edge file renders, and is then refused for the rest', () => {
  const text = readFileSync(new URL('fixtures/original-edge-hk.yml', import.meta.url), 'utf8');
  const r = renderTemplate(text, VARS);
  expect(r.ok && r.text).toContain('host: 203.0.113.10\n');
  const read = readDocument(r.ok ? r.text : '');
  expect(read.ok ? [] : read.refusals.map((p) => p.path)).toEqual([
    'services[0].handler.type',
    'services[0].handler.dialer',
    'services[0].listener.type',
    'services[0].listener.config',
    'services[0].listener.config.max-incoming-streams',
    'services[0].listener.config.congestion-control',
  ]);
});
