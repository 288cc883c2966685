import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { up } from '../../test/fakes/link-arbitraries.ts';
import { ConnectRequest } from '../gen/aicdn/v1/agent.ts';
import type { AgentUp } from '../vocab/agent-link.ts';
import { AppError } from '../vocab/errors.ts';
import { decodeUp, encodeUp } from './codec-up.ts';
import { isRoutine, UpDecoder } from './up-decoder.ts';

const UID = '00112233445566778899aabbccddeeff';

const packed = (body: AgentUp, sequence = 1): Buffer =>
  Buffer.from(ConnectRequest.encode(encodeUp({ instanceUid: UID, sequence, body })).finish());

function read(decoder: UpDecoder, bytes: Buffer) {
  const frame = decoder.frame(bytes);
  return { instanceUid: frame.instanceUid(), sequence: frame.sequence, body: frame.body() };
}

/** What it reads, or with what it is refused. */
function outcome(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error instanceof AppError ? `${error.code}: ${error.message}` : 'no message';
  }
}

const decodeBoth = (decoder: UpDecoder, bytes: Buffer) => [
  outcome(() => read(decoder, bytes)),
  outcome(() => decodeUp(ConnectRequest.decode(bytes))),
];

describe('what an agent says is read as the generated code reads it', () => {
  test('whatever it is, one after the other of the same conversation', () => {
    fc.assert(
      fc.property(fc.array(up, { minLength: 1, maxLength: 8 }), fc.maxSafeNat(), (bodies, sequence) => {
        const decoder = new UpDecoder();
        // Twice: the second time everything is known.
        for (const body of [...bodies, ...bodies]) {
          const [ours, theirs] = decodeBoth(decoder, packed(body, sequence));
          expect(ours).toEqual(theirs);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('heartbeats and reports are seen from outside, and nothing else is taken for one', () => {
    fc.assert(
      fc.property(up, fc.maxSafeNat(), (body, sequence) => {
        const routine = body.kind === 'heartbeat' || body.kind === 'metrics';
        expect(isRoutine(packed(body, sequence))).toBe(routine);
      }),
      { numRuns: 300 },
    );
    expect(isRoutine(Buffer.alloc(0))).toBe(false);
    expect(isRoutine(Buffer.from([10, 200, 16]))).toBe(false);
    // Written by somebody else, the body first: it is read all the same, but not seen.
    expect(isRoutine(Buffer.from([34, 0, 16, 1]))).toBe(false);
  });

  test('one that differs in one byte from the one before is another', () => {
    const engine = {
      ...({
        kind: 'embedded',
        version: '1.0.0',
        instance: 'abcd',
        generation: 7,
        documentHash: null,
      } as const),
      ...{ pid: 12, reason: '', listeners: [], startedAt: 1_700_000_000_000 },
    };
    const beat = (generation: number): AgentUp => ({
      ...({ kind: 'heartbeat', sentAt: 1_700_000_000_000, health: 'ok' } as const),
      engine: { ...engine, generation },
    });
    const decoder = new UpDecoder();
    const heard = [7, 7, 8].map((g) => {
      const { body } = read(decoder, packed(beat(g)));
      return body.kind === 'heartbeat' ? body.engine : null;
    });
    expect(heard.map((e) => e?.generation)).toEqual([7, 7, 8]);
    expect(heard[1]).toBe(heard[0]);
  });

  test('counts up to 2^53 - 1, and not one more', () => {
    const counted = (bytesOut: bigint): Buffer => {
      const m = encodeUp({ instanceUid: UID, sequence: 1, body: report() });
      if (m.body?.$case !== 'metrics' || !m.body.value.services[0]) throw new Error('no report');
      m.body.value.services[0].bytesOut = bytesOut;
      return Buffer.from(ConnectRequest.encode(m).finish());
    };
    for (let bits = 0n; bits < 64n; bits++) {
      for (const n of [(1n << bits) - 1n, 1n << bits]) {
        const [ours, theirs] = decodeBoth(new UpDecoder(), counted(n));
        expect(ours).toEqual(theirs);
      }
    }
  });

  test('cut at every byte, and with every byte another, it is read or refused in the same way', () => {
    const bodies: AgentUp[] = [
      report(),
      { kind: 'heartbeat', sentAt: 1_700_000_000_000, health: 'ok', engine: null },
    ];
    for (const body of bodies) {
      const whole = packed(body, 300);
      for (let i = 0; i < whole.length; i++) {
        const cut = outcome(() => read(new UpDecoder(), whole.subarray(0, i)));
        // What is left of it may be a message of a build that says less; it is never one that makes no sense.
        if (typeof cut !== 'string')
          expect(cut).toEqual(outcome(() => decodeUp(ConnectRequest.decode(whole.subarray(0, i)))));
        for (const to of [0, 1, 127, 128, 255]) {
          const other = Buffer.from(whole);
          other[i] = to;
          const [ours, theirs] = decodeBoth(new UpDecoder(), other);
          // Which bytes are no message is seen a little sooner by one, a little later by the other.
          if (typeof ours !== 'string' && typeof theirs !== 'string') expect(ours).toEqual(theirs);
        }
      }
    }
  });

  test('histograms that are not packed, as some writers leave them', () => {
    const one = Buffer.from([0x08, 3, 0x08, 9, 0x10, 5, 0x10, 0x80, 1, 0x19, 0, 0, 0, 0, 0, 0, 0, 0]);
    const bytes = (tag: number, content: Buffer): Buffer =>
      Buffer.concat([Buffer.from([tag, content.length]), content]);
    const service = Buffer.concat([bytes(10, Buffer.from('chat')), bytes(98, one)]);
    const metrics = Buffer.concat([bytes(18, Buffer.from([8, 1])), bytes(34, service)]);
    const whole = Buffer.concat([bytes(10, Buffer.from(UID, 'hex')), bytes(58, metrics)]);
    const [ours, theirs] = decodeBoth(new UpDecoder(), whole);
    expect(ours).toEqual(theirs);
    expect(ours).toMatchObject({
      body: { report: { services: [{ connect: { index: [3, 9], count: [5, 128] } }] } },
    });
  });
});

function report(): AgentUp {
  const h = { index: [3, 9, 40], count: [1, 300, 70_000], sumMs: 812.5 };
  return {
    kind: 'metrics',
    report: {
      ...{ engineInstance: 'abcd', from: 1_700_000_000_123, sliceMs: 10_000 },
      services: [
        {
          ...{ service: 'chat', streams: 41, opened: 3, closed: 200, errors: 1, abortedClient: 0 },
          ...{ abortedOrigin: 2, abortedTunnel: 0, bytesIn: 80_000, bytesOut: 5_000_000_000, requests: 400 },
          ...{ connect: h, ttft: h, gap: h },
        },
      ],
      host: { cpuPct: 12.5, memPct: 40, openFiles: 90, diskFreeBytes: 41_000_000_000 },
      log: [{ at: 1_700_000_000_000, level: 'warn', text: 'slow origin' }],
    },
  };
}
