import { AppError } from '../../proto/vocab/errors.ts';
import type { Commit, Snapshot } from '../service/ports.ts';

/** Commits come in order, by one writer: anything else is a fault of ours, not of a disk. */
export function checkNext(head: Snapshot, commit: Commit): void {
  if (commit.rev === head.revision + 1) return;
  throw new AppError(
    'internal',
    `commit ${commit.rev} does not follow revision ${head.revision}: it was decided on another snapshot`,
  );
}
