import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** What V8 writes with `--cpu-prof`, as far as it is read here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

export interface SelfTime {
  readonly name: string;
  readonly ms: number;
  /** Of the time in which it was not idle. */
  readonly share: number;
}

const IDLE = '(idle)';

/** By the time spent in the function itself, most first. `(idle)` is none. */
export function selfTimes(profile: CpuProfile): {
  readonly busyMs: number;
  readonly top: readonly SelfTime[];
} {
  const names = new Map(
    profile.nodes.map(({ id, callFrame: f }) => {
      const at = f.url === '' ? '' : ` ${basename(f.url)}:${f.lineNumber + 1}`;
      return [id, `${f.functionName === '' ? '(anonymous)' : f.functionName}${at}`];
    }),
  );
  const ms = new Map<string, number>();
  profile.samples.forEach((id, i) => {
    const name = names.get(id) ?? '(unknown)';
    if (name !== IDLE) ms.set(name, (ms.get(name) ?? 0) + (profile.timeDeltas[i] ?? 0) / 1000);
  });
  const busyMs = [...ms.values()].reduce((sum, x) => sum + x, 0);
  const top = [...ms].map(([name, t]) => ({ name, ms: t, share: busyMs === 0 ? 0 : t / busyMs }));
  return { busyMs, top: top.sort((a, b) => b.ms - a.ms) };
}

const SHOWN = 15;

/**
 * Of the profiles an engine left in `from`, the busiest (its primary and its control do next to nothing) is kept
 * as `to`; says where its time went.
 */
export async function keepBusiest(from: string, to: string): Promise<string> {
  const read = (await readdir(from))
    .filter((f) => f.endsWith('.cpuprofile'))
    .map(async (f) => {
      const profile = JSON.parse(await readFile(join(from, f), 'utf8')) as CpuProfile;
      return { file: join(from, f), ...selfTimes(profile) };
    });
  const [busiest] = (await Promise.all(read)).sort((a, b) => b.busyMs - a.busyMs);
  if (busiest === undefined) return `${basename(to)}: the engine left no profile`;
  await rename(busiest.file, to);
  await rm(from, { recursive: true, force: true });
  const lines = busiest.top
    .slice(0, SHOWN)
    .map(({ name, share }) => `  ${(share * 100).toFixed(1).padStart(5)} %  ${name}`);
  return [`${to}: ${(busiest.busyMs / 1000).toFixed(1)} s busy, of them in`, ...lines].join('\n');
}
