import type { CreateBackupResponse } from '../gen/aicdn/v1/console.ts';
import { AppError } from '../vocab/errors.ts';
import type { BackupApi } from './backup-api.ts';
import { type ConsoleChannel, showing } from './console-channel.ts';
import { fromServiceError } from './error-map.ts';

export function backupCalls(channel: ConsoleChannel): BackupApi {
  return {
    async *createBackup({ passphrase }) {
      // A token that is over is renewed by a call that can be made again; a stream that has begun cannot.
      const client = await channel.dial();
      try {
        const token = channel.tokens?.get()?.accessToken ?? null;
        const stream = client.createBackup({ passphrase }, showing(token));
        for await (const message of stream as AsyncIterable<CreateBackupResponse>) yield message.part;
      } catch (error) {
        if (error instanceof AppError) throw error;
        throw channel.plainly(fromServiceError(error));
      } finally {
        client.close();
      }
    },
  };
}
