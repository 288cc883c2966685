// biome-ignore-all lint/suspicious/noTemplateCurlyInString: documents name their variables this way
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEmbeddedEngine } from '../../agent/engine/embedded/client.ts';
import { configHash } from '../../proto/document/hash.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import { coreDocument } from '../../scripts/demo/documents.ts';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { freePorts } from '../../scripts/demo/ports.ts';
import { end, program, start, until } from '../../scripts/demo/process.ts';
import { endlessOrigin } from '../harness/endless-origin.ts';
import { LiveStreams } from '../harness/streams.ts';
import { createTestCa, type Issued, type TestCa } from '../harness/test-ca.ts';

// Real processes: what is sealed on the master reaches the nodes that name it, and nothing else.

const M = { reason: 'test' };
let ca: TestCa;
let origin: Awaited<ReturnType<typeof endlessOrigin>>;
let fleet: Fleet;
let tlsPort: number;
const streams = new LiveStreams();
/** All that was put, so that it can be looked for. */
const secrets: string[] = [];

const putSecret = (name: string, value: string) => {
  secrets.push(value);
  return fleet.api.putSecret(M, { name, value });
};
const putCertificate = async (name: string): Promise<Issued> => {
  const issued = await ca.issue(name, { dns: `${name}.test` });
  secrets.push(issued.key.split('\n')[1] ?? '');
  await fleet.api.putCertificate(M, { name, certPem: issued.cert, keyPem: issued.key, chainPem: null });
  return issued;
};
const publish = async (label: string, text: string, node: string): Promise<void> => {
  await fleet.api.createConfig(M, { label, description: '', body: Buffer.from(text), parent: null });
  await fleet.api.publish(M, { label, target: { nodes: [node as NodeName] }, dryRun: false });
};
const node = async (name: string): Promise<Node> => {
  const found = (await fleet.api.listNodes()).nodes.find((n) => n.name === name);
  if (!found) throw new Error(`no ${name}`);
  return found;
};
/** The certificate it shows now. */
const shown = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()?.toString() ?? '');
      socket.destroy();
    });
    socket.on('error', reject);
  });
/** One new answer through the edge. */
const answered = (): Promise<true> =>
  new Promise((resolve, reject) => {
    const one = new LiveStreams();
    one.open(fleet.ports.chat1, 1);
    until('a new stream', 10_000, () => (one.advanced([], 2) ? true : null))
      .then(() => resolve(true), reject)
      .finally(() => one.close());
  });
const files = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => path.join(e.parentPath, e.name));

beforeAll(async () => {
  ca = await createTestCa();
  origin = await endlessOrigin();
  fleet = await Fleet.start({ origins: { a: origin.port, b: origin.port } });
  [tlsPort = 0] = await freePorts(1);
  await putSecret('edge', 'hunter2-first-of-all');
  await putSecret('core-ca', ca.ca);
  await putCertificate('core');
  await putCertificate('web');
  const [own = '', more = ''] = coreDocument({
    ...{ a: fleet.ports.coreA, b: fleet.ports.coreB, originA: origin.port, originB: origin.port },
  }).split('- name: svc-b');
  const core = own
    .replace('handler: {type: relay}', 'handler: {type: relay, auther: edges}')
    .replace('listener: {type: mtls,', 'listener: {type: mtls, tls: {certFile: ${cert.core}},');
  expect(core).toContain('${cert.core}');
  await publish(
    'core-2',
    `${core}- name: svc-b${more}authers: [{name: edges, auths: [{username: e1, password: "\${secret.edge}"}]}]\n`,
    'cn-1',
  );
  await publish(
    'edge-2',
    `\
services:
- name: chat
  addr: "127.0.0.1:\${label.chat_port}"
  handler: {type: tcp, chain: to-core, retries: 1}
- name: chat-tls
  addr: "127.0.0.1:${tlsPort}"
  handler: {type: tcp, chain: to-core, retries: 1}
  listener: {type: tls, tls: {certFile: "\${cert.web}"}}
chains: [{name: to-core, hops: [{name: cores}]}]
hops:
- name: cores
  nodes:
  - name: cn-1
    addr: "127.0.0.1:\${label.core_port}"
    connector: {type: relay, auth: {username: e1, password: "\${secret.edge}"}}
    dialer: {type: mtls, tls: {serverName: core.test, caFile: "\${secret.core-ca}"}}
`,
    'hk-1',
  );
  await fleet.inSync();
  streams.open(fleet.ports.chat1, 10);
  await until('10 streams flow', 15_000, () => (streams.advanced([], 3) ? true : null));
});
afterAll(async () => {
  streams.close();
  await fleet?.stop();
  await origin?.stop();
});

const flowOn = async (): Promise<void> => {
  const since = streams.chunks;
  await until('streams go on', 10_000, () => (streams.advanced(since, 5) ? true : null));
  expect(streams.cut).toEqual([]);
};

describe('what is sealed', () => {
  it('is put anew under live streams: none is cut, new ones use the new one, other nodes hear nothing', async () => {
    const before = { hk1: await node('hk-1'), hk2: await node('hk-2'), cn1: await node('cn-1') };
    const first = await shown(tlsPort);
    const web = await putCertificate('web');
    await putCertificate('core');
    await putSecret('edge', 'hunter2-second-of-all');
    await fleet.inSync();
    const after = { hk1: await node('hk-1'), hk2: await node('hk-2'), cn1: await node('cn-1') };
    expect((await shown(tlsPort)).replaceAll(/\s/g, '')).toBe(web.cert.replaceAll(/\s/g, ''));
    expect(first.replaceAll(/\s/g, '')).not.toBe(web.cert.replaceAll(/\s/g, ''));
    await answered();
    await flowOn();
    for (const name of ['hk1', 'cn1'] as const) {
      expect(after[name].effective?.hash).not.toBe(before[name].effective?.hash);
      expect(after[name].effective?.version).toBe(before[name].effective?.version);
      expect(after[name].engine?.instance).toBe(before[name].engine?.instance);
    }
    expect(after.hk2.engine?.generation).toBe(before.hk2.engine?.generation);
    // A listener that closed would have been opened again.
    const log = readFileSync(path.join(fleet.dir, 'hk-1', 'state', 'engine.log'), 'utf8');
    const applied = log.split('\n').filter((l) => /generation \d+ carries/.test(l));
    expect(applied.at(-1)).toMatch(/opened none; closed none; kept chat, chat-tls/);
  });

  it('lies where the engine reads it, for its owner alone, and nowhere else', async () => {
    const api = fleet.api;
    const said = JSON.stringify([
      await api.listNodes(),
      await api.nodeDetail('hk-1'),
      await api.nodeDetail('cn-1'),
      await api.listConfigs(),
      await api.listSecrets(),
      Buffer.from((await api.getConfig('core-2')).body).toString(),
      await api.diffConfigs({ from: 'edge-2', to: 'core-2', node: null }),
      await api.diffConfigs({ from: 'edge-2', to: 'edge-2', node: 'hk-1' }),
      await api.previewPublish({ label: 'edge-2', target: { nodes: ['hk-1' as NodeName] } }),
    ]);
    const sealed = (f: string): boolean => path.basename(path.dirname(f)) === 'sealed';
    const all = files(fleet.dir);
    const texts = all.filter((f) => !sealed(f)).map((f) => [f, readFileSync(f)] as const);
    const found = [...texts, ['what the master said', Buffer.from(said)] as const].flatMap(([where, bytes]) =>
      secrets.flatMap((s) => {
        const written = [s, Buffer.from(s).toString('hex'), Buffer.from(s).toString('base64').slice(0, -4)];
        return written.filter((w) => bytes.includes(w)).map((w) => `${where}: ${w.slice(0, 12)}`);
      }),
    );
    expect(found).toEqual([]);
    const own = all.filter(sealed);
    expect(
      own
        .map((f) => path.relative(fleet.dir, f))
        .filter((f) => !/@1$/.test(f))
        .toSorted(),
    ).toEqual([
      'cn-1/state/sealed/cert.core@2',
      'cn-1/state/sealed/secret.edge@2',
      'hk-1/state/sealed/cert.web@2',
      'hk-1/state/sealed/secret.edge@2',
    ]);
    for (const f of own) expect([f, statSync(f).mode & 0o777]).toEqual([f, 0o600]);
    expect(readFileSync(path.join(fleet.dir, 'hk-1', 'state', 'sealed', 'secret.edge@2'), 'utf8')).toBe(
      'hunter2-second-of-all',
    );
    expect(statSync(path.join(fleet.dir, 'master', 'sealing.key')).mode & 0o777).toBe(0o600);
  });
});

describe('drift', () => {
  it('an engine changed behind the agent’s back is seen, put right, and no stream is cut', async () => {
    const before = await node('hk-1');
    const engine = createEmbeddedEngine({
      socket: path.join(fleet.dir, 'hk-1', 'engine.sock'),
      log: () => undefined,
    });
    const linked = Promise.withResolvers<void>();
    engine.onLink((up) => up && linked.resolve());
    await linked.promise;
    const { document, generation, hash } = await engine.effective();
    if (!document) throw new Error('it runs nothing');
    expect(hash).toBe(before.target?.hash);
    const other = { ...document, services: document.services.filter((s) => s.name === 'chat') };
    const state = path.join(fleet.dir, 'hk-1', 'state');
    const at = (name: string): string => path.join(state, 'identity', 'current', name);
    await engine.apply({
      ...{ document: other, hash: configHash(other), baseGeneration: generation },
      identity: {
        ...{ certFile: at('cert.pem'), keyFile: at('key.pem'), caFile: at('ca.pem') },
        sealedDir: path.join(state, 'sealed'),
      },
    });
    await until('it is put right', 20_000, async () =>
      (await engine.effective()).hash === before.target?.hash ? true : null,
    );
    const told = await until('it is said', 20_000, async () => {
      const { events } = await fleet.api.nodeDetail('hk-1');
      // Whoever looks first, the master or the agent, says it.
      return events.find((e) => /(?:engine ran|engine runs) .* instead of /.test(e.text)) ?? null;
    });
    expect(told.text).toContain(configHash(other).slice(0, 12));
    engine.close();
    await fleet.inSync();
    expect((await node('hk-1')).engine?.documentHash).toBe(before.target?.hash);
    await answered();
    await flowOn();
  });
});

describe('over the wire', () => {
  it('a body is validated for its nodes, variables are set and followed, a secret in force stays', async () => {
    const text = (addr: string): string =>
      `services: [{name: x, addr: "${addr}", handler: {type: tcp}, forwarder: {nodes: [{name: o, addr: "127.0.0.1:${origin.port}"}]}}]\n`;
    const [a = 0, b = 0] = await freePorts(2);
    const body = Buffer.from(text('127.0.0.1:${region.x_port}'));
    const target = { nodes: ['hk-2' as NodeName] };
    expect(await fleet.api.validateConfig({ body, target })).toEqual({
      problems: [],
      nodes: [
        {
          node: 'hk-2',
          problems: [
            expect.objectContaining({
              line: 1,
              message: 'unknown variable ${region.x_port}',
              hint: 'set it as a variable of region hk',
            }),
          ],
        },
      ],
    });
    const bad = await fleet.api.validateConfig({ body: Buffer.from('services: [{nam: x}]'), target: null });
    expect(bad.problems.map((p) => p.path)).toContain('services[0].nam');
    const set = (variables: Record<string, string | null>) =>
      fleet.api.setRegionVariables(M, { region: 'hk', variables });
    expect((await set({ x_port: `${a}` })).nodes).toEqual([]);
    await publish('x', body.toString(), 'hk-2');
    await fleet.inSync();
    const { nodes, region } = await set({ x_port: `${b}`, other: '1' });
    expect([nodes, region.variables]).toEqual([['hk-2'], { other: '1', x_port: `${b}` }]);
    await fleet.inSync();
    expect((await node('hk-2')).engine?.listeners.map((l) => l.addr)).toEqual([`127.0.0.1:${b}`]);
    await set({ other: null });
    expect((await fleet.api.listRegionVariables()).map((r) => r.variables)).toEqual([{ x_port: `${b}` }]);
    await expect(fleet.api.removeSecret(M, 'edge')).rejects.toMatchObject({ code: 'precondition' });
    await fleet.api.putSecret(M, { name: 'unused', value: 'x' });
    await fleet.api.removeSecret(M, 'unused');
    expect((await fleet.api.listSecrets()).map((x) => [x.name, x.kind, x.usedBy])).toEqual([
      ['edge', 'secret', ['core-2', 'edge-2']],
      ['core-ca', 'secret', ['edge-2']],
      ['core', 'certificate', ['core-2']],
      ['web', 'certificate', ['edge-2']],
    ]);
  });
});

describe('a refusal that had a passing cause', () => {
  it('is tried once more when a person publishes it again', async () => {
    const taken = net.createServer();
    await new Promise<void>((r) => taken.listen(0, '127.0.0.1', r));
    const { port } = taken.address() as net.AddressInfo;
    const text = `services: [{name: x, addr: "127.0.0.1:${port}", handler: {type: tcp}, forwarder: {nodes: [{name: o, addr: "127.0.0.1:${origin.port}"}]}}]\n`;
    await publish('busy', text, 'hk-2');
    await until('it is refused', 20_000, async () =>
      (await node('hk-2')).configSync === 'failed' ? true : null,
    );
    await new Promise<void>((r) => taken.close(() => r()));
    const preview = await fleet.api.previewPublish({
      label: 'busy',
      target: { nodes: ['hk-2' as NodeName] },
    });
    expect(preview.nodes[0]).toMatchObject({
      change: 'update',
      why: expect.stringContaining('tried once more') as string,
    });
    await fleet.api.publish(M, { label: 'busy', target: { nodes: ['hk-2' as NodeName] }, dryRun: false });
    await fleet.inSync();
    expect((await node('hk-2')).effective?.version).toBe('busy');
  });
});

describe('what was removed by hand', () => {
  it('is sent again once an engine cannot start without it', async () => {
    const was = await shown(tlsPort);
    streams.close();
    const { engine } = await node('hk-1');
    const dir = path.join(fleet.dir, 'hk-1', 'state', 'sealed');
    for (const f of files(dir)) rmSync(f);
    await end(engine?.pid ?? 0);
    const now = await until('it carries again', 30_000, () => shown(tlsPort).catch(() => null));
    expect(now).toBe(was);
    await fleet.inSync();
    expect((await node('hk-1')).engine?.instance).not.toBe(engine?.instance);
    expect(
      files(dir)
        .map((f) => path.basename(f))
        .filter((f) => !f.endsWith('@1'))
        .toSorted(),
    ).toEqual(['cert.web@2', 'secret.edge@2']);
  });
});

describe('without agent and master', () => {
  it('an engine that starts by itself carries what is sealed', async () => {
    const was = await shown(tlsPort);
    const agent = fleet.agents.get('hk-1');
    agent?.kill('SIGTERM');
    await agent?.ended;
    await end((await node('hk-1')).engine?.pid ?? 0);
    await expect(shown(tlsPort)).rejects.toThrow();
    const dir = path.join(fleet.dir, 'hk-1');
    const at = (name: string): string => path.join(dir, 'state', 'identity', 'current', name);
    const argv = [program('engine'), '--socket', path.join(dir, 'alone.sock'), '--workers', '0'];
    argv.push('--document', path.join(dir, 'gost.yml'), '--sealed-dir', path.join(dir, 'state', 'sealed'));
    argv.push(
      '--identity-cert',
      at('cert.pem'),
      '--identity-key',
      at('key.pem'),
      '--identity-ca',
      at('ca.pem'),
    );
    const engine = start({ name: 'alone', argv, logDir: fleet.logDir });
    try {
      const now = await until('it listens', 15_000, () => shown(tlsPort).catch(() => null));
      expect(now).toBe(was);
      await answered();
    } finally {
      await end(engine.pid);
    }
  });
});
