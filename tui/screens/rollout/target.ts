import { formatRefusal } from '../../../proto/vocab/errors.ts';
import type { ConfigFailure, ConfigPhase, Node } from '../../../proto/vocab/node.ts';
import type { Rollout, RolloutTarget } from '../../../proto/vocab/rollout.ts';
import { shownRollout, targetVerdict } from '../../store/rollouts-view.ts';
import { isStale } from '../../store/select-header.ts';
import { masterNow } from '../../store/select-nodes.ts';
import type { State } from '../../store/state.ts';
import type { Row } from '../../theme/row.ts';
import type { Verdict } from '../../theme/symbols.ts';
import type { FrameParts } from '../../views/frame.tsx';
import { type TargetPageProps, targetMaxScroll, targetPageRows } from '../../views/rollout/target.ts';
import type { Ui } from '../../views/ui.ts';
import { keybar, messageOrPrompt } from '../foot.ts';
import { picker } from '../sheets/words.ts';
import { clock } from '../words.ts';

const PHASES: readonly ConfigPhase[] = ['validate', 'prepare', 'switch', 'confirm'];

/** Of this rollout, not of one before it. */
function failureOf(r: Rollout, node: Node | undefined): ConfigFailure | null {
  const f = node?.failure ?? null;
  return f !== null && node?.configSync === 'failed' && f.at >= r.createdAt ? f : null;
}

/** Where it failed: its node says so until it has gone back, then only the words of the target do. */
function failedIn(t: RolloutTarget, f: ConfigFailure | null): number {
  if (f !== null) return PHASES.indexOf(f.phase);
  if (t.state !== 'failed') return -1;
  return PHASES.findIndex((p) => t.why.startsWith(`${p.toUpperCase()}:`));
}

function phases(t: RolloutTarget, f: ConfigFailure | null): readonly (readonly [ConfigPhase, Verdict])[] {
  const failed = failedIn(t, f);
  const done = t.switchedAt !== null && failed < 0;
  return PHASES.map((p, i) => {
    if (done || (failed >= 0 && i < failed)) return [p, 'well'] as const;
    if (i === failed) return [p, 'wrong'] as const;
    return [p, failed < 0 && t.state === 'applying' ? 'changing' : 'waiting'] as const;
  });
}

function props(r: Rollout, name: string, state: State, ui: Ui): TargetPageProps {
  const say = picker(ui);
  const node = state.picture.facts.node.get(name);
  const got = state.rollouts.got?.id === r.id ? state.rollouts.got.targets : [];
  const t = got.find((x) => x.node === name);
  const f = failureOf(r, node);
  const now = masterNow(state.picture);
  const at = (ms: number | null | undefined) => (ms == null ? '-' : clock(ms));
  // An offer that was taken back is forgotten: that it never came would be a lie.
  const back = t?.offeredAt === null && (t.state === 'failed' || t.state === 'reverted');
  const offered = back
    ? say('offer taken back', '下发已撤回')
    : say(`offered ${at(t?.offeredAt)}`, `下发 ${at(t?.offeredAt)}`);
  const v = node === undefined ? null : (state.picture.vitals.get(name) ?? null);
  return {
    rollout: r.id,
    name,
    verdict: t === undefined ? 'aside' : targetVerdict(t.state),
    state: t?.state ?? null,
    forMs: t === undefined ? 0 : Math.max(0, now - t.since),
    facts: [
      [
        say('step', '步骤'),
        t === undefined ? '-' : say(`${t.step + 1}, region ${t.region}`, `${t.step + 1}，区域 ${t.region}`),
      ],
      [
        say('times', '时间'),
        say(
          `${offered}   switched ${at(t?.switchedAt)}   in this state since ${at(t?.since)}`,
          `${offered}   切换 ${at(t?.switchedAt)}   此状态自 ${at(t?.since)}`,
        ),
      ],
      [
        say('runs', '运行'),
        say(
          `${node?.effective?.version ?? '-'}   ${r.version} ${t?.released === true ? 'is meant for it now' : 'is not released to it'}   ${v?.streams ?? '-'} streams`,
          `${node?.effective?.version ?? '-'}   ${r.version} ${t?.released === true ? '已放行' : '未放行'}   ${v?.streams ?? '-'} 条流`,
        ),
      ],
      [say('why', '原因'), t?.why === undefined || t.why === '' ? '-' : t.why],
    ],
    phases: t === undefined ? [] : phases(t, f),
    refusal: f === null ? null : formatRefusal(f.refusal),
    log: (f?.logTail ?? '').split('\n').filter((l) => l.trim() !== ''),
    scroll: state.rollouts.scroll,
    stale: isStale(state),
  };
}

export function targetParts(state: State, ui: Ui, header: readonly Row[]): FrameParts {
  const foot = [messageOrPrompt(state, ui), keybar(state, ui)];
  const r = shownRollout(state.rollouts, state.picture.facts);
  const name = state.rollouts.open;
  const body = r === null || name === null ? [] : targetPageRows(props(r, name, state, ui), ui);
  return { header, body, foot };
}

/** How far its log can be scrolled. */
export function targetScroll(state: State, ui: Ui): number {
  const r = shownRollout(state.rollouts, state.picture.facts);
  const name = state.rollouts.open;
  return r === null || name === null ? 0 : targetMaxScroll(props(r, name, state, ui), ui);
}
