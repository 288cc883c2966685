// biome-ignore-all lint/suspicious/noTemplateCurlyInString: documents name their variables this way
import { beforeEach, describe, expect, it } from 'vitest';
import type { BlastCheck, BlastRadius } from '../../proto/vocab/blast.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import type { ListenerInfo } from '../../proto/vocab/node.ts';
import { reportOf } from '../bench/control/nodes.ts';
import { fakeEngine } from '../fakes/console-master.ts';
import { edgeDocument, MemoryMaster } from '../harness/memory-master.ts';

let m: MemoryMaster;
beforeEach(async () => {
  m = await MemoryMaster.start();
});

const preview = (label: string, target = {}, pace = {}): Promise<BlastRadius> =>
  m.services.configs.previewPublish(m.m().caller, { label, target, ...pace });
const check = (b: BlastRadius, name: BlastCheck['check']) => b.checks.find((c) => c.check === name);

/** What the node was offered last is in force on it, with these listeners. */
async function applied(name: string, listeners: readonly ListenerInfo[] = []): Promise<void> {
  const hash = m.offers(name).at(-1)?.hash ?? null;
  const engine = fakeEngine({ documentHash: hash, listeners });
  await m.status(name, { status: 'applied', nonce: '01', effectiveHash: hash, engine, warnings: [] });
}

const chat = (addr: string, type = 'tcp'): ListenerInfo => ({ service: 'chat', addr, type });

/** @param streams live on each of its services */
function reports(name: string, streams: Readonly<Record<string, number>>): void {
  const one = reportOf(m.now);
  const [like] = one.services;
  if (!like) throw new Error('the report of the twins has no service');
  const services = Object.entries(streams).map(([service, n]) => ({ ...like, service, streams: n }));
  m.services.agents.metrics(name as NodeName, { ...one, services });
}

const viaCores = (weight: string, password = 'hunter2', nodes = ['cn-1', 'cn-2']): string => `\
services:
- {name: chat, addr: "127.0.0.1:7001", handler: {type: tcp, chain: c}, listener: {type: tcp}}
chains:
- {name: c, hops: [{name: cores}]}
hops:
- name: cores
  nodes:
${nodes.map((n, i) => `  - {name: ${n}, addr: "192.0.2.${i + 1}:8443", connector: {type: relay, auth: {username: e, password: ${password}}}, dialer: {type: tls}, metadata: {${i === 0 ? weight : 'weight: 1'}}}`).join('\n')}
`;

describe('listeners', () => {
  it('what opens, closes, is spoken to otherwise and stays, on how many nodes, with its streams', async () => {
    await m.join('hk-1');
    await m.join('hk-2');
    await m.create('v1', edgeDocument(7001));
    await m.publish('v1');
    await applied('hk-1', [chat('127.0.0.1:7001')]);
    await applied('hk-2', [chat('127.0.0.1:7001'), { service: 'old', addr: ':9000', type: 'ws' }]);
    reports('hk-1', { chat: 3 });
    reports('hk-2', { chat: 4, old: 5 });
    const more = `${edgeDocument(7001)}- {name: more, addr: ":7002", handler: {type: tcp}, listener: {type: tcp}, forwarder: {nodes: [{name: o, addr: "127.0.0.1:9"}]}}\n`;
    await m.create('v2', more);
    const b = await preview('v2');
    expect(b.listeners.map((l) => [l.change, l.service, l.addr, l.nodes, l.streams])).toEqual([
      ['closes', 'old', ':9000', 1, 5],
      ['opens', 'more', ':7002', 2, null],
      ['keeps', 'chat', '127.0.0.1:7001', 2, null],
    ]);
    expect(b.nodes.map((n) => [n.name, n.opens, n.closes.length])).toEqual([
      ['hk-1', [{ service: 'more', addr: ':7002', type: 'tcp' }], 0],
      ['hk-2', [{ service: 'more', addr: ':7002', type: 'tcp' }], 1],
    ]);
    expect(b).toMatchObject({ streams: 12, streamsCut: 0, listenersClosed: 1 });
    await m.create(
      'v3',
      edgeDocument(7001).replace(
        'listener: {type: tcp}',
        'listener: {type: tls, tls: {certFile: /a.pem, keyFile: /a.key}}',
      ),
    );
    const tls = await preview('v3', { nodes: ['hk-1'] });
    expect(tls.listeners).toMatchObject([{ change: 'changes', service: 'chat', type: 'tls', nodes: 1 }]);
  });
});

describe('routes', () => {
  const joinAll = async (): Promise<void> => {
    for (const n of ['hk-1', 'hk-2', 'sg-1']) await m.join(n, {}, { region: n.slice(0, 2) });
    for (const n of ['cn-1', 'cn-2']) await m.join(n, {}, { nodeType: 'core', region: 'cn' });
    await m.create('v1', viaCores('weight: 2'));
    await m.publish('v1', { nodeType: 'edge' });
    for (const n of ['hk-1', 'hk-2', 'sg-1']) await applied(n, [chat('127.0.0.1:7001')]);
  };

  it('a core that new streams are led away from, with what it carries, and who goes on sending to it', async () => {
    await joinAll();
    reports('cn-1', { core: 29 });
    await m.create('v2', viaCores('backup: true'));
    const b = await preview('v2', { regions: ['hk'], nodeType: 'edge' });
    expect(b.routes).toEqual([
      {
        ...{ of: 'hop', name: 'cores', node: 'cn-1', addr: '192.0.2.1:8443', change: 'changed' },
        fields: [
          { key: 'backup', from: 'false', to: 'true' },
          { key: 'weight', from: '2', to: '1' },
        ],
        ...{ services: ['chat'], takers: 1, nodes: 2, streams: 29 },
      },
    ]);
    expect(b.routesUnknown).toBe(0);
    expect(b.warnings).toContainEqual({
      ...{ code: 'others_stay', nodes: 1, names: ['sg-1'] },
      text: 'sg are not hit and go on sending to cn-1',
    });
    const all = await preview('v2', { nodeType: 'edge' });
    expect(all.warnings.map((w) => w.code)).not.toContain('others_stay');
  });

  it('that a password is another one is told, and none of them is', async () => {
    await joinAll();
    await m.create('v2', viaCores('weight: 2', 'hunter3'));
    const b = await preview('v2', { nodeType: 'edge' });
    expect(b.routes.map((r) => [r.node, r.fields])).toEqual(
      ['cn-1', 'cn-2'].map((n) => [n, [{ key: 'connector.auth', from: 'e:*', to: 'e:*' }]]),
    );
    expect(JSON.stringify(b)).not.toContain('hunter');
  });

  it('what a node runs and nobody can render any more is not compared, and said', async () => {
    await joinAll();
    await m.status('hk-1', {
      ...{ status: 'applied', nonce: '02', effectiveHash: 'b'.repeat(64) as never, warnings: [] },
      engine: fakeEngine({ documentHash: 'b'.repeat(64) as never, listeners: [] }),
    });
    await m.create('v2', viaCores('backup: true'));
    const b = await preview('v2', { regions: ['hk'], nodeType: 'edge' });
    expect([b.routesUnknown, b.routes.map((r) => r.nodes)]).toEqual([1, [1]]);
  });
});

describe('what was checked', () => {
  it('variables, schema, engines and who is here: each with whom it is about and why', async () => {
    await m.join('hk-1', { port: '7001' });
    await m.create('v0', edgeDocument(7000));
    await m.publish('v0');
    await applied('hk-1');
    await m.join('hk-2');
    await m.join('hk-3', { port: '70010' });
    await m.enrol('hk-4', { port: '7004' });
    await m.connect('hk-4', { capabilities: ['listener.tcp'] });
    await m.create('v1', edgeDocument('${label.port}'));
    await m.disconnect('hk-1');
    await m.pass(60, ['hk-2', 'hk-3', 'hk-4']);
    const b = await preview('v1');
    expect(b.checks.map((c) => [c.check, c.verdict, c.passed, c.bad, c.of, c.about, c.nodes])).toEqual([
      ['schema', 'fail', 2, 1, 3, [], ['hk-3']],
      ['variables', 'fail', 3, 1, 4, ['label.port'], ['hk-2']],
      ['ports', 'unknown', 0, 1, 1, ['127.0.0.1:7001'], []],
      ['engines', 'fail', 1, 1, 2, ['embedded 1'], ['hk-4']],
      ['reach', 'warn', 3, 1, 4, expect.arrayContaining(['down 1']), ['hk-1']],
    ]);
    expect(check(b, 'variables')?.why).toMatch(/^hk-2: line 3.*unknown variable/);
    expect(check(b, 'schema')?.why).toMatch(/^hk-3: line 3.*70010/);
    expect(check(b, 'engines')?.why).toBe('hk-4: it lacks handler.tcp');
    // What it says cannot be is what publish refuses.
    await expect(m.publish('v1')).rejects.toBeInstanceOf(AppError);
  });

  it('a port that the node itself has open on another address is refused, and one that it said is taken is told', async () => {
    await m.join('hk-1');
    await m.join('hk-2');
    await m.create('v1', edgeDocument(7001));
    await m.publish('v1');
    for (const n of ['hk-1', 'hk-2']) await applied(n, [chat('127.0.0.1:7001')]);
    const own = edgeDocument(7001).replace('127.0.0.1:7001', ':7001');
    await m.create('v2', own);
    expect(check(await preview('v2'), 'ports')).toMatchObject({
      ...{ verdict: 'fail', bad: 2, of: 2, about: [':7001'], nodes: ['hk-1', 'hk-2'] },
      why: expect.stringMatching(/^hk-1: :7001 of chat is in use by chat 127\.0\.0\.1:7001/) as string,
    });
    await m.create('v3', edgeDocument(7003));
    await m.publish('v3', { nodes: ['hk-1'] });
    const refused = m.offers('hk-1').at(-1)?.hash ?? ('' as never);
    const engine = fakeEngine({ documentHash: null, listeners: [chat('127.0.0.1:7001')] });
    const refusal = { code: 'in_use', message: 'port 7003 is in use by another program' };
    await m.status('hk-1', {
      ...{ status: 'failed', nonce: '03', phase: 'prepare', rejectedHash: refused, refusal, warnings: [] },
      ...{ effectiveHash: m.node('hk-1').effective?.hash ?? null, reverted: true, logTail: '', engine },
    });
    const again = await preview('v3', { nodes: ['hk-1'] });
    expect(check(again, 'ports')).toMatchObject({
      ...{ verdict: 'warn', bad: 1, nodes: ['hk-1'] },
      why: 'hk-1: port 7003 is in use by another program',
    });
    expect(again.warnings).toContainEqual({
      ...{ code: 'refused_before', nodes: 1, names: ['hk-1'] },
      text: 'they have refused this very document before, and are asked once more',
    });
  });

  it('a strategy that nothing stands in the way of, and a publication that changes nothing', async () => {
    await m.join('hk-1');
    await m.join('hk-2');
    await m.create('v1', edgeDocument(7001));
    const codes = async (pace: object) => (await preview('v1', {}, pace)).warnings.map((w) => w.code);
    expect(await codes({ strategy: 'at-once' })).toEqual(['unwatched']);
    expect(await codes({ strategy: 'standard', overrides: { autoRevert: false } })).toEqual(['no_revert']);
    expect(await codes({ strategy: 'standard' })).toEqual([]);
    await m.publish('v1');
    for (const n of ['hk-1', 'hk-2']) await applied(n, [chat('127.0.0.1:7001')]);
    expect(await codes({ strategy: 'at-once' })).toEqual(['nothing_changes']);
  });
});

it('how long it takes at least leaves out who is away', async () => {
  for (const n of ['hk-1', 'hk-2', 'hk-3']) await m.join(n);
  await m.create('v0', edgeDocument(7000));
  await m.publish('v0');
  for (const n of ['hk-1', 'hk-2', 'hk-3']) await applied(n);
  await m.create('v1', edgeDocument(7001));
  const pace = { strategy: 'standard', overrides: { maxParallel: 1 } };
  // 30 s of soak and three minutes of readings for one; for the two others twice the soak.
  expect((await preview('v1', {}, pace)).plan).toMatchObject({
    steps: [
      { targets: 1, atLeastMs: 210_000 },
      { targets: 2, atLeastMs: 210_000 },
      { targets: 3, atLeastMs: 210_000 },
    ],
    atLeastMs: 630_000,
  });
  await m.disconnect('hk-2');
  await m.disconnect('hk-3');
  await m.pass(60, ['hk-1']);
  expect((await preview('v1', {}, pace)).plan.steps.map((s) => s.atLeastMs)).toEqual([
    210_000, 180_000, 180_000,
  ]);
});

it('a large fleet is looked at in slices, and the answer is the same', async () => {
  for (let i = 1; i <= 40; i++) await m.join(`hk-${i}`);
  await m.create('v1', edgeDocument(7001));
  const whole = await preview('v1');
  const began = m.turns;
  let now = m.now;
  // Each look at the clock is a millisecond later: eight nodes fill a slice.
  Object.defineProperty(m, 'now', { get: () => now++ });
  const sliced = await preview('v1');
  expect(m.turns - began).toBeGreaterThanOrEqual(5);
  expect(sliced).toEqual(whole);
});

it('a large fleet is rendered for in slices before a publication decides, a dry run and a validation', async () => {
  for (let i = 1; i <= 40; i++) await m.join(`hk-${i}`, { port: `${7000 + i}` });
  const body = edgeDocument('${label.port}');
  await m.create('v1', body);
  let now = m.now;
  Object.defineProperty(m, 'now', { get: () => now++ });
  const turnsOf = async (what: () => Promise<unknown>): Promise<number> => {
    const began = m.turns;
    await what();
    return m.turns - began;
  };
  const { configs } = m.services;
  const args = { label: 'v1', target: {} };
  expect(await turnsOf(() => configs.publish(m.m(), { ...args, dryRun: true }))).toBeGreaterThanOrEqual(4);
  const validation = { body: Buffer.from(body), target: {} };
  expect(await turnsOf(() => configs.validate(m.m().caller, validation))).toBeGreaterThanOrEqual(4);
  expect(await turnsOf(() => m.publish('v1'))).toBeGreaterThanOrEqual(4);
  expect(m.node('hk-7').target?.version).toBe('v1');
  const viewer = m.m();
  const refused = { ...viewer, caller: { ...viewer.caller, role: 'viewer' as const } };
  expect(
    await turnsOf(() => expect(configs.publish(refused, { ...args, dryRun: false })).rejects.toThrow()),
  ).toBe(0);
});
