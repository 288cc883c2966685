import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Host, Ran } from './host.ts';
import type { Release } from './installed.ts';

// Hosts as an operator makes them: a release unpacked in root's home, and its scripts.

/** Where `unpack` puts it. */
export const SCRIPTS = '/root/release/scripts';

export async function unpack(host: Host, release: Release): Promise<void> {
  await host.copyIn(release.archive, '/root/release.tar.gz');
  await host.run([
    'sh',
    '-ec',
    'mkdir release; tar xzf release.tar.gz --strip-components=1 -C release; rm release.tar.gz',
  ]);
}

/** A script of it; what it says, and how long it took. */
export async function script(
  host: Host,
  name: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ran & { readonly ms: number }> {
  const since = Date.now();
  // From a folder that has nothing to do with it.
  const r = await host.exec([`${SCRIPTS}/${name}`, ...args], { cwd: '/usr', env });
  return { ...r, ms: Date.now() - since };
}

/** As an operator types it afterwards. */
export const manage = (host: Host, ...args: string[]): Promise<Ran> =>
  host.exec(['/opt/ai-cdn/current/scripts/manage.sh', ...args], { cwd: '/usr' });

export async function joinToken(
  master: Host,
  node: { type: string; region: string; name: string },
): Promise<string> {
  const words = ['--type', node.type, '--region', node.region, '--name', node.name, '-o', 'name'];
  return (await master.run(['aicdnctl', 'tokens', 'create', ...words])).trim();
}

/** Joins and starts it. @throws with all that was said */
export async function deployNode(
  host: Host,
  master: Host,
  node: { type: string; region: string; name: string; at?: string },
  flags: readonly string[] = [],
): Promise<number> {
  const token = await joinToken(master, node);
  const words = [`${node.at ?? master.name}:50051`, node.type, node.region, node.name, ...flags];
  const r = await script(host, 'deploy-agent.sh', words, { AICDN_MASTER_TOKEN: token });
  if (r.code !== 0) throw new Error(`${host.name}: deploy-agent.sh: ${r.code}\n${r.stderr}\n${r.stdout}`);
  return r.ms;
}

/**
 * Every file, folder and link under `roots` with what it is, sorted. `content`: files by their inode, time and sum as well,
 * so that one written anew with the same bytes shows.
 */
export async function treeOf(host: Host, roots: readonly string[], content: boolean): Promise<string> {
  const skip = [
    '/proc',
    '/sys',
    '/dev',
    '/run',
    '/tmp',
    '/root',
    '/home',
    '/var/log',
    '/var/tmp',
    '/var/lib/systemd',
  ]
    .map((p) => `-path ${p} -o`)
    .join(' ');
  const what = content ? '%p %y %m %u:%g %l %i %s %TY-%Tm-%Td %TT' : '%p %y %m %U:%G %l';
  // The times of folders change with a file that was there for a moment.
  const plain = '%p %y %m %u:%g';
  const print = content ? `-type d -printf '${plain}\\n' -o -printf '${what}\\n'` : `-printf '${what}\\n'`;
  return host.run([
    'sh',
    '-c',
    `find ${roots.join(' ')} \\( ${skip} -false \\) -prune -o ${print} | LC_ALL=C sort`,
  ]);
}

/** Another release made of one: its version, and what is done to its files. */
export function altered(
  release: Release,
  version: string,
  spoil: Readonly<Record<string, (text: string) => string>> = {},
): Release {
  const dir = mkdtempSync(path.join(tmpdir(), 'release-'));
  const top = `ai-cdn-${version}`;
  execFileSync('sh', [
    '-ec',
    'mkdir "$0"; tar xzf "$1" --strip-components=1 -C "$0"',
    path.join(dir, top),
    release.archive,
  ]);
  const edit = (file: string, how: (text: string) => string): void => {
    const at = path.join(dir, top, file);
    writeFileSync(at, how(readFileSync(at, 'utf8')));
  };
  for (const file of [
    'VERSION',
    'lib/master.mjs',
    'lib/agent.mjs',
    'lib/engine.mjs',
    'lib/ctl.mjs',
    'lib/tui.mjs',
  ])
    edit(file, (text) => text.replaceAll(release.version, version));
  for (const [file, how] of Object.entries(spoil)) edit(file, how);
  const archive = path.join(dir, path.basename(release.archive).replace(release.version, version));
  execFileSync('tar', ['-C', dir, '-I', 'gzip -1', '-cf', archive, top]);
  rmSync(path.join(dir, top), { recursive: true });
  execFileSync('sh', ['-ec', 'cd "$0"; sha256sum "$1" >"${1%.tar.gz}.sha256"', dir, path.basename(archive)]);
  return { archive, version, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** A bundle that ends at once when it is run so; `when` is JavaScript over `process.argv`. */
export const endsWhen =
  (when: string, code: number) =>
  (text: string): string => {
    const end = text.indexOf('\n') + 1;
    return `${text.slice(0, end)}if (${when}) { console.error('broken on purpose'); process.exit(${code}); }\n${text.slice(end)}`;
  };
