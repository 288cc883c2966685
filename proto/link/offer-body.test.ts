import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ConfigHash, VersionLabel } from '../vocab/ids.ts';
import { decodeDown, encodeDown } from './codec-down.ts';
import { compressed, MOST_BODY, OFFER_GZIP, saidWith } from './offer-body.ts';

/** The document that an agent reads out of an offer with these two fields. */
function received(fields: { readonly body?: Uint8Array; readonly bodyGzip?: Uint8Array }): Buffer {
  const m = encodeDown({
    ...{ nonce: '0a', leaderEpoch: 1 },
    body: {
      ...{ kind: 'remote_config', hash: 'ab'.repeat(32) as ConfigHash, version: 'v7' as VersionLabel },
      ...{ revision: 41, body: Buffer.from(fields.body ?? []), commit: null, sealed: [], retry: 0 },
    },
  });
  if (m.body?.$case !== 'remoteConfig') throw new Error('encoded as something else');
  m.body.value.bodyGzip = Buffer.from(fields.bodyGzip ?? []);
  const { body } = decodeDown(m);
  if (body.kind !== 'remote_config') throw new Error('decoded as something else');
  return Buffer.from(body.body);
}

const refused = (what: string | RegExp) =>
  expect.objectContaining({ code: 'invalid', message: expect.stringMatching(what) as string }) as Error;

/** Documents are text that says much the same again and again; anything else has to travel as well. */
const anyBody = fc.oneof(
  fc.uint8Array({ maxLength: 4096 }),
  fc
    .tuple(fc.string({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 500 }))
    .map(([line, times]) => new TextEncoder().encode(line.repeat(times))),
);

describe('a document in gzip’s form', () => {
  test('is what it was, and is only made where it is clearly smaller', () => {
    const seen = { smaller: 0, not: 0 };
    fc.assert(
      fc.property(anyBody, (body) => {
        const made = compressed(body);
        seen[made ? 'smaller' : 'not'] += 1;
        if (!made) return;
        expect(made.length).toBeLessThanOrEqual(body.length * 0.75);
        expect(received({ bodyGzip: made }).equals(body)).toBe(true);
      }),
      { numRuns: 300 },
    );
    expect(Math.min(seen.smaller, seen.not)).toBeGreaterThan(10);
    expect(compressed(Buffer.from('services: []'))).toBeNull();
    expect(compressed(Buffer.alloc(0))).toBeNull();
  });

  test('that is damaged or cut is refused by the field’s name, or it is not damaged', () => {
    const body = Buffer.from('services: []\n'.repeat(50));
    const made = gzipSync(body);
    fc.assert(
      fc.property(fc.nat(made.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
        const bent = Buffer.from(made);
        bent[at] = (bent[at] ?? 0) ^ bits;
        let got: Buffer;
        try {
          got = received({ bodyGzip: bent });
        } catch (error) {
          expect(error).toEqual(refused(/^remote_config\.body_gzip: is no gzip: ./));
          return;
        }
        expect(got).toEqual(body);
      }),
    );
    for (let length = 1; length < made.length; length++) {
      expect(() => received({ bodyGzip: made.subarray(0, length) })).toThrow(
        refused('body_gzip: is no gzip'),
      );
    }
    expect(() => received({ bodyGzip: body })).toThrow(refused('body_gzip: is no gzip'));
  });

  test('is bounded as it is without it', () => {
    const most = Buffer.alloc(MOST_BODY, 0x20);
    const more = Buffer.alloc(MOST_BODY + 1, 0x20);
    const bomb = Buffer.alloc(64 * MOST_BODY);
    expect(received({ bodyGzip: gzipSync(most) }).equals(most)).toBe(true);
    for (const body of [more, bomb]) {
      expect(() => received({ bodyGzip: gzipSync(body) })).toThrow(
        refused(/^remote_config\.body_gzip: longer than 245760 bytes$/),
      );
      expect(() => received({ body })).toThrow(refused(/^remote_config\.body: longer than 245760 bytes$/));
    }
  });

  test('and as it is: neither is taken', () => {
    const body = Buffer.from('services: []\n'.repeat(50));
    expect(() => received({ body, bodyGzip: gzipSync(body) })).toThrow(
      refused(/^remote_config\.body_gzip: is there beside the body$/),
    );
  });
});

test('an agent says that it takes it; where its engine could not be asked it goes on saying nothing', () => {
  expect(saidWith(['listener.tcp', 'sealed'])).toEqual(['listener.tcp', 'sealed', OFFER_GZIP]);
  expect(saidWith([])).toEqual([]);
});
