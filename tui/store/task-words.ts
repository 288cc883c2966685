import {
  type CommandResult,
  type CommandState,
  type CommandTask,
  isSettled,
} from '../../proto/vocab/command.ts';
import type { Verdict } from './verdict.ts';
import { type Words, words } from './words.ts';

const VERDICT: Readonly<Record<CommandState, Verdict>> = {
  queued: 'waiting',
  received: 'changing',
  running: 'changing',
  succeeded: 'well',
  failed: 'wrong',
  rejected: 'wrong',
  timed_out: 'wrong',
  cancelled: 'aside',
  expired: 'aside',
};

export const COMMAND_STATE_ZH: Readonly<Record<CommandState, string>> = {
  queued: '排队中',
  received: '已收到',
  running: '执行中',
  succeeded: '成功',
  failed: '失败',
  rejected: '被拒绝',
  timed_out: '超时',
  cancelled: '已取消',
  expired: '已过期',
};

export function commandVerdict(s: CommandState): Verdict {
  return VERDICT[s];
}

/** `1.8 s`, `45 ms` */
export function tookSeconds(ms: number): string {
  return ms < 100 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** `1.8 s, 12 streams kept, generation 4 → 5, unchanged`, what matters first; for a failure the last line the node sent. */
export function resultWords(r: CommandResult): Words {
  if (r.state !== 'succeeded') {
    const tail = r.outputTail.trim().split('\n').at(-1) ?? '';
    const code = r.exitCode !== 0 && isSettled(r.state) ? `exit ${r.exitCode}` : '';
    const both = [code, tail].filter((t) => t !== '').join(': ');
    return words(both, both);
  }
  const en = [tookSeconds(r.tookMs)];
  const zh = [tookSeconds(r.tookMs)];
  en.push(`${r.streamsKept} streams kept`);
  zh.push(`保留 ${r.streamsKept} 条流`);
  if (r.before !== null && r.after !== null) {
    en.push(`generation ${r.before.generation} → ${r.after.generation}`);
    zh.push(`代 ${r.before.generation} → ${r.after.generation}`);
  }
  if (r.unchanged) {
    en.push('unchanged');
    zh.push('无变化');
  }
  return words(en.join(', '), zh.join('，'));
}

export interface TaskSaid {
  readonly verdict: Verdict;
  readonly text: Words;
  readonly settled: boolean;
  readonly failed: boolean;
  readonly done: number;
  readonly total: number;
  readonly wrong: number;
}

/** A stream is counted once, at its edge; cores alone count their own. */
export function countedOnce<T>(all: readonly T[], isCore: (t: T) => boolean): readonly T[] {
  const edges = all.filter((t) => !isCore(t));
  return edges.length > 0 ? edges : all;
}

/** A command in one line: of one node its result, of many the count. */
export function taskWords(task: CommandTask, isCore: (node: string) => boolean = () => false): TaskSaid {
  const results = Object.entries(task.results);
  const total = results.length;
  const done = results.filter(([, r]) => isSettled(r.state)).length;
  const bad = results.filter(([, r]) => isSettled(r.state) && r.state !== 'succeeded').length;
  const settled = task.endedAt !== null || (total > 0 && done === total);
  const failed = settled && task.state !== 'succeeded' && bad > 0;
  const first = results[0];
  if (total === 1 && first !== undefined) {
    const [name, r] = first;
    const more = resultWords(r);
    const join = (word: string, tail: string) =>
      `${task.type} ${name}: ${word}${tail === '' ? '' : ` ${tail}`}`;
    return {
      verdict: VERDICT[r.state],
      text: words(join(r.state, more.en), join(COMMAND_STATE_ZH[r.state], more.zh)),
      settled,
      failed,
      done,
      total,
      wrong: bad,
    };
  }
  const verdict: Verdict = bad > 0 ? 'wrong' : settled ? 'well' : 'changing';
  const counted = countedOnce(results, ([name]) => isCore(name));
  const kept = counted.reduce((sum, [, r]) => sum + (r.state === 'succeeded' ? r.streamsKept : 0), 0);
  const en = settled
    ? `${task.type}: ${done - bad} succeeded${bad > 0 ? `, ${bad} failed` : ''}, ${kept} streams kept`
    : `${task.type} ${done}/${total}${bad > 0 ? `, ${bad} failed` : ''}`;
  const zh = settled
    ? `${task.type}：${done - bad} 台成功${bad > 0 ? `，${bad} 台失败` : ''}，保留 ${kept} 条流`
    : `${task.type} ${done}/${total}${bad > 0 ? `，${bad} 台失败` : ''}`;
  return { verdict, text: words(en, zh), settled, failed, done, total, wrong: bad };
}
