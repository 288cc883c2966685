import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

interface Line {
  readonly at: number;
  readonly cpuMs: number;
  readonly rss: number;
  readonly late: number;
}

export interface Cost {
  readonly cpuMs: number;
  readonly seconds: number;
  readonly rssMb: number;
  /** Longest that the loop was not there, ms; and of the quarters of a second the 99th percentile of that. */
  readonly lateMaxMs: number;
  readonly lateP99Ms: number;
}

/** Arguments for the runtime, so that a program writes down what it costs. @param profile where profiles go that SIGUSR2 makes */
export function gauged(file: string, profile?: string): readonly string[] {
  const url = pathToFileURL(path.join(import.meta.dirname, 'gauge.mjs'));
  url.searchParams.set('file', file);
  if (profile !== undefined) url.searchParams.set('profile', profile);
  return ['--import', url.href];
}

/** What a gauged program has cost so far, between two moments (epoch ms). */
export function costOf(file: string, from: number, to: number): Cost {
  const all = readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((l) => JSON.parse(l) as Line);
  // The last reading before it began; of a program that began within the span, nothing.
  const before = all.findLast((l) => l.at <= from) ?? { at: from, cpuMs: 0, rss: 0, late: 0 };
  const within = all.filter((l) => l.at > from && l.at <= to);
  const last = within.at(-1) ?? before;
  const lates = within.map((l) => l.late).toSorted((a, b) => a - b);
  return {
    cpuMs: last.cpuMs - before.cpuMs,
    seconds: (last.at - before.at) / 1000,
    rssMb: Math.max(0, ...within.map((l) => l.rss)) / 1e6,
    lateMaxMs: lates.at(-1) ?? Number.NaN,
    lateP99Ms: lates[Math.min(lates.length - 1, Math.floor(lates.length * 0.99))] ?? Number.NaN,
  };
}
