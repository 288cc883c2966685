import { dlopen } from 'node:ffi';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Supervisor } from './supervisor.ts';

// The other end is a socket of libc's as well, as systemd has one: what is sent is read from it.

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;

const { functions: libc } = dlopen(null, {
  socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
  bind: { arguments: ['i32', 'pointer', 'u32'], return: 'i32' },
  recv: { arguments: ['i32', 'pointer', 'u64', 'i32'], return: 'i64' },
  close: { arguments: ['i32'], return: 'i32' },
});
const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0)) step();
});

/** @returns what was said since it was asked last */
function listen(name: string): () => readonly string[] {
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM, 0) as number;
  const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), Buffer.from(name)]);
  expect(libc.bind(fd, address, address.length)).toBe(0);
  undo.push(() => void libc.close(fd));
  return () => {
    const heard: string[] = [];
    for (const buffer = Buffer.alloc(4096); ; ) {
      const n = Number(libc.recv(fd, buffer, 4096n, MSG_DONTWAIT));
      if (n < 0) return heard;
      heard.push(buffer.toString('utf8', 0, n));
    }
  };
}

function inFolder(): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'notify-'));
  undo.push(() => rmSync(dir, { recursive: true, force: true }));
  return path.join(dir, 'notify');
}

describe('a program that was started by a service manager', () => {
  it('says ready, what it does and that it stops; what it starts itself does not', async () => {
    const socket = inFolder();
    const heard = listen(`${socket}\0`);
    const env = { NOTIFY_SOCKET: socket, PATH: '/bin' };
    const supervisor = await Supervisor.from(env);
    expect(env).toEqual({ PATH: '/bin' });
    supervisor.ready('listens on\n:443');
    supervisor.stopping('streams end', 1_500.5);
    supervisor.stopping('now');
    expect(heard()).toEqual([
      'READY=1\nSTATUS=listens on :443',
      'STOPPING=1\nSTATUS=streams end\nEXTEND_TIMEOUT_USEC=1500500',
      'STOPPING=1\nSTATUS=now',
    ]);
  });

  it('reaches an abstract socket', async () => {
    const name = `ai-cdn-test-${process.pid}`;
    const heard = listen(`\0${name}`);
    (await Supervisor.from({ NOTIFY_SOCKET: `@${name}` })).ready('here');
    expect(heard()).toEqual(['READY=1\nSTATUS=here']);
  });

  it('gives signs of life in time, and none while it is not healthy', async () => {
    const socket = inFolder();
    const heard = listen(`${socket}\0`);
    const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '60000', WATCHDOG_PID: `${process.pid}` };
    const supervisor = await Supervisor.from(env);
    expect(supervisor.watchdogMs).toBe(60);
    let asked = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = supervisor.keepAlive(() => {
      asked += 1;
      if (asked === 6) resolve();
      return asked % 2 === 0;
    });
    await promise;
    end();
    expect(heard()).toHaveLength(3);
  });

  it('is not watched for another process of its unit, nor by a figure that is none', async () => {
    const socket = inFolder();
    listen(`${socket}\0`);
    const watched = async (more: Record<string, string>) =>
      (await Supervisor.from({ NOTIFY_SOCKET: socket, ...more })).watchdogMs;
    expect(await watched({ WATCHDOG_USEC: '60000', WATCHDOG_PID: `${process.pid + 1}` })).toBeNull();
    expect(await watched({ WATCHDOG_USEC: '60000' })).toBe(60);
    expect(await watched({ WATCHDOG_USEC: '0' })).toBeNull();
    expect(await watched({ WATCHDOG_USEC: 'soon' })).toBeNull();
  });
});

describe('a program that nobody asked', () => {
  it('says nothing, and asks itself nothing', async () => {
    const supervisor = await Supervisor.from({});
    expect(supervisor.watchdogMs).toBeNull();
    supervisor.ready('x');
    supervisor.keepAlive(() => {
      throw new Error('not to be asked');
    })();
  });

  it('goes on where the socket is gone', async () => {
    const supervisor = await Supervisor.from({ NOTIFY_SOCKET: '/nowhere/at/all' });
    supervisor.ready('x');
  });
});
