import type { Intent } from '../store/intent.ts';
import { pauseVerb } from '../store/reduce-rollouts.ts';
import { shownRollout } from '../store/rollouts-view.ts';
import { backVerb } from '../store/sheets/verb.ts';
import type { State } from '../store/state.ts';
import { type Words, words } from '../store/words.ts';
import {
  all,
  allowed,
  always,
  anyVersion,
  describable,
  hasLast,
  legal,
  mayAct,
  notHere,
  onActiveSilence,
  onAlert,
  onNode,
  onRegion,
  onRollout,
  onScreen3,
  onTarget,
  onVersion,
  type Reason,
  revertable,
  takenBack,
} from './reasons.ts';

/** Where a key means something. A sheet and a prompt have keys of their own (`match.ts`). */
export const WHERES = [
  'nodes',
  'node',
  'regions',
  'rollout',
  'target',
  'alerts',
  'versions',
  'version',
  'absent',
  'help',
] as const;
export type Where = (typeof WHERES)[number];

export type Section = 'look' | 'find' | 'go' | 'act' | 'fleet' | 'leave';

export const SECTIONS: readonly { readonly id: Section; readonly title: Words }[] = [
  { id: 'look', title: words('Look', '查看') },
  { id: 'act', title: words('Act', '操作') },
  { id: 'find', title: words('Find', '查找') },
  { id: 'fleet', title: words('Fleet and rollout', '全局与发布') },
  { id: 'go', title: words('Go', '跳转') },
  { id: 'leave', title: words('Leave', '离开') },
];

/** One key: what it means, where, what it is called, and why it is off. The only table of keys there is. */
export interface KeyRow {
  /** Names as the router gives them; the first is printed. */
  readonly keys: readonly string[];
  readonly where: readonly Where[];
  readonly intent: Intent;
  readonly section: Section;
  readonly description: Words;
  /** In the key row: a short name and where it stands; those with the highest number are left out first. */
  readonly bar?: {
    readonly label: Words | ((state: State) => Words);
    readonly rank: number;
    /** Left out first where the row is narrow; those from the fifth on are as well. */
    readonly spare?: true;
    /** On the alerts screen: only while this table has the cursor. */
    readonly pane?: 'alerts' | 'silences';
  };
  /** Touches a node or the master's state: never from a paste, only on what was drawn. */
  readonly acts: boolean;
  /** `null`: it works. Otherwise why it is off. */
  readonly disabledReason: Reason;
}

const SCREENS: readonly Where[] = WHERES.filter((w) => w !== 'help');
const EVERYWHERE: readonly Where[] = WHERES;

function looks(
  keys: readonly string[],
  where: readonly Where[],
  section: Section,
  intent: Intent,
  description: Words,
  more: { bar?: KeyRow['bar']; off?: Reason } = {},
): KeyRow {
  const row = { keys, where, intent, section, description, acts: false, disabledReason: more.off ?? always };
  return more.bar === undefined ? row : { ...row, bar: more.bar };
}

function acts(
  keys: readonly string[],
  where: readonly Where[],
  intent: Intent,
  description: Words,
  off: Reason,
  bar?: KeyRow['bar'],
): KeyRow {
  const row = {
    keys,
    where,
    intent,
    section: 'act' as const,
    description,
    acts: true,
    disabledReason: all(mayAct, off),
  };
  return bar === undefined ? row : { ...row, bar };
}

function later(
  key: string,
  where: readonly Where[],
  section: Section,
  description: Words,
  en: string,
  zh: string,
): KeyRow {
  return {
    keys: [key],
    where,
    intent: { kind: 'not-here' },
    section,
    description,
    acts: false,
    disabledReason: notHere(en, zh),
  };
}

/** What reaches further than one node. */
function fleet(
  keys: readonly string[],
  where: readonly Where[],
  intent: Intent,
  description: Words,
  off: Reason,
  at?: KeyRow['bar'],
): readonly KeyRow[] {
  return [{ ...acts(keys, where, intent, description, off, at), section: 'fleet' }];
}

/** A key of screen 3: in its place on the nodes', off there. */
function elsewhere(key: string, intent: Intent, description: Words): readonly KeyRow[] {
  return fleet([key], ['nodes', 'node'], intent, description, onScreen3);
}

const bar = (en: string, zh: string, rank: number) => ({ label: words(en, zh), rank });

const PAUSE = { pause: words('pause', '暂停'), resume: words('resume', '继续') } as const;

function pauseWord(state: State): Words {
  const r = shownRollout(state.rollouts, state.picture.facts);
  return PAUSE[r === null ? 'pause' : pauseVerb(r)];
}

export const KEY_ROWS: readonly KeyRow[] = [
  // look
  looks(['enter', 'd'], ['nodes'], 'look', { kind: 'describe' }, words('describe', '详情'), {
    bar: bar('describe', '详情', 1),
    off: describable,
  }),
  looks(['enter'], ['regions'], 'look', { kind: 'describe' }, words('its nodes', '所含节点'), {
    bar: bar('its nodes', '节点', 1),
    off: onRegion,
  }),
  looks(['enter', 'd'], ['alerts'], 'look', { kind: 'describe' }, words('the node it is about', '所涉节点'), {
    bar: { ...bar('the node', '节点', 1), pane: 'alerts' },
    off: describable,
  }),
  looks(
    ['enter', 'd'],
    ['versions'],
    'look',
    { kind: 'describe' },
    words('diff to its parent', '与父版本比较'),
    {
      bar: bar('diff', '比较', 1),
      off: onVersion,
    },
  ),
  looks(['enter'], ['rollout'], 'look', { kind: 'describe' }, words('the target', '目标详情'), {
    bar: bar('target', '目标', 1),
    off: onTarget,
  }),
  looks(['enter'], ['target'], 'look', { kind: 'describe' }, words('its node', '所在节点'), {
    bar: bar('its node', '节点', 1),
    off: onTarget,
  }),
  looks(
    ['d'],
    ['rollout', 'target'],
    'look',
    { kind: 'describe', version: true },
    words('diff of its version', '其版本的差异'),
    { bar: { ...bar('diff', '比较', 2), spare: true }, off: onRollout },
  ),
  later(
    'l',
    ['nodes', 'node'],
    'look',
    words('logs, live', '实时日志'),
    'describe shows the last lines',
    '详情页有最近日志',
  ),
  later(
    'y',
    ['nodes', 'node', 'alerts'],
    'look',
    words('yaml, as rendered', '渲染后的 yaml'),
    'aicdnctl config show LABEL prints it',
    '可用 aicdnctl config show',
  ),
  later(
    'c',
    ['nodes', 'node', 'alerts'],
    'look',
    words('copy the name', '复制名称'),
    'select it with the mouse',
    '请用鼠标选取',
  ),
  later(
    't',
    ['nodes', 'node', 'regions'],
    'look',
    words('window 10m 1h 6h 24h', '时间窗'),
    'describe shows the last hour',
    '详情页为最近一小时',
  ),
  later(
    'w',
    ['nodes'],
    'look',
    words('wide: more columns', '宽表：更多列'),
    'a wider window shows more columns',
    '窗口越宽，列越多',
  ),
  looks(
    ['f'],
    ['nodes', 'node', 'regions', 'rollout', 'target', 'alerts'],
    'look',
    { kind: 'freeze' },
    words('freeze the picture', '冻结画面'),
  ),
  // find
  looks(
    ['/'],
    ['nodes'],
    'find',
    { kind: 'filter-open' },
    words('filter: re, !re, -f, -l', '过滤：re、!re、-f、-l'),
    {
      bar: bar('filter', '过滤', 4),
    },
  ),
  looks(['o'], ['nodes'], 'find', { kind: 'order-open' }, words('order by a column', '按列排序'), {
    bar: bar('order', '排序', 5),
  }),
  looks(
    ['<'],
    ['nodes'],
    'find',
    { kind: 'order-shift', by: -1 },
    words('order by the column before', '排序列左移'),
  ),
  looks(
    ['>'],
    ['nodes'],
    'find',
    { kind: 'order-shift', by: 1 },
    words('order by the column after', '排序列右移'),
  ),
  looks(['~'], ['nodes'], 'find', { kind: 'order-turn' }, words('turn the order round', '反转顺序')),
  looks(['space'], ['nodes'], 'find', { kind: 'mark' }, words('mark, unmark', '标记、取消'), { off: onNode }),
  later(
    'v',
    ['nodes'],
    'find',
    words('mark a range', '范围标记'),
    'space marks one by one',
    '用空格逐个标记',
  ),
  looks([':'], SCREENS, 'find', { kind: 'command-open' }, words('command', '命令')),
  // go
  looks(['1'], SCREENS, 'go', { kind: 'open-screen', screen: 'nodes' }, words('nodes', '节点')),
  looks(['2'], SCREENS, 'go', { kind: 'open-screen', screen: 'regions' }, words('regions', '地区')),
  looks(
    ['3'],
    SCREENS,
    'go',
    { kind: 'open-screen', screen: 'rollouts' },
    words('rollouts, versions', '发布与版本'),
  ),
  looks(
    ['4'],
    SCREENS,
    'go',
    { kind: 'open-screen', screen: 'alerts' },
    words('alerts and silences', '告警与静默'),
  ),
  looks(['5'], SCREENS, 'go', { kind: 'open-screen', screen: 'incidents' }, words('incidents', '事件'), {
    off: notHere('describe shows what happened to a node', '详情页有节点经历'),
  }),
  looks(['6'], SCREENS, 'go', { kind: 'open-screen', screen: 'pulses' }, words('pulses', '脉搏'), {
    off: notHere('the header carries the figures', '页眉有全局数字'),
  }),
  looks(['j', 'down'], EVERYWHERE, 'go', { kind: 'move', by: 1 }, words('down', '下移')),
  looks(['k', 'up'], EVERYWHERE, 'go', { kind: 'move', by: -1 }, words('up', '上移')),
  looks(['pgdn', 'ctrl-f'], EVERYWHERE, 'go', { kind: 'page', by: 1 }, words('a page down', '下一页')),
  looks(['pgup', 'ctrl-b'], EVERYWHERE, 'go', { kind: 'page', by: -1 }, words('a page up', '上一页')),
  looks(['g', 'home'], EVERYWHERE, 'go', { kind: 'jump', to: 'first' }, words('first', '首行')),
  looks(['G', 'end'], EVERYWHERE, 'go', { kind: 'jump', to: 'last' }, words('last', '末行')),
  looks(['tab'], ['alerts'], 'go', { kind: 'next-pane' }, words('alerts or silences', '告警或静默'), {
    bar: bar('other table', '另一表', 3),
  }),
  looks(['tab'], ['rollout', 'target'], 'go', { kind: 'next-pane' }, words('config versions', '配置版本'), {
    bar: bar('versions', '版本', 6),
  }),
  looks(['tab'], ['versions', 'version'], 'go', { kind: 'next-pane' }, words('the rollout', '发布'), {
    bar: bar('rollout', '发布', 3),
  }),
  looks(['left'], ['rollout'], 'go', { kind: 'other', by: -1 }, words('a newer rollout', '较新的发布'), {
    off: onRollout,
  }),
  looks(['right'], ['rollout'], 'go', { kind: 'other', by: 1 }, words('an older rollout', '较旧的发布'), {
    off: onRollout,
  }),
  looks(['-'], SCREENS, 'go', { kind: 'last-screen' }, words('last screen', '上一屏'), { off: hasLast }),
  later(',', SCREENS, 'go', words('history back', '历史后退'), '- goes to the last screen', '- 回到上一屏'),
  later(
    '.',
    SCREENS,
    'go',
    words('history forward', '历史前进'),
    '- goes to the last screen',
    '- 回到上一屏',
  ),
  looks(['ctrl-r'], SCREENS, 'go', { kind: 'refresh' }, words('reconnect, read again', '重连并重读')),
  // act
  acts(
    ['r'],
    ['nodes', 'node'],
    { kind: 'reload' },
    words('reload: reads the config again, keeps streams', '重载：重读配置，保留流'),
    all(allowed('command.reload'), onNode),
    bar('reload', '重载', 2),
  ),
  acts(
    ['r'],
    ['regions'],
    { kind: 'reload' },
    words('reload region', '重载区域'),
    all(allowed('command.reload'), onRegion),
    bar('reload region', '重载区域', 2),
  ),
  acts(
    ['x'],
    ['regions'],
    { kind: 'drain' },
    words('drain region, or end its drain', '排空区域或结束排空'),
    all(allowed('command.drain'), onRegion),
    bar('drain region', '排空区域', 3),
  ),
  acts(
    ['m'],
    ['regions'],
    { kind: 'silence' },
    words('silence its alerts', '静默其告警'),
    all(allowed('silence.create'), onRegion),
    bar('silence', '静默', 5),
  ),
  acts(
    ['m'],
    ['nodes', 'node'],
    { kind: 'silence' },
    words('silence its alerts', '静默其告警'),
    all(allowed('silence.create'), onNode),
    bar('silence', '静默', 3),
  ),
  acts(
    ['m'],
    ['alerts'],
    { kind: 'silence' },
    words('silence this alert', '静默该告警'),
    all(allowed('silence.create'), onAlert),
    { ...bar('silence', '静默', 2), pane: 'alerts' },
  ),
  acts(
    ['e'],
    ['alerts'],
    { kind: 'expire-silence' },
    words('end a silence now', '立即结束静默'),
    all(allowed('silence.expire'), onActiveSilence),
    { ...bar('end it', '结束', 2), pane: 'silences' },
  ),
  acts(
    ['u'],
    ['nodes', 'node', 'versions', 'version'],
    { kind: 'roll-back' },
    words('roll back its version', '回滚其版本'),
    all(allowed('config.rollback'), takenBack),
    bar('roll back', '回滚', 6),
  ),
  acts(
    ['R'],
    ['nodes', 'node'],
    { kind: 'restart' },
    words('restart, cuts streams', '重启，会断流'),
    all(allowed('command.restart'), onNode),
  ),
  acts(
    ['x'],
    ['nodes', 'node'],
    { kind: 'drain' },
    words('drain, or end a drain', '排空或结束排空'),
    all(allowed('command.drain'), onNode),
  ),
  later(
    's',
    ['nodes', 'node'],
    'act',
    words('shell command', '登录主机'),
    'ssh from another window',
    '请另开窗口 ssh',
  ),
  later(
    'a',
    ['nodes', 'node', 'alerts'],
    'act',
    words('acknowledge', '确认告警'),
    'm silences an alert',
    'm 可静默告警',
  ),
  later('i', ['nodes', 'node', 'alerts'], 'act', words('incident', '事件单'), 'incidents', '事件'),
  // fleet
  ...fleet(
    ['n'],
    ['rollout', 'target'],
    { kind: 'rollout-verb', verb: 'promote', id: null },
    words('promote to the next step', '推进到下一步'),
    all(
      allowed('rollout.promote'),
      onRollout,
      legal(() => 'promote'),
    ),
    bar('promote', '推进', 3),
  ),
  ...fleet(
    ['p'],
    ['rollout', 'target'],
    { kind: 'pause' },
    words('pause, resume', '暂停、继续'),
    all(allowed('rollout.pause'), onRollout, legal(pauseVerb)),
    { ...bar('pause', '暂停', 4), label: pauseWord },
  ),
  ...fleet(
    ['u'],
    ['rollout', 'target'],
    { kind: 'roll-back' },
    words('roll back: abort it, or undo it', '回滚：中止或撤销'),
    all(allowed('rollout.abort'), onRollout, legal(backVerb)),
    bar('roll back', '回滚', 4.5),
  ),
  ...fleet(
    ['P'],
    ['versions', 'version'],
    { kind: 'publish' },
    words('publish the version', '发布该版本'),
    all(allowed('config.publish'), onVersion),
    bar('publish', '发布', 2),
  ),
  ...fleet(
    ['P'],
    ['rollout', 'target'],
    { kind: 'publish' },
    words('publish the newest version', '发布最新版本'),
    all(allowed('config.publish'), anyVersion),
    bar('publish', '发布', 7),
  ),
  ...fleet(
    ['P'],
    ['regions'],
    { kind: 'publish' },
    words('publish here the newest version', '在此发布最新版本'),
    all(allowed('config.publish'), anyVersion),
    bar('publish here', '在此发布', 4),
  ),
  ...fleet(
    ['P'],
    ['nodes', 'node'],
    { kind: 'publish' },
    words('publish the newest version', '发布最新版本'),
    all(allowed('config.publish'), anyVersion),
  ),
  ...elsewhere('n', { kind: 'rollout-verb', verb: 'promote', id: null }, words('promote', '推进发布')),
  ...elsewhere('p', { kind: 'pause' }, words('pause, resume', '暂停、继续')),
  ...fleet(
    ['U'],
    SCREENS,
    { kind: 'revert-last' },
    words('fleet revert, last publish', '全局回退上次发布'),
    all(allowed('rollout.revert_last'), revertable),
  ),
  // leave
  looks(['?'], EVERYWHERE, 'leave', { kind: 'help' }, words('these keys', '按键说明')),
  looks(['esc'], EVERYWHERE, 'leave', { kind: 'peel' }, words('back one layer', '退一层')),
  looks(['q'], EVERYWHERE, 'leave', { kind: 'back' }, words('back; at the root, quit', '返回；在根上退出')),
  looks(['ctrl-c'], EVERYWHERE, 'leave', { kind: 'quit' }, words('quit; actions run on', '退出；任务继续')),
];
