import { expect, test } from 'vitest';
import { blast43 } from '../../test/frames/publish43.ts';
import { blastLines, checkLines, planLine } from './blast-lines.ts';

test('who is hit, what of theirs opens, closes and goes another way', () => {
  expect(blastLines(blast43)).toEqual([
    'v43 to 64 nodes (hk 64), 40344 live streams on them, 0 cut, 28 listeners would close',
    '  closes edge-wss :8443 wss on 28 nodes: its 1204 streams finish where they are',
    '  opens edge-wss :9443 wss on 64 nodes',
    '  keeps edge-tls :443 tls on 64 nodes',
    '  keeps edge-ws :8080 ws on 64 nodes',
    '  route changed on 64 nodes: hop cores cn-上海-03 198.51.100.13:8443 (2904 streams on it): backup false -> true, weight 2 -> 1; 59 beside it take new streams',
    '  route changed on 64 nodes: hop cores: selector.failTimeoutMs 15000 -> 10000',
  ]);
});

test('what was checked, what should be known, and in which steps', () => {
  expect(checkLines(blast43)).toEqual([
    'checked schema: ok, 64 of 64',
    'checked variables: ok, 64 of 64 (core.name region.path)',
    'checked ports: not known, each node tries before it switches (:9443)',
    'checked engines: ok, 64 of 64 (embedded 64)',
    'checked reach: warning, 1 of 64, hk-17: it is down (ready 63 down 1)',
    'warning: sg and us are not hit and go on sending to cn-上海-03 (sg-01 and 39 more)',
  ]);
  expect(planLine(blast43)).toBe(
    'steps of standard: 1 node, then you promote it; 7; 32; 64; at least 17m00s; stops rollout 31 of v42 where it is',
  );
});

test('a master of before says less, and what is not known is not zero', () => {
  const unknown = { ...blast43.listeners[0], streams: null } as (typeof blast43.listeners)[number];
  const b = {
    ...blast43,
    checks: [],
    warnings: [],
    routes: [],
    routesUnknown: 3,
    more: 2,
    listeners: [unknown],
  };
  expect(checkLines(b)).toEqual([]);
  expect(blastLines(b)).toEqual([
    'v43 to 64 nodes (hk 64), 40344 live streams on them, 28 listeners would close',
    '  closes edge-wss :8443 wss on 28 nodes: its streams, how many is not known, finish where they are',
    '  routes: 3 run what is no version here any more, so they are not compared',
    '  and 2 more listeners and routes',
  ]);
});
