import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatRefusal } from '../vocab/errors.ts';
import { documentDiff } from './diff.ts';
import type { TunnelDocument } from './document.ts';
import { configHash } from './hash.ts';
import { contains, ipBytes, parseNetwork } from './network.ts';
import { readDocument } from './read.ts';
import { requiredCapabilities } from './requires.ts';

const BOTH = readFileSync(new URL('fixtures/both.yml', import.meta.url), 'utf8');
const GUARDED = `${BOTH.replace('  addr: ":443"', '  addr: ":443"\n  climiter: c\n  limiter: l\n  rlimiter: r\n  admission: a')}
climiters: [{name: c, limits: ['$ 1000', '$$ 100', 192.168.0.0/16 50]}]
limiters: [{name: l, limits: ['$ 100MB 1.5KiB', '$$ 0 10MB', '2001:db8::/32 512B']}]
rlimiters: [{name: r, limits: ['$ 0.5']}]
admissions: [{name: a, matchers: [10.0.0.0/8, '::1']}]
`;

function read(text: string): TunnelDocument {
  const r = readDocument(text);
  if (!r.ok) throw new Error(r.refusals.map(formatRefusal).join('\n'));
  return r.document;
}

describe('what guards a service', () => {
  it("is read in gost's notation", () => {
    const doc = read(GUARDED);
    expect(doc.services[0]).toMatchObject({ climiter: 'c', limiter: 'l', rlimiter: 'r', admission: 'a' });
    expect(doc.climiters?.[0]?.limits).toEqual([
      { key: '$', limit: 1000 },
      { key: '$$', limit: 100 },
      { key: '192.168.0.0/16', limit: 50 },
    ]);
    expect(doc.limiters?.[0]?.limits).toEqual([
      { key: '$', in: 100 * 2 ** 20, out: 1536 },
      { key: '$$', in: null, out: 10 * 2 ** 20 },
      { key: '2001:db8::/32', in: 512, out: null },
    ]);
    expect(doc.rlimiters).toEqual([{ name: 'r', limits: [{ key: '$', limit: 0.5 }] }]);
    expect(doc.admissions).toEqual([{ name: 'a', whitelist: false, matchers: ['10.0.0.0/8', '::1'] }]);
    expect(requiredCapabilities(doc)).toEqual(
      expect.arrayContaining(['admission', 'climiter', 'limiter', 'rlimiter']),
    );
  });

  it('leaves the hash of a document without any as it was', () => {
    expect(configHash(read(BOTH))).toBe('a2a3a074a135acc48795001abe7a6277f2f2e153bbfaf6b95c573800f5e9504c');
    expect(Object.keys(read(BOTH))).toEqual(['services', 'chains', 'hops', 'authers']);
  });

  it('reroutes its service when it changes', () => {
    const more = read(GUARDED.replace('$$ 100', '$$ 101'));
    expect(documentDiff(read(GUARDED), more)).toMatchObject({
      rerouted: [more.services[0]?.name],
      closed: [],
    });
  });

  it.each([
    ['$$ 100', '$$ 0', 'climiters[0].limits[1]: 0 is not in 1-1000000'],
    ['$$ 100', '$$ 1 2', 'climiters[0].limits[1]: must be a key and one number'],
    ['$$ 100', '% 2', 'climiters[0].limits[1]: % is neither $, $$, an address nor a range'],
    ['192.168.0.0/16 50', '192.168.0.0/33 50', '192.168.0.0/33 is neither $'],
    ['$ 100MB 1.5KiB', '$ 100 100', 'limiters[0].limits[0]: must be a key and one or two sizes a second'],
    ['$ 100MB 1.5KiB', '$ 0 0B', 'limiters[0].limits[0]: limits nothing'],
    ['10.0.0.0/8', 'office.example', 'admissions[0].matchers[0]: office.example is neither an address'],
    [
      'climiter: c',
      'climiter: d',
      'services[0].climiter: no climiter is named d (there is c; gost would set no',
    ],
  ])('refuses %s as %s', (from, to, says) => {
    const r = readDocument(GUARDED.replace(from, to));
    expect(r.ok ? [] : r.refusals.map(formatRefusal).join()).toContain(says);
  });
});

describe('networks', () => {
  it.each([
    ['192.168.0.0/16', '192.168.255.1', true],
    ['192.168.0.0/16', '192.169.0.1', false],
    ['10.1.2.128/25', '10.1.2.129', true],
    ['10.1.2.128/25', '10.1.2.127', false],
    ['10.0.0.1', '::ffff:10.0.0.1', true],
    ['::ffff:10.0.0.0/104', '10.9.9.9', true],
    ['2001:db8::/33', '2001:db8:7fff::1', true],
    ['2001:db8::/33', '2001:db8:8000::1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['0.0.0.0/0', '203.0.113.1', true],
    ['0.0.0.0/0', '2001:db8::1', false],
  ])('%s and %s: %j', (network, address, inside) => {
    const n = parseNetwork(network);
    expect(n !== null && contains(n, ipBytes(address) ?? [])).toBe(inside);
  });

  it.each(['', '1.2.3', '1.2.3.4/33', '::/129', ':::', '1::2::3', 'x', '1.2.3.4/', '::ffff:1.2.3.4/95'])(
    '%j is none',
    (text) => {
      expect(parseNetwork(text)).toBeNull();
    },
  );
});
