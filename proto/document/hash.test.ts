import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import type { TunnelDocument } from './document.ts';
import { bodyHash, canonicalJson, configHash } from './hash.ts';
import { readDocument } from './read.ts';

const BOTH = readFileSync(new URL('fixtures/both.yml', import.meta.url), 'utf8');

function read(text: string): TunnelDocument {
  const r = readDocument(text);
  if (!r.ok) throw new Error(JSON.stringify(r.refusals));
  return r.document;
}

/** The same value with the keys of every map in another order. */
function shuffled(value: unknown, seed: number): unknown {
  if (Array.isArray(value)) return value.map((v) => shuffled(v, seed));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([k, v]) => [k, shuffled(v, seed)] as const);
  const turn = seed % Math.max(entries.length, 1);
  return Object.fromEntries([...entries.slice(turn), ...entries.slice(0, turn)].reverse());
}

describe('configHash', () => {
  it('is the same over what comes back from an engine', () => {
    const doc = read(BOTH);
    expect(configHash(JSON.parse(JSON.stringify(doc)))).toBe(configHash(doc));
  });

  it('does not see formatting, comments, quotes and the order of keys', () => {
    const want = configHash(read(BOTH));
    fc.assert(
      fc.property(fc.nat(20), fc.boolean(), fc.integer({ min: 2, max: 6 }), (seed, flow, indent) => {
        const value = shuffled(parse(BOTH), seed);
        const text = flow
          ? JSON.stringify(value)
          : `# x\n${stringify(value, { indent, defaultStringType: 'QUOTE_DOUBLE' })}`;
        expect(configHash(read(text))).toBe(want);
      }),
      { numRuns: 40 },
    );
  });

  it('does not see a default that is written out, or a duration said otherwise', () => {
    const said = BOTH.replace('dialTimeout: 8s', 'dialTimeout: 8000ms\n    enableStats: true').replace(
      'chain: to-core',
      'chain: to-core\n    retries: 0',
    );
    expect(configHash(read(said))).toBe(configHash(read(BOTH)));
  });

  it.each([
    ['":443"', '":444"'],
    ['15s', '16s'],
    ['s3', 's4'],
    ['strategy: fifo', 'strategy: rand'],
  ])('sees %s become %s', (from, to) => {
    expect(configHash(read(BOTH.replace(from, to)))).not.toBe(configHash(read(BOTH)));
  });

  it('is what it was: agents and masters of two releases must agree', () => {
    expect(configHash({ services: [], chains: [], hops: [], authers: [] })).toBe(
      bodyHash(new TextEncoder().encode('{"authers":[],"chains":[],"hops":[],"services":[]}')),
    );
  });
});

describe('canonicalJson', () => {
  it('sorts keys at every depth and drops what JSON drops', () => {
    expect(canonicalJson({ b: [{ d: 1, c: undefined }], a: null, '10': 'x', '9': true })).toBe(
      '{"10":"x","9":true,"a":null,"b":[{"d":1}]}',
    );
  });

  it('survives a trip through JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

it('bodyHash is sha256 of the bytes', () => {
  expect(bodyHash(new TextEncoder().encode('abc'))).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});
