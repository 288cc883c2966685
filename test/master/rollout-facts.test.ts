// biome-ignore-all lint/suspicious/noTemplateCurlyInString: documents name their variables this way
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createRings } from '../../daemon/drivers/rings/rings.ts';
import type { Op } from '../../daemon/service/ports.ts';
import { RolloutFacts } from '../../daemon/service/rollout-facts.ts';
import { Sessions } from '../../daemon/service/sessions.ts';
import { Templates } from '../../daemon/service/templates.ts';
import { createMemoryStore } from '../../daemon/store/memory-store.ts';
import { memoryVault } from '../fakes/vault.ts';
import { edgeDocument } from '../harness/memory-master.ts';

const BODIES = {
  plain: edgeDocument(7001),
  other: edgeDocument(7002),
  labelled: edgeDocument('${label.port}'),
  regional: edgeDocument('${region.port}'),
  cores: `${edgeDocument(7001)}# \${core.label.port}\n`,
};
const CAN = ['listener.tcp', 'handler.tcp'];
const node = fc.nat({ max: 2 });
const port = fc.constantFrom('7001', '7002', 'no port');
const happening = fc.oneof(
  fc.record({ what: fc.constant('body' as const), body: fc.constantFrom(...Object.keys(BODIES)) }),
  fc.record({ what: fc.constant('label' as const), node, port }),
  fc.record({ what: fc.constant('variable' as const), port }),
  fc.record({ what: fc.constant('can' as const), node, all: fc.boolean() }),
  fc.record({
    what: fc.constant('sync' as const),
    node,
    to: fc.constantFrom('in_sync', 'applying', 'failed'),
  }),
  fc.record({ what: fc.constant('core' as const), node }),
);

it('what is remembered of a node is what would be worked out anew', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 30 }), async (happenings) => {
      const store = createMemoryStore();
      const templates = new Templates(store, memoryVault());
      for (const [hash, text] of Object.entries(BODIES)) templates.keep(hash as never, text);
      const sessions = new Sessions({ heartbeatMs: 10_000, masterStartedAt: 0 });
      const needs = { templates, sessions, rings: createRings() };
      const facts = new RolloutFacts(needs);
      const put = (kind: string, key: string, value: object): Promise<void> =>
        store.commit({
          ...{ rev: store.snapshot().revision + 1, ts: 1, actor: 'a', src: 's' },
          ops: [{ op: 'put', kind, key, value } as unknown as Op],
        });
      const nodeOf = (i: number) => store.snapshot().get('node', `n-${i}`);
      for (let i = 0; i < 3; i++) {
        await put('node', `n-${i}`, {
          ...{ name: `n-${i}`, region: 'hk', nodeType: 'edge', labels: { port: `700${i}` } },
          ...{ identity: 'accepted', eligibility: 'eligible', initialized: true, capabilities: CAN },
          ...{ configSync: 'in_sync', rejectedHash: null, effective: null, failure: null, engine: null },
        });
      }
      await put('region', 'hk', { region: 'hk', variables: { port: '7001' } });
      await put('version', 'v1', { label: 'v1', bodyHash: 'plain', publications: [] });
      for (const h of happenings) {
        const was = 'node' in h ? nodeOf(h.node) : undefined;
        if (h.what === 'body')
          await put('version', 'v1', { label: 'v1', bodyHash: h.body, publications: [] });
        else if (h.what === 'variable')
          await put('region', 'hk', { region: 'hk', variables: { port: h.port } });
        else if (h.what === 'label') await put('node', `n-${h.node}`, { ...was, labels: { port: h.port } });
        else if (h.what === 'can')
          await put('node', `n-${h.node}`, { ...was, capabilities: h.all ? CAN : ['listener.tcp'] });
        else if (h.what === 'sync') await put('node', `n-${h.node}`, { ...was, configSync: h.to });
        else
          await put('node', `n-${h.node}`, { ...was, nodeType: was?.nodeType === 'edge' ? 'core' : 'edge' });
        const view = store.snapshot();
        const version = view.get('version', 'v1');
        if (!version) throw new Error('no version');
        const [known, anew] = [facts, new RolloutFacts(needs)].map((f) => f.of(view, version, 1));
        for (const n of view.list('node')) {
          const [a, b] = [known?.(n, false), anew?.(n, false)];
          expect([a?.hash, a?.unfit]).toEqual([b?.hash, b?.unfit]);
        }
      }
    }),
    { numRuns: 60 },
  );
});
