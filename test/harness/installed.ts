import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { ROOT } from '../../scripts/demo/process.ts';
import type { Host } from './host.ts';

// Our programs on a booted host, laid out as the deploy scripts do it.

export interface Release {
  /** `ai-cdn-…​.tar.gz` */
  readonly archive: string;
  readonly version: string;
  remove(): void;
}

/** `npm run release`, quickly compressed. */
export async function makeRelease(version = '0.0.1'): Promise<Release> {
  const dir = mkdtempSync(path.join(tmpdir(), 'release-'));
  const args = ['run', '-s', 'release', '--', '--quick', '--out', dir, '--version', version];
  await execa('npm', args, { cwd: ROOT });
  const name = readdirSync(dir).find((f) => f.endsWith('.tar.gz')) ?? '';
  return {
    ...{ archive: path.join(dir, name), version },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** Programs, user and units; nothing is started. */
export async function install(host: Host, release: Release): Promise<void> {
  const { archive, version } = release;
  await host.copyIn(archive, '/root/release.tar.gz');
  await host.run([
    'sh',
    '-ec',
    `mkdir -p /opt/ai-cdn/releases /etc/ai-cdn
tar xzf /root/release.tar.gz -C /opt/ai-cdn/releases
rm /root/release.tar.gz
mv /opt/ai-cdn/releases/ai-cdn-${version} /opt/ai-cdn/releases/${version}
ln -sfn releases/${version} /opt/ai-cdn/current
for p in aicdn-master aicdn-agent aicdnctl aicdn-tui; do ln -sfn /opt/ai-cdn/current/bin/$p /usr/local/bin/$p; done
useradd --system --user-group --home-dir /var/lib/ai-cdn --shell /usr/sbin/nologin ai-cdn
cp /opt/ai-cdn/current/units/* /etc/systemd/system/
systemctl daemon-reload`,
  ]);
}

/** A settings file that the services may read and nobody else. */
export async function settings(host: Host, name: string, yaml: string): Promise<void> {
  writeFileSync(path.join(host.root, 'etc/ai-cdn', name), yaml);
  await host.run(['sh', '-ec', `chown root:ai-cdn /etc/ai-cdn/${name}; chmod 0640 /etc/ai-cdn/${name}`]);
}
