import type { WordKey } from './messages-en.ts';

export const ZH: Readonly<Record<WordKey, string>> = {
  'tab.nodes': '节点',
  'tab.regions': '区域',
  'tab.rollouts': '发布',
  'tab.alerts': '告警',
  'tab.incidents': '事件',
  'tab.pulses': '脉搏',
};
