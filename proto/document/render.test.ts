// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how documents write their variables
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatRefusal } from '../vocab/errors.ts';
import { Lines } from './lines.ts';
import { parseYaml } from './parse.ts';
import { Problems } from './problems.ts';
import { readDocument } from './read.ts';
import { renderTemplate } from './render.ts';
import { child, items } from './tree.ts';
import { templateVariables } from './variables.ts';

const VARS = { CORE_NODE: '203.0.113.10', 'label.zone': 'a', EMPTY: '' };

function said(template: string, vars: Readonly<Record<string, string>> = VARS): string | string[] {
  const r = renderTemplate(template, { vars });
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
    ['${a b}', {}, 'line 1, column 1: ${a b is no variable (write ${NAME}; $${ is how a text says ${)'],
    [
      'a: sealed:secret/x@1',
      {},
      'line 1, column 4: sealed:secret/x is written by the master only (write ${secret.x})',
    ],
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
        const r = renderTemplate('services: [{name: "${X}", addr: ":1"}]\nchains: []\n', {
          vars: { X: value },
        });
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
  const r = renderTemplate(template, { vars: { N: 'a-long-name-for-an-edge', H: '203.0.113.10', T: 'tcp' } });
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
  const r = renderTemplate(text, { vars: VARS });
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

describe('an entry that is repeated', () => {
  const core = [
    { name: 'core-1', region: 'sh', 'label.addr': '203.0.113.10' },
    { name: 'core-2', region: 'sh' },
    { name: 'core-3', region: 'bj', 'label.addr': '203.0.113.30' },
  ];
  const render = (template: string) => {
    const r = renderTemplate(template, { vars: { W: '2' }, lists: { core } });
    return r.ok ? r.text : r.refusals.map(formatRefusal);
  };

  it.each([
    [
      'a block entry in flow style',
      'hops:\n- name: cores\n  nodes:\n  - {name: "${core.name}", addr: "${core.label.addr}:1", metadata: {weight: ${W}}}\n  # after\n',
      'hops:\n- name: cores\n  nodes:\n  - {name: "core-1", addr: "203.0.113.10:1", metadata: {weight: 2}}\n  - {name: "core-3", addr: "203.0.113.30:1", metadata: {weight: 2}}\n  # after\n',
    ],
    [
      'a block entry of several lines',
      'nodes:\n    -   name: ${core.name}\n        addr: "${core.label.addr}:1"\n\nmore: x\n',
      'nodes:\n    -   name: core-1\n        addr: "203.0.113.10:1"\n    -   name: core-3\n        addr: "203.0.113.30:1"\n\nmore: x\n',
    ],
    ['an entry of a flow list', 'nodes: [a, "${core.name}"]', 'nodes: [a, "core-1", "core-2", "core-3"]'],
    ['a scalar entry', 'nodes:\n- ${core.region}-x\n', 'nodes:\n- sh-x\n- sh-x\n- bj-x\n'],
  ])('%s', (_, template, text) => {
    expect(render(template)).toBe(text);
  });

  it.each([
    [
      'a: ${core.name}',
      'line 1, column 4: ${core.name} must stand inside one list entry, which is repeated (write - {name: "${core.name}", …} as an entry of hops[].nodes)',
    ],
    ['a:\n- ${core.label.gone}', 'line 2, column 3: there is no core that has label.gone (known: W)'],
    [
      '- # a dash of its own - line\n  name: ${core.name}',
      'line 2, column 9: ${core.name} must stand inside one list entry, which is repeated (write - {name: "${core.name}", …} as an entry of hops[].nodes)',
    ],
  ])('%j is refused', (template, want) => {
    expect(render(template)).toEqual([want]);
  });

  it('places behind it are those of the template', () => {
    const template = 'nodes:\n- {name: "${core.name}", wrong: 1}\nalso: wrong\n';
    const r = renderTemplate(template, { vars: {}, lists: { core } });
    if (!r.ok) throw new Error('refused');
    const place = (text: string, nth: number) => {
      const at = r.text.split(text).slice(0, nth).join(text).length;
      const { line, column } = new Lines(r.text).at(at);
      const back = r.toTemplate({ code: '', message: '', line, column });
      return [back.line, back.column];
    };
    expect([place('wrong: 1', 1), place('wrong: 1', 3), place('also', 1)]).toEqual([
      [2, 26],
      [2, 26],
      [3, 1],
    ]);
  });

  it('the YAML of any number of cores is read as that many nodes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 6 }), (n, indent) => {
        const many = Array.from({ length: n }, (_, i) => ({ name: `c${i}` }));
        const pad = ' '.repeat(indent);
        const template = `nodes:\n${pad}- first\n${pad}- name: \${core.name}\n${pad}  addr: "\${core.name}:1"\n${pad}- last\n`;
        const r = renderTemplate(template, { vars: {}, lists: { core: many } });
        const tree = r.ok ? parseYaml(r.text, new Problems(new Lines(r.text))) : null;
        expect(items(child(tree ?? undefined, 'nodes'))).toHaveLength(n + 2);
      }),
    );
  });
});
