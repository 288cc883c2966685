import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createDialler } from './dialler.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const s of servers.splice(0)) await new Promise((done) => s.close(done));
});

/** A port that accepts, and how many it has; `most` at a time are kept. */
async function listening() {
  const seen = { all: 0, now: 0, most: 0, bytes: 0 };
  const server = createServer((socket) => {
    seen.all += 1;
    seen.now += 1;
    seen.most = Math.max(seen.most, seen.now);
    socket.on('data', (d) => {
      seen.bytes += d.length;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      seen.now -= 1;
    });
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { seen, port: (server.address() as { port: number }).port };
}
const local = createDialler({ allow: ['127.0.0.0/8', '::1/128'] });

describe('dialler', () => {
  it('tells what answers from what does not, in order, and sends nothing', async () => {
    const { port, seen } = await listening();
    const gone = await listening();
    await new Promise((done) => servers.pop()?.close(done));
    const found = await local.dial([
      { host: '127.0.0.1', port },
      { host: '127.0.0.1', port: gone.port },
      { host: 'no.such.host.invalid', port },
      { host: '127.0.0.1', port },
    ]);
    expect(found).toEqual(['answers', 'silent', 'silent', 'answers']);
    expect(seen.bytes).toBe(0);
  });

  it.each([
    '127.0.0.1',
    '127.8.8.8',
    '0.0.0.0',
    '::1',
    '::',
    '::ffff:127.0.0.1',
    '::ffff:169.254.169.254',
    'localhost',
    '169.254.169.254',
    'fe80::1',
    'fd00:ec2::254',
    '100.100.100.200',
    '224.0.0.1',
    '255.255.255.255',
    'ff02::1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
  ])('%s is not dialled because a node says so', async (host) => {
    const { port, seen } = await listening();
    expect(await createDialler({ allow: [] }).dial([{ host, port }])).toEqual(['forbidden']);
    expect(seen.all).toBe(0);
  });

  it('what is allowed is only what is said', async () => {
    const { port } = await listening();
    const some = createDialler({ allow: ['127.0.0.1/32'] });
    expect(
      await some.dial([
        { host: '127.0.0.1', port },
        { host: '127.0.0.2', port },
      ]),
    ).toEqual(['answers', 'forbidden']);
  });

  it('a few at a time', async () => {
    const { port, seen } = await listening();
    const two = createDialler({ allow: ['127.0.0.0/8'], atOnce: 2 });
    const found = await two.dial(Array.from({ length: 40 }, () => ({ host: '127.0.0.1', port })));
    expect(found).toEqual(Array(40).fill('answers'));
    // The other side sees a hang-up late: never as many as there were.
    expect(seen.most).toBeLessThan(40);
    expect(await two.dial([])).toEqual([]);
  });

  it('does not wait for what never answers', async () => {
    // Nobody is there, and nobody says so: documentation addresses lead nowhere.
    const impatient = createDialler({ allow: [], withinMs: 50 });
    expect(await impatient.dial([{ host: '192.0.2.1', port: 443 }])).toEqual(['silent']);
  });
});
