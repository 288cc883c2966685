// biome-ignore-all lint/suspicious/noTemplateCurlyInString: documents name their variables this way
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../proto/vocab/can.ts';
import { Console, edgeDocument, MemoryMaster } from '../harness/memory-master.ts';
import { createTestCa, type TestCa } from '../harness/test-ca.ts';

let ca: TestCa;
let m: MemoryMaster;
beforeAll(async () => {
  ca = await createTestCa();
});
beforeEach(async () => {
  m = await MemoryMaster.start(undefined, Date.now());
});

const viewer: Caller = { actor: 'eve', role: 'viewer', source: 'unix' };
const last = <T>(list: readonly T[]): T | undefined => list.at(-1);
const text = (b: Uint8Array | undefined): string => Buffer.from(b ?? []).toString();
const put = (name: string, value: string, over = {}) =>
  m.services.secrets.putSecret(m.m(over), { name, value });
const putCert = async (name: string, dns = `${name}.example`) => {
  const { cert, key } = await ca.issue(name, { dns });
  const made = await m.services.secrets.putCertificate(m.m(), {
    ...{ name, certPem: cert, keyPem: key, chainPem: ca.ca },
  });
  return { ...made, cert, key };
};

/** Of a node whose programs know of nothing sealed. */
const OLDER = ['handler.relay', 'handler.tcp', 'listener.tcp', 'listener.tls'];

const core = `\
services:
- name: core
  addr: ":8443"
  handler: {type: relay, auther: edges}
  listener: {type: tls, tls: {certFile: \${cert.web}}}
  forwarder: {nodes: [{name: o, addr: "127.0.0.1:9"}]}
authers: [{name: edges, auths: [{username: e1, password: "\${secret.edge}"}]}]
`;

describe('a sealed value', () => {
  it('goes to the nodes whose document names it, beside a document that holds its name', async () => {
    await m.join('hk-1');
    await m.join('hk-2');
    await put('edge', 'hunter2-hunter2');
    await put('other', 'hunter2-other');
    const { key } = await putCert('web');
    await m.create('v1', core);
    await m.create('v2', edgeDocument(7001));
    await m.publish('v1', { nodes: ['hk-1'] });
    await m.publish('v2', { nodes: ['hk-2'] });
    const offer = last(m.offers('hk-1'));
    expect(text(offer?.body)).toContain('tls: {certFile: sealed:cert/web@1}');
    expect(text(offer?.body)).toContain('password: "sealed:secret/edge@1"');
    expect(offer?.sealed.map((s) => [s.kind, s.name, s.version])).toEqual([
      ['certificate', 'web', 1],
      ['secret', 'edge', 1],
    ]);
    expect(text(offer?.sealed[1]?.content)).toBe('hunter2-hunter2');
    const pem = text(offer?.sealed[0]?.content);
    expect(pem.match(/-----BEGIN [A-Z ]+-----/g)).toEqual([
      '-----BEGIN PRIVATE KEY-----',
      '-----BEGIN CERTIFICATE-----',
      '-----BEGIN CERTIFICATE-----',
    ]);
    expect(pem.replaceAll(/\s/g, '')).toContain(key.replaceAll(/\s/g, ''));
    expect(last(m.offers('hk-2'))?.sealed).toEqual([]);
  });

  it('put anew is a change that is offered, to those that use it and to nobody else', async () => {
    await m.join('hk-1');
    await m.join('hk-2');
    await put('edge', 'one');
    await putCert('web');
    await m.create('v1', core);
    await m.create('v2', edgeDocument(7001));
    await m.publish('v1', { nodes: ['hk-1'] });
    await m.publish('v2', { nodes: ['hk-2'] });
    const first = last(m.offers('hk-1'));
    await m.ack('hk-1', first?.hash as never);
    const { secret } = await put('edge', 'two', { reason: 'leaked' });
    expect(secret).toMatchObject({ version: 2, updatedBy: 'lin(1000)', usedBy: ['v1'] });
    const second = last(m.offers('hk-1'));
    expect(second?.hash).not.toBe(first?.hash);
    expect(second?.version).toBe('v1');
    expect(
      second?.sealed.map((s) => `${s.name}@${s.version} ${s.kind === 'secret' ? text(s.content) : ''}`),
    ).toEqual(['web@1 ', 'edge@2 two']);
    expect(m.node('hk-1').configSync).toBe('applying');
    await m.ack('hk-1', second?.hash as never);
    expect(m.node('hk-1').configSync).toBe('in_sync');
    expect([m.offers('hk-1').length, m.offers('hk-2').length]).toEqual([2, 1]);
    const said = m.store
      .snapshot()
      .list('event')
      .map((e) => e.text);
    expect(said).toContain('put secret edge, version 2; 1 nodes follow: leaked');
    // The same content again is no change.
    expect((await put('edge', 'two')).secret.version).toBe(2);
    expect(m.offers('hk-1')).toHaveLength(2);
  });

  it('in force, it cannot be removed; removed and put again, its version goes on', async () => {
    await m.join('hk-1');
    await put('edge', 'one');
    await putCert('web');
    await m.create('v1', core);
    await m.publish('v1');
    const remove = () => m.services.secrets.remove(m.m(), 'edge');
    await expect(remove()).rejects.toMatchObject({
      code: 'precondition',
      message: expect.stringContaining('v1') as string,
    });
    await m.create('v2', edgeDocument(7001));
    await m.publish('v2');
    await m.ackAll();
    await remove();
    expect(m.services.secrets.list(m.m().caller).map((s) => s.name)).toEqual(['web']);
    expect((await put('edge', 'three')).secret.version).toBe(2);
  });

  it('a name that is not there is said at publish, with its place', async () => {
    await m.join('hk-1');
    await putCert('web');
    await m.create('v1', core);
    const column = (core.split('\n')[6]?.indexOf('${secret') ?? 0) + 1;
    await expect(m.publish('v1')).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining(
        `hk-1: line 7, column ${column}: unknown variable \${secret.edge}`,
      ) as string,
    });
    // Of the other kind, it is not there either.
    await expect(put('web', 'x')).rejects.toMatchObject({ code: 'conflict' });
  });

  it('a node of an older release is unfit, and is sent nothing', async () => {
    await m.enrol('hk-1');
    await m.connect('hk-1', { capabilities: OLDER });
    await put('edge', 'one');
    await putCert('web');
    await m.create('v1', core);
    const { nodes } = await m.services.configs.previewPublish(viewer, { label: 'v1', target: {} });
    expect(nodes).toMatchObject([
      { name: 'hk-1', change: 'unfit', why: expect.stringMatching(/sealed.*older release/) as string },
    ]);
    await expect(m.publish('v1')).rejects.toMatchObject({ code: 'unsupported' });
    // One that joins later is not offered it either, until it has been upgraded.
    await m.create('v0', edgeDocument(7001));
    await m.publish('v0', { nodes: ['hk-1'] });
    await m.publish('v1', { nodeType: 'edge' });
    await m.enrol('hk-2');
    await m.connect('hk-2', { capabilities: OLDER });
    expect(m.offers('hk-2')).toEqual([]);
    expect(m.node('hk-2').failure?.refusal.message).toMatch(/v1 cannot be carried.*sealed/);
    await m.connect('hk-2');
    expect(m.offers('hk-2')).toHaveLength(1);
  });

  it('whose key is gone, it is said so, nothing is offered and the node goes on', async () => {
    await m.join('hk-1');
    await put('edge', 'one');
    await putCert('web');
    await m.create('v1', core);
    await m.publish('v1');
    const later = await MemoryMaster.start(m.store, m.now);
    expect(later.log.lines.find((l) => l.level === 'error')?.fields).toBe('{"names":["edge","web"]}');
    await later.connect('hk-1');
    expect(later.offers('hk-1')).toEqual([]);
    expect(later.node('hk-1').failure?.refusal.message).toMatch(
      /does not open: it is sealed under a key that this master does not have/,
    );
    await later.services.secrets.putSecret(later.m(), { name: 'edge', value: 'one' });
    const { cert, key } = await ca.issue('web');
    await later.services.secrets.putCertificate(later.m(), {
      name: 'web',
      certPem: cert,
      keyPem: key,
      chainPem: null,
    });
    expect(last(later.offers('hk-1'))?.sealed).toHaveLength(2);
  });

  it('two puts at once are two versions', async () => {
    const made = await Promise.all([put('edge', 'a'), put('edge', 'b'), put('edge', 'c')]);
    expect(made.map((x) => x.secret.version).toSorted()).toContain(3);
    expect(m.services.secrets.list(m.m().caller)[0]?.version).toBe(3);
  });

  it('a repeated request is answered once; with another value it is a conflict', async () => {
    const over = { requestId: 'r-1' };
    expect((await put('edge', 'a', over)).secret.version).toBe(1);
    expect((await put('edge', 'a', over)).secret.version).toBe(1);
    await expect(put('edge', 'b', over)).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('what is put', () => {
  it.each(['', '../x', 'a/b', '.x', 'a b', 'x'.repeat(64)])('the name %j is refused', async (name) => {
    await expect(put(name, 'v')).rejects.toMatchObject({ code: 'invalid' });
  });

  it('a certificate is looked into', async () => {
    const a = await ca.issue('a', { dns: 'a.example' });
    const b = await ca.issue('b');
    const old = await ca.issue('old', { notBefore: new Date(0), notAfter: new Date(1000) });
    const tried = (certPem: string, keyPem: string, chainPem: string | null = null) =>
      m.services.secrets.putCertificate(m.m(), { name: 'web', certPem, keyPem, chainPem });
    const bad: readonly (readonly [Promise<unknown>, RegExp])[] = [
      [tried('', a.key), /no BEGIN CERTIFICATE/],
      [tried(a.cert, b.key), /does not belong/],
      [tried(a.cert, a.cert), /no PEM private key/],
      [tried(a.cert, a.key.replaceAll('PRIVATE KEY', 'ENCRYPTED PRIVATE KEY')), /encrypted/],
      [tried(old.cert, old.key), /expired at 1970/],
      [
        tried(a.cert, a.key, ca.ca.replace(/[A-Za-z0-9+/]{20}/, 'AAAAAAAAAAAAAAAAAAAA')),
        /number 1 in it is no certificate/,
      ],
    ];
    for (const [put, why] of bad) {
      await expect(put).rejects.toMatchObject({
        code: 'invalid',
        message: expect.stringMatching(why) as string,
      });
    }
    const { secret } = await tried(a.cert + ca.ca, a.key);
    expect(secret).toMatchObject({ kind: 'certificate', names: ['a.example'], version: 1 });
    expect(secret.notAfter).toBeGreaterThan(m.now);
  });

  it('is for admins', async () => {
    const operator: Caller = { ...viewer, role: 'operator' };
    for (const caller of [viewer, operator]) {
      expect(() => m.services.secrets.list(caller)).toThrow(/may not/);
      await expect(put('a', 'v', { caller })).rejects.toMatchObject({ code: 'forbidden' });
      await expect(m.services.secrets.remove(m.m({ caller }), 'a')).rejects.toMatchObject({
        code: 'forbidden',
      });
    }
  });
});

it('no value, in no writing of it, is in what the master keeps, says or logs', async () => {
  const watching = new Console();
  m.watch(watching);
  await m.join('hk-1');
  await put('edge', 'hunter2-hunter2');
  const { key } = await putCert('web');
  await m.create('v1', core);
  await m.publish('v1');
  await put('edge', 'hunter2-another');
  await put('edge', 'hunter2-another', { requestId: 'r', reason: 'why' });
  await put('web', 'hunter2-wrong').catch(() => undefined);
  await m.services.secrets
    .putCertificate(m.m(), { name: 'x', certPem: 'hunter2-cert', keyPem: 'hunter2-key', chainPem: 'hunter2' })
    .catch((e: unknown) => m.log.info('refused', { error: String(e) }));
  await m.services.configs
    .create(m.m(), {
      label: 'v9',
      description: '',
      body: Buffer.from(core.replace('"${secret.edge}"', '[hunter2]')),
      parent: null,
    })
    .catch((e: unknown) => m.log.info('refused', { error: String(e) }));
  await m.pass(3, ['hk-1']);
  const kept = ['node', 'version', 'secret', 'region', 'event', 'request', 'meta'] as const;
  const configs = m.services.configs;
  const said = [
    ...kept.map((kind) => m.store.snapshot().list(kind)),
    watching.events,
    m.log.lines,
    m.services.secrets.list(m.m().caller),
    m.services.nodes.list(),
    m.services.nodes.detail('hk-1'),
    text((await configs.get(viewer, 'v1')).body),
    await configs.diff(viewer, { from: 'v1', to: 'v1', node: 'hk-1' }),
    await configs.previewPublish(viewer, { label: 'v1', target: {} }),
    m.offers('hk-1').map((o) => text(o.body)),
  ];
  const all = JSON.stringify(said);
  const line = key.split('\n')[1] ?? '';
  for (const secret of ['hunter2', line]) {
    expect(secret.length).toBeGreaterThan(6);
    for (const encoding of ['utf8', 'base64', 'hex'] as const) {
      // Of base64, what stays the same wherever it begins in the text.
      const written = Buffer.from(secret).toString(encoding);
      expect(all).not.toContain(encoding === 'base64' ? written.slice(0, 8) : written);
    }
  }
  // And they were found where they belong.
  expect(JSON.stringify(m.offers('hk-1').map((o) => o.sealed.map((s) => text(s.content))))).toContain(
    'hunter2-another',
  );
});
