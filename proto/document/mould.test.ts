// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how documents write their variables
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Mould, type Rendering, renderDocument } from './mould.ts';

type Vars = Readonly<Record<string, string>>;

const BOTH = readFileSync(new URL('fixtures/both.yml', import.meta.url), 'utf8');
/** Every way of writing a scalar, and warnings. */
const MANY = `\
# a comment with \${GONE} in it
services:
- name: chat-hk-1 # beside "it"
  addr: ':8443'
  handler: {type: tcp, chain: to-core, retries: 2, metadata: {proxyProtocol: 2}} # see #7
  listener: {type: "wss", tls: {certFile: /a/b.pem, keyFile: '/a/b.key'}, metadata: {path: /ws, readBufferSize: 64KB}}
  metadata: {enableStats: true, dialTimeout: 8s}
  climiter: many
- name: >-
    folded
  addr: "127.0.0.1:80\\x381"
  handler:
    type: relay
    auther: 'it'
  forwarder:
    nodes: [{name: "origin", addr: 10.0.0.1:80}, {name: o2, addr: "[2001:db8::1]:80"}]
    selector: {strategy: fifo, maxFails: 3, failTimeout: 10s}
chains: [{name: to-core, hops: [{name: cores}]}, {name: unused, hops: [{name: "cores"}]}]
hops:
- name: cores
  nodes:
  - name: cn-1
    addr: cn-1.example:8443
    connector: {type: relay, auth: {username: e d g e, password: "1e3"}}
    dialer: {type: tls, tls: {caFile: /c.pem, secure: false, serverName: core.internal}}
    metadata: {weight: 10, backup: false}
climiters:
- {name: many, limits: ["$ 1000", '$$ 10', 10.0.0.0/8 5]}
authers:
- name: it
  auths:
  - username: 'it''s'
    password: |-
      block
`;

/** What a label may hold: ordinary, or what YAML takes for something else. */
const WORDS = [
  ...['hk-1', 'a', 'sg-edge-0042', '10.3.0.7', '203.0.113.9:8443', 'core.example', '8080', '443', '1', '0'],
  ...[
    '007',
    '1e3',
    '0x1F',
    '0o17',
    '1.50',
    '.5',
    '-1',
    '+1',
    '.inf',
    '.nan',
    '-.inf',
    '12345678901234567890',
  ],
  ...[
    'true',
    'false',
    'True',
    'on',
    'no',
    'y',
    'null',
    'Null',
    'NULL',
    '~',
    '2026-11-27',
    '1:30',
    '10s',
    '64KB',
  ],
  ...[
    '2001:db8::1',
    '[2001:db8::1]',
    '::1',
    '[::1]:443',
    'a:b',
    'a:',
    ':a',
    'a/b',
    '/a/b',
    'sealed:secret/x@1',
  ],
  ...[
    '',
    ' ',
    'a b',
    ' a',
    'a ',
    'a: b',
    'a #b',
    '#a',
    '-',
    '- a',
    '--',
    '---',
    '...',
    '?',
    '? a',
    '*x',
    '&x',
  ],
  ...[
    '!t',
    '!!str a',
    '|',
    '>',
    '%a',
    '@a',
    '`a',
    '{',
    '}',
    '{a: b}',
    '[',
    ']',
    '[a]',
    ',',
    'a,b',
    'a, b',
    '"',
  ],
  ...[
    "'",
    'a"b',
    "it's",
    '\\',
    '\\n',
    'a\nb',
    '\t',
    'a\tb',
    '\u00e9',
    '字',
    '\u0000',
    '\u2028',
    '${x}',
    '$',
    '$$',
  ],
  ...['=', '<<', 'tcp', 'tls', 'relay', 'wss', 'cores', 'chat', 'x'.repeat(64), 'x'.repeat(1100)],
];
/** Another value in the place of one: any, or one much like it. */
const word: fc.Arbitrary<(was: string) => string> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...WORDS).map((w) => () => w) },
  { weight: 1, arbitrary: fc.string({ maxLength: 12 }).map((w) => () => w) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      (was: string) => `${was}1`,
      (was: string) => `1${was}`,
      (was: string) => was.slice(0, -1),
      (was: string) => `${was}-a`,
    ),
  },
);

/** What a rendering is, all of it. */
function told({ hash, document, warnings, source }: Rendering) {
  return { hash, document, warnings, text: source.text(), bytes: source.bytes, again: source.document() };
}

function filled(mould: Mould | null, template: string, vars: Vars): boolean {
  const quick = mould?.fill({ vars });
  if (!quick) return false;
  const full = renderDocument(template, { vars });
  if (!full.ok) throw new Error(`only the mould takes ${JSON.stringify(vars)} in ${template}`);
  expect(told(quick)).toEqual(told(full.rendering));
  return true;
}

/** Where people put variables: a word, or a part of one, that is no key. */
const SPOTS = new Map(
  [BOTH, MANY].map((text) => [text, [...text.matchAll(/[\w./-]+(?![\w./-]*:(?:\s|$))/g)]] as const),
);

/** A good document with variables in the place of parts of its lines, and the values that make it good. */
const cut = fc
  .record({
    text: fc.constantFrom(BOTH, MANY),
    cuts: fc.array(
      fc.record({ at: fc.nat(), length: fc.integer({ min: 1, max: 14 }), anywhere: fc.nat({ max: 7 }) }),
      { minLength: 1, maxLength: 3 },
    ),
  })
  .map(({ text, cuts }) => {
    const spots = SPOTS.get(text) ?? [];
    const parts = cuts.map(({ at, length, anywhere }) => {
      const spot = spots[at % spots.length];
      if (anywhere === 0 || !spot) return { start: at % text.length, length };
      return { start: spot.index, length: anywhere < 3 ? Math.min(length, spot[0].length) : spot[0].length };
    });
    const vars: Record<string, string> = {};
    let template = text;
    let before = text.length;
    for (const { start, length } of parts.toSorted((a, b) => b.start - a.start)) {
      const value = text.slice(start, start + length);
      if (start + length > before || value.includes('\n')) continue;
      vars[`v${start}`] = value;
      template = `${template.slice(0, start)}\${v${start}}${template.slice(start + length)}`;
      before = start;
    }
    return { template, vars };
  });

describe('a mould', () => {
  it('its documents are good ones', () => {
    for (const text of [BOTH, MANY]) {
      const r = renderDocument(text, { vars: {} });
      expect(r.ok || r.refusals).toBe(true);
    }
  });

  it('makes what is rendered in full, whatever the values, wherever they stand; or nothing', () => {
    let moulds = 0;
    let quick = 0;
    fc.assert(
      fc.property(
        cut,
        fc.array(fc.array(word, { minLength: 3, maxLength: 3 }), { minLength: 6, maxLength: 6 }),
        (c, all) => {
          const first = renderDocument(c.template, { vars: c.vars });
          if (!first.ok || !first.mould) return;
          moulds += 1;
          for (const words of all) {
            const own = Object.entries(c.vars);
            const changed = own.map(([name, was], k): [string, string] => [name, words[k]?.(was) ?? was]);
            // One other value tells more than three, of which one is refused.
            const [one = ['', '']] = changed;
            for (const vars of [Object.fromEntries(changed), { ...c.vars, [one[0]]: one[1] }])
              if (filled(first.mould, c.template, vars)) quick += 1;
          }
          expect(filled(first.mould, c.template, c.vars)).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
    expect(moulds).toBeGreaterThan(80);
    expect(quick).toBeGreaterThan(100);
  });

  it('takes no value that would be read as anything but a text, in block and flow context, in quotes and comments', () => {
    const auths = [
      '{username: ${v}, password: p} # ${v}',
      '{username: a ${v}, password: p}',
      '{username: ${v} b, password: p}',
      '{username: -${v}:b, password: p}',
      '{"username":${v},password: p}',
      '{username: "${v}", password: p}',
      "{username: 'a${v}b', password: p}",
      '{username: ${v}${v}, password: p}',
      '{password: p, username: ${v}}',
      '\n    username: ${v}\n    password: p',
      '\n    username: a ${v} b # ${v}\n    password: p',
      '\n    username: --${v}\n    password: p',
      '\n    username: ..${v}\n    password: p',
      '\n    username:\n      ${v}\n    password: "${v}"',
    ];
    const templates = auths.map((auth) => `${BOTH}  - ${auth.trimStart()}\n`);
    const moulds = templates.map((template) => {
      const r = renderDocument(template, { vars: { v: 'v' } });
      if (!r.ok || !r.mould) throw new Error(JSON.stringify([template, r]));
      return { template, mould: r.mould };
    });
    const value = fc.oneof(
      fc.constantFrom(...WORDS),
      fc.string({
        unit: fc.constantFrom(...'aZ09._:@/+-,=~()[]{}#&*!|>%?\'"\\ $nul'),
        minLength: 1,
        maxLength: 5,
      }),
    );
    let quick = 0;
    fc.assert(
      fc.property(fc.constantFrom(...moulds), value, ({ template, mould }, v) => {
        if (filled(mould, template, { v })) quick += 1;
      }),
      { numRuns: 1500 },
    );
    expect(quick).toBeGreaterThan(150);
  });

  const TEMPLATE = MANY.replace('chat-hk-1', 'chat-${node.name}')
    .replace("':8443'", "':${label.port}'")
    .replace('beside "it"', 'beside ${label.word}')
    .replace('10.0.0.1:80', '${label.addr}:80')
    .replace('retries: 2', 'retries: ${label.count}')
    .replace('password: "1e3"', 'password: "${secret.p}"');
  const VARS = {
    'node.name': 'hk-1',
    'label.port': '8443',
    'label.word': 'it',
    'label.addr': '10.0.0.1',
    'label.count': '2',
    'secret.p': 'sealed:secret/p@1',
  };
  const first = renderDocument(TEMPLATE, { vars: VARS });
  const quickly = (over: Vars): boolean => first.ok && filled(first.mould, TEMPLATE, { ...VARS, ...over });

  it.each([
    [{}],
    [{ 'node.name': 'null', 'label.word': '[x]' }],
    [{ 'label.port': '443', 'label.addr': '192.0.2.1', 'label.count': '16' }],
    [{ 'label.count': '0x0F', 'secret.p': 'sealed:secret/p@2' }],
    [{ 'secret.p': 'word' }],
  ])('takes ordinary values: %j', (over) => {
    expect(quickly(over)).toBe(true);
  });

  it.each([
    ['a refusal', { 'label.port': '0' }],
    ['a number where a count is wanted, and it is none', { 'label.count': '1e1e1' }],
    ['a text for a count', { 'label.count': 'two' }],
    ['null for a count', { 'label.count': 'null' }],
    ['a second one of a name', { 'label.addr': 'a b' }],
    ['a comma in flow context', { 'label.addr': 'a,b' }],
    ['a space', { 'label.word': 'a b' }],
    ['no value', { 'label.word': '' }],
    ['a reference that is of another kind', { 'secret.p': 'sealed:cert/p@1' }],
  ])('leaves the rest to be rendered in full: %s', (_, over) => {
    expect(quickly(over)).toBe(false);
  });

  it.each([
    ['a key', 'retries: 2', '${x}: 2', 'retries'],
    ['a block scalar', '    folded', '    ${x}', 'folded'],
    ['an escaped text', '\\x381', '\\x38${x}', '1'],
    ['a doubled quote', "it''s", "it''${x}", 's'],
  ])('is not made where the value stands in %s', (_, part, instead, value) => {
    const r = renderDocument(MANY.replace(part, instead), { vars: { x: value } });
    expect(r.ok ? r.mould : r.refusals).toBe(null);
  });

  it('holds what is repeated for each core, and values of the node inside of it', () => {
    const template = MANY.replace('name: cn-1\n', 'name: "${core.name}"\n').replace(
      'e d g e',
      '${node.name}',
    );
    const lists = { core: [{ name: 'cn-1' }, { name: 'cn-2' }] };
    const r = renderDocument(template, { vars: { 'node.name': 'hk-1' }, lists });
    const scope = { vars: { 'node.name': 'hk-2' }, lists };
    const full = renderDocument(template, scope);
    const quick = r.ok ? r.mould?.fill(scope) : null;
    if (!quick || !full.ok) throw new Error(JSON.stringify([r, full]));
    expect(told(quick)).toEqual(told(full.rendering));
    expect(quick.document.hops[0]?.nodes.map((n) => [n.name, n.connector.auth?.username])).toEqual([
      ['cn-1', 'hk-2'],
      ['cn-2', 'hk-2'],
    ]);
  });
});
