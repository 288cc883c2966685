import { formatDuration } from '../../../proto/vocab/duration.ts';
import type { Millis } from '../../../proto/vocab/ids.ts';
import {
  type Rollout,
  stepAtLeastMs,
  type TARGET_STATES,
  type TargetState,
} from '../../../proto/vocab/rollout.ts';
import { targetWords } from '../../store/configs-view.ts';
import { kindWords, rolloutVerdict, stateWords, stepSize, whyOf } from '../../store/rollout-words.ts';
import {
  isOver,
  onNew,
  released,
  rolloutsOf,
  shownRollout,
  type TargetItem,
  targetIndex,
  targetItems,
  targetVerdict,
} from '../../store/rollouts-view.ts';
import { isStale } from '../../store/select-header.ts';
import { masterNow } from '../../store/select-nodes.ts';
import type { State } from '../../store/state.ts';
import type { Row } from '../../theme/row.ts';
import type { FrameParts } from '../../views/frame.tsx';
import type { BeforeRow } from '../../views/rollout/before.ts';
import { noRolloutRows, type RolloutProps, rolloutRows } from '../../views/rollout/screen.ts';
import type { StepRow } from '../../views/rollout/steps.ts';
import type { StateCount, TargetRow } from '../../views/rollout/targets.ts';
import { type Ui, WIDE } from '../../views/ui.ts';
import { keybar, messageOrPrompt } from '../foot.ts';
import { roughly } from '../sheets/publish-facts.ts';
import { picker } from '../sheets/words.ts';
import { clock, dayAndTime, person, persons, speak } from '../words.ts';
import { gateProps } from './gate.ts';
import { rolloutLines } from './lines.ts';

/** In the order of the bar: what has it, what is about to, what is out of line, what is to come. */
const BAR: readonly TargetState[] = [
  'healthy',
  'soaking',
  'applying',
  'offered',
  'failed',
  'held_by_streams',
  'deferred_offline',
  'excluded',
  'reverted',
  'waiting',
] satisfies (typeof TARGET_STATES)[number][];

function counts(r: Rollout): readonly StateCount[] {
  return BAR.flatMap((state) =>
    r.counts[state] === 0 ? [] : [{ state, verdict: targetVerdict(state), n: r.counts[state] }],
  );
}

/** `70 more nodes; at least 7m30s at 8 at once` */
function futureOf(r: Rollout, i: number, more: number, ui: Ui): string {
  const say = picker(ui);
  const step = r.strategy.steps[i];
  const ms = step === undefined ? 0 : stepAtLeastMs(r.strategy, step, surely(r, i));
  const pace = say(`${r.strategy.maxParallel} at once`, `同时 ${r.strategy.maxParallel} 台`);
  const wide = ui.width >= WIDE;
  const nodes = say(`${more} more${wide ? (more === 1 ? ' node' : ' nodes') : ''}`, `再 ${more} 台`);
  if (ms < 1000) return say(`${nodes}, ${pace}`, `${nodes}，${pace}`);
  const least = say(`at least ${roughly(ms)}`, `至少 ${roughly(ms)}`);
  if (!wide) return say(`${nodes}; ${least}`, `${nodes}；${least}`);
  return say(`${nodes}; ${least} at ${pace}`, `${nodes}；${pace}，${least}`);
}

/** Of the nodes of a step that has not begun, how many are here and wait, wherever the others are that are away by now. */
function surely(r: Rollout, i: number): number {
  const before = (k: number) => (k <= 0 ? 0 : (r.steps[k - 1]?.targets ?? 0));
  const { waiting, deferred_offline, excluded, held_by_streams, ...begun } = r.counts;
  const has = Object.values(begun).reduce((a, b) => a + b, 0);
  const inThisStep = Math.max(0, before(r.step + 1) - has);
  const later = Math.max(0, waiting - inThisStep);
  const away = (r.steps.at(-1)?.targets ?? 0) - before(r.step + 1) - later;
  return Math.max(0, (r.steps[i]?.targets ?? 0) - before(i) - Math.max(0, away));
}

/** What the last step in progress became decides over its sign; those before it are done, those after wait. */
function steps(r: Rollout, now: Millis, ui: Ui): readonly StepRow[] {
  const say = picker(ui);
  return r.strategy.steps.map((s, i): StepRow => {
    const at = r.steps[i];
    const targets = at?.targets ?? 0;
    const here = i === r.step;
    const ended = at?.endedAt ?? null;
    const started = at?.startedAt ?? null;
    const over = ended !== null || (isOver(r) && started !== null);
    const more = targets - (r.steps[i - 1]?.targets ?? 0);
    const note = here && ended === null && !isOver(r) ? say('now', '进行中') : '';
    const future = futureOf(r, i, more, ui);
    return {
      verdict: here && ended === null ? rolloutVerdict(r) : over ? 'well' : isOver(r) ? 'aside' : 'waiting',
      what: speak(stepSize(s), ui.theme),
      targets,
      healthy: started === null ? null : here ? r.counts.healthy : targets,
      started: started === null ? null : clock(started),
      tookMs: started === null ? null : (ended ?? r.endedAt ?? now) - started,
      note:
        at !== undefined && at.note !== ''
          ? persons(at.note)
          : started === null && !isOver(r)
            ? future
            : note,
    };
  });
}

function why(i: TargetItem, r: Rollout, now: Millis, ui: Ui): string {
  const say = picker(ui);
  const { target: t } = i;
  const left = t.state === 'soaking' ? Math.max(0, r.strategy.minHealthyMs - (now - t.since)) : null;
  const own =
    left === null ? t.why : say(`${Math.ceil(left / 1000)} s left`, `还有 ${Math.ceil(left / 1000)} s`);
  if (i.more === 0) return own;
  const names = i.others.slice(0, 8).join(' ');
  const others = say(
    `(${i.more} more${names === '' ? '' : `: ${names}`}${i.more > 8 ? ' …' : ''})`,
    `（另 ${i.more} 台${names === '' ? '' : `：${names}`}${i.more > 8 ? ' …' : ''}）`,
  );
  return own === '' ? others : `${own}   ${others}`;
}

function targetRow(i: TargetItem, r: Rollout, now: Millis, ui: Ui): TargetRow {
  const { target: t } = i;
  return {
    name: t.node,
    verdict: targetVerdict(t.state),
    state: t.state,
    // A thousandth of a second is no age of a state.
    forMs: Math.max(1_000, now - t.since),
    why: why(i, r, now, ui),
  };
}

function before(r: Rollout, ui: Ui): BeforeRow {
  const say = picker(ui);
  const all = Object.values(r.counts).reduce((sum, n) => sum + n, 0);
  const who = person(r.createdBy);
  return {
    id: r.id,
    what: say(`${r.version} to ${targetWords(r.target)}`, `${r.version} 到 ${targetWords(r.target)}`),
    verdict: rolloutVerdict(r),
    state: speak(kindWords(r), ui.theme),
    when: dayAndTime(r.createdAt, ui.theme),
    took: r.endedAt === null ? '-' : shortly(r.endedAt - r.createdAt),
    done: say(`${onNew(r)} of ${all}`, `${onNew(r)} / ${all}`),
    by: say(`by ${who}`, `${who}`),
  };
}

/** `48m`, `12s`: its first unit. */
function shortly(ms: Millis): string {
  return /^\d+[a-z]+/.exec(formatDuration(Math.max(0, ms)))?.[0] ?? '';
}

function by(r: Rollout, now: Millis, ui: Ui): RolloutProps['by'] {
  const say = picker(ui);
  const took = formatDuration(Math.max(0, (r.endedAt ?? now) - r.createdAt));
  const who = `${person(r.createdBy)} ${clock(r.createdAt)}, ${took}`;
  const long = `${say(`by ${who}`, `${who}`)}${r.reason === '' ? '' : `: "${r.reason}"`}`;
  return { long, short: took };
}

export function rolloutProps(r: Rollout, state: State, ui: Ui): RolloutProps {
  const say = picker(ui);
  const now = masterNow(state.picture);
  const { rollouts: v } = state;
  const items = targetItems(v, r);
  const targets = v.got?.id === r.id ? v.got.targets : [];
  const { facts } = state.picture;
  return {
    id: r.id,
    what: say(`${r.version} to ${targetWords(r.target)}`, `${r.version} 到 ${targetWords(r.target)}`),
    verdict: rolloutVerdict(r),
    // What ended it has a line of its own: in the title it would be cut.
    state: persons(speak(whyOf(r) === '' ? stateWords(r) : kindWords(r), ui.theme)),
    by: by(r, now, ui),
    steps: steps(r, now, ui),
    lines: rolloutLines(r, { targets, has: released(v, r).n }, now, ui),
    total: Object.values(r.counts).reduce((sum, n) => sum + n, 0),
    counts: counts(r),
    onNow: { version: r.version, n: onNew(r) },
    rows: items.map((i) => targetRow(i, r, now, ui)),
    cursor: Math.max(0, targetIndex(v, items)),
    gate: gateProps(r, state, ui),
    before: rolloutsOf(facts)
      .filter((x) => x.createdAt < r.createdAt)
      .map((x) => before(x, ui)),
    error: v.error === null ? null : speak(v.error, ui.theme),
    stale: isStale(state),
  };
}

export function rolloutParts(state: State, ui: Ui, header: readonly Row[]): FrameParts {
  const foot = [messageOrPrompt(state, ui), keybar(state, ui)];
  const r = shownRollout(state.rollouts, state.picture.facts);
  const body = r === null ? noRolloutRows(ui) : rolloutRows(rolloutProps(r, state, ui), ui);
  return { header, body, foot };
}
