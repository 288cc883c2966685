import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { makeNode, makePool, makeService } from '../../../../test/harness/two-hops.ts';
import { Headroom, ownDescriptors } from './headroom.ts';
import { DataPlane } from './plane.ts';

const HOST = '127.0.0.1';

describe('headroom', () => {
  it('looks seldom while there is room, and is tight before descriptors are out', () => {
    let [held, looks] = [0, 0];
    const said: string[] = [];
    const look = (): number => {
      looks += 1;
      return held;
    };
    const room = new Headroom(
      { limit: 20_000, held: look },
      { tight: (n) => said.push(`tight ${n}`), eased: (n) => said.push(`eased ${n}`) },
    );
    let taken = 0;
    for (; !room.tight && taken < 20_000; taken++) {
      held += 2;
      room.took();
    }
    expect(said).toEqual([`tight ${held}`]);
    expect(held).toBeGreaterThanOrEqual(19_000);
    expect(held).toBeLessThan(19_100);
    expect(looks).toBeLessThan(40);
    held = 18_500;
    room.look();
    expect(room.tight).toBe(true);
    held = 18_000;
    room.look();
    expect(said).toEqual([expect.stringMatching(/^tight/), 'eased 18000']);
    expect(room.tight).toBe(false);
  });

  it('holds all of them when there is none left to look with', async () => {
    const program = `
      import { openSync } from 'node:fs';
      import { ownDescriptors } from ${JSON.stringify(new URL('./headroom.ts', import.meta.url).href)};
      const own = ownDescriptors();
      try {
        for (;;) openSync('/dev/null');
      } catch {
        process.exitCode = own?.held() === own?.limit ? 0 : 1;
      }`;
    const args = [
      '-c',
      'ulimit -n 64; exec "$0" --input-type=module-typescript -e "$1"',
      process.execPath,
      program,
    ];
    const [code] = await once(spawn('sh', args, { stdio: 'ignore' }), 'exit');
    expect(code).toBe(0);
  });

  it('knows what this process has open', async () => {
    const own = ownDescriptors();
    if (process.platform !== 'linux') {
      expect(own).toBeNull();
      return;
    }
    const before = own?.held() ?? 0;
    const server = net.createServer().listen(0, HOST);
    await once(server, 'listening');
    expect(own?.held()).toBeGreaterThan(before);
    expect(own?.limit).toBeGreaterThan(before);
    server.close();
  });
});

describe('a worker that is full', () => {
  const open: { close: () => unknown }[] = [];
  afterEach(async () => {
    for (const o of open.splice(0).reverse()) await o.close();
  });

  it('closes its ports to new connections, keeps what stands, and opens them again', async () => {
    const origin = net.createServer((s) => s.on('error', () => undefined).pipe(s)).listen(0, HOST);
    open.push(origin);
    await once(origin, 'listening');
    const target = makeNode((origin.address() as net.AddressInfo).port);
    let held = 0;
    const log: string[] = [];
    let changed = Promise.withResolvers<void>();
    const plane = new DataPlane({
      ...{ now: () => Date.now(), clock: () => performance.now(), random: () => 0.5 },
      log: (_level, text) => {
        log.push(text);
        changed.resolve();
      },
      descriptors: { limit: 100, held: () => held },
    });
    open.push({ close: () => plane.calls.stop({}) });
    const carry = async (...names: string[]): Promise<void> => {
      const services = names.map((name, i) =>
        makeService(name, {
          listen: { host: i === 0 ? HOST : '127.0.0.2', port: 0 },
          targets: makePool([target]),
        }),
      );
      const listeners = services.map(({ name, listen }) => ({ service: name, listen }));
      expect(await plane.calls.bind({ listeners })).toEqual({ problems: [] });
      await plane.calls.commit({ services, materials: {} });
    };
    await carry('s');
    const port = plane.portOf('s') ?? 0;
    const connect = (to: number, host = HOST): net.Socket => {
      const socket = net.connect({ port: to, host });
      socket.on('error', () => undefined);
      open.push({ close: () => socket.destroy() });
      return socket;
    };
    const echoed = async (socket: net.Socket, text: string): Promise<string> => {
      socket.write(text);
      const [said] = (await once(socket, 'data')) as [Buffer];
      return said.toString();
    };

    held = 96;
    const first = connect(port);
    expect(await echoed(first, 'one')).toBe('one');
    expect(log).toEqual([expect.stringContaining('96 of 100 are in use')]);
    await expect(once(connect(port), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(await echoed(first, 'two')).toBe('two');
    expect((await plane.calls.confirm({ listenersOnly: true })).listeners).toEqual([
      { service: 's', accepting: true, error: '' },
    ]);
    // What is opened meanwhile is not for now either.
    await carry('s', 'late');
    const late = plane.portOf('late') ?? 0;
    await expect(once(connect(late, '127.0.0.2'), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });

    changed = Promise.withResolvers();
    held = 10;
    await changed.promise;
    expect(log[1]).toContain('it takes new connections again');
    expect(await echoed(connect(port), 'three')).toBe('three');
    expect(await echoed(first, 'four')).toBe('four');
  });
});
