// The master's REST over a store with many nodes, as a process of its own: written with `node`, measured from outside.
// Prints one JSON line: where it listens and an API key. Ends with its stdin.

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { createAccessTokens } from '../../../daemon/ca/access-tokens.ts';
import { openCa } from '../../../daemon/ca/ca.ts';
import { createPasswords, PASSWORDS } from '../../../daemon/ca/passwords.ts';
import { makeToken, secretMatches } from '../../../daemon/ca/tokens.ts';
import { openVault } from '../../../daemon/ca/vault.ts';
import { createDialler } from '../../../daemon/drivers/dialler.ts';
import { createExposition } from '../../../daemon/drivers/exposition.ts';
import { createRings } from '../../../daemon/drivers/rings/rings.ts';
import type { Op } from '../../../daemon/service/ports.ts';
import { createServices } from '../../../daemon/service/services.ts';
import { createArchive } from '../../../daemon/store/archive.ts';
import { openAuditFile } from '../../../daemon/store/audit-file.ts';
import { openFileStore } from '../../../daemon/store/file-store.ts';
import { AgentSessions } from '../../../daemon/transport/grpc/agent-sessions.ts';
import { RestTransport } from '../../../daemon/transport/rest/server.ts';
import type { NodeName } from '../../../proto/vocab/ids.ts';
import { realClock as clock, hello, memoryLog, realRandom as random } from '../../fakes/services.ts';
import { nodesOf, reportOf } from './nodes.ts';

const NODES = 1000;

const dir = process.argv[2] ?? '';
mkdirSync(dir, { recursive: true });
const log = memoryLog();
const store = await openFileStore({ dir: path.join(dir, 'db') }, { random, log });
const nodes = nodesOf(NODES, clock.now());
await store.commit({
  rev: 1,
  ts: clock.now(),
  actor: 'bench',
  src: 'unix',
  ops: nodes.map((n): Op => ({ op: 'put', kind: 'node', key: n.name, value: n })),
});
const services = createServices(
  {
    context: 'bench',
    masterVersion: '0',
    heartbeatMs: 10_000,
    reportMs: 10_000,
    nodeDownForMs: 60_000,
    rollout: { strategy: 'at-once', revert: 'at-once' },
    commandTimeoutMs: 30_000,
    accessMs: 900_000,
    advertise: () => 'localhost:1',
  },
  {
    store,
    audit: await openAuditFile({ dir: path.join(dir, 'audit') }),
    ca: await openCa({ dir: path.join(dir, 'ca') }, { clock, random }),
    vault: await openVault(path.join(dir, 'sealing.key'), { random }),
    dialler: createDialler({ allow: [] }),
    archive: createArchive({ store: path.join(dir, 'db'), state: dir }, store.id, random),
    mint: { make: (pin) => makeToken(pin, random), matches: secretMatches },
    passwords: createPasswords(PASSWORDS, { random }),
    tokens: createAccessTokens({ secret: random.hex(32) }),
    link: new AgentSessions(),
    rings: createRings(),
    clock,
    turns: { next: () => new Promise((next) => setImmediate(next)) },
    random,
    log,
  },
);
await services.start();
for (const n of nodes) services.agents.connected(n.name, { ...hello, labels: n.labels }, '127.0.0.1:1');
await services.settled();
const report = (): void => {
  for (const n of nodes) services.agents.metrics(n.name as NodeName, reportOf(clock.now()));
};
report();
setInterval(() => services.tick(), 1000);
// As a fleet does that nobody looks at.
setInterval(report, 10_000);
const { secret } = await services.people.createApiKey(
  {
    caller: { actor: 'bench', role: 'admin', source: 'unix' },
    requestId: random.hex(8),
    reason: 'bench',
    ifRevision: null,
  },
  { name: 'bench', role: 'viewer', scopes: null, ttlMs: null },
);
const rest = new RestTransport(
  { host: '127.0.0.1', port: 0, tls: null, storeId: store.id },
  {
    services,
    clock,
    log,
    degraded: () => services.degraded(),
    ready: () => true,
    exposition: createExposition({ services, degraded: () => services.degraded() }),
  },
);
const { port } = await rest.start();
process.stdout.write(`${JSON.stringify({ port, key: secret, node: nodes[NODES / 2]?.name })}\n`);
process.stdin.on('end', () => process.exit(0)).resume();
