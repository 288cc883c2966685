import { describe, expect, test } from 'vitest';
import { fakeNode } from '../../test/fakes/console-master.ts';
import { compileFilter } from './filter.ts';

const nodes = [
  fakeNode('hk-1', { region: 'hk', labels: { rack: 'a3' } }),
  fakeNode('hk-12', { region: 'hk', labels: { rack: 'b1' } }),
  fakeNode('us-1', { region: 'us', nodeType: 'core' }),
  fakeNode('cn-上海-03', { region: 'cn', nodeType: 'core' }),
];

function matching(text: string): readonly string[] {
  const f = compileFilter(text);
  return nodes.filter((n) => f.matches(n)).map((n) => n.name);
}

describe('the filter', () => {
  test.each([
    ['', ['hk-1', 'hk-12', 'us-1', 'cn-上海-03']],
    ['hk', ['hk-1', 'hk-12']],
    ['^hk-1 ', ['hk-1']],
    ['!hk', ['us-1', 'cn-上海-03']],
    ['上海', ['cn-上海-03']],
    ['rack=b', ['hk-12']],
    ['HK', []],
    ['-f h2', ['hk-12']],
    ['-l region=hk rack!=b1', ['hk-1']],
    ['-l type=core', ['us-1', 'cn-上海-03']],
    ['-l rack', ['hk-1', 'hk-12']],
    ['-l rack=', ['us-1', 'cn-上海-03']],
  ])('%s', (text, want) => {
    expect(matching(text)).toEqual(want);
  });

  test.each(['(', 'a{2,1}', '[', '(a+)+$', '-l =x', 'x'.repeat(201)])(
    '%s says why and filters nothing',
    (text) => {
      expect(compileFilter(text).error?.en).toMatch(/\S/);
      expect(matching(text)).toHaveLength(nodes.length);
    },
  );
});
