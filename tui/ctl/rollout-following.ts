import { OVER, type Rollout } from '../../proto/vocab/rollout.ts';
import type { CtlRun } from './ctl.ts';
import { CtlExit, EXIT } from './io.ts';
import { line, moment, showData } from './output.ts';
import { progress } from './watching.ts';

const POLL_MS = 500;

/** `progressing, soaking`, `paused: step 1 is over: promote it to go on` */
export function stateWords({ state }: Rollout): string {
  switch (state.kind) {
    case 'progressing':
      return `progressing, ${state.phase}`;
    case 'paused':
    case 'aborting':
    case 'reverting':
    case 'rolled_back':
    case 'revert_failed':
    case 'cancelled':
      return `${state.kind}: ${state.why}`;
    case 'superseded':
      return `superseded by ${state.by}`;
    default:
      return state.kind;
  }
}

/** The state in a word or two, and why it is so, apart: a list of them keeps its columns. */
export function stateAndWhy(r: Rollout): readonly [state: string, why: string] {
  const { state } = r;
  if (!('why' in state)) return [stateWords(r), ''];
  return [state.kind === 'paused' ? `paused ${state.reason}` : state.kind, state.why];
}

/** `over`, `now`, `-` */
export function stepWords(r: Rollout, i: number): string {
  const s = r.steps[i];
  if (s?.endedAt) return 'over';
  return s?.startedAt && i === r.step ? 'now' : '-';
}

function tally(r: Rollout): string {
  const { healthy, failed, deferred_offline: away, held_by_streams: held } = r.counts;
  const more = [
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(away > 0 ? [`${away} away`] : []),
    ...(held > 0 ? [`${held} held by streams`] : []),
  ];
  const all = r.steps[r.step]?.targets ?? 0;
  const step = `step ${r.step + 1} of ${r.steps.length}`;
  return `rollout ${r.id} ${step}: ${healthy} of ${all} healthy${more.length > 0 ? `, ${more.join(', ')}` : ''}`;
}

/**
 * Until it is over: a line whenever its state changes, its figures as progress.
 * @throws CtlExit unless it succeeded
 */
export async function follow(run: CtlRun, first: Rollout, timeoutMs: number | null): Promise<void> {
  const { io, api } = run;
  const until = timeoutMs === null ? Number.POSITIVE_INFINITY : io.now() + timeoutMs;
  const quiet = run.form === 'json' || run.form === 'yaml' || run.form === 'name';
  const bar = progress(run);
  let rollout = first;
  let said = '';
  try {
    for (;;) {
      const state = `step ${rollout.step + 1} of ${rollout.steps.length}, ${stateWords(rollout)}`;
      if (!quiet && state !== said) {
        bar.end();
        line(io, `${moment(io.now())} ${rollout.version}: ${state}`);
      }
      said = state;
      if (!quiet) bar.say(tally(rollout));
      if (OVER.includes(rollout.state.kind) || io.now() >= until) break;
      await io.sleep(POLL_MS);
      rollout = (await api.getRollout({ id: rollout.id, targets: 0 })).rollout;
    }
  } finally {
    bar.end();
  }
  if (!showData(run, { rollout }) && run.form === 'name') line(io, rollout.id);
  if (!OVER.includes(rollout.state.kind)) io.err(`rollout ${rollout.id} goes on on the master\n`);
  if (rollout.state.kind !== 'succeeded') throw new CtlExit(EXIT.notSucceeded);
}
