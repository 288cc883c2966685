import { expect, test } from 'vitest';
import { RegionSeries as Wire } from '../gen/aicdn/v1/console.ts';
import type { RegionSeries } from '../vocab/metrics.ts';
import { decodeSeries, encodeSeries } from './codec-series.ts';

test.each<RegionSeries>([
  { place: { region: 'hk', nodeType: 'edge' }, ttft95Ms: [null, 0, 709.5, null] },
  { place: { region: null, nodeType: 'core' }, ttft95Ms: [] },
])('what was arrives, gaps as gaps: %j', (s) => {
  expect(decodeSeries(Wire.decode(Wire.encode(encodeSeries(s)).finish()))).toEqual(s);
});

test('a type that there is not is refused by its name', () => {
  const wire = { place: { region: 'hk', nodeType: 'moon' }, ttft95Ms: [] };
  expect(() => decodeSeries(wire)).toThrow(/place\.node_type/);
});
