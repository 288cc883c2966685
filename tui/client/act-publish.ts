import type { Rollout } from '../../proto/vocab/rollout.ts';
import { type Words, words } from '../store/words.ts';
import { ask, type Executor, failureOf, mutation } from './ask.ts';

const paced = (strategy: string | null) => (strategy === null ? {} : { strategy });

function published(label: string, nodes: number, rollout: Rollout | null): Words {
  const to = words(`${nodes} ${nodes === 1 ? 'node' : 'nodes'}`, `${nodes} 个节点`);
  if (rollout === null) {
    return words(
      `${label} is published to ${to.en}; u takes it back`,
      `${label} 已发布到 ${to.zh}；u 可回滚`,
    );
  }
  return words(
    `rollout ${rollout.id} takes ${label} to ${to.en}; u takes it back`,
    `发布 ${rollout.id} 将 ${label} 送往 ${to.zh}；u 可撤回`,
  );
}

type Kind = 'fetch-diff' | 'preview-publish' | 'preview-diff' | 'publish' | 'preview-rollback' | 'roll-back';

/** Versions: what differs, who would be hit, and the publication itself. */
export const publishing: { readonly [K in Kind]: Executor<K> } = {
  'fetch-diff': (e, needs) => {
    needs.api.diffConfigs({ from: e.from, to: e.label, node: null }).then(
      (diff) => needs.dispatch({ kind: 'diff', label: e.label, diff }),
      (error: unknown) => needs.dispatch({ kind: 'diff-failed', label: e.label, failure: failureOf(error) }),
    );
  },
  'preview-publish': (e, needs) =>
    ask(
      needs,
      words('preview', '预览'),
      e.sheet,
      needs.api.previewPublish({ label: e.label, target: e.target, ...paced(e.strategy) }),
      (preview) => ({
        kind: 'publish-preview',
        sheet: e.sheet,
        chosen: e.chosen,
        pace: e.pace,
        preview,
      }),
    ),
  publish: (e, needs) =>
    ask(
      needs,
      words(`publish ${e.label}`, `发布 ${e.label}`),
      e.sheet,
      needs.api.publish(mutation(e.reason), {
        label: e.label,
        target: e.target,
        dryRun: false,
        ...paced(e.strategy),
      }),
      (r) => ({
        kind: 'done',
        sheet: e.sheet,
        text: published(e.label, r.nodes.length, r.rollout),
        ...(r.rollout === null ? {} : { began: r.rollout.id }),
      }),
    ),
  'preview-diff': (e, needs) => {
    needs.api.diffConfigs({ from: e.from, to: e.label, node: null }).then(
      (diff) => needs.dispatch({ kind: 'publish-diff', sheet: e.sheet, from: e.from, diff }),
      (error: unknown) => {
        const { message } = failureOf(error);
        needs.dispatch({ kind: 'publish-diff', sheet: e.sheet, from: e.from, diff: words(message, message) });
      },
    );
  },
  'preview-rollback': (e, needs) =>
    ask(
      needs,
      words('preview', '预览'),
      e.sheet,
      needs.api.previewRollback({ label: e.label, target: e.target }),
      (preview) => ({ kind: 'rollback-preview', sheet: e.sheet, preview }),
    ),
  'roll-back': (e, needs) =>
    ask(
      needs,
      words(`roll back ${e.label}`, `回滚 ${e.label}`),
      e.sheet,
      needs.api.rollback(mutation(e.reason), {
        label: e.label,
        target: e.target,
        confirmNodes: e.confirmNodes,
      }),
      (r) => ({
        kind: 'done',
        sheet: e.sheet,
        text: words(
          `${r.version.label} puts back ${r.version.rollbackOf ?? ''} on ${r.nodes.length} ${r.nodes.length === 1 ? 'node' : 'nodes'}; u takes it back`,
          `${r.version.label} 在 ${r.nodes.length} 个节点恢复 ${r.version.rollbackOf ?? ''}；u 可再回滚`,
        ),
      }),
    ),
};
