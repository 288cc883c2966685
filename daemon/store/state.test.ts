import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Commit, Op } from '../service/ports.ts';
import { decodeLine, encodeRecord, isCommit } from './record.ts';
import { State } from './state.ts';

const part = fc.oneof(
  fc.integer(),
  fc.string(),
  fc.constant(null),
  fc.constant(undefined),
  fc.array(fc.integer(), { maxLength: 3 }),
);
const entity = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), part);
const key = fc.constantFrom('x', 'y', 'z');
const op = fc.oneof(
  fc.record({ what: fc.constant('put' as const), key, value: entity }),
  // As decisions do: what is left as it was is the very same.
  fc.record({ what: fc.constant('change' as const), key, value: entity }),
  fc.record({ what: fc.constant('del' as const), key }),
);

test('what a journal line says of a change makes the same entity of the one before', () => {
  fc.assert(
    fc.property(fc.array(fc.array(op, { maxLength: 6 }), { maxLength: 12 }), (commits) => {
      let live = State.empty();
      let read = State.empty();
      for (const [i, steps] of commits.entries()) {
        const ops = steps.map((s): Op => {
          if (s.what === 'del') return { op: 'del', kind: 'meta', key: s.key };
          const was = s.what === 'change' ? live.get('meta', s.key) : undefined;
          return { op: 'put', kind: 'meta', key: s.key, value: { ...was, ...s.value } as never };
        });
        live = live.apply({ rev: i + 1, ts: 1, actor: 'a', src: 's', ops });
        const line = decodeLine(live.line?.subarray(0, -1) ?? new Uint8Array());
        if (!isCommit(line)) throw new Error('not a commit');
        read = read.replay([line]);
        expect(read.revision).toBe(live.revision);
        expect([...read.puts()]).toEqual(JSON.parse(JSON.stringify([...live.puts()])));
      }
    }),
  );
});

test('of an entity that was there only what changed is written', () => {
  const commit = (rev: number, value: object): Commit => ({
    ...{ rev, ts: 1, actor: 'a', src: 's' },
    ops: [{ op: 'put', kind: 'meta', key: 'k', value: value as never }],
  });
  const first = { id: 'k', long: 'x'.repeat(1000), modRevision: 1 };
  const one = State.empty().apply(commit(1, first));
  const { long, ...rest } = { ...first, modRevision: 2 };
  const two = one.apply(commit(2, rest));
  expect(two.line?.toString()).toContain(
    '"ops":[{"op":"set","kind":"meta","key":"k","value":{"modRevision":2},"gone":["long"]}]',
  );
  expect(long).toBe(first.long);
});

test('a change of what is not there is no change', () => {
  const line = encodeRecord({
    ...{ rev: 1, ts: 1, actor: 'a', src: 's' },
    ops: [{ op: 'set', kind: 'meta', key: 'k', value: { value: 2 } }],
  });
  const read = decodeLine(line.subarray(0, -1));
  if (!isCommit(read)) throw new Error('not a commit');
  expect(() => State.empty().replay([read])).toThrow('revision 1 changes meta k, which is not there');
});
