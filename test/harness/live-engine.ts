import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import tls from 'node:tls';
import { createEmbeddedEngine } from '../../agent/engine/embedded/client.ts';
import type { ApplyResult, Engine, EngineIdentity } from '../../agent/engine/port.ts';
import { configHash } from '../../proto/document/hash.ts';
import { readDocument } from '../../proto/document/read.ts';
import type { EngineInfo } from '../../proto/vocab/node.ts';
import { VERSION } from '../../proto/vocab/version.ts';
import { freePorts } from '../../scripts/demo/ports.ts';

export const HOST = '127.0.0.1';
export const ENGINE = join(import.meta.dirname, '../../dist/engine.mjs');

/** Says its name at once, then ticks. */
export async function namedOrigin(name: string): Promise<{ port: number; close: () => void }> {
  const open = new Set<net.Socket>();
  const server = net.createServer((s) => {
    open.add(s);
    s.write(name);
    const timer = setInterval(() => s.write('.'), 40);
    s.on('error', () => undefined);
    s.on('data', () => undefined);
    s.on('close', () => {
      clearInterval(timer);
      open.delete(s);
    });
  });
  const [port = 0] = await freePorts(1);
  await new Promise<void>((r) => server.listen({ port, host: HOST, backlog: 1024 }, r));
  return {
    port,
    close: () => {
      server.close();
      for (const s of open) s.destroy();
    },
  };
}

/** A stream that stays open and counts what it hears. */
export interface LiveStream {
  readonly heard: number;
  readonly over: string | null;
  readonly close: () => void;
}

export async function openStream(port: number, secure: boolean): Promise<LiveStream> {
  const socket = secure
    ? tls.connect({ port, host: HOST, rejectUnauthorized: false })
    : net.connect({ port, host: HOST });
  const stream = { heard: 0, over: null as string | null, close: () => socket.destroy() };
  socket.on('error', (e: NodeJS.ErrnoException) => {
    stream.over ??= e.code ?? e.message;
  });
  socket.on('close', () => {
    stream.over ??= 'close';
  });
  socket.on('data', (c) => {
    stream.heard += c.length;
  });
  await once(socket, 'data');
  return stream;
}

/** One new request: which origin answered, and by which certificate; rejects when it fails. */
export function request(
  port: number,
  secure: boolean,
): Promise<{ origin: string; serial: string | undefined }> {
  return new Promise((resolve, reject) => {
    const socket = secure
      ? tls.connect({ port, host: HOST, rejectUnauthorized: false })
      : net.connect({ port, host: HOST });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed without an answer')));
    socket.once('data', (c) => {
      const serial =
        socket instanceof tls.TLSSocket ? socket.getPeerX509Certificate()?.serialNumber : undefined;
      resolve({ origin: String(c).replaceAll('.', ''), serial });
      // A reset leaves no port waiting behind.
      if (secure) socket.destroy();
      else socket.resetAndDestroy();
    });
  });
}

/** New requests one after the other until it is stopped; how many there were and what went wrong. */
export function keepAsking(ports: readonly { port: number; secure: boolean }[]): {
  stop: () => Promise<{ asked: number; failed: readonly string[] }>;
} {
  let going = true;
  let asked = 0;
  const failed: string[] = [];
  const loop = async ({ port, secure }: { port: number; secure: boolean }): Promise<void> => {
    while (going) {
      asked += 1;
      await request(port, secure).catch((e: unknown) => failed.push(String(e)));
      await new Promise((r) => setTimeout(r, 20));
    }
  };
  const loops = ports.map(loop);
  return {
    stop: async () => {
      going = false;
      await Promise.all(loops);
      return { asked, failed };
    },
  };
}

/** An engine as it is installed, with its workers, and a client of it. */
export class LiveEngine {
  readonly dir: string;
  readonly socket: string;
  readonly child: ChildProcess;
  readonly engine: Engine;
  text = '';

  static async start(workers: number, program = ENGINE): Promise<LiveEngine> {
    const dir = await mkdtemp(join(tmpdir(), 'aicdn-live-'));
    const live = new LiveEngine(dir, workers, program);
    await new Promise<void>((r) => live.engine.onLink((up) => up && r()));
    await live.until((i) => i.workers?.length === workers);
    return live;
  }

  private constructor(dir: string, workers: number, program: string) {
    this.dir = dir;
    this.socket = join(dir, 'run', 'engine.sock');
    const flags = ['--socket', this.socket, '--workers', String(workers)];
    this.child = spawn(process.execPath, [program, ...flags], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child.stderr?.on('data', (c) => {
      this.text += c;
    });
    this.engine = createEmbeddedEngine({ socket: this.socket });
  }

  /** Asks until it is so; calls that fail while control is away are asked again. */
  async until(so: (info: EngineInfo) => boolean): Promise<EngineInfo> {
    for (;;) {
      const info = await this.engine.info().catch(() => null);
      if (info !== null && so(info)) return info;
      if (this.child.exitCode !== null) throw new Error(`the engine ended: ${this.text}`);
      await new Promise((r) => setTimeout(r, 20));
    }
  }

  async apply(yaml: string, identity?: EngineIdentity): Promise<ApplyResult> {
    const read = readDocument(yaml);
    if (!read.ok) throw new Error(JSON.stringify(read.refusals));
    const { document } = read;
    const { generation } = await this.engine.info();
    return this.engine.apply({
      document,
      hash: configHash(document),
      baseGeneration: generation,
      identity: identity ?? { certFile: '', keyFile: '', caFile: '' },
    });
  }

  /** Processes of this engine but the primary. */
  async pids(): Promise<{ data: number[]; control: number }> {
    const info = await this.engine.info();
    const data = (info.workers ?? []).map((w) => w.pid);
    const children = await childrenOf(this.child.pid ?? 0);
    const control = children.find((p) => !data.includes(p));
    return { data, control: control ?? 0 };
  }

  async stop(): Promise<void> {
    this.engine.close();
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const exit = once(this.child, 'exit');
      this.child.kill('SIGTERM');
      const late = setTimeout(() => this.child.kill('SIGKILL'), 5_000);
      await exit;
      clearTimeout(late);
    }
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** The same program under another version and another path. */
export async function release(live: LiveEngine, version: string): Promise<string> {
  const file = join(live.dir, version, 'engine.mjs');
  await mkdir(dirname(file));
  if (version === VERSION) await copyFile(ENGINE, file);
  const text = await readFile(ENGINE, 'utf8');
  await writeFile(file, text.replace(`VERSION = "${VERSION}"`, `VERSION = "${version}"`));
  return file;
}

export async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}
