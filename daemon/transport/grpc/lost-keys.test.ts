import { expect, test } from 'vitest';
import { RunCommandRequest } from '../../../proto/gen/aicdn/v1/console.ts';
import { remembering, whole } from './lost-keys.ts';

const read = remembering((bytes) => RunCommandRequest.decode(bytes));
const sent = (labels: Record<string, string>): Buffer => {
  const target = { nodes: [], labels, nodeType: '', regions: [] };
  const nothing = RunCommandRequest.decode(Buffer.alloc(0));
  return Buffer.from(RunCommandRequest.encode({ ...nothing, type: 'reload', target }).finish());
};

test('a target that loses its one label on the way in is not taken for everybody', () => {
  const request = read(sent(JSON.parse('{"__proto__": "x"}')));
  expect(Object.keys(request.target?.labels ?? {})).toEqual([]);
  expect(() => whole(request)).toThrow('a key __proto__ has no place here');
});

test('one that keeps its labels is', () => {
  const request = read(sent({ proto: '__proto__' }));
  expect(request.target?.labels).toEqual({ proto: '__proto__' });
  expect(() => whole(request)).not.toThrow();
});
