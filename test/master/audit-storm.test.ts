import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openAuditFile } from '../../daemon/store/audit-file.ts';
import { createCrashDisk, diskError } from '../../daemon/store/crash-disk.ts';
import type { AuditRecord } from '../../proto/vocab/audit.ts';
import type { SilenceId } from '../../proto/vocab/ids.ts';
import { MemoryMaster } from '../harness/memory-master.ts';

// Changes, refusals, disks that refuse and power cuts in any order: what is acknowledged is recorded, what is recorded as
// done was done, and the chain is whole.

const admin = { actor: 'lin(1000)', role: 'admin', source: 'unix' } as const;
const viewer = { actor: 'wei', role: 'viewer', source: '203.0.113.7' } as const;

type Step =
  | { readonly do: 'create' | 'refused'; readonly times: number }
  | { readonly do: 'settle' | 'pass' | 'cut' | 'store-refuses' }
  | { readonly do: 'audit-refuses'; readonly op: 'write' | 'datasync' };
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('create', 'refused'), times: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ do: fc.constantFrom('settle', 'pass', 'cut', 'store-refuses') }),
  fc.record({ do: fc.constant('audit-refuses'), op: fc.constantFrom('write', 'datasync') }),
) as fc.Arbitrary<Step>;

async function storm(steps: readonly Step[]): Promise<void> {
  const disk = createCrashDisk();
  const open = () => openAuditFile({ dir: '/audit', rotateBytes: 3000 }, { disk: disk.boot() });
  let m = await MemoryMaster.start(undefined, undefined, await open());
  const acknowledged = new Map<string, number>();
  let pending: Promise<unknown>[] = [];
  /** Refused or not: it is told from what was acknowledged. */
  const keep = (work: Promise<unknown>): void => {
    pending.push(work.catch(() => {}));
  };
  const create = () =>
    m.services.silences
      .create(m.m(), {
        matchers: [{ name: 'node', value: 'hk-1', isRegex: false, isEqual: true }],
        alert: null,
        startsAt: null,
        endsAt: m.now + 3_600_000,
        comment: 'storm',
      })
      .then(({ silence, revision }) => acknowledged.set(silence.id, revision));
  const refused = () => m.services.silences.expire(m.m({ caller: viewer }), 'S-1' as SilenceId);
  const settle = async (): Promise<void> => {
    await Promise.all(pending);
    pending = [];
  };
  const act = async (s: Step): Promise<void> => {
    switch (s.do) {
      case 'create':
      case 'refused':
        for (let i = 0; i < s.times; i++) keep(s.do === 'create' ? create() : refused());
        return;
      case 'settle':
        return settle();
      case 'pass':
        disk.fault = null;
        return m.pass(1);
      case 'audit-refuses':
        disk.fault = (op, file) => {
          if (op === s.op && file.startsWith('/audit')) throw diskError('ENOSPC');
        };
        return;
      case 'store-refuses': {
        await settle();
        const release = m.store.hold();
        for (let i = 0; i < 3; i++) {
          keep(create());
          keep(refused());
        }
        m.store.fail('no space left on device');
        release();
        await settle();
        m.store.fail(null);
        return;
      }
      case 'cut':
        await settle();
        disk.fault = null;
        disk.crash(7);
        m = await MemoryMaster.start(m.store, m.now + 1000, await open());
    }
  };
  for (const s of steps) await act(s);
  await settle();
  disk.fault = null;
  await m.pass(2);

  const records: AuditRecord[] = [];
  for (let before: number | null = null; ; ) {
    const page = await m.services.audit.list(admin, { limit: 7, before });
    records.push(...page.records);
    before = page.next;
    if (before === null) break;
  }
  const verdict = await m.services.audit.verify(admin);
  expect(verdict).toMatchObject({ fault: null, records: records.length });
  expect(records.map((r) => r.seq)).toEqual(records.map((_, i) => records.length - i));
  const done = new Map(records.filter((r) => r.outcome === 'ok').map((r) => [r.subject, r.revision]));
  for (const [id, revision] of acknowledged) expect([id, done.get(id)]).toEqual([id, revision]);
  for (const s of m.services.silences.list()) expect(done.has(s.id)).toBe(true);
  expect(done.size).toBe(m.services.silences.list().length);
}

test('whatever happens: acknowledged is recorded, recorded is done, and the chain is whole', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), storm), { numRuns: 400 });
}, 60_000);
