import { readdir, readFile, statfs } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import type { HostFigures } from '../../proto/vocab/metrics.ts';

/** Cumulative jiffies of all processors. */
interface CpuReading {
  readonly busy: number;
  readonly all: number;
}

/** Host figures from /proc. What cannot be read is `null`, never 0: a hardened unit hides some of it. */
export class HostMetrics {
  readonly #proc: string;
  readonly #disk: string;
  #last: CpuReading | null = null;

  constructor(settings: { readonly proc?: string; readonly disk: string }) {
    this.#proc = settings.proc ?? '/proc';
    this.#disk = settings.disk;
  }

  /** CPU is that between two calls: the first one has none. `pids`: whose open files are counted together. */
  async read(pids: readonly number[]): Promise<HostFigures> {
    const [cpuPct, memPct, openFiles, diskFreeBytes] = await Promise.all([
      orNull(this.#cpu()),
      orNull(this.#memory()),
      pids.length === 0 ? null : orNull(this.#openFiles(pids)),
      orNull(this.#diskFree()),
    ]);
    return { cpuPct, memPct, openFiles, diskFreeBytes };
  }

  async #cpu(): Promise<number | null> {
    const text = await readFile(`${this.#proc}/stat`, 'utf8');
    const line = /^cpu +(.*)$/m.exec(text)?.[1];
    // user nice system idle iowait irq softirq steal; guest is in user already.
    const n = (line ?? '').split(/ +/).slice(0, 8).map(Number);
    if (n.length < 5 || n.some((v) => !Number.isFinite(v))) return null;
    const all = n.reduce((a, b) => a + b, 0);
    const now: CpuReading = { all, busy: all - (n[3] ?? 0) - (n[4] ?? 0) };
    const before = this.#last;
    this.#last = now;
    if (!before || now.all <= before.all) return null;
    return clamp((100 * (now.busy - before.busy)) / (now.all - before.all));
  }

  async #memory(): Promise<number | null> {
    const text = await readFile(`${this.#proc}/meminfo`, 'utf8');
    const total = Number(/^MemTotal: +(\d+)/m.exec(text)?.[1]);
    const available = Number(/^MemAvailable: +(\d+)/m.exec(text)?.[1]);
    return total > 0 && available >= 0 ? clamp((100 * (total - available)) / total) : null;
  }

  async #openFiles(pids: readonly number[]): Promise<number> {
    const counts = pids.map(async (pid) => (await readdir(`${this.#proc}/${pid}/fd`)).length);
    return (await Promise.all(counts)).reduce((sum, n) => sum + n, 0);
  }

  async #diskFree(): Promise<number> {
    const s = await statfs(this.#disk);
    return s.bavail * s.bsize;
  }
}

/** Addresses others may reach this host by: not loopback, not link-local. */
export function publicAddresses(): readonly string[] {
  try {
    return Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter((a) => !a.internal && !a.address.startsWith('fe80:') && !a.address.startsWith('169.254.'))
      .map((a) => a.address)
      .slice(0, 16);
  } catch {
    // Without AF_NETLINK (a hardened unit) this throws.
    return [];
  }
}

async function orNull<T>(work: Promise<T>): Promise<T | null> {
  return work.catch(() => null);
}

function clamp(pct: number): number {
  return Math.max(0, Math.min(100, pct));
}
