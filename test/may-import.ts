// The rooms and who may import whom. The only copy of this table that is enforced.

/** First prefix that fits names a file's room; longer prefixes stand first. */
export const ROOMS: readonly (readonly [prefix: string, room: string])[] = [
  ['proto/gen/', 'gen'],
  ['proto/vocab/', 'vocab'],
  ['proto/document/', 'document'],
  ['proto/link/', 'link'],
  ['proto/supervisor/', 'supervisor'],
  ['config/', 'config'],
  ['daemon/core/', 'daemon/core'],
  ['daemon/service/', 'daemon/service'],
  ['daemon/store/', 'daemon/store'],
  ['daemon/ca/', 'daemon/ca'],
  ['daemon/transport/rest/', 'daemon/transport/rest'],
  ['daemon/transport/', 'daemon/transport'],
  ['daemon/drivers/', 'daemon/drivers'],
  ['daemon/', 'daemon'],
  ['agent/core/', 'agent/core'],
  ['agent/host/', 'agent/host'],
  ['agent/session/', 'agent/session'],
  ['agent/spool/', 'agent/spool'],
  ['agent/engine/embedded/', 'agent/engine/embedded'],
  ['agent/engine/', 'agent/engine'],
  ['agent/', 'agent'],
  ['tui/store/', 'tui/store'],
  ['tui/client/', 'tui/client'],
  ['tui/keys/', 'tui/keys'],
  ['tui/theme/', 'tui/theme'],
  ['tui/views/', 'tui/views'],
  ['tui/screens/', 'tui/screens'],
  ['tui/terminal/', 'tui/terminal'],
  ['tui/ctl/', 'tui/ctl'],
  ['tui/', 'tui'],
  ['scripts/', 'scripts'],
  ['test/', 'test'],
];

interface Rule {
  /** Rooms it may import beside itself. */
  readonly rooms: readonly string[];
  /** Packages and node builtins it may import; `node:*` is any builtin. */
  readonly outside: readonly string[];
}

const SHARED = ['vocab'];

export const mayImport: Readonly<Record<string, Rule>> = {
  vocab: { rooms: [], outside: [] },
  gen: { rooms: [], outside: ['@bufbuild/protobuf', '@grpc/grpc-js'] },
  document: { rooms: SHARED, outside: ['yaml', 'node:crypto'] },
  link: { rooms: [...SHARED, 'gen'], outside: ['@grpc/grpc-js', '@bufbuild/protobuf', 'node:*'] },
  supervisor: { rooms: [], outside: ['node:*'] },
  config: { rooms: SHARED, outside: ['yaml', 'zod', 'node:*'] },

  'daemon/core': { rooms: [...SHARED, 'document'], outside: ['node:crypto'] },
  'daemon/service': { rooms: [...SHARED, 'document', 'daemon/core'], outside: ['node:crypto'] },
  'daemon/store': { rooms: [...SHARED, 'daemon/service'], outside: ['lowdb', 'node:*'] },
  'daemon/ca': {
    rooms: [...SHARED, 'link', 'daemon/service'],
    outside: [
      '@peculiar/asn1-csr',
      '@peculiar/asn1-schema',
      '@peculiar/asn1-x509',
      '@peculiar/x509',
      'asn1js',
      'jose',
      'reflect-metadata',
      'node:*',
    ],
  },
  'daemon/transport': {
    rooms: [...SHARED, 'link', 'gen', 'daemon/service'],
    outside: ['@grpc/grpc-js', 'node:*'],
  },
  'daemon/transport/rest': {
    rooms: [...SHARED, 'link', 'gen', 'daemon/service'],
    outside: ['fastify', '@fastify/swagger', 'fastify-type-provider-zod', 'zod', 'node:*'],
  },
  'daemon/drivers': {
    rooms: [...SHARED, 'daemon/core', 'daemon/service'],
    outside: ['prom-client', 'node:*'],
  },
  daemon: {
    rooms: [
      ...SHARED,
      'supervisor',
      'config',
      'link',
      'daemon/core',
      'daemon/service',
      'daemon/store',
      'daemon/ca',
      'daemon/transport',
      'daemon/transport/rest',
      'daemon/drivers',
    ],
    outside: ['commander', 'pino', 'node:*'],
  },

  'agent/core': { rooms: [...SHARED, 'document'], outside: [] },
  'agent/session': {
    rooms: [...SHARED, 'link', 'agent/core'],
    outside: ['@grpc/grpc-js', '@peculiar/x509', 'reflect-metadata', 'node:*'],
  },
  'agent/spool': { rooms: [...SHARED, 'link', 'agent/core'], outside: ['node:*'] },
  'agent/host': {
    rooms: [...SHARED, 'document', 'agent/core', 'agent/engine', 'agent/spool'],
    outside: ['execa', 'prom-client', 'node:*'],
  },
  'agent/engine': { rooms: [...SHARED, 'document'], outside: [] },
  'agent/engine/embedded': {
    rooms: [...SHARED, 'document', 'supervisor', 'agent/engine'],
    outside: ['commander', 'ws', 'node:*'],
  },
  agent: {
    rooms: [
      ...SHARED,
      'supervisor',
      'document',
      'config',
      'link',
      'agent/core',
      'agent/session',
      'agent/spool',
      'agent/host',
      'agent/engine',
      'agent/engine/embedded',
    ],
    outside: ['commander', 'pino', 'node:*'],
  },

  'tui/store': { rooms: SHARED, outside: [] },
  'tui/keys': { rooms: [...SHARED, 'tui/store'], outside: [] },
  'tui/theme': { rooms: SHARED, outside: ['chalk', 'string-width'] },
  'tui/views': { rooms: [...SHARED, 'tui/theme'], outside: ['ink', 'react'] },
  'tui/screens': {
    rooms: [...SHARED, 'tui/store', 'tui/views', 'tui/keys', 'tui/theme'],
    outside: ['ink', 'react'],
  },
  'tui/terminal': { rooms: SHARED, outside: ['string-width', 'node:*'] },
  'tui/client': { rooms: [...SHARED, 'link', 'tui/store'], outside: ['node:*'] },
  'tui/ctl': {
    rooms: [...SHARED, 'link', 'config', 'tui/client', 'tui/theme'],
    outside: ['commander', 'yaml', 'node:*'],
  },
  tui: {
    rooms: [
      ...SHARED,
      'config',
      'link',
      'tui/store',
      'tui/client',
      'tui/keys',
      'tui/theme',
      'tui/views',
      'tui/screens',
      'tui/terminal',
    ],
    outside: ['commander', 'ink', 'react', 'node:*'],
  },

  scripts: { rooms: ['*'], outside: ['*'] },
  test: { rooms: ['*'], outside: ['*'] },
};

/** Rooms without clock, randomness or IO: what is in them can be tested by calling it. */
export const PURE: readonly string[] = [
  'vocab',
  'document',
  'daemon/core',
  'daemon/service',
  'agent/core',
  'tui/store',
  'tui/keys',
  'tui/theme',
  'tui/views',
];

/** Test files may also use these, wherever they stand. */
export const TEST_OUTSIDE: readonly string[] = [
  'vitest',
  'fast-check',
  'node:*',
  '@xterm/headless',
  '@lydell/node-pty',
  'ink-testing-library',
  '@peculiar/x509',
  'reflect-metadata',
  'react',
  'ink',
  'yaml',
  '@grpc/grpc-js',
];

/** Fewer modules than this in a room means that the graph was not read. Raise them as rooms grow. */
export const LEAST: Readonly<Record<string, number>> = {
  vocab: 12,
  document: 1,
  'daemon/core': 7,
  'daemon/service': 15,
  'daemon/drivers': 1,
  'agent/engine': 1,
  'agent/engine/embedded': 2,
  scripts: 3,
};
