import { framed } from './raw-grpc.ts';

// Bodies of gRPC calls that are wrong in ways of their own.

const TEXTS = [
  '',
  ' ',
  '\u0000',
  '\u001b]52;c;aGk=\u0007',
  '../../../../etc/passwd',
  '__proto__',
  'constructor',
  '\u202egnp.exe',
  'x'.repeat(5000),
  'admin',
  'hk-1',
  'reload',
  'a: &a [*a]',
  '9'.repeat(400),
];

/** A message of fields as the definitions have them, or nearly. */
function fields(random: () => number, depth = 0): Buffer {
  const int = (n: number): number => Math.floor(random() * n);
  const parts: Buffer[] = [];
  for (let i = int(7); i >= 0; i--) {
    const kind = random();
    const number = 1 + int(kind < 0.05 ? 500_000 : 12);
    const tag = (wire: number): Buffer => varint(BigInt(number) * 8n + BigInt(wire));
    const counted = (bytes: Buffer): void => {
      parts.push(tag(2), varint(BigInt(bytes.length)), bytes);
    };
    if (kind < 0.4) counted(Buffer.from(TEXTS[int(TEXTS.length)] as string));
    else if (kind < 0.55 && depth < 5) counted(fields(random, depth + 1));
    else if (kind < 0.75)
      parts.push(tag(0), varint(BigInt.asUintN(64, BigInt(int(2 ** 31)) ** BigInt(int(4)))));
    else if (kind < 0.8) parts.push(tag(1), anything(random, 8));
    else if (kind < 0.85) parts.push(tag(5), anything(random, 4));
    // A length that is not there, a group, a wire type that nobody has, bytes that are no text.
    else if (kind < 0.9) parts.push(tag(2), varint(BigInt(int(2 ** 31))));
    else if (kind < 0.93) parts.push(tag(3 + int(5)));
    else counted(anything(random, int(200)));
  }
  return Buffer.concat(parts);
}

/** What follows the headers of a call: mostly one frame with something in it that is none of its messages. */
export function wildCall(random: () => number): Buffer {
  const kind = random();
  if (kind < 0.7) return framed(fields(random));
  if (kind < 0.85) return framed(anything(random, Math.floor(random() * 400)));
  const bytes = framed(fields(random));
  if (kind < 0.88) bytes.writeUInt32BE(Math.floor(random() * 2 ** 32), 1);
  // "Compressed", and is not.
  else if (kind < 0.91) bytes[0] = 1 + Math.floor(random() * 255);
  else if (kind < 0.94) return bytes.subarray(0, Math.floor(random() * bytes.length));
  else if (kind < 0.97) return Buffer.concat([bytes, framed(fields(random)), framed(fields(random))]);
  // Groups in groups.
  else return framed(Buffer.alloc(20_000, 0x0b));
  return bytes;
}

/** HTTP/2, nearly: after the preface, frames that say anything. */
export function wildFrames(random: () => number): Buffer {
  const parts: Buffer[] = [];
  for (let i = Math.floor(random() * 8); i >= 0; i--) {
    const payload = anything(random, Math.floor(random() * 60));
    const head = Buffer.alloc(9);
    head.writeUIntBE(random() < 0.8 ? payload.length : Math.floor(random() * 2 ** 24), 0, 3);
    head[3] = Math.floor(random() * 12);
    head[4] = Math.floor(random() * 256);
    head.writeUInt32BE(Math.floor(random() * 5), 5);
    parts.push(head, payload);
  }
  return Buffer.concat(parts);
}

export function anything(random: () => number, bytes: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, () => Math.floor(random() * 256)));
}

function varint(value: bigint): Buffer {
  const out: number[] = [];
  let left = value;
  do {
    out.push(Number(left & 0x7fn) | (left > 0x7fn ? 0x80 : 0));
    left >>= 7n;
  } while (left > 0n);
  return Buffer.from(out);
}
