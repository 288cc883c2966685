import type { Chance } from './wild-streams.ts';

// What no honest peer says, by a seeded chance. Every one of them is wrong or cut short; none of them is a secret guessed.

function int(chance: Chance, below: number): number {
  return Math.floor(chance() * below);
}

function one<T>(chance: Chance, of: readonly T[]): T {
  return of[int(chance, of.length)] as T;
}

export function anyBytes(chance: Chance, most: number): Buffer {
  return Buffer.from(Array.from({ length: int(chance, most + 1) }, () => int(chance, 256)));
}

/** A relay header for `valid`, spoilt; `valid` asks with a wrong password. */
export function relayHeader(chance: Chance, valid: Buffer): Buffer {
  switch (int(chance, 4)) {
    case 0: {
      const spoilt = Buffer.from(valid);
      spoilt[int(chance, valid.length)] = int(chance, 256);
      return spoilt;
    }
    case 1:
      return valid.subarray(0, int(chance, valid.length));
    case 2:
      return anyBytes(chance, 64);
    default: {
      const features = anyBytes(chance, 64);
      return Buffer.concat([Buffer.from([1, 1, 0, features.length]), features]);
    }
  }
}

/** Some good frames of one version of smux, a bad one, and anything. */
export function smuxFrames(chance: Chance): Buffer {
  const version = 1 + int(chance, 2);
  const frame = (v: number, cmd: number, sid: number, payload: Buffer, length = payload.length): Buffer => {
    const head = Buffer.alloc(8);
    head[0] = v;
    head[1] = cmd;
    head.writeUInt16LE(length, 2);
    head.writeUInt32LE(sid, 4);
    return Buffer.concat([head, payload]);
  };
  const nothing = Buffer.alloc(0);
  const good = Array.from({ length: int(chance, 5) }, () =>
    one(chance, [
      frame(version, 0, 3 + 2 * int(chance, 3), nothing),
      frame(version, 1, 3 + 2 * int(chance, 3), nothing),
      frame(version, 2, 3, anyBytes(chance, 200)),
      frame(version, 3, int(chance, 3) * 0x7fffffff, nothing),
    ]),
  );
  const bad = one(chance, [
    frame(3 + int(chance, 250), int(chance, 5), 3, nothing),
    frame(3 - version, 0, 3, nothing),
    frame(version, 5 + int(chance, 250), int(chance, 9), nothing),
    frame(version, one(chance, [0, 1, 3]), 3, anyBytes(chance, 9), 1 + int(chance, 65_535)),
    frame(version, 4, 3, Buffer.alloc(8, int(chance, 256)), one(chance, [0, 7, 9, 65_535])),
    frame(version, 0, 2 * int(chance, 9), nothing),
    frame(version, 2, 3, anyBytes(chance, 9), 65_535),
  ]);
  return Buffer.concat([...good, bad, anyBytes(chance, 60)]);
}

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

export function webSocketRequest(path: string, host: string): Buffer {
  return Buffer.from(
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`,
  );
}

export function webSocketHandshake(chance: Chance, valid: Buffer): Buffer {
  const text = valid.toString();
  const edited = (from: string, to: string): Buffer => Buffer.from(text.replace(from, to));
  switch (int(chance, 10)) {
    case 0:
      return edited('GET', one(chance, ['POST', 'PRI', 'get', 'CONNECT', '']));
    case 1:
      return edited('/ws', one(chance, ['/', '/wsx', '*', 'http://x/ws', '/%', ` /${'w'.repeat(20_000)}`]));
    case 2:
      return edited('websocket', one(chance, ['h2c', 'websockets', '', 'web socket']));
    case 3:
      return edited('13', one(chance, ['12', '', '13, 8', '-1']));
    case 4:
      return edited(KEY, one(chance, ['', 'short', `${KEY}${KEY}`, '\u0000']));
    case 5:
      return edited('HTTP/1.1', one(chance, ['HTTP/1.0', 'HTTP/2.0', 'HTTP/9', 'TPTH/1.1']));
    case 6:
      return edited('\r\n\r\n', `\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`);
    case 7:
      return edited(
        'Upgrade\r\n',
        `Upgrade\r\nContent-Length: ${one(chance, ['-1', '5', 'x'])}\r\nTransfer-Encoding: chunked\r\n`,
      );
    case 8:
      return valid.subarray(0, int(chance, valid.length));
    default:
      return anyBytes(chance, 300);
  }
}

/** What follows a good handshake, and is none of the frames that a client may send. */
export function webSocketFrames(chance: Chance): Buffer {
  const frame = (first: number, second: number, rest: Buffer): Buffer =>
    Buffer.concat([Buffer.from([first, second]), rest]);
  const masked = (opcode: number, payload: Buffer): Buffer =>
    frame(0x80 | opcode, 0x80 | payload.length, Buffer.concat([Buffer.alloc(4), payload]));
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(one(chance, [2n ** 63n, 2n ** 40n, 2n * 1024n * 1024n, 2n ** 64n - 1n]));
  const good = Array.from({ length: int(chance, 3) }, () =>
    one(chance, [
      masked(9, anyBytes(chance, 20)),
      masked(2, Buffer.alloc(0)),
      masked(10, anyBytes(chance, 20)),
    ]),
  );
  const bad = one(chance, [
    frame(0x82, int(chance, 126), anyBytes(chance, 50)),
    frame(0x80 | one(chance, [3, 4, 5, 6, 7, 11, 12, 15]), 0x80, Buffer.alloc(4)),
    frame(0x82 | (0x10 << int(chance, 3)), 0x80, Buffer.alloc(4)),
    frame(one(chance, [0x08, 0x09, 0x0a]), 0x80, Buffer.alloc(4)),
    frame(0x89, 0x80 | 126, Buffer.from([1, 0, 0, 0, 0, 0])),
    frame(0x80, 0x80, Buffer.alloc(4)),
    frame(0x82, 0xff, Buffer.concat([length, Buffer.alloc(4), anyBytes(chance, 50)])),
    masked(1, Buffer.from('text')),
    masked(8, Buffer.from([int(chance, 4), int(chance, 256)])),
    masked(8, Buffer.from([3])),
    masked(2, Buffer.from('GET / HTTP/1.1\r\n\r\n')),
  ]);
  return Buffer.concat([...good, bad, anyBytes(chance, 40)]);
}
