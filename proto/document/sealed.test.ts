import { describe, expect, it } from 'vitest';
import { formatRefusal } from '../vocab/errors.ts';
import { formatSealedRef, isSecretName, parseSealedRef } from '../vocab/secret.ts';
import { readDocument } from './read.ts';
import { nodeCapabilities, requiredCapabilities, sealedRefs } from './requires.ts';

const document = (over: { tls?: string; password?: string; addr?: string } = {}) => `\
services:
- name: core
  addr: "${over.addr ?? ':8443'}"
  handler: {type: relay, auther: edges}
  listener: {type: tls, tls: ${over.tls ?? '{certFile: sealed:cert/web@3}'}}
  forwarder: {nodes: [{name: o, addr: "127.0.0.1:9"}]}
authers: [{name: edges, auths: [{username: e1, password: ${over.password ?? 'sealed:secret/edge@12'}}]}]
`;

const says = (text: string): string | string[] => {
  const r = readDocument(text);
  return r.ok ? 'ok' : r.refusals.map(formatRefusal);
};

describe('a document that names sealed values', () => {
  it('is read; a certificate brings its key along', () => {
    const r = readDocument(document());
    if (!r.ok) throw new Error(says(document()).toString());
    expect(r.document.services[0]?.listener.tls).toEqual({
      certFile: 'sealed:cert/web@3',
      keyFile: 'sealed:cert/web@3',
      caFile: null,
    });
    expect(sealedRefs(r.document)).toEqual([
      { kind: 'certificate', name: 'web', version: 3 },
      { kind: 'secret', name: 'edge', version: 12 },
    ]);
    expect(requiredCapabilities(r.document)).toContain('sealed');
  });

  it('is for nodes whose engine and agent both know how', () => {
    expect(nodeCapabilities(['listener.tls'])).not.toContain('sealed');
    expect(nodeCapabilities(['listener.tls', 'sealed-files'])).toContain('sealed');
  });

  it.each([
    [
      'a secret as a certificate',
      { tls: '{certFile: sealed:secret/edge@1, keyFile: k}' },
      'a sealed secret cannot',
    ],
    [
      'a certificate as a password',
      { password: 'sealed:cert/web@1' },
      'a sealed certificate cannot stand here',
    ],
    ['a secret as an address', { addr: 'sealed:secret/a@1' }, 'a sealed secret cannot stand here'],
    ['a part of a text', { password: 'x-sealed:secret/a@1' }, 'a sealed value must stand alone'],
    [
      'a name that leads elsewhere',
      { password: 'sealed:secret/../../x@1' },
      'a sealed value must stand alone',
    ],
  ])('%s is refused', (_, over, want) => {
    expect(says(document(over)).toString()).toContain(want);
  });
});

describe('names', () => {
  it.each(['web', 'web-eu.2', 'A_1', '0'.repeat(63)])('%s', (name) => {
    expect(isSecretName(name)).toBe(true);
    const ref = { kind: 'certificate', name, version: 7 } as const;
    expect(parseSealedRef(formatSealedRef(ref))).toEqual(ref);
  });

  it.each(['', '../x', 'a/b', '.hidden', 'a b', 'a\n', 'é', '0'.repeat(64)])('%j is none', (name) => {
    expect(isSecretName(name)).toBe(false);
  });

  it.each([
    'sealed:cert/web@0',
    'sealed:cert/web',
    'sealed:key/web@1',
    'sealed:cert/web@1 ',
    'Sealed:cert/web@1',
  ])('%j is no reference', (text) => {
    expect(parseSealedRef(text)).toBeNull();
  });
});
