import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { type DocumentDiff, documentDiff } from './diff.ts';
import type { TunnelDocument } from './document.ts';
import { readDocument } from './read.ts';

const BOTH = readFileSync(new URL('fixtures/both.yml', import.meta.url), 'utf8');

function read(text: string): TunnelDocument {
  const r = readDocument(text);
  if (!r.ok) throw new Error(JSON.stringify(r.refusals));
  return r.document;
}

const NONE: DocumentDiff = { opened: [], closed: [], rerouted: [], unchanged: [] };

it('from nothing everything opens', () => {
  expect(documentDiff(null, read(BOTH))).toEqual({ ...NONE, opened: ['edge', 'core'] });
});

it.each<[what: string, from: string, to: string, want: Partial<DocumentDiff>]>([
  ['nothing', '', '', { unchanged: ['edge', 'core'] }],
  ['an address', '":443"', '":444"', { opened: ['edge'], closed: ['edge'], unchanged: ['core'] }],
  ['a certificate file', 'edge.pem', 'new.pem', { opened: ['edge'], closed: ['edge'], unchanged: ['core'] }],
  [
    'own files instead of the identity',
    'type: tls\n  forwarder',
    'type: tls\n    tls: {certFile: c, keyFile: k}\n  forwarder',
    { opened: ['core'], closed: ['core'], unchanged: ['edge'] },
  ],
  ['a name', 'name: edge\n', 'name: front\n', { opened: ['front'], closed: ['edge'], unchanged: ['core'] }],
  [
    "a node's address, two references away",
    '203.0.113.10',
    '203.0.113.11',
    { rerouted: ['edge'], unchanged: ['core'] },
  ],
  ['a selector', 'fifo', 'rand', { rerouted: ['edge'], unchanged: ['core'] }],
  ['a password', 's3', 's4', { rerouted: ['core'], unchanged: ['edge'] }],
  ['an origin', '127.0.0.1:8000', '127.0.0.1:8001', { rerouted: ['core'], unchanged: ['edge'] }],
  ['a time-out', 'dialTimeout: 8s', 'dialTimeout: 9s', { rerouted: ['edge'], unchanged: ['core'] }],
  [
    'an auther nobody uses',
    'authers:',
    'authers:\n- {name: x, auths: [{username: u, password: p}]}',
    { unchanged: ['edge', 'core'] },
  ],
])('%s', (_, from, to, want) => {
  expect(BOTH).toContain(from);
  expect(documentDiff(read(BOTH), read(BOTH.replace(from, to)))).toEqual({ ...NONE, ...want });
});

it('limits of sessions and buffers change under a listener that stays', () => {
  const core = (metadata: string): TunnelDocument =>
    read(BOTH.replace('type: tls\n  forwarder', `type: mtls\n    metadata: {${metadata}}\n  forwarder`));
  const before = core('mux.version: 2');
  for (const metadata of ['maxStreams: 10', 'readBufferSize: 1MB'])
    expect(documentDiff(before, core(metadata))).toEqual({
      ...NONE,
      rerouted: ['core'],
      unchanged: ['edge'],
    });
});

it('a service that is gone is closed', () => {
  const two = read(BOTH);
  const one: TunnelDocument = { ...two, services: two.services.slice(1) };
  expect(documentDiff(two, one)).toEqual({ ...NONE, closed: ['edge'], unchanged: ['core'] });
});
