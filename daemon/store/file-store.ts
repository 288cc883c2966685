import path from 'node:path';
import { Low } from 'lowdb';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Log, Random, Store } from '../service/ports.ts';
import { JournalAdapter, reasonOf, refused } from './adapter.ts';
import { Blobs } from './blobs.ts';
import { createDisk, type Disk } from './disk.ts';
import { type Identity, readIdentity, writeIdentity } from './identity.ts';
import { type Processes, systemProcesses, takeLock } from './lock.ts';
import { type Migrations, migrate } from './migrate.ts';
import { checkNext } from './next.ts';
import { type Places, placesIn } from './recover.ts';
import { State } from './state.ts';

/** The form of what is on disk. A newer release migrates an older one, an older release refuses a newer one. */
export const SCHEMA = 3;
const MIGRATIONS: Migrations = new Map([
  // 2 has rollouts. A release that knows none would give a version that is being tried to everybody.
  [1, (put) => put],
  // 3 has a journal that holds what a commit changes of an entity. A snapshot is as it was.
  [2, (put) => put],
]);

export interface FileStoreSettings {
  /** Absolute; made 0700 when missing. */
  readonly dir: string;
  /** A journal segment ends after so many bytes: 64 MB. */
  readonly rotateBytes?: number;
  /** A snapshot after so many commits (20,000) or journal bytes (32 MB), and on close. */
  readonly snapshotCommits?: number;
  readonly snapshotBytes?: number;
  /** A disk that refused is tried again after so long: 1 s. */
  readonly retryMs?: number;
  /** `SCHEMA`, but for tests of migrations to come. */
  readonly schema?: number;
}

export interface FileStoreNeeds {
  /** Makes the store's id. */
  readonly random: Pick<Random, 'hex'>;
  readonly log?: Log;
  readonly disk?: Disk;
  readonly processes?: Processes;
  readonly migrations?: Migrations;
}

/**
 * Opens the store of one master, recovering what a crash left; what recovery did is in `recovery`.
 * @throws AppError `conflict` when another process has it, `precondition` when it cannot start without losing commits
 */
export async function openFileStore(settings: FileStoreSettings, needs: FileStoreNeeds): Promise<Store> {
  const disk = needs.disk ?? createDisk();
  const places = placesIn(settings.dir);
  await makePlaces(places, disk);
  const unlock = await takeLock(places.dir, { disk, processes: needs.processes ?? systemProcesses });
  try {
    return await openLocked(
      settings,
      { ...needs, log: needs.log ?? SILENT, disk, migrations: needs.migrations ?? MIGRATIONS },
      places,
      unlock,
    );
  } catch (e) {
    await unlock();
    throw e instanceof AppError ? e : cannotOpen(places, e);
  }
}

function cannotOpen({ dir }: Places, cause: unknown): AppError {
  const text = `the store ${dir} cannot be opened: ${reasonOf(cause)}. This user needs a directory of its own on a sound disk: see database.uri.`;
  return new AppError('precondition', text, { cause });
}

async function makePlaces(places: Places, disk: Disk): Promise<void> {
  try {
    for (const dir of [places.dir, places.journal, places.snapshots, places.blobs]) await disk.mkdir(dir);
    await disk.syncDir(path.dirname(places.dir));
    await disk.syncDir(places.dir);
  } catch (cause) {
    throw cannotOpen(places, cause);
  }
}

async function openLocked(
  settings: FileStoreSettings,
  { random, log, disk, migrations }: Required<Omit<FileStoreNeeds, 'processes'>>,
  places: Places,
  unlock: () => Promise<void>,
): Promise<Store> {
  const schema = settings.schema ?? SCHEMA;
  let identity = await readIdentity(places, disk, schema);
  // With commits lost, a console that knows this store must start anew: the store gets another id.
  const rename = async (): Promise<Identity> => {
    identity = { schema: identity?.schema ?? schema, storeId: random.hex(16), migratingFrom: null };
    await writeIdentity(places, disk, identity);
    return identity;
  };
  await removeUnfinished(places, disk);
  const migrated = identity
    ? await migrate(places, { disk, migrations, onLoss: rename }, identity, schema)
    : [];
  identity &&= { ...identity, schema, migratingFrom: null };
  const adapter = new JournalAdapter(
    {
      places,
      schema,
      rotateBytes: settings.rotateBytes ?? 64 << 20,
      snapshotCommits: settings.snapshotCommits ?? 20_000,
      snapshotBytes: settings.snapshotBytes ?? 32 << 20,
      retryMs: settings.retryMs ?? 1000,
    },
    {
      disk,
      log,
      onRollback: (durable) => {
        db.data = durable;
      },
    },
  );
  const db = new Low<State>(adapter, State.empty());
  const recovered = await adapter.recover(async () => void (await rename()));
  await db.read();
  const { storeId: id } = identity ?? (await rename());
  adapter.named(id);
  const recovery = [...migrated, ...recovered.report];
  for (const sentence of recovery) log.warn('recovery', { found: sentence });

  const blobs = new Blobs({ dir: places.blobs }, { disk });
  let closed = false;
  const close = async () => {
    try {
      await adapter.close();
    } finally {
      await unlock();
    }
  };
  let closing: Promise<void> | null = null;
  return {
    id,
    recovery,
    snapshot: () => db.data,
    degraded: () => adapter.broken,
    async commit(commit) {
      if (closed) throw refused('it is closed');
      if (adapter.broken !== null) throw refused(adapter.broken);
      checkNext(db.data, commit);
      db.data = db.data.apply(commit);
      await db.write();
    },
    async putBlob(bytes) {
      if (closed) throw refused('it is closed');
      try {
        return await blobs.put(bytes);
      } catch (e) {
        throw refused(reasonOf(e), e);
      }
    },
    getBlob: (hash) => blobs.get(hash),
    close() {
      closed = true;
      closing ??= close();
      return closing;
    },
  };
}

/** What a crash left half written was never named by anything. */
async function removeUnfinished(places: Places, disk: Disk): Promise<void> {
  for (const dir of [places.dir, places.journal, places.snapshots, places.blobs]) {
    for (const name of await disk.readdir(dir)) {
      if (name.endsWith('.tmp')) await disk.unlink(path.join(dir, name));
    }
  }
}

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };
