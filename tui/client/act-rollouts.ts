import type { Rollout, RolloutVerb } from '../../proto/vocab/rollout.ts';
import { kindWords } from '../store/rollout-words.ts';
import { type Words, words } from '../store/words.ts';
import { ask, type Executor, failureOf, mutation } from './ask.ts';

const VERB_ZH: Readonly<Record<RolloutVerb, string>> = {
  pause: '暂停',
  resume: '继续',
  promote: '推进',
  promote_full: '推进到底',
  abort: '中止',
  retry: '重试',
  undo: '撤销',
};

/** What the verb has made of it, and the key that undoes it. */
function done(verb: RolloutVerb, r: Rollout): Words {
  const kind = kindWords(r);
  const hint: Readonly<Partial<Record<RolloutVerb, Words>>> = {
    pause: words('; p resumes', '；p 继续'),
    promote: words('; p pauses, u rolls back', '；p 暂停，u 回滚'),
  };
  const more = hint[verb] ?? words('', '');
  return words(
    `rollout ${r.id} is ${kind.en}, step ${r.step + 1} of ${r.strategy.steps.length}${more.en}`,
    `发布 ${r.id} ${kind.zh}，第 ${r.step + 1}/${r.strategy.steps.length} 步${more.zh}`,
  );
}

function verbWords(verb: RolloutVerb, id: string): Words {
  return words(`${verb.replace('_', ' ')} rollout ${id}`, `${VERB_ZH[verb]}发布 ${id}`);
}

type Kind = 'fetch-rollout' | 'rollout-verb' | 'preview-revert' | 'revert-last';

export const rollouts: { readonly [K in Kind]: Executor<K> } = {
  'fetch-rollout': (e, needs) => {
    needs.api.getRollout({ id: e.id, targets: e.targets }).then(
      (got) => needs.dispatch({ kind: 'rollout-got', ...got }),
      (error: unknown) => needs.dispatch({ kind: 'rollout-failed', failure: failureOf(error) }),
    );
  },
  'rollout-verb': (e, needs) =>
    ask(
      needs,
      verbWords(e.verb, e.id),
      e.sheet,
      needs.api.rolloutVerb(mutation(e.reason), { id: e.id, verb: e.verb, confirmNodes: e.confirmNodes }),
      (r) => ({ kind: 'done', sheet: e.sheet, text: done(e.verb, r.rollout) }),
    ),
  'preview-revert': (e, needs) =>
    ask(needs, words('dry run', '试运行'), e.sheet, needs.api.previewRevert(), (preview) => ({
      kind: 'revert-preview',
      sheet: e.sheet,
      preview,
    })),
  'revert-last': (e, needs) =>
    ask(
      needs,
      words('fleet revert', '全局回退'),
      e.sheet,
      needs.api.revertLast(mutation(e.reason), { confirmNodes: e.confirmNodes }),
      (r) => ({
        kind: 'done',
        sheet: e.sheet,
        text: words(
          `fleet revert: rollout ${r.rollout.id} is ${kindWords(r.rollout).en}; 3 shows it`,
          `全局回退：发布 ${r.rollout.id} ${kindWords(r.rollout).zh}；按 3 查看`,
        ),
      }),
    ),
};
