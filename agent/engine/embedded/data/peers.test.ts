import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import fc from 'fast-check';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createTestCa, type Issued, type TestCa } from '../../../../test/harness/test-ca.ts';
import { makeNode, makePool, makeService, Plane } from '../../../../test/harness/two-hops.ts';
import { SEALED } from './leg.ts';
import type { DataService } from './messages.ts';
import { encodeRequest, encodeResponse, RELAY_STATUS } from './relay-codec.ts';

const HOST = '127.0.0.1';
const DAY = 24 * 3_600_000;
let ca: TestCa;
let other: TestCa;
let planes: Plane[] = [];
let servers: net.Server[] = [];

beforeAll(async () => {
  ca = await createTestCa();
  other = await createTestCa();
});

afterEach(async () => {
  for (const p of planes) await p.data.calls.stop({});
  for (const s of servers) s.close();
  planes = [];
  servers = [];
});

async function listen(server: net.Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((r) => server.listen(0, HOST, r));
  return (server.address() as net.AddressInfo).port;
}

/** Says back what it hears. */
function echo(): Promise<number> {
  return listen(
    net.createServer({ allowHalfOpen: true }, (s) => {
      s.on('error', () => undefined);
      s.on('data', (c) => s.write(c));
      s.on('end', () => s.end());
    }),
  );
}

/** A port where nobody listens. */
async function deadPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((r) => server.listen(0, HOST, r));
  const { port } = server.address() as net.AddressInfo;
  await new Promise<void>((r) => server.close(() => r()));
  return port;
}

async function carry(
  more: Partial<DataService>,
  ids: Record<string, Issued & { ca: string | null }> = {},
): Promise<Plane> {
  const plane = new Plane();
  planes.push(plane);
  await plane.carry([makeService('s', more)], ids);
  return plane;
}

/** Sends, and tells what came until the end and how it ended. */
/** @param ends the client has said all it has to say, and says so */
async function talk(
  socket: net.Socket,
  send: Buffer | string,
  ends = true,
): Promise<{ text: string; how: string }> {
  let text = '';
  let how = 'close';
  socket.on('data', (c) => {
    text += (c as Buffer).toString('latin1');
  });
  socket.on('end', () => {
    how = 'end';
    socket.end();
  });
  socket.on('error', (e: NodeJS.ErrnoException) => {
    how = e.code ?? e.message;
  });
  if (ends) socket.end(send);
  else socket.write(send);
  await new Promise<void>((r) => socket.once('close', () => r()));
  return { text, how };
}

function open(port: number): net.Socket {
  const socket = net.connect({ port, host: HOST, allowHalfOpen: true });
  socket.on('error', () => undefined);
  return socket;
}
const OK = encodeResponse(RELAY_STATUS.ok).toString('latin1');
const REQUEST = encodeRequest({ auth: null, target: null });

describe('relay server', () => {
  const AUTHS = [{ username: 'edge', password: 's3' }];

  it('pins the target, answers OK as soon as the origin connects, and carries what came with the header', async () => {
    const port = await echo();
    const core = await carry({ handler: 'relay', targets: makePool([makeNode(port)]) });
    const elsewhere = encodeRequest({ auth: null, target: { host: '192.0.2.1', port: 9 } });
    const client = open(core.port('s'));
    client.end(Buffer.concat([elsewhere, Buffer.from('hello')]));
    let text = '';
    for await (const c of client) text += (c as Buffer).toString('latin1');
    expect(text).toBe('\x01\0\0\0hello');
  });

  it('goes where it is asked to without a forwarder, and refuses to go nowhere', async () => {
    const port = await echo();
    const core = await carry({ handler: 'relay' });
    const client = open(core.port('s'));
    client.end(encodeRequest({ auth: null, target: { host: HOST, port } }));
    let bytes = Buffer.alloc(0);
    for await (const c of client) bytes = Buffer.concat([bytes, c as Buffer]);
    expect(bytes.toString('hex')).toBe('01000000');
    expect(await talk(open(core.port('s')), REQUEST)).toEqual({ text: '\x01\x01\0\0', how: 'end' });
  });

  it('asks for user and password', async () => {
    const core = await carry({ handler: 'relay', auths: AUTHS, targets: makePool([makeNode(await echo())]) });
    for (const auth of [null, { username: 'edge', password: 's4' }, { username: 'x', password: 's3' }]) {
      const refused = await talk(open(core.port('s')), encodeRequest({ auth, target: null }));
      expect(refused).toEqual({ text: '\x01\x02\0\0', how: 'end' });
    }
    const [auth = null] = AUTHS;
    const client = open(core.port('s'));
    client.end(encodeRequest({ auth, target: null }));
    const [first] = (await once(client, 'data')) as [Buffer];
    expect(first.toString('hex')).toBe('01000000');
    const { opened, errors } = await core.stats('s');
    expect({ opened, errors }).toEqual({ opened: 1, errors: 0 });
  });

  it('answers unavailable when the origin is down', async () => {
    const core = await carry({ handler: 'relay', targets: makePool([makeNode(await deadPort())]) });
    expect(await talk(open(core.port('s')), REQUEST)).toEqual({ text: '\x01\x05\0\0', how: 'end' });
    expect(await core.stats('s')).toMatchObject({ streams: 0, opened: 1, errors: 1 });
    expect(core.log.join()).toMatch(/ECONNREFUSED/);
  });

  it('lives through ten thousand malformed headers and ends each connection', async () => {
    const core = await carry({ handler: 'relay', auths: AUTHS, targets: makePool([makeNode(await echo())]) });
    const port = core.port('s');
    const valid = encodeRequest({ auth: AUTHS[0] ?? null, target: { host: 'h.example', port: 80 } });
    // Bytes of any kind, cut headers, and headers with bytes changed. A changed password may be another's luck: never ours.
    const spoilt = fc
      .tuple(fc.nat(valid.length - 1), fc.integer({ min: 1, max: 255 }))
      .map(([at, by]) => Buffer.from(valid.map((b, i) => (i === at ? b ^ by : b))));
    const cutShort = fc.nat(valid.length - 1).map((n) => valid.subarray(0, n));
    const any = fc.uint8Array({ maxLength: 64 }).map((b) => Buffer.from(b));
    const prefixed = any.map((b) => Buffer.concat([Buffer.from([1, 1, 0, b.length]), b]));
    const headers = fc.sample(fc.oneof(spoilt, cutShort, any, prefixed), { numRuns: 10_000, seed: 7 });
    const next = headers.values();
    const worker = async (): Promise<void> => {
      for (const header of next) {
        const socket = open(port);
        socket.on('error', () => undefined);
        socket.resume();
        socket.end(header);
        await new Promise<void>((r) => socket.once('close', () => r()));
      }
    };
    await Promise.all(Array.from({ length: 32 }, worker));
    const client = open(port);
    client.end(
      Buffer.concat([encodeRequest({ auth: AUTHS[0] ?? null, target: null }), Buffer.from('alive')]),
    );
    let text = '';
    for await (const c of client) text += (c as Buffer).toString('latin1');
    expect(text).toBe('\x01\0\0\0alive');
    expect(core.log.length).toBeLessThan(50);
  }, 20_000);
});

describe('relay client', () => {
  it('sends the header at once and without target, and resets its client when refused', async () => {
    let header = '';
    const port = await listen(
      net.createServer((s) => {
        s.on('error', () => undefined);
        s.once('data', (c) => {
          header = (c as Buffer).toString('hex');
          s.write(encodeResponse(RELAY_STATUS.forbidden));
        });
      }),
    );
    const edge = await carry({ cores: makePool([makeNode(port)]) });
    const { how } = await talk(open(edge.port('s')), '');
    expect(how).toBe('ECONNRESET');
    expect(header).toBe('010100070200040300' + '0000');
    expect(await edge.stats('s')).toMatchObject({ errors: 1, streams: 0, abortedTunnel: 0 });
    expect(edge.log.join()).toMatch(/relay status 3 \(forbidden\)/);
  });

  it('counts a core that dies before it answers as an error', async () => {
    const port = await listen(net.createServer((s) => void s.once('data', () => s.resetAndDestroy())));
    const edge = await carry({ cores: makePool([makeNode(port)]) });
    expect((await talk(open(edge.port('s')), 'GET / HTTP/1.1\r\n\r\n')).how).toBe('ECONNRESET');
    expect(await edge.stats('s')).toMatchObject({ errors: 1, streams: 0, abortedTunnel: 0 });
  });

  it('fails over to another core and remembers; a backup comes last', async () => {
    const origin = await echo();
    const core = await carry({ handler: 'relay', targets: makePool([makeNode(origin)]) });
    const dead = await deadPort();
    const nodes = [makeNode(core.port('s'), { backup: true }), makeNode(dead)];
    const edge = await carry({ cores: makePool(nodes), retries: 1 });
    for (let i = 0; i < 3; i++) {
      const client = open(edge.port('s'));
      client.end('hi');
      expect(String((await once(client, 'data'))[0])).toBe('hi');
    }
    expect(await edge.stats('s')).toMatchObject({ opened: 3, errors: 0 });
  });

  it('cuts what gets to its way only after its service was taken away and cut, until that is carried again', async () => {
    const service = makeService('s', {
      handler: 'relay',
      listen: { host: HOST, port: await deadPort() },
      targets: makePool([makeNode(await echo())]),
    });
    const core = new Plane();
    planes.push(core);
    await core.carry([service]);
    const late = Array.from({ length: 3 }, () => {
      const s = open(service.listen.port);
      s.write(REQUEST.subarray(0, 4));
      return s;
    });
    // Who came later is carried: those before are in, and have not said yet what they want.
    expect((await talk(open(service.listen.port), Buffer.concat([REQUEST, Buffer.from('hi')]))).text).toBe(
      OK + 'hi',
    );
    const rest = Buffer.concat([REQUEST.subarray(4), Buffer.from('hi')]);
    await core.data.calls.commit({ services: [], materials: {} });
    await core.data.calls.cut({ services: ['s'] });
    expect((await talk(late[0] as net.Socket, rest)).text).toBe('\x01\x05\0\0');
    expect(await core.stats('s')).toMatchObject({ streams: 0, opened: 2, closed: 2, errors: 1 });
    await core.carry([service]);
    expect((await talk(late[1] as net.Socket, rest)).text).toBe(OK + 'hi');
    // One on its way out is not told what is carried.
    await core.data.calls.leave({});
    await core.data.calls.cut({ services: ['s'] });
    expect((await talk(late[2] as net.Socket, rest)).text).toBe('\x01\x05\0\0');
  });

  it('asks every other core before it gives up, where nobody was there: that is no attempt', async () => {
    const core = await carry({ handler: 'relay', targets: makePool([makeNode(await echo())]) });
    const dead = makeNode(await deadPort());
    // Accepts, and is gone in mid-handshake.
    const leaving = makeNode(await listen(net.createServer((s) => void s.once('data', () => s.destroy()))), {
      tls: { material: 'id', peers: 'any', serverName: null },
    });
    const nodes = [dead, leaving, makeNode(core.port('s'))];
    const edge = await carry(
      { cores: makePool(nodes), retries: 0 },
      { id: { ...(await ca.issue('id')), ca: null } },
    );
    expect((await talk(open(edge.port('s')), 'hi')).text).toBe('hi');
    expect(await edge.stats('s')).toMatchObject({ opened: 1, errors: 0 });
  });

  it('remembers through an apply that a core failed, where its pool stayed as it was', async () => {
    const core = await carry({ handler: 'relay', targets: makePool([makeNode(await echo())]) });
    const nodes = [makeNode(await deadPort()), makeNode(core.port('s'))];
    const edge = await carry({ cores: makePool(nodes), retries: 1 });
    const service = makeService('s', { cores: makePool(nodes), retries: 0 });
    const speak = async (): Promise<string> => (await talk(open(edge.port('s')), 'hi')).text;
    expect(await speak()).toBe('hi');
    await edge.data.calls.commit({ services: [service], materials: {} });
    // The first is set aside still: without another try, the second answers.
    expect(await speak()).toBe('hi');
  });

  it('gives a dial up when its client leaves, and blames no node', async () => {
    // Accepts, and never shakes hands.
    const silent: net.Socket[] = [];
    const port = await listen(
      net.createServer((s) => void silent.push(s.on('error', () => undefined).resume())),
    );
    const tunnel = { material: 'id', peers: 'fleet', serverName: null } as const;
    const id = { ...(await ca.issueNode('edge-1')), ca: ca.ca };
    const edge = await carry(
      { cores: makePool([makeNode(port, { tls: tunnel })]), dialTimeoutMs: 60_000 },
      { id },
    );
    const client = open(edge.port('s'));
    while (silent.length === 0) await new Promise((r) => setTimeout(r, 5));
    client.resetAndDestroy();
    await new Promise<void>((r) => void silent[0]?.once('close', () => r()));
    expect(await edge.stats('s')).toMatchObject({ opened: 1, closed: 1 });
  });

  it('resets the client, counts and says why when all cores are away', async () => {
    const [a, b] = [await deadPort(), await deadPort()];
    const edge = await carry({ cores: makePool([makeNode(a), makeNode(b)]), retries: 1 });
    for (let i = 0; i < 30; i++) expect((await talk(open(edge.port('s')), 'x')).how).toBe('ECONNRESET');
    expect(await edge.stats('s')).toMatchObject({ opened: 30, closed: 30, errors: 30 });
    expect(edge.log[0]).toMatch(new RegExp(`service s: hop pool: no way: .*:${a}.*ECONNREFUSED; .*:${b}`));
    expect(edge.log.length).toBeLessThan(10);
  });

  it('fails closed without a core', async () => {
    const edge = await carry({ cores: makePool([]) });
    expect((await talk(open(edge.port('s')), 'x')).how).toBe('ECONNRESET');
  });

  const unclean = [
    // A killed core: the kernel says FIN, TLS says nothing.
    { name: 'sealed, after a whole chunk', alpn: [SEALED], bytes: '\0\0\0\x04half', want: 'half' },
    { name: 'sealed, in mid-chunk', alpn: [SEALED], bytes: '\0\0\0\x09half', want: 'half' },
    {
      name: 'plain, in the middle of an answer',
      alpn: undefined,
      bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf',
      want: 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf',
    },
  ];
  it.each(unclean)('takes the silent death of a core for a cut: $name', async ({ alpn, bytes, want }) => {
    const id = await ca.issueNode('core-1');
    const raws: net.Socket[] = [];
    const server = tls.createServer({ ...id, ...(alpn ? { ALPNProtocols: alpn } : {}) }, (s) => {
      s.on('error', () => undefined);
      s.once('data', () => {
        s.write(Buffer.concat([encodeResponse(RELAY_STATUS.ok), Buffer.from(bytes, 'latin1')]), () =>
          setTimeout(() => raws[0]?.destroy(), 20),
        );
      });
    });
    server.prependListener('connection', (raw: net.Socket) => raws.push(raw));
    const tunnel = { material: 'id', peers: 'fleet', serverName: null } as const;
    const edge = await carry(
      { cores: makePool([makeNode(await listen(server), { tls: tunnel })]) },
      { id: { ...(await ca.issueNode('edge-1')), ca: ca.ca } },
    );
    const answer = await talk(open(edge.port('s')), 'GET / HTTP/1.1\r\n\r\n', false);
    expect(answer).toEqual({ text: want, how: 'ECONNRESET' });
    expect(await edge.stats('s')).toMatchObject({ abortedTunnel: 1, errors: 0 });
  });
});

describe('mutual TLS by identity', () => {
  const FAR = new Date(Date.now() - 90 * DAY);
  const ago = (days: number): { notBefore: Date; notAfter: Date } => ({
    notBefore: FAR,
    notAfter: new Date(Date.now() - days * DAY),
  });
  const CASES: { name: string; issue: () => Promise<Issued> | null; lets: boolean; says: RegExp }[] = [
    { name: 'a node', issue: () => ca.issueNode('n'), lets: true, says: /^$/ },
    { name: 'a node expired yesterday', issue: () => ca.issueNode('n', ago(1)), lets: true, says: /^$/ },
    {
      name: 'a node expired 31 days ago',
      issue: () => ca.issueNode('n', ago(31)),
      lets: false,
      says: /EXPIRED/,
    },
    { name: 'another CA of the same name', issue: () => other.issueNode('n'), lets: false, says: /refused/ },
    { name: 'another CA, expired', issue: () => other.issueNode('n', ago(1)), lets: false, says: /refused/ },
    {
      name: 'ours, but no node',
      issue: () => ca.issue('n', { dns: 'n' }),
      lets: false,
      says: /not one of our nodes/,
    },
    {
      name: 'ours, another kind of name',
      issue: () => ca.issue('n', { uri: 'spiffe://ai-cdn/console/n' }),
      lets: false,
      says: /not one of our nodes/,
    },
    { name: 'no certificate', issue: () => null, lets: false, says: /shows no certificate/ },
  ];

  it.each(CASES)('a core meets $name', async ({ issue, lets, says }) => {
    const core = await carry(
      {
        handler: 'relay',
        tls: { material: 'id', peers: 'fleet' },
        targets: makePool([makeNode(await echo())]),
      },
      { id: { ...(await ca.issueNode('core-1')), ca: ca.ca } },
    );
    const shown = (await issue()) ?? {};
    const options = { port: core.port('s'), host: HOST, rejectUnauthorized: false, ...shown };
    const { text } = await talk(tls.connect(options), REQUEST);
    expect(text).toBe(lets ? '\x01\0\0\0' : '');
    expect(core.log.join()).toMatch(says);
  });

  it.each(CASES.filter((c) => c.name !== 'no certificate'))(
    'an edge meets $name',
    async ({ issue, lets, says }) => {
      const shown = (await issue()) as Issued;
      const server = tls.createServer({ ...shown }, (s) => {
        s.on('error', () => undefined);
        s.once('data', () => s.end(Buffer.concat([encodeResponse(RELAY_STATUS.ok), Buffer.from('ok')])));
      });
      const tunnel = { material: 'id', peers: 'fleet', serverName: null } as const;
      const edge = await carry(
        { cores: makePool([makeNode(await listen(server), { tls: tunnel })]) },
        { id: { ...(await ca.issueNode('edge-1')), ca: ca.ca } },
      );
      const { text, how } = await talk(open(edge.port('s')), 'x');
      expect({ text, how }).toEqual(lets ? { text: 'ok', how: 'end' } : { text: '', how: 'ECONNRESET' });
      expect(edge.log.join()).toMatch(says);
    },
  );

  it('checks a server name only where one is set, and not below TLS 1.2', async () => {
    const id = { id: { ...(await ca.issueNode('core-1', { dns: 'core.internal' })), ca: ca.ca } };
    const core = await carry(
      {
        handler: 'relay',
        tls: { material: 'id', peers: 'fleet' },
        targets: makePool([makeNode(await echo())]),
      },
      id,
    );
    for (const [serverName, how] of [
      ['core.internal', 'end'],
      ['core.elsewhere', 'ECONNRESET'],
    ] as const) {
      const tunnel = { material: 'id', peers: 'fleet', serverName } as const;
      const edge = await carry({ cores: makePool([makeNode(core.port('s'), { tls: tunnel })]) }, id);
      expect((await talk(open(edge.port('s')), 'x')).how).toBe(how);
    }
    const old = tls.connect({
      port: core.port('s'),
      host: HOST,
      rejectUnauthorized: false,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
    });
    expect((await talk(old, '')).how).not.toBe('end');
  });

  it.each([0, 1])(
    'checks an address where one is set as the name, with %d kept sessions',
    async (sessions) => {
      const id = { id: { ...(await ca.issueNode('core-1', { ip: HOST })), ca: ca.ca } };
      const targets = makePool([makeNode(await echo())]);
      const peers = { material: 'id', peers: 'fleet' } as const;
      const over = { path: null, mux: sessions > 0 };
      const core = await carry({ handler: 'relay', tls: peers, over, targets }, id);
      for (const [serverName, heard] of [
        [HOST, { text: 'x', how: 'end' }],
        ['127.0.0.2', { text: '', how: 'ECONNRESET' }],
      ] as const) {
        const dial = { tls: { ...peers, serverName }, over: { path: null, host: null, sessions } };
        const edge = await carry({ cores: makePool([makeNode(core.port('s'), dial)]) }, id);
        expect(await talk(open(edge.port('s')), 'x')).toEqual(heard);
      }
    },
  );
});
