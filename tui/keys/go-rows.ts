import { words } from '../store/words.ts';
import { hasLast, notHere, onRollout } from './reasons.ts';
import { bar, type KeyRow, later, looks, SCREENS, WHERES } from './row.ts';

/** Keys that go somewhere, and that leave. */
export const GO_ROWS: readonly KeyRow[] = [
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
  looks(['j', 'down'], WHERES, 'go', { kind: 'move', by: 1 }, words('down', '下移')),
  looks(['k', 'up'], WHERES, 'go', { kind: 'move', by: -1 }, words('up', '上移')),
  looks(['pgdn', 'ctrl-f'], WHERES, 'go', { kind: 'page', by: 1 }, words('a page down', '下一页')),
  looks(['pgup', 'ctrl-b'], WHERES, 'go', { kind: 'page', by: -1 }, words('a page up', '上一页')),
  looks(['g', 'home'], WHERES, 'go', { kind: 'jump', to: 'first' }, words('first', '首行')),
  looks(['G', 'end'], WHERES, 'go', { kind: 'jump', to: 'last' }, words('last', '末行')),
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
  // leave
  looks(['?'], WHERES, 'leave', { kind: 'help' }, words('these keys', '按键说明')),
  looks(['esc'], WHERES, 'leave', { kind: 'peel' }, words('back one layer', '退一层')),
  looks(['q'], WHERES, 'leave', { kind: 'back' }, words('back; at the root, quit', '返回；在根上退出')),
  looks(['ctrl-c'], WHERES, 'leave', { kind: 'quit' }, words('quit; actions run on', '退出；任务继续')),
];
