// biome-ignore-all lint/suspicious/noTemplateCurlyInString: documents name their variables this way
import { beforeEach, describe, expect, it } from 'vitest';
import { edgeDocument, MemoryMaster } from '../harness/memory-master.ts';

let m: MemoryMaster;
beforeEach(async () => {
  m = await MemoryMaster.start();
});
const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

describe('publish', () => {
  it('offers each node its own rendering, and the ACK puts it in sync', async () => {
    await m.join('hk-1', { port: '7001' });
    await m.join('hk-2', { port: '7002' });
    await m.create('v1', edgeDocument('${label.port}'));
    expect(await m.publish('v1', { nodeType: 'edge' })).toEqual(['hk-1', 'hk-2']);
    expect(text(m.offers('hk-1')[0]?.body)).toContain('127.0.0.1:7001');
    expect(text(m.offers('hk-2')[0]?.body)).toContain('127.0.0.1:7002');
    expect(m.node('hk-1')).toMatchObject({ configSync: 'applying', target: { version: 'v1' } });
    await m.ack('hk-1', m.offers('hk-1')[0]?.hash as never);
    expect(m.node('hk-1')).toMatchObject({
      configSync: 'in_sync',
      initialized: true,
      effective: { version: 'v1' },
    });
  });

  it('what was refused is never offered again, by whatever comes; another document is', async () => {
    await m.join('hk-1');
    await m.create('v1', edgeDocument(7001));
    await m.publish('v1');
    const { hash } = m.offers('hk-1')[0] ?? {};
    await m.nack('hk-1', hash as never);
    expect(m.node('hk-1')).toMatchObject({ configSync: 'failed', rejectedHash: hash });
    expect(m.node('hk-1').failure?.refusal.message).toBe('port in use\\u{1b}[31m');
    await m.disconnect('hk-1');
    await m.connect('hk-1', { rejectedHash: hash ?? null });
    await m.pass(60, ['hk-1']);
    expect(m.offers('hk-1')).toHaveLength(1);
    await m.create('v2', edgeDocument(7002));
    await m.publish('v2');
    expect(m.offers('hk-1').map((o) => o.version)).toEqual(['v1', 'v2']);
  });

  it('a person who publishes what was refused gets one new try, and one only', async () => {
    await m.join('hk-1');
    await m.create('v1', edgeDocument(7001));
    await m.publish('v1');
    const hash = m.offers('hk-1')[0]?.hash as never;
    await m.nack('hk-1', hash);
    await m.publish('v1');
    const again = m.offers('hk-1')[1];
    expect(again).toMatchObject({ hash, retry: m.node('hk-1').retry?.revision });
    expect(again?.retry).toBeGreaterThan(m.offers('hk-1')[0]?.revision ?? 0);
    expect(m.node('hk-1')).toMatchObject({ configSync: 'applying', rejectedHash: null, failure: null });
    // The session ends before an answer: it remembers its old refusal, and the new try is still due.
    await m.disconnect('hk-1');
    await m.connect('hk-1', { rejectedHash: hash });
    expect(m.offers('hk-1')).toHaveLength(3);
    expect(m.offers('hk-1')[2]?.retry).toBe(again?.retry);
    await m.nack('hk-1', hash);
    expect(m.node('hk-1')).toMatchObject({ configSync: 'failed', rejectedHash: hash });
    expect(m.node('hk-1').retry).toBeUndefined();
    await m.disconnect('hk-1');
    await m.connect('hk-1', { rejectedHash: hash });
    await m.pass(30, ['hk-1']);
    expect(m.offers('hk-1')).toHaveLength(3);
    await m.publish('v1');
    await m.ack('hk-1', hash);
    expect(m.node('hk-1')).toMatchObject({ configSync: 'in_sync', effective: { version: 'v1' } });
    expect(m.node('hk-1').retry).toBeUndefined();
  });

  it('a refusal whose word was lost is learnt from the next hello', async () => {
    await m.join('hk-1');
    await m.create('v1', edgeDocument(7001));
    await m.publish('v1');
    const rejectedHash = m.offers('hk-1')[0]?.hash ?? null;
    await m.disconnect('hk-1');
    await m.connect('hk-1', { rejectedHash });
    expect(m.offers('hk-1')).toHaveLength(1);
    expect(m.node('hk-1').configSync).toBe('failed');
  });

  it('an answer that never came is asked for again of the next session', async () => {
    await m.join('hk-1');
    await m.create('v1', edgeDocument(7001));
    await m.publish('v1');
    await m.disconnect('hk-1');
    expect(m.node('hk-1').configSync).toBe('out_of_sync');
    await m.connect('hk-1');
    expect(m.offers('hk-1')).toHaveLength(2);
  });

  it('a joiner gets what stands for it; a node that is away gets it when it comes', async () => {
    await m.create('v1', edgeDocument(7001));
    await m.enrol('hk-1');
    expect(await m.publish('v1')).toEqual(['hk-1']);
    expect(m.offers('hk-1')).toHaveLength(0);
    await m.connect('hk-1');
    // What nobody has tried yet is given to no joiner.
    await m.join('hk-2');
    expect([m.offers('hk-1').length, m.offers('hk-2').length]).toEqual([1, 0]);
    await m.ackAll();
    await m.join('hk-3');
    expect(['hk-1', 'hk-2', 'hk-3'].map((n) => m.offers(n).length)).toEqual([1, 1, 1]);
  });

  it('drift is seen, said and repaired', async () => {
    await m.join('hk-1');
    await m.create('v1', edgeDocument(7001));
    await m.publish('v1');
    const hash = m.offers('hk-1')[0]?.hash as never;
    await m.ack('hk-1', hash);
    const engine = m.node('hk-1').engine;
    if (!engine) throw new Error('no engine');
    const beat = async (documentHash: string | null): Promise<void> => {
      m.services.agents.heartbeat('hk-1' as never, 'ok', { ...engine, documentHash: documentHash as never });
      await m.services.settled();
    };
    // One reading may have been taken before the answer, and sent after it.
    await beat('ff'.repeat(32));
    await beat(hash);
    await beat('ff'.repeat(32));
    expect(m.node('hk-1').configSync).toBe('in_sync');
    await beat('ff'.repeat(32));
    expect(m.node('hk-1')).toMatchObject({ configSync: 'applying', effective: { version: null } });
    expect(
      m.store
        .snapshot()
        .list('event')
        .map((e) => e.text),
    ).toContain(
      `drifted: its engine runs ffffffffffff instead of ${`${hash}`.slice(0, 12)} (v1), which is offered again`,
    );
    expect(m.offers('hk-1').map((o) => o.hash)).toEqual([hash, hash]);
  });

  it('one node that cannot render it is named, and nobody gets it', async () => {
    await m.join('hk-1', { port: '7001' });
    await m.join('hk-2');
    await m.create('v1', edgeDocument('${label.port}'));
    await expect(m.publish('v1')).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/hk-2.*line 3.*label\.port/) as string,
    });
    expect(m.offers('hk-1')).toEqual([]);
    expect(m.node('hk-1').target).toBeNull();
  });

  it('one that cannot carry it is named', async () => {
    await m.enrol('hk-1');
    await m.connect('hk-1', { capabilities: ['listener.tls', 'handler.relay'] });
    await m.create('v1', edgeDocument(7001));
    await expect(m.publish('v1')).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/hk-1.*handler\.tcp/) as string,
    });
  });

  it('a tie is refused, naming the version and its target', async () => {
    for (const v of ['v1', 'v2']) await m.create(v, edgeDocument(v === 'v1' ? 7001 : 7002));
    await m.publish('v1', { regions: ['hk', 'sg'] });
    await expect(m.publish('v2', { regions: ['sg', 'us'] })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/v1.*region=hk,sg/) as string,
    });
  });

  it('a dry run says who, and changes nothing', async () => {
    await m.join('hk-1');
    await m.create('v1', edgeDocument(7001));
    const before = m.store.snapshot().revision;
    const args = { label: 'v1', target: {}, dryRun: true };
    expect((await m.services.configs.publish(m.m(), args)).nodes).toEqual(['hk-1']);
    expect(m.store.snapshot().revision).toBe(before);
    expect(m.offers('hk-1')).toEqual([]);
  });
});

describe('create', () => {
  it.each<[string, string, RegExp]>([
    ['an unknown key', edgeDocument(1).replace('handler:', 'handlr:'), /line 4: unknown key/],
    ['an unknown variable', edgeDocument('${port}'), /line 3: unknown variable/],
    ['bad syntax', `${edgeDocument(1)}  x: [`, /line 7: ./],
  ])('refuses %s with its place, and stores nothing', async (_, body, at) => {
    const error = await m.create('v1', body).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'invalid' });
    const { refusals } = error as { refusals: readonly { line?: number; message: string }[] };
    expect(refusals.map((r) => `line ${r.line}: ${r.message}`).join('\n')).toMatch(at);
    expect(m.services.configs.list()).toEqual([]);
  });

  it('takes labels that no node has yet, each for something else', async () => {
    const two =
      edgeDocument('${label.a}') +
      edgeDocument('${label.b}')
        .replace(/^services:\n/, '')
        .replace('chat', 'b');
    await m.create('v1', two);
    expect(m.services.configs.list().map((v) => v.label)).toEqual(['v1']);
  });

  it('the same label with the same body is the same version, with another a conflict', async () => {
    await m.create('v1', edgeDocument(7001));
    await m.create('v1', edgeDocument(7001));
    await expect(m.create('v1', edgeDocument(7002))).rejects.toMatchObject({ code: 'conflict' });
    expect(m.services.configs.list()).toHaveLength(1);
  });
});

describe('rollback', () => {
  const back = (label: string, target = {}, confirmNodes: number | null = null) =>
    m.services.configs.rollback(m.m(), { label, target, confirmNodes });
  beforeEach(async () => {
    await m.join('hk-1');
    await m.create('v1', edgeDocument(7001));
    await m.create('v2', edgeDocument(7002));
    await m.publish('v1');
    await m.ack('hk-1', m.offers('hk-1')[0]?.hash as never);
    await m.publish('v2');
  });

  it('is a new version with the old content; a node that kept the old one is in sync at once', async () => {
    await m.nack('hk-1', m.offers('hk-1')[1]?.hash as never);
    const { version, nodes } = await back('v2');
    expect(version).toMatchObject({ label: 'v3', rollbackOf: 'v1', parent: 'v2' });
    expect(nodes).toEqual(['hk-1']);
    expect(text((await m.services.configs.get(m.m().caller, 'v3')).body)).toBe(edgeDocument(7001));
    expect(m.node('hk-1')).toMatchObject({ configSync: 'in_sync', effective: { version: 'v3' } });
    expect(m.offers('hk-1')).toHaveLength(2);
  });

  it('the preview is what happens', async () => {
    const p = await m.services.configs.previewRollback({ label: 'v2', target: {} });
    expect(p).toMatchObject({ toLabel: 'v1', newLabel: 'v3', nodes: ['hk-1'] });
    await expect(back('v2', {}, 2)).rejects.toMatchObject({ code: 'conflict' });
    expect((await back('v2', {}, 1)).nodes).toEqual(p.nodes);
  });

  it('reaches no node that never had it, and buries nothing newer', async () => {
    await expect(back('v1')).rejects.toMatchObject({ code: 'precondition' });
    await m.create('v9', edgeDocument(7009));
    await m.publish('v9', { regions: ['hk'] });
    await expect(back('v9', { regions: ['us'] })).rejects.toMatchObject({ code: 'precondition' });
  });
});

describe('what ran where', () => {
  const preview = (label: string, target = {}) => m.services.configs.previewRollback({ label, target });

  it('the first version of some nodes is not taken back to what others run', async () => {
    await m.join('hk-1');
    await m.create('v1', edgeDocument(7001));
    await m.publish('v1', { nodeType: 'core' });
    await m.create('v2', edgeDocument(7002));
    await m.publish('v2', { nodeType: 'edge' });
    await m.ack('hk-1', m.offers('hk-1')[0]?.hash as never);
    await expect(preview('v2')).rejects.toThrow(/nothing ran there before v2/);
  });

  it('a version that every node refused is passed over', async () => {
    await m.join('hk-1');
    for (const [i, label] of ['v1', 'v2', 'v3'].entries()) {
      await m.create(label, edgeDocument(7001 + i));
      await m.publish(label);
      const hash = m.offers('hk-1')[i]?.hash as never;
      await (label === 'v2' ? m.nack('hk-1', hash) : m.ack('hk-1', hash));
    }
    expect(await preview('v3')).toMatchObject({ toLabel: 'v1', nodes: ['hk-1'] });
    const { version } = await m.services.configs.rollback(m.m(), {
      label: 'v3',
      target: {},
      confirmNodes: null,
    });
    expect(version).toMatchObject({ label: 'v4', rollbackOf: 'v1' });
  });
});

describe('what is told again', () => {
  const said = () =>
    m.store
      .snapshot()
      .list('event')
      .filter((e) => e.subject === 'hk-1' && e.kind === 'config')
      .map((e) => e.text);
  const hash = (i = 0) => m.offers('hk-1')[i]?.hash as never;
  beforeEach(async () => {
    await m.join('hk-1');
    await m.create('v1', edgeDocument(7001));
    await m.publish('v1');
  });

  it('an answer after a reconnect is one event, and nothing is written', async () => {
    await m.ack('hk-1', hash());
    await m.create('v2', edgeDocument(7002));
    await m.publish('v2');
    await m.nack('hk-1', hash(1));
    await m.disconnect('hk-1');
    await m.connect('hk-1', { effectiveHash: hash(), rejectedHash: hash(1) });
    const { revision } = m.store.snapshot();
    await m.nack('hk-1', hash(1));
    expect(m.store.snapshot().revision).toBe(revision);
    expect(said()).toEqual([
      'applied v1, published by lin(1000): test',
      expect.stringMatching(/^refused v2 in prepare: /),
    ]);
  });

  it('one that was never heard is said once, by the hello', async () => {
    await m.disconnect('hk-1');
    await m.connect('hk-1', { effectiveHash: hash() });
    await m.ack('hk-1', hash());
    expect(said()).toEqual(['applied v1, published by lin(1000): test']);
  });

  it('a late refusal is not laid to the version that is wanted by now', async () => {
    await m.create('v2', edgeDocument(7002));
    await m.publish('v2');
    await m.nack('hk-1', hash());
    expect(said()).toEqual([expect.stringMatching(/^refused an earlier config in prepare/)]);
  });
});
