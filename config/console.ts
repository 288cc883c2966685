import path from 'node:path';
import { z } from 'zod';
import { isWord } from '../proto/vocab/ids.ts';
import { isUserName } from '../proto/vocab/people.ts';
import { type HostPort, hostPort, key, quote, reading, socketPath, text, type Values } from './key.ts';
import { type Loaded, type LoadFrom, loadKeys, settingsRefused } from './load.ts';

/** As join tokens carry it. */
export function isPin(s: string): boolean {
  return /^[0-9a-f]{64}$/.test(s);
}

const contextName = reading<string>(text, (v: string) =>
  isWord(v) ? { ok: v } : { message: `${quote(v)} is not a name`, hint: 'up to 63 of a-z, 0-9, -, _ and .' },
);

/** What a person types to reach a master over TCP. */
const address = reading<string>(hostPort({ usualPort: 50_051, anyHost: false }), (v: HostPort) => ({
  ok: v.host.includes(':') ? `[${v.host}]:${v.port}` : `${v.host}:${v.port}`,
}));

const pin = reading<string>(text, (v: string) =>
  isPin(v.toLowerCase())
    ? { ok: v.toLowerCase() }
    : {
        message: `${quote(v)} is not the pin of a CA`,
        hint: '64 hex digits: the second part of a join token, or sha256 of state_dir/ca.crt in DER',
      },
);

const userName = reading<string>(text, (v: string) =>
  isUserName(v)
    ? { ok: v }
    : { message: `${quote(v)} is not a user name`, hint: '2-32 of a-z, 0-9, -, _ and ., a letter first' },
);

interface Written {
  readonly name: string;
  readonly socket?: string | undefined;
  readonly addr?: string | undefined;
  readonly ca_pin?: string | undefined;
  readonly user?: string | undefined;
}

const context = z
  .strictObject(
    {
      name: contextName,
      socket: socketPath.optional(),
      addr: address.optional(),
      ca_pin: pin.optional(),
      user: userName.optional(),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `holds ${quote(issue.keys.join(', '))}, which is not read`
          : 'must hold name, and socket or addr and ca_pin',
    },
  )
  .transform((v: Written, ctx): ConsoleContext => {
    const say = (key: string | null, message: string, hint: string): never => {
      ctx.addIssue({ code: 'custom', message, params: { hint }, ...(key === null ? {} : { path: [key] }) });
      return z.NEVER;
    };
    const user = v.user === undefined ? {} : { user: v.user };
    if (v.socket !== undefined) {
      if (v.addr !== undefined) return say('addr', 'stands beside socket', 'one of the two says where');
      if (v.ca_pin !== undefined) return say('ca_pin', 'goes with addr', 'a socket needs none');
      return { name: v.name, socket: v.socket, ...user };
    }
    if (v.addr === undefined)
      return say(null, 'says not where', 'socket: /run/ai-cdn/master.sock, or addr: host:50051 and ca_pin');
    if (v.ca_pin === undefined)
      return say('addr', 'has no ca_pin', 'nobody is believed by name: give the pin of its CA');
    return { name: v.name, addr: v.addr, caPin: v.ca_pin, ...user };
  });

const unique = z
  .array(context, { error: 'must be a list' })
  .min(1, 'the list is empty')
  .superRefine((all, ctx) => {
    for (const [i, { name }] of all.entries()) {
      if (all.findIndex((c) => c.name === name) < i)
        ctx.addIssue({ code: 'custom', path: [i, 'name'], message: `there is a context ${name} already` });
    }
  });

export const CONSOLE_KEYS = {
  contexts: key(
    unique,
    [{ name: 'default', socket: '/run/ai-cdn/master.sock' }],
    'the fleets this console knows',
  ),
  current: key(contextName.nullable(), null, 'the fleet it opens; the first one when not given'),
};

/** A master: on this host by its socket, or anywhere over TLS with a CA that is pinned. */
export type ConsoleContext = SocketContext | RemoteContext;

interface SocketContext {
  readonly name: string;
  readonly socket: string;
  readonly user?: string;
}

interface RemoteContext {
  readonly name: string;
  /** `host:port`; an IPv6 address in brackets. */
  readonly addr: string;
  /** sha256 hex of the fleet CA's DER. */
  readonly caPin: string;
  /** Who logs in there. */
  readonly user?: string;
}

export interface ConsoleSettings {
  readonly contexts: readonly ConsoleContext[];
  readonly current: ConsoleContext;
}

/** `$XDG_CONFIG_HOME/ai-cdn/console.yml` or `~/.config/ai-cdn/console.yml`; `null` without a home. */
export function consoleSettingsFile(env: Readonly<Record<string, string | undefined>>): string | null {
  const base = env['XDG_CONFIG_HOME'] || (env['HOME'] ? path.join(env['HOME'], '.config') : null);
  return base ? path.join(base, 'ai-cdn', 'console.yml') : null;
}

/** @throws AppError `invalid` */
export function loadConsoleSettings(from: LoadFrom): Loaded<ConsoleSettings> {
  const { settings, sources } = loadKeys(CONSOLE_KEYS, from);
  const { contexts, current }: Values<typeof CONSOLE_KEYS> = settings;
  const wanted = current ?? contexts[0]?.name;
  const chosen = contexts.find((c) => c.name === wanted);
  if (chosen) return { settings: { contexts, current: chosen }, sources };
  throw settingsRefused([
    {
      code: 'bad_value',
      path: sources['current'] === 'file' ? `${from.file}: current` : 'current',
      message: `there is no context ${quote(current)}`,
      hint: `one of ${contexts.map((c) => c.name).join(', ')}`,
    },
  ]);
}
