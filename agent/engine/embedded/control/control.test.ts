import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TunnelDocument } from '../../../../proto/document/document.ts';
import { configHash } from '../../../../proto/document/hash.ts';
import { readDocument } from '../../../../proto/document/read.ts';
import type { ConfigHash } from '../../../../proto/vocab/ids.ts';
import { createTestCa, type TestCa, writeIdentity } from '../../../../test/harness/test-ca.ts';
import type { ApplyResult } from '../../port.ts';
import { localData } from '../data/local.ts';
import { DataPlane } from '../data/plane.ts';
import { encodeRequest } from '../data/relay-codec.ts';
import { Control } from './control.ts';
import { LogRing } from './logs.ts';

const HOST = '127.0.0.1';
let ca: TestCa;
let identity: Awaited<ReturnType<typeof writeIdentity>>;
let logs: LogRing;
let plane: DataPlane;
let control: Control;
let servers: net.Server[] = [];

beforeAll(async () => {
  ca = await createTestCa();
});

beforeEach(async () => {
  identity = await writeIdentity(ca, 'n1');
  logs = new LogRing({ now: () => Date.now(), write: () => undefined });
  plane = new DataPlane({
    log: logs.log,
    now: () => Date.now(),
    clock: () => performance.now(),
    random: () => 0.5,
  });
  const hello = {
    protocol: [1, 1],
    kind: 'embedded',
    version: '1',
    instance: 'i',
    pid: 1,
    capabilities: [],
  } as const;
  control = new Control({
    data: localData(plane.calls),
    hello,
    logs,
    startedAt: 1,
    now: () => Date.now(),
    onStop: () => undefined,
  });
});

afterEach(async () => {
  await plane.calls.stop({});
  for (const s of servers) s.close();
  servers = [];
  await identity.remove();
});

async function listen(server: net.Server, port = 0): Promise<number> {
  servers.push(server);
  await new Promise<void>((r) => server.listen(port, HOST, r));
  return (server.address() as net.AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  const port = await listen(server);
  await new Promise<void>((r) => server.close(() => r()));
  return port;
}

/** Greets with its name, then says back what it hears. */
function origin(name: string): Promise<number> {
  return listen(
    net.createServer((s) => {
      s.on('error', () => undefined);
      s.write(name);
      s.on('data', (c) => s.write(c));
    }),
  );
}

interface Route {
  readonly name?: string;
  readonly port: number;
  readonly to: number;
}

function text(routes: readonly Route[]): string {
  const services = routes.map(
    ({ name = 's', port, to }) =>
      `  - {name: ${name}, addr: "${HOST}:${port}", handler: {type: tcp}, listener: {type: tcp}, ` +
      `forwarder: {nodes: [{name: o, addr: "${HOST}:${to}"}]}}`,
  );
  return `services:\n${services.join('\n')}\n`;
}

function read(yaml: string): TunnelDocument {
  const result = readDocument(yaml);
  if (!result.ok) throw new Error(JSON.stringify(result.refusals));
  return result.document;
}

async function apply(yaml: string, baseGeneration?: number): Promise<ApplyResult> {
  const document = read(yaml);
  const base = baseGeneration ?? (await control.calls.info({})).generation;
  return control.calls.apply({ document, hash: configHash(document), baseGeneration: base, identity });
}

/** A client that has heard its origin's greeting. */
async function client(port: number, greeting: string): Promise<net.Socket> {
  const socket = net.connect({ port, host: HOST });
  socket.on('error', () => undefined);
  let heard = '';
  await new Promise<void>((resolve, reject) => {
    socket.on('data', (c) => {
      heard += c;
      if (heard === greeting) resolve();
    });
    socket.on('close', () => reject(new Error(`closed after ${heard}`)));
  });
  return socket;
}

async function says(socket: net.Socket, word: string): Promise<string> {
  socket.removeAllListeners('data');
  let heard = '';
  const whole = new Promise<string>((resolve) => {
    socket.on('data', (c) => {
      heard += c;
      if (heard.length >= word.length) resolve(heard);
    });
    socket.on('close', () => resolve(`closed after ${heard}`));
  });
  socket.write(word);
  return whole;
}

const refuses = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const s = net.connect({ port, host: HOST });
    s.on('connect', () => {
      s.destroy();
      resolve(false);
    });
    s.on('error', () => resolve(true));
  });

describe('apply', () => {
  it('keeps the listener and twenty live streams over a change of route, and closes what is gone', async () => {
    const [a, b, port, extra] = [await origin('A'), await origin('B'), await freePort(), await freePort()];
    const first = await apply(
      text([
        { port, to: a },
        { name: 'x', port: extra, to: a },
      ]),
    );
    expect(first).toMatchObject({ generation: 1, opened: ['s', 'x'], closed: [], kept: [] });
    const live = await Promise.all(Array.from({ length: 20 }, (_, i) => client(i % 2 ? port : extra, 'A')));
    const yaml = text([{ port, to: b }]);
    expect(await control.calls.validate({ document: read(yaml), identity })).toEqual({
      problems: [],
      wouldClose: [{ service: 'x', streams: 10 }],
    });
    expect(await apply(yaml)).toMatchObject({ generation: 2, opened: [], closed: ['x'], kept: ['s'] });
    expect(await refuses(extra)).toBe(true);
    const fresh = await client(port, 'B');
    expect(await says(fresh, 'new')).toBe('new');
    for (const [i, socket] of live.entries()) expect(await says(socket, `old ${i}`)).toBe(`old ${i}`);
    const stats = await control.calls.stats({});
    expect(stats).toMatchObject({ instance: 'i' });
    expect(stats.services.map((s) => [s.service, s.streams])).toEqual([
      ['s', 11],
      ['x', 10],
    ]);
    expect(await control.calls.effective({})).toEqual({
      generation: 2,
      document: read(yaml),
      hash: configHash(read(yaml)),
    });
    expect((await control.calls.info({})).listeners).toEqual([
      { service: 's', addr: `${HOST}:${port}`, type: 'tcp' },
    ]);
    for (const s of [...live, fresh]) s.destroy();
  });

  it('leaves everything as it was when one port of several is in use', async () => {
    const [a, b, port, free] = [await origin('A'), await origin('B'), await freePort(), await freePort()];
    await apply(text([{ port, to: a }]));
    const before = await control.calls.effective({});
    const taken = await listen(net.createServer());
    const yaml = text([
      { port, to: b },
      { name: 'x', port: free, to: b },
      { name: 'y', port: taken, to: b },
    ]);
    const refusal = {
      code: 'in_use',
      path: 'services[2].addr',
      message: `port ${taken} on ${HOST} is in use by another program`,
    };
    expect((await control.calls.validate({ document: read(yaml), identity })).problems).toEqual([refusal]);
    await expect(apply(yaml)).rejects.toMatchObject({ code: 'invalid', refusals: [refusal] });
    expect(await control.calls.effective({})).toEqual(before);
    expect(await refuses(free)).toBe(true);
    (await client(port, 'A')).destroy();
  });

  it('says so when the port is its own', async () => {
    const [a, port] = [await origin('A'), await freePort()];
    await apply(text([{ port, to: a }]));
    const yaml = text([{ name: 'every', port, to: a }]).replace(`${HOST}:${port}`, `:${port}`);
    await expect(apply(yaml)).rejects.toMatchObject({
      refusals: [
        { path: 'services[0].addr', message: `port ${port} is in use by service s of the running document` },
      ],
    });
  });

  it('refuses a base that is not its generation, also of two at once', async () => {
    const [a, port] = [await origin('A'), await freePort()];
    const yaml = text([{ port, to: a }]);
    await expect(apply(yaml, 3)).rejects.toMatchObject({ code: 'conflict' });
    const both = await Promise.allSettled([apply(yaml, 0), apply(yaml, 0)]);
    expect(both.map((r) => r.status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect((await control.calls.info({})).generation).toBe(1);
  });

  it('refuses a hash that is not the document and a thing that is no document', async () => {
    const document = read(text([{ port: await freePort(), to: await freePort() }]));
    const wrong = control.calls.apply({ document, hash: 'x' as ConfigHash, baseGeneration: 0, identity });
    await expect(wrong).rejects.toMatchObject({ code: 'invalid' });
    const none = control.calls.validate({ document: {} as TunnelDocument, identity });
    await expect(none).rejects.toMatchObject({ code: 'invalid' });
  });
});

describe('confirm', () => {
  it('tells listeners that accept and routes that are reached from those that are not', async () => {
    const [a, dead, port, other] = [await origin('A'), await freePort(), await freePort(), await freePort()];
    await apply(
      text([
        { port, to: a },
        { name: 'x', port: other, to: dead },
      ]),
    );
    expect(await control.calls.confirm({})).toEqual({
      listeners: [
        { service: 's', accepting: true, error: '' },
        { service: 'x', accepting: true, error: '' },
      ],
      routes: [
        { service: 's', reached: true, error: '' },
        { service: 'x', reached: false, error: expect.stringMatching(/ECONNREFUSED/) },
      ],
    });
  });

  it('shakes hands with a core without opening a stream on it', async () => {
    const [a, core, edge] = [await origin('A'), await freePort(), await freePort()];
    await apply(`
services:
  - {name: svc, addr: "${HOST}:${core}", handler: {type: relay}, listener: {type: tls}, forwarder: {nodes: [{name: o, addr: "${HOST}:${a}"}]}}
  - {name: in, addr: "${HOST}:${edge}", handler: {type: tcp, chain: c}, listener: {type: tcp}}
chains: [{name: c, hops: [{name: h}]}]
hops: [{name: h, nodes: [{name: n, addr: "${HOST}:${core}", connector: {type: relay}, dialer: {type: tls}}]}]
`);
    const { routes } = await control.calls.confirm({});
    expect(routes.map((r) => r.reached)).toEqual([true, true]);
    const { services } = await control.calls.stats({});
    expect(services.map((s) => s.opened)).toEqual([0, 0]);
    const socket = await client(edge, 'A');
    expect(await says(socket, 'through both')).toBe('through both');
    socket.destroy();
  });
});

describe('certificates', () => {
  const tlsText = (port: number, to: number, files: { certFile: string; keyFile: string }): string =>
    `services: [{name: s, addr: "${HOST}:${port}", handler: {type: tcp}, listener: {type: tls, tls: ` +
    `{certFile: ${files.certFile}, keyFile: ${files.keyFile}}}, forwarder: {nodes: [{name: o, addr: "${HOST}:${to}"}]}}]`;

  it.each([
    [
      'missing',
      async (f: { certFile: string }) => rename(f.certFile, `${f.certFile}.away`),
      'certFile',
      /no such file/,
    ],
    [
      'not PEM',
      async (f: { keyFile: string }) => writeFile(f.keyFile, 'x'),
      'keyFile',
      /not a PEM private key/,
    ],
    [
      'not a certificate',
      async (f: { certFile: string }) => writeFile(f.certFile, 'x'),
      'certFile',
      /no BEGIN CERT/,
    ],
    [
      'of another pair',
      async (f: { keyFile: string }) => writeFile(f.keyFile, (await ca.issueNode('other')).key),
      'keyFile',
      /does not belong to/,
    ],
  ] as const)('names the file that is %s', async (_name, spoil, part, why) => {
    await spoil(identity);
    const document = read(tlsText(await freePort(), await freePort(), identity));
    const { problems } = await control.calls.validate({ document, identity });
    expect(problems).toEqual([
      {
        code: 'certificate',
        path: `services[0].listener.tls.${part}`,
        message: expect.stringMatching(why),
      },
    ]);
    expect(problems[0]?.message).toContain(identity[part]);
  });

  it('says what to do without an identity', async () => {
    const yaml = `services: [{name: s, addr: "${HOST}:${await freePort()}", handler: {type: relay}, listener: {type: tls}, forwarder: {nodes: [{name: o, addr: "${HOST}:1"}]}}]`;
    const none = { certFile: '', keyFile: '', caFile: '' };
    const { problems } = await control.calls.validate({ document: read(yaml), identity: none });
    expect(problems).toMatchObject([
      { path: 'services[0].listener.tls', hint: expect.stringMatching(/--identity-cert/) },
    ]);
  });

  it('reloads: another generation always, unchanged only when nothing is new, and keeps the old on a fault', async () => {
    const [a, port] = [await origin('A'), await freePort()];
    await apply(tlsText(port, a, identity));
    expect(await control.calls.reload({})).toMatchObject({
      before: { generation: 1 },
      after: { generation: 2 },
      unchanged: true,
      streamsKept: 0,
    });
    const fresh = await ca.issueNode('n1');
    await writeFile(identity.certFile, fresh.cert);
    await expect(control.calls.reload({})).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/does not belong to/),
    });
    await writeFile(identity.keyFile, fresh.key);
    const { before, after, unchanged } = await control.calls.reload({});
    expect([before.generation, after.generation, unchanged]).toEqual([2, 3, false]);
    expect(after.documentHash).toBe(before.documentHash);
  });

  it('swaps certificate and even type under a listener, while old streams go on', async () => {
    const [a, port] = [await origin('A'), await freePort()];
    const seen = async (): Promise<{ print: string; socket: tls.TLSSocket }> => {
      const socket = tls.connect({ port, host: HOST, rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      return { print: socket.getPeerX509Certificate()?.fingerprint256 ?? '', socket };
    };
    await apply(text([{ port, to: a }]));
    const plain = await client(port, 'A');
    expect(await apply(tlsText(port, a, identity))).toMatchObject({ kept: ['s'], opened: [], closed: [] });
    const first = await seen();
    await once(first.socket, 'data');
    const fresh = await ca.issueNode('n1');
    await writeFile(identity.certFile, fresh.cert);
    await writeFile(identity.keyFile, fresh.key);
    expect((await control.calls.reload({})).streamsKept).toBe(2);
    const second = await seen();
    expect(first.print).not.toBe(second.print);
    expect(second.print).toBe(new X509Certificate(fresh.cert).fingerprint256);
    expect(await says(plain, 'still plain')).toBe('still plain');
    expect(await says(first.socket, 'still old')).toBe('still old');
    for (const s of [plain, first.socket, second.socket]) s.destroy();
  });

  it('takes up files that change by themselves, once they fit', async () => {
    const [a, port] = [await origin('A'), await freePort()];
    await apply(tlsText(port, a, identity));
    const fresh = await ca.issueNode('n1');
    await writeFile(identity.certFile, fresh.cert);
    await control.refresh();
    expect(logs.after(0, 100).lines.at(-1)?.text).toMatch(/kept the old certificates/);
    await writeFile(identity.keyFile, fresh.key);
    await control.refresh();
    expect(logs.after(0, 100).lines.at(-1)?.text).toMatch(/are in use now/);
    expect((await control.calls.reload({})).unchanged).toBe(true);
  });
});

describe('what a document names as sealed', () => {
  const sealed = (name: string) => join(identity.dir, 'sealed', name);
  const own = () => ({ ...identity, sealedDir: join(identity.dir, 'sealed') });
  const put = async (version: number): Promise<string> => {
    await mkdir(join(identity.dir, 'sealed'), { recursive: true });
    const { cert, key } = await ca.issueNode('n1');
    await writeFile(sealed(`cert.web@${version}`), `${key}\n${cert}\n`);
    await writeFile(sealed(`secret.edge@${version}`), `hunter2-${version}`);
    return new X509Certificate(cert).fingerprint256;
  };
  const core = (port: number, to: number, version: number): string =>
    `services: [{name: c, addr: "${HOST}:${port}", handler: {type: relay, auther: a}, listener: {type: tls, tls: {certFile: sealed:cert/web@${version}}}, forwarder: {nodes: [{name: o, addr: "${HOST}:${to}"}]}}]\n` +
    `authers: [{name: a, auths: [{username: u, password: sealed:secret/edge@${version}}]}]\n`;
  const applied = async (yaml: string): Promise<ApplyResult> => {
    const document = read(yaml);
    const { generation } = await control.calls.info({});
    return control.calls.apply({
      ...{ document, hash: configHash(document), baseGeneration: generation, identity: own() },
    });
  };
  /** Through the relay as `u` with this password: what it answers, and with which certificate. */
  const through = async (port: number, password: string) => {
    const socket = tls.connect({ port, host: HOST, rejectUnauthorized: false });
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    const print = socket.getPeerX509Certificate()?.fingerprint256 ?? '';
    socket.write(encodeRequest({ auth: { username: 'u', password }, target: null }));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    return { print, status: answer[1], socket };
  };

  it('is used; a new version takes its place under the listener while streams go on', async () => {
    const [to, port] = [await origin('A'), await freePort()];
    const first = await put(1);
    await applied(core(port, to, 1));
    const one = await through(port, 'hunter2-1');
    expect([one.print, one.status]).toEqual([first, 0]);
    const second = await put(2);
    expect(await applied(core(port, to, 2))).toMatchObject({ kept: ['c'], opened: [], closed: [] });
    const two = await through(port, 'hunter2-2');
    expect([two.print, two.status]).toEqual([second, 0]);
    expect((await through(port, 'hunter2-1')).status).not.toBe(0);
    expect(await says(one.socket, 'still old')).toBe('still old');
    one.socket.destroy();
    two.socket.destroy();
  });

  it('is read back by its name, and the hash is of that; no answer and no line holds a value', async () => {
    const [to, port] = [await origin('A'), await freePort()];
    await put(1);
    await applied(core(port, to, 1));
    const effective = await control.calls.effective({});
    expect(effective.hash).toBe(configHash(read(core(port, to, 1))));
    const answers = [effective, await control.calls.info({}), await control.calls.reload({})];
    expect(JSON.stringify([answers, logs.after(0, 1000)])).not.toMatch(/hunter2|PRIVATE KEY/);
  });

  it('missing, it is refused with its place, and nothing changes', async () => {
    const [to, port] = [await origin('A'), await freePort()];
    await put(1);
    await applied(core(port, to, 1));
    const { problems } = await control.calls.validate({ document: read(core(port, to, 9)), identity: own() });
    expect(problems.map((p) => [p.path, p.message])).toEqual([
      ['authers[0].auths[0].password', `${sealed('secret.edge@9')}: there is no such file`],
    ]);
    await expect(applied(core(port, to, 9))).rejects.toMatchObject({ code: 'invalid' });
    expect((await through(port, 'hunter2-1')).status).toBe(0);
  });
});

describe('logs', () => {
  it('keeps the last thousand and gives those after a number', () => {
    for (let i = 1; i <= 2500; i++) logs.log('info', `line ${i}`);
    expect(logs.after(0, 2).lines.map((l) => l.seq)).toEqual([1501, 1502]);
    expect(logs.after(2498, 10).lines.map((l) => l.text)).toEqual(['line 2499', 'line 2500']);
    expect(logs.after(2500, 10).lines).toEqual([]);
  });
});
