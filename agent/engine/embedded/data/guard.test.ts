import { once } from 'node:events';
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { makeNode, makePool, makeService, Plane } from '../../../../test/harness/two-hops.ts';
import { Guard } from './guard.ts';
import type { Guards } from './messages.ts';
import { type Entry, LocalTally, type Tally, type Want } from './tally.ts';

function make(guards: Guards, handler: 'tcp' | 'relay' = 'tcp') {
  let now = 0;
  const clock = (): number => now;
  const tally = new LocalTally({ clock });
  const guard = new Guard({ name: 's', handler, guards }, { tally, clock });
  const leaves: (() => void)[] = [];
  const enter = (address: string): boolean => {
    const leave = guard.enter(address);
    if (typeof leave === 'function') leaves.push(leave);
    return typeof leave === 'function';
  };
  const pass = (ms: number): void => {
    now += ms;
  };
  return { guard, enter, leaves, tally, pass };
}

const limits = (...pairs: [string, number][]) => ({
  name: 'l',
  limits: pairs.map(([key, limit]) => ({ key, limit })),
});

describe('admission', () => {
  const matchers = ['10.0.0.0/8', '2001:db8::/32'];
  it.each([
    [true, '10.1.2.3', true],
    [true, '::ffff:10.1.2.3', true],
    [true, '11.1.2.3', false],
    [true, '', false],
    [false, '2001:db8::1', false],
    [false, '2001:db9::1', true],
  ])('whitelist %j: %s gets in: %j', (whitelist, address, gets) => {
    expect(make({ admission: { name: 'a', whitelist, matchers } }).enter(address)).toBe(gets);
  });
});

describe('connections', () => {
  it('are counted together, by address, and by the narrowest range', () => {
    const { enter, leaves } = make({
      climiter: limits(['$', 4], ['$$', 1], ['10.0.0.0/8', 2], ['10.9.0.0/16', 0]),
    });
    expect(['1.1.1.1', '1.1.1.1', '2.2.2.2'].map(enter)).toEqual([true, false, true]);
    expect(['10.0.0.1', '10.0.0.1', '10.0.0.1', '10.9.0.1'].map(enter)).toEqual([true, true, false, false]);
    expect(enter('3.3.3.3')).toBe(false);
    leaves[0]?.();
    leaves[0]?.();
    expect(['3.3.3.3', '1.1.1.1'].map(enter)).toEqual([true, false]);
  });

  it('of one client are counted together, whatever family its port gives it', () => {
    const { enter, guard } = make({ climiter: limits(['$$', 1]) });
    expect(['::ffff:1.1.1.1', '1.1.1.1', '2.2.2.2', '::ffff:2.2.2.2'].map(enter)).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(guard.enter('::ffff:1.1.1.1')).toBe('more than 1 connections of its address');
  });

  it('of one address are capped where clients are unknown and nothing is written', () => {
    const flood = (address: string, handler: 'tcp' | 'relay'): number => {
      const { enter } = make({}, handler);
      return Array.from({ length: 10_000 }, () => enter(address)).filter(Boolean).length;
    };
    expect(flood('203.0.113.1', 'tcp')).toBe(8_192);
    expect(flood('203.0.113.1', 'relay')).toBe(10_000);
    expect(flood('127.0.0.1', 'tcp')).toBe(10_000);
  });

  it('that are refused by one limit take nothing of another', () => {
    const { enter, pass } = make({ climiter: limits(['$', 3], ['$$', 1]), rlimiter: limits(['$', 2]) });
    expect(['1.1.1.1', '1.1.1.1', '1.1.1.1', '2.2.2.2'].map(enter)).toEqual([true, false, false, true]);
    expect(['3.3.3.3', '4.4.4.4'].map(enter)).toEqual([false, false]);
    pass(500);
    expect(['3.3.3.3', '4.4.4.4'].map(enter)).toEqual([true, false]);
  });

  it('come at a rate; those refused cost nothing', () => {
    const { enter, pass } = make({ rlimiter: limits(['$$', 5]) });
    const burst = (): number => Array.from({ length: 20 }, () => enter('1.1.1.1')).filter(Boolean).length;
    expect(burst()).toBe(5);
    expect(enter('2.2.2.2')).toBe(true);
    pass(400);
    expect(burst()).toBe(2);
    pass(10_000);
    expect(burst()).toBe(5);
  });
});

describe('somebody else is asked', () => {
  function ask(handler: 'tcp' | 'relay', guards: Guards, entry: Entry) {
    const asked: Want[][] = [];
    const tally: Tally = {
      enter: async (wants) => {
        asked.push([...wants]);
        return entry;
      },
      spend: () => 0,
    };
    return { asked, guard: new Guard({ name: 's', handler, guards }, { tally, clock: () => 0 }) };
  }
  const leave = (): void => undefined;

  it('only where there is a limit, and nobody waits without one', () => {
    expect(ask('relay', {}, { leave }).guard.enter('203.0.113.1')).toBeTypeOf('function');
    expect(ask('tcp', {}, { leave }).guard.enter('127.0.0.1')).toBeTypeOf('function');
    const { guard, asked } = ask('tcp', { climiter: limits(['10.0.0.0/8', 1]) }, { leave });
    expect(guard.enter('203.0.113.1')).toBeTypeOf('function');
    expect(asked).toEqual([]);
  });

  it('once for all that limits it, and says which one was in the way', async () => {
    const guards = { climiter: limits(['$', 4], ['$$', 2]), rlimiter: limits(['$', 5]) };
    const refusedBy: Want = { kind: 'place', key: 'climiter l 203.0.113.1', limit: 2 };
    const { guard, asked } = ask('tcp', guards, { refusedBy });
    expect(await guard.enter('203.0.113.1')).toBe('more than 2 connections of its address');
    expect(asked).toEqual([
      [
        { kind: 'place', key: 'climiter l $', limit: 4 },
        refusedBy,
        { kind: 'rate', key: 'rlimiter l $', limit: 5 },
      ],
    ]);
    const capped = ask('tcp', {}, { leave });
    expect(await capped.guard.enter('203.0.113.1')).toBe(leave);
    expect(capped.asked).toMatchObject([[{ limit: 8_192, loose: true }]]);
  });
});

describe('bandwidth', () => {
  it('is the slowest of what all, its address and the stream may', () => {
    const limiter = {
      name: 'l',
      limits: [
        { key: '$', in: 1_000_000, out: null },
        { key: '$$', in: 100_000, out: 50_000 },
      ],
    };
    const { guard, pass } = make({ limiter });
    const [a, b] = [guard.pace('1.1.1.1'), guard.pace('1.1.1.1')];
    // 10 kB at 100 kB/s are 100 ms, half of which may run ahead.
    expect(a?.in?.(10_000)).toBe(50);
    expect(b?.in?.(10_000)).toBe(50);
    pass(50);
    expect(a?.in?.(10_000)).toBe(100);
    expect(a?.out?.(1_000)).toBe(0);
    expect(b?.in?.(1_000_000)).toBe(10_000);
    // Of what all may there is a second's debt now: 10 kB and a million since.
    expect(guard.pace('2.2.2.2')?.in?.(1)).toBeCloseTo(1_010 - 50);
  });

  it('is none where none is written', () => {
    expect(make({}).guard.pace('1.1.1.1')).toBeNull();
    const limiter = { name: 'l', limits: [{ key: '10.0.0.0/8', in: 1, out: 1 }] };
    expect(make({ limiter }).guard.pace('1.1.1.1')).toBeNull();
    expect(make({ limiter }).guard.pace('10.1.1.1')).not.toBeNull();
  });
});

it('the tally forgets what is paid for', () => {
  const { tally, pass } = make({});
  for (let i = 0; i < 5_000; i++) {
    tally.spend(`k${i}`, 1, 1000);
    pass(2);
  }
  expect(tally.size).toBeLessThan(2_000);
});

describe('through a listener', () => {
  let plane: Plane | null = null;
  let origin: net.Server | null = null;
  afterEach(async () => {
    await plane?.data.calls.stop({});
    origin?.close();
  });

  async function carry(guards: Guards, serve: (s: net.Socket) => void): Promise<() => net.Socket> {
    const server = net.createServer((s) => {
      s.on('error', () => undefined);
      serve(s);
    });
    origin = server;
    await new Promise<void>((r) => server.listen(0, '127.0.0.1', r));
    const { port } = server.address() as net.AddressInfo;
    plane = new Plane();
    await plane.carry([makeService('s', { guards, targets: makePool([makeNode(port)]) })]);
    const to = plane.port('s');
    return () => {
      const s = net.connect(to, '127.0.0.1');
      s.on('error', () => undefined);
      return s;
    };
  }

  it('one too many is reset, counted and told; the place of one that left is free', async () => {
    const connect = await carry({ climiter: limits(['$$', 2]) }, (s) => s.write('x'));
    const [a, b] = [connect(), connect()];
    await Promise.all([once(a, 'data'), once(b, 'data')]);
    const [error] = await new Promise<NodeJS.ErrnoException[]>((r) => connect().once('error', (e) => r([e])));
    expect(error?.code).toBe('ECONNRESET');
    expect(await plane?.stats('s')).toMatchObject({ opened: 2, errors: 1 });
    expect(plane?.log.join()).toMatch(/service s: refused 127.0.0.1: more than 2 connections of its address/);
    a.destroy();
    for (let got = false; !got; ) {
      const d = connect();
      d.resume();
      got = await new Promise<boolean>((r) => {
        d.once('data', () => r(true));
        d.once('close', () => r(false));
      });
      d.destroy();
    }
    b.destroy();
  });

  it('a limit paces, all arrives', async () => {
    const TOTAL = 600_000;
    const limiter = { name: 'l', limits: [{ key: '$$', in: null, out: 3_000_000 }] };
    const connect = await carry({ limiter }, (s) => s.end(Buffer.alloc(TOTAL)));
    const began = performance.now();
    let got = 0;
    for await (const chunk of connect()) got += (chunk as Buffer).length;
    expect(got).toBe(TOTAL);
    // 0.2 s less what runs ahead and the last chunk. A slow machine only takes longer.
    expect(performance.now() - began).toBeGreaterThan(80);
  });
});
