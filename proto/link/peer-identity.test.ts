import { expect, test } from 'vitest';
import { nodeOfPeer, nodeOfSubjectAltName } from './peer-identity.ts';

test.each([
  ['URI:spiffe://ai-cdn/node/hk-1, DNS:hk-1', 'hk-1'],
  ['DNS:hk-1, URI:spiffe://ai-cdn/node/hk-1', 'hk-1'],
  ['URI:spiffe://ai-cdn/node/%E9%A6%99%E6%B8%AF-1', '香港-1'],
  ['URI:spiffe://ai-cdn/node/hk-1, IP Address:127.0.0.1', 'hk-1'],
])('%s is %s', (san, name) => {
  expect(nodeOfSubjectAltName(san)).toBe(name);
});

test.each([
  undefined,
  '',
  'DNS:hk-1',
  'DNS:"x, URI:spiffe://ai-cdn/node/hk-1"',
  'DNS:"x\\", URI:spiffe://ai-cdn/node/hk-1"',
  'DNS:"x, URI:spiffe://ai-cdn/node/hk-1',
  'URI:"spiffe://ai-cdn/node/hk-1"',
  'URI:spiffe://ai-cdn/node/hk-1, URI:spiffe://ai-cdn/node/hk-2',
  'URI:spiffe://ai-cdn/node/hk-1,URI:spiffe://ai-cdn/node/hk-2',
  'URI:spiffe://ai-cdn/node/hk-1\nURI:x',
  'URI:spiffe://ai-cdn/node/../hk-1',
  'spiffe://ai-cdn/node/hk-1',
])('%j is nobody', (san) => {
  expect(nodeOfSubjectAltName(san)).toBeNull();
});

test('a peer that showed no certificate is nobody', () => {
  expect(nodeOfPeer({})).toBeNull();
  expect(nodeOfPeer(null)).toBeNull();
});
