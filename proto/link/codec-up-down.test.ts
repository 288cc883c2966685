import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { up } from '../../test/fakes/link-arbitraries.ts';
import * as a from '../../test/fakes/vocab-arbitraries.ts';
import { ConnectRequest, ConnectResponse } from '../gen/aicdn/v1/agent.ts';
import type { AgentDown, AgentUp, DownEnvelope, UpEnvelope } from '../vocab/agent-link.ts';
import { COMMAND_TYPES } from '../vocab/command.ts';
import { AppError } from '../vocab/errors.ts';
import { decodeDown, encodeDown } from './codec-down.ts';
import { decodeUp, encodeUp } from './codec-up.ts';

const down: fc.Arbitrary<AgentDown> = fc.oneof(
  fc.record({
    kind: fc.constant('welcome' as const),
    node: a.nodeName,
    masterVersion: a.line,
    now: a.millis,
    storeId: a.line,
  }),
  fc.record({
    kind: fc.constant('remote_config' as const),
    hash: a.configHash,
    revision: a.count,
    version: a.versionLabel,
    body: fc.uint8Array({ maxLength: 64 }),
    commit: fc.option(fc.record({ id: a.word, rollbackMs: fc.nat() })),
    sealed: fc.array(
      fc.record({
        kind: fc.constantFrom('secret' as const, 'certificate' as const),
        name: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/),
        version: fc.integer({ min: 1, max: 1_000_000 }),
        content: fc.uint8Array({ maxLength: 64 }),
      }),
      { maxLength: 3 },
    ),
    retry: a.count,
  }),
  fc.record({ kind: fc.constantFrom('commit_confirm' as const, 'commit_cancel' as const), id: a.word }),
  fc.record({
    kind: fc.constant('command' as const),
    id: a.commandId,
    type: fc.constantFrom(...COMMAND_TYPES),
    timeoutMs: fc.nat(),
    expiresAt: a.millis,
    options: a.commandOptions,
  }),
  fc.record({ kind: fc.constant('cancel_command' as const), id: a.commandId }),
  fc.record({
    kind: fc.constant('follow_logs' as const),
    followId: a.word,
    lines: fc.nat(),
    maxMs: fc.nat(),
  }),
  fc.record({ kind: fc.constant('end_follow' as const), followId: a.word }),
  fc.record({
    kind: fc.constant('offers' as const),
    heartbeatMs: fc.option(fc.nat()),
    reportMs: fc.option(fc.nat()),
    chainDer: fc.option(fc.array(fc.uint8Array({ maxLength: 64 }), { minLength: 1, maxLength: 3 })),
  }),
  fc.record({ kind: fc.constant('report_full_state' as const) }),
  fc.record({ kind: fc.constant('unavailable' as const), reason: a.line, retryAfterMs: fc.nat() }),
);

function plain<T>(value: T): T {
  return JSON.parse(
    JSON.stringify(value, (_, v: unknown) =>
      v instanceof Uint8Array || (typeof v === 'object' && v !== null && 'type' in v && v.type === 'Buffer')
        ? Buffer.from(v as Uint8Array).toString('hex')
        : v,
    ),
  ) as T;
}

const overWire = (m: ConnectRequest): ConnectRequest =>
  ConnectRequest.decode(ConnectRequest.encode(m).finish());

describe('what the agent says comes out of the wire as it went in', () => {
  test('up', () => {
    fc.assert(
      fc.property(fc.record({ instanceUid: a.hex(16), sequence: a.count, body: up }), (e: UpEnvelope) => {
        expect(plain(decodeUp(overWire(encodeUp(e))))).toEqual(plain(e));
      }),
      { numRuns: 200 },
    );
  });

  test('down', () => {
    fc.assert(
      fc.property(fc.record({ nonce: a.hex(8), leaderEpoch: a.count, body: down }), (e: DownEnvelope) => {
        const m = ConnectResponse.decode(ConnectResponse.encode(encodeDown(e)).finish());
        expect(plain(decodeDown(m))).toEqual(plain(e));
      }),
      { numRuns: 200 },
    );
  });
});

describe('what makes no sense is refused with the field named', () => {
  const envelope = (body: AgentUp): ConnectRequest =>
    encodeUp({ instanceUid: '00'.repeat(16), sequence: 1, body });
  const refused = (m: ConnectRequest): AppError => {
    try {
      decodeUp(overWire(m));
    } catch (error) {
      if (error instanceof AppError) return error;
      throw error;
    }
    throw new Error('was accepted');
  };
  const beat = (): ConnectRequest => envelope({ kind: 'heartbeat', sentAt: 1, health: 'ok', engine: null });

  test('an unknown enum value, an absent time, a short uid, a sequence beyond what a number holds', () => {
    const health = beat();
    if (health.body?.$case === 'heartbeat') health.body.value.health = 77 as never;
    expect(refused(health)).toMatchObject({ code: 'invalid', message: 'heartbeat.health: unknown value 77' });

    const time = beat();
    if (time.body?.$case === 'heartbeat') time.body.value.sentAt = undefined;
    expect(refused(time)).toMatchObject({ code: 'invalid', message: 'heartbeat.sent_at: is missing' });

    expect(refused({ ...beat(), instanceUid: Buffer.alloc(3) }).message).toBe(
      'instance_uid: is not 16 bytes',
    );
    expect(refused({ ...beat(), sequenceNum: 2n ** 60n }).message).toContain('sequence_num: out of range');
  });

  test('a NACK without its reason or with a hash that is none', () => {
    const nack = envelope({
      kind: 'config_status',
      report: {
        nonce: 'aa',
        effectiveHash: null,
        engine: null,
        warnings: [],
        status: 'failed',
        phase: 'validate',
        rejectedHash: 'ab'.repeat(32) as never,
        reverted: false,
        refusal: { code: 'x', message: 'y' },
        logTail: '',
      },
    });
    if (nack.body?.$case !== 'configStatus') throw new Error('encoded as something else');
    const status = nack.body.value;
    const with_ = (part: Partial<typeof status>): ConnectRequest => ({
      ...nack,
      body: { $case: 'configStatus', value: { ...status, ...part } },
    });
    expect(refused(with_({ errorDetail: undefined })).message).toBe('config_status.error_detail: is missing');
    expect(refused(with_({ rejectedConfigHash: 'nope' })).message).toContain('is not a sha256');
    expect(refused(with_({ warnings: Array(65).fill('w') })).message).toContain('more than 64');
    expect(refused(with_({ logTail: 'x'.repeat(5000) })).message).toContain('longer than 4096');
  });

  test('a body of a newer build is `unsupported`, so that it can be passed over', () => {
    expect(refused({ ...beat(), body: undefined }).code).toBe('unsupported');
  });

  test('arbitrary bytes either decode or are refused with AppError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (raw) => {
        let m: ConnectRequest;
        try {
          m = ConnectRequest.decode(raw);
        } catch {
          return; // not protobuf at all
        }
        try {
          decodeUp(m);
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a log tail too long to send keeps its end', () => {
    const m = envelope({
      kind: 'command_status',
      result: {
        commandId: 'C-1' as never,
        state: 'failed',
        exitCode: 1,
        outputTail: `${'x'.repeat(9000)}the reason`,
        before: null,
        after: null,
        unchanged: false,
        tookMs: 1,
        streamsKept: 0,
      },
    });
    const e = decodeUp(overWire(m));
    expect(e.body.kind === 'command_status' && e.body.result.outputTail.endsWith('the reason')).toBe(true);
  });
});
