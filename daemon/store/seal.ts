import { createCipheriv, createDecipheriv, createHash, scrypt } from 'node:crypto';
import { AppError } from '../../proto/vocab/errors.ts';

// A backup on its way out and in: `AICDN-BACKUP 1\n`, a line of JSON (cost, salt, nonce, check), then frames of
// `<u32 length><AES-256-GCM ciphertext><16 bytes tag>`. A frame's nonce is the header's eight bytes and its
// number; what is authenticated with it is the sha256 of both lines and whether it is the last one. So no frame
// can be changed, left out, doubled, moved, or be the last one by being cut off.

const MAGIC = 'AICDN-BACKUP 1\n';
const FRAME = 64 * 1024;
const TAG = 16;
const LONGEST_HEADER = 1024;

export interface SealCost {
  /** scrypt's N: 2^17 takes 128 MiB and some 0.4 s. */
  readonly n: number;
  readonly r: number;
  readonly p: number;
}
export const SEAL_COST: SealCost = { n: 2 ** 17, r: 8, p: 1 };
/** More than this is refused: a file must not decide how much memory its reader takes. */
const MOST_COST = 2 ** 20;

interface Header extends SealCost {
  readonly salt: string;
  readonly nonce: string;
  /** Half of what the passphrase gives, hashed: a wrong one is told from a damaged file. */
  readonly check: string;
}

interface Keys {
  readonly key: Buffer;
  readonly check: string;
}

function derive(passphrase: string, salt: Buffer, { n, r, p }: SealCost): Promise<Keys> {
  return new Promise((resolve, reject) => {
    const options = { N: n, r, p, maxmem: 256 * n * r };
    scrypt(passphrase.normalize('NFC'), salt, 64, options, (error, both) => {
      if (error) return reject(error);
      const check = createHash('sha256').update(both.subarray(32)).digest('hex').slice(0, 32);
      resolve({ key: both.subarray(0, 32), check });
    });
  });
}

function nonceOf(prefix: Buffer, frame: number): Buffer {
  const nonce = Buffer.alloc(12);
  prefix.copy(nonce, 0, 0, 8);
  nonce.writeUInt32BE(frame, 8);
  return nonce;
}

function aadOf(lines: Buffer, last: boolean): Buffer {
  return Buffer.concat([createHash('sha256').update(lines).digest(), Buffer.from([last ? 1 : 0])]);
}

/** @param random so many bytes that nobody can guess */
export async function* sealed(
  plain: AsyncIterable<Uint8Array>,
  passphrase: string,
  { random, cost = SEAL_COST }: { readonly random: (bytes: number) => Uint8Array; readonly cost?: SealCost },
): AsyncGenerator<Uint8Array> {
  const salt = Buffer.from(random(16));
  const prefix = Buffer.from(random(8));
  const { key, check } = await derive(passphrase, salt, cost);
  const header: Header = { ...cost, salt: salt.toString('hex'), nonce: prefix.toString('hex'), check };
  const lines = Buffer.from(`${MAGIC}${JSON.stringify(header)}\n`);
  yield lines;
  let frame = 0;
  const seal = (bytes: Buffer, last: boolean): Buffer => {
    const cipher = createCipheriv('aes-256-gcm', key, nonceOf(prefix, frame));
    cipher.setAAD(aadOf(lines, last));
    frame += 1;
    const body = Buffer.concat([cipher.update(bytes), cipher.final()]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    return Buffer.concat([length, body, cipher.getAuthTag()]);
  };
  let held = Buffer.alloc(0);
  for await (const part of plain) {
    held = Buffer.concat([held, part]);
    while (held.length > FRAME) {
      yield seal(held.subarray(0, FRAME), false);
      held = held.subarray(FRAME);
    }
  }
  yield seal(held, true);
}

/** Reads so many bytes from parts of any size. */
class Bytes {
  private readonly parts: AsyncIterator<Uint8Array>;
  private held = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.parts = source[Symbol.asyncIterator]();
  }

  /** `null`: the end came first. */
  async take(n: number): Promise<Buffer | null> {
    while (this.held.length < n) {
      const next = await this.parts.next();
      if (next.done) return null;
      this.held = Buffer.concat([this.held, next.value]);
    }
    const out = this.held.subarray(0, n);
    this.held = this.held.subarray(n);
    return out;
  }

  async line(most: number): Promise<Buffer | null> {
    for (;;) {
      const at = this.held.indexOf(0x0a);
      if (at >= 0) return this.take(at + 1);
      if (this.held.length > most) return null;
      const next = await this.parts.next();
      if (next.done) return null;
      this.held = Buffer.concat([this.held, next.value]);
    }
  }

  /** Whether nothing is left. */
  async atEnd(): Promise<boolean> {
    while (this.held.length === 0) {
      const next = await this.parts.next();
      if (next.done) return true;
      this.held = Buffer.from(next.value);
    }
    return false;
  }
}

function readHeader(line: Buffer): Header | null {
  try {
    const v = JSON.parse(line.toString()) as Partial<Header>;
    const whole = [v.n, v.r, v.p].every((x) => Number.isSafeInteger(x) && (x ?? 0) > 0);
    const hex = [v.salt, v.nonce, v.check].every((x) => typeof x === 'string' && /^[0-9a-f]+$/.test(x));
    if (!whole || !hex || (v.n ?? 0) * (v.r ?? 0) > MOST_COST * 8 || (v.p ?? 0) > 16) return null;
    return v as Header;
  } catch {
    return null;
  }
}

/**
 * What was sealed, in the order it was. The end of the iteration says that nothing is missing.
 * @throws AppError `invalid`: no backup, another passphrase, cut, or edited, each in its own words
 */
export async function* unsealed(
  source: AsyncIterable<Uint8Array>,
  passphrase: string,
): AsyncGenerator<Uint8Array> {
  const bytes = new Bytes(source);
  const magic = await bytes.line(MAGIC.length);
  if (magic?.toString() !== MAGIC) throw new AppError('invalid', 'this is no backup of this release');
  const line = await bytes.line(LONGEST_HEADER);
  const header = line && readHeader(line);
  if (!line || !header) throw damaged('its header is not what this release writes');
  const { key, check } = await derive(passphrase, Buffer.from(header.salt, 'hex'), header);
  if (check !== header.check) throw new AppError('invalid', 'the passphrase is not the one of this backup');
  const lines = Buffer.concat([magic, line]);
  const prefix = Buffer.from(header.nonce, 'hex');
  for (let frame = 0; ; frame++) {
    const length = (await bytes.take(4))?.readUInt32BE();
    if (length === undefined) throw damaged(`it was cut: frame ${frame + 1} is missing`);
    if (length > FRAME) throw damaged(`frame ${frame + 1} was changed`);
    const body = await bytes.take(length + TAG);
    if (body === null) throw damaged(`it was cut in frame ${frame + 1}`);
    const last = await bytes.atEnd();
    yield opened({ key, nonce: nonceOf(prefix, frame), aad: aadOf(lines, last) }, body, length, frame, last);
    if (last) return;
  }
}

function opened(
  { key, nonce, aad }: { readonly key: Buffer; readonly nonce: Buffer; readonly aad: Buffer },
  body: Buffer,
  length: number,
  frame: number,
  last: boolean,
): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce);
  decipher.setAAD(aad);
  decipher.setAuthTag(body.subarray(length));
  try {
    return Buffer.concat([decipher.update(body.subarray(0, length)), decipher.final()]);
  } catch {
    throw damaged(
      last ? `frame ${frame + 1} was changed, or the end was cut off` : `frame ${frame + 1} was changed`,
    );
  }
}

function damaged(how: string): AppError {
  return new AppError('invalid', `the backup is damaged: ${how}`);
}
