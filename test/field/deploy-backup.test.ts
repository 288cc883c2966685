import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { deployNode, manage, script, unpack } from '../harness/deployed.ts';
import { type Host, Hosts, report } from '../harness/host.ts';
import { makeRelease, type Release } from '../harness/installed.ts';

// A master's host is lost; another one takes its name from a backup, and the nodes come back by themselves.

const PASSPHRASE = 'correct horse battery staple';

let hosts: Hosts;
let release: Release;
let lost: Host;
let next: Host;
let node: Host;

beforeAll(async () => {
  [release, hosts] = await Promise.all([makeRelease(), Hosts.create()]);
  [lost, node, next] = await Promise.all([hosts.boot('m'), hosts.boot('hk-1'), hosts.boot('m2')]);
  await Promise.all([lost, node, next].map((h) => unpack(h, release)));
  for (const host of [lost, next]) {
    const { code, stderr } = await script(host, 'deploy-master.sh', ['--advertise', 'm']);
    if (code !== 0) throw new Error(stderr);
    writeFileSync(path.join(host.root, 'root/pass'), `${PASSPHRASE}\n`, { mode: 0o600 });
  }
  await deployNode(node, lost, { type: 'edge', region: 'hk', name: 'hk-1' });
}, 300_000);
afterAll(async () => {
  await hosts?.down();
  release?.remove();
});

const revision = async (host: Host): Promise<number> =>
  (JSON.parse(await host.run(['aicdnctl', 'nodes', 'list', '-o', 'json'])) as { revision: number }).revision;
const backup = (host: Host, file: string) => manage(host, 'backup', file, '--passphrase-file', '/root/pass');
const restore = (host: Host, file: string, ...flags: string[]) =>
  manage(host, 'restore', file, '--passphrase-file', '/root/pass', ...flags);

it('a backup is encrypted, read back once written, and never written over', async () => {
  await lost.run(['aicdnctl', 'variables', 'set', 'hk', 'origin=from-the-backup']);
  const r = await backup(lost, '/root/fleet.backup');
  expect(r.code, r.stderr).toBe(0);
  expect(r.stdout).toMatch(/^verified: \/root\/fleet\.backup is whole: \d+ files, \d+ bytes, revision \d+$/m);
  expect(await lost.run(['stat', '-c', '%a %U', '/root/fleet.backup'])).toBe('600 root');
  const bytes = readFileSync(path.join(lost.root, 'root/fleet.backup'));
  expect(bytes.includes('from-the-backup')).toBe(false);
  expect(await backup(lost, '/root/fleet.backup')).toMatchObject({ code: 2 });
  // What it says of itself is said of the file alone too.
  expect((await manage(lost, 'backup')).code).toBe(2);
  expect(await manage(node, 'backup')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/tokens create --replace/),
  });
});

it('one that is damaged, or another passphrase, changes nothing', async () => {
  const good = path.join(lost.root, 'root/fleet.backup');
  const bad = readFileSync(good);
  bad.writeUInt8(bad.readUInt8(bad.length - 40) ^ 1, bad.length - 40);
  writeFileSync(path.join(next.root, 'root/bad.backup'), bad);
  copyFileSync(good, path.join(next.root, 'root/fleet.backup'));
  const pid = await next.property('ai-cdn-master', 'MainPID');
  expect((await restore(next, '/root/bad.backup', '--yes')).code).toBe(1);
  await next.run(['sh', '-c', 'echo another passphrase of no use > /root/wrong']);
  const wrong = await manage(
    next,
    'restore',
    '/root/fleet.backup',
    '--passphrase-file',
    '/root/wrong',
    '--yes',
  );
  expect(wrong.code).toBe(1);
  expect(await restore(next, '/root/fleet.backup')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/--yes/),
  });
  expect(await next.property('ai-cdn-master', 'MainPID')).toBe(pid);
});

it('on another host it is the same fleet, and a node comes back without joining anew', async () => {
  const before = await revision(lost);
  const certificate = await node.run(['sha256sum', '/var/lib/ai-cdn/identity/current/cert.pem']);
  await lost.run(['systemctl', 'stop', 'ai-cdn-master']);
  const since = Date.now();
  const r = await restore(next, '/root/fleet.backup', '--yes');
  expect(r.code, r.stderr).toBe(0);
  // The name of the master leads to its new host.
  writeFileSync(path.join(node.root, 'etc/hosts'), `127.0.0.1 localhost\n${next.address} m\n`);
  await next.until('[ "$(aicdnctl nodes list --status initializing --status ready -o name)" = hk-1 ]');
  report(`restored on another host, its node back: ${Date.now() - since} ms`);
  expect(await node.run(['sha256sum', '/var/lib/ai-cdn/identity/current/cert.pem'])).toBe(certificate);
  expect(await next.run(['aicdnctl', 'variables', 'list', '-o', 'json'])).toContain('from-the-backup');
  // Its start is the only commit beside; what the other master wrote after the backup is nothing that it knew.
  expect(await revision(next)).toBeGreaterThanOrEqual(before - 1);
  expect(await next.run(['sh', '-c', 'ls -d /var/lib/ai-cdn/before-restore-*/db'])).toMatch(/before-restore/);
  expect(await next.run(['stat', '-c', '%U %a', '/var/lib/ai-cdn/db', '/var/lib/ai-cdn/ca'])).toBe(
    'ai-cdn 700\nai-cdn 700',
  );
  expect((await manage(next, 'status')).stdout).toMatch(/nodes +1, /);
});

it('a master that does not start on it is put back to what it was', async () => {
  // Nobody but root may listen there: the master that is started on the backup cannot.
  await next.run(['sed', '-i', 's/addr: :8080/addr: :80/', '/etc/ai-cdn/master.yml']);
  const r = await restore(next, '/root/fleet.backup', '--yes');
  expect(r.code).toBe(1);
  expect(r.stderr).toMatch(/the master did not start/);
  await next.run(['sed', '-i', 's/addr: :80$/addr: :8080/', '/etc/ai-cdn/master.yml']);
  await next.run(['systemctl', 'restart', 'ai-cdn-master']);
  await next.until('[ "$(aicdnctl nodes list --status initializing --status ready -o name)" = hk-1 ]');
  expect(await next.run(['sh', '-c', 'ls -d /var/lib/ai-cdn/before-restore-* | wc -l'])).toBe('1');
});
