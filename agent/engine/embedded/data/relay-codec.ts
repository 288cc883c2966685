import type { Auth } from '../../../../proto/document/document.ts';

// The relay wire: request `01 | cmd | len16 | features`, response `01 | status | len16 | features`, feature
// `type8 | len16 | data`, all big-endian. Features read and sent: 1 auth (ulen8 user plen8 pass),
// 2 address (1 IPv4 | 3 len8 name | 4 IPv6, then port16).

export const RELAY_STATUS = {
  ok: 0,
  badRequest: 1,
  unauthorized: 2,
  forbidden: 3,
  timeout: 4,
  unavailable: 5,
  hostUnreachable: 6,
  networkUnreachable: 7,
  internal: 8,
} as const;
export type RelayStatus = (typeof RELAY_STATUS)[keyof typeof RELAY_STATUS];

export interface Target {
  readonly host: string;
  readonly port: number;
}

export interface RelayRequest {
  readonly auth: Auth | null;
  /** `null`: without an address, or with the empty one; the server's own forwarder decides. */
  readonly target: Target | null;
}

export type Parsed<T> =
  | { readonly at: 'more' }
  | { readonly at: 'bad'; readonly why: string }
  | { readonly at: 'done'; readonly value: T; readonly length: number };

const VERSION = 1;
const CONNECT = 1;
const AUTH = 1;
const ADDRESS = 2;
// Both features at their longest take 777 bytes; more is not a header of ours.
const LONGEST = 1024;

const more = { at: 'more' } as const;
const bad = (why: string): { at: 'bad'; why: string } => ({ at: 'bad', why });

function ipv4Bytes(host: string): number[] | null {
  const m = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(host);
  const bytes = m?.slice(1).map(Number);
  return bytes?.every((b) => b <= 255) ? bytes : null;
}

function ipv6Bytes(host: string): number[] | null {
  if (!/^[0-9a-fA-F:]+$/.test(host) || !host.includes(':')) return null;
  const [head = '', tail, extra] = host.split('::');
  if (extra !== undefined) return null;
  const words = (s: string): number[] => (s === '' ? [] : s.split(':').map((w) => Number.parseInt(w, 16)));
  const left = words(head);
  const right = tail === undefined ? [] : words(tail);
  const gap = 8 - left.length - right.length;
  if (tail === undefined ? gap !== 0 : gap < 1) return null;
  const all = [...left, ...new Array<number>(gap).fill(0), ...right];
  return all.every((w) => w >= 0 && w <= 0xffff) ? all.flatMap((w) => [w >> 8, w & 255]) : null;
}

function addressData(target: Target | null): Buffer {
  const port = [(target?.port ?? 0) >> 8, (target?.port ?? 0) & 255];
  const host = target?.host ?? '';
  const v4 = ipv4Bytes(host);
  if (v4) return Buffer.from([1, ...v4, ...port]);
  const v6 = ipv6Bytes(host);
  if (v6) return Buffer.from([4, ...v6, ...port]);
  const name = Buffer.from(host, 'utf8').subarray(0, 255);
  return Buffer.concat([Buffer.from([3, name.length]), name, Buffer.from(port)]);
}

function feature(type: number, data: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, data.length >> 8, data.length & 255]), data]);
}

/** Names, users and passwords have at most 255 bytes; the document's check sees to it. */
export function encodeRequest(request: RelayRequest): Buffer {
  const parts: Buffer[] = [];
  if (request.auth) {
    const user = Buffer.from(request.auth.username, 'utf8').subarray(0, 255);
    const pass = Buffer.from(request.auth.password, 'utf8').subarray(0, 255);
    parts.push(
      feature(AUTH, Buffer.concat([Buffer.from([user.length]), user, Buffer.from([pass.length]), pass])),
    );
  }
  parts.push(feature(ADDRESS, addressData(request.target)));
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([VERSION, CONNECT, body.length >> 8, body.length & 255]), body]);
}

export function encodeResponse(status: RelayStatus): Buffer {
  return Buffer.from([VERSION, status, 0, 0]);
}

function parseAuth(data: Buffer): Auth | null {
  const ulen = data[0];
  if (ulen === undefined || data.length < 2 + ulen) return null;
  const plen = data[1 + ulen] as number;
  if (data.length !== 2 + ulen + plen) return null;
  return { username: data.toString('utf8', 1, 1 + ulen), password: data.toString('utf8', 2 + ulen) };
}

function parseAddress(data: Buffer): Target | null {
  const type = data[0];
  if (type === 1 && data.length === 7) {
    return { host: data.subarray(1, 5).join('.'), port: data.readUInt16BE(5) };
  }
  if (type === 4 && data.length === 19) {
    const words = Array.from({ length: 8 }, (_, i) => data.readUInt16BE(1 + 2 * i).toString(16));
    return { host: words.join(':'), port: data.readUInt16BE(17) };
  }
  if (type === 3 && data.length >= 4 && data.length === 4 + (data[1] as number)) {
    const host = data.toString('latin1', 2, data.length - 2);
    // What a resolver or a log must not be fed with is no name.
    return /^[A-Za-z0-9._:-]*$/.test(host) ? { host, port: data.readUInt16BE(data.length - 2) } : null;
  }
  return null;
}

/** Reads a request from the start of `bytes`; call again with more bytes on `more`. Never throws. */
export function parseRequest(bytes: Buffer): Parsed<RelayRequest> {
  if (bytes.length > 0 && bytes[0] !== VERSION) return bad(`version ${bytes[0]}`);
  if (bytes.length > 1 && bytes[1] !== CONNECT) return bad(`command ${bytes[1]}`);
  if (bytes.length < 4) return more;
  const end = 4 + bytes.readUInt16BE(2);
  if (end > LONGEST) return bad(`a header of ${end} bytes`);
  if (bytes.length < end) return more;
  let auth: Auth | null = null;
  let target: Target | null = null;
  for (let at = 4; at < end; ) {
    if (at + 3 > end) return bad('a feature cut short');
    const type = bytes[at] as number;
    const stop = at + 3 + bytes.readUInt16BE(at + 1);
    if (stop > end) return bad('a feature longer than the header');
    const data = bytes.subarray(at + 3, stop);
    if (type === AUTH) {
      auth = parseAuth(data);
      if (auth === null) return bad('a malformed auth feature');
    } else if (type === ADDRESS) {
      target = parseAddress(data);
      if (target === null) return bad('a malformed address feature');
    } else return bad(`feature ${type}`);
    at = stop;
  }
  const empty = target === null || target.host === '';
  return { at: 'done', value: { auth, target: empty ? null : target }, length: end };
}

/** Reads a response and its features (which it skips). Never throws. */
export function parseResponse(bytes: Buffer): Parsed<{ status: number }> {
  if (bytes.length > 0 && bytes[0] !== VERSION) return bad(`version ${bytes[0]}`);
  if (bytes.length < 4) return more;
  const end = 4 + bytes.readUInt16BE(2);
  if (end > LONGEST) return bad(`a header of ${end} bytes`);
  return bytes.length < end ? more : { at: 'done', value: { status: bytes[1] as number }, length: end };
}

/** What a client of ours logs for a status that is not OK. */
export function describeStatus(status: number): string {
  const words = Object.entries(RELAY_STATUS).find(([, n]) => n === status)?.[0] ?? 'unknown';
  return `relay status ${status} (${words.replace(/[A-Z]/g, (c) => ` ${c.toLowerCase()}`)})`;
}
