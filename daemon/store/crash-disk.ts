import path from 'node:path';
import type { Disk, DiskFile } from './disk.ts';
import type { Processes } from './lock.ts';

// A disk in memory that behaves like a real one in a power cut: bytes not datasynced and names whose directory was not
// synced are gone. For the store's tests; slower machines lose more than this, never less.

interface Inode {
  volatile: Buffer;
  durable: Buffer;
}
type Names = Map<string, Inode>;

export type DiskOp = 'open' | 'write' | 'truncate' | 'datasync' | 'rename' | 'unlink' | 'syncDir';

export interface CrashDisk extends Disk {
  /** The disk as one process sees it: dead once the power was cut, so that no survivor of a crash can mend anything. */
  boot(): Disk;
  /**
   * Power is cut: open files and booted views die with EIO, what was not synced is gone.
   * @param torn how many bytes of each unsynced tail reached the platter after all
   */
  crash(torn?: number): void;
  /** The process is killed: open files and booted views die, all that was written stays (in the cache, if not synced). */
  kill(): void;
  /** Asked before every operation; an error thrown there is what the operation answers. Written bytes are then half in. */
  fault: ((op: DiskOp, file: string) => void) | null;
  /** How many datasyncs of files there were. */
  readonly datasyncs: () => number;
  /** Changes a file as it lies on the platter (rot). */
  edit(file: string, change: (bytes: Buffer) => Buffer): void;
  /** Paths of all files now, sorted. */
  files(): string[];
}

export function diskError(code: 'ENOSPC' | 'EIO' | 'ENOENT' | 'EEXIST', text = code as string): Error {
  return Object.assign(new Error(`${code}: ${text}`), { code });
}

export function createCrashDisk(): CrashDisk {
  let volatile: Names = new Map();
  let durable: Names = new Map();
  let life = 0;
  let syncs = 0;

  const find = (file: string): Inode => {
    const inode = volatile.get(file);
    if (!inode) throw diskError('ENOENT', `no such file, '${file}'`);
    return inode;
  };
  const ask = (op: DiskOp, file: string) => disk.fault?.(op, file);

  const handleOf = (file: string, inode: Inode): DiskFile => {
    const born = life;
    const alive = () => {
      if (born !== life) throw diskError('EIO', 'the power was cut');
    };
    return {
      async write(bytes) {
        alive();
        try {
          ask('write', file);
        } catch (e) {
          inode.volatile = Buffer.concat([inode.volatile, bytes.subarray(0, bytes.length >> 1)]);
          throw e;
        }
        inode.volatile = Buffer.concat([inode.volatile, bytes]);
      },
      async truncate(size) {
        alive();
        ask('truncate', file);
        inode.volatile = Buffer.from(inode.volatile.subarray(0, size));
      },
      async datasync() {
        alive();
        ask('datasync', file);
        const seen = inode.volatile;
        await new Promise((done) => setImmediate(done));
        alive();
        syncs++;
        inode.durable = seen;
      },
      async close() {},
    };
  };

  const boot = (): Disk => {
    const born = life;
    const live = <A extends unknown[], R>(work: (...args: A) => Promise<R>) => {
      return async (...args: A): Promise<R> => {
        if (born !== life) throw diskError('EIO', 'the power was cut');
        return work(...args);
      };
    };
    return {
      mkdir: live(disk.mkdir),
      readdir: live(disk.readdir),
      read: live(disk.read),
      open: live(disk.open),
      rename: live(disk.rename),
      unlink: live(disk.unlink),
      syncDir: live(disk.syncDir),
    };
  };

  const disk: CrashDisk = {
    boot,
    fault: null,
    datasyncs: () => syncs,
    async mkdir() {},
    async readdir(dir) {
      return [...volatile.keys()].filter((f) => path.dirname(f) === dir).map((f) => path.basename(f));
    },
    async read(file) {
      const inode = volatile.get(file);
      return inode ? Buffer.from(inode.volatile) : null;
    },
    async open(file, mode) {
      ask('open', file);
      let inode = volatile.get(file);
      if (inode && mode === 'exclusive') throw diskError('EEXIST', file);
      if (!inode) {
        inode = { volatile: Buffer.alloc(0), durable: Buffer.alloc(0) };
        volatile.set(file, inode);
      }
      if (mode === 'create') inode.volatile = Buffer.alloc(0);
      return handleOf(file, inode);
    },
    async rename(from, to) {
      ask('rename', from);
      const inode = find(from);
      volatile.delete(from);
      volatile.set(to, inode);
    },
    async unlink(file) {
      ask('unlink', file);
      volatile.delete(file);
    },
    async syncDir(dir) {
      ask('syncDir', dir);
      for (const f of durable.keys()) if (path.dirname(f) === dir) durable.delete(f);
      for (const [f, inode] of volatile) if (path.dirname(f) === dir) durable.set(f, inode);
    },
    kill() {
      life++;
    },
    crash(torn = 0) {
      life++;
      for (const inode of durable.values()) {
        const tail =
          inode.volatile.length > inode.durable.length
            ? inode.volatile.subarray(inode.durable.length, inode.durable.length + torn)
            : Buffer.alloc(0);
        inode.durable = Buffer.concat([inode.durable, tail]);
        inode.volatile = inode.durable;
      }
      volatile = new Map(durable);
      durable = new Map(volatile);
    },
    edit(file, change) {
      const inode = find(file);
      inode.volatile = change(Buffer.from(inode.volatile));
      inode.durable = inode.volatile;
    },
    files: () => [...volatile.keys()].sort(),
  };
  return disk;
}

/** A process that finds every holder of a lock dead: what a restart after a power cut sees. */
export const afterPowerCut: Processes = {
  self: 1,
  startOf: async () => null,
};
