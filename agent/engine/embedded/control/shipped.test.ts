import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configHash } from '../../../../proto/document/hash.ts';
import { readDocument } from '../../../../proto/document/read.ts';
import { createTestCa, type TestCa, writeIdentity } from '../../../../test/harness/test-ca.ts';
import { Plane } from '../../../../test/harness/two-hops.ts';
import { localData } from '../data/local.ts';
import { Control } from './control.ts';
import { LogRing } from './logs.ts';

// The two documents shipped for an edge and a core, each in an engine of its own and as it is but for addresses.

const HOST = '127.0.0.1';

type Identity = Awaited<ReturnType<typeof writeIdentity>>;

let ca: TestCa;
let origin: net.Server;
let undo: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  ca = await createTestCa();
  origin = net.createServer((s) => s.on('error', () => undefined).pipe(s));
  origin.listen(0, HOST);
  await once(origin, 'listening');
  undo = [async () => origin.close()];
});

afterEach(async () => {
  for (const step of undo.reverse()) await step();
});

async function start(text: string, identity: Identity): Promise<Control> {
  const plane = new Plane();
  const control = new Control({
    data: localData(plane.data.calls),
    hello: {
      ...{ protocol: [1, 1], kind: 'embedded', version: '1', instance: 'i', pid: 1 },
      capabilities: [],
    },
    logs: new LogRing({ now: () => Date.now(), write: () => undefined }),
    now: () => Date.now(),
    startedAt: 1,
    onStop: () => undefined,
  });
  undo.push(() => plane.data.calls.stop({}));
  const read = readDocument(text);
  if (!read.ok) throw new Error(JSON.stringify(read.refusals));
  const { document } = read;
  await control.calls.apply({ document, hash: configHash(document), baseGeneration: 0, identity });
  return control;
}

function shipped(name: string, places: Readonly<Record<string, string>>): string {
  const text = readFileSync(new URL(`../../../../config/${name}.yml`, import.meta.url), 'utf8');
  return Object.entries(places).reduce((t, [from, to]) => {
    expect(t).toContain(from);
    return t.replaceAll(from, to);
  }, text);
}

/** Free a moment ago. */
async function freePorts(n: number): Promise<number[]> {
  const servers = Array.from({ length: n }, () => net.createServer().listen(0, HOST));
  await Promise.all(servers.map((s) => once(s, 'listening')));
  const ports = servers.map((s) => (s.address() as net.AddressInfo).port);
  await Promise.all(servers.map((s) => once(s.close(), 'close')));
  return ports;
}

async function echoed(socket: net.Socket): Promise<string> {
  socket.write('hello');
  const [heard] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return heard.toString();
}

describe('config/gost-edge-hk.yml and config/gost-core-cn.yml', () => {
  it.each(['mtls', 'mwss'])('carry clients in clear and over TLS to the origin, over %s', async (over) => {
    const [https = 0, http = 0, mtls = 0, mwss = 0] = await freePorts(4);
    const { port } = origin.address() as net.AddressInfo;
    const [edgeId, coreId] = [await writeIdentity(ca, 'hk-1'), await writeIdentity(ca, 'cn-1')];
    undo.push(edgeId.remove, coreId.remove);
    const shown = await ca.issue('chat', { dns: 'chat.test' });
    const [certFile, keyFile] = [join(edgeId.dir, 'edge.pem'), join(edgeId.dir, 'edge.key')];
    await writeFile(certFile, shown.cert);
    await writeFile(keyFile, shown.key, { mode: 0o600 });

    await start(
      shipped('gost-core-cn', {
        '":8443"': `"${HOST}:${mtls}"`,
        '":8444"': `"${HOST}:${mwss}"`,
        '127.0.0.1:8000': `${HOST}:${port}`,
      }),
      coreId,
    );
    const edge = await start(
      shipped('gost-edge-hk', {
        '":443"': `"${HOST}:${https}"`,
        '":8080"': `"${HOST}:${http}"`,
        '/etc/ai-cdn/tls/edge.pem': certFile,
        '/etc/ai-cdn/tls/edge.key': keyFile,
        '203.0.113.10:8443': `${HOST}:${over === 'mtls' ? mtls : mwss}`,
        '203.0.113.20:8443': `${HOST}:${over === 'mtls' ? mtls : mwss}`,
        'type: mtls': `type: ${over}`,
      }),
      edgeId,
    );
    expect(await echoed(net.connect(http, HOST))).toBe('hello');
    expect(await echoed(tls.connect({ host: HOST, port: https, ca: ca.ca, servername: 'chat.test' }))).toBe(
      'hello',
    );
    const { routes } = await edge.calls.confirm({});
    expect(routes.map((r) => [r.reached, r.error])).toEqual([
      [true, ''],
      [true, ''],
    ]);
  });
});
