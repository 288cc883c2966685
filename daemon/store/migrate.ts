import path from 'node:path';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Op } from '../service/ports.ts';
import type { Disk } from './disk.ts';
import { type Identity, writeIdentity } from './identity.ts';
import { type Places, recover } from './recover.ts';
import { writeSnapshot } from './snapshot.ts';
import { State } from './state.ts';

/** By the schema it leads away from: how one entity of it is put in the next schema. */
export type Migrations = ReadonlyMap<number, (put: Op) => Op>;

/**
 * An older store becomes one of this schema, the old files stay in `schema-<n>/`. The new state is staged whole first;
 * from the moment store.json says so, older releases refuse and a restart finishes what is left.
 * @returns what was done, a sentence each
 */
export async function migrate(
  places: Places,
  {
    disk,
    migrations,
    onLoss,
  }: { readonly disk: Disk; readonly migrations: Migrations; readonly onLoss: () => Promise<Identity> },
  found: Identity,
  to: number,
): Promise<readonly string[]> {
  const staged = path.join(places.dir, 'migrated');
  const report: string[] = [];
  let identity = found;
  let from = identity.migratingFrom;
  if (from === null) {
    if (identity.schema === to) return [];
    from = identity.schema;
    const old = await recover(
      places,
      {
        disk,
        onLoss: async () => {
          identity = await onLoss();
        },
      },
      from,
    );
    report.push(...old.report);
    const ops = [...old.state.puts()].map((put) => upgrade(put, from ?? to, to, migrations));
    const state = State.empty().replay([{ rev: old.state.revision, ops }]);
    await disk.mkdir(staged);
    // Of an attempt that was given up.
    for (const name of await disk.readdir(staged)) await disk.unlink(path.join(staged, name));
    await disk.syncDir(places.dir);
    await writeSnapshot({ dir: staged, header: { schema: to, storeId: identity.storeId } }, { disk }, state);
    await writeIdentity(places, disk, { ...identity, schema: to, migratingFrom: from });
  }
  const kept = path.join(places.dir, `schema-${from}`);
  // What is staged goes in only after all that is old is out: the two never stand beside each other.
  await moveAll(disk, places.journal, path.join(kept, 'journal'));
  if ((await disk.readdir(staged)).length > 0) {
    await moveAll(disk, places.snapshots, path.join(kept, 'snapshot'));
    await moveAll(disk, staged, places.snapshots);
  }
  await writeIdentity(places, disk, { ...identity, schema: to, migratingFrom: null });
  return [
    ...report,
    `the store was brought from schema ${from} to ${to}; the old files are in schema-${from}/`,
  ];
}

function upgrade(put: Op, from: number, to: number, migrations: Migrations): Op {
  let out = put;
  for (let schema = from; schema < to; schema++) {
    const step = migrations.get(schema);
    if (!step) throw new AppError('precondition', `this release cannot migrate a store of schema ${schema}`);
    out = step(out);
  }
  return out;
}

async function moveAll(disk: Disk, from: string, to: string): Promise<void> {
  await disk.mkdir(to);
  await disk.syncDir(path.dirname(to));
  await disk.syncDir(path.dirname(path.dirname(to)));
  for (const name of await disk.readdir(from)) await disk.rename(path.join(from, name), path.join(to, name));
  await disk.syncDir(to);
  await disk.syncDir(from);
}
