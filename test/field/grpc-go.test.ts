import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EnrolmentService } from '../../daemon/service/api.ts';
import { AgentTransport } from '../../daemon/transport/grpc/agent-service.ts';
import { AgentSessions } from '../../daemon/transport/grpc/agent-sessions.ts';
import {
  AgentServiceService,
  ConnectRequest,
  ConnectResponse,
  EnrollRequest,
  EnrollResponse,
} from '../../proto/gen/aicdn/v1/agent.ts';
import { ConsoleServiceService } from '../../proto/gen/aicdn/v1/console.ts';
import { decodeDown } from '../../proto/link/codec-down.ts';
import { encodeEnrol, encodeUp } from '../../proto/link/codec-up.ts';
import { MASTER_TLS_NAME } from '../../proto/link/tls.ts';
import type { AgentDown, AgentUp } from '../../proto/vocab/agent-link.ts';
import type { NodeName, VersionLabel } from '../../proto/vocab/ids.ts';
import { type Issued, type TestCa, testCa } from '../fakes/certificates.ts';
import {
  enrolmentTwin,
  HASH,
  heardEvents,
  hello,
  memoryLog,
  realClock,
  realRandom,
} from '../fakes/services.ts';
import { buildGo } from '../harness/go-peer.ts';
import { Running } from '../harness/running.ts';

// The agents' port answers whoever speaks gRPC, not only our own agent's library: grpc-go over mutual TLS.

const CONNECT = AgentServiceService.connect.path;
let go: Awaited<ReturnType<typeof buildGo>>;
let ca: TestCa;
let hk1: Issued;
let files: { readonly dir: string; readonly flags: readonly string[] };
beforeAll(async () => {
  [go, ca] = await Promise.all([buildGo('./grpc'), testCa()]);
  hk1 = await ca.issue({ uri: 'spiffe://ai-cdn/node/hk-1' });
  const dir = await mkdtemp(path.join(tmpdir(), 'aicdn-grpc-'));
  const texts = { cert: hk1.certificatePem, key: hk1.keyPem, ca: ca.pem };
  const flags: string[] = ['-name', MASTER_TLS_NAME];
  for (const [name, text] of Object.entries(texts)) {
    const file = path.join(dir, name);
    await writeFile(file, text, { mode: 0o600 });
    flags.push(`-${name}`, file);
  }
  files = { dir, flags };
});
afterAll(async () => {
  await rm(files.dir, { recursive: true, force: true });
  await go.remove();
});
const toStop: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

async function master(enrolment: Partial<EnrolmentService> = {}) {
  const sessions = new AgentSessions();
  const heard = heardEvents();
  const server = await ca.issue({ dns: [MASTER_TLS_NAME] });
  const listener = {
    ...{ host: '127.0.0.1', port: 0, caPem: ca.pem },
    ...{ certificatePem: server.certificatePem + ca.pem, keyPem: server.keyPem },
  };
  const transport = new AgentTransport(
    { listener, storeId: 'store-1', heartbeatMs: 1000, reportMs: 2000 },
    {
      sessions,
      services: { agents: heard, enrolment: enrolmentTwin(enrolment) },
      ...{ log: memoryLog(), clock: realClock, random: realRandom },
    },
  );
  const { port } = await transport.start();
  toStop.push(() => transport.stop());
  return { address: `127.0.0.1:${port}`, transport, sessions, heard };
}

function call(address: string, method: string = CONNECT, ...flags: string[]) {
  const peer = new Running(go.binary, ['-addr', address, '-method', method, ...files.flags, ...flags]);
  toStop.push(() => peer.stop());
  let sequence = 0;
  const bytes = (message: Uint8Array): void => peer.tell(`${Buffer.from(message).toString('hex')}\n`);
  return {
    bytes,
    say(body: AgentUp): void {
      sequence += 1;
      bytes(ConnectRequest.encode(encodeUp({ instanceUid: '11'.repeat(16), sequence, body })).finish());
    },
    end: () => peer.tell('end\n'),
    /** Whole lines that have come so far. */
    got: (): Buffer[] =>
      [...peer.text.matchAll(/^message ([0-9a-f]*)$/gm)].map(([, hex = '']) => Buffer.from(hex, 'hex')),
    async next<K extends AgentDown['kind']>(kind: K): Promise<Extract<AgentDown, { kind: K }>> {
      for (let after = 0; ; ) {
        const all = this.got().map((m) => decodeDown(ConnectResponse.decode(m)).body);
        const hit = all.find((m) => m.kind === kind);
        if (hit) return hit as never;
        after = all.length;
        await peer.wrote(new RegExp(`(?:^message [0-9a-f]*\\n(?:.*\\n)*){${after + 1}}`, 'm'));
      }
    },
    /** `[code, text]` */
    async status(): Promise<readonly [number, string]> {
      const line = await peer.wrote(/^status (\d+ ".*")$/m);
      const at = line.indexOf(' ');
      return [Number(line.slice(0, at)), JSON.parse(line.slice(at + 1)) as string];
    },
  };
}

const beat: AgentUp = { kind: 'heartbeat', sentAt: 1, health: 'ok', engine: null };

describe('grpc-go, with a node’s certificate', () => {
  it('holds a conversation: welcome, offers, a config that is larger than its window, and its end', async () => {
    const m = await master();
    const a = call(m.address);
    expect(await a.next('welcome')).toMatchObject({ node: 'hk-1', storeId: 'store-1' });
    a.say({ kind: 'hello', ...hello });
    expect(await a.next('offers')).toMatchObject({ heartbeatMs: 1000, reportMs: 2000 });
    for (let i = 0; i < 100; i++) a.say(beat);
    await m.heard.until('heartbeat', 100);
    const body = Buffer.alloc(200 * 1024, 'x');
    m.sessions.offerConfig('hk-1' as NodeName, {
      ...{ hash: HASH, version: 'v1' as VersionLabel, revision: 3, body, sealed: [], retry: 0 },
      rollbackMs: null,
    });
    expect(Buffer.from((await a.next('remote_config')).body).equals(body)).toBe(true);
    a.end();
    expect(await a.status()).toEqual([0, '']);
    await m.heard.until('disconnected');
    expect(m.heard.calls.map((c) => c.method)).toEqual([
      'connected',
      ...Array.from({ length: 100 }, () => 'heartbeat'),
      'disconnected',
    ]);
  });

  it('is refused in words', async () => {
    const m = await master({ admit: () => 'unknown' });
    const [code, text] = await call(m.address).status();
    expect([code, text]).toEqual([16, 'no node hk-1 is known here; join it with a token']);
  });

  it('finds no console, and nothing that there is not', async () => {
    const m = await master();
    const list = await call(m.address, ConsoleServiceService.listNodes.path).status();
    expect(list).toEqual([7, "this is node hk-1: a node's certificate is no way to the console"]);
    expect(await call(m.address, '/x.Y/Z').status()).toEqual([12, 'there is no /x.Y/Z here']);
  });

  it('may not compress, nor say more than 256 KiB at once', async () => {
    const m = await master();
    const zipped = call(m.address, CONNECT, '-gzip');
    zipped.say({ kind: 'hello', ...hello });
    expect(await zipped.status()).toEqual([12, 'compressed messages are not taken']);
    const long = call(m.address);
    await long.next('welcome');
    long.bytes(Buffer.alloc(256 * 1024 + 1));
    expect(await long.status()).toEqual([8, 'a message of 262145 bytes; 262144 is the most']);
    expect(m.heard.calls).toEqual([]);
  });

  it('hears that the master stops, and when to come back', async () => {
    const m = await master();
    const a = call(m.address);
    a.say({ kind: 'hello', ...hello });
    await m.heard.until('connected');
    await m.transport.stop();
    expect(await a.next('unavailable')).toMatchObject({ retryAfterMs: 1000 });
    expect((await a.status())[0]).toBe(0);
  });

  it('enrols again with a token, in one message and no more', async () => {
    const m = await master({
      enrol: (args) =>
        Promise.resolve({
          node: args.name as NodeName,
          issued: { chainDer: [Buffer.from('leaf'), ca.der], serial: '01', notAfter: 9 },
          renewAfter: 5,
        }),
    });
    const request = EnrollRequest.encode(
      encodeEnrol({
        ...{ tokenId: 't1', tokenSecret: 's'.repeat(32), csrDer: Buffer.from('csr'), name: 'hk-1' },
        ...{ nodeType: 'edge', region: 'hk', labels: {}, agentVersion: '0.1.0' },
      }),
    ).finish();
    const path = AgentServiceService.enroll.path;
    const once = call(m.address, path);
    once.bytes(request);
    once.end();
    expect(await once.status()).toEqual([0, '']);
    const [reply = Buffer.alloc(0)] = once.got();
    expect(EnrollResponse.decode(reply)).toMatchObject({ node: 'hk-1' });
    const none = call(m.address, path);
    none.end();
    expect(await none.status()).toEqual([3, 'the request has no message']);
  });
});
