import path from 'node:path';
import { AppError } from '../../proto/vocab/errors.ts';
import type { AuditFile } from '../service/ports.ts';
import { reasonOf } from './adapter.ts';
import { createDisk, type Disk } from './disk.ts';
import { Journal, revisionFile, revisionsIn } from './journal.ts';

export interface AuditFileSettings {
  /** Absolute; made 0700 when missing. */
  readonly dir: string;
  /** A segment ends after so many bytes: 2 MB, what is followed in one go without holding up the master. */
  readonly rotateBytes?: number;
}

const LF = 0x0a;

/** The files as they lie, for a look that changes nothing. */
export function auditFiles(
  { dir }: Pick<AuditFileSettings, 'dir'>,
  { disk = createDisk() }: { readonly disk?: Disk } = {},
): Pick<AuditFile, 'segments' | 'read'> {
  return {
    segments: async () => revisionsIn(await disk.readdir(dir)),
    read: async (first) => (await disk.read(path.join(dir, revisionFile(first)))) ?? new Uint8Array(),
  };
}

/**
 * The audit log's files, `<first seq, 16 digits>.jsonl`. A last line without its end was never acknowledged: it is cut.
 * @throws AppError `precondition`
 */
export async function openAuditFile(
  settings: AuditFileSettings,
  needs: { readonly disk?: Disk } = {},
): Promise<AuditFile> {
  const disk = needs.disk ?? createDisk();
  const { dir } = settings;
  const fileOf = (first: number) => path.join(dir, revisionFile(first));
  const files = auditFiles({ dir }, { disk });
  try {
    await disk.mkdir(dir);
    await disk.syncDir(path.dirname(dir));
    const first = (await files.segments()).at(-1);
    const bytes = first === undefined ? null : await disk.read(fileOf(first));
    const whole = bytes === null ? 0 : bytes.lastIndexOf(LF) + 1;
    const torn = (bytes?.length ?? 0) - whole;
    if (first !== undefined && torn > 0) await cut(disk, fileOf(first), whole);
    const tail = first === undefined ? null : { first, bytes: whole };
    const journal = new Journal({ dir, rotateBytes: settings.rotateBytes ?? 2 << 20 }, { disk }, tail);
    return {
      cut: torn,
      ...files,
      append: (seq, line) => journal.append(seq, line),
      repair: () => journal.repair(),
      reason: reasonOf,
      close: () => journal.close(),
    };
  } catch (cause) {
    throw new AppError(
      'precondition',
      `the audit log in ${dir} cannot be opened: ${reasonOf(cause)}. This user needs a directory of its own on a sound disk: see state_dir.`,
      { cause },
    );
  }
}

async function cut(disk: Disk, file: string, bytes: number): Promise<void> {
  const handle = await disk.open(file, 'append');
  try {
    await handle.truncate(bytes);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}
