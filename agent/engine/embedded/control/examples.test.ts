import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configHash } from '../../../../proto/document/hash.ts';
import { readDocument } from '../../../../proto/document/read.ts';
import { requiredCapabilities } from '../../../../proto/document/requires.ts';
import { createTestCa, writeIdentity } from '../../../../test/harness/test-ca.ts';
import { Plane } from '../../../../test/harness/two-hops.ts';
import { CAPABILITIES } from '../app.ts';
import { localData } from '../data/local.ts';
import { Control } from './control.ts';
import { LogRing } from './logs.ts';

const HOST = '127.0.0.1';
const DIR = new URL('../../../../config/examples/', import.meta.url);
/** They need another engine: `proto/document/examples.test.ts` holds what this one says to them. */
const OTHERS = ['quic', 'http3'];
const NAMES = readdirSync(DIR)
  .map((f) => f.replace('.yml', ''))
  .filter((name) => !OTHERS.includes(name));
const SAID = 'PROXY TCP4 192.0.2.7 192.0.2.8 1111 443\r\n';
const TOLD = Buffer.from('0d0a0d0a000d0a515549540a2111000cc0000207c0000208045701bb', 'hex').toString(
  'latin1',
);

let identity: Awaited<ReturnType<typeof writeIdentity>>;
let plane: Plane;
let control: Control;
let origin: net.Server;

beforeEach(async () => {
  identity = await writeIdentity(await createTestCa(), 'n1');
  plane = new Plane();
  const logs = new LogRing({ now: () => Date.now(), write: () => undefined });
  const hello = { protocol: [1, 1], kind: 'embedded', version: '1', instance: 'i', pid: 1 } as const;
  control = new Control({
    data: localData(plane.data.calls),
    hello: { ...hello, capabilities: [] },
    logs,
    now: () => Date.now(),
    startedAt: 1,
    onStop: () => undefined,
  });
  // Says back what it hears.
  origin = net.createServer({ allowHalfOpen: true }, (s) => {
    s.on('error', () => undefined);
    s.pipe(s);
  });
  await new Promise<void>((r) => origin.listen(0, HOST, r));
});

afterEach(async () => {
  await plane.data.calls.stop({});
  await new Promise<void>((r) => origin.close(() => r()));
  await identity.remove();
});

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((r) => server.listen(0, HOST, r));
  const { port } = server.address() as net.AddressInfo;
  await new Promise<void>((r) => server.close(() => r()));
  return port;
}

function textOf(name: string, ports: { edge: number; core: number }): string {
  const { port } = origin.address() as net.AddressInfo;
  return readFileSync(new URL(`${name}.yml`, DIR), 'utf8')
    .replaceAll(`${HOST}:8080`, `${HOST}:${ports.edge}`)
    .replaceAll(`${HOST}:8443`, `${HOST}:${ports.core}`)
    .replaceAll(`${HOST}:8000`, `${HOST}:${port}`);
}

async function apply(text: string): Promise<void> {
  const read = readDocument(text);
  if (!read.ok) throw new Error(JSON.stringify(read.refusals));
  const { document } = read;
  expect(requiredCapabilities(document).filter((c) => !CAPABILITIES.some((k) => k === c))).toEqual([]);
  const { generation } = await control.calls.info({});
  await control.calls.apply({ document, hash: configHash(document), baseGeneration: generation, identity });
}

/** A client that tells what it hears back. */
function connect(port: number): {
  socket: net.Socket;
  says: (word: string, until: string) => Promise<string>;
} {
  const socket = net.connect({ port, host: HOST, allowHalfOpen: true });
  let heard = '';
  let tell = (): void => undefined;
  socket.on('data', (c) => {
    heard += (c as Buffer).toString('latin1');
    tell();
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    heard += 'closed';
    tell();
  });
  const says = (word: string, until: string): Promise<string> =>
    new Promise((resolve) => {
      tell = () => {
        if (heard.length >= until.length) resolve(heard);
      };
      heard = '';
      socket.write(word);
    });
  return { socket, says };
}

describe.each(NAMES)('config/examples/%s.yml', (name) => {
  it('is carried, and what it reaches is confirmed', async () => {
    const ports = { edge: await freePort(), core: await freePort() };
    await apply(textOf(name, ports));
    const { socket, says } = connect(ports.edge);
    const proxied = name === 'proxy-protocol';
    const [before, after] = proxied ? [SAID, TOLD] : ['', ''];
    expect(await says(`${before}hello`, `${after}hello`)).toBe(`${after}hello`);
    expect(await says('again', 'again')).toBe('again');
    const { routes } = await control.calls.confirm({});
    expect(routes.map((r) => r.error)).toEqual(['', '']);
    socket.destroy();
  });
});

describe('another transport under live streams', () => {
  it.each([
    ['tcp', 'tls'],
    ['tls', 'mtls'],
    ['mtls', 'wss'],
    ['mwss', 'mtls'],
    ['wss', 'forward'],
    ['forward', 'mwss'],
  ])('%s becomes %s: old streams go on, new ones take the new way', async (from, to) => {
    const ports = { edge: await freePort(), core: await freePort() };
    await apply(textOf(from, ports));
    const old = connect(ports.edge);
    expect(await old.says('old', 'old')).toBe('old');
    await apply(textOf(to, ports));
    const fresh = connect(ports.edge);
    expect(await fresh.says('new', 'new')).toBe('new');
    expect(await old.says('still old', 'still old')).toBe('still old');
    for (const { socket } of [old, fresh]) socket.destroy();
  });
});
