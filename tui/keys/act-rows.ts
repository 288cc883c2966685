import { words } from '../store/words.ts';
import { all, allowed, onActiveSilence, onAlert, onNode, onRegion, takenBack } from './reasons.ts';
import { acts, bar, type KeyRow, later } from './row.ts';

/** Keys that act on nodes, alerts and silences. */
export const ACT_ROWS: readonly KeyRow[] = [
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
];
