import type { Millis } from '../../proto/vocab/ids.ts';
import type { Matcher } from '../../proto/vocab/matcher.ts';
import type { Refusal } from '../../proto/vocab/node.ts';
import { alertItem } from '../store/select-alerts.ts';
import { alertNode, masterNow } from '../store/select-nodes.ts';
import {
  type ErrorSheet,
  type ExpireSheet,
  type ReloadSheet,
  type RollbackSheet,
  type Sheet,
  SILENCE_DURATIONS,
  type SilenceSheet,
  wantsCount,
} from '../store/sheet.ts';
import type { State } from '../store/state.ts';
import { countedOnce } from '../store/task-words.ts';
import type { Row } from '../theme/row.ts';
import {
  confirmSheetRows,
  refusalSheetRows,
  type SilenceSheetProps,
  silenceSheetRows,
  typedSheetRows,
} from '../views/sheets.ts';
import type { Ui } from '../views/ui.ts';
import { orderRows, publishRows } from './order-sheets.ts';
import { picker, someOf, typedKeys } from './sheet-words.ts';
import { clock, dayAndZone, speak } from './words.ts';

function op(m: Matcher): string {
  if (m.isRegex) return m.isEqual ? '=~' : '!~';
  return m.isEqual ? '=' : '!=';
}

function errorOf(sheet: Sheet, ui: Ui): string | null {
  return sheet.error === null ? null : speak(sheet.error, ui.theme);
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

function silenceRows(sheet: SilenceSheet, state: State, ui: Ui): readonly Row[] {
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

function rollbackRows(sheet: RollbackSheet, state: State, ui: Ui): readonly Row[] {
  const say = picker(ui);
  const p = sheet.preview;
  const asking = say('asking the master …', '正在询问主控 …');
  const published = state.fleet.facts.version.get(sheet.label)?.publications.at(-1);
  const by =
    published === undefined
      ? ''
      : `${published.publishedBy.replace(/\(\d+\)$/, '')} ${clock(published.publishedAt)}`;
  // Nothing to take back, or not by you: the master says why, and there is nothing to type.
  const refusedAtOnce = p === null && sheet.error !== null;
  const none = refusedAtOnce ? '-' : asking;
  const facts = [
    {
      label: say('takes back', '撤回'),
      text:
        published === undefined
          ? sheet.label
          : say(`${sheet.label}, published by ${by}`, `${sheet.label}，${by} 发布`),
    },
    {
      label: say('puts back', '恢复'),
      text:
        p === null
          ? none
          : say(
              `the content of ${p.toLabel} as a new version ${p.newLabel}, byte for byte`,
              `${p.toLabel} 的内容，作为新版本 ${p.newLabel}，逐字节相同`,
            ),
    },
    {
      label: say('hits', '影响'),
      text:
        p === null
          ? '-'
          : say(
              `${p.nodes.length} ${p.nodes.length === 1 ? 'node' : 'nodes'}: ${someOf(p.nodes, say)}`,
              `${p.nodes.length} 台：${someOf(p.nodes, say)}`,
            ),
    },
    {
      label: say('streams', '流'),
      text:
        p === null
          ? '-'
          : say(
              `${p.streams.toLocaleString('en')} live on them; those on listeners that stay are kept`,
              `现有 ${p.streams.toLocaleString('en')} 条；监听不变者保留`,
            ),
    },
  ];
  return typedSheetRows(
    {
      title: say(`Roll back ${sheet.label}`, `回滚 ${sheet.label}`),
      aside: sheet.sending
        ? say('sent, waiting for the master', '已发送，等待主控')
        : p === null
          ? ''
          : say(
              `dry run ${clock(sheet.askedAt)}, again every 5 s`,
              `试运行 ${clock(sheet.askedAt)}，每 5 s 更新`,
            ),
      facts,
      reason: refusedAtOnce
        ? null
        : { label: say('why (kept in the audit log)', '原因（记入审计）'), typed: sheet.reason },
      type:
        p === null
          ? null
          : {
              want: String(p.nodes.length),
              what: say('the number of nodes', '节点数'),
              typed: sheet.typed,
            },
      focus: sheet.focus,
      error: errorOf(sheet, ui),
      keys: refusedAtOnce
        ? [{ key: 'Esc', label: say('close', '关闭') }]
        : typedKeys(say('roll back', '回滚'), say, true),
      last: null,
    },
    ui,
  );
}

function reloadRows(sheet: ReloadSheet, state: State, ui: Ui): readonly Row[] {
  const say = picker(ui);
  const n = sheet.nodes.length;
  const which = n === 1 ? 'the marked node' : `${n} marked nodes`;
  const title = say(`Reload ${which}`, `重载 ${n} 个已标记节点`);
  const isCore = (name: string) => state.fleet.facts.node.get(name)?.nodeType === 'core';
  const streams = countedOnce(sheet.nodes, isCore).reduce(
    (sum, name) => sum + (state.fleet.vitals.get(name)?.streams ?? 0),
    0,
  );
  const away = sheet.nodes.filter((name) => state.fleet.vitals.get(name)?.status !== 'ready');
  const hits =
    away.length === 0
      ? someOf(sheet.nodes, say)
      : say(
          `${someOf(sheet.nodes, say)}; not reachable now: ${someOf(away, say)}`,
          `${someOf(sheet.nodes, say)}；现不可达：${someOf(away, say)}`,
        );
  const kept = say(
    `${streams.toLocaleString('en')} streams stay, 0 cut: each reads again the version it runs`,
    `保留 ${streams.toLocaleString('en')} 条流，不断流：各自重读现行版本`,
  );
  if (wantsCount(sheet)) {
    return typedSheetRows(
      {
        title,
        aside: say('nothing has been sent yet', '尚未发送'),
        facts: [
          { label: say('hits', '影响'), text: hits },
          { label: say('streams', '流'), text: kept },
        ],
        reason: null,
        type: { want: String(n), what: say('the number of nodes', '节点数'), typed: sheet.typed },
        focus: 'type',
        error: errorOf(sheet, ui),
        keys: typedKeys(say('reload', '重载'), say, false),
        last: null,
      },
      ui,
    );
  }
  return confirmSheetRows(
    {
      title,
      aside: '',
      lines: [
        { text: hits },
        errorOf(sheet, ui) === null ? { text: kept } : { text: errorOf(sheet, ui) ?? '' },
      ],
      question: say(n === 1 ? 'Reload it?' : `Reload ${n} nodes?`, `重载 ${n} 个节点？`),
      yes: say('yes', '是'),
      no: say('no', '否'),
      keys: [
        { key: 'y', label: say('reload', '重载') },
        { key: 'n', label: say('no; Enter and Esc too', '否；Enter、Esc 亦然') },
      ],
    },
    ui,
  );
}

function expireRows(sheet: ExpireSheet, state: State, ui: Ui): readonly Row[] {
  const say = picker(ui);
  const item = state.alerts.silences.find((i) => i.silence.id === sheet.silence);
  const back =
    item === undefined || item.alerts === null || item.alerts === 0
      ? say('it suppresses nothing now', '目前未抑制任何告警')
      : say(
          `${item.alerts} ${item.alerts === 1 ? 'alert' : 'alerts'} it suppresses can notify again`,
          `其抑制的 ${item.alerts} 条告警将恢复通知`,
        );
  return confirmSheetRows(
    {
      title: say(`End silence ${ui.theme.text(sheet.silence)}`, `结束静默 ${ui.theme.text(sheet.silence)}`),
      aside: sheet.sending ? say('sent, waiting for the master', '已发送，等待主控') : '',
      lines: [
        { text: item === undefined ? '' : `${item.matchers}   ${item.silence.comment}` },
        { text: errorOf(sheet, ui) ?? back, loud: sheet.error !== null },
      ],
      question: say(`End ${sheet.silence} now?`, `现在结束 ${sheet.silence}？`),
      yes: say('yes', '是'),
      no: say('no', '否'),
      keys: [
        { key: 'y', label: say('end it', '结束') },
        { key: 'n', label: say('no; Enter and Esc too', '否；Enter、Esc 亦然') },
      ],
    },
    ui,
  );
}

function place(r: Refusal): string | null {
  const at = r.line === undefined ? '' : `line ${r.line}, column ${r.column ?? 1}`;
  const both = [at, r.path ?? ''].filter((x) => x !== '').join(': ');
  return both === '' ? null : both;
}

function errorRows(sheet: ErrorSheet, ui: Ui): readonly Row[] {
  const say = picker(ui);
  const first = sheet.refusals[0];
  const more = sheet.refusals.length - 1;
  const also = more > 0 ? say(`; ${more} more`, `；另有 ${more} 处`) : '';
  return refusalSheetRows(
    {
      title: say(`${sheet.title.en} was refused by the master`, `${sheet.title.zh}被主控拒绝`),
      at: clock(sheet.at),
      code: sheet.code,
      what: `${first?.message ?? sheet.message}${also}`,
      where: first === undefined ? null : place(first),
      source: null,
      todo: first?.hint ?? say('nothing was saved and nothing was sent', '未保存，也未下发'),
      trace: null,
      keys: [{ key: 'Esc', label: say('close', '关闭') }],
      last: null,
    },
    ui,
  );
}

/** The sheet that is open, as rows; it rises over what it is about. */
export function sheetRows(sheet: Sheet, state: State, ui: Ui): readonly Row[] {
  switch (sheet.kind) {
    case 'silence':
      return silenceRows(sheet, state, ui);
    case 'rollback':
      return rollbackRows(sheet, state, ui);
    case 'publish':
      return publishRows(sheet, state, ui);
    case 'order':
      return orderRows(sheet, state, ui);
    case 'reload':
      return reloadRows(sheet, state, ui);
    case 'expire':
      return expireRows(sheet, state, ui);
    case 'error':
      return errorRows(sheet, ui);
  }
}
