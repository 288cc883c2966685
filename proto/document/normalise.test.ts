// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how documents write their variables
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatRefusal } from '../vocab/errors.ts';
import type { TunnelDocument } from './document.ts';
import { readDocument } from './read.ts';
import { requiredCapabilities } from './requires.ts';

const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}.yml`, import.meta.url), 'utf8');

function read(text: string): TunnelDocument {
  const r = readDocument(text);
  if (!r.ok) throw new Error(r.refusals.map(formatRefusal).join('\n'));
  return r.document;
}

const SMALL = `
services: [{name: s, addr: ":80", handler: {type: tcp, chain: c}}]
chains: [{name: c, hops: [{name: h}]}]
hops: [{name: h, nodes: [{name: n, addr: "core.example:8443", connector: {type: relay}, dialer: {type: tls}}]}]
`;

describe('defaults', () => {
  it('fills in everything that is not written', () => {
    expect(read(SMALL)).toEqual({
      services: [
        {
          name: 's',
          addr: ':80',
          handler: { type: 'tcp', chain: 'c', auther: null, retries: 0 },
          listener: { type: 'tcp', tls: null, identity: false },
          forwarder: null,
          enableStats: true,
          dialTimeoutMs: 8000,
        },
      ],
      chains: [{ name: 'c', hops: ['h'] }],
      hops: [
        {
          name: 'h',
          selector: { strategy: 'round', maxFails: 1, failTimeoutMs: 10_000 },
          nodes: [
            {
              name: 'n',
              addr: 'core.example:8443',
              connector: { type: 'relay', auth: null },
              dialer: {
                type: 'tls',
                tls: { certFile: null, keyFile: null, caFile: null, secure: true, serverName: null },
                identity: true,
              },
              backup: false,
              weight: 1,
            },
          ],
        },
      ],
      authers: [],
    });
  });

  it.each([
    ['round', 'round'],
    ['rr', 'round'],
    ['rand', 'rand'],
    ['random', 'rand'],
    ['fifo', 'fifo'],
    ['ha', 'fifo'],
    ['hash', 'hash'],
  ])('strategy %s is %s', (written, means) => {
    const doc = read(SMALL.replace('{name: h, nodes', `{name: h, selector: {strategy: ${written}}, nodes`));
    expect(doc.hops[0]?.selector.strategy).toBe(means);
  });

  it('reads what is written', () => {
    const doc = read(fixture('edge'));
    expect(doc.services[0]).toMatchObject({
      handler: { retries: 2 },
      listener: { type: 'tls', identity: false, tls: { certFile: 'e.pem', keyFile: 'ek.pem', caFile: null } },
    });
    expect(doc.hops[0]?.selector).toEqual({ strategy: 'fifo', maxFails: 1, failTimeoutMs: 15_000 });
    expect(doc.hops[0]?.nodes[1]).toMatchObject({ backup: true, connector: { auth: { username: 'e1' } } });
  });
});

describe('whose certificate', () => {
  const dialer = (tls: string) =>
    read(SMALL.replace('{type: tls}', `{type: tls, tls: ${tls}}`)).hops[0]?.nodes[0]?.dialer;

  it("a dialer without files uses the node's own, also with a server name", () => {
    expect(dialer('{serverName: core.internal}')).toMatchObject({
      identity: true,
      tls: { secure: true, serverName: 'core.internal' },
    });
  });

  it('a dialer with a CA of its own does not', () => {
    expect(dialer('{caFile: ca.pem}')).toMatchObject({ identity: false, tls: { secure: true } });
  });

  it('secure: false is taken at its word with own files, and warned of', () => {
    const r = readDocument(SMALL.replace('{type: tls}', '{type: tls, tls: {secure: false, caFile: ca.pem}}'));
    expect(r.ok && r.document.hops[0]?.nodes[0]?.dialer.tls?.secure).toBe(false);
    expect(r.ok ? r.warnings.map(formatRefusal) : []).toEqual([
      'line 4, column 123: hops[0].nodes[0].dialer.tls.secure: the core is not verified: anyone on the line can be it',
    ]);
  });

  it("a relay listener without files uses the node's own, with files it does not", () => {
    expect(read(fixture('both')).services[1]?.listener).toEqual({ type: 'tls', tls: null, identity: true });
    expect(read(fixture('core')).services[0]?.listener).toEqual({
      type: 'tls',
      tls: { certFile: 'c.pem', keyFile: 'k.pem', caFile: 'edge-ca.pem' },
      identity: false,
    });
  });
});

describe('warnings', () => {
  const RELAY =
    'services: [{name: r, addr: ":1", handler: {type: relay}, forwarder: {nodes: [{name: o, addr: "o:1"}]}';
  it.each([
    [`${RELAY}}]`, 'services[0].listener: a relay in clear without auther: whoever reaches the port uses it'],
    [
      `${RELAY}, listener: {type: tls, tls: {certFile: c, keyFile: k}}}]`,
      'services[0].listener.tls: a relay that asks neither a client certificate nor credentials (write caFile, or handler.auther)',
    ],
    [`${SMALL}authers: [{name: a, auths: [{username: u, password: p}]}]`, 'authers[0]: nothing uses a'],
    [
      SMALL.replace('{type: relay}', '{type: relay, auth: {username: u, password: p}}').replace(
        ', dialer: {type: tls}',
        '',
      ),
      'hops[0].nodes[0].connector.auth: the password goes over the line in clear',
    ],
  ])('%s', (text, want) => {
    const r = readDocument(text);
    expect(r.ok ? r.warnings.map((w) => formatRefusal(w).replace(/^line .*?: /, '')) : r.refusals).toEqual([
      want,
    ]);
  });
});

it('reads $${ as ${ and leaves the rest of a text alone', () => {
  const doc = read(
    SMALL.replace('{type: relay}', () => "{type: relay, auth: {username: u, password: '$${a} $b $$'}}"),
  );
  expect(doc.hops[0]?.nodes[0]?.connector.auth?.password).toBe('${a} $b $$');
});

it('reads sizes as gost does, bare or with a unit, where one is written', () => {
  const core = (metadata: string): string =>
    `services: [{name: r, addr: ":1", handler: {type: relay}, listener: {type: mtls, metadata: {${metadata}}}, forwarder: {nodes: [{name: o, addr: "o:1"}]}}]`;
  const listener = { type: 'mtls', tls: null, identity: true };
  for (const [written, bytes] of [
    ['65536', 65_536],
    ['64KB', 65_536],
    ['"1.5MiB"', 1_572_864],
  ])
    expect(read(core(`readBufferSize: ${written}`)).services[0]?.listener).toEqual({
      ...listener,
      readBufferBytes: bytes,
    });
  const limited = read(core('maxStreams: 10000'));
  expect(limited.services[0]?.listener).toEqual({ ...listener, maxStreams: 10_000 });
  expect(requiredCapabilities(limited)).toEqual(['handler.relay', 'listener.mtls', 'mux.maxStreams']);
  const dialling = read(SMALL.replace('{type: tls}', '{type: tls, metadata: {readBufferSize: 32KB}}'));
  expect(dialling.hops[0]?.nodes[0]?.dialer).toMatchObject({ type: 'tls', readBufferBytes: 32_768 });
  expect(requiredCapabilities(dialling)).toContain('readBufferSize');
});

it.each([
  ['edge', ['connector.relay', 'dialer.tls', 'handler.tcp', 'listener.tls']],
  ['core', ['handler.relay', 'listener.tls']],
  ['both', ['connector.relay', 'dialer.tls', 'handler.relay', 'handler.tcp', 'listener.tls']],
])('what the %s needs of an engine', (name, needs) => {
  expect(requiredCapabilities(read(fixture(name)))).toEqual(needs);
});

it('a probe needs a node that can, and says nothing where there is none', () => {
  const written = SMALL.replace(
    'dialer: {type: tls}',
    'dialer: {type: tls}, probe: {addr: "core.example:8443", timeout: 3s}',
  );
  const doc = read(written);
  expect(doc.hops[0]?.nodes[0]?.probe).toEqual({
    addr: 'core.example:8443',
    intervalMs: 30_000,
    timeoutMs: 3_000,
  });
  expect(requiredCapabilities(doc)).toContain('probe');
  expect(requiredCapabilities(read(SMALL))).not.toContain('probe');
});
