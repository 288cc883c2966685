import fc from 'fast-check';
import type { ConfigStatusReport } from '../../proto/vocab/agent-link.ts';
import { COMMAND_STATES, type CommandOptions, type CommandResult } from '../../proto/vocab/command.ts';
import type { BodyHash, CommandId, ConfigHash, NodeName, VersionLabel } from '../../proto/vocab/ids.ts';
import {
  BUCKETS_MS,
  type LogLine,
  type ServiceSlice,
  type SparseHistogram,
} from '../../proto/vocab/metrics.ts';
import type { DrainView, EngineInfo, Refusal } from '../../proto/vocab/node.ts';

// Arbitrary values of the shared vocabulary, for round-trip tests only.

export const hex = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((b) => Buffer.from(b).toString('hex'));
export const configHash = hex(32) as fc.Arbitrary<ConfigHash>;
export const bodyHash = hex(32) as fc.Arbitrary<BodyHash>;
export const millis = fc.integer({ min: 0, max: 4_102_444_800_000 });
export const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
/** Any text that UTF-8 can carry, newlines, escapes and all. */
export const line = fc.string({ unit: 'binary', maxLength: 40 }).map((s) => s.toWellFormed());
export const word = fc.stringMatching(/^[a-z0-9]{1,12}$/);
export const nodeName = fc.stringMatching(/^[a-z0-9](-[a-z0-9]){0,3}$/) as fc.Arbitrary<NodeName>;
export const versionLabel = fc.stringMatching(/^v[0-9]{1,3}$/) as fc.Arbitrary<VersionLabel>;
export const commandId = word as fc.Arbitrary<CommandId>;
export const float32 = fc.float({ noNaN: true, noDefaultInfinity: true, min: 0 });
export const labels = fc
  .uniqueArray(fc.tuple(word, line), { maxLength: 4, selector: ([k]) => k })
  .map((entries) => Object.fromEntries(entries));

export const engine: fc.Arbitrary<EngineInfo> = fc.record({
  kind: fc.constantFrom('embedded' as const, 'gost' as const),
  version: line,
  instance: line,
  generation: count,
  documentHash: fc.option(configHash),
  pid: fc.nat(),
  reason: line,
  listeners: fc.array(fc.record({ service: line, addr: line, type: line }), { maxLength: 3 }),
  startedAt: millis,
});

export const refusal: fc.Arbitrary<Refusal> = fc.record(
  {
    code: line,
    message: line,
    line: fc.integer({ min: 1, max: 9999 }),
    column: fc.integer({ min: 1, max: 9999 }),
    path: word,
    hint: word,
  },
  { requiredKeys: ['code', 'message'] },
);

export const histogram: fc.Arbitrary<SparseHistogram> = fc
  .record({
    cells: fc.uniqueArray(fc.tuple(fc.nat({ max: BUCKETS_MS.length }), count), {
      maxLength: 6,
      selector: ([i]) => i,
    }),
    sumMs: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
  })
  .map(({ cells, sumMs }) => {
    const sorted = cells.toSorted((x, y) => x[0] - y[0]);
    return { index: sorted.map((c) => c[0]), count: sorted.map((c) => c[1]), sumMs };
  });

export const commandResult: fc.Arbitrary<CommandResult> = fc.record(
  {
    commandId,
    state: fc.constantFrom(...COMMAND_STATES),
    exitCode: fc.integer({ min: -128, max: 255 }),
    outputTail: line,
    before: fc.option(engine),
    after: fc.option(engine),
    unchanged: fc.boolean(),
    tookMs: fc.nat(),
    streamsKept: fc.nat(),
    streamsCut: fc.integer({ min: 1, max: 1e9 }),
    sentAt: millis,
  },
  {
    requiredKeys: [
      'commandId',
      'state',
      'exitCode',
      'outputTail',
      'before',
      'after',
      'unchanged',
      'tookMs',
      'streamsKept',
    ],
  },
);

export const commandOptions: fc.Arbitrary<CommandOptions> = fc.record(
  { deadlineMs: fc.nat(), lines: fc.nat(), service: word, hard: fc.boolean() },
  { requiredKeys: [] },
);

export const drain: fc.Arbitrary<DrainView> = fc.record({
  service: fc.option(word),
  streams: fc.nat(),
  oldestMs: count,
  deadline: millis,
  etaMs: fc.option(count),
});

export const logLine: fc.Arbitrary<LogLine> = fc.record({
  at: millis,
  level: fc.constantFrom('debug' as const, 'info' as const, 'warn' as const, 'error' as const),
  text: line,
});

export const serviceSlice: fc.Arbitrary<ServiceSlice> = fc.record({
  service: line,
  streams: fc.nat(),
  opened: count,
  closed: count,
  errors: count,
  abortedClient: count,
  abortedOrigin: count,
  abortedTunnel: count,
  bytesIn: count,
  bytesOut: count,
  requests: count,
  connect: histogram,
  ttft: histogram,
  gap: histogram,
});

const phase = fc.constantFrom('validate' as const, 'prepare' as const, 'switch' as const, 'confirm' as const);
const statusBase = {
  nonce: hex(8),
  effectiveHash: fc.option(configHash),
  engine: fc.option(engine),
  warnings: fc.array(line, { maxLength: 3 }),
};
export const configStatus: fc.Arbitrary<ConfigStatusReport> = fc.oneof(
  fc.record({ ...statusBase, status: fc.constant('applying' as const), phase }),
  fc.record({ ...statusBase, status: fc.constant('applied' as const) }),
  fc.record({
    ...statusBase,
    status: fc.constant('failed' as const),
    phase,
    rejectedHash: configHash,
    reverted: fc.boolean(),
    refusal,
    logTail: line,
  }),
);
