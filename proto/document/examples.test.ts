import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatRefusal } from '../vocab/errors.ts';
import { parseAddress } from './address.ts';
import type { TunnelDocument } from './document.ts';
import { readDocument } from './read.ts';
import { renderTemplate } from './render.ts';

/** As shipped, without a single variable given. */
function example(name: string): TunnelDocument {
  const text = readFileSync(new URL(`../../config/${name}.yml`, import.meta.url), 'utf8');
  const rendered = renderTemplate(text, { vars: {} });
  const r = readDocument(rendered.ok ? rendered.text : '');
  expect(r.ok ? r.warnings : r.refusals.map(formatRefusal)).toEqual([]);
  if (!r.ok) throw new Error(name);
  return r.document;
}

describe('the documents shipped in config/', () => {
  const edge = example('gost-edge-hk');
  const core = example('gost-core-cn');

  it('an edge on :443 and :8080 that can only go through the cores', () => {
    expect(edge.services.map((s) => [s.addr, s.listener.type, s.handler.chain, s.forwarder])).toEqual([
      [':443', 'tls', 'to-core', null],
      [':8080', 'tcp', 'to-core', null],
    ]);
  });

  it('a core on :8443 and :8444 that hands all to its origin', () => {
    const nodes = [{ name: 'origin', addr: '127.0.0.1:8000' }];
    expect(core.services.map((s) => [s.addr, s.handler.type, s.listener.type, s.forwarder?.nodes])).toEqual([
      [':8443', 'relay', 'mtls', nodes],
      [':8444', 'relay', 'mwss', nodes],
    ]);
  });

  it('both ends speak under the identity of their nodes, on the same port', () => {
    const port = parseAddress(core.services[0]?.addr ?? '', 'listen');
    expect(core.services[0]?.listener.identity).toBe(true);
    for (const node of edge.hops.flatMap((h) => h.nodes)) {
      expect(node.dialer).toMatchObject({ type: 'mtls', identity: true });
      expect(parseAddress(node.addr, 'dial')).toMatchObject({
        port: typeof port === 'string' ? 0 : port.port,
      });
    }
  });
});

describe('the examples that need gost as the engine', () => {
  it.each([
    [
      'quic',
      [
        'line 25, column 13: services[1].listener.type: quic is not carried by this engine (it needs gost as the engine; between nodes write mtls)',
        'line 31, column 9: services[1].listener.metadata.keepAlive: not carried by this engine',
        'line 32, column 9: services[1].listener.metadata.ttl: not carried by this engine',
        'line 33, column 9: services[1].listener.metadata.maxIdleTimeout: not carried by this engine',
        'line 35, column 9: services[1].listener.metadata.backlog: not carried by this engine',
        'line 61, column 17: hops[0].nodes[0].dialer.type: quic is not carried by this engine (it needs gost as the engine; between nodes write mtls)',
      ],
    ],
    [
      'http3',
      [
        'line 9, column 13: services[0].handler.type: http3 is not carried by this engine (it needs gost as the engine; between nodes write mtls)',
        'line 12, column 13: services[0].listener.type: http3 is not carried by this engine (it needs gost as the engine; between nodes write mtls)',
        "line 18, column 7: services[0].forwarder: beside handler.chain is not carried by this engine (remove one; with a chain the last core's forwarder names the origin)",
        'line 38, column 17: hops[0].nodes[0].dialer.type: quic is not carried by this engine (it needs gost as the engine; between nodes write mtls)',
      ],
    ],
  ])('%s.yml: the embedded one refuses what it does not carry, by name and place', (name, says) => {
    const text = readFileSync(new URL(`../../config/examples/${name}.yml`, import.meta.url), 'utf8');
    const r = readDocument(text);
    expect(r.ok ? [] : r.refusals.map(formatRefusal)).toEqual(says);
  });
});
