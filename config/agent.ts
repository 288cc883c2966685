import { isIPv4, isIPv6 } from 'node:net';
import { hostname } from 'node:os';
import { z } from 'zod';
import { isNodeName, isWord, type NodeName } from '../proto/vocab/ids.ts';
import {
  absolutePath,
  duration,
  hostPort,
  key,
  listOf,
  logLevel,
  oneOf,
  quote,
  reading,
  socketPath,
  text,
  type Values,
} from './key.ts';
import { type Loaded, type LoadFrom, loadKeys } from './load.ts';
import { isSample } from './secret.ts';

const WORD_HINT = 'up to 63 of a-z, 0-9, -, _ and .';

const word = reading<string>(text, (v: string) =>
  isWord(v) ? { ok: v } : { message: `${quote(v)} is not a word for it`, hint: WORD_HINT },
);

/** The agent's settings, key by key. The shipped example is agent.yml beside this file. */
export const AGENT_KEYS = {
  'node.type': key(
    oneOf(['edge', 'core'], 'edge takes clients in, core goes out to the origin'),
    undefined,
    'edge (takes clients in) or core (goes out to the origin)',
  ),
  'node.region': key(word, undefined, 'where the node is, such as hk'),
  'node.name': key(
    reading<NodeName>(text, (v: string) =>
      isNodeName(v)
        ? { ok: v }
        : {
            message: `${quote(v)} is not a node name`,
            hint: 'set node.name: up to 63 lower-case letters, digits and -',
          },
    ),
    undefined,
    "the node's name, unique in the fleet; this host's name when not given",
  ),
  'node.labels': key(
    z.record(
      word,
      reading<string>(z.union([text, z.number(), z.boolean()], { error: 'must be a text' }), labelValue),
      {
        error: 'must hold labels by name',
      },
    ),
    {},
    'labels that configs and silences can aim at',
    'map',
  ),
  'master.addr': key(
    listOf(hostPort({ usualPort: 50_051, anyHost: false }), { min: 1 }),
    undefined,
    'the master, or several addresses of it; port 50051 when none is given',
    'list',
  ),
  'master.token': key(
    reading<string>(text, joinToken).nullable(),
    null,
    'a join token, needed once to enrol',
  ),
  'gost.config_path': key(
    absolutePath,
    '/etc/ai-cdn/gost.yml',
    'where the effective tunnel document is kept; a node that never got one starts with what it finds there',
  ),
  state_dir: key(
    absolutePath,
    '/var/lib/ai-cdn',
    'where the agent keeps its certificate and what it remembers',
  ),
  'engine.socket': key(socketPath, '/run/ai-cdn/engine.sock', 'where the engine is reached'),
  'engine.spawn': key(
    oneOfBooleans(),
    false,
    'start the engine when it is not there; where systemd starts it: false',
    'bool',
  ),
  'engine.workers': key(
    reading<number | 'auto'>(z.union([z.number(), text]), workerCount),
    'auto',
    'processes that carry streams: auto (one a core, at most 8) or a number; 0: one process for all',
  ),
  'engine.dns': key(
    listOf(reading<string>(text, dnsServer), { min: 0 }),
    [],
    "DNS servers for names of cores and origins; none: the system's",
    'list',
  ),
  'engine.drain': key(
    duration({ min: '0s', max: '24h' }),
    '30s',
    'how long streams may go on when the ai-cdn-engine unit is stopped; then they are cut',
  ),
  'metrics.addr': key(
    hostPort({ anyHost: true }).nullable(),
    null,
    'where /metrics of this node listens, plain HTTP; nowhere when not given',
  ),
  'metrics.token_file': key(
    absolutePath.nullable(),
    null,
    'holds the token that a scraper shows; needed where metrics.addr is no loopback address',
  ),
  'log.level': key(logLevel, 'info', 'debug, info, warn or error'),
};

function labelValue(v: string | number | boolean) {
  const value = String(v);
  return /^[^\p{C}\p{Z}]{1,63}$/u.test(value)
    ? { ok: value }
    : { message: `${quote(value)} is not a label's value`, hint: '1 to 63 characters without spaces' };
}

function joinToken(v: string) {
  const hint = 'make one with `aicdnctl token create` on the master; a node that has joined needs none';
  if (isSample(v)) return { message: 'is the example from the documentation', hint };
  return v.startsWith('ct1.') ? { ok: v } : { message: 'is not a join token', hint };
}

function workerCount(v: string | number) {
  if (v === 'auto') return { ok: v } as const;
  const n = typeof v === 'number' || /^\d+$/.test(v) ? Number(v) : Number.NaN;
  return Number.isInteger(n) && n >= 0 && n <= 64
    ? { ok: n }
    : { message: `${quote(String(v))} is no number of workers`, hint: 'auto, or a whole number up to 64' };
}

function dnsServer(v: string) {
  const m = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(v);
  const port = Number(m?.[3] ?? 53);
  const host = isIPv6(m?.[1] ?? '') ? `[${m?.[1]}]` : isIPv4(m?.[2] ?? '') ? (m?.[2] ?? '') : '';
  return host !== '' && port >= 1 && port <= 65_535
    ? { ok: `${host}:${port}` }
    : {
        message: `${quote(v)} is no DNS server`,
        hint: 'an address, such as 192.0.2.53 or "[2001:db8::53]:53"',
      };
}

function oneOfBooleans() {
  return z.boolean({ error: 'must be true or false' });
}

/** What the agent's `main` and `app` read; rooms get narrowed values. */
export type AgentSettings = ReturnType<typeof settingsFrom>;

function settingsFrom(v: Values<typeof AGENT_KEYS>) {
  return {
    node: {
      type: v['node.type'],
      region: v['node.region'],
      name: v['node.name'],
      labels: v['node.labels'] as Readonly<Record<string, string>>,
    },
    /** Tried in this order; `token` is a whole `ct1.…`, for `join` only. */
    master: { addr: v['master.addr'], token: v['master.token'] },
    gost: { configPath: v['gost.config_path'] },
    stateDir: v.state_dir,
    engine: {
      socket: v['engine.socket'],
      spawn: v['engine.spawn'],
      workers: v['engine.workers'],
      dns: v['engine.dns'],
      drainMs: v['engine.drain'],
    },
    /** `addr: null`: off. */
    metrics: { addr: v['metrics.addr'], tokenFile: v['metrics.token_file'] },
    log: { level: v['log.level'] },
  } as const;
}

/** On the host of this name. */
export function agentKeysOn(host: string): typeof AGENT_KEYS {
  const own = host.split('.')[0]?.toLowerCase().normalize('NFC');
  return { ...AGENT_KEYS, 'node.name': { ...AGENT_KEYS['node.name'], fallback: own } };
}

/**
 * @param from.hostname the node's name when no other is given; this host's by default
 * @throws AppError `invalid`
 */
export function loadAgentSettings(from: LoadFrom & { readonly hostname?: string }): Loaded<AgentSettings> {
  const { settings, sources } = loadKeys(agentKeysOn(from.hostname ?? hostname()), from);
  return { settings: settingsFrom(settings), sources };
}
