import { describe, expect, it } from 'vitest';
import type { NodeStatus } from '../../../proto/vocab/node.ts';
import { nodeStatus, type Presence, stretchedHeartbeat } from './status.ts';

const BEGAN = 1_000_000;
const HEARD = BEGAN + 100_000;
const timing = { heartbeatMs: 10_000, masterStartedAt: BEGAN };
const old = { initialized: true, joinedAt: 0 };

type At = readonly [Presence, number];
const here = (silentMs: number): At => [{ connected: true, lastSeen: HEARD }, HEARD + silentMs];
const gone = (silentMs: number): At => [{ connected: false, lastSeen: HEARD }, HEARD + silentMs];
const never = (sinceBegin: number): At => [{ connected: false, lastSeen: null }, BEGAN + sinceBegin];

describe('a node’s status is what time makes of its presence', () => {
  it.each<readonly [string, At, NodeStatus]>([
    ['just heard', here(0), 'ready'],
    ['one heartbeat late', here(19_999), 'ready'],
    ['two intervals silent on a stream that looks alive', here(20_000), 'disconnected'],
    ['almost four intervals', here(39_999), 'disconnected'],
    ['three missed and the grace', here(40_000), 'down'],
    ['the stream is gone', gone(0), 'disconnected'],
    ['gone, almost four intervals', gone(39_999), 'disconnected'],
    ['gone for four intervals', gone(40_000), 'down'],
    ['the master has just begun', never(0), 'unknown'],
    ['it had no time to come back yet', never(39_999), 'unknown'],
    ['it had', never(40_000), 'down'],
    ['a clock that went back', here(-5000), 'ready'],
  ])('%s', (_, [presence, now], status) => {
    expect(nodeStatus(old, presence, now, timing)).toBe(status);
  });

  it('is initializing until its first confirmed config, while it is heard of', () => {
    const fresh = { ...old, initialized: false };
    expect(nodeStatus(fresh, ...here(0), timing)).toBe('initializing');
    expect(nodeStatus(fresh, ...gone(50_000), timing)).toBe('down');
  });

  it('counts from its joining when it joined this master and has not come yet', () => {
    const joined = { initialized: false, joinedAt: HEARD };
    const [presence] = never(0);
    expect(nodeStatus(joined, presence, HEARD + 1, timing)).toBe('disconnected');
    expect(nodeStatus(joined, presence, HEARD + 40_000, timing)).toBe('down');
  });
});

it('a fleet of more than 5,000 is offered longer intervals: 500 heartbeats a second are the most', () => {
  expect(stretchedHeartbeat(10_000, 200)).toBe(10_000);
  expect(stretchedHeartbeat(10_000, 5000)).toBe(10_000);
  expect(stretchedHeartbeat(10_000, 10_000)).toBe(20_000);
});
