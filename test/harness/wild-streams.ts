import type net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';

// Clients and origins that do anything at any time, by a seeded chance: the same seed tries the same things again.

export type Chance = () => number;

/** mulberry32 */
export function chanceOf(seed: number): Chance {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const LAST_MS = 1_500;
const SIZES = [1, 100, 5_000, 70_000, 400_000] as const;
const STEPS = ['write', 'write', 'write', 'wait', 'wait', 'stall', 'read', 'end'] as const;
const LASTS = ['end', 'end', 'reset', 'reset', 'destroy', 'end-then-reset'] as const;

function one<T>(of: readonly T[], chance: Chance): T {
  return of[Math.floor(chance() * of.length)] as T;
}

/** Lives one connection from whichever side: some steps, then an end of some kind; resolves when the socket is closed. */
export async function liveWildly(socket: net.Socket, raw: net.Socket, chance: Chance): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    if (socket.destroyed) resolve();
    else socket.once('close', () => resolve());
  });
  for (const s of new Set([socket, raw])) s.on('error', () => undefined);
  socket.on('data', () => undefined);
  const steps = Math.floor(chance() * 6);
  for (let i = 0; i < steps && !socket.destroyed; i++) {
    switch (one(STEPS, chance)) {
      case 'write':
        if (socket.writable) socket.write(Buffer.alloc(one(SIZES, chance), 65));
        break;
      case 'wait':
        await Promise.race([sleep(chance() * 60), closed]);
        break;
      case 'stall':
        socket.pause();
        await Promise.race([sleep(chance() * 150), closed]);
        break;
      case 'read':
        socket.resume();
        break;
      case 'end':
        socket.end();
        break;
    }
  }
  const last = one(LASTS, chance);
  if (last === 'end' || last === 'end-then-reset') {
    socket.end();
    if (chance() < 0.7) socket.resume();
    await Promise.race([sleep(last === 'end' ? LAST_MS : chance() * 60), closed]);
  }
  if (!socket.destroyed) {
    if (last === 'reset' || last === 'end-then-reset') await reset(socket, raw);
    else socket.destroy();
  }
  await closed;
}

async function reset(socket: net.Socket, raw: net.Socket): Promise<void> {
  // Never inside a callback of OpenSSL, nor while a shutdown is pending.
  await new Promise((resolve) => setImmediate(resolve));
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else if (!raw.destroyed) raw.resetAndDestroy();
  if (raw !== socket) socket.destroy();
}

/** A TLS client that may leave in mid-handshake. `null`: it did. */
export async function shakeHandsWildly(
  raw: net.Socket,
  options: tls.ConnectionOptions,
  chance: Chance,
): Promise<tls.TLSSocket | null> {
  raw.on('error', () => undefined);
  const gone = new Promise<void>((resolve) => raw.once('close', () => resolve()));
  if (chance() < 0.15) {
    // Part of a ClientHello at most, then an end of one kind or another.
    if (chance() < 0.5) raw.write(Buffer.from('1603010200010001fc0303', 'hex'));
    await sleep(chance() * 20);
    if (chance() < 0.5) raw.resetAndDestroy();
    else {
      raw.resume();
      raw.end();
    }
    const late = setTimeout(() => raw.destroy(), 30_000);
    await gone;
    clearTimeout(late);
    return null;
  }
  const secured = { ...options, socket: raw, allowHalfOpen: true };
  const socket = tls.connect(secured);
  socket.on('error', () => undefined);
  if (chance() < 0.15) {
    await sleep(chance() * 15);
    if (chance() < 0.5) socket.destroy();
    else socket.end();
    if (!socket.destroyed) await Promise.race([gone, sleep(LAST_MS)]);
    socket.destroy();
    return null;
  }
  const shaken = await new Promise<boolean>((resolve) => {
    socket.once('secureConnect', () => resolve(true));
    socket.once('close', () => resolve(false));
  });
  return shaken ? socket : null;
}
