import net from 'node:net';

// The PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt): who the client is, said by the balancer in
// front before the client's own first byte.

export interface ProxyAddress {
  readonly address: string;
  readonly port: number;
}

export type ProxyHeader =
  /** The connection's own addresses hold: a health check, or a client that is not known or not on IP. */
  | { readonly version: 1 | 2; readonly kind: 'own' }
  | {
      readonly version: 1 | 2;
      readonly kind: 'proxied';
      readonly source: ProxyAddress;
      readonly destination: ProxyAddress;
    };

export type ProxyRead =
  | { readonly kind: 'more' }
  /** `rest` is what came behind the header, often the beginning of a ClientHello. */
  | { readonly kind: 'header'; readonly header: ProxyHeader; readonly rest: Buffer }
  | { readonly kind: 'bad'; readonly why: string };

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const V1_START = Buffer.from('PROXY ', 'latin1');
/** Of the longest line of version 1, CR LF included. */
const V1_MOST = 107;
const V2_FIXED = 16;
/** Of the part of variable length; real ones have under 1 KB of TLVs. */
const V2_MOST = 4096;
const CRC_TLV = 3;

/** Takes the header off the beginning of a connection, however it is cut; never keeps more than one header. */
export class ProxyReader {
  #buffer = Buffer.allocUnsafe(V1_MOST);
  #used = 0;
  #over = false;

  push(chunk: Buffer): ProxyRead {
    if (this.#over) return { kind: 'bad', why: 'the PROXY header is over' };
    let at = 0;
    while (at < chunk.length) {
      const n = Math.min(this.#wanted() - this.#used, chunk.length - at);
      chunk.copy(this.#buffer, this.#used, at, at + n);
      this.#used += n;
      at += n;
      const got = this.#look();
      if (got === null) continue;
      this.#over = true;
      if (typeof got === 'string') return { kind: 'bad', why: got };
      return { kind: 'header', header: got, rest: chunk.subarray(at) };
    }
    return { kind: 'more' };
  }

  /** How many bytes there must be before the next look: never more than the header has. */
  #wanted(): number {
    if (this.#used < V1_START.length || this.#buffer[0] === V1_START[0]) return this.#used + 1;
    if (this.#used < V2_FIXED) return V2_FIXED;
    return V2_FIXED + this.#buffer.readUInt16BE(14);
  }

  /** The header, what is wrong with it, or null for more. */
  #look(): ProxyHeader | string | null {
    const bytes = this.#buffer.subarray(0, this.#used);
    const two = bytes[0] === SIGNATURE[0];
    const start = two ? SIGNATURE : V1_START;
    const n = Math.min(bytes.length, start.length);
    if (bytes.compare(start, 0, n, 0, n) !== 0) return 'the connection does not begin with a PROXY header';
    if (!two) {
      if (bytes[bytes.length - 1] === 0x0a) return parseLine(bytes);
      return bytes.length >= V1_MOST ? `the PROXY line is longer than ${V1_MOST} bytes` : null;
    }
    if (bytes.length < V2_FIXED) return null;
    const length = bytes.readUInt16BE(14);
    if (length > V2_MOST) return `the PROXY header has ${length} bytes, more than ${V2_MOST}`;
    if (bytes.length < V2_FIXED + length) {
      if (this.#buffer.length < V2_FIXED + length) {
        const more = Buffer.allocUnsafe(V2_FIXED + length);
        bytes.copy(more);
        this.#buffer = more;
      }
      return null;
    }
    return parseBinary(bytes);
  }
}

function parseLine(bytes: Buffer): ProxyHeader | string {
  const line = bytes.toString('latin1');
  if (!line.endsWith('\r\n')) return 'the PROXY line does not end with CR LF';
  const words = line.slice(0, -2).split(' ');
  const [, family, source, destination, sourcePort, destinationPort] = words;
  if (family === 'UNKNOWN') return { version: 1, kind: 'own' };
  if ((family !== 'TCP4' && family !== 'TCP6') || words.length !== 6)
    return 'the PROXY line is not of its form';
  const is = family === 'TCP4' ? net.isIPv4 : isPlainIPv6;
  const addresses = [source, destination].map((a) => (a !== undefined && is(a) ? a : null));
  const ports = [sourcePort, destinationPort].map(parsePort);
  const [from, to] = addresses;
  const [fromPort, toPort] = ports;
  if (typeof from !== 'string' || typeof to !== 'string') return `the PROXY line has no ${family} addresses`;
  if (typeof fromPort !== 'number' || typeof toPort !== 'number') return 'the PROXY line has no ports';
  return {
    version: 1,
    kind: 'proxied',
    source: { address: from, port: fromPort },
    destination: { address: to, port: toPort },
  };
}

function parsePort(text: string | undefined): number | null {
  if (text === undefined || !/^(0|[1-9]\d{0,4})$/.test(text)) return null;
  const port = Number(text);
  return port <= 65_535 ? port : null;
}

function isPlainIPv6(text: string): boolean {
  return net.isIPv6(text) && !text.includes('%');
}

function parseBinary(bytes: Buffer): ProxyHeader | string {
  const version = (bytes[12] as number) >> 4;
  const command = (bytes[12] as number) & 15;
  const family = (bytes[13] as number) >> 4;
  const transport = (bytes[13] as number) & 15;
  if (version !== 2) return `the PROXY header is of version ${version}`;
  if (command > 1) return `the PROXY header has command ${command}`;
  if (family > 3 || transport > 2) return `the PROXY header has family ${family}, transport ${transport}`;
  // A local connection is nobody's, whatever addresses are said; what is not IP has none we could name.
  if (command === 0 || family === 0 || transport === 0 || family === 3) return { version: 2, kind: 'own' };
  const size = family === 1 ? 4 : 16;
  const after = V2_FIXED + 2 * size + 4;
  if (bytes.length < after) return 'the PROXY header is too short for its addresses';
  const why = checkTlvs(bytes, after);
  if (why !== null) return why;
  const address = (at: number): string =>
    size === 4 ? bytes.subarray(at, at + 4).join('.') : formatIPv6(bytes.subarray(at, at + 16));
  const ports = V2_FIXED + 2 * size;
  return {
    version: 2,
    kind: 'proxied',
    source: { address: address(V2_FIXED), port: bytes.readUInt16BE(ports) },
    destination: { address: address(V2_FIXED + size), port: bytes.readUInt16BE(ports + 2) },
  };
}

/** They are not used, but must be whole, and a checksum among them must fit. */
function checkTlvs(bytes: Buffer, from: number): string | null {
  let at = from;
  while (at < bytes.length) {
    const end = at + 3 <= bytes.length ? at + 3 + bytes.readUInt16BE(at + 1) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) return 'the PROXY header ends within a TLV';
    if (bytes[at] === CRC_TLV) {
      if (end !== at + 7) return 'the PROXY header has a checksum that is none';
      const said = bytes.readUInt32BE(at + 3);
      const blank = Buffer.from(bytes);
      blank.writeUInt32BE(0, at + 3);
      if (crc32c(blank) !== said) return 'the PROXY header does not fit its checksum';
    }
    at = end;
  }
  return null;
}

function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** The header that says so; addresses that are not IP are said as not known, a pair of both families as IPv6. */
export function encodeProxy(version: 1 | 2, source: ProxyAddress, destination: ProxyAddress): Buffer {
  const from = addressBytes(source.address);
  const to = addressBytes(destination.address);
  if (from === null || to === null) {
    if (version === 1) return Buffer.from('PROXY UNKNOWN\r\n', 'latin1');
    return Buffer.concat([SIGNATURE, Buffer.from([0x20, 0, 0, 0])]);
  }
  const four = from.length === 4 && to.length === 4;
  if (version === 1) {
    const [a, b] = four ? [from.join('.'), to.join('.')] : [from, to].map((x) => formatIPv6(widen(x)));
    return Buffer.from(`PROXY TCP${four ? 4 : 6} ${a} ${b} ${source.port} ${destination.port}\r\n`, 'latin1');
  }
  const ports = Buffer.allocUnsafe(4);
  ports.writeUInt16BE(source.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  const pair = four ? [from, to] : [widen(from), widen(to)];
  return Buffer.concat([
    SIGNATURE,
    Buffer.from([0x21, four ? 0x11 : 0x21, 0, four ? 12 : 36]),
    ...pair,
    ports,
  ]);
}

const MAPPED = Buffer.from('00000000000000000000ffff', 'hex');

function widen(bytes: Buffer): Buffer {
  return bytes.length === 16 ? bytes : Buffer.concat([MAPPED, bytes]);
}

/** 4 or 16 bytes; an IPv4 address that a socket of both families gives as IPv6 is IPv4 again. */
function addressBytes(text: string): Buffer | null {
  if (net.isIPv4(text)) return Buffer.from(text.split('.').map(Number));
  if (!net.isIPv6(text)) return null;
  const bytes = ipv6Bytes(text.split('%')[0] as string);
  return bytes.subarray(0, 12).equals(MAPPED) ? bytes.subarray(12) : bytes;
}

function ipv6Bytes(text: string): Buffer {
  const groups = (part: string): number[] =>
    part === ''
      ? []
      : part.split(':').flatMap((group) => {
          if (!group.includes('.')) return [Number.parseInt(group, 16)];
          const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
          return [a * 256 + b, c * 256 + d];
        });
  const [left = '', right] = text.split('::');
  const head = groups(left);
  const tail = right === undefined ? [] : groups(right);
  const bytes = Buffer.alloc(16);
  for (const [i, group] of head.entries()) bytes.writeUInt16BE(group, i * 2);
  for (const [i, group] of tail.entries()) bytes.writeUInt16BE(group, (8 - tail.length + i) * 2);
  return bytes;
}

/** RFC 5952: the first longest run of zeros is left out. */
function formatIPv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16));
  let from = -1;
  let most = 1;
  for (let i = 0; i < 8; i++) {
    let n = 0;
    while (i + n < 8 && groups[i + n] === '0') n += 1;
    if (n > most) {
      most = n;
      from = i;
    }
  }
  if (from < 0) return groups.join(':');
  return `${groups.slice(0, from).join(':')}::${groups.slice(from + most).join(':')}`;
}
