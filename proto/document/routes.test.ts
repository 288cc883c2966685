import { expect, test } from 'vitest';
import type { TunnelDocument } from './document.ts';
import { readDocument } from './read.ts';
import { routeChanges } from './routes.ts';

function read(text: string): TunnelDocument {
  const r = readDocument(text);
  if (!r.ok) throw new Error(JSON.stringify(r.refusals));
  return r.document;
}

const EDGE = `\
services:
- name: edge-wss
  addr: ":8443"
  handler: {type: tcp, chain: to-core, retries: 2}
  listener: {type: wss, tls: {certFile: e.pem, keyFile: ek.pem}}
- name: edge-ws
  addr: ":8080"
  handler: {type: tcp, chain: to-core}
  listener: {type: ws}
chains:
- {name: to-core, hops: [{name: cores}]}
hops:
- name: cores
  selector: {strategy: rand, maxFails: 1, failTimeout: 15s}
  nodes:
  - {name: sh2, addr: "198.51.100.12:8443", connector: {type: relay}, dialer: {type: tls}}
  - {name: sh3, addr: "198.51.100.13:8443", connector: {type: relay, auth: {username: e, password: one}}, dialer: {type: tls}, metadata: {weight: 2}}
`;
const CORE = `\
services:
- name: core
  addr: ":8443"
  handler: {type: relay, auther: edges}
  listener: {type: tls}
  forwarder: {nodes: [{name: a, addr: "127.0.0.1:9001"}, {name: b, addr: "127.0.0.1:9002"}]}
authers:
- {name: edges, auths: [{username: e, password: one}]}
`;

const change = (text: string, ...with2: readonly (readonly [string, string])[]) =>
  routeChanges(read(text), read(with2.reduce((t, [a, b]) => t.replace(a, b), text)));
const BOTH = ['edge-wss', 'edge-ws'];

test('the same way is no change, and neither is another listener', () => {
  expect(change(EDGE)).toEqual([]);
  expect(change(EDGE, [':8443"\n  handler', ':9443"\n  handler'], ['type: ws}', 'type: tcp}'])).toEqual([]);
});

test('a node of a hop that becomes a backup says what was, and how many take what it took', () => {
  expect(change(EDGE, ['{weight: 2}', '{backup: true}'])).toEqual([
    {
      ...{ of: 'hop', name: 'cores', node: 'sh3', addr: '198.51.100.13:8443', change: 'changed' },
      fields: [
        { key: 'backup', from: 'false', to: 'true' },
        { key: 'weight', from: '2', to: '1' },
      ],
      ...{ services: BOTH, takers: 1 },
    },
  ]);
});

test('nodes that come and go, and how one is chosen', () => {
  const got = change(EDGE, ['name: sh2', 'name: sh4'], ['failTimeout: 15s', 'failTimeout: 10s']);
  expect(got.map((c) => [c.node, c.change, c.takers, c.fields])).toEqual([
    [null, 'changed', null, [{ key: 'selector.failTimeoutMs', from: '15000', to: '10000' }]],
    ['sh4', 'added', 1, []],
    ['sh2', 'removed', 2, []],
  ]);
});

test('a node that comes as a backup says so', () => {
  const spare = `  - {name: sh9, addr: "198.51.100.19:8443", connector: {type: relay}, dialer: {type: tls}, metadata: {backup: true}}\n`;
  expect(routeChanges(read(EDGE), read(EDGE + spare))).toMatchObject([
    { node: 'sh9', change: 'added', takers: 2, fields: [{ key: 'backup', from: '', to: 'true' }] },
  ]);
});

test('a whole hop that comes in the place of another', () => {
  const got = change(
    EDGE,
    ['hops: [{name: cores}]', 'hops: [{name: others}]'],
    ['- name: cores', '- name: others'],
  );
  expect(got.map((c) => [c.of, c.name, c.node, c.change, c.fields[0]])).toEqual([
    ['hop', 'others', null, 'added', { key: 'nodes', from: '', to: 'sh2 sh3' }],
    ['hop', 'cores', null, 'removed', { key: 'nodes', from: 'sh2 sh3', to: '' }],
    ['service', 'edge-wss', null, 'changed', { key: 'hops', from: 'cores', to: 'others' }],
    ['service', 'edge-ws', null, 'changed', { key: 'hops', from: 'cores', to: 'others' }],
  ]);
});

test('a password is seen to change and is not seen, at both ends', () => {
  const edge = change(EDGE, ['password: one', 'password: other']);
  const core = change(CORE, ['password: one', 'password: other']);
  expect(edge[0]).toMatchObject({ node: 'sh3', fields: [{ key: 'connector.auth', from: 'e:*', to: 'e:*' }] });
  expect(core[0]).toMatchObject({ name: 'core', fields: [{ key: 'users', from: 'e:*', to: 'e:*' }] });
  expect(JSON.stringify([edge, core])).not.toMatch(/one|other/);
});

test('where a forwarder goes, and how a service handles what comes', () => {
  const got = change(
    CORE,
    ['127.0.0.1:9002', '127.0.0.1:9003'],
    ['auther: edges', 'auther: edges, retries: 1'],
  );
  expect(got.map((c) => [c.of, c.name, c.node, c.addr, c.fields, c.takers])).toEqual([
    ['service', 'core', null, '', [{ key: 'handler.retries', from: '0', to: '1' }], null],
    [
      'forwarder',
      'core',
      'b',
      '127.0.0.1:9003',
      [{ key: 'addr', from: '127.0.0.1:9002', to: '127.0.0.1:9003' }],
      1,
    ],
  ]);
});

test('a service that is new, or gone, is a listener and no route', () => {
  const one = EDGE.replace(/- name: edge-ws\n[\s\S]*?type: ws}\n/, '');
  expect(routeChanges(read(EDGE), read(one))).toEqual([]);
  expect(routeChanges(read(one), read(EDGE))).toEqual([]);
});
