// biome-ignore-all lint/suspicious/noTemplateCurlyInString: documents name their variables this way
import { beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../proto/vocab/can.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { fakeEngine } from '../fakes/console-master.ts';
import { edgeDocument, MemoryMaster } from '../harness/memory-master.ts';

let m: MemoryMaster;
beforeEach(async () => {
  m = await MemoryMaster.start();
});

const lin = (): Caller => m.m().caller;
const viewer: Caller = { actor: 'eve', role: 'viewer', source: 'unix' };
const bytes = (s: string) => Buffer.from(s);
const text = (b: Uint8Array | undefined): string => Buffer.from(b ?? []).toString();
const last = <T>(list: readonly T[]): T | undefined => list.at(-1);

/** In force on the node, with this listener. */
async function runs(name: string, label: string, port: number): Promise<void> {
  await m.create(label, edgeDocument(port));
  await m.publish(label, { nodes: [name] });
  const offer = last(m.offers(name));
  const listeners = [{ service: 'chat', addr: `127.0.0.1:${port}`, type: 'tcp' }];
  await m.status(name, {
    status: 'applied',
    nonce: '01',
    effectiveHash: offer?.hash ?? null,
    engine: fakeEngine({ documentHash: offer?.hash ?? null, listeners }),
    warnings: [],
  });
}

const relay = (password: string): string => `\
services:
- name: core
  addr: ":8443"
  handler: {type: relay, auther: edges}
  forwarder: {nodes: [{name: o, addr: "127.0.0.1:9"}]}
authers:
- name: edges
  auths:
  - {username: e1, password: ${password}}
`;

describe('validate', () => {
  it('says what is wrong with a body, with places, and stores nothing', async () => {
    const before = m.store.snapshot().revision;
    const body = bytes('services:\n- name: a\n  addr: ":1"\n  handler: {typ: tcp}\n');
    const { problems, nodes } = await m.services.configs.validate(lin(), { body, target: null });
    expect(problems.map((p) => [p.line, p.path])).toContainEqual([4, 'services[0].handler.typ']);
    expect(nodes).toEqual([]);
    expect(m.store.snapshot().revision).toBe(before);
  });

  it('names the nodes it is not fit for, of those that would get it', async () => {
    await m.join('hk-1', { port: '7001' });
    await m.join('hk-2');
    await m.enrol('hk-3', { port: '7003' });
    await m.connect('hk-3', { capabilities: ['listener.tls'] });
    await m.create('own', edgeDocument(9));
    await m.join('hk-4');
    await m.publish('own', { nodes: ['hk-4'] });
    const body = bytes(edgeDocument('${label.port}'));
    const { problems, nodes } = await m.services.configs.validate(lin(), {
      body,
      target: { nodeType: 'edge' },
    });
    expect(problems).toEqual([]);
    expect(nodes.map((n) => [n.node, n.problems[0]?.message])).toEqual([
      ['hk-2', 'unknown variable ${label.port}'],
      ['hk-3', 'this node lacks handler.tcp, listener.tcp'],
    ]);
    expect(nodes[0]?.problems[0]).toMatchObject({ line: 3, hint: 'give hk-2 this label' });
  });

  it('is for those who may write configs', async () => {
    const asked = m.services.configs.validate(viewer, { body: bytes(''), target: null });
    await expect(asked).rejects.toMatchObject({ code: 'forbidden' });
  });

  it.each([
    ['${CORE_NODE}', /hops\[\]\.nodes.*repeated for each core/],
    ['${CORE_NODES}', /hops\[\]\.nodes.*repeated for each core/],
    ['${cert.web}', /for certFile and keyFile/],
    ['${../etc}', /is no variable/],
    ['${secret.../x}', /is no variable/],
    ['${__proto__}', /known: /],
    ['${node.__proto__}', /known: |did you mean/],
  ])('a %s where an address should be has an answer', async (variable, hint) => {
    const body = bytes(edgeDocument(7001).replace('"127.0.0.1:9"', `"${variable}"`));
    const { problems } = await m.services.configs.validate(lin(), { body, target: null });
    expect(problems.map((p) => `${p.message} ${p.hint}`).join('\n')).toMatch(hint);
    expect(problems[0]).toMatchObject({ line: 6 });
  });
});

describe('diff', () => {
  it('is unified and stable; a password is seen to change and is not seen', async () => {
    await m.create('v1', relay('hunter2-one'));
    await m.create('v2', relay('hunter2-other'));
    const asked = { from: 'v1', to: 'v2', node: null };
    const diff = await m.services.configs.diff(viewer, asked);
    expect(diff).toEqual({
      unified: [
        ...['--- v1', '+++ v2', '@@ -6,4 +6,4 @@', ' authers:', ' - name: edges', '   auths:'],
        ...['-  - {username: e1, password: ***********}', '+  - {username: e1, password: *************}', ''],
      ].join('\n'),
      added: 1,
      removed: 1,
    });
    expect(await m.services.configs.diff(viewer, asked)).toEqual(diff);
  });

  it('as rendered for a node; one that does not render says so', async () => {
    await m.join('hk-1', { port: '7001' });
    await m.create('v1', edgeDocument('${label.port}'));
    await m.create('v2', edgeDocument('7002'));
    const { unified } = await m.services.configs.diff(lin(), { from: 'v1', to: 'v2', node: 'hk-1' });
    expect(unified).toContain('--- v1 for hk-1');
    expect(unified).toContain('-  addr: "127.0.0.1:7001"\n+  addr: "127.0.0.1:7002"');
    await m.create('v3', edgeDocument('${label.gone}'));
    const bad = m.services.configs.diff(lin(), { from: 'v1', to: 'v3', node: 'hk-1' });
    await expect(bad).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('hk-1') as string,
    });
  });

  it('a viewer reads a body without its passwords, whoever may write reads it as written', async () => {
    await m.create('v1', relay('hunter2-one'));
    expect(text((await m.services.configs.get(viewer, 'v1')).body)).toBe(relay('***********'));
    expect(text((await m.services.configs.get(lin(), 'v1')).body)).toBe(relay('hunter2-one'));
  });
});

describe('the preview of a publication', () => {
  it('tells each node what it runs, what changes and which listeners close; publish hits the same', async () => {
    await m.join('hk-1');
    await m.join('hk-2');
    await m.join('hk-3');
    await runs('hk-1', 'v1', 7001);
    await runs('hk-2', 'v2', 7002);
    await m.create('v3', edgeDocument(7002));
    const target = { nodes: ['hk-1', 'hk-2', 'hk-3'] as NodeName[] };
    const radius = await m.services.configs.previewPublish(viewer, { label: 'v3', target });
    expect(radius).toMatchObject({ toLabel: 'v3', listenersClosed: 1, streams: 0 });
    expect(radius.regions).toEqual([{ region: 'hk', nodes: 3, streams: 0 }]);
    expect(radius.nodes.map((n) => [n.name, n.from, n.change, n.why, n.closes])).toEqual([
      ['hk-1', 'v1', 'update', 'it runs v1', [{ service: 'chat', addr: '127.0.0.1:7001', streams: null }]],
      ['hk-2', 'v2', 'unchanged', 'it runs this very document', []],
      ['hk-3', null, 'first', 'it runs nothing yet', []],
    ]);
    expect(m.offers('hk-3')).toEqual([]);
    expect(await m.publish('v3', target)).toEqual(radius.nodes.map((n) => n.name));
  });

  it('an unfit node is in it with the reason for which publish refuses', async () => {
    await m.join('hk-1', { port: '7001' });
    await m.join('hk-2');
    await m.create('v1', edgeDocument('${label.port}'));
    const { nodes } = await m.services.configs.previewPublish(lin(), { label: 'v1', target: {} });
    expect(nodes.map((n) => [n.name, n.change])).toEqual([
      ['hk-1', 'first'],
      ['hk-2', 'unfit'],
    ]);
    const why = nodes[1]?.why ?? '';
    expect(why).toMatch(/line 3.*label\.port/);
    await expect(m.publish('v1')).rejects.toMatchObject({ message: expect.stringContaining(why) as string });
  });

  it('a tie is refused as publish refuses it', async () => {
    await m.join('hk-1');
    await m.create('v1', edgeDocument(7001));
    await m.create('v2', edgeDocument(7002));
    await m.publish('v1', { nodeType: 'edge' });
    const asked = m.services.configs.previewPublish(lin(), { label: 'v2', target: { regions: ['hk'] } });
    await expect(asked).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('variables of a region', () => {
  const set = (region: string, variables: Record<string, string | null>, over = {}) =>
    m.services.variables.setRegion(m.m(over), { region, variables });

  it('only nodes whose document changes by one are offered it', async () => {
    await set('hk', { port: '7001', other: 'a' });
    await set('sg', { port: '7009' });
    await m.join('hk-1');
    await m.join('hk-2', { port: '1' });
    await m.join('sg-1', {}, { region: 'sg' });
    await m.create('v1', edgeDocument('${region.port}'));
    await m.create('v2', edgeDocument(7777));
    await m.publish('v1');
    await m.publish('v2', { nodes: ['hk-2'] });
    const count = () => ['hk-1', 'hk-2', 'sg-1'].map((n) => m.offers(n).length);
    const before = count();
    expect((await set('hk', { other: 'b' })).nodes).toEqual([]);
    expect(count()).toEqual(before);
    const done = await set('hk', { port: '7002' });
    expect(done.nodes).toEqual(['hk-1']);
    expect(done.region).toMatchObject({ variables: { other: 'b', port: '7002' }, updatedBy: 'lin(1000)' });
    expect(count()).toEqual([(before[0] ?? 0) + 1, before[1], before[2]]);
    expect(text(last(m.offers('hk-1'))?.body)).toContain(':7002"');
    await m.pass(5, ['hk-1', 'hk-2', 'sg-1']);
    expect(count()).toEqual([(before[0] ?? 0) + 1, before[1], before[2]]);
  });

  it('who, when and why are kept', async () => {
    await set('hk', { port: '7001' }, { reason: 'moved' });
    const events = m.store.snapshot().list('event');
    expect(last(events.filter((e) => e.subject === 'hk'))).toMatchObject({
      who: 'lin(1000)',
      text: 'region hk: set port to 7001; 0 nodes follow: moved',
    });
  });

  it('one that a document in force needs cannot be taken away', async () => {
    await set('hk', { port: '7001' });
    await m.join('hk-1');
    await m.create('v1', edgeDocument('${region.port}'));
    await m.publish('v1');
    const gone = set('hk', { port: null });
    await expect(gone).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/v1.*hk-1/) as string,
    });
    expect(m.services.variables.listRegions()[0]?.variables).toEqual({ port: '7001' });
  });

  it.each([
    ['HK', { a: '1' }],
    ['hk', {}],
    ['hk', { '../a': '1' }],
    ['hk', { a: '' }],
    ['hk', { a: 'x\u001b[2J' }],
    ['hk', { a: 'x'.repeat(254) }],
  ])('%s %j is refused', async (region, variables) => {
    await expect(set(region, variables)).rejects.toMatchObject({ code: 'invalid' });
  });
});

describe('cores', () => {
  const edge = `\
services:
- {name: e, addr: ":443", handler: {type: tcp, chain: c}}
chains: [{name: c, hops: [{name: cores}]}]
hops:
- name: cores
  nodes:
  - {name: "\${core.name}", addr: "\${core.label.addr}:8443", connector: {type: relay}, dialer: {type: tls}}
`;
  const names = () => [...text(last(m.offers('hk-1'))?.body).matchAll(/name: "(core-\d)"/g)].map((x) => x[1]);

  /** A core that has run a document. */
  async function core(name: string, addr: string): Promise<void> {
    await m.join(name, { addr }, { nodeType: 'core', region: 'sh' });
    const offer = last(m.offers(name));
    if (offer) await m.ack(name, offer.hash);
  }

  beforeEach(async () => {
    await m.create('core', edgeDocument(8443));
    await m.publish('core', { nodeType: 'core' });
  });

  it('edges follow the registry: who joins, leaves, moves; a blink sends nothing', async () => {
    await core('core-1', '203.0.113.1');
    await m.join('hk-1');
    await m.join('sg-1', {}, { region: 'sg' });
    await m.create('v1', edge);
    await m.create('v2', edgeDocument(7001));
    await m.publish('v1', { nodeType: 'edge' });
    await m.publish('v2', { nodes: ['sg-1'] });
    expect(names()).toEqual(['core-1']);
    const count = () => [m.offers('hk-1').length, m.offers('sg-1').length];
    await m.pass(2, ['hk-1', 'sg-1', 'core-1']);
    const before = count();

    await core('core-2', '203.0.113.2');
    await m.pass(2, ['hk-1', 'sg-1', 'core-1', 'core-2']);
    expect(names()).toEqual(['core-1', 'core-2']);
    expect(count()).toEqual([(before[0] ?? 0) + 1, before[1]]);

    await m.disconnect('core-2');
    await m.pass(90, ['hk-1', 'sg-1', 'core-1']);
    await m.connect('core-2');
    await m.pass(2, ['hk-1', 'sg-1', 'core-1', 'core-2']);
    expect(count()).toEqual([(before[0] ?? 0) + 1, before[1]]);

    await m.connect('core-2', { labels: { addr: '203.0.113.22' } });
    await m.pass(2, ['hk-1', 'sg-1', 'core-1', 'core-2']);
    expect(text(last(m.offers('hk-1'))?.body)).toContain('203.0.113.22:8443');
    expect(count()).toEqual([(before[0] ?? 0) + 2, before[1]]);
    expect(
      m.store
        .snapshot()
        .list('event')
        .map((e) => e.text),
    ).toContain('the registry has changed: hk-1 follows');
  });

  it('one that has not run anything yet, or has no address, is passed over', async () => {
    await core('core-1', '203.0.113.1');
    await m.join('core-3', {}, { nodeType: 'core', region: 'sh' });
    await m.ack('core-3', last(m.offers('core-3'))?.hash as never);
    await m.join('core-2', { addr: '203.0.113.2' }, { nodeType: 'core', region: 'sh' });
    await m.join('hk-1');
    await m.create('v1', edge);
    await m.publish('v1', { nodeType: 'edge' });
    expect(names()).toEqual(['core-1']);
  });

  it('without any, publish says why', async () => {
    await m.join('hk-1');
    await m.create('v1', edge);
    await expect(m.publish('v1', { nodeType: 'edge' })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/hk-1: line 7.*there is no core that has name, label.addr/) as string,
    });
  });

  it('a large fleet follows a few hundred a turn, each node once', async () => {
    await core('core-1', '203.0.113.1');
    const edges = Array.from({ length: 250 }, (_, i) => `e-${i}`);
    for (const name of edges) await m.join(name);
    await m.create('v1', edge);
    await m.publish('v1', { nodeType: 'edge' });
    const told = () => edges.filter((name) => m.offers(name).length === 2).length;
    await core('core-2', '203.0.113.2');
    await m.pass(1);
    expect(told()).toBeGreaterThan(100);
    expect(told()).toBeLessThan(250);
    await m.pass(2);
    expect(told()).toBe(250);
    await m.pass(3);
    expect(told()).toBe(250);
  });

  it('what a change was followed by outlives a master that ended in between', async () => {
    await core('core-1', '203.0.113.1');
    await m.join('hk-1');
    await m.create('v1', edge);
    await m.publish('v1', { nodeType: 'edge' });
    await core('core-2', '203.0.113.2');
    const later = await MemoryMaster.start(m.store, m.now);
    await later.connect('hk-1');
    await later.pass(2, ['hk-1']);
    expect(text(last(later.offers('hk-1'))?.body)).toContain('203.0.113.2:8443');
  });
});

describe('overlapping selectors, a joiner, other labels', () => {
  const port = (name: string) => /:(\d+)"/.exec(text(last(m.offers(name))?.body))?.[1];

  it('each node ends with the closest, and its timeline says by whom and why', async () => {
    await m.join('hk-1');
    await m.join('hk-2', { ring: 'canary' });
    await m.join('sg-1', {}, { region: 'sg' });
    await m.create('all', edgeDocument(7000));
    await m.create('edges', edgeDocument(7001));
    await m.create('hk', edgeDocument(7002));
    await m.create('canary', edgeDocument(7003));
    await m.create('own', edgeDocument(7004));
    const carried = async (label: string, target = {}): Promise<void> => {
      await m.publish(label, target);
      await m.ackAll();
    };
    await carried('own', { nodes: ['hk-1'] });
    await carried('canary', { labels: { ring: 'canary' } });
    await carried('all');
    await carried('hk', { nodeType: 'edge', regions: ['hk'] });
    await carried('edges', { nodeType: 'edge' });
    expect(['hk-1', 'hk-2', 'sg-1'].map(port)).toEqual(['7004', '7003', '7001']);
    await m.join('hk-3');
    await m.join('hk-4', { ring: 'canary' });
    await m.join('us-1', {}, { region: 'us', nodeType: 'core' });
    expect(['hk-3', 'hk-4', 'us-1'].map(port)).toEqual(['7002', '7003', '7000']);
    await m.connect('hk-2', { labels: {} });
    await m.connect('hk-3', { labels: { ring: 'canary' } });
    await m.pass(2, ['hk-1', 'hk-2', 'hk-3', 'hk-4', 'sg-1', 'us-1']);
    expect(['hk-2', 'hk-3'].map(port)).toEqual(['7002', '7003']);
    expect(m.offers('hk-1').length + m.offers('hk-4').length).toBe(2);
    await m.ack('hk-3', last(m.offers('hk-3'))?.hash as never);
    expect(m.services.nodes.detail('hk-3').events.map((e) => e.text)).toContain(
      'applied canary, published by lin(1000): test',
    );
  });
});
