/** An address or a range of them, as bytes. IPv4 in IPv6 (`::ffff:192.0.2.1`) is IPv4. */
export interface Network {
  readonly bytes: readonly number[];
  /** How many bits of them count. */
  readonly bits: number;
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

function ipv4(text: string): number[] | null {
  const m = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const bytes = m?.slice(1).map(Number);
  return bytes?.every((b) => b <= 255) ? bytes : null;
}

function words(text: string): number[] | null {
  const all: number[] = [];
  for (const [i, part] of (text === '' ? [] : text.split(':')).entries()) {
    const last = i === text.split(':').length - 1;
    const v4 = last ? ipv4(part) : null;
    if (v4) all.push(...v4);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      const word = Number.parseInt(part, 16);
      all.push(word >> 8, word & 255);
    } else return null;
  }
  return all;
}

function ipv6(text: string): number[] | null {
  const [head = '', tail, extra] = text.split('::');
  if (extra !== undefined || !text.includes(':')) return null;
  const left = words(head);
  const right = tail === undefined ? [] : words(tail);
  if (left === null || right === null) return null;
  const gap = 16 - left.length - right.length;
  if (tail === undefined ? gap !== 0 : gap < 2) return null;
  return [...left, ...new Array<number>(gap).fill(0), ...right];
}

/** 4 or 16 bytes; `null`: this is no IP address. A zone (`fe80::1%eth0`) is left off. */
export function ipBytes(text: string): readonly number[] | null {
  const [plain = ''] = text.split('%');
  const bytes = ipv4(plain) ?? ipv6(plain);
  if (bytes?.length === 16 && MAPPED.every((b, i) => bytes[i] === b)) return bytes.slice(12);
  return bytes;
}

/** `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`; `null`: neither address nor range. */
export function parseNetwork(text: string): Network | null {
  const m = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text);
  const bytes = ipBytes(m?.[1] ?? '');
  if (m === null || bytes === null) return null;
  // What was written as IPv6 counts its bits from the start of that.
  const shift = bytes.length === 4 && (m[1] ?? '').includes(':') ? 96 : 0;
  const bits = m[2] === undefined ? bytes.length * 8 : Number(m[2]) - shift;
  return bits >= 0 && bits <= bytes.length * 8 ? { bytes, bits } : null;
}

export function contains({ bytes, bits }: Network, address: readonly number[]): boolean {
  if (address.length !== bytes.length) return false;
  for (let i = 0, left = bits; left > 0; i += 1, left -= 8) {
    const mask = left >= 8 ? 255 : (255 << (8 - left)) & 255;
    if (((address[i] ?? 0) & mask) !== ((bytes[i] ?? 0) & mask)) return false;
  }
  return true;
}
