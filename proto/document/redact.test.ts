// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how documents write their variables
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redact } from './redact.ts';
import { unifiedDiff } from './unified.ts';

const GOOD = readFileSync(new URL('fixtures/both.yml', import.meta.url), 'utf8');

describe('redact', () => {
  it.each([
    ['authers: [{name: a, auths: [{username: u, password: s3}]}]', 's3'],
    ['authers:\n- name: a\n  auths:\n  - username: u\n    password: "s3 cr#t"  # ours\n', '"s3 cr#t"'],
    ["hops: [{nodes: [{connector: {auth: {password: 'it''s'}}}]}]", "'it''s'"],
    ['api: {auth: {username: u, password: p9}}', 'p9'],
    ['handler: {auth: {token: t-1}}', 't-1'],
    ['a: 1 # password: old-one', 'old-one'],
    ['# password = old-one', 'old-one'],
    ['authers:\n- auths:\n  - password: pre${label.x}post\n', 'pre${label.x}post'],
    ['not: [yaml\n  password: p1', 'p1'],
  ])('%j', (text, secret) => {
    const shown = redact(text);
    expect(shown).not.toContain(secret);
    expect(shown).toBe(text.replace(secret, '*'.repeat(secret.length)));
  });

  it('a text over several lines keeps its lines', () => {
    const text = 'authers:\n- auths:\n  - password: |\n      one\n      two\n    username: u\n';
    expect(redact(text)).toBe('authers:\n- auths:\n  - password: *\n      ***\n      ***\n    username: u\n');
  });

  it.each([
    'authers: [{auths: [{username: u, password: ${secret.edge}}]}]',
    'authers: [{auths: [{username: u, password: "${secret.edge}"}]}]',
    'authers: [{auths: [{username: u, password: sealed:secret/edge@3}]}]',
    'services: [{name: passwords, addr: ":1"}]',
  ])('%j stays as it is', (text) => {
    expect(redact(text)).toBe(text);
  });

  it('whatever the password, nothing of it is left and everything else is', () => {
    const at = GOOD.indexOf('password: ') + 'password: '.length;
    const end = /[,}\n]/.exec(GOOD.slice(at))?.index ?? 0;
    fc.assert(
      fc.property(fc.stringMatching(/^[a-zA-Z0-9]{8,40}$/), (password) => {
        const text = `${GOOD.slice(0, at)}"${password}"${GOOD.slice(at + end)}`;
        const shown = redact(text);
        expect(shown).not.toContain(password);
        expect(shown.slice(0, at)).toBe(redact(GOOD).slice(0, at));
        expect(shown).toHaveLength(text.length);
      }),
    );
  });
});

describe('unifiedDiff', () => {
  const side = (name: string, text: string, shown = text) => ({ name, text, shown });
  const diff = (a: string, b: string) => unifiedDiff(side('v1', a), side('v2', b));

  it('is what diff -u says', () => {
    const a = 'one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\neleven\n';
    const b = a.replace('two\n', '2\n').replace('ten\n', '').replace('eleven\n', 'eleven\ntwelve\n');
    expect(diff(a, b)).toEqual({
      unified: [
        ...['--- v1', '+++ v2', '@@ -1,5 +1,5 @@', ' one', '-two', '+2', ' three', ' four', ' five'],
        ...['@@ -7,5 +7,5 @@', ' seven', ' eight', ' nine', '-ten', ' eleven', '+twelve', ''],
      ].join('\n'),
      added: 2,
      removed: 2,
    });
  });

  it.each([
    ['a\n', 'a\n', ''],
    ['', 'a\n', '--- v1\n+++ v2\n@@ -0,0 +1 @@\n+a\n'],
    ['a\n', '', '--- v1\n+++ v2\n@@ -1 +0,0 @@\n-a\n'],
  ])('%j to %j', (a, b, unified) => {
    expect(diff(a, b).unified).toBe(unified);
  });

  it('a change that is not shown is told all the same', () => {
    const { unified, added, removed } = unifiedDiff(
      side('v1', 'password: one', '***'),
      side('v2', 'x', '***'),
    );
    expect([unified, added, removed]).toEqual(['--- v1\n+++ v2\n@@ -1 +1 @@\n-***\n+***\n', 1, 1]);
  });

  it('taking out and putting in what it says makes the one of the other', () => {
    const line = fc.constantFrom('a', 'b', 'c', '');
    fc.assert(
      fc.property(fc.array(line, { maxLength: 40 }), fc.array(line, { maxLength: 40 }), (x, y) => {
        const text = (l: readonly string[]) => l.map((s) => `${s}\n`).join('');
        const { unified } = diff(text(x), text(y));
        expect(patched(x, unified)).toEqual(y);
      }),
    );
  });

  it('two texts that have nothing in common are told at once', () => {
    const a = Array.from({ length: 6000 }, (_, i) => `a${i}\n`).join('');
    const { added, removed } = diff(a, a.replaceAll('a', 'b'));
    expect([added, removed]).toEqual([6000, 6000]);
  });
});

function patched(lines: readonly string[], unified: string): string[] {
  const out: string[] = [];
  let at = 0;
  for (const l of unified.split('\n').slice(2, -1)) {
    const hunk = /^@@ -(\d+)(?:,(\d+))? /.exec(l);
    if (hunk) {
      const first = Number(hunk[1]) - (hunk[2] === '0' ? 0 : 1);
      out.push(...lines.slice(at, first));
      at = first;
    } else if (l.startsWith('+')) out.push(l.slice(1));
    else {
      if (l.startsWith(' ')) out.push(lines[at] ?? '?');
      at += 1;
    }
  }
  return [...out, ...lines.slice(at)];
}
