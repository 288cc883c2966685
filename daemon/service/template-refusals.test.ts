// biome-ignore-all lint/suspicious/noTemplateCurlyInString: documents name their variables this way
import { describe, expect, it } from 'vitest';
import { formatRefusal } from '../../proto/vocab/errors.ts';
import { templateRefusals } from './template-refusals.ts';

const says = (template: string): string => templateRefusals(template).map(formatRefusal).join('\n');

// A careless reader is stopped here by the run's time-out.
describe('templates that mean harm', () => {
  const entries = (unit: string, n: number): string => unit.repeat(n);
  it.each([
    [
      'a thousand labels',
      `services:\n${Array.from({ length: 1000 }, (_, i) => `- \${label.a${i}}\n`).join('')}`,
      /./,
    ],
    [
      'five thousand cores',
      `hops:\n${entries('- ${core.name}\n', 5000)}`,
      /more than 64 entries are repeated/,
    ],
    ['twenty thousand lists', '['.repeat(20_000), /nested deeper than 32/],
    ['twenty thousand lists around a core', `${'['.repeat(20_000)}\${core.name}`, /nested deeper than 32/],
    ['an anchor', 'services: &a [{name: x}]\nhops: *a\n', /anchors/],
    ['a billion laughs of variables', entries('${label.a}', 20_000), /./],
    ['a variable without an end', entries('${', 60_000), /is no variable/],
    ['a prototype', '__proto__: {a: 1}\nservices: []\n', /__proto__: unknown key/],
    ['a variable of the prototype', 'services: ${__proto__}', /unknown variable/],
    ['a list of the prototype', 'services: [${__proto__.name}, ${constructor.name}]', /unknown variable/],
    ['a label of the prototype', 'services: ${label.__proto__}', /services/],
    ['a name that leads elsewhere', 'services: [${cert.../../etc/passwd}]', /is no variable/],
    ['a name of dots', 'services: [{name: ${cert...}}]', /sealed value must stand alone/],
    ['a reference that nobody gave', 'a: sealed:secret/root@1', /written by the master only/],
  ])('%s', (_, template, why) => {
    expect(says(template)).toMatch(why);
  });
});
