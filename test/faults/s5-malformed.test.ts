import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect as http2Connect } from 'node:http2';
import net from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { join } from '../../agent/session/join.ts';
import { AgentServiceService } from '../../proto/gen/aicdn/v1/agent.ts';
import { ConsoleServiceService } from '../../proto/gen/aicdn/v1/console.ts';
import { MASTER_TLS_NAME, parseAddress } from '../../proto/link/tls.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { alive } from '../../scripts/demo/process.ts';
import { collectGarbage, INSPECTED } from '../harness/collect-garbage.ts';
import { malformed, sendMalformed } from '../harness/malformed-rest.ts';
import { RawGrpc } from '../harness/raw-grpc.ts';
import { RestDocument } from '../harness/rest-document.ts';
import { type RestFleet, startRestFleet } from '../harness/rest-fleet.ts';
import { anything, wildCall, wildFrames } from '../harness/wild-grpc.ts';
import { chanceOf } from '../harness/wild-streams.ts';

// S5: bytes that are no TLS, TLS that is no HTTP/2, calls that hold no message of theirs: the master stays, keeps none
// of it, and says nothing of its inside. Who says nothing is sent away. AICDN_FAULTS_LONG=1: ten times as much.

const LONG = process.env['AICDN_FAULTS_LONG'] === '1' ? 10 : 1;
const CALLS = 8_500 * LONG;
const SOCKETS = 750 * LONG;
const REST = 1_000 * LONG;
const AT_ONCE = 8;
const MOST_GROWTH_KIB = 50 * 1024;
const IDLE_MS = 10_000;
const SLACK_MS = 3_000;
const INSIDE = /\n\s+at |node_modules|\.m?[jt]s:\d|\/dist\/|node:internal|file:\/\//;

let rest: RestFleet;
let at: { host: string; port: number };
beforeAll(async () => {
  process.env['NODE_OPTIONS'] = INSPECTED;
  rest = await startRestFleet().finally(() => {
    delete process.env['NODE_OPTIONS'];
  });
  at = parseAddress(rest.fleet.masterReady.grpc);
});
afterAll(() => rest?.fleet.stop());

/** Without what waits to be collected. */
const keptKib = async (): Promise<number> => {
  await collectGarbage(rest.fleet.master.logFile);
  const text = readFileSync(`/proc/${rest.fleet.master.pid}/status`, 'utf8');
  return Number(/RssAnon:\s+(\d+)/.exec(text)?.[1]);
};

/** So many at once, until `count` are done. */
async function each(count: number, one: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

const tls = (more: { ALPNProtocols?: string[] } = { ALPNProtocols: ['h2'] }) =>
  tlsConnect({ ...at, servername: MASTER_TLS_NAME, rejectUnauthorized: false, ...more });

/** Says this and waits for the end; what was heard. */
function said(socket: net.Socket, bytes: Buffer, patienceMs = 2_000): Promise<string> {
  return new Promise((resolve) => {
    let heard = '';
    const late = setTimeout(() => socket.destroy(), patienceMs);
    socket.on('error', () => undefined);
    socket.on('data', (d: Buffer) => {
      heard += d.toString('latin1');
    });
    socket.on('close', () => {
      clearTimeout(late);
      resolve(heard);
    });
    socket.end(bytes);
  });
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
const methods = [...Object.values(ConsoleServiceService), ...Object.values(AgentServiceService)];
/** These would end the login that asks, once they are understood. */
const ENDING = ['/aicdn.v1.ConsoleService/Logout', '/aicdn.v1.ConsoleService/ChangePassword'];

describe('malformed', () => {
  it(`${CALLS + 2 * SOCKETS} gRPC inputs and ${REST} of REST: alive, nothing kept, nothing of its inside told`, {
    timeout: 300_000 * LONG,
  }, async () => {
    expect(methods.length).toBeGreaterThan(50);
    const random = chanceOf(20_261_126);
    const wrong: string[] = [];
    const statuses = new Map<number, number>();
    const { token } = await rest.fleet.api.createToken(
      { reason: 'test' },
      { nodeType: 'edge', region: 'hk', name: null, ttlMs: null, replace: false },
    );
    // A name that no wild call of the admin's says: one of them may well be right.
    const node = await join({
      ...{ addresses: [rest.fleet.masterReady.grpc], token, name: 'hk-77' as NodeName },
      ...{ nodeType: 'edge', region: 'hk', labels: {}, agentVersion: '0.1.0' },
    });
    const identity = { certificatePem: node.certificatePem, keyPem: node.keyPem };
    // Nobody, an admin, a node.
    const doors = [
      { address: rest.fleet.masterReady.grpc },
      { address: rest.fleet.masterReady.grpc, token: rest.token },
      { address: rest.fleet.masterReady.grpc, identity },
    ];
    const channels = new Map<number, Promise<RawGrpc>>();
    const channel = async (n: number): Promise<RawGrpc> => {
      const old = await channels.get(n);
      if (old?.alive) return old;
      const door = doors[n % doors.length] ?? { address: '' };
      const made = RawGrpc.connect(door);
      channels.set(n, made);
      return made;
    };

    const calls = (count: number) =>
      each(count, async (n) => {
        const method = methods[n % methods.length] ?? { path: '' };
        const who = Math.floor(random() * doors.length);
        const c = await channel(3 * (n % 4) + who);
        const { token: shown } = doors[who] as { token?: string };
        const quick = { patienceMs: 1_000 };
        const { code, message, body } = await c.send(method.path, wildCall(random), {
          ...quick,
          ...(shown === undefined || ENDING.includes(method.path) ? {} : { token: shown }),
        });
        statuses.set(code, (statuses.get(code) ?? 0) + 1);
        if (INSIDE.test(message) || INSIDE.test(body.toString('latin1')))
          wrong.push(`${method.path}: ${message}`);
      });
    const sockets = (count: number) =>
      each(count, async (n) => {
        const bytes = anything(random, 1 + Math.floor(random() * 300));
        // No TLS; half of it looks like the beginning of a handshake.
        const hello = Buffer.concat([Buffer.from([22, 3, 1, 1, 0, 1]), bytes]);
        const heard = [await said(net.connect(at), n % 2 ? bytes : hello)];
        // TLS, then no HTTP/2; or the preface, then frames that are none.
        const frames = n % 2 ? Buffer.concat([PREFACE, SETTINGS, wildFrames(random)]) : bytes;
        heard.push(await said(tls(n % 10 === 0 ? {} : undefined), frames));
        for (const text of heard) if (INSIDE.test(text)) wrong.push(`socket: ${text}`);
      });
    const document = new RestDocument(await (await fetch(`${rest.base}/openapi.json`)).json());
    const operations = document.operations.filter(
      (o) => !['postAuthLogout', 'postAuthPassword'].includes(o.id),
    );
    const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
    const requests = (count: number) =>
      each(count, async () => {
        const input = malformed(random, operations, rest.token);
        const answer = await sendMalformed(rest.base, agent, input);
        if (answer.status >= 500 || INSIDE.test(answer.text)) {
          wrong.push(`${input.method} ${input.path}: ${answer.status} ${answer.text.slice(0, 300)}`);
        }
      });

    // Until code and pools are warm.
    await calls(CALLS / 5);
    await sockets(SOCKETS / 5);
    await requests(REST / 5);
    const before = await keptKib();
    statuses.clear();
    const begun = performance.now();
    await calls(CALLS);
    await sockets(SOCKETS);
    await requests(REST);
    const took = performance.now() - begun;
    for (const c of channels.values()) (await c).close();
    agent.destroy();
    const after = await keptKib();
    console.log(
      `S5: ${CALLS} calls, ${2 * SOCKETS} connections, ${REST} requests in ${Math.round(took / 1000)} s; ${after - before} KiB more; gRPC statuses ${JSON.stringify([...statuses])}`,
    );
    expect(wrong).toEqual([]);
    expect([...statuses.values()].reduce((a, b) => a + b, 0)).toBe(CALLS);
    // They came as far as being read and refused.
    expect(statuses.get(3) ?? 0).toBeGreaterThan(CALLS / 20);
    expect(after - before).toBeLessThan(MOST_GROWTH_KIB);
    expect(alive(rest.fleet.master.pid)).toBe(true);
    expect((await fetch(`${rest.base}/health`)).status).toBe(200);
    expect((await rest.fleet.api.listNodes()).nodes.map((n) => `${n.name}`)).toContain('hk-77');
    const log = readFileSync(rest.fleet.master.logFile, 'utf8');
    expect(
      log.split('\n').filter((l) => /(request|call|enrolment|session) failed|message not taken/.test(l)),
    ).toEqual([]);
  });
});

describe('who says nothing, or not enough', () => {
  /** How long the master keeps it. */
  const kept = (socket: net.Socket, begin: (s: net.Socket) => void = () => undefined): Promise<number> =>
    new Promise((resolve) => {
      const begun = performance.now();
      socket.on('error', () => undefined);
      socket.on('connect', () => begin(socket));
      socket.on('close', () => resolve(performance.now() - begun));
      socket.resume();
    });
  const http = () => {
    const { hostname, port } = new URL(rest.base);
    return net.connect(Number(port), hostname);
  };
  /** A call whose message never comes. */
  const unsaid = (path: string): Promise<number> =>
    new Promise((resolve) => {
      const begun = performance.now();
      const session = http2Connect(`https://${MASTER_TLS_NAME}`, { createConnection: () => tls() });
      session.on('error', () => undefined);
      session.on('close', () => resolve(performance.now() - begun));
      const stream = session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      stream.on('error', () => undefined);
      stream.resume();
    });
  /** Pings are no call. */
  const pinging = (): Promise<number> =>
    new Promise((resolve) => {
      const begun = performance.now();
      const session = http2Connect(`https://${MASTER_TLS_NAME}`, { createConnection: () => tls() });
      const ping = setInterval(() => !session.destroyed && session.ping(() => undefined), 1_000);
      session.on('error', () => undefined);
      session.on('close', () => {
        clearInterval(ping);
        resolve(performance.now() - begun);
      });
    });

  it(`is sent away within ${IDLE_MS / 1000} s, on both ports`, async () => {
    const took = {
      'grpc, nothing': kept(net.connect(at)),
      'grpc, half a hello': kept(net.connect(at), (s) => s.write(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1]))),
      'grpc, TLS and nothing': kept(tls()),
      'grpc, TLS and half a preface': kept(tls(), (s) => s.write(PREFACE.subarray(0, 10))),
      'grpc, the preface': kept(tls(), (s) => s.write(PREFACE)),
      'grpc, the preface and settings': kept(tls(), (s) => s.write(Buffer.concat([PREFACE, SETTINGS]))),
      'grpc, pings': pinging(),
      'grpc, Login without a message': unsaid('/aicdn.v1.ConsoleService/Login'),
      'grpc, ListNodes without a message': unsaid('/aicdn.v1.ConsoleService/ListNodes'),
      'grpc, Enroll without a message': unsaid('/aicdn.v1.AgentService/Enroll'),
      'grpc, no such call': unsaid('/aicdn.v1.AgentService/Nothing'),
      'http, nothing': kept(http()),
      'http, half a request': kept(http(), (s) => s.write('GET /api/v1/nodes HTTP/1.1\r\nhost: x\r\n')),
      'http, no body': kept(http(), (s) =>
        s.write(
          'POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
        ),
      ),
      'http, the preface of HTTP/2': kept(http(), (s) => s.write(PREFACE)),
    };
    const ms = Object.fromEntries(
      await Promise.all(Object.entries(took).map(async ([what, p]) => [what, Math.round(await p)] as const)),
    );
    console.log(`S5: kept for ${JSON.stringify(ms)} ms`);
    expect(Object.entries(ms).filter(([, t]) => t > IDLE_MS + SLACK_MS)).toEqual([]);
  });
});
