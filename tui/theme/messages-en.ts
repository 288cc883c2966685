/** The console's own words. Values in braces; outside text is made safe before it is put in. */
export const EN = {
  'tab.nodes': 'Nodes',
  'tab.regions': 'Regions',
  'tab.rollouts': 'Rollouts',
  'tab.alerts': 'Alerts',
  'tab.incidents': 'Incidents',
  'tab.pulses': 'Pulses',
} as const;

export type WordKey = keyof typeof EN;
