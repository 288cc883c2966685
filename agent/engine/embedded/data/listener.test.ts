import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { createTestCa, type TestCa } from '../../../../test/harness/test-ca.ts';
import { makeNode, makePool, makeService, Plane } from '../../../../test/harness/two-hops.ts';

const HOST = '127.0.0.1';
let ca: TestCa;
let plane: Plane;
let origin: net.Server;

beforeAll(async () => {
  ca = await createTestCa();
});

afterEach(async () => {
  await plane.data.calls.stop({});
  origin.close();
});

/** A TLS service before an origin that does as told. */
async function carry(serve: (s: net.Socket) => void): Promise<number> {
  origin = net.createServer({ allowHalfOpen: true }, (s) => {
    s.on('error', () => undefined);
    serve(s);
  });
  await new Promise<void>((r) => origin.listen(0, HOST, r));
  const { port } = origin.address() as net.AddressInfo;
  plane = new Plane();
  const web = { ...(await ca.issue('web', { dns: 'localhost' })), ca: null };
  const tls = { material: 'web', peers: 'any' } as const;
  await plane.carry([makeService('s', { tls, targets: makePool([makeNode(port)]) })], { web });
  return plane.port('s');
}

it.each(['', '1603010200010001fc0303'])(
  'ends a client at once that ends in mid-handshake: %j',
  async (hello) => {
    const client = net.connect({ port: await carry(() => undefined), host: HOST, allowHalfOpen: true });
    client.on('error', () => undefined);
    client.resume();
    client.end(Buffer.from(hello, 'hex'));
    await once(client, 'close');
    expect(plane.log).toEqual([]);
  },
);

it('knows the end of a client that came, and ended, before its service was there', async () => {
  const heard = Promise.withResolvers<string>();
  origin = net.createServer({ allowHalfOpen: true }, (s) => {
    let text = '';
    s.on('data', (c) => {
      text += c;
    });
    s.on('end', () => {
      heard.resolve(text);
      s.end('bye');
    });
  });
  await new Promise<void>((r) => origin.listen(0, HOST, r));
  const free = net.createServer().listen(0, HOST);
  await once(free, 'listening');
  const { port } = free.address() as net.AddressInfo;
  free.close();
  await once(free, 'close');
  plane = new Plane();
  const listen = { host: HOST, port };
  expect(await plane.data.calls.bind({ listeners: [{ service: 's', listen }] })).toEqual({ problems: [] });
  const client = net.connect({ port, host: HOST, allowHalfOpen: true });
  client.end();
  await once(client, 'finish');
  // Its end has been read by then, and nobody was there to hear of it.
  await new Promise((r) => setTimeout(r, 50));
  const targets = makePool([makeNode((origin.address() as net.AddressInfo).port)]);
  await plane.data.calls.commit({ services: [makeService('s', { listen, targets })], materials: {} });
  expect(await heard.promise).toBe('');
  expect(String((await once(client, 'data'))[0])).toBe('bye');
});
