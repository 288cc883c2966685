import fc from 'fast-check';
import type { AlertView } from '../../proto/vocab/alert.ts';
import { COMMAND_TYPES, type CommandTask } from '../../proto/vocab/command.ts';
import type { ConfigVersion, Target } from '../../proto/vocab/config-version.ts';
import type { FleetEvent } from '../../proto/vocab/event.ts';
import type { Fingerprint, NodeName, SilenceId } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import type { Silence } from '../../proto/vocab/silence.ts';
import type { Entity } from '../../proto/vocab/watch.ts';
import * as a from './vocab-arbitraries.ts';

// The entities a console sees, for round-trip tests.

export const target: fc.Arbitrary<Target> = fc.record(
  {
    nodes: fc.array(a.nodeName, { minLength: 1, maxLength: 3 }),
    labels: fc.dictionary(a.word, a.word, { minKeys: 1, maxKeys: 3, noNullPrototype: true }),
    nodeType: fc.constantFrom('edge' as const, 'core' as const),
    regions: fc.array(a.word, { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: [] },
);

const nodeParts = {
  name: a.nodeName,
  nodeType: fc.constantFrom('edge' as const, 'core' as const),
  region: a.word,
  labels: a.labels,
  eligibility: fc.constantFrom('eligible' as const, 'ineligible' as const),
  drain: fc.constantFrom('none' as const, 'draining' as const, 'drained' as const),
  configSync: fc.constantFrom(
    'in_sync' as const,
    'out_of_sync' as const,
    'failed' as const,
    'unknown' as const,
  ),
  identity: fc.constantFrom('pending' as const, 'accepted' as const, 'revoked' as const),
  initialized: fc.boolean(),
  target: fc.option(fc.record({ version: a.versionLabel, hash: a.configHash })),
  effective: fc.option(fc.record({ version: fc.option(a.versionLabel), hash: a.configHash })),
  rejectedHash: fc.option(a.configHash),
  failure: fc.option(
    fc.record({
      phase: fc.constantFrom('validate' as const, 'switch' as const),
      refusal: a.refusal,
      logTail: a.line,
      reverted: fc.boolean(),
      at: a.millis,
    }),
  ),
  warnings: fc.array(a.line, { maxLength: 2 }),
  agentVersion: a.line,
  engine: fc.option(a.engine),
  capabilities: fc.array(a.word, { maxLength: 3 }),
  joinedAt: a.millis,
  certificate: fc.option(fc.record({ serial: a.word, notAfter: a.millis })),
  modRevision: a.count,
};
export const node: fc.Arbitrary<Node> = fc.record(
  {
    ...nodeParts,
    stopped: fc.constant(true),
    addresses: fc.array(a.word, { minLength: 1, maxLength: 2 }),
    assigned: fc.dictionary(a.word, fc.option(a.word), { minKeys: 1, maxKeys: 3, noNullPrototype: true }),
  },
  { requiredKeys: Object.keys(nodeParts) as (keyof typeof nodeParts)[] },
);

export const version: fc.Arbitrary<ConfigVersion> = fc.record({
  label: a.versionLabel,
  description: a.line,
  bodyHash: a.bodyHash,
  parent: fc.option(a.versionLabel),
  rollbackOf: fc.option(a.versionLabel),
  createdBy: a.line,
  createdAt: a.millis,
  publications: fc.array(
    fc.record({ target, publishedBy: a.line, publishedAt: a.millis, reason: a.line, revision: a.count }),
    { maxLength: 3 },
  ),
  modRevision: a.count,
});

const alertBase = {
  fingerprint: a.word as fc.Arbitrary<Fingerprint>,
  rule: a.word,
  severity: fc.constantFrom('critical' as const, 'warning' as const),
  labels: a.labels,
  value: a.line,
  pendingAt: a.millis,
  modRevision: a.count,
  silencedBy: fc.array(a.word as fc.Arbitrary<SilenceId>, { maxLength: 2 }),
  inhibitedBy: fc.array(a.word as fc.Arbitrary<Fingerprint>, { maxLength: 2 }),
};
export const alert: fc.Arbitrary<AlertView> = fc.oneof(
  fc.record({ ...alertBase, state: fc.constant('pending' as const) }),
  fc.record({ ...alertBase, state: fc.constant('firing' as const), firingAt: a.millis }),
  fc.record({
    ...alertBase,
    state: fc.constant('resolved' as const),
    firingAt: a.millis,
    resolvedAt: a.millis,
  }),
);

export const silence: fc.Arbitrary<Silence> = fc.record({
  id: a.word as fc.Arbitrary<SilenceId>,
  matchers: fc.array(
    fc.record({ name: a.word, value: a.line, isRegex: fc.boolean(), isEqual: fc.boolean() }),
    { maxLength: 3 },
  ),
  startsAt: a.millis,
  endsAt: a.millis,
  createdBy: a.line,
  createdAt: a.millis,
  comment: a.line,
  modRevision: a.count,
});

const taskParts = {
  id: a.commandId,
  type: fc.constantFrom(...COMMAND_TYPES),
  target,
  state: fc.constantFrom('queued' as const, 'running' as const, 'partial' as const, 'timed_out' as const),
  results: fc
    .uniqueArray(fc.tuple(a.nodeName, a.commandResult), { maxLength: 3, selector: ([n]) => n })
    .map((entries) => Object.fromEntries(entries) as CommandTask['results']),
  createdBy: a.line,
  createdAt: a.millis,
  expiresAt: a.millis,
  timeoutMs: fc.nat(),
  endedAt: fc.option(a.millis),
  reason: a.line,
  modRevision: a.count,
};
export const task: fc.Arbitrary<CommandTask> = fc.record(
  {
    ...taskParts,
    maxParallel: fc.integer({ min: 1, max: 20_000 }),
    options: a.commandOptions,
    cancelledAt: a.millis,
  },
  { requiredKeys: Object.keys(taskParts) as (keyof typeof taskParts)[] },
);

export const event: fc.Arbitrary<FleetEvent> = fc.record({
  id: a.word,
  at: a.millis,
  kind: fc.constantFrom('node' as const, 'config' as const, 'master' as const),
  who: a.line,
  subject: a.line,
  text: a.line,
  level: fc.constantFrom('info' as const, 'warn' as const, 'error' as const),
  revision: a.count,
});

export const entity: fc.Arbitrary<Entity> = fc.oneof(
  node.map((value): Entity => ({ kind: 'node', key: value.name as NodeName, value })),
  version.map((value): Entity => ({ kind: 'version', key: value.label, value })),
  alert.map((value): Entity => ({ kind: 'alert', key: value.fingerprint, value })),
  silence.map((value): Entity => ({ kind: 'silence', key: value.id, value })),
  task.map((value): Entity => ({ kind: 'command', key: value.id, value })),
  event.map((value): Entity => ({ kind: 'event', key: value.id, value })),
);
