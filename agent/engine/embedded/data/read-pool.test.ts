import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Reader, ReadPool } from './read-pool.ts';

let server: net.Server | null = null;

afterEach(async () => {
  server?.close();
  server = null;
});

async function serve(onSocket: (s: net.Socket) => void): Promise<number> {
  server = net.createServer(onSocket).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
}

function read(port: number, pool: ReadPool): { socket: net.Socket; reader: Reader } {
  const reader = new Reader(pool);
  const socket = net.connect({ host: '127.0.0.1', port, onread: reader.onread });
  socket.pause();
  return { socket, reader };
}

const sum = (b: Buffer): string => createHash('sha256').update(b).digest('hex');

describe('reads of dialled sockets', () => {
  it('gives each its own bytes, kept as long as one likes, small ones and bulk side by side', async () => {
    const bodies = Array.from({ length: 30 }, (_, i) => randomBytes(i % 3 === 0 ? 900_000 : 40 * i));
    let turn = 0;
    const port = await serve((s) => {
      const body = bodies[turn++] as Buffer;
      s.write(Buffer.from([turn - 1]));
      // In pieces of every size, so that full reads and small ones take turns on one socket.
      for (let at = 0, n = 1; at < body.length; at += n, n = (n * 7) % 70_001)
        s.write(body.subarray(at, at + n));
      s.end();
    });
    const pool = new ReadPool();
    const got = await Promise.all(
      bodies.map(async () => {
        const { socket, reader } = read(port, pool);
        const kept: Buffer[] = [];
        reader.to((chunk) => {
          kept.push(chunk);
          if (kept.length % 5 === 0) {
            socket.pause();
            setImmediate(() => socket.resume());
          }
        });
        socket.resume();
        await once(socket, 'end');
        return Buffer.concat(kept);
      }),
    );
    for (const bytes of got) expect(sum(bytes.subarray(1))).toBe(sum(bodies[bytes[0] as number] as Buffer));
    expect(new Set(got.map((b) => b[0])).size).toBe(bodies.length);
  });

  it('reads nothing before somebody takes it, and stops when asked to', async () => {
    const port = await serve((s) => void s.write('first'));
    const { socket, reader } = read(port, new ReadPool());
    await once(socket, 'connect');
    const chunks: string[] = [];
    reader.to((chunk) => {
      chunks.push(chunk.toString());
      socket.pause();
    });
    expect(socket.bytesRead).toBe(0);
    socket.resume();
    while (chunks.length === 0) await new Promise((r) => setImmediate(r));
    expect(chunks).toEqual(['first']);
    expect(socket.isPaused()).toBe(true);
    socket.destroy();
  });

  it('drops what comes when nobody wants it any more, and still hears the end', async () => {
    const port = await serve((s) => s.end(randomBytes(300_000)));
    const { socket, reader } = read(port, new ReadPool());
    reader.to(null);
    socket.resume();
    await once(socket, 'end');
    expect(socket.bytesRead).toBe(300_000);
  });
});
