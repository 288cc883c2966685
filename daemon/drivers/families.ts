import type { Metric, Registry } from 'prom-client';
import type { Family } from '../../proto/vocab/exposition.ts';

/**
 * Families that come ready, in a registry. A histogram of prom-client's own can only observe; these hold buckets that
 * were merged elsewhere. It asks no more of a metric than this.
 */
export function registerFamilies(register: Registry, families: readonly Family[]): void {
  for (const { name, help, type, samples } of families) {
    const values = samples.map((s) => ({
      metricName: `${name}${s.suffix ?? ''}`,
      labels: s.labels,
      value: s.value,
    }));
    const metric = { name, help, type, get: async () => ({ name, help, type, values, aggregator: 'sum' }) };
    register.registerMetric(metric as unknown as Metric<string>);
  }
}
