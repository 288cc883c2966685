import type { Caller } from '../../proto/vocab/can.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { BackupService as Api } from './api.ts';
import type { AuditTrail } from './audit.ts';
import type { Archive } from './ports.ts';
import { authorise, codeOf, type Writer } from './write.ts';

/** What is guessed at offline, as often as somebody likes. */
const SHORTEST_PASSPHRASE = 12;
const LONGEST_PASSPHRASE = 1024;

export class BackupService implements Api {
  private readonly needs: { readonly writer: Writer; readonly audit: AuditTrail; readonly archive: Archive };

  constructor(needs: BackupService['needs']) {
    this.needs = needs;
  }

  async *create(caller: Caller, { passphrase }: { passphrase: string }): AsyncGenerator<Uint8Array> {
    const { writer, audit, archive } = this.needs;
    const about = { caller, action: 'backup.create', subject: 'backup', requestId: '', reason: '' };
    try {
      authorise(caller, 'backup.create');
      const length = [...passphrase].length;
      if (length < SHORTEST_PASSPHRASE || length > LONGEST_PASSPHRASE) {
        throw new AppError(
          'invalid',
          `the passphrase has ${length} characters: ${SHORTEST_PASSPHRASE} to ${LONGEST_PASSPHRASE}, for whoever has the file has all the time there is`,
        );
      }
    } catch (error) {
      await audit.tell(about, codeOf(error));
      throw error;
    }
    await audit.tell(about, 'ok');
    // What is on disk: a restore must hold nothing that was never acknowledged.
    yield* archive.pack(writer.view(), passphrase);
  }
}
