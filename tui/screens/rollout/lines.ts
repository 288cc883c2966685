import { formatDuration } from '../../../proto/vocab/duration.ts';
import type { Millis } from '../../../proto/vocab/ids.ts';
import type { Rollout, RolloutTarget } from '../../../proto/vocab/rollout.ts';
import { whyOf } from '../../store/rollout-words.ts';
import { isOver } from '../../store/rollouts-view.ts';
import type { RolloutProps } from '../../views/rollout/screen.ts';
import type { Ui } from '../../views/ui.ts';
import { type Pick2, picker } from '../sheets/words.ts';
import { clock, persons } from '../words.ts';

// What it waits for, what comes then, and where its limits are.

type Line = RolloutProps['lines'][number];

/** How long until the last of those that soak has done so; `null`: none does, as far as is known. */
function soakLeft(r: Rollout, targets: readonly RolloutTarget[], now: Millis): Millis | null {
  const since = targets.filter((t) => t.state === 'soaking').map((t) => t.since);
  if (since.length === 0) return null;
  return Math.max(0, r.strategy.minHealthyMs - (now - Math.max(...since)));
}

const seconds = (ms: Millis): string =>
  ms < 60_000 ? `${Math.ceil(ms / 1000)} s` : formatDuration(ms - (ms % 1000));

/** The master's own reasons, and the clock beside them: it says none, for each change of a word is journalled. */
function waits(r: Rollout, targets: readonly RolloutTarget[], now: Millis, say: Pick2): string {
  const { state } = r;
  const parts = r.waits.map(persons);
  const { readings } = r.strategy.gates;
  if (state.kind === 'progressing' && state.phase === 'soaking') {
    const left = soakLeft(r, targets, now);
    const first = parts[0];
    if (left !== null && first !== undefined) {
      parts[0] = say(`${first}: ${seconds(left)} left`, `${first}：还有 ${seconds(left)}`);
    }
    if (r.strategy.steps[r.step]?.analysis === true && readings > 0) {
      const n = (r.readings.at(-1)?.number ?? 0) + 1;
      parts.push(say(`then gate reading ${n} of ${readings}`, `然后门限读数 ${n}/${readings}`));
    }
  }
  if (r.nextReadingAt !== null && state.kind === 'progressing') {
    // What is read is said last; more than the number only where the reading before was not conclusive.
    const at = state.phase === 'analysing' ? 0 : parts.length - 1;
    const ms = r.nextReadingAt - now;
    const left = ms > 0 ? seconds(ms) : say('now', '现在');
    const when = say(` at ${clock(r.nextReadingAt)} (${left})`, `，${clock(r.nextReadingAt)}（${left}）`);
    if (parts[at] !== undefined) parts[at] += when;
  }
  return parts.join('; ');
}

/** What the step's pause is for. */
function passes(r: Rollout, say: Pick2): string {
  const next = r.step + 2;
  if (r.step >= r.strategy.steps.length - 1) return say('it has succeeded', '即告成功');
  const pause = r.strategy.steps[r.step]?.pause ?? null;
  if (pause === 'manual') return say(`step ${next} waits for you: n promotes`, `第 ${next} 步等您：n 推进`);
  if (pause === null) return say(`step ${next} starts by itself`, `第 ${next} 步自动开始`);
  return say(`step ${next} after ${formatDuration(pause)}`, `${formatDuration(pause)} 后第 ${next} 步`);
}

function fails(r: Rollout, n: number, say: Pick2): string {
  if (r.reverts !== null) return say('pauses and asks you', '暂停并询问您');
  if (!r.strategy.autoRevert) return say('aborts; nodes keep what they have', '中止；节点保持现状');
  return say(`aborts, reverts ${n} ${n === 1 ? 'node' : 'nodes'}`, `中止，撤回 ${n} 台`);
}

function then(r: Rollout, n: number, say: Pick2): string | null {
  const { state } = r;
  const gated = r.strategy.steps[r.step]?.analysis === true;
  if (state.kind === 'progressing' || state.kind === 'validating' || state.kind === 'pending') {
    const parts = [
      say(
        `${gated ? 'pass' : 'all healthy'}: ${passes(r, say)}`,
        `${gated ? '通过' : '全部健康'}：${passes(r, say)}`,
      ),
      say(`fail: ${fails(r, n, say)}`, `不通过：${fails(r, n, say)}`),
    ];
    if (gated) parts.push(say('too few samples: pauses and asks you', '样本太少：暂停并询问您'));
    return parts.join('   ');
  }
  if (state.kind !== 'paused') return null;
  const next = r.step + 2;
  const last = r.step >= r.strategy.steps.length - 1;
  const more = (r.steps[r.step + 1]?.targets ?? 0) - (r.steps[r.step]?.targets ?? 0);
  const on = last
    ? say('n ends it', 'n 结束')
    : say(
        `n goes on to step ${next}, ${more} more ${more === 1 ? 'node' : 'nodes'}`,
        `n 进入第 ${next} 步，再 ${more} 台`,
      );
  const back = say(`u takes it back from ${n} ${n === 1 ? 'node' : 'nodes'}`, `u 从 ${n} 台撤回`);
  const own = {
    step: on,
    inconclusive: say(`p reads again   ${on}`, `p 再次读数   ${on}`),
    manual: say('p resumes', 'p 继续'),
    master_suspect: say('it goes on by itself', '将自行继续'),
  }[state.reason];
  return `${own}   ${back}`;
}

function limits(r: Rollout, now: Millis, say: Pick2): string {
  const parts: string[] = [];
  const { failed, healthy } = r.counts;
  const { thresholdPct } = r.strategy.abort;
  if (r.failuresLeft !== null) {
    const all = failed + healthy;
    const pct = all === 0 ? '0.0' : ((100 * failed) / all).toFixed(1);
    const left = r.failuresLeft;
    const more =
      left === 1
        ? say('one more failure aborts', '再失败 1 台即中止')
        : say(`${left} more failures abort`, `再失败 ${left} 台即中止`);
    parts.push(
      r.step === 0
        ? say('the first step: any failure aborts', '首步：任何失败即中止')
        : say(
            `failed ${failed} of ${all} executed, ${pct} %; aborts above ${thresholdPct} %: ${more}.`,
            `已执行 ${all} 台中失败 ${failed} 台，${pct} %；超过 ${thresholdPct} % 中止：${more}。`,
          ),
    );
  }
  if (r.deadline !== null) {
    const left = formatDuration(Math.max(0, r.deadline - now));
    parts.push(say(`deadline ${clock(r.deadline)} (${left})`, `期限 ${clock(r.deadline)}（${left}）`));
  }
  return parts.join('   ');
}

/**
 * @param now the master's clock
 * @param has nodes that it was released to
 */
export function rolloutLines(
  r: Rollout,
  { targets, has }: { readonly targets: readonly RolloutTarget[]; readonly has: number },
  now: Millis,
  ui: Ui,
): readonly Line[] {
  const say = picker(ui);
  const because = whyOf(r) === '' ? [] : [{ label: say('Because', '因为'), text: persons(whyOf(r)) }];
  if (isOver(r)) return because;
  const waiting = waits(r, targets, now, say);
  const next = then(r, has, say);
  const limit = limits(r, now, say);
  return [
    ...because,
    ...(waiting === '' ? [] : [{ label: say('Waits for', '等待'), text: waiting }]),
    ...(next === null ? [] : [{ label: say('Then', '然后'), text: next }]),
    ...(limit === '' ? [] : [{ label: say('Limits', '限度'), text: limit }]),
  ];
}
