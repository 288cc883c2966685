import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Table } from './table.ts';

const step = fc.tuple(
  fc.constantFrom('put', 'put', 'put', 'delete', 'keep') as fc.Arbitrary<'put' | 'delete' | 'keep'>,
  fc.integer({ min: 0, max: 400 }).map((n) => `k${n}`),
  fc.integer(),
);

test('is a Map in order, and no version of it ever changes', () => {
  fc.assert(
    fc.property(fc.array(fc.array(step, { maxLength: 60 }), { maxLength: 30 }), (edits) => {
      let table = Table.empty<number>();
      const model = new Map<string, number>();
      const versions: [Table<number>, [string, number][]][] = [];
      for (const steps of edits) {
        const edit = table.edit();
        for (const [what, key, value] of steps) {
          if (what === 'put') {
            edit.put(key, value);
            model.set(key, value);
          } else if (what === 'delete') {
            edit.delete(key);
            model.delete(key);
          }
        }
        table = edit.done();
        // What is done with an edit afterwards reaches no table.
        edit.put('late', 1);
        edit.delete('k1');
        versions.push([table, [...model]]);
      }
      for (const [version, entries] of versions) {
        expect(version.size).toBe(entries.length);
        expect(Array.from(version.entries(), (e) => [e.key, e.value])).toEqual(entries);
        expect(version.list()).toEqual(entries.map((e) => e[1]));
        for (const [key, value] of entries) expect(version.get(key)).toBe(value);
        expect(version.get('late')).toBeUndefined();
      }
    }),
    { numRuns: 60 },
  );
});

test('shrinks after many deletions, keeping order', () => {
  const edit = Table.empty<number>().edit();
  for (let i = 0; i < 5000; i++) edit.put(`k${i}`, i);
  for (let i = 0; i < 5000; i++) if (i % 100 !== 0) edit.delete(`k${i}`);
  const table = edit.done();
  expect(table.list()).toEqual(Array.from({ length: 50 }, (_, i) => i * 100));
  expect(table.get('k4900')).toBe(4900);
  expect(table.get('k4901')).toBeUndefined();
});
