import { mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { ConfigHash } from '../../../proto/vocab/ids.ts';
import type { Engine } from '../port.ts';
import { createEmbeddedEngine } from './client.ts';
import { type CallTable, ControlServer } from './control/server.ts';

let dir: string;
let path: string;
let servers: ControlServer[];
let engines: Engine[];
let log: string[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aicdn-engine-'));
  path = join(dir, 'run', 'engine.sock');
  servers = [];
  engines = [];
  log = [];
});

afterEach(async () => {
  for (const e of engines) e.close();
  for (const s of servers) await s.close();
  await rm(dir, { recursive: true, force: true });
});

const unused = async (): Promise<never> => {
  throw new AppError('unsupported', 'not here');
};

async function serve(calls: Partial<CallTable>): Promise<ControlServer> {
  const all: CallTable = {
    info: unused,
    validate: unused,
    apply: unused,
    reload: unused,
    confirm: unused,
    effective: unused,
    stats: unused,
    logs: unused,
    drain: unused,
    drainStatus: unused,
    undrain: unused,
    upgrade: unused,
    stop: unused,
    ...calls,
  };
  const hello = {
    protocol: [1, 1],
    kind: 'embedded',
    version: '0.0.1',
    instance: 'i1',
    pid: 7,
    capabilities: ['listener.tcp'],
  } as const;
  const server = new ControlServer({ calls: all, hello: { hello }, log: (_l, text) => log.push(text) });
  servers.push(server);
  await server.listen(path);
  return server;
}

function connect(): { engine: Engine; link: (up: boolean) => Promise<void> } {
  const engine = createEmbeddedEngine({ socket: path });
  engines.push(engine);
  const seen: boolean[] = [];
  let wake = (): void => undefined;
  engine.onLink((up) => {
    seen.push(up);
    wake();
  });
  return {
    engine,
    link: async (up) => {
      while (seen.at(-1) !== up) await new Promise<void>((r) => (wake = r));
    },
  };
}

describe('engine.sock', () => {
  it('is private to its owner', async () => {
    await serve({});
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(dir, 'run'))).mode & 0o777).toBe(0o700);
  });

  it('answers calls of several clients, in whatever order they finish', async () => {
    let release = (): void => undefined;
    await serve({
      logs: async ({ after }) => {
        if (after === 1) await new Promise<void>((r) => (release = r));
        return { lines: [{ seq: after, at: 0, level: 'info', text: 'x' }] };
      },
    });
    const a = connect();
    const b = connect();
    await Promise.all([a.link(true), b.link(true)]);
    expect(await a.engine.capabilities()).toEqual(['listener.tcp']);
    const slow = a.engine.logs(1, 1);
    expect((await a.engine.logs(2, 1)).lines[0]?.seq).toBe(2);
    expect((await b.engine.logs(3, 1)).lines[0]?.seq).toBe(3);
    release();
    expect((await slow).lines[0]?.seq).toBe(1);
  });

  it('carries code, message and refusals of an error, and hides the text of a fault', async () => {
    const refusal = { code: 'listen', message: 'port 80 is in use', path: 'services[0].addr' };
    await serve({
      apply: async () => {
        throw new AppError('invalid', 'no', { refusals: [refusal] });
      },
      stats: async () => {
        throw new Error('secret detail');
      },
    });
    const { engine, link } = connect();
    await link(true);
    const identity = { certFile: '', keyFile: '', caFile: '' };
    const document = { services: [], chains: [], hops: [], authers: [] };
    const apply = engine.apply({ document, hash: 'h' as ConfigHash, baseGeneration: 0, identity });
    await expect(apply).rejects.toMatchObject({ code: 'invalid', message: 'no', refusals: [refusal] });
    await expect(engine.stats()).rejects.toMatchObject({
      code: 'internal',
      message: expect.not.stringMatching(/secret/),
    });
    expect(log.join()).toContain('secret detail');
    await expect(engine.info()).rejects.toMatchObject({ code: 'unsupported' });
  });

  it('rejects at once while the engine is away and finds it again', async () => {
    const { engine, link } = connect();
    await expect(engine.info()).rejects.toMatchObject({ code: 'unavailable' });
    const first = await serve({ logs: async () => ({ lines: [] }) });
    await link(true);
    expect((await engine.logs(0, 1)).lines).toEqual([]);
    await first.close();
    await link(false);
    await expect(engine.logs(0, 1)).rejects.toMatchObject({ code: 'unavailable' });
    await serve({ logs: async () => ({ lines: [] }) });
    await link(true);
    expect((await engine.logs(0, 1)).lines).toEqual([]);
  });

  it('rejects what was under way when the link breaks', async () => {
    const server = await serve({ stats: () => new Promise(() => undefined) });
    const { engine, link } = connect();
    await link(true);
    const open = engine.stats();
    const rejected = expect(open).rejects.toMatchObject({ code: 'unavailable' });
    await server.close();
    await rejected;
  });

  it('replaces a left-over socket, refuses a live one and anything else', async () => {
    await serve({});
    await expect(serve({})).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/an engine is already running on/),
    });
    // A crash leaves the file behind; a rename keeps it past the close.
    const left = net.createServer();
    await new Promise<void>((r) => left.listen(join(dir, 'run', 'before.sock'), r));
    path = join(dir, 'run', 'left.sock');
    await rename(join(dir, 'run', 'before.sock'), path);
    await new Promise<void>((r) => left.close(() => r()));
    await serve({ logs: async () => ({ lines: [] }) });
    const { engine, link } = connect();
    await link(true);
    expect((await engine.logs(0, 1)).lines).toEqual([]);
    await writeFile(join(dir, 'run', 'file'), '');
    path = join(dir, 'run', 'file');
    await expect(serve({})).rejects.toMatchObject({ message: expect.stringMatching(/is not a socket/) });
    path = join(dir, `${'x'.repeat(120)}`);
    await expect(serve({})).rejects.toMatchObject({ message: expect.stringMatching(/at most 103 bytes/) });
  });

  it('closes only the client that sends garbage', async () => {
    await serve({ logs: async () => ({ lines: [] }) });
    const good = connect();
    await good.link(true);
    for (const bytes of ['\xff\xff\xff\xff', '\0\0\0\x02{}', '\0\0\0\x03abc', '\0\0\0\x09{"use":9}']) {
      const bad = net.connect(path);
      bad.write(Buffer.from(bytes, 'latin1'));
      bad.resume();
      await new Promise<void>((r) => bad.once('close', () => r()));
    }
    expect((await good.engine.logs(0, 1)).lines).toEqual([]);
    expect(log).toHaveLength(4);
  });
});
