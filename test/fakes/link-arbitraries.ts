import fc from 'fast-check';
import type { AgentUp } from '../../proto/vocab/agent-link.ts';
import * as a from './vocab-arbitraries.ts';

/** Whatever an agent can say. */
export const up: fc.Arbitrary<AgentUp> = fc.oneof(
  fc.record({
    kind: fc.constant('hello' as const),
    agentVersion: a.line,
    engine: fc.option(a.engine),
    capabilities: fc.array(a.line, { maxLength: 5 }),
    effectiveHash: fc.option(a.configHash),
    rejectedHash: fc.option(a.configHash),
    ledgerOpen: fc.array(a.commandResult, { maxLength: 3 }),
    protocol: fc.nat(),
    labels: a.labels,
    publicAddresses: fc.array(a.line, { maxLength: 3 }),
    logTail: fc.array(a.logLine, { maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('heartbeat' as const),
    sentAt: a.millis,
    health: fc.constantFrom('ok' as const, 'engine_lost' as const, 'degraded' as const),
    engine: fc.option(a.engine),
  }),
  fc.record({ kind: fc.constant('config_status' as const), report: a.configStatus }),
  fc.record({ kind: fc.constant('command_status' as const), result: a.commandResult }),
  fc.record({
    kind: fc.constant('metrics' as const),
    report: fc.record({
      engineInstance: a.line,
      from: a.millis,
      sliceMs: fc.nat(),
      services: fc.array(a.serviceSlice, { maxLength: 3 }),
      host: fc.record({
        cpuPct: fc.option(a.float32),
        memPct: fc.option(a.float32),
        openFiles: fc.option(fc.nat()),
        diskFreeBytes: fc.option(a.count),
        openFilesLimit: fc.option(a.count),
        diskBytes: fc.option(a.count),
        netInBytes: fc.option(a.count),
        netOutBytes: fc.option(a.count),
      }),
      log: fc.array(a.logLine, { maxLength: 3 }),
    }),
  }),
  fc.record({
    kind: fc.constant('events' as const),
    events: fc.array(fc.record({ at: a.millis, kind: a.line, text: a.line }), { maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant('renew' as const), csrDer: fc.uint8Array({ maxLength: 64 }) }),
  fc.record({
    kind: fc.constant('standing' as const),
    standing: fc.record({ stopped: fc.boolean(), drains: fc.array(a.drain, { maxLength: 3 }) }),
  }),
  fc.record({
    kind: fc.constant('log_lines' as const),
    followId: a.word,
    lines: fc.array(a.logLine, { maxLength: 3 }),
    dropped: fc.nat(),
    ended: fc.option(a.line),
  }),
);
