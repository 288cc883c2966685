import { once } from 'node:events';
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { CreateBackupRequest, CreateBackupResponse } from '../../../proto/gen/aicdn/v1/console.ts';

export type BackupCall = ServerWritableStream<CreateBackupRequest, CreateBackupResponse>;

/** As fast as the reader reads. @throws AppError what the service refuses, or what a disk says in the middle */
export async function sendBackup(call: BackupCall, parts: AsyncIterable<Uint8Array>): Promise<void> {
  const gone = new AbortController();
  call.on('cancelled', () => gone.abort());
  call.on('error', () => gone.abort());
  for await (const part of parts) {
    if (gone.signal.aborted) return;
    if (call.write({ part: Buffer.from(part) })) continue;
    await once(call, 'drain', { signal: gone.signal }).catch(() => {});
  }
  if (!gone.signal.aborted) call.end();
}
