import { expect, test } from 'vitest';
import type { NodeName } from './ids.ts';
import { dnsNameOf, nameFromSpiffe, spiffeOf } from './spiffe.ts';

test.each(['hk-node-1', 'a', '香港-1', 'né'])('%s survives the way there and back, in ASCII', (name) => {
  const uri = spiffeOf(name as NodeName);
  expect(uri).toMatch(/^[\x21-\x7e]+$/);
  expect(nameFromSpiffe(uri)).toBe(name);
  expect(dnsNameOf(name as NodeName)).toMatch(/^[a-z0-9-]{1,63}$/);
});

test.each([
  'spiffe://ai-cdn/node/',
  'spiffe://ai-cdn/node/a/b',
  'spiffe://ai-cdn/node/A',
  'spiffe://ai-cdn/node/%61',
  'spiffe://ai-cdn/node/%E9%A6',
  'spiffe://ai-cdn/node/%e9%a6%99',
  'spiffe://ai-cdn/node/a%2Fb',
  'spiffe://ai-cdn/node/a?x',
  'spiffe://other/node/a',
  'SPIFFE://ai-cdn/node/a',
  'https://ai-cdn/node/a',
])('%s names no node', (uri) => {
  expect(nameFromSpiffe(uri)).toBeNull();
});
