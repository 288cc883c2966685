import { expect, it } from 'vitest';
import { busySlice, reportOf, seeded } from '../../../test/fakes/traffic.ts';
import { CellWriter } from './cell.ts';
import { Gather } from './gather.ts';
import { NodeRing } from './node-ring.ts';

const BEGAN = Date.UTC(2026, 10, 24, 3, 0, 0);
/** What V8 spends on a text beside its bytes, and on the place it stands in; texts lie at multiples of 8. */
const TEXT = 16 + 8;
/** The ring itself, its figures as they were read last, its names: 400 nodes beside 200 in one process. */
const OBJECTS = 2_000;

it.each([
  [1, 60],
  [3, 50],
  [5, 50],
])(
  'a busy node of %i services costs at most 20 KB, with %i minutes of histograms behind it',
  (services, fewest) => {
    const random = seeded(7);
    const names = ['chat', 'embeddings', 'images', 'audio', 'batch'].slice(0, services);
    const reports = Array.from({ length: 20 }, () => reportOf(names.map((n) => busySlice(n, random))));
    const tools = { writer: new CellWriter(), gather: new Gather() };
    const ring = new NodeRing();
    for (let i = 0; i < 6 * 75; i++) {
      ring.take(reports[i % 20] as (typeof reports)[0], BEGAN + i * 10_000, tools);
      const { recent, minutes, since, totals, day } = ring.keep();
      // Of the minute that goes on they are the same texts as in `recent`, until those are made coarse.
      const all = new Set([...recent, ...minutes, ...since, totals]);
      const texts = [...all].reduce((n, t) => n + Math.ceil(t.length / 8) * 8 + TEXT, 0);
      expect(texts + (day?.byteLength ?? 0) + OBJECTS).toBeLessThan(20 * 1024);
    }
    // And the one that goes on.
    expect(ring.keep().minutes.length + 1).toBeGreaterThanOrEqual(fewest);
  },
);
