import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';
import type { MasterSettings } from '../config/master.ts';
import { AppError } from '../proto/vocab/errors.ts';
import { makeCa } from './ca/ca.ts';
import { type CaStep, caPhase, checkStep, takeStep } from './ca/rotation.ts';
import { AuditTrail, verifyStopped } from './service/audit.ts';
import { CERTIFICATE_MS } from './service/enrolment.ts';
import type { Log, Random, Snapshot, Store } from './service/ports.ts';
import { bootstrapCode } from './service/users.ts';
import { type Decide, Writer } from './service/write.ts';
import { checked, type Restored, unpack } from './store/archive.ts';
import { auditFiles, openAuditFile } from './store/audit-file.ts';
import { createDisk } from './store/disk.ts';
import { openFileStore } from './store/file-store.ts';
import { unsealed } from './store/seal.ts';

// What is done on the master's host while the master does not run.

type Settings = Pick<MasterSettings, 'database' | 'stateDir'>;

const random: Random = { hex: (n) => randomBytes(n).toString('hex'), bytes: (n) => randomBytes(n) };
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };
const clock = { now: () => Date.now() };

/** What it does is a record as well. */
async function changing<R>(
  settings: Settings,
  work: {
    readonly action: string;
    readonly subject: string;
    readonly decide: Decide<R>;
    readonly before?: () => Promise<void>;
  },
): Promise<R> {
  return withStore(settings, 'stop it first', async (store) => {
    await work.before?.();
    const file = await openAuditFile({ dir: auditDir(settings) });
    try {
      const audit = new AuditTrail({ file, clock, log: silent });
      await audit.start(store.snapshot());
      const writer = new Writer({ store, clock, log: silent, audit });
      const { username, uid } = userInfo();
      const caller = { actor: `${username}(${uid})`, role: 'admin', source: 'offline' } as const;
      const about = { caller, action: work.action, subject: work.subject, requestId: '', reason: '' };
      return (await writer.told(about, work.decide, () => work.subject)).result;
    } finally {
      await file.close();
    }
  });
}

/**
 * A one-time code that makes the first admin, for when the one in the log is lost. The next start keeps it.
 * @throws AppError `conflict` while the master runs, `precondition` when there is an admin
 */
export function makeBootstrapCode(settings: Settings): Promise<string> {
  return changing(settings, {
    action: 'bootstrap.code',
    subject: 'bootstrap',
    decide: (view) => {
      const { ops, code } = bootstrapCode(view, 'hand', random);
      if (code === null) {
        throw new AppError(
          'precondition',
          'there is an admin already; start the master and log in, or use its socket on this host as root',
        );
      }
      return { ops, events: [], result: code };
    },
  });
}

/** When the last step of a rotation was taken: nodes have to renew after it before the next one. */
const ROTATED = 'ca_rotation_step_at';

/**
 * One step of giving the fleet another CA (daemon/ca/rotation.ts).
 * @returns what was done, and what comes next
 * @throws AppError `precondition` when it is another step's turn, or naming the nodes that have not renewed since the last
 */
export async function rotateCa(settings: Settings, step: CaStep): Promise<string> {
  const dir = path.join(settings.stateDir, 'ca');
  await changing(settings, {
    action: 'ca.rotate',
    subject: step,
    decide: (view, now) => {
      checkRenewed(view, step);
      const value = { id: ROTATED, value: now };
      return { ops: [{ op: 'put', kind: 'meta', key: ROTATED, value }], events: [], result: null };
    },
    before: async () => checkStep(await caPhase(dir), step),
  });
  await takeStep(dir, step, () => makeCa(clock.now(), random, true));
  return SAID[step];
}

/** Where it stands, and which nodes the next step waits for. */
export function caStatus(settings: Settings): Promise<string> {
  return withStore(settings, 'its log says where it stands', async (store) => {
    const phase = await caPhase(path.join(settings.stateDir, 'ca'));
    const waits = behind(store.snapshot());
    const waiting = phase === 'settled' || waits.length === 0 ? '' : `; not renewed yet: ${waits.join(', ')}`;
    return `the CA is ${phase}${waiting}`;
  });
}

const SAID: Readonly<Record<CaStep, string>> = {
  begin:
    'a new CA stands beside the old one. Start the master: nodes learn to trust both as they renew, within four days. Then: ca rotate switch',
  switch:
    'the new CA issues from now on. Start the master: nodes get its certificates as they renew, within four days; consoles need its pin, join tokens that were made before are void. Then: ca rotate retire',
  retire: 'the old CA is trusted no more. Start the master.',
};

function checkRenewed(view: Snapshot, step: CaStep): void {
  if (step === 'begin') return;
  const waits = behind(view);
  if (waits.length === 0) return;
  throw new AppError(
    'precondition',
    `${step} would shut out nodes that have not renewed since the last step: ${waits.join(', ')}. They do it within four days of being there; remove those that will not come back`,
  );
}

function behind(view: Snapshot): string[] {
  const since = Number(view.get('meta', ROTATED)?.value ?? 0);
  return view
    .list('node')
    .filter((n) => n.identity === 'accepted' && (n.certificate?.notAfter ?? 0) - CERTIFICATE_MS < since)
    .map((n) => n.name)
    .toSorted();
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

/**
 * A backup into folders that hold nothing. All of it is read before anything is written; what a failing disk left half
 * done is taken away again.
 * @throws AppError `precondition`, `conflict` when the folders hold something, `invalid` for the file or passphrase
 */
export async function restore(settings: Settings, file: string, passphrase: string): Promise<Restored> {
  const dirs = { store: settings.database.dir, state: settings.stateDir };
  for (const dir of [dirs.state, dirs.store]) await mustBeEmpty(dir);
  const found = await checkBackup(file, passphrase);
  try {
    await unpack(plainOf(file, passphrase), dirs, { disk: createDisk(), newId: random.hex(16) });
  } catch (cause) {
    for (const dir of [dirs.store, dirs.state]) await clear(dir);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('precondition', `the backup was not restored, nothing is left of it: ${why}`, {
      cause,
    });
  }
  return found;
}

/** Decrypts a backup and reads all of it. @throws AppError `invalid` for the file or passphrase */
export function checkBackup(file: string, passphrase: string): Promise<Restored> {
  return checked(plainOf(file, passphrase)).catch((cause: unknown) => {
    if (cause instanceof AppError)
      throw new AppError(cause.code, `${file}: ${cause.message}; nothing was written`, { cause });
    throw new AppError('precondition', `${file} cannot be read: ${String(cause)}`, { cause });
  });
}

const plainOf = (file: string, passphrase: string): AsyncIterable<Uint8Array> =>
  unsealed(createReadStream(file), passphrase);

async function mustBeEmpty(dir: string): Promise<void> {
  const there = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new AppError('precondition', `${dir} cannot be read: ${String(error)}`, { cause: error });
  });
  if (there.length === 0) return;
  throw new AppError(
    'conflict',
    `${dir} is not empty (${there[0]}): a backup is restored into an empty state_dir; move that away, or name another one`,
  );
}

async function clear(dir: string): Promise<void> {
  for (const name of await readdir(dir).catch(() => []))
    await rm(path.join(dir, name), { recursive: true, force: true });
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
