import { expect, test } from 'vitest';
import { AGENT_KEYS, agentKeysOn } from './agent.ts';
import { MASTER_KEYS } from './master.ts';
import { settingsText, showSettings } from './shown.ts';

const master = (flags: Record<string, string>) => showSettings(MASTER_KEYS, { env: {}, flags });

test('every setting is shown, as it would be written, with where it came from', () => {
  const all = master({ 'http.addr': '[::1]:8443', 'grpc.advertise': 'a.example.org,10.0.0.1' });
  expect(all.map((s) => s.path)).toEqual(Object.keys(MASTER_KEYS));
  const by = Object.fromEntries(all.map((s) => [s.path, `${s.value} ${s.source}`]));
  expect(by['http.addr']).toBe('[::1]:8443 flag');
  expect(by['grpc.addr']).toBe(':50051 default');
  expect(by['grpc.advertise']).toBe('a.example.org,10.0.0.1 flag');
  expect(by['heartbeat.interval']).toBe('10000 default');
  expect(by['database.uri']).toBe(' default');
});

test('one alone is its value and nothing else; one that is not there is nothing', () => {
  const all = master({});
  expect(settingsText(all, 'socket')).toBe('/run/ai-cdn/master.sock\n');
  expect(settingsText(all, 'sockets')).toBeNull();
  expect(settingsText(all, undefined)?.split('\n')).toHaveLength(all.length + 1);
});

test('no secret is shown', () => {
  const secret = 'S3cret-'.repeat(8) + 'abcdefgh';
  expect(settingsText(master({ 'jwt.secret': secret }), undefined)).not.toContain('S3cret');
  const token = `ct1.${'ab'.repeat(32)}.abcd.${'s3cret'.repeat(5)}`;
  const flags = { 'node.type': 'edge', 'node.region': 'hk', 'master.addr': 'm', 'master.token': token };
  const shown = showSettings(agentKeysOn('Hk-1.example.org'), { env: {}, flags });
  expect(settingsText(shown, undefined)).not.toContain('s3cret');
  expect(settingsText(shown, 'node.name')).toBe('hk-1\n');
  expect(() => showSettings(AGENT_KEYS, { env: {}, flags })).toThrow('node.name: is missing');
});
