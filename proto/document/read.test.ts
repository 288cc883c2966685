import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatRefusal } from '../vocab/errors.ts';
import { readDocument } from './read.ts';

const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}.yml`, import.meta.url), 'utf8');

describe('whole documents', () => {
  it.each(['edge', 'core'])('reads the %s', (name) => {
    const r = readDocument(fixture(name));
    expect(r.ok ? r.warnings : r.refusals.map(formatRefusal)).toEqual([]);
  });

  it('tells the original edge file what gost ignores in it, and what to write', () => {
    const r = readDocument(fixture('original-edge-hk'));
    expect(r.ok ? [] : r.refusals.map(formatRefusal)).toMatchInlineSnapshot(`
      [
        "line 6, column 13: services[0].handler.type: http3 is not carried by this engine (it needs gost as the engine; between nodes write mtls)",
        "line 7, column 7: services[0].handler.dialer: is ignored by gost (write a chain with a hop; a dialer is of a hop's node: hops[].nodes[].dialer)",
        "line 9, column 15: services[0].handler.dialer.host: unknown variable \${CORE_NODE} (variables are rendered on the master; $\${ is how a text says \${)",
        "line 12, column 13: services[0].listener.type: quic is not carried by this engine (it needs gost as the engine; between nodes write mtls)",
        "line 13, column 7: services[0].listener.config: is ignored by gost (write listener.metadata)",
        "line 14, column 9: services[0].listener.config.max-incoming-streams: is ignored by gost (write metadata.maxStreams; of mtls and mwss)",
        "line 15, column 9: services[0].listener.config.congestion-control: is ignored by gost (remove it; gost has no such setting)",
      ]
    `);
  });

  it('reads Windows line ends and a byte order mark', () => {
    const r = readDocument(`\ufeff${fixture('both').replaceAll('\n', '\r\n')}`);
    expect(r).toEqual(readDocument(fixture('both')));
  });

  it.each([
    ['bypasses: []', 'unsupported'],
    ['hops: [{name: h, nodes: [{name: n, addr: "a:1", connector: {type: http}}]}]', 'unsupported'],
    ['# '.repeat(200_000), 'too_large'],
    ['x: 1', 'invalid'],
    ['services: [', 'invalid'],
  ])('%.20s… is refused as %s', (text, code) => {
    const r = readDocument(text);
    expect(r.ok ? [] : r.refusals.map((p) => p.code)).toContain(code);
  });
});
