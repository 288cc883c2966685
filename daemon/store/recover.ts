import path from 'node:path';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Revision } from '../../proto/vocab/ids.ts';
import { type Disk, writeDurably } from './disk.ts';
import { revisionFile, revisionsIn, type Tail } from './journal.ts';
import { decodeLine, isCommit, linesOf, type WrittenCommit } from './record.ts';
import { readSnapshot } from './snapshot.ts';
import { State } from './state.ts';

export interface Places {
  readonly dir: string;
  readonly journal: string;
  readonly snapshots: string;
  readonly quarantine: string;
  readonly blobs: string;
}

/**
 * Whole records are about to be cut: revisions that consoles have seen may come again with other content. Comes before
 * the cut, for a start that is killed in between finds nothing to cut the next time.
 */
export type OnLoss = () => Promise<void>;

export function placesIn(dir: string): Places {
  const at = (name: string) => path.join(dir, name);
  return {
    dir,
    journal: at('journal'),
    snapshots: at('snapshot'),
    quarantine: at('quarantine'),
    blobs: at('blobs'),
  };
}

export interface Recovered {
  readonly state: State;
  /** Where the journal goes on; `null`: with a new segment. */
  readonly tail: Tail | null;
  /** What was found and done, a sentence each. */
  readonly report: readonly string[];
  /** Commits read from the journal. */
  readonly replayed: number;
}

/**
 * Newest sound snapshot + journal. The journal is cut at the first bad record of its last segment.
 * @throws AppError `precondition` when going on would lose commits silently; nothing has been changed then.
 */
export async function recover(
  places: Places,
  { disk, onLoss }: { readonly disk: Disk; readonly onLoss: OnLoss },
  schema: number,
): Promise<Recovered> {
  const found = await newestSnapshot(places, disk, schema);
  const segments = revisionsIn(await disk.readdir(places.journal));
  // The last segment that begins at or before what the snapshot lacks.
  const from = segments.findLastIndex((first) => first <= found.state.revision + 1);
  if (from < 0 && (segments.length > 0 || found.bad.length > 0)) {
    throw refusal(
      places,
      `${found.bad.length > 0 ? `no snapshot is sound (${found.bad.map((b) => `${revisionFile(b.rev)}: ${b.why}`).join('; ')}) and ` : ''}the journal ${
        segments.length > 0
          ? `begins at revision ${segments[0]}, ${found.state.revision + 1} is missing`
          : 'is gone'
      }`,
    );
  }
  const read = await readSegments(places, disk, segments.slice(Math.max(from, 0)), found.state.revision);
  const state = found.state.replay(read.commits);
  // A journal that ends before the snapshot does cannot be gone on with: the next record would not follow its last.
  const tail = read.end === state.revision ? read.tail : null;

  const report: string[] = [];
  for (const { rev, why } of found.bad) {
    const name = revisionFile(rev);
    await makeQuarantine(places, disk);
    await disk.rename(path.join(places.snapshots, name), path.join(places.quarantine, `snapshot-${name}`));
    await disk.syncDir(places.quarantine);
    await disk.syncDir(places.snapshots);
    report.push(
      `snapshot/${name} was not sound (${why}); the state was rebuilt without it up to revision ${state.revision}, the file is in quarantine/`,
    );
  }
  if (read.cut && read.cut.lines > 0) await onLoss();
  if (read.cut) report.push(await cutOff(places, disk, read.cut, state.revision));
  await settle(places, disk, read.tail);
  return { state, tail, report, replayed: read.commits.length };
}

interface Bad {
  readonly rev: Revision;
  readonly why: string;
}

async function newestSnapshot(
  places: Places,
  disk: Disk,
  schema: number,
): Promise<{ state: State; bad: readonly Bad[] }> {
  const bad: Bad[] = [];
  for (const rev of revisionsIn(await disk.readdir(places.snapshots)).reverse()) {
    const read = await readSnapshot(places.snapshots, rev, disk);
    if (read.ok && read.schema > schema) {
      throw refusal(
        places,
        `a newer release wrote it (schema ${read.schema}, this one knows ${schema}): install that release again`,
      );
    }
    if (read.ok) return { state: read.state, bad };
    bad.push({ rev, why: read.why });
  }
  return { state: State.empty(), bad };
}

interface Cut {
  readonly first: Revision;
  readonly at: number;
  readonly rest: Uint8Array;
  /** Whole lines in the rest: a torn last write has none. */
  readonly lines: number;
}

async function readSegments(
  places: Places,
  disk: Disk,
  segments: readonly Revision[],
  known: Revision,
): Promise<{ commits: WrittenCommit[]; tail: Tail | null; end: Revision; cut: Cut | null }> {
  const commits: WrittenCommit[] = [];
  let expected = segments[0] ?? known + 1;
  let tail: Tail | null = null;
  for (const [i, first] of segments.entries()) {
    const last = i === segments.length - 1;
    if (first !== expected) {
      throw refusal(
        places,
        `journal/${revisionFile(first)} does not go on where the one before it ends (${expected})`,
      );
    }
    const bytes = (await disk.read(path.join(places.journal, revisionFile(first)))) ?? new Uint8Array();
    for (const { at, line, whole } of linesOf(bytes)) {
      const value = whole ? decodeLine(line) : undefined;
      if (value !== undefined && !isCommit(value)) {
        throw refusal(
          places,
          `journal/${revisionFile(first)} holds a record at byte ${at} that this release cannot read, though it is sound: a newer release wrote it`,
        );
      }
      if (value?.rev !== expected) {
        if (!last) {
          throw refusal(
            places,
            `journal/${revisionFile(first)} is damaged at byte ${at} (revision ${expected}), and newer segments follow`,
          );
        }
        const rest = bytes.subarray(at);
        const lines = [...linesOf(rest)].filter((l) => l.whole).length;
        return {
          commits,
          tail: at > 0 ? { first, bytes: at } : null,
          end: expected - 1,
          cut: { first, at, rest, lines },
        };
      }
      if (value.rev > known) commits.push(value);
      expected++;
    }
    tail = { first, bytes: bytes.length };
  }
  return { commits, tail, end: expected - 1, cut: null };
}

/** The rest is in quarantine, durably, before the segment loses it. */
async function cutOff(places: Places, disk: Disk, cut: Cut, revision: Revision): Promise<string> {
  const name = revisionFile(cut.first);
  const kept = `journal-${name}.${cut.at}`;
  await makeQuarantine(places, disk);
  await writeDurably(disk, path.join(places.quarantine, kept), [cut.rest]);
  const file = path.join(places.journal, name);
  if (cut.at === 0) {
    await disk.unlink(file);
    await disk.syncDir(places.journal);
  } else {
    const handle = await disk.open(file, 'append');
    try {
      await handle.truncate(cut.at);
      await handle.datasync();
    } finally {
      await handle.close();
    }
  }
  const what =
    cut.lines === 0
      ? 'an unfinished record, never acknowledged'
      : `a damaged record and ${cut.lines - 1} after it, which may have been acknowledged`;
  return `journal/${name} was cut at byte ${cut.at} after revision ${revision}: ${what}; ${cut.rest.length} bytes are in quarantine/${kept}`;
}

/**
 * What was read may be in the page cache only: the process before this one was killed between a write and its sync.
 * From here on it is shown and built upon, so it is made durable first, names and bytes.
 */
async function settle(places: Places, disk: Disk, tail: Tail | null): Promise<void> {
  if (tail) {
    const handle = await disk.open(path.join(places.journal, revisionFile(tail.first)), 'append');
    try {
      await handle.datasync();
    } finally {
      await handle.close();
    }
  }
  await disk.syncDir(places.journal);
  await disk.syncDir(places.snapshots);
}

async function makeQuarantine(places: Places, disk: Disk): Promise<void> {
  await disk.mkdir(places.quarantine);
  await disk.syncDir(places.dir);
}

function refusal(places: Places, why: string): AppError {
  return new AppError(
    'precondition',
    `the store ${places.dir} does not start: ${why}. Nothing was changed. Restore the directory from a backup, or move it away to begin anew.`,
  );
}
