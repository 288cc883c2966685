import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEmbeddedEngine } from '../../agent/engine/embedded/client.ts';
import type { Engine } from '../../agent/engine/port.ts';
import { configHash } from '../../proto/document/hash.ts';
import { readDocument } from '../../proto/document/read.ts';
import { childrenOf } from '../harness/live-engine.ts';
import { createTestCa, writeIdentity } from '../harness/test-ca.ts';

// The engine as it is installed: a process of its own, beside nobody.

const HOST = '127.0.0.1';
const ENGINE = join(import.meta.dirname, '../../dist/engine.mjs');
let dir: string;
let socket: string;
let children: ChildProcess[] = [];
let engines: Engine[] = [];
let servers: net.Server[] = [];
let identities: { remove: () => Promise<void> }[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aicdn-engine-'));
  socket = join(dir, 'run', 'engine.sock');
});

afterEach(async () => {
  for (const e of engines) e.close();
  for (const c of children) if (c.exitCode === null) c.kill('SIGKILL');
  for (const s of servers) s.close();
  children = [];
  engines = [];
  servers = [];
  for (const i of identities) await i.remove();
  identities = [];
  await rm(dir, { recursive: true, force: true });
});

interface Started {
  readonly child: ChildProcess;
  /** Waits for this in what it writes to stderr. */
  readonly wrote: (what: RegExp) => Promise<string>;
  readonly exit: Promise<number | null>;
}

function start(...flags: string[]): Started {
  const child = spawn(process.execPath, [ENGINE, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let text = '';
  let wake = (): void => undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (c) => {
      text += c;
      wake();
    });
  }
  return {
    child,
    wrote: async (what) => {
      while (!what.test(text)) await new Promise<void>((r) => (wake = r));
      return text;
    },
    exit: once(child, 'exit').then(([code]) => code as number | null),
  };
}

function connect(): { engine: Engine; up: Promise<void> } {
  const engine = createEmbeddedEngine({ socket });
  engines.push(engine);
  return { engine, up: new Promise((r) => engine.onLink((up) => up && r())) };
}

async function listen(server: net.Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((r) => server.listen(0, HOST, r));
  return (server.address() as net.AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  const port = await listen(server);
  await new Promise<void>((r) => server.close(() => r()));
  return port;
}

/** A document of an edge and a core in one engine, over mutual TLS, and the edge's port. */
async function bareDocument(origin: number): Promise<{ file: string; text: string; port: number }> {
  const [port, core] = [await freePort(), await freePort()];
  const text = `
services:
  - {name: in, addr: "${HOST}:${port}", handler: {type: tcp, chain: c}, listener: {type: tcp}}
  - {name: svc, addr: "${HOST}:${core}", handler: {type: relay}, listener: {type: tls}, forwarder: {nodes: [{name: o, addr: "${HOST}:${origin}"}]}}
chains: [{name: c, hops: [{name: h}]}]
hops: [{name: h, nodes: [{name: n, addr: "${HOST}:${core}", connector: {type: relay}, dialer: {type: tls}}]}]
`;
  const file = join(dir, 'effective.yml');
  await writeFile(file, text);
  return { file, text, port };
}

/** Sends a word a moment for as long as it is open. */
function ticking(): Promise<number> {
  return listen(
    net.createServer((s) => {
      const timer = setInterval(() => s.write('tick '), 10);
      s.on('error', () => undefined);
      s.on('close', () => clearInterval(timer));
    }),
  );
}

async function identityFlags(): Promise<string[]> {
  const id = await writeIdentity(await createTestCa(), 'n1');
  identities.push(id);
  return ['--identity-cert', id.certFile, '--identity-key', id.keyFile, '--identity-ca', id.caFile];
}

describe('aicdn-engine', () => {
  it('carries its document before any agent is there, over SIGHUP and the loss of its agent, and cuts on SIGTERM', async () => {
    const { file, text, port } = await bareDocument(await ticking());
    const { child, wrote, exit } = start('--socket', socket, '--document', file, ...(await identityFlags()));
    await wrote(/generation 1 carries/);
    const client = net.connect({ port, host: HOST });
    let heard = 0;
    let how = 'close';
    client.on('data', (c) => {
      heard += c.length;
    });
    client.on('end', () => {
      how = 'end';
    });
    client.on('error', (e: NodeJS.ErrnoException) => {
      how = e.code ?? '';
    });
    const more = async (): Promise<void> => {
      const before = heard;
      while (heard < before + 50) await once(client, 'data');
    };
    await more();

    const first = connect();
    await first.up;
    const read = readDocument(text);
    const hash = read.ok ? configHash(read.document) : null;
    expect(await first.engine.info()).toMatchObject({
      kind: 'embedded',
      generation: 1,
      documentHash: hash,
      pid: child.pid,
    });
    expect(await first.engine.capabilities()).toContain('handler.relay');
    first.engine.close();
    child.kill('SIGHUP');
    child.stderr?.destroy();
    child.stdout?.destroy();
    await more();
    const second = connect();
    await second.up;
    expect((await second.engine.confirm()).routes.every((r) => r.reached)).toBe(true);
    expect((await second.engine.stats()).services.map((s) => [s.service, s.streams])).toEqual([
      ['in', 1],
      ['svc', 1],
    ]);
    expect((await stat(socket)).mode & 0o777).toBe(0o600);
    await more();
    child.kill('SIGTERM');
    expect(await exit).toBe(0);
    if (!client.closed) await once(client, 'close').catch(() => undefined);
    expect(how).toBe('ECONNRESET');
    await expect(stat(socket)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it("turns a core's kill in mid-stream into a reset of the client, whatever the bytes", async () => {
    const [edgePort, corePort] = [await freePort(), await freePort()];
    const origin = await ticking();
    const core = join(dir, 'core.yml');
    await writeFile(
      core,
      `services: [{name: svc, addr: "${HOST}:${corePort}", handler: {type: relay}, listener: {type: tls}, forwarder: {nodes: [{name: o, addr: "${HOST}:${origin}"}]}}]`,
    );
    const edge = join(dir, 'edge.yml');
    await writeFile(
      edge,
      `services: [{name: in, addr: "${HOST}:${edgePort}", handler: {type: tcp, chain: c}, listener: {type: tcp}}]
chains: [{name: c, hops: [{name: h}]}]
hops: [{name: h, nodes: [{name: n, addr: "${HOST}:${corePort}", connector: {type: relay}, dialer: {type: tls}}]}]`,
    );
    const flags = await identityFlags();
    const far = start('--socket', join(dir, 'core', 's'), '--document', core, ...flags);
    const near = start('--socket', join(dir, 'edge', 's'), '--document', edge, ...flags);
    await Promise.all([far.wrote(/generation 1 carries/), near.wrote(/generation 1 carries/)]);
    const client = net.connect({ port: edgePort, host: HOST });
    let how = 'close';
    client.on('end', () => {
      how = 'end';
    });
    client.on('error', (e: NodeJS.ErrnoException) => {
      how = e.code ?? '';
    });
    const closed = new Promise<void>((r) => client.once('close', () => r()));
    await once(client, 'data');
    client.resume();
    far.child.kill('SIGKILL');
    await closed;
    expect(how).toBe('ECONNRESET');
  });

  it('refuses a socket on which another answers, and takes over from one that was killed', async () => {
    const first = start('--socket', socket);
    await first.wrote(/listens on/);
    const second = start('--socket', socket);
    expect(await second.exit).toBe(1);
    expect(await second.wrote(/./)).toMatch(
      /^aicdn-engine: an engine is already running on .*engine\.sock; stop it/,
    );
    first.child.kill('SIGKILL');
    await first.exit;
    const third = start('--socket', socket);
    await third.wrote(/listens on/);
    const { engine, up } = connect();
    await up;
    expect((await engine.info()).pid).toBe(third.child.pid);
    await engine.stop();
    expect(await third.exit).toBe(0);
  });

  it('says where a document is wrong, and waits for the agent', async () => {
    const file = join(dir, 'effective.yml');
    await writeFile(file, 'services:\n  - {name: s, addr: "nowhere"}\n');
    const { wrote } = start('--socket', socket, '--document', file);
    expect(await wrote(/is not carried/)).toMatch(/line 2, column/);
    const { engine, up } = connect();
    await up;
    expect(await engine.info()).toMatchObject({ generation: 0, documentHash: null, listeners: [] });
    expect((await engine.logs(0, 10)).lines.some((l) => /is not carried/.test(l.text))).toBe(true);
  });

  it('runs as one process when it is told to, and is not upgraded then', async () => {
    const { file, port } = await bareDocument(await ticking());
    const flags = await identityFlags();
    const { child, wrote, exit } = start('--socket', socket, '--workers', '0', '--document', file, ...flags);
    await wrote(/generation 1 carries/);
    expect(await childrenOf(child.pid ?? 0)).toEqual([]);
    const client = net.connect({ port, host: HOST });
    await once(client, 'data');
    client.destroy();
    const { engine, up } = connect();
    await up;
    expect((await engine.info()).workers).toEqual([{ pid: child.pid, version: expect.any(String) }]);
    const upgrade = engine.upgrade({ exec: ENGINE, deadlineMs: 1_000 });
    await expect(upgrade).rejects.toMatchObject({ code: 'unsupported' });
    child.kill('SIGTERM');
    expect(await exit).toBe(0);
    const wrong = start('--socket', socket, '--workers', 'many');
    expect(await wrong.wrote(/workers/)).toMatch(/whole number up to 64, or auto/);
    expect(await wrong.exit).toBe(1);
  });

  it('cuts what it carries when a fault ends it, alone or as a worker, TLS or not', async () => {
    const faulty = "process.on('SIGUSR2', () => { throw new Error('a fault of ours'); })";
    const { file, text, port } = await bareDocument(await ticking());
    const identity = await identityFlags();
    const [, certFile, , keyFile] = identity;
    const secure = await freePort();
    const web = `{name: web, addr: "${HOST}:${secure}", handler: {type: tcp, chain: c}, listener: {type: tls, tls: {certFile: "${certFile}", keyFile: "${keyFile}"}}}`;
    await writeFile(file, text.replace('services:\n', `services:\n  - ${web}\n`));
    const flags = ['--socket', socket, '--document', file, ...identity];
    for (const workers of ['0', '1']) {
      const argv = ['--import', `data:text/javascript,${faulty}`, ENGINE, ...flags, '--workers', workers];
      const child = spawn(process.execPath, argv, { stdio: 'ignore' });
      children.push(child);
      const { engine, up } = connect();
      await up;
      while ((await engine.info()).generation === 0) await new Promise((r) => setTimeout(r, 20));
      const clients = [
        net.connect({ port, host: HOST }),
        tls.connect({ port: secure, host: HOST, rejectUnauthorized: false }),
      ];
      await Promise.all(clients.map((c) => once(c, 'data')));
      const cut = clients.map(
        (c) =>
          new Promise<string>((r) => {
            c.on('end', () => r('end'));
            c.on('error', (e: NodeJS.ErrnoException) => r(e.code ?? ''));
          }),
      );
      process.kill((await engine.info()).workers?.[0]?.pid ?? 0, 'SIGUSR2');
      expect(await Promise.all(cut)).toEqual(['ECONNRESET', 'ECONNRESET']);
      engine.close();
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
    }
  });

  it('prints its version and its help', async () => {
    const version = start('--version');
    expect(await version.wrote(/\n/)).toMatch(/^\d+\.\d+\.\d+\n/);
    expect(await version.exit).toBe(0);
    expect(await start('--help').wrote(/--identity-ca/)).toMatch(/Usage: aicdn-engine/);
    expect(await start().exit).toBe(1);
  });
});
