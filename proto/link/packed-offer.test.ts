import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as a from '../../test/fakes/vocab-arbitraries.ts';
import { ConnectResponse } from '../gen/aicdn/v1/agent.ts';
import type { ConfigHash, VersionLabel } from '../vocab/ids.ts';
import { decodeDown, encodeDown } from './codec-down.ts';
import { type Offered, OfferPacker, type PackedOffer } from './packed-offer.ts';

const offer: Offered = {
  kind: 'remote_config',
  hash: 'ab'.repeat(32) as ConfigHash,
  version: 'v7' as VersionLabel,
  revision: 41,
  body: Buffer.from('services: []\n'.repeat(2000)),
  commit: { id: 'c1', rollbackMs: 120_000 },
  sealed: [],
  retry: 3,
};
const PLAIN = { gzip: false };
const GZIP = { gzip: true };
const onWire = (packed: PackedOffer): ConnectResponse => {
  const bytes = Buffer.alloc(packed.byteLength + 5);
  expect(packed.copy(bytes, 5)).toBe(packed.byteLength);
  return ConnectResponse.decode(bytes.subarray(5));
};
const read = (packed: PackedOffer) => decodeDown(onWire(packed));
const textOf = (packed: PackedOffer): string => Buffer.from((read(packed).body as Offered).body).toString();
/** Of the document, on the wire: as it is, in gzip's form. */
const sizes = (packed: PackedOffer): readonly [number, number] => {
  const { body } = onWire(packed);
  if (body?.$case !== 'remoteConfig') throw new Error('packed as something else');
  return [body.value.body.length, body.value.bodyGzip.length];
};
const of = (body: Offered, nonce: string) => ({ nonce, leaderEpoch: 1, body });
const sealed = (text: string): Offered => ({
  ...offer,
  sealed: [{ kind: 'secret', name: 'k', version: 1, content: Buffer.from(text) }],
});

describe.each([
  ['as it is', PLAIN],
  ['in gzip’s form', GZIP],
])('a document that travels %s', (_form, form) => {
  test('what is packed once says to each agent what was meant for it', () => {
    const packer = new OfferPacker();
    const [one, other] = ['0a', '0b'].map((nonce) =>
      of({ ...offer, commit: { id: nonce, rollbackMs: 90_000 } }, nonce),
    );
    if (!one || !other) throw new Error('two are wanted');
    for (const down of [one, other, one])
      expect(read(packer.pack(down, form))).toEqual({
        ...down,
        body: { ...down.body, body: expect.anything() },
      });
    expect(textOf(packer.pack(other, form))).toBe(offer.body.toString());
  });

  test('a message between two offers says what it was to say, and leaves nothing behind', () => {
    const packer = new OfferPacker();
    const confirm = { nonce: '0c', leaderEpoch: 1, body: { kind: 'commit_confirm', id: 'c1' } } as const;
    for (let i = 0; i < 2; i++) {
      expect(() => packer.pack({ ...of(offer, '0e'), leaderEpoch: Number.NaN }, form)).toThrow(
        'leader_epoch',
      );
      expect(decodeDown(ConnectResponse.decode(packer.message(confirm)))).toEqual(confirm);
      expect(read(packer.pack(of(offer, '0d'), form))).toMatchObject({ nonce: '0d', body: { revision: 41 } });
    }
  });

  test.each<[string, Partial<Offered>]>([
    ['revision', { revision: 42 }],
    ['version', { version: 'v8' as VersionLabel }],
    ['hash', { hash: 'cd'.repeat(32) as ConfigHash }],
    ['retry', { retry: 0 }],
    ['sealed', { sealed: sealed('x').sealed }],
    ['commit', { commit: null }],
  ])('the same body with another %s is another message', (_what, change) => {
    const packer = new OfferPacker();
    packer.pack(of(offer, '01'), form);
    const other = { ...offer, ...change };
    for (let i = 0; i < 2; i++) {
      const { body } = read(packer.pack(of(other, '02'), form));
      expect({ ...body, body: null }).toEqual({ ...other, body: null });
    }
  });

  test('what is sealed for one agent goes to no other', () => {
    const packer = new OfferPacker();
    packer.pack(of(sealed('first'), '01'), form);
    const { body } = read(packer.pack(of(sealed('second'), '02'), form));
    expect((body as Offered).sealed.map((s) => Buffer.from(s.content).toString())).toEqual(['second']);
    expect((read(packer.pack(of(offer, '03'), form)).body as Offered).sealed).toEqual([]);
  });
});

describe('both forms', () => {
  const anyOffer: fc.Arbitrary<Offered> = fc.record({
    kind: fc.constant('remote_config' as const),
    hash: a.configHash,
    version: a.versionLabel,
    revision: a.count,
    body: fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(a.line, fc.nat(200)).map(([line, times]) => Buffer.from(`${line}\n`.repeat(times))),
    ),
    commit: fc.option(fc.record({ id: a.word, rollbackMs: fc.nat() })),
    sealed: fc.constantFrom([], sealed('x').sealed),
    retry: a.count,
  });

  test('say the same, whoever asks first; who takes one form only is told as without the other', () => {
    fc.assert(
      fc.property(anyOffer, a.hex(8), fc.boolean(), (body, nonce, gzipFirst) => {
        const packer = new OfferPacker();
        const down = of(body, nonce);
        if (gzipFirst) packer.pack(down, GZIP);
        const plain = packer.pack(down, PLAIN);
        expect(onWire(plain)).toEqual(onWireOf(down));
        const zipped = packer.pack(down, GZIP);
        expect(read(zipped)).toEqual(read(plain));
        expect(sizes(zipped)).toContain(0);
        expect(zipped.byteLength).toBeLessThanOrEqual(plain.byteLength);
      }),
      { numRuns: 200 },
    );
    function onWireOf(down: ReturnType<typeof of>): ConnectResponse {
      return ConnectResponse.decode(ConnectResponse.encode(encodeDown(down)).finish());
    }
  });

  test('a document that says much the same again and again is a fraction; a tiny one stays what it is', () => {
    const packer = new OfferPacker();
    expect(sizes(packer.pack(of(offer, '01'), PLAIN))).toEqual([26_000, 0]);
    const [plain, zipped] = sizes(packer.pack(of(offer, '02'), GZIP));
    expect(plain).toBe(0);
    expect(zipped).toBeLessThan(500);
    const tiny = of({ ...offer, body: Buffer.from('services: []\n') }, '03');
    for (const form of [GZIP, PLAIN]) expect(sizes(packer.pack(tiny, form))).toEqual([13, 0]);
  });

  test('each is made once for a body: what becomes of its bytes afterwards is not looked at', () => {
    for (const form of [PLAIN, GZIP]) {
      const packer = new OfferPacker();
      const body = Buffer.from(offer.body);
      packer.pack(of({ ...offer, body }, '01'), form);
      body.fill(0x20);
      expect(textOf(packer.pack(of({ ...offer, body }, '02'), form))).toBe(offer.body.toString());
    }
    const packer = new OfferPacker();
    const body = Buffer.from(offer.body);
    packer.pack(of({ ...sealed('first'), body }, '01'), GZIP);
    body.fill(0x20);
    const second = packer.pack(of({ ...sealed('second'), body }, '02'), GZIP);
    expect(textOf(second)).toBe(offer.body.toString());
  });
});
