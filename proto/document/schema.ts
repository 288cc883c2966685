// Every key of a tunnel document, as data. Words are gost v3's; what gost has and this engine does not is said so,
// what gost would silently ignore is refused with the spelling that works.

import {
  OTHER_CONNECTORS,
  OTHER_DIALERS,
  OTHER_HANDLERS,
  OTHER_LISTENERS,
  OTHER_TYPE_HINTS,
} from './gost-types.ts';
import { parseBandwidthLimit, parseConnectionLimit, parseRateLimit } from './limits.ts';
import { parseNetwork } from './network.ts';
import type { KeyRule, Shape } from './rules.ts';

const read = (shape: Shape): KeyRule => ({ is: 'read', shape, required: false });
const must = (shape: Shape, hint: string): KeyRule => ({ is: 'read', shape, required: true, hint });
const wrong = (message: string, hint: string, inside?: Shape): KeyRule => ({
  is: 'wrong',
  message,
  hint,
  ...(inside ? { inside } : {}),
});
const later = (...keys: string[]): Record<string, KeyRule> =>
  Object.fromEntries(keys.map((k): [string, KeyRule] => [k, { is: 'later' }]));
const map = (keys: Readonly<Record<string, KeyRule>>): Shape => ({ kind: 'map', keys });
const list = (of: Shape, empty: string | null = null): Shape => ({ kind: 'list', of, empty });

const NAME: Shape = { kind: 'name' };
const CA_FILE: Shape = { kind: 'text', maxBytes: 4096, secret: false, sealed: 'secret' };
const OWN_FILE: Shape = { kind: 'text', maxBytes: 4096, secret: false, sealed: 'certificate' };
const LISTEN: Shape = { kind: 'address', use: 'listen' };
const DIAL: Shape = { kind: 'address', use: 'dial' };
const BOOL: Shape = { kind: 'bool' };
const PATH: Shape = { kind: 'path' };
const PROXY_VERSION: Shape = { kind: 'count', min: 1, max: 2 };
// Version 1 has no windows: two stalled downloads stop every other stream of the connection.
const MUX_VERSION: Shape = { kind: 'count', min: 2, max: 2 };
const READ_BUFFER: Shape = { kind: 'size', min: 4 * 1024, max: 16 * 1024 * 1024 };
const TRANSPORTS = ['tcp', 'tls', 'ws', 'wss', 'mtls', 'mwss'];

const IGNORED = 'is ignored by gost';

const SELECTOR = map({
  strategy: read({
    kind: 'choice',
    values: ['round', 'rr', 'rand', 'random', 'fifo', 'ha', 'hash', 'least'],
    later: ['parallel', 'lowestlatency'],
  }),
  maxFails: read({ kind: 'count', min: 1, max: 1000 }),
  failTimeout: read({ kind: 'duration', minMs: 1, maxMs: 86_400_000 }),
  ...later('maxLatency'),
});

// A relay header carries both with one length byte each.
const AUTH = map({
  username: must({ kind: 'text', maxBytes: 255, secret: false }, 'write username: NAME'),
  password: must(
    { kind: 'text', maxBytes: 255, secret: true, sealed: 'secret' },
    'write password: SECRET, or $\u007bsecret.NAME}',
  ),
});

const LISTENER_METADATA = map({
  path: read(PATH),
  'mux.version': read(MUX_VERSION),
  ...later('host', 'header', 'keepAlive', 'keepalive', 'ttl', 'handshakeTimeout', 'maxIdleTimeout'),
  maxStreams: read({ kind: 'count', min: 1, max: 65_536 }),
  readBufferSize: read(READ_BUFFER),
  ...later('backlog', 'writeBufferSize', 'readTimeout', 'enableCompression'),
  ...later('mux', 'mux.keepaliveInterval', 'mux.maxStreamBuffer', 'mptcp'),
  proxyProtocol: wrong(IGNORED, 'write it in the metadata of the service: services[].metadata.proxyProtocol'),
  'max-incoming-streams': wrong(IGNORED, 'write metadata.maxStreams; of mtls and mwss'),
  'congestion-control': wrong(IGNORED, 'remove it; gost has no such setting'),
  'read-buffer-size': wrong(IGNORED, 'write metadata.readBufferSize: 64KB'),
});

const LISTENER = map({
  type: read({
    kind: 'choice',
    values: TRANSPORTS,
    later: OTHER_LISTENERS,
    hints: OTHER_TYPE_HINTS,
  }),
  tls: read(
    map({
      certFile: read(OWN_FILE),
      keyFile: read(OWN_FILE),
      caFile: read(CA_FILE),
      ...later('validity', 'commonName', 'organization', 'options', 'serverName', 'secure'),
    }),
  ),
  metadata: read(LISTENER_METADATA),
  config: wrong(IGNORED, 'write listener.metadata', LISTENER_METADATA),
  ...later('chain', 'chainGroup', 'auther', 'authers', 'auth', 'limiter'),
});

const HANDLER = map({
  type: must(
    {
      kind: 'choice',
      values: ['tcp', 'relay', 'forward'],
      later: OTHER_HANDLERS,
      hints: OTHER_TYPE_HINTS,
    },
    'write type: tcp (edge) or type: relay (core)',
  ),
  chain: read(NAME),
  auther: read(NAME),
  retries: read({ kind: 'count', min: 0, max: 16 }),
  dialer: wrong(IGNORED, "write a chain with a hop; a dialer is of a hop's node: hops[].nodes[].dialer"),
  connector: wrong(
    IGNORED,
    "write a chain with a hop; a connector is of a hop's node: hops[].nodes[].connector",
  ),
  forwarder: wrong(IGNORED, 'a forwarder is of the service: services[].forwarder'),
  ...later('chainGroup', 'authers', 'limiter', 'observer', 'ingress', 'tls'),
  auth: { is: 'later', hint: 'write handler.auther and an entry of authers' },
  metadata: read(
    map({
      proxyProtocol: read(PROXY_VERSION),
      ...later('sniffing', 'sniffing.timeout', 'readTimeout', 'nodelay', 'enableBind', 'idleTimeout', 'hash'),
    }),
  ),
});

const FORWARDER = map({
  nodes: must(
    list(
      map({
        name: must(NAME, 'write name: origin'),
        addr: must(DIAL, 'write addr: "127.0.0.1:8000"'),
        ...later(
          'bypass',
          'bypasses',
          'host',
          'network',
          'protocol',
          'path',
          'filter',
          'matcher',
          'auth',
          'http',
          'tls',
        ),
        ...later('metadata', 'weight', 'backup'),
      }),
      'write at least one node',
    ),
    'write nodes: [{name: origin, addr: "127.0.0.1:8000"}]',
  ),
  selector: read(SELECTOR),
  targets: wrong(IGNORED, 'write forwarder.nodes'),
  name: { is: 'later' },
  hop: { is: 'later' },
});

const SERVICE = map({
  name: must(NAME, 'write name: edge-tls; gost opens the port of a nameless service and serves nobody'),
  addr: must(LISTEN, 'write addr: ":443"'),
  handler: must(HANDLER, 'write handler: {type: tcp, chain: NAME}'),
  listener: read(LISTENER),
  forwarder: read(FORWARDER),
  metadata: read(
    map({
      enableStats: read(BOOL),
      dialTimeout: read({ kind: 'duration', minMs: 1, maxMs: 300_000 }),
      proxyProtocol: read(PROXY_VERSION),
      ...later('interface', 'so_mark', 'hash', 'preUp', 'postUp', 'preDown', 'postDown', 'netns'),
      ...later('limiter', 'observePeriod', 'observer', 'readTimeout', 'keepAlive', 'ignoreChain', 'label'),
    }),
  ),
  limiter: read(NAME),
  climiter: read(NAME),
  rlimiter: read(NAME),
  admission: read(NAME),
  admissions: { is: 'later', hint: 'write admission: NAME' },
  ...later('bypass', 'bypasses', 'resolver', 'hosts', 'recorders', 'interface', 'sockopts'),
  ...later('logger', 'loggers', 'observer', 'status'),
});

// Of gost since 3.3.0; earlier ones ignore it.
const PROBE = map({
  type: read({ kind: 'choice', values: ['tcp'], later: ['http', 'cmd'] }),
  addr: must(DIAL, "write the node's own addr again; without it gost does not probe"),
  interval: read({ kind: 'duration', minMs: 1_000, maxMs: 3_600_000 }),
  timeout: read({ kind: 'duration', minMs: 100, maxMs: 60_000 }),
  ...later('httpPath', 'httpHost', 'httpHeaders', 'expectedStatus', 'command'),
});

const HOP_NODE = map({
  name: must(NAME, 'write name: core-1'),
  addr: must(DIAL, 'write addr: "203.0.113.10:8443"'),
  connector: must(
    map({
      type: must(
        {
          kind: 'choice',
          values: ['relay', 'forward'],
          later: OTHER_CONNECTORS,
        },
        'write type: relay; left out, gost takes http',
      ),
      auth: read(AUTH),
      ...later('tls', 'metadata'),
    }),
    'write connector: {type: relay}; left out, gost takes http',
  ),
  dialer: read(
    map({
      type: read({
        kind: 'choice',
        values: TRANSPORTS,
        later: OTHER_DIALERS,
        hints: OTHER_TYPE_HINTS,
      }),
      tls: read(
        map({
          secure: read(BOOL),
          serverName: read({ kind: 'text', maxBytes: 253, secret: false }),
          caFile: read(CA_FILE),
          certFile: read(OWN_FILE),
          keyFile: read(OWN_FILE),
          ...later('validity', 'commonName', 'organization', 'options'),
        }),
      ),
      host: wrong(IGNORED, 'write the node\'s addr: "HOST:PORT"'),
      port: wrong(IGNORED, 'write the node\'s addr: "HOST:PORT"'),
      config: wrong(IGNORED, 'write dialer.metadata'),
      metadata: read(
        map({
          path: read(PATH),
          host: read({ kind: 'text', maxBytes: 253, secret: false }),
          'mux.version': read(MUX_VERSION),
          'mux.connections': read({ kind: 'count', min: 1, max: 8 }),
          readBufferSize: read(READ_BUFFER),
          ...later('header', 'enableCompression', 'keepAlive', 'keepalive', 'ttl', 'handshakeTimeout', 'mux'),
          ...later('mux.keepaliveInterval', 'mux.keepaliveTimeout', 'mux.keepaliveDisabled'),
          ...later('mux.maxFrameSize', 'mux.maxReceiveBuffer', 'mux.maxStreamBuffer', 'proxyProtocol'),
        }),
      ),
      ...later('auth'),
    }),
  ),
  metadata: read(
    map({
      backup: read(BOOL),
      weight: read({ kind: 'count', min: 1, max: 65_535 }),
      ...later('maxFails', 'failTimeout', 'priority'),
    }),
  ),
  probe: read(PROBE),
  ...later('bypass', 'bypasses', 'resolver', 'hosts', 'interface', 'netns', 'sockopts', 'host', 'network'),
  ...later('protocol', 'path', 'filter', 'matcher', 'http', 'tls'),
});

const limiters = (parse: (text: string) => object | string, hint: string): KeyRule =>
  read(
    list(
      map({
        name: must(NAME, 'write name: per-client'),
        limits: must(
          list(
            {
              kind: 'line',
              hint,
              wrong: (text) => {
                const parsed = parse(text);
                return typeof parsed === 'string' ? parsed : null;
              },
            },
            'write at least one',
          ),
          hint,
        ),
        ...later('file', 'reload', 'redis', 'http', 'plugin'),
      }),
    ),
  );

const MATCHER: Shape = {
  kind: 'line',
  hint: 'write "203.0.113.0/24"',
  wrong: (text) => (parseNetwork(text) === null ? `${text} is neither an address nor a range` : null),
};

const HOP_LATER = later('bypass', 'bypasses', 'resolver', 'hosts', 'interface', 'sockopts', 'reload', 'file');

export const DOCUMENT: Shape = map({
  services: must(
    list(SERVICE, 'write at least one service'),
    'write services: [{name: …, addr: …, handler: …}]',
  ),
  chains: read(
    list(
      map({
        name: must(NAME, 'write name: to-core'),
        hops: must(
          list(
            map({
              name: must(NAME, 'write the name of an entry of hops'),
              nodes: { is: 'later', hint: 'name the hop here, write its nodes in hops[]' },
              selector: { is: 'later', hint: 'write it in hops[]' },
              ...HOP_LATER,
            }),
            'write hops: [{name: NAME}]; gost would dial the target directly',
          ),
          'write hops: [{name: NAME}]; gost would dial the target directly',
        ),
        metadata: { is: 'later' },
      }),
    ),
  ),
  hops: read(
    list(
      map({
        name: must(NAME, 'write name: cores'),
        selector: read(SELECTOR),
        nodes: must(
          list(HOP_NODE, 'write at least one node; gost would dial the target directly'),
          'write nodes: […]; without them gost would dial the target directly',
        ),
        metadata: { is: 'later' },
        ...HOP_LATER,
        ...later('redis', 'http', 'plugin'),
      }),
    ),
  ),
  authers: read(
    list(
      map({
        name: must(NAME, 'write name: edges'),
        auths: must(list(AUTH, 'write at least one'), 'write auths: [{username: …, password: …}]'),
        ...later('reload', 'file', 'redis', 'http', 'plugin'),
      }),
    ),
  ),
  limiters: limiters(parseBandwidthLimit, 'write limits: ["$ 100MB 100MB", "$$ 10MB 10MB"]'),
  climiters: limiters(parseConnectionLimit, 'write limits: ["$ 1000", "$$ 100"]'),
  rlimiters: limiters(parseRateLimit, 'write limits: ["$ 100", "$$ 10"]'),
  admissions: read(
    list(
      map({
        name: must(NAME, 'write name: office'),
        whitelist: read(BOOL),
        matchers: must(list(MATCHER, 'write at least one'), 'write matchers: ["203.0.113.0/24"]'),
        reverse: wrong('is an old word of gost', 'write whitelist'),
        ...later('file', 'reload', 'redis', 'http', 'plugin'),
      }),
    ),
  ),
  ...later(
    'bypasses',
    'resolvers',
    'hosts',
    'ingresses',
    'routers',
    'sds',
    'recorders',
    'observers',
    'loggers',
  ),
  ...later('log', 'tls', 'profiling'),
  api: wrong('belongs to the agent', 'remove it; the agent opens its own'),
  metrics: wrong('belongs to the agent', 'remove it; the agent reads the figures itself'),
});
