import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { BlackHole } from '../../../../test/harness/black-hole.ts';
import { type Attempted, Attempts, GivingUp, inOrder } from './attempts.ts';

const never = (): boolean => false;
let servers: net.Server[] = [];
let hole: BlackHole | null = null;
let sockets: net.Socket[] = [];

afterEach(() => {
  for (const s of sockets) s.destroy();
  for (const s of servers) s.close();
  hole?.close();
  hole = null;
  servers = [];
  sockets = [];
});

async function serve(host: string, port = 0): Promise<number> {
  const server = net.createServer((s) => s.on('error', never));
  servers.push(server);
  await new Promise<void>((r) => server.listen(port, host, r));
  return (server.address() as net.AddressInfo).port;
}

function make(): {
  attempts: Attempts;
  to: (port: number, ...addresses: string[]) => Promise<Attempted>;
} {
  const attempts = new Attempts({ clock: () => performance.now(), random: () => 0 });
  const to = async (port: number, ...addresses: string[]): Promise<Attempted> => {
    const result = await attempts.connect({ addresses, port, reads: null }, new GivingUp());
    if (result.ok) sockets.push(result.socket);
    return result;
  };
  return { attempts, to };
}

describe('the order of addresses', () => {
  const [a, b, c] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'] as const;
  const [x, y] = ['2001:db8::1', '2001:db8::2'] as const;

  it('goes round within a family, families by turns, IPv6 first', () => {
    expect(inOrder([a, b, c], 0, never)).toEqual([a, b, c]);
    expect(inOrder([a, b, c], 1, never)).toEqual([b, c, a]);
    expect(inOrder([a, b, c, x, y], 4, never)).toEqual([x, b, y, c, a]);
    expect(inOrder([], 3, never)).toEqual([]);
  });

  it('has those that failed lately last', () => {
    expect(inOrder([a, b, x], 0, (n) => n === x || n === a)).toEqual([b, x, a]);
  });
});

describe('attempts', () => {
  it('share the load among equal addresses', async () => {
    const port = await serve('0.0.0.0');
    const { to } = make();
    const used: string[] = [];
    for (let i = 0; i < 6; i++) {
      const result = await to(port, '127.0.0.1', '127.0.0.2', '127.0.0.3');
      if (result.ok) used.push(result.address);
    }
    expect(used.toSorted()).toEqual([1, 1, 2, 2, 3, 3].map((n) => `127.0.0.${n}`));
  });

  it('go on to the next address when one refuses, and begin with those that work', async () => {
    const port = await serve('127.0.0.1');
    const { to } = make();
    for (let i = 0; i < 4; i++)
      expect(await to(port, '127.0.0.2', '127.0.0.3', '127.0.0.1')).toMatchObject({ address: '127.0.0.1' });
    expect(await to(port, '127.0.0.2', '127.0.0.3')).toEqual({
      ok: false,
      why: expect.stringMatching(/^127\.0\.0\.[23] ECONNREFUSED, 127\.0\.0\.[23] ECONNREFUSED$/),
      timeout: false,
    });
    expect(await to(port, '127.0.0.2')).toEqual({ ok: false, why: 'ECONNREFUSED', timeout: false });
  });

  it('go on beside an address that says nothing, and leave it for last afterwards', async () => {
    const port = await serve('127.0.0.1');
    hole = await BlackHole.open('127.0.0.2', port);
    const { attempts, to } = make();
    expect(await to(port, '127.0.0.2', '127.0.0.1')).toMatchObject({ address: '127.0.0.1' });
    // By turns it would be first again at least once.
    for (let i = 0; i < 2; i++)
      expect(await to(port, '127.0.0.2', '127.0.0.1')).toMatchObject({ address: '127.0.0.1' });
    const over = new GivingUp();
    const alone = attempts.connect({ addresses: ['127.0.0.2'], port, reads: null }, over);
    over.now();
    expect(await alone).toEqual({ ok: false, why: 'given up', timeout: false });
  });
});
