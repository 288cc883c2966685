import { describe, expect, test } from 'vitest';
import { Histogram } from '../../proto/vocab/metrics.ts';
import { Chance } from './chance.ts';
import { planned, REGIONS } from './plan.ts';
import { type Effect, Traffic } from './traffic.ts';

const NOON_UTC = Date.UTC(2026, 0, 5, 12);
const PLAN = { flap: 0, offline: 0, bad: 0, cores: 0.04, prefix: '', seed: 7 };

/** An hour of many nodes of one region, together. */
function hour(region: string, effect: Effect = {}, at = NOON_UTC, bad = 0) {
  const nodes = planned({ ...PLAN, nodes: 2000, bad }).filter((n) => n.region === region);
  const ttft = new Histogram();
  const gap = new Histogram();
  let [requests, errors, streams] = [0, 0, 0];
  for (const node of nodes.slice(0, 60)) {
    const traffic = new Traffic(node, new Chance(node.index + 1));
    for (let i = 0; i < 60; i++) {
      const now = at + i * 60_000;
      const { services } = traffic.report({ instance: 'x', from: now - 60_000, now, effect });
      for (const s of services) {
        ttft.merge(s.ttft);
        gap.merge(s.gap);
        requests += s.requests;
        errors += s.errors;
        streams += s.streams;
      }
    }
  }
  return { ttft, gap, requests, errors, streams };
}

describe('what a simulated node reports', () => {
  test.each(REGIONS.map((r) => [r.name, r] as const))('%s: log-normal about its median', (name, region) => {
    const { ttft, gap } = hour(name);
    const ratio = (ttft.quantile(0.5) ?? 0) / region.ttftMs;
    expect(ratio).toBeGreaterThan(0.9);
    expect(ratio).toBeLessThan(1.1);
    // exp(0.55 × 1.645) = 2.47
    const tail = (ttft.quantile(0.95) ?? 0) / (ttft.quantile(0.5) ?? 1);
    expect(tail).toBeGreaterThan(2.2);
    expect(tail).toBeLessThan(2.8);
    expect((gap.quantile(0.5) ?? 0) / region.gapMs).toBeLessThan(1.1);
  });

  test('a region is busier in its afternoon than in its night', () => {
    // 8 hours ahead of UTC.
    const afternoon = hour('hk', {}, Date.UTC(2026, 0, 5, 8));
    const night = hour('hk', {}, Date.UTC(2026, 0, 5, 20));
    expect(afternoon.requests / night.requests).toBeGreaterThan(2);
    expect(afternoon.streams / night.streams).toBeGreaterThan(2);
  });

  test('a version may slow streams down and make them fail, a bad node does', () => {
    const plain = hour('sg');
    const slower = hour('sg', { ttft: 1.3, errorPct: 5 });
    const factor = (slower.ttft.quantile(0.5) ?? 0) / (plain.ttft.quantile(0.5) ?? 1);
    expect(factor).toBeGreaterThan(1.25);
    expect(factor).toBeLessThan(1.35);
    expect(slower.errors / (slower.requests + slower.errors)).toBeGreaterThan(0.04);
    expect(plain.errors / (plain.requests + plain.errors)).toBeLessThan(0.01);
    const bad = hour('sg', {}, NOON_UTC, 1);
    expect((bad.ttft.quantile(0.5) ?? 0) / (plain.ttft.quantile(0.5) ?? 1)).toBeGreaterThan(2.5);
  });
});

describe('a plan', () => {
  test('is the same for the same seed, has the shares that were asked for, and names that differ', () => {
    const s = { ...PLAN, nodes: 5000, flap: 0.02, offline: 0.1 };
    const plan = planned(s);
    expect(planned(s)).toEqual(plan);
    expect(planned({ ...s, seed: 8 })).not.toEqual(plan);
    expect(new Set(plan.map((n) => n.name)).size).toBe(5000);
    const share = (what: 'flaps' | 'offline'): number => plan.filter((n) => n[what]).length / 5000;
    expect(share('offline')).toBeCloseTo(0.1, 1);
    expect(share('flaps')).toBeCloseTo(0.02, 1);
    expect(plan.filter((n) => n.flaps && n.offline)).toEqual([]);
    expect(plan.filter((n) => n.nodeType === 'core').length).toBe(200);
    for (const r of REGIONS) expect(plan.filter((n) => n.region === r.name).length).toBe(5000 * r.share);
  });
});
