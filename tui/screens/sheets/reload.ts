import { wantedWord } from '../../store/sheet.ts';
import { RELOAD_PARALLEL, RELOAD_TIMEOUT_MS, type ReloadSheet } from '../../store/sheets/reload.ts';
import type { State } from '../../store/state.ts';
import { countedOnce } from '../../store/task-words.ts';
import type { Row } from '../../theme/row.ts';
import { confirmSheetRows } from '../../views/sheets/confirm.ts';
import { typedSheetRows } from '../../views/sheets/typed.ts';
import type { Ui } from '../../views/ui.ts';
import { dryRun, errorOf, picker, someOf, typedKeys } from './words.ts';

/** A region: figures from a dry run on the master, the count typed. */
function regionRows(sheet: ReloadSheet, region: string, state: State, ui: Ui): readonly Row[] {
  const say = picker(ui);
  const p = sheet.preview;
  const away = p?.offline ?? [];
  const streams = sheet.nodes.reduce((sum, name) => sum + (state.fleet.vitals.get(name)?.streams ?? 0), 0);
  const hits =
    p === null
      ? say('asking the master …', '正在询问主控 …')
      : say(
          `${p.nodes.length} nodes   ${p.nodes.length - away.length} now${away.length === 0 ? '' : `   ${away.length} not here: ${someOf(away, say)}, waits 10 min, then expires`}`,
          `${p.nodes.length} 台   ${p.nodes.length - away.length} 台立即${away.length === 0 ? '' : `   ${away.length} 台不在线：${someOf(away, say)}，等待 10 分钟后过期`}`,
        );
  const kept = streams.toLocaleString('en');
  return typedSheetRows(
    {
      title: say(`Reload region ${region}`, `重载区域 ${region}`),
      aside: dryRun(sheet, ui),
      facts: [
        { label: say('hits', '影响'), text: hits },
        {
          label: say('streams', '流'),
          text: say(
            `${kept} stay, 0 cut   each node reads again the version it runs`,
            `保留 ${kept} 条，不断流   各自重读现行版本`,
          ),
        },
        {
          label: say('pace', '节奏'),
          text: say(
            `${RELOAD_PARALLEL} at once, ${RELOAD_TIMEOUT_MS / 1000} s each at most`,
            `同时 ${RELOAD_PARALLEL} 台，每台至多 ${RELOAD_TIMEOUT_MS / 1000} s`,
          ),
        },
      ],
      reason: null,
      type:
        p === null
          ? null
          : { want: String(p.nodes.length), what: say('the number of nodes', '节点数'), typed: sheet.typed },
      focus: 'type',
      error: errorOf(sheet, ui),
      keys: typedKeys(say('reload', '重载'), say, false),
      last: null,
    },
    ui,
  );
}

export function reloadRows(sheet: ReloadSheet, state: State, ui: Ui): readonly Row[] {
  const say = picker(ui);
  const n = sheet.nodes.length;
  if (sheet.region !== null) return regionRows(sheet, sheet.region, state, ui);
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
  if (wantedWord(sheet) !== null) {
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
