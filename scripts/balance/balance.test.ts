import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { health, monitorLine, selectText } from './health.ts';
import { best, endpoint, type Member, standing } from './member.ts';
import { type Frame, render, safePath } from './render.ts';
import { fill } from './template.ts';
import { readListen, upstreamsOf, type Wanted } from './upstreams.ts';

const TCP = { service: 'edge-http', addr: ':8080', type: 'tcp' };
const TLS = { service: 'edge-tls', addr: '[::]:443', type: 'tls' };
const member = (name: string, over: Partial<Member> = {}): Member => ({
  name,
  region: name.split('-')[0] ?? '',
  nodeType: 'edge',
  status: 'ready',
  eligibility: 'eligible',
  drain: 'none',
  stopped: false,
  identity: 'accepted',
  configSync: 'in_sync',
  labels: { addr: '203.0.113.5' },
  addresses: [],
  streams: 4,
  ttft95Ms: 60,
  errPct: 0,
  listeners: [TCP, TLS],
  ...over,
});
const want: Wanted = {
  regions: [],
  backups: [],
  services: [],
  nodeType: 'edge',
  local: false,
  passthrough: false,
  listen: new Map(),
};
const frame: Frame = {
  at: '2026-11-24T03:12:07Z',
  left: [],
  tlsCert: null,
  tlsKey: null,
  proxyProtocol: false,
  accessLog: '',
};
const template = (name: string): string =>
  readFileSync(path.join(import.meta.dirname, '../../config/templates', name), 'utf8');

describe('who takes clients', () => {
  it.each<[string, Partial<Member>, string, string | null]>([
    ['ready', {}, 'yes', null],
    [
      'away from the master for a moment: its streams do not know',
      { status: 'disconnected' },
      'yes',
      'disconnected from the master',
    ],
    ['the master has just begun', { status: 'unknown' }, 'spare', 'unknown'],
    ['down', { status: 'down' }, 'spare', 'down'],
    ['runs last-known-good', { configSync: 'failed' }, 'yes', 'refused its last config'],
    ['draining', { drain: 'draining' }, 'no', 'draining'],
    ['drained', { drain: 'drained' }, 'no', 'drained'],
    ['ineligible', { eligibility: 'ineligible' }, 'no', 'ineligible'],
    ['stopped', { stopped: true }, 'no', 'stopped'],
    ['revoked', { identity: 'revoked' }, 'no', 'revoked'],
    ['initializing', { status: 'initializing' }, 'no', 'runs no config yet'],
    ['no listener', { listeners: [] }, 'no', 'listens on nothing'],
  ])('%s', (_, over, serves, why) => {
    expect(standing(member('hk-1', over))).toEqual({ serves, why });
  });

  it('the best: ready only, the fewest streams, then errors, then the name; unknown figures last', () => {
    const names = best([
      member('hk-1', { streams: null }),
      member('hk-2', { streams: 9 }),
      member('hk-3', { streams: 2, errPct: 5 }),
      member('hk-4', { streams: 2 }),
      member('hk-5', { streams: 0, drain: 'draining' }),
      member('hk-6', { streams: 0, status: 'down' }),
      member('hk-0', { streams: 2 }),
    ]).map((m) => m.name);
    expect(names).toEqual(['hk-0', 'hk-4', 'hk-3', 'hk-2', 'hk-1']);
  });

  it('by exit status: 0 all serve, 1 one does not, 8 a region without any, or no node', () => {
    expect(health([member('hk-1'), member('sg-1')], null).exit).toBe(0);
    expect(health([member('hk-1'), member('hk-2', { status: 'down' })], null).exit).toBe(1);
    expect(health([member('hk-1'), member('sg-1', { drain: 'drained' })], null).exit).toBe(8);
    expect(health([], null).exit).toBe(8);
  });

  it('a node none of whose listeners answers does not serve, whatever the master thinks', () => {
    const shut = { service: 'a', address: '203.0.113.5:443', ms: null, error: 'ECONNREFUSED' };
    const open = { service: 'b', address: '203.0.113.5:8080', ms: 1, error: null };
    const of = (probes: (typeof shut | typeof open)[]) =>
      health([member('hk-1')], new Map([['hk-1', probes]])).nodes[0];
    expect(of([shut])).toMatchObject({ serves: false, why: '203.0.113.5:443 ECONNREFUSED' });
    expect(of([shut, open])).toMatchObject({ serves: true, why: '203.0.113.5:443 ECONNREFUSED' });
    expect(of([open])).toMatchObject({ serves: true, why: null });
  });
});

describe('where a node is', () => {
  const bound = (addr: string, labels: Record<string, string>, local = false) =>
    endpoint(member('hk-1', { labels }), { service: 's', addr, type: 'tcp' }, local);

  it('a label, public_addr before addr; else what the listener is bound to', () => {
    const labels = { addr: '10.0.0.1', public_addr: '203.0.113.9' };
    expect(bound(':443', labels)).toEqual({ host: '203.0.113.9', port: 443 });
    expect(bound('10.0.0.1:443', labels)).toEqual({ host: '203.0.113.9', port: 443 });
    expect(bound('[2001:db8::5]:443', {})).toEqual({ host: '2001:db8::5', port: 443 });
  });

  it.each([
    [['10.0.0.7', '203.0.113.7'], '203.0.113.7'],
    [['172.17.0.1', '100.64.0.1', '10.0.0.7'], '172.17.0.1'],
    [['fd00::7', '2001:db8::7'], '2001:db8::7'],
    [['172.32.0.1'], '172.32.0.1'],
  ])('of its own addresses %j: %s', (addresses, host) => {
    const at = (addr: string) =>
      endpoint(member('hk-1', { labels: {}, addresses }), { service: 's', addr, type: 'tcp' }, false);
    expect(at(':443')).toEqual({ host, port: 443 });
    expect(at('203.0.113.9:443')).toEqual({ host: '203.0.113.9', port: 443 });
  });

  it('says what is missing', () => {
    expect(bound('0.0.0.0:443', {})).toBe('no address: aicdnctl node label hk-1 public_addr=HOST');
    expect(bound(':443', { addr: 'x; daemon off' })).toBe('its label addr is no host or address');
    expect(bound('127.0.0.1:443', { addr: '203.0.113.9' })).toMatch(/loopback only/);
    expect(bound('127.0.0.1:443', { addr: '203.0.113.9' }, true)).toEqual({ host: '127.0.0.1', port: 443 });
  });
});

describe('upstreams', () => {
  it('one a service: TLS is handed through, what is in clear is HTTP; where clients come in is the most common port', () => {
    const { upstreams, left } = upstreamsOf(
      [
        member('hk-1'),
        member('hk-2', { labels: { addr: 'hk-2.example.org', weight: '4' } }),
        member('hk-3', { listeners: [{ ...TCP, addr: ':9090' }], labels: { addr: '203.0.113.7' } }),
        member('hk-4', { drain: 'draining' }),
        member('cn-1', { nodeType: 'core' }),
      ],
      want,
    );
    expect(
      upstreams.map((u) => [u.id, u.kind, u.listen, u.servers.map((s) => `${s.name}:${s.port}*${s.weight}`)]),
    ).toEqual([
      ['aicdn_edge_http', 'http', '8080', ['hk-1:8080*1', 'hk-2:8080*4', 'hk-3:9090*1']],
      ['aicdn_edge_tls', 'tcp', '443', ['hk-1:443*1', 'hk-2:443*4']],
    ]);
    expect(left).toEqual([{ name: 'hk-4', why: 'draining' }]);
  });

  it('nodes of other regions stand by where they are asked to, those that are down too; alone they are none', () => {
    const nodes = [member('hk-1'), member('hk-2', { status: 'down' }), member('sg-1'), member('us-1')];
    const backups = (over: Partial<Wanted>) =>
      upstreamsOf(nodes, { ...want, services: ['edge-tls'], ...over }).upstreams[0]?.servers.map(
        (s) => `${s.name} ${s.backup}`,
      );
    expect(backups({ regions: ['hk'], backups: ['sg'] })).toEqual(['hk-1 false', 'hk-2 true', 'sg-1 true']);
    const dark = nodes.map((n) => ({ ...n, status: 'down' as const }));
    expect(upstreamsOf(dark, want).upstreams[0]?.servers.every((s) => !s.backup)).toBe(true);
  });

  it('refuses what would be no config: nobody to hand to, two services at one place', () => {
    expect(() => upstreamsOf([member('hk-1', { labels: {} })], want)).toThrow(
      'no edge to hand clients to, of 1; hk-1 edge-http: no address: aicdnctl node label hk-1 public_addr=HOST',
    );
    const two = [member('hk-1', { listeners: [TCP, { ...TCP, service: 'b' }] })];
    expect(() => upstreamsOf(two, want)).toThrow('would both come in at 8080: give one --listen b=PORT');
    expect(
      upstreamsOf(two, { ...want, listen: readListen(['b=[::1]:81']) }).upstreams.map((u) => u.listen),
    ).toEqual(['8080', '[::1]:81']);
  });

  it.each(['0', '70000', 'x=', 'edge=1;2', '$(id):1', 'a b:1'])('--listen %s is refused', (text) => {
    expect(() => readListen([text])).toThrow('--listen');
  });
});

describe('what is printed', () => {
  const { upstreams } = upstreamsOf([member('hk-1'), member('sg-1', { status: 'down' })], want);

  it.each(['nginx.conf', 'haproxy.cfg'])('%s is filled whole, whatever is chosen', (name) => {
    for (const over of [{}, { tlsCert: '/a.pem', tlsKey: '/a.key' }, { proxyProtocol: true }]) {
      const text = render(template(name), upstreams, { ...frame, ...over });
      expect(text).not.toMatch(/\{\{|\}\}|undefined|\[object/);
      expect(text).toContain('aicdn_edge_tls');
      expect(text).toMatch(/203\.0\.113\.5:8080.* backup/);
    }
  });

  it('nothing of nodes ends the comment it stands in', () => {
    const hostile = member('hk-1', {
      region: 'hk',
      listeners: [{ ...TCP, service: 'a\n}\nuser root;\u202e' }],
    });
    const text = render(template('nginx.conf'), upstreamsOf([hostile], want).upstreams, {
      ...frame,
      left: [{ name: 'x\r\ndaemon off;', why: '\n}' }],
    });
    expect(text).not.toMatch(/^\s*(user root|daemon off)/m);
    expect(text).toContain('upstream aicdn_a___user_root__');
  });

  it.each(['/etc/x;y', "/a'b", '/a b', '', '/a\nb'])('a path of %j is refused', (p) => {
    expect(() => safePath('--tls-cert', p)).toThrow('--tls-cert');
  });

  it('a monitor says what changed since the round before, and nothing in the first', () => {
    const before = new Map<string, string>();
    const line = (...members: Member[]) => monitorLine('03:12:07', health(members, null), before);
    expect(line(member('hk-1'), member('hk-2'))).toBe('03:12:07  hk 2/2  8 streams\n');
    expect(line(member('hk-1', { status: 'down' }), member('hk-3'))).toBe(
      '03:12:07  hk 1/2  8 streams\n' +
        '03:12:07    hk-1: ready -> down\n' +
        '03:12:07    hk-3: new -> ready\n' +
        '03:12:07    hk-2: gone\n',
    );
  });

  it('select is for cut and read', () => {
    const endpoints = [{ service: 'edge-tls', address: '203.0.113.5:443' }];
    expect(selectText([{ name: 'hk-1', region: 'hk', streams: 4, endpoints }])).toBe(
      'hk-1\thk\t4\tedge-tls=203.0.113.5:443\n',
    );
  });
});

describe('templates', () => {
  it('names, repetition, choice, and what is around', () => {
    const text =
      'a {{x}}\n#{{each list}}\n  #{{if yes}}\n{{n}}{{x}}\n  #{{end}}\n  #{{unless yes}}\nno {{n}}\n#{{end}}\n#{{end}}\nz';
    expect(
      fill(text, {
        x: 1,
        list: [
          { n: 'p', yes: true },
          { n: 'q', yes: false },
        ],
      }),
    ).toBe('a 1\np1\nno q\nz');
    expect(fill(text, { x: 1, list: [] })).toBe('a 1\nz');
  });
  it.each([
    ['{{none}}', 'line 1: there is no none'],
    ['x\n#{{end}}', 'line 2: an end without a beginning'],
    ['#{{if x}}\na', 'line 1: if x has no end'],
    ['#{{each x}}\n#{{end}}', 'line 1: x is no list'],
  ])('%j says where', (text, why) => {
    expect(() => fill(text, { x: 1 })).toThrow(why);
  });
});
