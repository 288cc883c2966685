import type { Millis } from '../../../proto/vocab/ids.ts';
import type { Matcher } from '../../../proto/vocab/matcher.ts';
import { alertItem } from '../../store/select-alerts.ts';
import { alertNode, masterNow } from '../../store/select-nodes.ts';
import { SILENCE_DURATIONS, type SilenceSheet } from '../../store/sheets/silence.ts';
import type { State } from '../../store/state.ts';
import type { Row } from '../../theme/row.ts';
import { type SilenceSheetProps, silenceSheetRows } from '../../views/sheets/silence.ts';
import type { Ui } from '../../views/ui.ts';
import { dayAndZone } from '../words.ts';
import { errorOf, picker } from './words.ts';

function op(m: Matcher): string {
  if (m.isRegex) return m.isEqual ? '=~' : '!~';
  return m.isEqual ? '=' : '!=';
}

function preview(sheet: SilenceSheet, now: Millis): SilenceSheetProps['preview'] {
  const p = sheet.preview;
  if (p === null) return null;
  return {
    alerts: p.wouldSilence.map((a) => {
      const i = alertItem(a);
      const since = a.state === 'resolved' ? '' : a.value;
      return { verdict: i.verdict, rule: a.rule, on: alertNode(a) ?? '', text: `${i.state} ${since}`.trim() };
    }),
    spared: p.wouldNotSilence
      .filter((a) => a.state !== 'resolved' && now >= 0)
      .map((a) => ({ rule: a.rule, on: alertNode(a) ?? '' })),
    nodes: p.nodes.length,
    total: p.totalNodes,
  };
}

export function silenceRows(sheet: SilenceSheet, state: State, ui: Ui): readonly Row[] {
  const say = picker(ui);
  const ms = SILENCE_DURATIONS[sheet.chosen]?.ms ?? 0;
  const now = masterNow(state.fleet);
  const sending = sheet.sending ? say('sent, waiting for the master', '已发送，等待主控') : null;
  const props: SilenceSheetProps = {
    rule: sheet.rule ?? say('all alerts', '全部告警'),
    on: sheet.on,
    durations: SILENCE_DURATIONS.map((d) => d.word),
    chosen: sheet.chosen,
    ends: dayAndZone(now + ms, ui.theme),
    comment: sheet.comment,
    focus: sheet.focus,
    matchers: sheet.matchers.map((m) => ({ name: m.name, op: op(m), value: m.value })),
    preview: preview(sheet, now),
    error: sending ?? errorOf(sheet, ui),
    // `?` is a letter of the comment here.
    last: null,
  };
  if (sheet.preview?.asksTwice !== true) return silenceSheetRows(props, ui);
  const count = { want: String(sheet.preview.nodes.length), typed: sheet.typed };
  return silenceSheetRows({ ...props, count }, ui);
}
