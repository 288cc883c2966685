import { type Agent, request } from 'node:http';
import type { Operation } from './rest-document.ts';

export interface Malformed {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string | null;
}

const VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  1e308,
  Number.MAX_SAFE_INTEGER,
  '',
  ' ',
  '\u0000',
  '\u001b]52;c;aGk=\u0007',
  '../../../../etc/passwd',
  "' OR 1=1 --",
  '\u202egnp.exe',
  '\ud800',
  'x'.repeat(5000),
  [],
  {},
  [[[[[[[[]]]]]]]],
  { constructor: { prototype: { polluted: true } } },
  '9999-99-99T99:99:99Z',
  'base64...',
];
const WORDS = [
  'name',
  'password',
  'version',
  'config',
  'config_data',
  'matchers',
  'target',
  'target_type',
  'target_ids',
  'command',
  'labels',
  'tags',
  'reason',
  'value',
  'role',
  'scopes',
  'ttl_ms',
  'certificate_pem',
  'key_pem',
  'comment',
  'ends_at',
  'variables',
  'refresh_token',
  'toString',
  'hasOwnProperty',
];
const PIECES = [
  '%00',
  '%zz',
  '%c0%af',
  '..%2f..',
  '%2e%2e',
  'a'.repeat(300),
  '%F0%9F%98%80',
  '*',
  '{}',
  ';',
  "'",
  'hk-1',
  'v1',
];
const TYPES = [
  'application/json',
  'application/json; charset=utf-16',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/json\u00e9',
  '/',
  '',
];
const ODD_HEADERS: readonly (readonly [string, string])[] = [
  ['if-match', 'W/"1"'],
  ['if-match', '"'.repeat(60)],
  ['if-none-match', ',,,'],
  ['idempotency-key', 'k'.repeat(500)],
  ['idempotency-key', ' '],
  ['accept', 'text/html;q=x, */*;q=0'],
  ['range', 'bytes=0-'],
  ['expect', '100-continue'],
  ['transfer-encoding', 'chunked'],
  ['x-reason', '\u00ff'.repeat(400)],
  ['authorization', 'Bearer '],
  ['authorization', `Bearer ${'a.'.repeat(500)}`],
  ['authorization', 'Basic YTpi'],
  ['authorization', 'Bearer ck1.00.00'],
];

/** One request that is wrong in a way of its own, at an operation of the document. */
export function malformed(random: () => number, operations: readonly Operation[], token: string): Malformed {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const o = pick(operations);
  const path = o.path.replace(/\{\w+\}/g, () => pick(PIECES)) + (random() < 0.3 ? query(pick) : '');
  const headers: Record<string, string> = { authorization: `Bearer ${token}` };
  if (random() < 0.3) {
    const [name, value] = pick(ODD_HEADERS);
    headers[name] = value;
  }
  const method =
    random() < 0.1
      ? pick(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'])
      : o.method;
  if (method === 'GET' && random() < 0.9) return { method, path, headers, body: null };
  if (random() < 0.9) headers['content-type'] = random() < 0.7 ? 'application/json' : pick(TYPES);
  return { method, path, headers, body: body(random, pick) };
}

function query(pick: <T>(list: readonly T[]) => T): string {
  return `?${pick(['limit', 'cursor', 'region', 'label', 'status', 'since', '__proto__', 'x'])}=${pick([...PIECES, '-1', '1e9', ''])}`;
}

function body(random: () => number, pick: <T>(list: readonly T[]) => T): string {
  const kind = random();
  if (kind < 0.1) return '['.repeat(Math.floor(random() * 20_000));
  if (kind < 0.2) return Array.from({ length: 200 }, () => String.fromCharCode(random() * 256)).join('');
  if (kind < 0.22) return JSON.stringify({ config: 'a'.repeat(300_000) });
  const object: Record<string, unknown> = {};
  for (let i = 0; i < 1 + random() * 6; i++)
    object[pick(WORDS)] = random() < 0.2 ? { [pick(WORDS)]: pick(VALUES) } : pick(VALUES);
  const text = JSON.stringify(object);
  if (kind < 0.35) return text.slice(0, Math.floor(random() * text.length));
  if (kind < 0.4) return text.replace('{', '{"__proto__":{"admin":true},');
  if (kind < 0.45) return JSON.stringify(pick(VALUES)) ?? '';
  return text;
}

/** As it is written: fetch would mend it. A socket closed in the middle is an answer too: status 0. */
export function sendMalformed(
  base: string,
  agent: Agent,
  m: Malformed,
): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve) => {
    const closed = (): void => resolve({ status: 0, text: '' });
    try {
      const r = request(
        { agent, hostname, port, method: m.method, path: m.path, headers: m.headers },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (d: string) => {
            text += d;
          });
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
          answer.on('error', closed);
        },
      );
      r.on('error', closed);
      r.end(m.body ?? undefined);
    } catch {
      // Node's own client refuses to send it.
      closed();
    }
  });
}
