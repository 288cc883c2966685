// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how documents write their variables
import { readFileSync } from 'node:fs';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { join } from '../../agent/session/join.ts';
import { AgentServiceService } from '../../proto/gen/aicdn/v1/agent.ts';
import { ConsoleServiceService } from '../../proto/gen/aicdn/v1/console.ts';
import { parseJoinToken } from '../../proto/link/join-token.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { edgeDocument } from '../harness/memory-master.ts';
import { RawGrpc } from '../harness/raw-grpc.ts';
import { testCertificate } from '../harness/rest-fixtures.ts';
import { type RestFleet, startRestFleet } from '../harness/rest-fleet.ts';

// S6: texts that grow, nest, climb or reach for a prototype, in every place where the master takes a text: refused with
// the place, at once, and nothing of it is kept.

const MOST_MS = 2_000;

let rest: RestFleet;
let grpc: RawGrpc;
let joinToken: string;
let certificate: Awaited<ReturnType<typeof testCertificate>>;
beforeAll(async () => {
  rest = await startRestFleet();
  grpc = await RawGrpc.connect({ address: rest.fleet.masterReady.grpc });
  const made = await rest.fleet.api.createToken(
    { reason: 'test' },
    { nodeType: 'edge', region: 'hk', name: null, ttlMs: null, replace: false },
  );
  joinToken = made.token;
  await join({
    ...{ addresses: [rest.fleet.masterReady.grpc], token: joinToken, name: 'hk-1' as NodeName },
    ...{ nodeType: 'edge', region: 'hk', labels: {}, agentVersion: '0.1.0' },
  });
  const again = await rest.fleet.api.createToken(
    { reason: 'test' },
    { nodeType: 'edge', region: 'hk', name: null, ttlMs: null, replace: false },
  );
  joinToken = again.token;
  certificate = await testCertificate('web.test');
});
afterAll(async () => {
  grpc?.close();
  await rest?.fleet.stop();
});

interface Case {
  readonly what: string;
  /** What the refusal must say: a place or a name. */
  readonly where: RegExp;
  readonly ask: () => Promise<{ readonly refused: boolean; readonly text: string }>;
}

const inRest =
  (method: string, path: string, body: string): Case['ask'] =>
  async () => {
    const r = await fetch(`${rest.base}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${rest.token}`, 'content-type': 'application/json' },
      body,
    });
    const text = await r.text();
    // A check is answered, not refused: what is wrong is its answer.
    const checked = path === '/configs/validate' && r.status === 200 && /"ok":false/.test(text);
    return { refused: checked || (r.status >= 400 && r.status < 500), text: `${r.status} ${text}` };
  };
const REFUSED = [status.INVALID_ARGUMENT, status.NOT_FOUND, status.FAILED_PRECONDITION];
const alive = async (): Promise<RawGrpc> => {
  if (!grpc.alive) grpc = await RawGrpc.connect({ address: rest.fleet.masterReady.grpc });
  return grpc;
};
const inGrpc =
  (method: keyof typeof ConsoleServiceService, request: Record<string, unknown>): Case['ask'] =>
  async () => {
    const { path, requestSerialize, requestDeserialize } = ConsoleServiceService[method] as {
      path: string;
      requestSerialize(value: unknown): Buffer;
      requestDeserialize(bytes: Buffer): object;
    };
    const whole = {
      ...requestDeserialize(Buffer.alloc(0)),
      ...{ requestId: `r-${Math.random()}`, reason: 'test' },
      ...request,
    };
    const a = await (await alive()).call(path, requestSerialize(whole), { token: rest.token });
    const text = `${a.code} ${a.message} ${a.refusals}`;
    if (a.code === status.OK && method === 'validateConfig') {
      const { problems } = ConsoleServiceService.validateConfig.responseDeserialize(a.body);
      const [first] = problems;
      return { refused: problems.length > 0, text: `"line":${first?.line} ${first?.path} ${first?.message}` };
    }
    return { refused: REFUSED.includes(a.code), text };
  };

const LEVELS = 20_000;
const bomb = ['a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]']
  .concat(
    Array.from('bcdefghi', (c, i) => {
      const before = 'abcdefgh'[i];
      return `${c}: &${c} [${Array.from({ length: 9 }, () => `*${before}`).join(', ')}]`;
    }),
  )
  .join('\n');
const DOCUMENTS: readonly (readonly [string, string])[] = [
  ['a YAML bomb', bomb],
  ['20,000 lists', '['.repeat(LEVELS) + ']'.repeat(LEVELS)],
  ['20,000 maps', '{a: '.repeat(LEVELS)],
  ['20,000 dashes', '- '.repeat(LEVELS)],
  ['__proto__', '__proto__: {services: []}\nservices: []\n'],
  ['constructor', 'services: []\nconstructor: {prototype: {admin: true}}\n'],
  ['a file as an address', edgeDocument(8401).replace('"127.0.0.1:9"', '"file:///etc/passwd"')],
  [
    'a URL as an address',
    edgeDocument(8401).replace('"127.0.0.1:9"', '"http://169.254.169.254/latest/meta-data"'),
  ],
  ['a URL as a listener', edgeDocument(8401).replace('"127.0.0.1:8401"', '"http://169.254.169.254/"')],
  ['a path as a secret', edgeDocument(8401).replace('"127.0.0.1:9"', '"${secret.../../etc/passwd}"')],
];
const LINE = /"line":[1-9]/;

const deepJson = (key: string): string => `{"${key}":${'['.repeat(LEVELS)}${']'.repeat(LEVELS)}}`;
const CLIMB = '../../../../etc/passwd';
const CLIMB_URL = '..%2f..%2f..%2fetc%2fpasswd';
/** An own key, as JSON and protobuf can have it. */
const proto = JSON.parse('{"__proto__": "x"}') as Record<string, string>;
const label = (key: string) => ({ [key]: { value: 'x' } });
const j = JSON.stringify;

const CASES = (): readonly Case[] => [
  ...DOCUMENTS.flatMap(([name, text]): Case[] => [
    {
      what: `${name}: POST /configs`,
      where: LINE,
      ask: inRest('POST', '/configs', j({ version: 'x1', config: text })),
    },
    {
      what: `${name}: POST /configs, base64`,
      where: LINE,
      ask: inRest(
        'POST',
        '/configs',
        j({ version: 'x2', config_data: Buffer.from(text).toString('base64') }),
      ),
    },
    { what: `${name}: validate`, where: LINE, ask: inRest('POST', '/configs/validate', j({ config: text })) },
    {
      what: `${name}: CreateConfigVersion`,
      where: LINE,
      ask: inGrpc('createConfigVersion', { label: 'x3', body: Buffer.from(text) }),
    },
    {
      what: `${name}: ValidateConfig`,
      where: LINE,
      ask: inGrpc('validateConfig', { body: Buffer.from(text) }),
    },
  ]),
  // The body itself.
  { what: 'JSON, open', where: /JSON|nested/, ask: inRest('POST', '/configs', '['.repeat(LEVELS)) },
  ...(
    [
      ['POST', '/configs', 'config'],
      ['POST', '/configs', 'target'],
      ['POST', '/users', 'name'],
      ['POST', '/silences', 'matchers'],
      ['POST', '/commands', 'options'],
      ['PUT', '/nodes/hk-1', 'labels'],
      ['PATCH', '/regions/hk/variables', 'variables'],
    ] as const
  ).flatMap(([method, path, key]): Case[] => [
    {
      what: `deep: ${key} of ${path}`,
      where: /the body is nested too deeply/,
      ask: inRest(method, path, deepJson(key)),
    },
    {
      what: `__proto__: ${path}`,
      where: /__proto__/,
      ask: inRest(method, path, `{"__proto__":{"admin":true},"${key}":1}`),
    },
    {
      what: `__proto__ in ${key} of ${path}`,
      where: /__proto__/,
      ask: inRest(method, path, `{"${key}":{"__proto__":{"admin":true}}}`),
    },
    {
      what: `constructor: ${path}`,
      where: /constructor/,
      ask: inRest(method, path, `{"constructor":{"prototype":{"admin":true}}}`),
    },
  ]),
  // Maps of gRPC.
  {
    what: '../ in a label: UpdateNode',
    where: /label "a/,
    ask: inGrpc('updateNode', { name: 'hk-1', labels: label('a/../b') }),
  },
  {
    what: '__proto__: SetRegionVariables',
    where: /__proto__/,
    ask: inGrpc('setRegionVariables', { region: 'hk', set: proto }),
  },
  {
    what: '__proto__: a target’s labels',
    where: /__proto__/,
    ask: inGrpc('runCommand', {
      type: 'reload',
      target: { nodes: [], labels: proto, nodeType: '', regions: [] },
    }),
  },
  // Lost by what reads it, this target would be everybody.
  {
    what: '__proto__: PublishConfigVersion',
    where: /__proto__/,
    ask: inGrpc('publishConfigVersion', {
      label: 'v1',
      target: { nodes: [], labels: proto, nodeType: '', regions: [] },
    }),
  },
  {
    what: '__proto__: a command’s labels',
    where: /__proto__|no node/,
    ask: inRest(
      'POST',
      '/commands',
      j({ command: 'reload', target_type: 'label', target_ids: ['__proto__=x'] }),
    ),
  },
  // Names that climb.
  ...['secrets', 'certificates'].map(
    (noun): Case => ({
      what: `../ in /${noun}`,
      where: /name|path/,
      ask: inRest(
        'PUT',
        `/${noun}/${CLIMB_URL}`,
        noun === 'secrets' ? j({ value: 'v' }) : j({ ...certificate }),
      ),
    }),
  ),
  { what: '../ in PutSecret', where: /name/, ask: inGrpc('putSecret', { name: CLIMB, value: 'v' }) },
  {
    what: '../ in PutCertificate',
    where: /name/,
    ask: inGrpc('putCertificate', {
      name: CLIMB,
      certPem: certificate.certificate_pem,
      keyPem: certificate.key_pem,
    }),
  },
  { what: '../ in RemoveSecret', where: /name|passwd/, ask: inGrpc('removeSecret', { name: CLIMB }) },
  {
    what: '../ in a version',
    where: /version|label/,
    ask: inRest('POST', '/configs', j({ version: CLIMB, config: edgeDocument(8401) })),
  },
  {
    what: '../ in CreateConfigVersion',
    where: /label|version/,
    ask: inGrpc('createConfigVersion', { label: CLIMB, body: Buffer.from(edgeDocument(8401)) }),
  },
  {
    what: '../ in a token’s node',
    where: /name/,
    ask: inRest('POST', '/tokens', j({ node_type: 'edge', region: 'hk', name: CLIMB })),
  },
  {
    what: '../ in a token’s region',
    where: /region/,
    ask: inRest('POST', '/tokens', j({ node_type: 'edge', region: CLIMB })),
  },
  {
    what: '../ in CreateJoinToken',
    where: /name/,
    ask: inGrpc('createJoinToken', { nodeType: 'edge', region: 'hk', name: CLIMB }),
  },
  {
    what: '../ in a user',
    where: /name/,
    ask: inRest('POST', '/users', j({ name: CLIMB, role: 'admin', password: 'a long enough password' })),
  },
  {
    what: '../ in CreateUser',
    where: /name/,
    ask: inGrpc('createUser', { name: CLIMB, role: 'admin', password: 'a long enough password' }),
  },
  {
    what: '../ in an API key',
    where: /name/,
    ask: inRest('POST', '/api-keys', j({ name: CLIMB, role: 'viewer' })),
  },
  {
    what: '../ in a region',
    where: /region/,
    ask: inRest('PATCH', `/regions/${CLIMB_URL}/variables`, j({ variables: { a: 'b' } })),
  },
  {
    what: '../ in SetRegionVariables',
    where: /region/,
    ask: inGrpc('setRegionVariables', { region: CLIMB, set: { a: 'b' } }),
  },
  {
    what: '../ in a label',
    where: /label/,
    ask: inRest('PUT', '/nodes/hk-1', j({ labels: { [CLIMB]: 'x' } })),
  },
  {
    what: '../ in a node',
    where: /id|node/,
    ask: inRest('PUT', `/nodes/${CLIMB_URL}`, j({ labels: { a: 'x' } })),
  },
  {
    what: '../ in UpdateNode',
    where: /name|node/,
    ask: inGrpc('updateNode', { name: CLIMB, labels: label('a') }),
  },
  {
    what: '../ in a command',
    where: /target|node/,
    ask: inRest('POST', '/commands', j({ command: 'reload', target_type: 'node', target_ids: [CLIMB] })),
  },
  {
    what: '../ in Enroll',
    where: /name/,
    ask: async () => {
      const { id, secret } = parseJoinToken(joinToken);
      const { path, requestSerialize } = AgentServiceService.enroll;
      const a = await (await alive()).call(
        path,
        requestSerialize({
          ...{ tokenId: id, tokenSecret: secret, csrDer: Buffer.alloc(8), name: CLIMB, nodeType: 'edge' },
          ...{ region: 'hk', labels: {}, version: '0.1.0' },
        }),
      );
      return { refused: REFUSED.includes(a.code), text: `${a.code} ${a.message} ${a.refusals}` };
    },
  },
];

/** All that the store holds for people, each with its revision; the store's own grows by what the audit log tells. */
const LISTS = [
  'configs',
  'secrets',
  'certificates',
  'tokens',
  'users',
  'api-keys',
  'regions',
  'silences',
  'commands',
];
const kept = async () => {
  const texts: Record<string, string> = {};
  for (const list of LISTS) {
    const r = await fetch(`${rest.base}/api/v1/${list}`, {
      headers: { authorization: `Bearer ${rest.token}` },
    });
    expect(r.status).toBe(200);
    const { revision: _, ...all } = (await r.json()) as { revision: number };
    texts[list] = JSON.stringify(all);
  }
  const { nodes } = await rest.fleet.api.listNodes();
  return { ...texts, nodes: JSON.stringify(nodes) };
};

it('is refused with the place, at once; others are answered meanwhile, nothing is kept', async () => {
  const v1 = { label: 'v1', description: '', body: Buffer.from(edgeDocument(8400)), parent: null };
  await rest.fleet.api.createConfig({ reason: 'test' }, v1);
  const before = await kept();
  let over = false;
  let answered = 0;
  let slowest = 0;
  const meanwhile = (async () => {
    while (!over) {
      const begun = performance.now();
      expect((await fetch(`${rest.base}/health`)).status).toBe(200);
      await rest.fleet.api.whoAmI();
      slowest = Math.max(slowest, performance.now() - begun);
      answered += 1;
    }
  })();
  const wrong: string[] = [];
  const times: { what: string; ms: number }[] = [];
  const cases = CASES();
  for (const { what, where, ask } of cases) {
    const begun = performance.now();
    const { refused, text } = await ask();
    const ms = Math.round(performance.now() - begun);
    times.push({ what, ms });
    if (!refused) wrong.push(`${what}: was not refused: ${text.slice(0, 300)}`);
    else if (!where.test(text)) wrong.push(`${what}: does not say where: ${text.slice(0, 300)}`);
    if (ms > MOST_MS) wrong.push(`${what}: ${ms} ms`);
  }
  over = true;
  await meanwhile;
  times.sort((a, b) => b.ms - a.ms);
  const worst = times.slice(0, 5).map((t) => `${t.what} ${t.ms} ms`);
  console.log(
    `S6: ${cases.length} cases, the slowest: ${worst.join('; ')}; ${answered} others answered meanwhile, in ${Math.round(slowest)} ms at worst`,
  );
  expect(wrong).toEqual([]);
  expect(answered).toBeGreaterThan(0);
  expect(slowest).toBeLessThan(MOST_MS);
  expect(await kept()).toEqual(before);
});

it('no field of REST or gRPC takes a URL that the master would fetch', async () => {
  const words =
    /"(?:name":")?\w*(?:url|uri|webhook|callback|endpoint|href)\w*"(?::\{"(?:type|anyOf|\$ref|format|description)|,"in")/gi;
  expect('"hook_url":{"type":"string"} {"name":"uri","in":"query"}'.match(words)).toHaveLength(2);
  const document = await (await fetch(`${rest.base}/openapi.json`)).text();
  expect(document.match(words) ?? []).toEqual([]);
  expect(document).not.toMatch(/"format":"ur[il]/);
  for (const file of ['agent', 'common', 'console']) {
    const text = readFileSync(new URL(`../../proto/aicdn/v1/${file}.proto`, import.meta.url), 'utf8');
    expect(
      text.match(/^\s+(?:optional |repeated )?\w+ \w*(?:url|uri|webhook|callback|endpoint)\w* = /gim) ?? [],
    ).toEqual([]);
  }
});
