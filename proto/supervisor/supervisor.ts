import { spawn } from 'node:child_process';
import { endianness } from 'node:os';

// What a program and the service manager that started it say to each other: sd_notify(3), one datagram a message.
// Where nobody asked for it (no NOTIFY_SOCKET) everything here does nothing.

type Send = (message: string) => void;

/** Signs of life an interval of the watchdog. */
const SIGNS = 6;

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const MSG_DONTWAIT_NOSIGNAL = 0x4040;

export class Supervisor {
  /** How long it waits for a sign of life, or `null`: it does not. */
  readonly watchdogMs: number | null;
  readonly #send: Send;

  constructor(send: Send, watchdogMs: number | null) {
    this.#send = send;
    this.watchdogMs = watchdogMs;
  }

  /**
   * The one that `env` names. Its variables are taken out of `env`: what we start is not who was asked.
   * @param env of this process, changed
   */
  static async from(env: Record<string, string | undefined>, pid = process.pid): Promise<Supervisor> {
    const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: asked } = env;
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
    if (!socket || process.platform !== 'linux') return new Supervisor(() => undefined, null);
    const mine = asked === undefined || asked === String(pid);
    const watchdogMs = mine && /^[1-9]\d*$/.test(usec ?? '') ? Number(usec) / 1000 : null;
    return new Supervisor((await byLibc(socket)) ?? byProgram(socket, pid), watchdogMs);
  }

  /** It has started; until then whoever waits for it waits. */
  ready(status: string): void {
    this.#send(`READY=1\nSTATUS=${line(status)}`);
  }

  status(status: string): void {
    this.#send(`STATUS=${line(status)}`);
  }

  /** It ends, as asked. `forMs`: it needs that long from now on, more than its unit gives it. */
  stopping(status: string, forMs = 0): void {
    const more = forMs > 0 ? `\nEXTEND_TIMEOUT_USEC=${Math.ceil(forMs * 1000)}` : '';
    this.#send(`STOPPING=1\nSTATUS=${line(status)}${more}`);
  }

  /**
   * Signs of life from now on, each from a turn of the event loop, and only while `healthy` says so.
   * @returns ends them
   */
  keepAlive(healthy: () => boolean = () => true): () => void {
    if (this.watchdogMs === null) return () => undefined;
    const sign = (): void => {
      if (healthy()) this.#send('WATCHDOG=1');
    };
    const timer = setInterval(sign, this.watchdogMs / SIGNS);
    timer.unref();
    return () => clearInterval(timer);
  }
}

/** A status is one line. */
const line = (text: string): string => text.replace(/\s+/g, ' ').slice(0, 200);

/** Node has no datagram sockets of this kind; libc has. `null`: this Node cannot call it. */
async function byLibc(socket: string): Promise<Send | null> {
  try {
    const { dlopen } = await import('node:ffi');
    const { functions } = dlopen(null, {
      socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
      sendto: { arguments: ['i32', 'pointer', 'u64', 'i32', 'pointer', 'u32'], return: 'i64' },
    });
    const open = functions.socket as (family: number, type: number, protocol: number) => number;
    const sendTo = functions.sendto as (
      fd: number,
      message: Uint8Array,
      length: bigint,
      flags: number,
      address: Uint8Array,
      addressLength: number,
    ) => bigint;
    const fd = open(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
    if (fd < 0) return null;
    const address = addressOf(socket);
    return (message) => {
      const bytes = Buffer.from(message);
      sendTo(fd, bytes, BigInt(bytes.length), MSG_DONTWAIT_NOSIGNAL, address, address.length);
    };
  } catch {
    return null;
  }
}

/** `@name` is an abstract one: a zero, the name, no end. */
function addressOf(socket: string): Buffer {
  const family = Buffer.alloc(2);
  if (endianness() === 'LE') family.writeUInt16LE(AF_UNIX);
  else family.writeUInt16BE(AF_UNIX);
  const path = socket.startsWith('@') ? `\0${socket.slice(1)}` : `${socket}\0`;
  return Buffer.concat([family, Buffer.from(path)]);
}

/** A child of ours says it for us: the unit has to let it (NotifyAccess=all). */
function byProgram(socket: string, pid: number): Send {
  return (message) => {
    const child = spawn('systemd-notify', [`--pid=${pid}`, ...message.split('\n')], {
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', NOTIFY_SOCKET: socket },
      stdio: 'ignore',
    });
    child.on('error', () => undefined);
    child.unref();
  };
}
