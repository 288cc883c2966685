import type { Target } from '../../proto/vocab/config-version.ts';
import { formatDuration } from '../../proto/vocab/duration.ts';
import type { Millis } from '../../proto/vocab/ids.ts';
import type {
  GateName,
  Verdict as GateVerdict,
  Reading,
  Rollout,
  RolloutState,
  RolloutStep,
} from '../../proto/vocab/rollout.ts';
import { targetWords } from './configs-view.ts';
import type { Verdict } from './verdict.ts';
import { asIs, type Words, words } from './words.ts';

// Rollouts in words: the header says them on every screen, screen 3 whole.

const VERDICT: Readonly<Record<RolloutState['kind'], Verdict>> = {
  pending: 'waiting',
  validating: 'changing',
  progressing: 'changing',
  paused: 'paused',
  aborting: 'changing',
  reverting: 'changing',
  succeeded: 'well',
  rolled_back: 'warning',
  revert_failed: 'wrong',
  superseded: 'aside',
  cancelled: 'aside',
};

export function rolloutVerdict(r: Rollout): Verdict {
  return VERDICT[r.state.kind];
}

const KIND_ZH: Readonly<Record<RolloutState['kind'], string>> = {
  pending: '待开始',
  validating: '校验中',
  progressing: '进行中',
  paused: '已暂停',
  aborting: '中止中',
  reverting: '撤回中',
  succeeded: '成功',
  rolled_back: '已撤回',
  revert_failed: '撤回失败',
  superseded: '被取代',
  cancelled: '已取消',
};
const PHASE_ZH = { offering: '下发', soaking: '观察', analysing: '门限读数' } as const;
const PAUSE_ZH = { manual: '人工', step: '步骤结束', inconclusive: '无法判断', master_suspect: '主控自疑' };

export function kindWords(r: Rollout): Words {
  return words(r.state.kind, KIND_ZH[r.state.kind]);
}

/** `step 3 of 4` */
function stepOf(r: Rollout): Words {
  const [at, all] = [r.step + 1, r.strategy.steps.length];
  return words(`step ${at} of ${all}`, `第 ${at}/${all} 步`);
}

/** Why it is as it is, where its state says so; a pause says it among what is waited for. */
export function whyOf({ state }: Rollout): string {
  return 'why' in state && state.kind !== 'paused' ? state.why : '';
}

/** `progressing, step 3 of 4, soaking` */
export function stateWords(r: Rollout): Words {
  const { state } = r;
  const kind = kindWords(r);
  const step = stepOf(r);
  switch (state.kind) {
    case 'progressing':
      return words(
        `${kind.en}, ${step.en}, ${state.phase}`,
        `${kind.zh}，${step.zh}，${PHASE_ZH[state.phase]}`,
      );
    case 'paused':
      return words(
        `${kind.en} ${state.reason}, ${step.en}`,
        `${kind.zh}（${PAUSE_ZH[state.reason]}），${step.zh}`,
      );
    case 'aborting':
    case 'reverting':
    case 'rolled_back':
    case 'revert_failed':
    case 'cancelled':
      return words(`${kind.en}: ${state.why}`, `${kind.zh}：${state.why}`);
    case 'superseded':
      return words(`${kind.en} by rollout ${state.by}`, `被发布 ${state.by} 取代`);
    default:
      return kind;
  }
}

/** `1 a region`, `3 nodes`, `50 %` */
export function stepSize(s: RolloutStep): Words {
  if ('percent' in s.size) return asIs(`${s.size.percent} %`);
  const n = s.size.count;
  if (s.perRegion) return words(`${n} a region`, `每区 ${n} 台`);
  return words(n === 1 ? '1 node' : `${n} nodes`, `${n} 台`);
}

/** A region by its type alone is said short: `edge`. */
function shortTarget(t: Target): string {
  const text = targetWords(t);
  return /^type=\w+$/.test(text) ? text.slice(5) : text;
}

const GATE: Readonly<Record<GateName, string>> = {
  ttft95: 'TTFT95',
  gap99: 'gap p99',
  errors: 'errors',
  aborted: 'aborted',
};

export function isRatio(gate: GateName): boolean {
  return gate === 'errors' || gate === 'aborted';
}

/** Worst first. */
const VERDICTS: readonly GateVerdict[] = ['fail', 'inconclusive', 'close', 'pass'];

/** What is worst, and of that what stands closest to its limit: `hk TTFT95 +24.7 % of +25 %`; `null`: no reading that says anything. */
export function closestGate(
  reading: Reading | undefined,
): { readonly short: string; readonly long: string } | null {
  let best: { rank: number; near: number; short: string; long: string } | null = null;
  for (const g of reading?.gates ?? []) {
    if (g.change === null) continue;
    const near = g.limit > 0 ? g.change / g.limit : g.change;
    const rank = VERDICTS.indexOf(g.verdict);
    const behind = best !== null && (rank > best.rank || (rank === best.rank && near <= best.near));
    if (behind) continue;
    const sign = (n: number) => `${n > 0 ? '+' : ''}${n.toFixed(isRatio(g.gate) ? 2 : 1)}`;
    const unit = isRatio(g.gate) ? 'pt' : '%';
    const limit = isRatio(g.gate) ? g.limit.toFixed(2) : String(g.limit);
    const short = `${g.region} ${GATE[g.gate]} ${sign(g.change)} ${unit}`;
    best = { rank, near, short, long: `${short} of +${limit} ${unit}` };
  }
  return best;
}

/** One line of the header; `short` where the terminal is narrow. */
export interface NoticeWords {
  readonly text: Words;
  readonly short: Words;
}

function same(text: Words): NoticeWords {
  return { text, short: text };
}

/** What a progressing rollout is about, in one line. */
function progress(r: Rollout, now: Millis): NoticeWords {
  const goal = r.steps[r.step]?.targets ?? 0;
  const { healthy, failed } = r.counts;
  const gate = closestGate(r.readings.at(-1));
  const ms = r.nextReadingAt === null ? null : Math.max(0, r.nextReadingAt - now);
  const [at, all] = [r.step + 1, r.strategy.steps.length];
  const parts = (en: string[], zh: string[]) => words(en.join('  '), zh.join('  '));
  const counts = [`${healthy} of ${goal} healthy`, ...(failed > 0 ? [`${failed} failed`] : [])];
  const countsZh = [`${goal} 台中 ${healthy} 台健康`, ...(failed > 0 ? [`${failed} 台失败`] : [])];
  const next = ms === null ? [] : [` next reading ${Math.ceil(ms / 1000)} s`];
  const nextZh = ms === null ? [] : [` ${Math.ceil(ms / 1000)} s 后读数`];
  const tail = (which: 'short' | 'long') => (gate === null ? [] : [` ${gate[which]}`]);
  return {
    text: parts(
      [
        `rollout ${r.id}`,
        `${r.version} to ${shortTarget(r.target)}`,
        `step ${at} of ${all}`,
        ...counts,
        ...tail('long'),
        ...next,
      ],
      [
        `发布 ${r.id}`,
        `${r.version} 到 ${shortTarget(r.target)}`,
        `第 ${at}/${all} 步`,
        ...countsZh,
        ...tail('long'),
        ...nextZh,
      ],
    ),
    short: parts(
      [`rollout ${r.id}`, r.version, `step ${at}/${all}`, ...counts, ...tail('short')],
      [`发布 ${r.id}`, r.version, `第 ${at}/${all} 步`, ...countsZh, ...tail('short')],
    ),
  };
}

/** Characters of a reason that leave room for the keys at 120 cells. */
const SHORT_WHY = 40;

/** `here`: on the rollouts' own screen the keys are named; elsewhere where they are. */
function pausedWords(
  r: Rollout,
  state: Extract<RolloutState, { kind: 'paused' }>,
  now: Millis,
  here: boolean,
): Words {
  const head = (en: string, zh: string) => words(`rollout ${r.id} ${en}`, `发布 ${r.id} ${zh}`);
  const keys = (en: string, zh: string) => (here ? words(en, zh) : words('3 shows it', '按 3 查看'));
  const join = (a: Words, b: Words) => words(`${a.en}   ${b.en}`, `${a.zh}   ${b.zh}`);
  const step = stepOf(r);
  // On its own screen the reason stands whole below: the keys must not be cut off for it.
  const told = here && state.why.length > SHORT_WHY;
  const why = told ? words('', '') : words(`: ${state.why}`, `：${state.why}`);
  switch (state.reason) {
    case 'inconclusive':
      return join(
        head(`paused inconclusive${why.en}`, `无法判断，已暂停${why.zh}`),
        keys('p analyse again   n go on (asks)   u roll back', 'p 再次读数   n 继续（询问）   u 回滚'),
      );
    case 'step': {
      if (state.until !== null) {
        const left = formatDuration(Math.max(1000, state.until - now));
        return join(
          head(`paused after ${step.en}, goes on in ${left}`, `${step.zh}后暂停，${left} 后继续`),
          keys('n goes on now   p holds it', 'n 立即继续   p 停住'),
        );
      }
      return join(
        head(`waits for a person after ${step.en}`, `${step.zh}结束，等待人工`),
        keys('n promotes   u rolls back', 'n 推进   u 回滚'),
      );
    }
    case 'master_suspect':
      return join(
        head(`frozen, the master doubts itself${why.en}`, `冻结，主控自疑${why.zh}`),
        keys('it goes on by itself   u rolls back', '将自行继续   u 回滚'),
      );
    case 'manual':
      return join(
        head(`paused${why.en}`, `已暂停${why.zh}`),
        keys('p resumes   u rolls back', 'p 继续   u 回滚'),
      );
  }
}

/** A rollout in one line. */
export function noticeWords(r: Rollout, now: Millis, here: boolean): NoticeWords {
  const { state } = r;
  if (state.kind === 'paused') return same(pausedWords(r, state, now, here));
  if (state.kind === 'progressing') return progress(r, now);
  const text = stateWords(r);
  return same(words(`rollout ${r.id}  ${r.version}  ${text.en}`, `发布 ${r.id}  ${r.version}  ${text.zh}`));
}
