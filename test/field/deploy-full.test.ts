import { afterAll, beforeAll, expect, it } from 'vitest';
import { script, treeOf, unpack } from '../harness/deployed.ts';
import { type Host, Hosts, report } from '../harness/host.ts';
import { makeRelease, type Release } from '../harness/installed.ts';

// The master with the distribution's Prometheus and Alertmanager beside it. Hosts of tests reach no mirror, so the packages
// are there already, as they came.

let hosts: Hosts;
let release: Release;
let host: Host;
let before: string;

const PLACES = ['/etc/prometheus', '/etc/systemd', '/etc/default'];

beforeAll(async () => {
  [release, hosts] = await Promise.all([makeRelease(), Hosts.create()]);
  host = await hosts.boot('m', { packages: ['prometheus', 'prometheus-alertmanager'] });
  await unpack(host, release);
  before = await treeOf(host, PLACES, false);
}, 300_000);
afterAll(async () => {
  await hosts?.down();
  release?.remove();
});

interface Targets {
  readonly data: {
    readonly activeTargets: readonly { readonly labels: { readonly job: string }; readonly health: string }[];
  };
}

/** Of Prometheus on this host, by the runtime that the release brought. */
async function ask<T>(path: string): Promise<T> {
  const program = `fetch('http://127.0.0.1:9091${path}').then(async (r) => console.log(await r.text()))`;
  return JSON.parse(await host.run(['/opt/ai-cdn/current/lib/node', '-e', program])) as T;
}

it('Prometheus on :9091 scrapes the master over TLS with a key of its own, and tells Alertmanager', async () => {
  const r = await script(host, 'deploy-master-full.sh', [
    '--http-port',
    '8090',
    '--mongo-user',
    'admin',
    '--mongo-pass',
    'x',
  ]);
  expect(r.code, r.stderr + r.stdout).toBe(0);
  report(`deploy-master-full.sh, its packages being there: ${r.ms} ms`);
  expect(await host.run(['stat', '-c', '%a %U:%G', '/etc/prometheus/ai-cdn.key'])).toBe(
    '640 root:prometheus',
  );
  await expect
    .poll(
      async () => {
        const { data } = await ask<Targets>('/api/v1/targets');
        return Object.fromEntries(data.activeTargets.map((t) => [t.labels.job, t.health]));
      },
      { timeout: 60_000, interval: 500 },
    )
    .toEqual({ 'ai-cdn-master': 'up', prometheus: 'up' });
  const nodes = await ask<{ data: { result: readonly { value: readonly [number, string] }[] } }>(
    '/api/v1/query?query=%7B__name__%3D~%22ai_cdn_.%2B%22%2Cjob%3D%22ai-cdn-master%22%7D',
  );
  expect(nodes.data.result.length).toBeGreaterThan(0);
  const managers = await ask<{ data: { activeAlertmanagers: readonly { url: string }[] } }>(
    '/api/v1/alertmanagers',
  );
  expect(managers.data.activeAlertmanagers.map((a) => a.url)).toEqual([
    'http://127.0.0.1:9093/api/v2/alerts',
  ]);
  const rules = await ask<{ data: { groups: readonly unknown[] } }>('/api/v1/rules');
  expect(rules.data.groups.length).toBeGreaterThan(0);
  expect(await host.run(['aicdnctl', 'api-keys', 'list'])).toMatch(
    /prometheus +viewer +metrics\.read +active/,
  );
  // One alone talks to no others.
  expect(await host.run(['ss', '-Hltn', 'sport = :9094'])).toBe('');
});

it('run again it changes nothing, and what an operator wrote there stays', async () => {
  await host.run(['sh', '-c', 'echo "# mine" >> /etc/prometheus/alertmanager.yml']);
  const state = async () => [
    await treeOf(host, ['/etc', '/opt', '/usr/local'], true),
    await host.property('prometheus', 'MainPID'),
    await host.property('ai-cdn-master', 'MainPID'),
  ];
  const was = await state();
  const r = await script(host, 'deploy-master-full.sh', []);
  expect(r.code, r.stderr).toBe(0);
  expect(r.stdout).toMatch(/^nothing to do: this host is so already$/m);
  expect(r.stdout).toMatch(/^Prometheus and Alertmanager: nothing to do$/m);
  expect(await state()).toEqual(was);
});

it('taken off again, they have what they came with', async () => {
  const r = await script(host, 'deploy-master-full.sh', ['--uninstall', '--purge', '--yes']);
  expect(r.code, r.stderr).toBe(0);
  expect(await treeOf(host, PLACES, false)).toBe(before);
  await host.until('systemctl is-active --quiet prometheus');
  expect((await script(host, 'manage.sh', ['status'])).code).toBe(3);
});
