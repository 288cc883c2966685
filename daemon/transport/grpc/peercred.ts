import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

// Who is at the other end of a unix socket: getsockopt(SO_PEERCRED), which Node does not offer, through node:ffi.

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export type ReadPeer = (socket: Socket) => PeerCredentials | null;

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

/** A reader, or one that always says `null` where the platform or this Node has no way to ask. */
export async function peerReader(): Promise<{ read: ReadPeer; why: string | null }> {
  if (process.platform !== 'linux') {
    return { read: () => null, why: `not on ${process.platform}` };
  }
  try {
    const { dlopen } = await import('node:ffi');
    const { functions } = dlopen(null, {
      getsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'pointer'], return: 'i32' },
    });
    const getsockopt = functions.getsockopt as (
      fd: number,
      level: number,
      name: number,
      value: Uint8Array,
      length: Uint8Array,
    ) => number;
    return { read: (socket) => readWith(getsockopt, socket), why: null };
  } catch (error) {
    return { read: () => null, why: `this Node has no node:ffi (${String(error)})` };
  }
}

function readWith(
  getsockopt: (fd: number, level: number, name: number, value: Uint8Array, length: Uint8Array) => number,
  socket: Socket,
): PeerCredentials | null {
  const fd = (socket as Socket & { _handle?: { fd?: unknown } | null })._handle?.fd;
  if (typeof fd !== 'number' || fd < 0) return null;
  const value = Buffer.alloc(12);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(12);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value, length) !== 0 || length.readUInt32LE() !== 12)
    return null;
  return { pid: value.readInt32LE(0), uid: value.readUInt32LE(4), gid: value.readUInt32LE(8) };
}

/** `lin(1000)`; `1000` where the uid has no name. */
export function actorOf(uid: number, passwd: string): string {
  for (const line of passwd.split('\n')) {
    const [name, , id] = line.split(':');
    if (id === String(uid) && name) return `${name}(${uid})`;
  }
  return String(uid);
}

/** Read each time: people are added while a master runs. At once: a connection is named before its first byte. */
export function readPasswd(path = '/etc/passwd'): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
