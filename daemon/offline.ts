import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import path from 'node:path';
import type { MasterSettings } from '../config/master.ts';
import { AppError } from '../proto/vocab/errors.ts';
import { AuditTrail, verifyStopped } from './service/audit.ts';
import type { Log, Random, Store } from './service/ports.ts';
import { bootstrapCode } from './service/users.ts';
import { Writer } from './service/write.ts';
import { auditFiles, openAuditFile } from './store/audit-file.ts';
import { openFileStore } from './store/file-store.ts';

// What is done on the master's host while the master does not run.

type Settings = Pick<MasterSettings, 'database' | 'stateDir'>;

const random: Random = { hex: (n) => randomBytes(n).toString('hex'), bytes: (n) => randomBytes(n) };
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };
const clock = { now: () => Date.now() };

/**
 * A one-time code that makes the first admin, for when the one in the log is lost. The next start keeps it.
 * @throws AppError `conflict` while the master runs, `precondition` when there is an admin
 */
export function makeBootstrapCode(settings: Settings): Promise<string> {
  return withStore(settings, 'stop it to make a code', async (store) => {
    const file = await openAuditFile({ dir: auditDir(settings) });
    try {
      const audit = new AuditTrail({ file, clock, log: silent });
      await audit.start(store.snapshot());
      const writer = new Writer({ store, clock, log: silent, audit });
      const { username, uid } = userInfo();
      const caller = { actor: `${username}(${uid})`, role: 'admin', source: 'offline' } as const;
      const about = { caller, action: 'bootstrap.code', subject: '', requestId: '', reason: '' };
      const { result } = await writer.told(
        about,
        (view) => {
          const { ops, code } = bootstrapCode(view, 'hand', random);
          if (code === null) {
            throw new AppError(
              'precondition',
              'there is an admin already; start the master and log in, or use its socket on this host as root',
            );
          }
          return { ops, events: [], result: code };
        },
        () => 'bootstrap',
      );
      return result;
    } finally {
      await file.close();
    }
  });
}

/** Against the journal as well, so that a cut end shows. @throws AppError `conflict` while the master runs */
export function verifyAudit(settings: Settings): Promise<{ readonly ok: boolean; readonly text: string }> {
  return withStore(settings, 'ask it with `aicdnctl audit verify`', async (store) => {
    const v = await verifyStopped(auditFiles({ dir: auditDir(settings) }), store.snapshot());
    const records = v.records === 1 ? '1 record' : `${v.records} records`;
    if (v.fault !== null) return { ok: false, text: `the audit log was tampered with: ${v.fault}` };
    const waiting = v.waiting === 0 ? '' : `; ${v.waiting} more in the journal, which the next start writes`;
    return { ok: true, text: `the audit log is whole: ${records}, head ${v.head}${waiting}` };
  });
}

function auditDir(settings: Settings): string {
  return path.join(settings.stateDir, 'audit');
}

async function withStore<R>(
  settings: Settings,
  instead: string,
  work: (store: Store) => Promise<R>,
): Promise<R> {
  const store = await openFileStore({ dir: settings.database.dir }, { random }).catch((cause: unknown) => {
    if (!(cause instanceof AppError) || cause.code !== 'conflict') throw cause;
    throw new AppError('conflict', `${cause.message}. The master runs: ${instead}`, { cause });
  });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
