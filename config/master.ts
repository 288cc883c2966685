import { isIP } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isWord } from '../proto/vocab/ids.ts';
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
import { secretText } from './secret.ts';

const FILE_STORE = 'write type: file and uri: file:///var/lib/ai-cdn/db';

/** The master's settings, key by key. The shipped example is master.yml beside this file. */
export const MASTER_KEYS = {
  'http.addr': key(hostPort({ anyHost: true }), '127.0.0.1:8080', 'where REST and /metrics listen'),
  'http.tls': key(
    oneOf(['auto', 'on', 'off'], 'auto: plain HTTP on loopback only'),
    'auto',
    "auto, on or off: HTTPS with a certificate of this fleet's CA",
  ),
  'grpc.addr': key(hostPort({ anyHost: true }), ':50051', 'where agents connect'),
  'grpc.advertise': key(
    listOf(reading<string>(text, hostName), { min: 0 }),
    [],
    'names or addresses agents reach this master by, put into its certificate; this host name when empty',
    'list',
  ),
  'database.type': key(
    reading<'file'>(text, (v: string) =>
      v === 'file'
        ? { ok: 'file' }
        : { message: `${quote(v)} is not a store of this master`, hint: FILE_STORE },
    ),
    'file',
    'the kind of store: file',
  ),
  'database.uri': key(
    reading<string>(text, storeDirectory).nullable(),
    null,
    'where the store is: a directory as file:///…; db under state_dir when not given',
  ),
  'jwt.secret': key(
    secretText.nullable(),
    null,
    'signs log-ins; at least 32 characters; made and kept under state_dir when not given',
  ),
  'jwt.expiration': key(
    duration({ min: '1m', max: '24h' }),
    '15m',
    'how long a log-in is good before it is refreshed',
  ),
  state_dir: key(absolutePath, '/var/lib/ai-cdn', 'where the master keeps its keys'),
  socket: key(socketPath, '/run/ai-cdn/master.sock', 'where consoles on this host connect'),
  'log.level': key(logLevel, 'info', 'debug, info, warn or error'),
  name: key(
    reading<string>(text, (v: string) =>
      isWord(v)
        ? { ok: v }
        : { message: `${quote(v)} is not a name`, hint: 'up to 63 of a-z, 0-9, -, _ and .' },
    ),
    'default',
    'what consoles call this fleet',
  ),
  'heartbeat.interval': key(duration({ min: '200ms', max: '5m' }), '10s', 'how often agents report'),
  'alerts.node_down.for': key(
    duration({ min: '100ms', max: '1h' }),
    '1m',
    'how long a node is down before NodeDown fires',
  ),
  'outbound.allow': key(
    listOf(reading<string>(text, addressRange), { min: 0 }),
    [],
    'ranges of loopback, link-local and metadata addresses that this master may connect to all the same',
    'list',
  ),
  'rollout.strategy': key(
    oneOf(['standard', 'unattended', 'quick', 'at-once'], 'standard: one node a region first, then a person'),
    'standard',
    'how a publication goes to its nodes where it does not say: standard, unattended, quick or at-once',
  ),
  'rollout.revert': key(
    oneOf(['revert', 'quick', 'at-once'], 'revert: one, one, then the rest in batches'),
    'revert',
    'how what ran before goes back: revert, quick or at-once',
  ),
  'commands.timeout': key(
    duration({ min: '1s', max: '1h' }),
    '30s',
    'how long a node has to carry out a command',
  ),
};

function addressRange(v: string) {
  const [net = '', bits = '', ...more] = v.split('/');
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(net)] ?? -1;
  return more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= most
    ? { ok: v }
    : {
        message: `${quote(v)} is not a range of addresses`,
        hint: 'such as 127.0.0.0/8, 10.1.2.3/32 or ::1/128',
      };
}

function hostName(v: string) {
  return /^[A-Za-z0-9](?:[A-Za-z0-9.:-]{0,252})$/.test(v)
    ? { ok: v.toLowerCase() }
    : { message: `${quote(v)} is neither a host name nor an address`, hint: 'without scheme and port' };
}

function storeDirectory(uri: string) {
  try {
    const dir = fileURLToPath(uri);
    if (dir.startsWith('/') && dir !== '/') return { ok: dir.replace(/\/$/, '') };
  } catch {
    // Said below.
  }
  // No value here: a database's address may hold a password.
  return { message: 'is not a directory on this host', hint: FILE_STORE };
}

/** What the master's `main` and `app` read; rooms get narrowed values. Durations in ms. */
export type MasterSettings = ReturnType<typeof settingsFrom>;

function settingsFrom(v: Values<typeof MASTER_KEYS>) {
  return {
    http: { addr: v['http.addr'], tls: v['http.tls'] },
    grpc: { addr: v['grpc.addr'], advertise: v['grpc.advertise'] as readonly string[] },
    /** Absolute. */
    database: { dir: v['database.uri'] ?? path.posix.join(v.state_dir, 'db') },
    /** `null`: made and kept by `keptSecret`. */
    jwt: { secret: v['jwt.secret'], expirationMs: v['jwt.expiration'] },
    stateDir: v.state_dir,
    socket: v.socket,
    log: { level: v['log.level'] },
    name: v.name,
    heartbeatMs: v['heartbeat.interval'],
    nodeDownForMs: v['alerts.node_down.for'],
    outboundAllow: v['outbound.allow'] as readonly string[],
    commandTimeoutMs: v['commands.timeout'],
    rollout: { strategy: v['rollout.strategy'], revert: v['rollout.revert'] },
  } as const;
}

/** @throws AppError `invalid` */
export function loadMasterSettings(from: LoadFrom): Loaded<MasterSettings> {
  const { settings, sources } = loadKeys(MASTER_KEYS, from);
  return { settings: settingsFrom(settings), sources };
}
