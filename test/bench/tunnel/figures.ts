import { readdir, readFile } from 'node:fs/promises';

/** Linux counts processor time in these, whatever the kernel's own tick is (`getconf CLK_TCK`). */
const TICKS_A_SECOND = 100;

export interface Figures {
  readonly cpuSeconds: number;
  readonly rssKib: number;
}

/** What these processes and their children have used, and hold, now. */
export async function figuresOf(pids: readonly number[]): Promise<Figures> {
  let [cpuSeconds, rssKib] = [0, 0];
  for (const pid of await childrenOf(pids)) {
    // The name in brackets may hold spaces; the fields behind it are counted from there.
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    cpuSeconds += (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    rssKib += Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  }
  return { cpuSeconds, rssKib };
}

/** Kibibytes that can be had without swapping. */
export async function memoryFree(): Promise<number> {
  return Number(/^MemAvailable:\s+(\d+) kB/m.exec(await readFile('/proc/meminfo', 'utf8'))?.[1] ?? 0);
}

/** These and theirs. */
export async function childrenOf(pids: readonly number[]): Promise<number[]> {
  const all: number[] = [];
  for (const pid of pids) {
    all.push(pid);
    for (const task of await readdir(`/proc/${pid}/task`)) {
      const children = await readFile(`/proc/${pid}/task/${task}/children`, 'utf8');
      const ids = children.trim().split(' ').filter(Boolean).map(Number);
      all.push(...(await childrenOf(ids)));
    }
  }
  return all;
}

/** Descriptors one process may hold: Node and Go take the hard limit for themselves. */
export async function descriptorLimit(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8');
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? '1024';
  return hard === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(hard);
}
