import { ORDER_KEYS } from '../keys/match.ts';
import { cursorIndex, cursorItem } from '../store/nodes-view.ts';
import { isStale } from '../store/select-header.ts';
import { countVerdicts, masterNow, type NodeItem, regionFigures } from '../store/select-nodes.ts';
import type { State } from '../store/state.ts';
import type { Row } from '../theme/row.ts';
import { peekRow } from '../views/foot.ts';
import type { FrameParts } from '../views/frame.tsx';
import {
  type MeasuredNodes,
  measureNodes,
  nodesTitleRow,
  nodeTableRows,
  visibleNodes,
} from '../views/node-table.ts';
import { orderByRow } from '../views/pages.ts';
import { type Ui, WIDE } from '../views/ui.ts';
import { firstRun } from './first-run.ts';
import { keybar, message, messageOrPrompt } from './foot.ts';
import { nodeRow, syncVerdict } from './node-row.ts';
import { clock, speak } from './words.ts';

const HEARTBEAT_MS = 10_000;

/** Column widths are set once, on entering the screen and on resize. */
export function measure(state: State): MeasuredNodes {
  return measureNodes(
    state.nodes.items.map(({ node }) => ({
      name: node.name,
      region: node.region,
      version: node.effective?.version ?? null,
      sync: syncVerdict(node.configSync),
    })),
  );
}

function title(state: State, ui: Ui): Row {
  const { nodes, picture } = state;
  if (state.prompt?.kind === 'order') {
    const keys = ORDER_KEYS.map((k) => ({ key: k.key, label: speak(k.label, ui.theme) }));
    return orderByRow({ screen: ui.theme.say('tab.nodes'), count: picture.facts.node.size, keys }, ui);
  }
  const rows = visibleNodes(ui);
  const to = Math.min(nodes.shown.length, nodes.top + rows);
  const asOf = isStale(state) && picture.receivedAt !== null ? clock(picture.receivedAt) : null;
  return nodesTitleRow(
    {
      filter: nodes.filterText === '' ? null : `/${nodes.filterText}`,
      shown: nodes.shown.length,
      total: nodes.items.length,
      verdicts: countVerdicts(nodes.shown),
      marked: nodes.marks.size,
      asOf,
      orderHeld: nodes.wouldMove,
      range: nodes.shown.length === 0 ? null : { from: nodes.top + 1, to },
    },
    ui,
  );
}

function peek(item: NodeItem | null, state: State, ui: Ui): Row {
  if (item === null) return peekRow(null, ui);
  const now = masterNow(state.picture);
  const { engine } = item.node;
  return peekRow(
    {
      node: nodeRow(item, now, state.nodes.marks.has(item.node.name), ui.theme),
      engine: engine === null ? null : `${engine.kind} ${engine.version}`,
      engineUpMs: engine === null ? null : Math.max(0, now - engine.startedAt),
      regionGap99Ms: regionFigures(item.node, state.picture)?.gap99Ms ?? null,
      alerts: item.alerts.flatMap((a) =>
        a.state === 'firing' ? [{ rule: a.rule, forMs: Math.max(0, now - a.firingAt) }] : [],
      ),
    },
    ui,
  );
}

export function nodesParts(
  state: State,
  ui: Ui,
  a: { readonly header: readonly Row[]; readonly measured: MeasuredNodes },
): FrameParts {
  const { nodes, picture } = state;
  if (picture.receivedAt !== null && picture.facts.node.size === 0 && nodes.shown.length === 0) {
    return { header: a.header, body: firstRun(state, ui), foot: [message(state, ui), keybar(state, ui)] };
  }
  const now = masterNow(picture);
  const onScreen = nodes.shown.slice(nodes.top, nodes.top + visibleNodes(ui));
  const at = cursorIndex(nodes) - nodes.top;
  const table = nodeTableRows(
    {
      rows: onScreen.map((i) => nodeRow(i, now, nodes.marks.has(i.node.name), ui.theme, ui.width < WIDE)),
      cursor: at >= 0 && at < onScreen.length ? at : null,
      sort: nodes.sort,
      heartbeatMs: Math.max(HEARTBEAT_MS, picture.begin?.heartbeatIntervalMs ?? 0),
      stale: isStale(state),
      measured: a.measured,
    },
    ui,
  );
  return {
    header: a.header,
    body: [title(state, ui), ...table],
    foot: [peek(cursorItem(nodes), state, ui), messageOrPrompt(state, ui), keybar(state, ui)],
  };
}
