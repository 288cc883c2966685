import { words } from '../store/words.ts';
import { describable, onNode, onRegion, onRollout, onTarget, onVersion } from './reasons.ts';
import { bar, type KeyRow, later, looks, SCREENS } from './row.ts';

/** Keys that look closer, and that find. */
export const LOOK_ROWS: readonly KeyRow[] = [
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
    ['nodes', 'node'],
    'look',
    words('window 10m 1h 6h 24h', '时间窗'),
    'describe shows the last hour',
    '详情页为最近一小时',
  ),
  looks(
    ['t'],
    ['regions'],
    'look',
    { kind: 'window' },
    words('window 24m 1h 6h 24h 10m', '时间窗 24m 1h 6h 24h 10m'),
    {
      bar: bar('window', '时间窗', 6),
    },
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
];
