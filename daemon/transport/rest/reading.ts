import type { Socket } from 'node:net';
import type { z } from 'zod';
import { safeText } from '../../../proto/vocab/safe-text.ts';
import { HttpRefusal } from './problem.ts';
import { TaggedHeaders } from './route.ts';

// What a request is made of, read: its parts by their schemas, its body, and what is no request at all.

const MOST_SHOWN_ISSUES = 16;
const MOST_REMEMBERED = 64;
const LONGEST_REMEMBERED = 256;

/** The check of one part of a request. */
export function validator(schema: z.ZodType, part: string): Check {
  if (schema === TaggedHeaders) return (data: unknown) => ({ value: data });
  if (part === 'querystring') return remembered(checker(schema, part));
  return checker(schema, part);
}

type Check = (data: unknown) => { value: unknown } | { error: Error };

/** The same questions come again and again, and what is read of one is never changed. */
function remembered(check: Check): Check {
  const known = new Map<string, { value: unknown }>();
  return (data) => {
    const key = JSON.stringify(data);
    const before = known.get(key);
    if (before) return before;
    const read = check(data);
    if ('value' in read && key.length <= LONGEST_REMEMBERED) {
      if (known.size >= MOST_REMEMBERED) known.clear();
      known.set(key, read);
    }
    return read;
  };
}

function checker(schema: z.ZodType, part: string): Check {
  return (data) => {
    const read = schema.safeParse(data);
    if (read.success) return { value: read.data };
    const refusals = read.error.issues.slice(0, MOST_SHOWN_ISSUES).map((i) => ({
      code: i.code,
      message: safeText(i.message, { max: 200 }),
      path: safeText([PARTS[part] ?? part, ...i.path.map(String)].join('.'), { max: 200 }),
    }));
    const first = refusals[0];
    return { error: new HttpRefusal('invalid', `${first?.path}: ${first?.message}`, { refusals }) };
  };
}

const PARTS: Readonly<Record<string, string>> = { querystring: 'query', params: 'path' };

/** Nothing at all is no body; `__proto__` in one is refused, whatever would be made of it. */
export async function parseJson(text: string): Promise<unknown> {
  if (text.trim() === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text, (key, v: unknown) => {
      if (key === '__proto__') throw new HttpRefusal('invalid', 'a key __proto__ has no place here');
      return v;
    });
  } catch (error) {
    if (error instanceof HttpRefusal) throw error;
    if (error instanceof RangeError) throw new HttpRefusal('invalid', 'the body is nested too deeply');
    const at = /line (\d+) column (\d+)/.exec(error instanceof Error ? error.message : '');
    const place = at ? { line: Number(at[1]), column: Number(at[2]) } : {};
    const refusals = [{ code: 'syntax', message: 'not JSON', ...place }];
    throw new HttpRefusal('invalid', 'the body is not JSON', { refusals });
  }
  return value;
}

/** What is no HTTP at all never becomes a request. */
export function badRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, detail] = RAW[error.code ?? ''] ?? ['400 Bad Request', 'this is not HTTP'];
  const body = JSON.stringify({
    type: 'urn:ai-cdn:problem:invalid',
    title: status.slice(4),
    status: Number(status.slice(0, 3)),
    detail,
    code: 'invalid',
  });
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/problem+json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

const RAW: Readonly<Record<string, readonly [string, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request took too long to arrive'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the headers are too large'],
};
