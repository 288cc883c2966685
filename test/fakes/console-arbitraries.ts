import fc from 'fast-check';
import type { AlertView } from '../../proto/vocab/alert.ts';
import { COMMAND_TYPES, type CommandTask } from '../../proto/vocab/command.ts';
import type { ConfigVersion, Publication, Target } from '../../proto/vocab/config-version.ts';
import type { FleetEvent } from '../../proto/vocab/event.ts';
import type { Fingerprint, NodeName, RolloutId, SilenceId } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import {
  type Reading,
  type Rollout,
  type RolloutState,
  type RolloutStep,
  type RolloutTarget,
  type Strategy,
  type StrategyOverrides,
  TARGET_STATES,
} from '../../proto/vocab/rollout.ts';
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

const rolloutId = a.word as fc.Arbitrary<RolloutId>;

const publicationParts = {
  target,
  publishedBy: a.line,
  publishedAt: a.millis,
  reason: a.line,
  revision: a.count,
};
const publication: fc.Arbitrary<Publication> = fc.record(
  {
    ...publicationParts,
    rollout: rolloutId,
    open: fc.constant(true as const),
    only: fc.array(a.nodeName, { maxLength: 3 }),
  },
  { requiredKeys: Object.keys(publicationParts) as (keyof typeof publicationParts)[] },
);

const versionParts = {
  label: a.versionLabel,
  description: a.line,
  bodyHash: a.bodyHash,
  parent: fc.option(a.versionLabel),
  rollbackOf: fc.option(a.versionLabel),
  createdBy: a.line,
  createdAt: a.millis,
  publications: fc.array(publication, { maxLength: 3 }),
  modRevision: a.count,
};
export const version: fc.Arbitrary<ConfigVersion> = fc.record(
  { ...versionParts, target },
  { requiredKeys: Object.keys(versionParts) as (keyof typeof versionParts)[] },
);

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

const whole32 = fc.nat();
/** Not -0: on the wire that is 0, and no figure of ours is one. */
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0);
const percent = fc.double({ noNaN: true, noDefaultInfinity: true, min: 0, max: 100 });

const gates = {
  readings: whole32,
  intervalMs: a.count,
  windowMs: a.count,
  ttft95Pct: percent,
  gap99Pct: percent,
  errorPoints: percent,
  abortedPoints: percent,
  minSamples: whole32,
};
const step: fc.Arbitrary<RolloutStep> = fc.record({
  size: fc.oneof(fc.record({ count: whole32 }), fc.record({ percent })),
  perRegion: fc.boolean(),
  pause: fc.oneof(fc.constant('manual' as const), a.count, fc.constant(null)),
  analysis: fc.boolean(),
});
const strategyParts = {
  steps: fc.array(step, { maxLength: 4 }),
  maxParallel: whole32,
  maxUnavailable: whole32,
  minHealthyMs: a.count,
  healthyDeadlineMs: a.count,
  progressDeadlineMs: a.count,
  autoRevert: fc.boolean(),
  rollbackMs: a.count,
};
const abort = { thresholdPct: percent, minExecuted: whole32 };
const strategy: fc.Arbitrary<Strategy> = fc.record({
  name: a.word,
  ...strategyParts,
  abort: fc.record(abort),
  gates: fc.record(gates),
});
export const overrides: fc.Arbitrary<StrategyOverrides> = fc.record(
  {
    ...strategyParts,
    abort: fc.record(abort, { requiredKeys: [] }).filter((o) => Object.keys(o).length > 0),
    gates: fc.record(gates, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);

const why = a.line;
const phase = fc.constantFrom('offering' as const, 'soaking' as const, 'analysing' as const);
const state: fc.Arbitrary<RolloutState> = fc.oneof(
  fc.record({ kind: fc.constantFrom('pending' as const, 'validating' as const, 'succeeded' as const) }),
  fc.record({ kind: fc.constant('progressing' as const), phase }),
  fc.record({
    kind: fc.constant('paused' as const),
    reason: fc.constantFrom('manual' as const, 'step' as const, 'inconclusive' as const),
    why,
    phase,
    until: fc.option(a.millis),
  }),
  fc.record({
    kind: fc.constantFrom('aborting' as const, 'reverting' as const, 'rolled_back' as const),
    why,
  }),
  fc.record({ kind: fc.constant('superseded' as const), by: rolloutId }),
);

const gate = fc.constantFrom('ttft95' as const, 'gap99' as const, 'errors' as const, 'aborted' as const);
const verdict = fc.constantFrom('pass' as const, 'close' as const, 'fail' as const, 'inconclusive' as const);
const reading: fc.Arbitrary<Reading> = fc.record({
  at: a.millis,
  number: whole32,
  step: whole32,
  verdict,
  gates: fc.array(
    fc.record({
      gate,
      region: a.word,
      canary: fc.option(number),
      stable: fc.option(number),
      change: fc.option(number),
      limit: number,
      canarySamples: a.count,
      stableSamples: a.count,
      canaryNodes: whole32,
      stableNodes: whole32,
      verdict,
    }),
    { maxLength: 3 },
  ),
  largest: fc.option(
    fc.record({
      node: a.nodeName,
      gate,
      region: a.word,
      value: number,
      without: fc.option(number),
      changeWithout: fc.option(number),
    }),
  ),
  why,
});

export const rollout: fc.Arbitrary<Rollout> = fc.record({
  id: rolloutId,
  version: a.versionLabel,
  target,
  revision: a.count,
  reverts: fc.option(rolloutId),
  strategy,
  state,
  step: whole32,
  steps: fc.array(
    fc.record({
      targets: whole32,
      startedAt: fc.option(a.millis),
      endedAt: fc.option(a.millis),
      note: a.line,
    }),
    { maxLength: 3 },
  ),
  counts: fc.tuple(...TARGET_STATES.map(() => whole32)).map(
    // Every state is in it.
    (n) => Object.fromEntries(TARGET_STATES.map((s, i) => [s, n[i]])) as Rollout['counts'],
  ),
  readings: fc.array(reading, { maxLength: 2 }),
  nextReadingAt: fc.option(a.millis),
  waits: fc.array(a.line, { maxLength: 2 }),
  failuresLeft: fc.option(whole32),
  deadline: fc.option(a.millis),
  createdBy: a.line,
  reason: a.line,
  createdAt: a.millis,
  updatedAt: a.millis,
  endedAt: fc.option(a.millis),
  modRevision: a.count,
});

export const rolloutTarget: fc.Arbitrary<RolloutTarget> = fc.record({
  rollout: rolloutId,
  node: a.nodeName,
  region: a.word,
  step: whole32,
  state: fc.constantFrom(...TARGET_STATES),
  since: a.millis,
  released: fc.boolean(),
  why,
  offeredAt: fc.option(a.millis),
  switchedAt: fc.option(a.millis),
  modRevision: a.count,
});

export const entity: fc.Arbitrary<Entity> = fc.oneof(
  node.map((value): Entity => ({ kind: 'node', key: value.name as NodeName, value })),
  version.map((value): Entity => ({ kind: 'version', key: value.label, value })),
  alert.map((value): Entity => ({ kind: 'alert', key: value.fingerprint, value })),
  silence.map((value): Entity => ({ kind: 'silence', key: value.id, value })),
  task.map((value): Entity => ({ kind: 'command', key: value.id, value })),
  rollout.map((value): Entity => ({ kind: 'rollout', key: value.id, value })),
  event.map((value): Entity => ({ kind: 'event', key: value.id, value })),
);
