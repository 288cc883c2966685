import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Effort } from './effort.ts';
import { measuresOf, warm } from './measures.ts';
import { type Ground, type Started, startOurs, startOursTwoHops } from './peers.ts';
import { keepBusiest } from './profile.ts';

/**
 * Our engine again, under V8's profiler, for requests and for streams: engines of their own, so that what was measured
 * before was not disturbed. A file a measure in `to`, of the worker that was busiest; what it says, in words.
 */
export async function profileOurs(ground: Ground, effort: Effort, to: string): Promise<string[]> {
  const all: string[] = [];
  const measures = measuresOf(effort).filter((m) => m.name.startsWith('sse ') || m.name.endsWith('rps'));
  for (const [hops, start] of [
    ['one-hop', (name: string, env: Record<string, string>) => startOurs(ground, { name, env })],
    [
      'two-hops',
      (name: string, env: Record<string, string>) => startOursTwoHops(ground, 'mtls', { name, env }),
    ],
  ] as const) {
    for (const measure of measures) {
      if (measure.tls && hops === 'two-hops') continue;
      const name = `${hops}-${measure.name.replaceAll(' ', '-')}`;
      const raw = join(to, `${name}.raw`);
      await mkdir(raw, { recursive: true });
      const started: Started = await start(name, {
        NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${raw} --cpu-prof-interval=500`,
      });
      try {
        await warm({ ...started, tlsPort: null }, ground.go, 1);
        await measure.run(started, ground.go);
      } finally {
        for (const p of started.processes) await p.stop();
      }
      all.push(await keepBusiest(raw, join(to, `${name}.cpuprofile`)));
    }
  }
  return all;
}
