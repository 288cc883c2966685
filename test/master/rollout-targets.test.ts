import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Op, Snapshot } from '../../daemon/service/ports.ts';
import { RolloutTargets } from '../../daemon/service/rollout-targets.ts';
import { createMemoryStore } from '../../daemon/store/memory-store.ts';
import type { NodeName, RolloutId } from '../../proto/vocab/ids.ts';

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ what: fc.constant('begin' as const), nodes: fc.nat({ max: 6 }) }) },
  {
    weight: 8,
    arbitrary: fc.record({ what: fc.constant('change' as const), id: fc.nat(), nodes: fc.array(fc.nat()) }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('over' as const), id: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('forget' as const), most: fc.nat({ max: 9 }) }) },
  // What was decided since is refused by the disk.
  { weight: 2, arbitrary: fc.record({ what: fc.constant('refused' as const), nodes: fc.nat({ max: 6 }) }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('earlier' as const), back: fc.nat() }) },
);

it('reads the same as a walk over all of them, whatever state is asked about', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const store = createMemoryStore();
      const targets = new RolloutTargets();
      const seen: Snapshot[] = [store.snapshot()];
      const commit = (ops: readonly unknown[]): Promise<void> =>
        store.commit({
          ...{ rev: store.snapshot().revision + 1, ts: 1, actor: 'a', src: 's' },
          ops: ops as readonly Op[],
        });
      const ids = (): string[] =>
        store
          .snapshot()
          .list('rollout')
          .map((r) => r.id);
      const put = (kind: string, key: string, value: object) => ({ op: 'put', kind, key, value });
      const began = (nodes: number): unknown[] => {
        const id = `${Math.max(0, ...ids().map(Number)) + 1}`;
        const names = Array.from({ length: nodes }, (_, i) => `n-${i}`);
        return [
          put('rollout', id, { id, state: { kind: 'progressing' }, createdAt: seen.length }),
          ...names.map((node) => put('target', `${id}/${node}`, { rollout: id, node, since: seen.length })),
        ];
      };
      const check = (view: Snapshot): void => {
        for (const id of ids() as RolloutId[]) {
          const whole = view.list('target').filter((t) => t.rollout === id);
          expect(targets.of(view, id)).toEqual(whole);
          expect(targets.size(view, id)).toBe(whole.length);
          for (const t of whole) expect(targets.has(view, id, t.node)).toBe(true);
          expect(targets.has(view, id, 'nobody' as NodeName)).toBe(false);
        }
      };
      for (const s of steps) {
        const view = store.snapshot();
        const all = ids();
        if (s.what === 'begin') await commit(began(s.nodes));
        else if (s.what === 'refused') {
          store.hold();
          const refused = commit(began(s.nodes)).catch(() => {});
          check(store.snapshot());
          store.fail('full');
          await refused;
          store.fail(null);
        } else if (s.what === 'earlier') {
          check(seen[s.back % seen.length] ?? view);
          expect(targets.of(view, '999' as RolloutId)).toEqual([]);
        } else if (s.what === 'forget') {
          const old = view.list('target').slice(0, s.most);
          await commit(old.map((t) => ({ op: 'del', kind: 'target', key: `${t.rollout}/${t.node}` })));
        } else if (all.length > 0) {
          const id = all[s.id % all.length] ?? '';
          const mine = view.list('target').filter((t) => t.rollout === id);
          if (s.what === 'over') {
            await commit([put('rollout', id, { id, state: { kind: 'succeeded' }, createdAt: 1 })]);
          } else if (mine.length > 0) {
            const which = s.nodes.flatMap((n) => mine[n % mine.length] ?? []);
            await commit(which.map((t) => put('target', `${id}/${t.node}`, { ...t, since: t.since + 1 })));
          }
        }
        seen.push(store.snapshot());
        check(store.snapshot());
      }
    }),
    { numRuns: 300 },
  );
});
