// A ustar archive whose bytes follow from names, modes and contents alone: no owner, one time, order as given.

export interface Entry {
  /** Relative, `/` between its parts; a folder ends with one. */
  readonly name: string;
  readonly mode: number;
  /** Of a file. */
  readonly content?: Buffer;
}

const BLOCK = 512;

/** @param seconds modification time of everything, since 1970 @throws RangeError for a name that ustar cannot hold */
export function tar(entries: readonly Entry[], seconds: number): Buffer {
  const parts: Buffer[] = [];
  for (const entry of entries) {
    const content = entry.content ?? Buffer.alloc(0);
    parts.push(header(entry, content.length, seconds), content);
    parts.push(Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK));
  }
  // Two empty blocks end it.
  parts.push(Buffer.alloc(2 * BLOCK));
  return Buffer.concat(parts);
}

function header({ name, mode }: Entry, size: number, seconds: number): Buffer {
  const h = Buffer.alloc(BLOCK);
  const [prefix, short] = split(name);
  const octal = (value: number, at: number, digits: number): void => {
    h.write(`${value.toString(8).padStart(digits, '0')}\0`, at, 'latin1');
  };
  h.write(short, 0, 'utf8');
  octal(mode, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(size, 124, 11);
  octal(seconds, 136, 11);
  // The sum is taken with blanks in its own place.
  h.write('        ', 148, 'latin1');
  h.write(name.endsWith('/') ? '5' : '0', 156, 'latin1');
  h.write('ustar\x0000', 257, 'latin1');
  h.write('root', 265, 'latin1');
  h.write('root', 297, 'latin1');
  h.write(prefix, 345, 'utf8');
  let sum = 0;
  for (const byte of h) sum += byte;
  h.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return h;
}

function split(name: string): readonly [prefix: string, short: string] {
  if (Buffer.byteLength(name) <= 100) return ['', name];
  for (let at = name.indexOf('/'); at !== -1; at = name.indexOf('/', at + 1)) {
    const short = name.slice(at + 1);
    if (Buffer.byteLength(short) <= 100 && short !== '' && at <= 155) return [name.slice(0, at), short];
  }
  throw new RangeError(`${name}: too long for a tar archive`);
}
