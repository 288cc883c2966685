import { connect as http2Connect } from 'node:http2';
import { connect as netConnect } from 'node:net';
import { Duplex } from 'node:stream';
import { createServer as createTlsServer, connect as tlsConnect } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ConnectResponse, RemoteConfig } from '../../../proto/gen/aicdn/v1/agent.ts';
import { encodeUp } from '../../../proto/link/codec-up.ts';
import { type AgentStream, dialMaster, enrol, openAgentStream } from '../../../proto/link/dial.ts';
import { OFFER_GZIP } from '../../../proto/link/offer-body.ts';
import { fetchPinnedCa, type LinkCredentials, MASTER_TLS_NAME } from '../../../proto/link/tls.ts';
import type { AgentUp, DownEnvelope } from '../../../proto/vocab/agent-link.ts';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { NodeName, VersionLabel } from '../../../proto/vocab/ids.ts';
import { type Issued, type TestCa, testCa } from '../../../test/fakes/certificates.ts';
import {
  enrolmentTwin,
  HASH,
  heardEvents,
  hello,
  memoryLog,
  realClock,
  realRandom,
} from '../../../test/fakes/services.ts';
import type { EnrolmentService } from '../../service/api.ts';
import type { AdmissionSettings } from './admission.ts';
import { AgentTransport } from './agent-service.ts';
import { AgentSessions } from './agent-sessions.ts';

const DAY = 86_400_000;
const spiffe = (name: string): string => `spiffe://ai-cdn/node/${name}`;

let ca: TestCa;
let other: TestCa;
let server: Issued;
let hk1: Issued;
beforeAll(async () => {
  ca = await testCa();
  other = await testCa(); // another key under the same name
  server = await ca.issue({ dns: [MASTER_TLS_NAME] });
  hk1 = await ca.issue({ uri: spiffe('hk-1') });
});

interface Running {
  readonly address: string;
  readonly transport: AgentTransport;
  readonly sessions: AgentSessions;
  readonly heard: ReturnType<typeof heardEvents>;
  readonly log: ReturnType<typeof memoryLog>;
}
const toStop: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});
afterAll(() => expect(toStop).toHaveLength(0));

async function master(
  over: {
    enrolment?: Partial<EnrolmentService>;
    serverCa?: TestCa;
    admission?: Partial<AdmissionSettings>;
    idleMs?: number;
    handshakeMs?: number;
    fleet?: () => number;
  } = {},
): Promise<Running> {
  const sessions = new AgentSessions();
  const heard = heardEvents();
  const log = memoryLog();
  const transport = new AgentTransport(
    {
      listener: {
        host: '127.0.0.1',
        port: 0,
        certificatePem: server.certificatePem + ca.pem,
        keyPem: server.keyPem,
        caPem: ca.pem,
        ...(over.admission ? { admission: over.admission } : {}),
        ...(over.idleMs ? { idleMs: over.idleMs } : {}),
        ...(over.handshakeMs ? { handshakeMs: over.handshakeMs } : {}),
      },
      storeId: 'store-1',
      heartbeatMs: 1000,
      reportMs: 2000,
    },
    {
      sessions,
      services: { agents: heard, enrolment: enrolmentTwin(over.enrolment ?? {}) },
      ...(over.fleet ? { fleet: over.fleet } : {}),
      log,
      clock: realClock,
      random: realRandom,
    },
  );
  const { port } = await transport.start();
  toStop.push(() => transport.stop());
  return { address: `127.0.0.1:${port}`, transport, sessions, heard, log };
}

interface Agent {
  readonly got: DownEnvelope[];
  readonly closed: Promise<AppError>;
  say(body: AgentUp, sequence?: number): void;
  next<K extends DownEnvelope['body']['kind']>(
    kind: K,
  ): Promise<DownEnvelope & { body: Extract<DownEnvelope['body'], { kind: K }> }>;
  readonly stream: AgentStream;
}

function agent(address: string, identity: Issued | null, trust: TestCa = ca): Agent {
  const got: DownEnvelope[] = [];
  let waiters: (() => void)[] = [];
  let sequence = 0;
  const wake = (): void => {
    const all = waiters;
    waiters = [];
    for (const w of all) w();
  };
  const { promise: closed, resolve } = Promise.withResolvers<AppError>();
  const credentials: LinkCredentials = { caPem: trust.pem, identity };
  const stream = openAgentStream(address, credentials, {
    onMessage(m) {
      got.push(m);
      wake();
    },
    onDrain() {},
    onClosed: resolve,
  });
  toStop.push(() => stream.close());
  const read = new Set<DownEnvelope>();
  return {
    got,
    closed,
    stream,
    say(body, at) {
      sequence = at ?? sequence + 1;
      stream.send({ instanceUid: '11'.repeat(16), sequence, body });
    },
    async next(kind) {
      for (;;) {
        const hit = got.find((m) => m.body.kind === kind && !read.has(m));
        if (hit) {
          read.add(hit);
          return hit as never;
        }
        await new Promise<void>((resolve) => waiters.push(resolve));
      }
    },
  };
}

/** An agent that looks at offers as they are on the wire. */
function wireOf(
  address: string,
  identity: Issued,
): { say(body: AgentUp): void; config(): Promise<RemoteConfig>; end(): void } {
  const client = dialMaster(address, { caPem: ca.pem, identity });
  const call = client.connect();
  toStop.push(() => client.close());
  toStop.push(() => call.cancel());
  call.on('error', () => {});
  const messages: AsyncIterator<ConnectResponse> = call[Symbol.asyncIterator]();
  let sequence = 0;
  return {
    say(body) {
      sequence += 1;
      call.write(encodeUp({ instanceUid: '22'.repeat(16), sequence, body }));
    },
    async config() {
      for (;;) {
        const { value, done } = await messages.next();
        if (done) throw new Error('the master ended the stream');
        if (value.body?.$case === 'remoteConfig') return value.body.value;
      }
    },
    end: () => call.end(),
  };
}

const beat: AgentUp = { kind: 'heartbeat', sentAt: 1, health: 'ok', engine: null };
const offer = {
  ...{ hash: HASH, version: 'v1' as VersionLabel, revision: 3, body: Buffer.from('services: []') },
  sealed: [],
  retry: 0,
  rollbackMs: null,
};

describe('who is refused, and told why', () => {
  async function refusal(identity: Issued | null): Promise<{ said: AppError; logged: string }> {
    const m = await master();
    const said = await agent(m.address, identity).closed;
    expect(m.heard.calls).toEqual([]);
    expect(m.transport.listener.refusals.session).toBe(1);
    return { said, logged: m.log.lines.map((l) => `${l.message} ${l.fields}`).join('\n') };
  }

  test('no certificate', async () => {
    const { said, logged } = await refusal(null);
    expect(said).toMatchObject({ code: 'unauthenticated', message: 'no certificate was shown' });
    expect(logged).toContain('127.0.0.1');
  });

  test('a certificate of another CA with the same name', async () => {
    const { said } = await refusal(await other.issue({ uri: spiffe('hk-1') }));
    expect(said).toMatchObject({ code: 'unauthenticated', message: 'the certificate is from another CA' });
  });

  test('another CA and expired: not taken for merely expired', async () => {
    const { said } = await refusal(
      await other.issue({
        uri: spiffe('hk-1'),
        notBefore: new Date(Date.now() - 3 * DAY),
        notAfter: new Date(Date.now() - DAY),
      }),
    );
    expect(said.message).toBe('the certificate is from another CA');
  });

  test('expired for more than 30 days', async () => {
    const { said } = await refusal(
      await ca.issue({
        uri: spiffe('hk-1'),
        notBefore: new Date(Date.now() - 50 * DAY),
        notAfter: new Date(Date.now() - 31 * DAY),
      }),
    );
    expect(said.code).toBe('unauthenticated');
    expect(said.message).toContain('expired at');
  });

  test('not valid yet', async () => {
    const { said } = await refusal(
      await ca.issue({
        uri: spiffe('hk-1'),
        notBefore: new Date(Date.now() + DAY),
        notAfter: new Date(Date.now() + 2 * DAY),
      }),
    );
    expect(said.message).toContain('check the clock');
  });

  test('a certificate that names no node: the master’s own', async () => {
    const { said } = await refusal(server);
    expect(said.message).toBe('the certificate names no node');
  });

  test.each(['unknown', 'revoked', 'replaced'] as const)('%s in the registry', async (verdict) => {
    const m = await master({ enrolment: { admit: () => verdict } });
    const said = await agent(m.address, hk1).closed;
    expect(said.code).toBe('unauthenticated');
    expect(said.message).toContain(verdict === 'unknown' ? 'no node hk-1 is known' : verdict);
  });

  test('TLS 1.1 ends at the handshake, logged with the address', async () => {
    const m = await master();
    const { host, port } = { host: '127.0.0.1', port: Number(m.address.split(':')[1]) };
    await new Promise<void>((resolve) => {
      const socket = tlsConnect({
        host,
        port,
        servername: MASTER_TLS_NAME,
        minVersion: 'TLSv1.1',
        maxVersion: 'TLSv1.1',
        ciphers: 'DEFAULT@SECLEVEL=0',
        rejectUnauthorized: false,
        ALPNProtocols: ['h2'],
      });
      socket.on('error', () => {});
      socket.on('secureConnect', () => expect.unreachable('TLS 1.1 was let in'));
      socket.on('close', () => resolve());
    });
    expect(m.transport.listener.refusals.tls).toBe(1);
    expect(m.log.lines[0]?.fields).toContain('127.0.0.1');
  });

  test('a name in a message that is not the certificate’s', async () => {
    const m = await master();
    const a = agent(m.address, hk1);
    a.say({ kind: 'hello', ...hello, labels: { node: 'sg-9' } });
    expect((await a.closed).code).toBe('forbidden');
    expect(m.heard.calls).toEqual([]);
    expect(m.log.lines.some((l) => l.level === 'warn' && l.fields.includes('sg-9'))).toBe(true);
  });
});

describe('a conversation', () => {
  test('welcome, hello, offers; then what the agent says in its order', async () => {
    const m = await master();
    const a = agent(m.address, hk1);
    const welcome = await a.next('welcome');
    expect(welcome.body).toMatchObject({ node: 'hk-1', storeId: 'store-1' });
    a.say({ kind: 'hello', ...hello });
    expect((await a.next('offers')).body).toMatchObject({
      heartbeatMs: 1000,
      reportMs: 2000,
      chainDer: null,
    });
    a.say(beat);
    a.say({ kind: 'events', events: [{ at: 5, kind: 'x', text: 'y' }] });
    await m.heard.until('events');
    expect(m.heard.calls.map((c) => [c.method, c.name])).toEqual([
      ['connected', 'hk-1'],
      ['heartbeat', 'hk-1'],
      ['events', 'hk-1'],
    ]);
    expect(m.sessions.connected('hk-1' as NodeName)).toBe(true);
    a.stream.close();
    await m.heard.until('disconnected');
    expect(m.sessions.connected('hk-1' as NodeName)).toBe(false);
  });

  test('what waits to be taken together is taken before what follows it, and before its end', async () => {
    const m = await master();
    const w = wireOf(m.address, hk1);
    w.say({ kind: 'hello', ...hello });
    await m.heard.until('connected');
    const from = Date.now();
    w.say(beat);
    w.say(beat);
    w.say({ kind: 'events', events: [] });
    w.say(beat);
    w.end();
    await m.heard.until('disconnected');
    const said = m.heard.calls.slice(1);
    expect(said.map((c) => c.method)).toEqual([
      'heartbeat',
      'heartbeat',
      'events',
      'heartbeat',
      'disconnected',
    ]);
    // With when it came.
    const [health, engine, sentAt, at] = said[0]?.args ?? [];
    expect({ health, engine, sentAt }).toEqual({ health: 'ok', engine: null, sentAt: 1 });
    expect(at).toBeGreaterThanOrEqual(from);
    expect(at).toBeLessThanOrEqual(Date.now());
  });

  test('a fleet that has grown is heard of less often, and who is looked at goes on reporting each second', async () => {
    let nodes = 10;
    const m = await master({ fleet: () => nodes });
    const [a, b] = [agent(m.address, hk1), agent(m.address, await ca.issue({ uri: spiffe('sg-9') }))];
    for (const one of [a, b]) {
      one.say({ kind: 'hello', ...hello });
      expect((await one.next('offers')).body).toMatchObject({ heartbeatMs: 1000, reportMs: 2000 });
    }
    m.sessions.setReportInterval('hk-1' as NodeName, 1000);
    expect((await a.next('offers')).body).toMatchObject({ heartbeatMs: null, reportMs: 1000 });
    nodes = 5000;
    for (const one of [a, b]) one.say(beat);
    expect((await a.next('offers')).body).toMatchObject({ heartbeatMs: 10_000, reportMs: null });
    expect((await b.next('offers')).body).toMatchObject({ heartbeatMs: 10_000, reportMs: 10_000 });
    m.sessions.setReportInterval('hk-1' as NodeName, 2000);
    expect((await a.next('offers')).body).toMatchObject({ heartbeatMs: null, reportMs: 10_000 });
    nodes = 5100;
    a.say(beat);
    await m.heard.until('heartbeat', 3);
    expect(a.got.filter((d) => d.body.kind === 'offers')).toHaveLength(4);
  });

  test('anything before hello is refused', async () => {
    const m = await master();
    const a = agent(m.address, hk1);
    a.say(beat);
    expect(await a.closed).toMatchObject({ code: 'precondition', message: 'hello comes first' });
    expect(m.heard.calls).toEqual([]);
  });

  test('a gap in the sequence asks for full state', async () => {
    const m = await master();
    const a = agent(m.address, hk1);
    a.say({ kind: 'hello', ...hello }, 1);
    a.say(beat, 2);
    a.say(beat, 5);
    await a.next('report_full_state');
    a.say({ kind: 'hello', ...hello }, 6);
    await m.heard.until('connected', 2);
  });

  test('a config is confirmed once the agent reaches us after the switch; a stale nonce says nothing', async () => {
    const m = await master();
    const a = agent(m.address, hk1);
    a.say({ kind: 'hello', ...hello });
    await m.heard.until('connected');
    m.sessions.offerConfig('hk-1' as NodeName, offer);
    const first = await a.next('remote_config');
    expect(first.body).toMatchObject({ hash: HASH, version: 'v1', revision: 3 });
    m.sessions.offerConfig('hk-1' as NodeName, { ...offer, revision: 4 });
    const second = await a.next('remote_config');
    expect(second.nonce).not.toBe(first.nonce);
    const applied = (nonce: string): AgentUp => ({
      kind: 'config_status',
      report: { nonce, effectiveHash: HASH, engine: null, warnings: [], status: 'applied' },
    });
    a.say(applied(first.nonce)); // replaced meanwhile: says nothing
    a.say(applied(second.nonce));
    a.say(applied('77'.repeat(8))); // of an earlier conversation: counts
    const confirm = await a.next('commit_confirm');
    expect(confirm.body.id).toBe(second.body.commit?.id);
    await m.heard.until('configStatus', 2);
    expect(m.heard.calls.filter((c) => c.method === 'configStatus')).toHaveLength(2);
    expect(a.got.filter((d) => d.body.kind === 'commit_confirm')).toHaveLength(1);
  });

  test('a config’s body goes compressed to an agent that says it takes that, and as it is to any other', async () => {
    const m = await master();
    const body = Buffer.from('services: []\n'.repeat(2000));
    const older = await ca.issue({ uri: spiffe('sg-9') });
    const said = [...hello.capabilities, OFFER_GZIP];
    const [a, b] = [wireOf(m.address, hk1), wireOf(m.address, older)];
    a.say({ kind: 'hello', ...hello, capabilities: said });
    b.say({ kind: 'hello', ...hello });
    const c = agent(m.address, await ca.issue({ uri: spiffe('cn-5') }));
    c.say({ kind: 'hello', ...hello, capabilities: said });
    await m.heard.until('connected', 3);
    for (const name of ['hk-1', 'sg-9', 'cn-5']) m.sessions.offerConfig(name as NodeName, { ...offer, body });
    const [zipped, plain] = [await a.config(), await b.config()];
    expect([zipped.body.length, plain.bodyGzip.length]).toEqual([0, 0]);
    expect(zipped.bodyGzip.length).toBeLessThan(body.length / 50);
    expect(gunzipSync(zipped.bodyGzip).equals(body)).toBe(true);
    expect(plain.body.equals(body)).toBe(true);
    const { body: got } = await c.next('remote_config');
    expect(Buffer.from(got.body).equals(body)).toBe(true);

    // What it said last counts: full state was asked for, and it is of another release by now.
    a.say({ kind: 'hello', ...hello });
    await m.heard.until('connected', 4);
    m.sessions.offerConfig('hk-1' as NodeName, { ...offer, body });
    expect((await a.config()).body.equals(body)).toBe(true);
  });

  test('a second session of the node takes the first one’s place', async () => {
    const m = await master();
    const old = agent(m.address, hk1);
    old.say({ kind: 'hello', ...hello });
    await m.heard.until('connected');
    const young = agent(m.address, hk1);
    young.say({ kind: 'hello', ...hello });
    expect((await old.closed).message).toContain('a newer session of hk-1');
    await m.heard.until('connected', 2);
    expect(m.heard.calls.map((c) => c.method)).toEqual(['connected', 'disconnected', 'connected']);
    m.sessions.sendCommand('hk-1' as NodeName, {
      id: 'C-1',
      type: 'reload',
      timeoutMs: 1000,
      expiresAt: 5,
      options: {},
    });
    expect((await young.next('command')).body).toMatchObject({ id: 'C-1', type: 'reload', timeoutMs: 1000 });
  });

  test('a revoked node’s live stream ends with the reason', async () => {
    const m = await master();
    const a = agent(m.address, hk1);
    a.say({ kind: 'hello', ...hello });
    await m.heard.until('connected');
    m.sessions.disconnect('hk-1' as NodeName, 'revoked');
    expect(await a.closed).toMatchObject({ code: 'unauthenticated', message: 'revoked' });
  });

  test('an agent that does not read gets the newest config, and nothing piles up', async () => {
    const m = await master();
    const a = agent(m.address, hk1);
    a.say({ kind: 'hello', ...hello });
    await m.heard.until('connected');
    const body = Buffer.alloc(200 * 1024, 0x20);
    // All in one turn of the loop: nothing can be read meanwhile.
    for (let revision = 1; revision <= 500; revision++) {
      m.sessions.offerConfig('hk-1' as NodeName, { ...offer, body, revision });
    }
    for (;;) {
      const got = await a.next('remote_config');
      if (got.body.revision === 500) break;
    }
    expect(a.got.filter((d) => d.body.kind === 'remote_config').length).toBeLessThan(50);
  });

  test('an expired certificate may renew and nothing else', async () => {
    const expired = await ca.issue({
      uri: spiffe('hk-1'),
      notBefore: new Date(Date.now() - 9 * DAY),
      notAfter: new Date(Date.now() - 2 * DAY),
    });
    const renewed: string[] = [];
    const m = await master({
      enrolment: {
        renew(name) {
          renewed.push(name);
          return Promise.resolve({ chainDer: [Buffer.from('leaf'), ca.der], serial: '01', notAfter: 1 });
        },
      },
    });
    const a = agent(m.address, expired);
    a.say({ kind: 'hello', ...hello });
    a.say({ kind: 'renew', csrDer: Buffer.from('csr') });
    const offers = await a.next('offers');
    expect(offers.body.chainDer?.map((d) => Buffer.from(d).toString('latin1'))[0]).toBe('leaf');
    await a.closed;
    expect(renewed).toEqual(['hk-1']);
    const b = agent(m.address, expired);
    b.say({ kind: 'hello', ...hello });
    b.say(beat);
    expect((await b.closed).code).toBe('unauthenticated');
    expect(m.heard.calls).toEqual([]);
  });

  test('a stopping master tells its agents when to come back', async () => {
    const m = await master();
    const a = agent(m.address, hk1);
    a.say({ kind: 'hello', ...hello });
    await m.heard.until('connected');
    await m.transport.stop();
    expect((await a.next('unavailable')).body).toMatchObject({ retryAfterMs: 1000 });
    await a.closed;
  });
});

describe('enrolment', () => {
  const args = {
    tokenId: 't1',
    tokenSecret: 's'.repeat(32),
    csrDer: Buffer.from('csr'),
    name: 'hk-1',
    nodeType: 'edge',
    region: 'hk',
    labels: {},
    agentVersion: '0.1.0',
  };

  async function join(m: Running, over: Partial<typeof args> = {}, identity: Issued | null = null) {
    const client = dialMaster(m.address, { caPem: ca.pem, identity });
    try {
      return await enrol(client, { ...args, ...over });
    } finally {
      client.close();
    }
  }

  test('a token and a request give a certificate, without one of its own', async () => {
    const seen: unknown[] = [];
    const m = await master({
      enrolment: {
        enrol(a) {
          seen.push(a);
          return Promise.resolve({
            node: 'hk-1' as NodeName,
            issued: { chainDer: [Buffer.from('leaf'), ca.der], serial: '01', notAfter: 9 },
            renewAfter: 5,
          });
        },
      },
    });
    const joined = await join(m);
    expect(joined).toMatchObject({ node: 'hk-1', renewAfter: 5 });
    expect(joined.chainDer).toHaveLength(2);
    expect(seen).toMatchObject([{ tokenId: 't1', name: 'hk-1', remote: '127.0.0.1' }]);
  });

  test('a refused token says why, and is logged with the address and without the secret', async () => {
    const m = await master({
      enrolment: { enrol: () => Promise.reject(new AppError('unauthenticated', 'this token was used')) },
    });
    await expect(join(m)).rejects.toMatchObject({ code: 'unauthenticated', message: 'this token was used' });
    expect(m.transport.listener.refusals.enrolment).toBe(1);
    const log = JSON.stringify(m.log.lines);
    expect(log).toContain('127.0.0.1');
    expect(log).not.toContain(args.tokenSecret);
  });

  test('a fault of our own does not tell its text', async () => {
    const m = await master({
      enrolment: { enrol: () => Promise.reject(new Error('disk /var/lib is on fire')) },
    });
    const error = await join(m).then(
      () => null,
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ code: 'internal' });
    expect(String(error)).not.toContain('fire');
    expect(JSON.stringify(m.log.lines)).toContain('on fire');
  });

  test('somebody else’s name beside a certificate of one’s own', async () => {
    const m = await master();
    await expect(join(m, { name: 'sg-9' }, hk1)).rejects.toMatchObject({ code: 'forbidden' });
  });
});

describe('the CA is pinned before anything is said', () => {
  test('the right CA comes back as PEM', async () => {
    const m = await master();
    const pem = await fetchPinnedCa({ address: m.address, pin: ca.pin });
    expect(pem.replaceAll(/\s/g, '')).toBe(ca.pem.replaceAll(/\s/g, ''));
  });

  /** Takes any TLS client and writes down every byte it says. */
  async function falseMaster(cert: string, key: string): Promise<{ address: string; heard: Buffer[] }> {
    const heard: Buffer[] = [];
    const fake = createTlsServer({ cert, key, ALPNProtocols: ['h2'] }, (socket) => {
      socket.on('data', (bytes: Buffer) => heard.push(bytes));
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => fake.listen(0, '127.0.0.1', resolve));
    toStop.push(() => fake.close());
    const at = fake.address();
    return { address: `127.0.0.1:${typeof at === 'object' && at ? at.port : 0}`, heard };
  }

  test('a false master with a CA of its own hears nothing', async () => {
    const own = await other.issue({ dns: [MASTER_TLS_NAME] });
    const fake = await falseMaster(own.certificatePem + other.pem, own.keyPem);
    await expect(fetchPinnedCa({ address: fake.address, pin: ca.pin })).rejects.toMatchObject({
      code: 'forbidden',
      message: expect.stringContaining('nothing was sent') as string,
    });
    expect(fake.heard).toEqual([]);
  });

  test('one that shows a copy of the right CA under its own certificate hears nothing either', async () => {
    const own = await other.issue({ dns: [MASTER_TLS_NAME] });
    const fake = await falseMaster(own.certificatePem + ca.pem, own.keyPem);
    const pem = await fetchPinnedCa({ address: fake.address, pin: ca.pin }).catch(() => ca.pem);
    const client = dialMaster(fake.address, { caPem: pem, identity: null });
    toStop.push(() => client.close());
    const secret = 'very-secret-token-material';
    await expect(
      enrol(client, {
        tokenId: 't',
        tokenSecret: secret,
        csrDer: Buffer.from('csr'),
        name: 'hk-1',
        nodeType: 'edge',
        region: 'hk',
        labels: {},
        agentVersion: '',
      }),
    ).rejects.toMatchObject({ code: 'unavailable' });
    expect(Buffer.concat(fake.heard).includes(secret)).toBe(false);
  });

  test('a node of the fleet cannot pose as the master', async () => {
    const rogue = await ca.issue({ uri: spiffe('hk-1'), dns: [MASTER_TLS_NAME] });
    const fake = await falseMaster(rogue.certificatePem + ca.pem, rogue.keyPem);
    const closed = await agent(fake.address, hk1).closed;
    expect(closed.message).toContain('not a master');
  });
});

describe('nonsense', () => {
  /** Over TLS as a node of the fleet: whatever bytes, and waits until the connection is closed or answered. */
  async function raw(address: string, bytes: Uint8Array): Promise<void> {
    const socket = tlsConnect({
      host: '127.0.0.1',
      port: Number(address.split(':')[1]),
      servername: MASTER_TLS_NAME,
      ca: ca.pem,
      cert: hk1.certificatePem,
      key: hk1.keyPem,
      ALPNProtocols: ['h2'],
    });
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    socket.write(bytes);
    await new Promise((resolve) => {
      socket.once('data', resolve);
      socket.once('close', resolve);
    });
    socket.destroy();
  }

  test('bytes that are no HTTP/2, and messages that are no protobuf, leave the master as it was', async () => {
    const m = await master();
    for (const bytes of [Buffer.alloc(1000, 0xff), Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(24)]) {
      await raw(m.address, bytes);
    }
    const session = http2Connect(`https://${m.address}`, {
      servername: MASTER_TLS_NAME,
      ca: ca.pem,
      cert: hk1.certificatePem,
      key: hk1.keyPem,
    });
    toStop.push(() => session.destroy());
    session.on('error', () => {});
    const said: unknown[] = [];
    for (const path of ['/aicdn.v1.AgentService/Connect', '/aicdn.v1.AgentService/Enroll', '/x/Y']) {
      const stream = session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      stream.on('error', () => {});
      stream.on('response', (h) => said.push(h['grpc-status']));
      stream.on('trailers', (h) => said.push(h['grpc-status']));
      stream.resume();
      stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, 4]), Buffer.from([0xff, 0xff, 0xff, 0xff])]));
      await new Promise((resolve) => stream.once('close', resolve));
    }
    expect(said.filter((s) => s !== undefined).length).toBe(3);
    expect(said).not.toContain('0');
    const a = agent(m.address, hk1);
    a.say({ kind: 'hello', ...hello });
    await m.heard.until('connected');
  });

  test.each([
    ['a stranger', false],
    ['a node', true],
  ])(
    'a request that is no gRPC, reset by %s before its answer, leaves the master as it was',
    async (_, member) => {
      const m = await master();
      const identity = member ? { cert: hk1.certificatePem, key: hk1.keyPem } : {};
      const session = http2Connect(`https://${m.address}`, {
        servername: MASTER_TLS_NAME,
        ca: ca.pem,
        ...identity,
      });
      toStop.push(() => session.destroy());
      session.on('error', () => {});
      for (const type of ['text/plain', 'application/grpc']) {
        const stream = session.request({ ':method': 'POST', ':path': '/x/Y', 'content-type': type });
        stream.on('error', () => {});
        if (stream.pending) await new Promise((resolve) => stream.once('ready', resolve));
        stream.close(2);
        await new Promise((resolve) => stream.once('close', resolve));
      }
      const a = agent(m.address, hk1);
      a.say({ kind: 'hello', ...hello });
      await m.heard.until('connected');
    },
  );

  test('a message above 256 KiB ends the call, not the master', async () => {
    const m = await master();
    const client = dialMaster(m.address, { caPem: ca.pem, identity: null });
    toStop.push(() => client.close());
    await expect(
      enrol(client, {
        tokenId: 'x'.repeat(300 * 1024),
        tokenSecret: 's',
        csrDer: Buffer.from('csr'),
        name: 'hk-1',
        nodeType: 'edge',
        region: 'hk',
        labels: {},
        agentVersion: '',
      }),
    ).rejects.toMatchObject({ code: 'too_large' });
  });

  test('a flood of refusals is counted whole and logged in part', async () => {
    const m = await master();
    for (let i = 0; i < 500; i++) m.transport.listener.refused('queue', '203.0.113.9', 'test');
    expect(m.transport.listener.refusals.queue).toBe(500);
    expect(m.log.lines).toHaveLength(100);
  });
});

describe('before TLS', () => {
  test('after a change of certificate, newcomers see the new one and those inside stay', async () => {
    const m = await master();
    const a = agent(m.address, hk1);
    a.say({ kind: 'hello', ...hello });
    await m.heard.until('connected');
    const next = await other.issue({ dns: [MASTER_TLS_NAME] });
    m.transport.listener.useCertificate(next.certificatePem + other.pem, next.keyPem);
    await expect(fetchPinnedCa({ address: m.address, pin: other.pin })).resolves.toContain('CERTIFICATE');
    a.say(beat);
    await m.heard.until('heartbeat');
  });

  test('an address with too many strangers is refused, and is free again when they leave', async () => {
    const m = await master({ admission: { maxPerAddress: 2 } });
    const port = Number(m.address.split(':')[1]);
    const mute = [netConnect(port, '127.0.0.1'), netConnect(port, '127.0.0.1')];
    for (const s of mute) {
      s.on('error', () => {});
      toStop.push(() => s.destroy());
      await new Promise((resolve) => s.once('connect', resolve));
    }
    const third = netConnect(port, '127.0.0.1');
    third.on('error', () => {});
    await new Promise((resolve) => third.once('close', resolve));
    expect(m.transport.listener.refusals.queue).toBe(1);
    for (const s of mute) {
      s.destroy();
      await new Promise((resolve) => (s.closed ? resolve(null) : s.once('close', resolve)));
    }
    for (;;) {
      const pem = await fetchPinnedCa({ address: m.address, pin: ca.pin }).catch(() => null);
      if (pem) break;
    }
  });

  test('agents that showed who they are count no longer', async () => {
    const m = await master({ admission: { maxPerAddress: 1 } });
    for (let i = 1; i <= 3; i++) {
      const a = agent(m.address, hk1);
      a.say({ kind: 'hello', ...hello });
      await m.heard.until('connected', i);
    }
    expect(m.transport.listener.refusals.queue).toBe(0);
  });

  test('who handshakes and then says nothing is closed', async () => {
    const m = await master({ idleMs: 50 });
    const port = Number(m.address.split(':')[1]);
    const socket = tlsConnect({
      host: '127.0.0.1',
      port,
      servername: MASTER_TLS_NAME,
      ca: ca.pem,
      ALPNProtocols: ['h2'],
    });
    socket.on('error', () => {});
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
  });

  test('who connects and never shakes hands is closed', async () => {
    const m = await master({ handshakeMs: 50 });
    const socket = netConnect(Number(m.address.split(':')[1]), '127.0.0.1');
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('close', resolve));
    expect(m.transport.listener.refusals.tls).toBe(1);
  });

  test('who connects and ends without a word is let go, and is nobody to refuse', async () => {
    const m = await master();
    const socket = netConnect({ port: Number(m.address.split(':')[1]), host: '127.0.0.1' });
    socket.on('error', () => {}).resume();
    socket.end();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(m.transport.listener.refusals).toEqual({ queue: 0, tls: 0, enrolment: 0, session: 0 });
  });

  test('a hello that comes byte by byte is a hello', async () => {
    const m = await master();
    const under = netConnect({ port: Number(m.address.split(':')[1]), host: '127.0.0.1', noDelay: true });
    const dripping = new Duplex({
      read() {},
      write(chunk: Buffer, _, done) {
        for (const byte of chunk.subarray(0, -1)) under.write(Buffer.of(byte));
        under.write(chunk.subarray(-1), done);
      },
    });
    under.on('data', (chunk) => dripping.push(chunk));
    const socket = tlsConnect({
      socket: dripping,
      servername: MASTER_TLS_NAME,
      ca: ca.pem,
      ALPNProtocols: ['h2'],
    });
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    expect(socket.authorized).toBe(true);
    socket.destroy();
    under.destroy();
  });
});
