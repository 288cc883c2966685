import { isIP } from 'node:net';
import { z } from 'zod';
import { parseDuration } from '../proto/vocab/duration.ts';
import { safeText } from '../proto/vocab/safe-text.ts';

/** One setting. Its schema is its type, its check and the words of its refusals; its default is a value as written. */
export interface Key<S extends z.ZodType = z.ZodType> {
  readonly schema: S;
  /** As it would stand in the file; `undefined`: there is none. */
  readonly fallback: unknown;
  /** One line, for help and the shipped file. */
  readonly doc: string;
  /** How a text of the environment or a flag becomes a value as written in the file. */
  readonly form: 'text' | 'list' | 'bool' | 'map';
}
export type Keys = Readonly<Record<string, Key>>;
/** What a table of keys holds once it is read. */
export type Values<K extends Keys> = { readonly [P in keyof K]: z.output<K[P]['schema']> };

export function key<S extends z.ZodType>(
  schema: S,
  fallback: unknown,
  doc: string,
  form: Key['form'] = 'text',
): Key<S> {
  return { schema, fallback, doc, form };
}

/** A refusal's words: what is wrong, and what to write instead. */
export interface Words {
  readonly message: string;
  readonly hint?: string;
}

/** A check or reading of a value of type `T`: the result, or why not. */
export function reading<T>(type: z.ZodType, read: (value: never) => { ok: T } | Words) {
  return type.transform((value, ctx): T => {
    const out = read(value as never);
    if ('ok' in out) return out.ok;
    ctx.addIssue({ code: 'custom', message: out.message, params: { hint: out.hint } });
    return z.NEVER;
  });
}

export const text = z.string({ error: 'must be a text' });

export interface HostPort {
  /** Empty: every address of this host. An IPv6 address stands here without brackets. */
  readonly host: string;
  readonly port: number;
}

/** `:8080`, `127.0.0.1:8080`, `[::1]:8080`, `host:8080`; `host` alone where there is a usual port. */
export function hostPort(opts: { readonly usualPort?: number; readonly anyHost: boolean }) {
  return reading<HostPort>(text, (value: string) => parseHostPort(value, opts));
}

function parseHostPort(
  value: string,
  opts: { readonly usualPort?: number; readonly anyHost: boolean },
): { ok: HostPort } | Words {
  const example = opts.anyHost ? ':8080 or 127.0.0.1:8080' : 'master.example.org:50051';
  const m = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]*))(?::(\d{1,5}))?$/.exec(value);
  const host = m?.[1] ?? m?.[2] ?? '';
  const port = m?.[3] === undefined ? opts.usualPort : Number(m[3]);
  if (!m || (m[1] !== undefined && isIP(m[1]) !== 6) || (host === '' && !opts.anyHost)) {
    return { message: `${quote(value)} is not an address`, hint: `write it like ${example}` };
  }
  if (port === undefined) return { message: `${quote(value)} has no port`, hint: `write it like ${example}` };
  if (port > 65_535) return { message: `${port} is not a port`, hint: 'ports end at 65535' };
  return { ok: { host, port } };
}

/** `10s`, `1m30s`; milliseconds once read. */
export function duration(limits: { readonly min: string; readonly max: string }) {
  return reading<number>(z.union([text, z.number()], { error: 'must be a duration' }), (value: unknown) => {
    const ms = typeof value === 'string' ? parseDuration(value) : null;
    if (ms === null) {
      return {
        message: `${quote(value)} is not a duration`,
        hint: 'write it with a unit, like 10s, 1m30s or 15m',
      };
    }
    const low = parseDuration(limits.min) ?? 0;
    const high = parseDuration(limits.max) ?? Number.POSITIVE_INFINITY;
    if (ms >= low && ms <= high) return { ok: ms };
    return { message: `${quote(value)} is out of range`, hint: `from ${limits.min} to ${limits.max}` };
  });
}

export const absolutePath = reading<string>(text, (value: string) =>
  value.startsWith('/') && !value.includes('\0') && !value.split('/').includes('..')
    ? { ok: value }
    : { message: `${quote(value)} is not an absolute path`, hint: 'write it from / on, without ..' },
);

/** sun_path holds 108 bytes on Linux and 104 elsewhere, with a zero at its end. */
const LONGEST_SOCKET = 103;

export const socketPath = reading<string>(absolutePath, (value: string) => {
  const bytes = Buffer.byteLength(value);
  return bytes <= LONGEST_SOCKET
    ? { ok: value }
    : {
        message: `is ${bytes} bytes long, the path of a socket has ${LONGEST_SOCKET} at most`,
        hint: 'choose a shorter folder',
      };
});

export function oneOf<const T extends readonly string[]>(words: T, hint?: string) {
  return reading<T[number]>(z.unknown(), (value: unknown) =>
    words.some((w) => w === value)
      ? { ok: value as T[number] }
      : { message: `must be ${words.join(' or ')}, not ${quote(value)}`, ...(hint ? { hint } : {}) },
  );
}

export const logLevel = oneOf(['debug', 'info', 'warn', 'error']);

/** One, or a list of them. */
export function listOf<S extends z.ZodType>(one: S, { min }: { readonly min: 0 | 1 }) {
  return z.preprocess(
    (v) => (Array.isArray(v) || v === undefined ? v : [v]),
    z.array(one, { error: 'must be one or a list' }).min(min, 'the list is empty').max(32, 'more than 32'),
  );
}

/** A value as it may stand in a message. */
export function quote(value: unknown): string {
  return safeText(JSON.stringify(value) ?? String(value), { max: 80 });
}
