import { configIndex, history, targetWords, type VersionItem } from '../store/configs-view.ts';
import { isStale } from '../store/select-header.ts';
import { masterNow } from '../store/select-nodes.ts';
import type { State } from '../store/state.ts';
import type { Row } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import { configsRows, diffRows, type VersionRow } from '../views/configs.ts';
import type { FrameParts } from '../views/frame.tsx';
import type { Ui } from '../views/ui.ts';
import { keybar, messageOrPrompt } from './foot.ts';
import { ago } from './node.ts';
import { clock, person, speak } from './words.ts';

/** Refused somewhere, on its way, on all that should have it, or with nobody. */
function verdict(i: VersionItem): Verdict {
  if (i.failed > 0) return 'wrong';
  if (i.wanted === 0) return i.version.publications.length === 0 ? 'waiting' : 'aside';
  return i.running === i.wanted ? 'well' : 'changing';
}

function versionRow(i: VersionItem, now: number, ui: Ui): VersionRow {
  const { version: v } = i;
  const zh = ui.theme.lang === 'zh';
  const last = v.publications.at(-1);
  return {
    label: v.label,
    verdict: verdict(i),
    age: ago(now, v.createdAt),
    by: person(v.createdBy),
    nodes: i.wanted === 0 ? '-' : `${i.running}/${i.wanted}`,
    to: last === undefined ? (zh ? '未发布' : 'not published') : targetWords(last.target),
    what: v.rollbackOf === null ? v.description : zh ? `恢复 ${v.rollbackOf}` : `puts back ${v.rollbackOf}`,
  };
}

export function configsParts(state: State, ui: Ui, header: readonly Row[]): FrameParts {
  const foot = [messageOrPrompt(state, ui), keybar(state, ui)];
  const { configs: v } = state;
  if (v.diff !== null) {
    const { error, ...diff } = v.diff;
    const body = diffRows({ ...diff, error: error === null ? null : speak(error, ui.theme) }, ui);
    return { header, foot, body };
  }
  const now = masterNow(state.picture);
  const body = configsRows(
    {
      versions: v.items.map((i) => versionRow(i, now, ui)),
      cursor: Math.max(0, configIndex(v)),
      history: history(v).map(({ label, publication: p }) => ({
        at: clock(p.publishedAt),
        label,
        to: targetWords(p.target),
        by: person(p.publishedBy),
        why: p.reason,
      })),
      stale: isStale(state),
    },
    ui,
  );
  return { header, foot, body };
}
