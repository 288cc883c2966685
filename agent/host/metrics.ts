import { readdir, readFile, statfs } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import type { HostFigures } from '../../proto/vocab/metrics.ts';

/** Cumulative jiffies of all processors. */
interface CpuReading {
  readonly busy: number;
  readonly all: number;
}

/** Bytes since the host began, or between two readings. */
export interface Traffic {
  readonly in: number;
  readonly out: number;
}

/** What passes these has passed another interface as well, or never left the host. */
const COUNTED_TWICE = /^(?:lo|veth.*|docker\d*|br-.*|virbr.*|cni.*|tap.*|ifb.*|dummy.*)$/;

/** Host figures from /proc. What cannot be read is `null`, never 0: a hardened unit hides some of it. */
export class HostMetrics {
  readonly #proc: string;
  readonly #diskPath: string;
  #last: CpuReading | null = null;
  #traffic: Traffic | null = null;

  constructor(settings: { readonly proc?: string; readonly disk: string }) {
    this.#proc = settings.proc ?? '/proc';
    this.#diskPath = settings.disk;
  }

  /** CPU and network are those between two calls: the first one has none. `pids`: whose open files are counted together. */
  async read(pids: readonly number[]): Promise<HostFigures> {
    const some = pids.length > 0;
    const [cpuPct, memPct, openFiles, openFilesLimit, disk, traffic] = await Promise.all([
      orNull(this.#cpu()),
      orNull(this.#memory()),
      some ? orNull(this.#openFiles(pids)) : null,
      some ? orNull(this.#openFilesLimit(pids)) : null,
      orNull(statfs(this.#diskPath)),
      orNull(this.#network()),
    ]);
    return {
      cpuPct,
      memPct,
      openFiles,
      openFilesLimit,
      diskFreeBytes: disk && disk.bavail * disk.bsize,
      diskBytes: disk && disk.blocks * disk.bsize,
      netInBytes: traffic?.in ?? null,
      netOutBytes: traffic?.out ?? null,
    };
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

  /** The soft limits, added up. @throws where one has none */
  async #openFilesLimit(pids: readonly number[]): Promise<number> {
    const limits = pids.map(async (pid) => {
      const text = await readFile(`${this.#proc}/${pid}/limits`, 'utf8');
      const soft = Number(/^Max open files +(\d+)/m.exec(text)?.[1]);
      if (!Number.isFinite(soft)) throw new Error(`${pid} has no limit`);
      return soft;
    });
    return (await Promise.all(limits)).reduce((sum, n) => sum + n, 0);
  }

  /** Bytes since the host began, of what its interfaces count; `null` where they cannot be read as such. */
  async traffic(): Promise<Traffic | null> {
    const text = await readFile(`${this.#proc}/net/dev`, 'utf8');
    const now = { in: 0, out: 0 };
    for (const [, name = '', numbers = ''] of text.matchAll(/^ *([^:\s]+): *(.*)$/gm)) {
      if (COUNTED_TWICE.test(name)) continue;
      const n = numbers.split(/ +/).map(Number);
      now.in += n[0] ?? Number.NaN;
      now.out += n[8] ?? Number.NaN;
    }
    return Number.isFinite(now.in + now.out) ? now : null;
  }

  async #network(): Promise<Traffic | null> {
    const now = await this.traffic();
    if (!now) return null;
    const before = this.#traffic;
    this.#traffic = now;
    // An interface that went took its counters with it.
    if (!before || now.in < before.in || now.out < before.out) return null;
    return { in: now.in - before.in, out: now.out - before.out };
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
