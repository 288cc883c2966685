import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Disk } from './disk.ts';

/** A process by pid and start time: pids come round again. */
export interface ProcessRef {
  readonly pid: number;
  readonly started: string;
}

export interface Processes {
  readonly self: number;
  /** An opaque start time; `null`: no such process. Where it cannot be read, a live pid is `?`. */
  startOf(pid: number): Promise<string | null>;
}

export const systemProcesses: Processes = {
  self: process.pid,
  async startOf(pid) {
    try {
      // Field 22; the name in field 2 may hold spaces and parentheses.
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
      const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
      // Ticks since the boot, which come round again with the next one.
      const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
      return ticks ? `${boot.trim()}:${ticks}` : '?';
    } catch {
      try {
        process.kill(pid, 0);
        return '?';
      } catch (e) {
        return (e as NodeJS.ErrnoException).code === 'EPERM' ? '?' : null;
      }
    }
  },
};

/**
 * One process a store. The lock of a dead process is taken over; two that try at once are told apart by a second
 * exclusive file, held for a moment only.
 * @returns its release
 * @throws AppError `conflict`, naming who holds it
 */
export async function takeLock(
  dir: string,
  { disk, processes }: { readonly disk: Disk; readonly processes: Processes },
): Promise<() => Promise<void>> {
  const file = path.join(dir, 'LOCK');
  const self: ProcessRef = {
    pid: processes.self,
    started: (await processes.startOf(processes.self)) ?? '?',
  };
  if (!(await createExclusive(disk, file, self))) await takeOver(file, self, { disk, processes });
  return () => disk.unlink(file);
}

async function takeOver(
  file: string,
  self: ProcessRef,
  { disk, processes }: { readonly disk: Disk; readonly processes: Processes },
): Promise<void> {
  const takeover = `${file}.takeover`;
  /** Its holder may have been killed in that moment. */
  const retakeTakeover = async () => {
    const holder = await readRef(takeover, disk);
    if (holder && (await isAlive(holder, processes))) return false;
    await disk.unlink(takeover);
    return createExclusive(disk, takeover, self);
  };
  if (!(await createExclusive(disk, takeover, self)) && !(await retakeTakeover())) {
    throw new AppError(
      'conflict',
      `another process is taking the store over at this moment; if none is running, remove ${takeover}`,
    );
  }
  try {
    const holder = await readRef(file, disk);
    if (holder && (await isAlive(holder, processes))) {
      throw new AppError(
        'conflict',
        `the store ${path.dirname(file)} is in use by process ${holder.pid}: stop that master first, or give this one another state_dir`,
      );
    }
    await disk.unlink(file);
    if (!(await createExclusive(disk, file, self))) {
      throw new AppError('conflict', `another process took the store ${path.dirname(file)} first`);
    }
  } finally {
    await disk.unlink(takeover);
  }
}

async function isAlive(ref: ProcessRef, processes: Processes): Promise<boolean> {
  const started = await processes.startOf(ref.pid);
  return started !== null && (started === '?' || ref.started === '?' || started === ref.started);
}

async function createExclusive(disk: Disk, file: string, self: ProcessRef): Promise<boolean> {
  let handle: Awaited<ReturnType<Disk['open']>>;
  try {
    handle = await disk.open(file, 'exclusive');
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw e;
  }
  try {
    await handle.write(Buffer.from(`${JSON.stringify(self)}\n`));
    await handle.datasync();
  } finally {
    await handle.close();
  }
  return true;
}

/** `null`: torn by a crash in the moment of writing. A writer that is alive gets a moment to finish. */
async function readRef(file: string, disk: Disk): Promise<ProcessRef | null> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const ref = parseRef(await disk.read(file));
    if (ref) return ref;
    await new Promise((done) => setTimeout(done, 20));
  }
  return null;
}

function parseRef(bytes: Uint8Array | null): ProcessRef | null {
  try {
    const v = JSON.parse(Buffer.from(bytes ?? []).toString()) as Partial<ProcessRef>;
    return typeof v.pid === 'number' && typeof v.started === 'string'
      ? { pid: v.pid, started: v.started }
      : null;
  } catch {
    return null;
  }
}
