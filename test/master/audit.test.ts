import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { AuditFile } from '../../daemon/service/ports.ts';
import { openAuditFile } from '../../daemon/store/audit-file.ts';
import { type CrashDisk, createCrashDisk, diskError } from '../../daemon/store/crash-disk.ts';
import { ACTIONS } from '../../proto/vocab/can.ts';
import type { SilenceId } from '../../proto/vocab/ids.ts';
import { MemoryMaster } from '../harness/memory-master.ts';

const silenceOf = (m: MemoryMaster) => ({
  matchers: [{ name: 'node', value: 'hk-1', isRegex: false, isEqual: true }],
  alert: null,
  startsAt: null,
  endsAt: m.now + 60_000,
  comment: 'works',
});
const admin = { actor: 'lin(1000)', role: 'admin', source: 'unix' } as const;
const viewer = { actor: 'key:grafana', role: 'viewer', source: '203.0.113.7' } as const;
const all = (m: MemoryMaster) => m.services.audit.list(admin, { limit: 1000, before: null });
const silence = (m: MemoryMaster) => m.services.silences.create(m.m(), silenceOf(m));

/** Every method of the services' interfaces whose first argument is a mutation. */
function mutations(): { noun: keyof MemoryMaster['services'] & string; method: string }[] {
  const source = readFileSync(path.resolve(import.meta.dirname, '../../daemon/service/api.ts'), 'utf8');
  const nouns = new Map(
    [
      ...(/export interface Services \{([\s\S]*?)\n\}/.exec(source)?.[1] ?? '').matchAll(
        /readonly (\w+): (\w+);/g,
      ),
    ].map((x) => [x[2], x[1]]),
  );
  return [...source.matchAll(/export interface (\w+)(?: extends \w+)? \{([\s\S]*?)\n\}/g)].flatMap(
    ([, name, body]) => {
      const noun = nouns.get(name) as keyof MemoryMaster['services'] & string;
      const methods = [...(body ?? '').matchAll(/^ {2}(\w+)\(\s*m: Mutation\b/gm)].map((x) => x[1] ?? '');
      return noun === undefined ? [] : methods.map((method) => ({ noun, method }));
    },
  );
}

describe('what is recorded', () => {
  let m: MemoryMaster;
  beforeEach(async () => {
    m = await MemoryMaster.start();
  });

  it('a change: who, from where, what, on what, with which revision, and why', async () => {
    const { revision } = await m.services.silences.create(
      { ...m.m(), requestId: 'r-1', reason: 'switch is replaced\u202e' },
      silenceOf(m),
    );
    const { records } = await all(m);
    expect(records).toEqual([
      {
        seq: 1,
        at: m.now,
        actor: 'lin(1000)',
        role: 'admin',
        source: 'unix',
        action: 'silence.create',
        subject: 'S-1',
        outcome: 'ok',
        revision,
        requestId: 'r-1',
        reason: 'switch is replaced\\u{202e}',
        prev: '0'.repeat(64),
        hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      },
    ]);
    expect(await m.services.audit.verify(admin)).toEqual({
      ok: true,
      records: 1,
      head: records[0]?.hash,
      fault: null,
    });
  });

  it('what is refused, wherever that is: forbidden, invalid, conflict, not found, before and in the decision', async () => {
    const s = m.services;
    await silence(m);
    const refused = [
      s.silences.expire({ ...m.m(), caller: viewer }, 'S-1' as SilenceId),
      s.silences.expire({ ...m.m(), ifRevision: 999 }, 'S-1' as SilenceId),
      s.silences.expire(m.m(), 'S-7' as SilenceId),
      s.enrolment.createToken(m.m(), {
        nodeType: 'edge',
        region: '!',
        name: null,
        ttlMs: null,
        replace: false,
      }),
      s.configs.create(m.m(), { label: 'v9', description: '', body: Buffer.from('a: ['), parent: null }),
      s.commands.run(
        { ...m.m(), caller: viewer },
        {
          type: 'reload',
          target: {},
          timeoutMs: null,
          expiresMs: null,
          dryRun: true,
          maxParallel: null,
          options: {},
        },
      ),
    ];
    for (const r of await Promise.allSettled(refused)) expect(r.status).toBe('rejected');
    const { records } = await all(m);
    const told = records.map((r) => `${r.actor} ${r.action} ${r.subject} ${r.outcome} ${r.revision}`);
    expect(told.slice(0, -1).sort()).toEqual([
      'key:grafana command.run {} forbidden null',
      'key:grafana silence.expire S-1 forbidden null',
      'lin(1000) config.create v9 invalid null',
      'lin(1000) silence.expire S-1 conflict null',
      'lin(1000) silence.expire S-7 not_found null',
      'lin(1000) token.create ! invalid null',
    ]);
  });

  it('every call that changes something, whichever service it is of: refused to a viewer, and recorded', async () => {
    const known = new Set<string>([...ACTIONS, 'user.password', 'command.run']);
    const found = mutations();
    expect(found.length).toBeGreaterThanOrEqual(23);
    const seen: string[] = [];
    for (const { noun, method } of found) {
      const service = m.services[noun] as unknown as Record<string, (...a: unknown[]) => Promise<unknown>>;
      const before = (await all(m)).records.length;
      const args = {
        name: 'x',
        label: 'x',
        region: 'hk',
        type: 'reload',
        role: 'viewer',
        target: {},
        verb: 'abort',
      };
      const more = {
        password: 'p',
        body: Buffer.from(''),
        matchers: [],
        variables: {},
        labels: {},
        options: {},
      };
      const call = service[method]?.(m.m({ caller: viewer }), { ...args, ...more });
      await expect(call, `${noun}.${method}`).rejects.toThrow();
      const { records } = await all(m);
      expect(records.length - before, `${noun}.${method}`).toBe(1);
      const [record] = records;
      expect(record?.outcome).not.toBe('ok');
      if (!known.has(record?.action ?? '')) seen.push(`${noun}.${method}: ${record?.action}`);
    }
    // An action that is in no table: name it in audited.ts.
    expect(seen).toEqual([]);
  });

  it('a store that refuses: the record says that it did not happen, and the chain holds', async () => {
    const release = m.store.hold();
    const both = Promise.allSettled([silence(m), silence(m)]);
    m.store.fail('no space left on device');
    release();
    for (const r of await both)
      expect(r).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
    m.store.fail(null);
    await silence(m);
    const { records } = await all(m);
    expect(records.map((r) => [r.seq, r.outcome, r.revision === null])).toEqual([
      [3, 'ok', false],
      [2, 'unavailable', true],
      [1, 'unavailable', true],
    ]);
    expect((await m.services.audit.verify(admin)).fault).toBeNull();
  });

  it('pages and filters; nobody but an admin reads it', async () => {
    for (let i = 0; i < 5; i++) await silence(m);
    await expect(
      m.services.silences.expire({ ...m.m(), caller: viewer }, 'S-1' as SilenceId),
    ).rejects.toMatchObject({ code: 'forbidden' });
    const seqs = async (args: { before: number | null; actor?: string; action?: string }) => {
      const page = await m.services.audit.list(admin, { limit: 2, ...args });
      return [page.records.map((r) => r.seq), page.next];
    };
    expect(await seqs({ before: null })).toEqual([[6, 5], 5]);
    expect(await seqs({ before: 5 })).toEqual([[4, 3], 3]);
    expect(await seqs({ before: 3 })).toEqual([[2, 1], null]);
    expect(await seqs({ before: null, actor: 'key:grafana' })).toEqual([[6], null]);
    expect(await seqs({ before: null, action: 'silence.create' })).toEqual([[5, 4], 4]);
    for (const ask of [
      m.services.audit.list(viewer, { limit: 1, before: null }),
      m.services.audit.verify(viewer),
    ]) {
      await expect(ask).rejects.toMatchObject({ code: 'forbidden' });
    }
  });
});

describe('the disk under it', () => {
  let disk: CrashDisk;
  let m: MemoryMaster;
  const open = () => openAuditFile({ dir: '/audit' }, { disk: disk.boot() });
  beforeEach(async () => {
    disk = createCrashDisk();
    m = await MemoryMaster.start(undefined, undefined, await open());
  });

  it('a hundred changes at once share their syncs', async () => {
    const before = disk.datasyncs();
    await Promise.all(Array.from({ length: 100 }, () => silence(m)));
    expect(disk.datasyncs() - before).toBeLessThanOrEqual(3);
    expect((await m.services.audit.verify(admin)).records).toBe(100);
  });

  it('nothing is answered before its record is on disk', async () => {
    let synced = false;
    disk.fault = (op, file) => {
      if (op === 'datasync' && file.startsWith('/audit')) synced = true;
    };
    await silence(m);
    expect(synced).toBe(true);
    disk.crash();
    const again = await MemoryMaster.start(m.store, m.now, await open());
    expect((await all(again)).records.map((r) => r.seq)).toEqual([1]);
  });

  it('one that refuses: no change is acknowledged, reads go on, health says why, and it recovers', async () => {
    await silence(m);
    disk.fault = (op, file) => {
      if (op === 'write' && file.startsWith('/audit')) throw diskError('ENOSPC');
    };
    await expect(silence(m)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the audit log takes no records: the disk is full',
    });
    const { revision } = m.store.snapshot();
    await expect(silence(m)).rejects.toMatchObject({ code: 'unavailable' });
    expect(m.store.snapshot().revision).toBe(revision); // not even tried
    expect(m.services.degraded()).toContain('the disk is full');
    expect(m.services.nodes.list().nodes).toEqual([]);
    expect((await all(m)).records).toHaveLength(1);
    await m.pass(2);
    expect(m.services.degraded()).not.toBeNull();
    disk.fault = null;
    await m.pass(1);
    expect(m.services.degraded()).toBeNull();
    await silence(m);
    // The one that nobody was told of had been decided: its record came when the disk took it.
    expect((await all(m)).records.map((r) => r.seq)).toEqual([3, 2, 1]);
    expect((await m.services.audit.verify(admin)).fault).toBeNull();
  });

  it('a crash between the journal and the log: said at the next start, and the records are there', async () => {
    await silence(m);
    disk.fault = (op, file) => {
      if (op === 'write' && file.startsWith('/audit')) throw diskError('EIO');
    };
    await Promise.allSettled([silence(m), silence(m)]);
    disk.fault = null;
    disk.crash(10);
    const again = await MemoryMaster.start(m.store, m.now, await open());
    const said = again.log.lines.filter((l) => l.message === 'audit').map((l) => l.fields);
    expect(said.at(-1)).toContain('2 records that the audit log lacked came from the journal (seq 2 to 3)');
    await silence(again);
    const { records } = await all(again);
    expect(records.map((r) => [r.seq, r.outcome])).toEqual([4, 3, 2, 1].map((seq) => [seq, 'ok']));
    expect((await again.services.audit.verify(admin)).fault).toBeNull();
  });

  it('refusals, which make no commit, are known to the journal a second later: cutting them off shows', async () => {
    await silence(m);
    await expect(
      m.services.silences.expire({ ...m.m(), caller: viewer }, 'S-1' as SilenceId),
    ).rejects.toMatchObject({ code: 'forbidden' });
    await m.pass(1);
    const { revision } = m.store.snapshot();
    await m.pass(3);
    expect(m.store.snapshot().revision).toBe(revision); // once is enough
    const [file = ''] = disk.files().filter((f) => f.startsWith('/audit'));
    disk.edit(file, (bytes) => bytes.subarray(0, bytes.indexOf(10) + 1));
    // The journal holds the last record itself only as long as it is not in the log.
    const again = await MemoryMaster.start(m.store, m.now, await open());
    const verdict = await again.services.audit.verify(admin);
    expect(verdict.fault).toMatch(/seq 2/);
    expect(again.log.lines.some((l) => l.fields.includes('tampered'))).toBe(true);
  });
});

describe('tampering with real files', () => {
  let dir: string;
  let file: AuditFile;
  let m: MemoryMaster;
  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'aicdn-audit-'));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    file = await openAuditFile({ dir, rotateBytes: 1200 });
    m = await MemoryMaster.start(undefined, undefined, file);
    for (let i = 0; i < 12; i++) await silence(m);
    onTestFinished(() => file.close());
  });

  const names = async () => (await readdir(dir)).sort();
  const lines = async (): Promise<{ name: string; line: string }[]> => {
    const out: { name: string; line: string }[] = [];
    for (const name of await names()) {
      const text = await readFile(path.join(dir, name), 'utf8');
      out.push(
        ...text
          .trimEnd()
          .split('\n')
          .map((line) => ({ name, line })),
      );
    }
    return out;
  };
  /** The log with other lines in the same files. */
  const write = async (all: { name: string; line: string }[]): Promise<void> => {
    for (const name of await names()) {
      const own = all.filter((l) => l.name === name).map((l) => `${l.line}\n`);
      await writeFile(path.join(dir, name), own.join(''));
    }
  };
  const fault = async () => (await m.services.audit.verify(admin)).fault;

  it('is sound over several segments', async () => {
    expect((await names()).length).toBeGreaterThan(2);
    expect(await m.services.audit.verify(admin)).toMatchObject({ ok: true, records: 12, fault: null });
    expect((await all(m)).records.map((r) => r.seq)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });

  it('every line edited, in every field, is found', async () => {
    const was = await lines();
    for (const [i, { name, line }] of was.entries()) {
      const record = JSON.parse(line) as Record<string, unknown>;
      for (const key of Object.keys(record)) {
        const value = record[key];
        const other = typeof value === 'number' ? value + 1 : value === null ? 'x' : `${String(value)}x`;
        const changed = JSON.stringify({ ...record, [key]: other });
        await write(was.with(i, { name, line: changed }));
        expect(await fault(), `${key} of seq ${i + 1}`).toMatch(/seq \d+/);
      }
      await write(was.with(i, { name, line: line.replace('{', '{ ') }));
      expect(await fault()).toBe(`seq ${i + 1} was changed: its hash does not hold`);
      await write(was.with(i, { name, line: line.slice(0, -5) }));
      expect(await fault()).toContain(`after seq ${i}`);
    }
    await write(was);
    expect(await fault()).toBeNull();
  });

  it('every line taken out, repeated, or swapped with the next is found, and which', async () => {
    const was = await lines();
    for (const i of was.keys()) {
      await write(was.toSpliced(i, 1));
      const gone =
        i === was.length - 1
          ? `seq ${i + 1} is missing: the log ends at ${i}, it was cut`
          : `seq ${i + 1} is missing: ${i + 2} follows ${i}`;
      expect(await fault()).toBe(gone);
      const own = was[i];
      if (own) await write(was.toSpliced(i, 0, own));
      // A last line twice stands behind what was known to be the end.
      if (i < was.length - 1)
        expect(await fault()).toBe(`seq ${i + 1} stands behind ${i + 1}: it was moved or repeated`);
      const next = was[i + 1];
      if (!own || !next) continue;
      await write(was.with(i, { ...own, line: next.line }).with(i + 1, { ...next, line: own.line }));
      expect(await fault()).toBe(`seq ${i + 1} is missing: ${i + 2} follows ${i}`);
    }
  });

  it('a cut anywhere, and a segment gone, are found', async () => {
    const was = await lines();
    for (const i of was.keys()) {
      await write(was.slice(0, i));
      expect(await fault()).toMatch(new RegExp(`^seq ${i + 1} .*it was cut$`));
    }
    await write(was);
    const [first = '', second = ''] = await names();
    await rm(path.join(dir, second));
    expect(await fault()).toMatch(/are missing/);
    await rm(path.join(dir, first));
    expect(await fault()).toMatch(/^seq 1 to \d+ are missing/);
  });

  it('written anew from some line on, with hashes that hold, is found by the head that is known', async () => {
    const other = await mkdtemp(path.join(tmpdir(), 'aicdn-audit-'));
    onTestFinished(() => rm(other, { recursive: true, force: true }));
    const forged = await openAuditFile({ dir: other, rotateBytes: 1 << 20 });
    const twin = await MemoryMaster.start(undefined, undefined, forged);
    for (let i = 0; i < 12; i++)
      await twin.services.silences.create(twin.m({ reason: 'other' }), silenceOf(twin));
    await forged.close();
    const [name = ''] = await readdir(other);
    const text = await readFile(path.join(other, name), 'utf8');
    for (const n of await names()) await rm(path.join(dir, n));
    await writeFile(path.join(dir, name), text);
    const verdict = await m.services.audit.verify(admin);
    expect(verdict.fault).toBe('seq 12 is not the one that the store knows: the log was written anew');
  });

  it('cut while the master was stopped: said at the start, kept in the log, never forgotten', async () => {
    await m.pass(1);
    await m.services.stop();
    await file.close();
    const was = await lines();
    await write(was.slice(0, 8));
    const store = m.store;
    const reopened = await openAuditFile({ dir, rotateBytes: 1200 });
    const again = await MemoryMaster.start(store, m.now, reopened);
    const said = again.log.lines.filter((l) => l.message === 'audit').map((l) => l.fields);
    expect(said[0]).toContain('tampered');
    await silence(again);
    expect((await again.services.audit.verify(admin)).fault).toMatch(/seq 9: seq 9 to \d+ are missing/);
    await reopened.close();
  });
});
