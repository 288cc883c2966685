import type { ConfigPhase } from '../../../proto/vocab/node.ts';
import type { TargetState } from '../../../proto/vocab/rollout.ts';
import { BLANK, type Row, row, type Seg, seg } from '../../theme/row.ts';
import type { Verdict } from '../../theme/symbols.ts';
import { padTo } from '../../theme/width.ts';
import { wrapped } from '../describe-body.ts';
import { durationIn } from '../format.ts';
import { greyed } from '../grey.ts';
import type { Ui } from '../ui.ts';
import { verdictSeg, verdictToken } from '../verdict.ts';

/** One node of a rollout, whole. */
export interface TargetPageProps {
  readonly rollout: string;
  readonly name: string;
  readonly verdict: Verdict;
  /** `null`: the master says nothing of it any more. */
  readonly state: TargetState | null;
  readonly forMs: number;
  readonly facts: readonly (readonly [label: string, text: string])[];
  readonly phases: readonly (readonly [ConfigPhase, Verdict])[];
  /** With its place and what to do. */
  readonly refusal: string | null;
  /** What the engine said last, oldest first. */
  readonly log: readonly string[];
  readonly scroll: number;
  readonly stale: boolean;
}

const TEXT_AT = 11;
const AROUND = 5;

function body(p: TargetPageProps, ui: Ui): readonly Row[] {
  const { say, text } = ui.theme;
  const out: Row[] = [];
  const labelled = (label: string, words: string, token: Seg['token'] = 'text') => {
    wrapped(words, ui.width - TEXT_AT - 1).forEach((part, i) => {
      out.push(row(' ', seg(padTo(i === 0 ? label : '', TEXT_AT - 1), 'quiet'), seg(part, token)));
    });
  };
  for (const [label, words] of p.facts) labelled(text(label), text(words));
  if (p.phases.length > 0) {
    const segs = p.phases.flatMap(([phase, v], i) => [
      ...(i > 0 ? [seg('   ')] : []),
      verdictSeg(v, ui),
      seg(` ${phase}`),
    ]);
    out.push(row(' ', seg(padTo(say('target.phases'), TEXT_AT - 1), 'quiet'), ...segs));
  }
  if (p.refusal !== null) {
    out.push(BLANK);
    labelled(say('target.refusal'), text(p.refusal), 'crit');
  }
  if (p.log.length > 0) {
    out.push(BLANK, row(' ', seg(say('target.log'), 'strong')));
    for (const line of p.log)
      for (const part of wrapped(text(line), ui.width - 3)) out.push(row(`  ${part}`));
  }
  return out;
}

export function targetPageRows(p: TargetPageProps, ui: Ui): readonly Row[] {
  const { say, text } = ui.theme;
  const title = row(
    ' ',
    seg(say('tab.rollouts'), 'strong'),
    ` / ${text(p.rollout)} / ${text(p.name)}   `,
    verdictSeg(p.verdict, ui),
    seg(` ${p.state === null ? '-' : say(`target.${p.state}`)}`, verdictToken(p.verdict)),
    seg(`   ${durationIn(p.forMs, 8)}`, 'quiet'),
  );
  const rows = [title, BLANK, ...body(p, ui).slice(p.scroll)];
  return p.stale ? rows.map(greyed) : rows;
}

export function targetMaxScroll(p: TargetPageProps, ui: Ui): number {
  return Math.max(0, body(p, ui).length - (ui.height - AROUND - 2));
}
