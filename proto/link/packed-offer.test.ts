import { expect, test } from 'vitest';
import { ConnectResponse } from '../gen/aicdn/v1/agent.ts';
import type { ConfigHash, VersionLabel } from '../vocab/ids.ts';
import { decodeDown } from './codec-agent.ts';
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
const read = (packed: PackedOffer) => {
  const bytes = Buffer.alloc(packed.byteLength + 5);
  expect(packed.copy(bytes, 5)).toBe(packed.byteLength);
  return decodeDown(ConnectResponse.decode(bytes.subarray(5)));
};
const of = (body: Offered, nonce: string) => ({ nonce, leaderEpoch: 1, body });

test('what is packed once says to each agent what was meant for it', () => {
  const packer = new OfferPacker();
  const [a, b] = ['0a', '0b'].map((nonce) =>
    of({ ...offer, commit: { id: nonce, rollbackMs: 90_000 } }, nonce),
  );
  if (!a || !b) throw new Error('two are wanted');
  for (const down of [a, b, a])
    expect(read(packer.pack(down))).toEqual({ ...down, body: { ...down.body, body: expect.anything() } });
  expect(Buffer.from((read(packer.pack(b)).body as Offered).body)).toEqual(offer.body);
});

test('a message between two offers says what it was to say, and leaves nothing behind', () => {
  const packer = new OfferPacker();
  const confirm = { nonce: '0c', leaderEpoch: 1, body: { kind: 'commit_confirm', id: 'c1' } } as const;
  for (let i = 0; i < 2; i++) {
    expect(() => packer.pack({ ...of(offer, '0e'), leaderEpoch: Number.NaN })).toThrow('leader_epoch');
    expect(decodeDown(ConnectResponse.decode(packer.message(confirm)))).toEqual(confirm);
    expect(read(packer.pack(of(offer, '0d')))).toMatchObject({ nonce: '0d', body: { revision: 41 } });
  }
});

test.each<[string, Partial<Offered>]>([
  ['revision', { revision: 42 }],
  ['version', { version: 'v8' as VersionLabel }],
  ['hash', { hash: 'cd'.repeat(32) as ConfigHash }],
  ['retry', { retry: 0 }],
  ['sealed', { sealed: [{ kind: 'secret', name: 'k', version: 1, content: Buffer.from('x') }] }],
  ['commit', { commit: null }],
])('the same body with another %s is another message', (_what, change) => {
  const packer = new OfferPacker();
  packer.pack(of(offer, '01'));
  const other = { ...offer, ...change };
  for (let i = 0; i < 2; i++) {
    const { body } = read(packer.pack(of(other, '02')));
    expect({ ...body, body: null }).toEqual({ ...other, body: null });
  }
});

test('what is sealed for one agent goes to no other', () => {
  const packer = new OfferPacker();
  const sealed = (text: string) => ({
    ...offer,
    sealed: [{ kind: 'secret', name: 'k', version: 1, content: Buffer.from(text) }] as const,
  });
  packer.pack(of(sealed('first'), '01'));
  const { body } = read(packer.pack(of(sealed('second'), '02')));
  expect((body as Offered).sealed.map((s) => Buffer.from(s.content).toString())).toEqual(['second']);
  expect((read(packer.pack(of(offer, '03'))).body as Offered).sealed).toEqual([]);
});
