import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CAPABILITIES } from '../../agent/engine/embedded/app.ts';
import { freePorts } from '../../scripts/demo/ports.ts';
import { startBareEngine } from '../harness/bare-engine.ts';
import { buildGoPeer, type GoPeer } from '../harness/go-peer.ts';
import { SteppedOrigin } from '../harness/origin.ts';
import type { Running } from '../harness/running.ts';
import { createTestCa } from '../harness/test-ca.ts';
import {
  isMux,
  isWebSocket,
  type TlsFilePaths,
  TRANSPORTS,
  type Transport,
  transportFlags,
  transportYaml,
} from '../harness/transports.ts';

// Our engine against a peer made of the libraries gost stands on, both ways. The rows follow from what the engine
// says it carries: a new transport is in the matrix as soon as it is a capability.

const HOST = '127.0.0.1';
const AUTH = { good: 'edge:s3', bad: 'edge:s4' };
/** Where a stream ends up: one origin each, and one with the wrong password. */
const LANES = ['echo', 'events', 'asking', 'dead', 'wrong'] as const;
type Lane = (typeof LANES)[number];
type Ports = Record<Lane, number>;

interface Row {
  readonly ours: 'core' | 'edge';
  readonly transport: Transport;
  readonly mode: 'relay' | 'forward';
  readonly auth: boolean;
  readonly mux: 1 | 2;
  readonly title: string;
}

function rows(capabilities: readonly string[]): Row[] {
  const has = (name: string): boolean => capabilities.includes(name);
  const all: Row[] = [];
  for (const ours of ['core', 'edge'] as const) {
    for (const transport of TRANSPORTS) {
      for (const mode of ['relay', 'forward'] as const) {
        const needs =
          ours === 'core'
            ? [`listener.${transport}`, `handler.${mode}`]
            : [`dialer.${transport}`, `connector.${mode}`];
        if (!needs.every(has)) continue;
        for (const auth of mode === 'relay' ? [false, true] : [false]) {
          // We read smux v1 and v2, and speak v2: v1 has no window a stream.
          for (const mux of isMux(transport) && ours === 'core' ? ([1, 2] as const) : ([2] as const)) {
            const title = [
              ours === 'core' ? 'Go edge, our core' : 'our edge, Go core',
              isMux(transport) ? `${transport} smux v${mux}` : transport,
              mode,
              ...(auth ? ['auth'] : []),
            ].join(', ');
            all.push({ ours, transport, mode, auth, mux, title });
          }
        }
      }
    }
  }
  return all;
}

const ROWS = rows(CAPABILITIES);

let go: GoPeer;
let dir: string;
let files: TlsFilePaths;
let events: SteppedOrigin;
let echo: net.Server;
let asking: net.Server;
/** What the `asking` origin has read until the client's end. */
let heard: ((text: string) => void) | null = null;
let dead: number;

beforeAll(async () => {
  go = await buildGoPeer();
  dir = await mkdtemp(join(tmpdir(), 'aicdn-peers-'));
  const ca = await createTestCa();
  const { cert, key } = await ca.issue('peer', { dns: 'peer.test' });
  files = { certFile: join(dir, 'cert.pem'), keyFile: join(dir, 'key.pem'), caFile: join(dir, 'ca.pem') };
  await writeFile(files.certFile, cert);
  await writeFile(files.keyFile, key, { mode: 0o600 });
  await writeFile(files.caFile, ca.ca);
  events = await SteppedOrigin.start();
  echo = await listening((s) => s.pipe(s));
  asking = await listening((s) => {
    let text = '';
    s.on('data', (c) => {
      text += c;
    });
    s.on('end', () => {
      heard?.(text);
      s.end(`you said ${text}`);
    });
  });
  [dead = 0] = await freePorts(1);
});

afterAll(async () => {
  await events?.stop();
  echo?.close();
  asking?.close();
  await go?.remove();
  await rm(dir, { recursive: true, force: true });
});

async function listening(each: (socket: net.Socket) => void): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    each(socket);
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  return server;
}

function portOf(server: net.Server): number {
  return (server.address() as net.AddressInfo).port;
}

function originOf(lane: Lane): number {
  if (lane === 'events') return events.port;
  if (lane === 'asking') return portOf(asking);
  return lane === 'dead' ? dead : portOf(echo);
}

function lanesOf(row: Row): readonly Lane[] {
  return row.auth ? LANES : LANES.filter((l) => l !== 'wrong');
}

/** Both sides of a row started: a port of the edge for each lane. */
async function start(row: Row, own: string): Promise<{ ports: Ports; engine: Running; all: Running[] }> {
  const lanes = lanesOf(row);
  const ports: Partial<Ports> = {};
  const all: Running[] = [];
  const flags = [...transportFlags(row.transport, { tls: files, mux: row.mux }), '-mode', row.mode];
  const side = { tls: files, serverName: 'peer.test' };
  const services: string[] = [];
  const free = await freePorts(lanes.length);
  if (row.ours === 'core') {
    const listener = transportYaml('listener', row.transport, side);
    lanes.forEach((lane, i) => {
      const handler = `{type: ${row.mode}${row.auth ? ', auther: edges' : ''}}`;
      services.push(
        `- {name: ${lane}, addr: "${HOST}:${free[i]}", handler: ${handler}, listener: ${listener}, ` +
          `forwarder: {nodes: [{name: o, addr: "${HOST}:${originOf(lane)}"}]}}`,
      );
    });
    const authers = row.auth ? '\nauthers: [{name: edges, auths: [{username: edge, password: "s3"}]}]' : '';
    const engine = await startBareEngine({
      dir: own,
      document: `services:\n${services.join('\n')}${authers}\n`,
    });
    all.push(engine);
    for (const [i, lane] of lanes.entries()) {
      const auth = row.auth ? ['-auth', lane === 'wrong' ? AUTH.bad : AUTH.good] : [];
      const peer = await go.start('edge', '-dial', `${HOST}:${free[i]}`, ...flags, ...auth);
      all.push(peer);
      ports[lane] = peer.port;
    }
    return { ports: ports as Ports, engine, all };
  }
  const hops: string[] = [];
  for (const [i, lane] of lanes.entries()) {
    const target = `${HOST}:${originOf(lane)}`;
    const auth = row.auth ? ['-auth', lane === 'wrong' ? AUTH.bad : AUTH.good] : [];
    const peer = await go.start('core', '-target', target, ...flags, ...auth);
    all.push(peer);
    const connector = `{type: ${row.mode}${row.auth ? ', auth: {username: edge, password: "s3"}' : ''}}`;
    const dialer = transportYaml('dialer', row.transport, side);
    services.push(
      `- {name: ${lane}, addr: "${HOST}:${free[i]}", handler: {type: tcp, chain: ${lane}}, listener: {type: tcp}}`,
    );
    hops.push(
      `- {name: ${lane}, nodes: [{name: n, addr: "${HOST}:${peer.port}", connector: ${connector}, dialer: ${dialer}}]}`,
    );
    ports[lane] = free[i] as number;
  }
  const chains = lanes.map((l) => `{name: ${l}, hops: [{name: ${l}}]}`).join(', ');
  const document = `services:\n${services.join('\n')}\nchains: [${chains}]\nhops:\n${hops.join('\n')}\n`;
  const engine = await startBareEngine({ dir: own, document });
  all.push(engine);
  return { ports: ports as Ports, engine, all };
}

interface Said {
  readonly length: number;
  readonly hash: string;
  readonly text: string;
  /** `end`: in good order; else the error. */
  readonly how: string;
}

/** Sends all of it, reads until `enough` bytes or the end, and says what came. */
async function talk(port: number, send: readonly Buffer[], enough: number): Promise<Said> {
  const socket = net.connect({ port, host: HOST, allowHalfOpen: true, noDelay: true });
  const hash = createHash('sha256');
  let length = 0;
  let text = '';
  let how = 'close';
  socket.on('error', (e: NodeJS.ErrnoException) => {
    how = e.code ?? e.message;
  });
  socket.on('end', () => {
    how = 'end';
    socket.end();
  });
  socket.on('data', (c) => {
    hash.update(c);
    length += c.length;
    if (text.length < 256) text += c.toString('latin1').slice(0, 256);
    if (length >= enough) socket.end();
  });
  const closed = once(socket, 'close').catch(() => undefined);
  for (const piece of send) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain').catch(() => undefined), closed]);
  }
  if (enough === 0) socket.end();
  await closed;
  return { length, hash: hash.digest('hex'), text, how };
}

function hashOf(pieces: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const p of pieces) hash.update(p);
  return hash.digest('hex');
}

it('the matrix holds at least what the first engine carried', () => {
  const known = ['core', 'edge'].flatMap((ours) =>
    ['tcp', 'tls'].flatMap((transport) => [false, true].map((auth) => ({ ours, transport, auth }))),
  );
  for (const row of known) expect(ROWS).toContainEqual(expect.objectContaining({ ...row, mode: 'relay' }));
  expect(new Set(ROWS.map((r) => r.title)).size).toBe(ROWS.length);
});

describe.each(ROWS)('$title', { timeout: 30_000 }, (row) => {
  let own: string;
  let ports: Ports;
  let engine: Running;
  let all: Running[] = [];

  beforeAll(async () => {
    own = await mkdtemp(join(tmpdir(), 'aicdn-row-'));
    ({ ports, engine, all } = await start(row, own));
  });

  afterAll(async () => {
    for (const r of all) await r.stop();
    await rm(own, { recursive: true, force: true });
  });

  it('carries 0, 1, 65,535 and 65,537 bytes as they are', { timeout: 15_000 }, async () => {
    for (const n of [0, 1, 65_535, 65_537]) {
      const bytes = randomBytes(n);
      const { length, hash } = await talk(ports.echo, n === 0 ? [] : [bytes], n);
      expect({ n, length, hash }).toEqual({ n, length: n, hash: hashOf([bytes]) });
    }
  });

  it('carries 64 MB both ways at once', async () => {
    const piece = randomBytes(1 << 20);
    // Every piece differs from the others, so that one in the wrong place shows.
    const pieces = Array.from({ length: 64 }, (_, i) => Buffer.concat([Buffer.from([i]), piece.subarray(1)]));
    const { length, hash } = await talk(ports.echo, pieces, 64 << 20);
    expect(length).toBe(64 << 20);
    expect(hash).toBe(hashOf(pieces));
  });

  it('holds no token back', async () => {
    const asked = events.next();
    const words = Array.from({ length: 50 }, (_, i) => `token-${i}`);
    const req = request({ port: ports.events, host: HOST, agent: false, method: 'POST' });
    req.end('{}');
    const answer = await asked;
    answer.begin();
    const [res] = (await once(req, 'response')) as [NodeJS.ReadableStream];
    const seen: string[] = [];
    answer.token(words[0] ?? '');
    let text = '';
    for await (const chunk of res) {
      text += String(chunk);
      const got = [...text.matchAll(/"content":"([^"]*)"/g)].map((m) => m[1] ?? '');
      if (got.length === seen.length) continue;
      seen.push(...got.slice(seen.length));
      // The next one leaves only now: a token held back would stop the test here.
      if (seen.length < words.length) answer.token(words[seen.length] ?? '');
      else answer.end();
    }
    expect(seen).toEqual(words);
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  it('hands the end of one direction on, as far as the transport can say it', async () => {
    const question = new Promise<string>((r) => {
      heard = r;
    });
    const { text, how } = await talkThenEnd(ports.asking, 'something');
    // A Go edge closes the whole of a TLS or websocket connection with one direction, as gost does: no answer.
    // A websocket has no half of its own: from a peer that does not know our seal, our edge keeps an end while it sees
    // that an answer is due, or hears one, and this origin waits for the end.
    const whole = row.ours === 'core' ? row.transport !== 'tcp' : isWebSocket(row.transport);
    if (whole && !isMux(row.transport)) {
      expect(text).toBe('');
      return;
    }
    expect({ text, how }).toEqual({ text: 'you said something', how: 'end' });
    expect(await question).toBe('something');
  });

  // This origin, as many do, takes an end for a client that left: only an end held back brings an answer.
  if (row.ours === 'edge' && isWebSocket(row.transport) && !isMux(row.transport))
    it('answers a client that has ended its own direction', async () => {
      const asked = events.next();
      const over = talkThenEnd(ports.events, 'GET / HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n');
      const answer = await asked;
      // Time for the end to come through, if anything hands it on.
      await new Promise((r) => setTimeout(r, 200));
      answer.begin();
      answer.token('late');
      answer.end();
      const { text, how } = await over;
      expect(text).toContain('"content":"late"');
      expect(text.includes('data: [DONE]')).toBe(true);
      expect(how).toBe('end');
    });

  it('turns a refusal by the origin into an error of the client', async () => {
    const { length, how } = await talk(ports.dead, [Buffer.from('GET / HTTP/1.1\r\n\r\n')], 1);
    expect(length).toBe(0);
    // Ours resets, so that nobody takes it for an empty answer; gost's way is a plain close, and without a relay
    // header that close is all a Go core can say.
    if (row.ours === 'edge' && row.mode === 'relay') expect(how).toBe('ECONNRESET');
    await expect(get(ports.dead)).rejects.toThrow(/socket hang up|ECONNRESET/);
    if (row.ours === 'core') await engine.wrote(/service dead.*ECONNREFUSED/);
    else if (row.mode === 'relay') await engine.wrote(/service dead.*unavailable/);
  });

  if (row.auth) {
    it('lets nobody in with a wrong password', async () => {
      await expect(get(ports.wrong)).rejects.toThrow(/socket hang up|ECONNRESET/);
      await engine.wrote(
        row.ours === 'core' ? /service wrong.*wrong user or password/ : /service wrong.*unauthori[sz]ed/,
      );
    });
  }
});

/** Says its word, ends its own direction, and reads what still comes. */
async function talkThenEnd(port: number, word: string): Promise<{ text: string; how: string }> {
  const socket = net.connect({ port, host: HOST, allowHalfOpen: true });
  let text = '';
  let how = 'close';
  socket.on('data', (c) => {
    text += c;
  });
  socket.on('end', () => {
    how = 'end';
  });
  socket.on('error', (e: NodeJS.ErrnoException) => {
    how = e.code ?? e.message;
  });
  socket.end(word);
  await once(socket, 'close').catch(() => undefined);
  return { text, how };
}

function get(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const req = request({ port, host: HOST, agent: false }, (res) => {
      res.resume();
      res.on('end', () => resolve(res.statusCode ?? 0));
      res.on('error', reject);
    });
    req.on('error', reject);
    req.end();
  });
}
