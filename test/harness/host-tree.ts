import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';

// The root file system of a bare host, made once and kept: mmdebstrap takes half a minute, a copy of it nothing.

/** Debian and Ubuntu releases as mmdebstrap knows them. */
export type Suite = 'bookworm' | 'noble';

const MIRRORS: Readonly<Record<Suite, readonly string[]>> = {
  bookworm: [],
  // Debian has no keys of Ubuntu's: here TLS has to do.
  noble: ['deb [trusted=yes] https://archive.ubuntu.com/ubuntu noble main universe'],
};

/** Of hosts where a test does not say: `AICDN_HOST_SUITE=noble` runs it on Ubuntu. */
export function usualSuite(env: Readonly<Record<string, string | undefined>> = process.env): Suite {
  const asked = env['AICDN_HOST_SUITE'] ?? 'bookworm';
  if (!(asked in MIRRORS)) throw new Error(`AICDN_HOST_SUITE=${asked}: ${Object.keys(MIRRORS).join(' or ')}`);
  return asked as Suite;
}

/** What a minimal installation of a server has; nothing of ours. */
const PACKAGES = 'systemd,systemd-sysv,dbus,libpam-systemd,iproute2,procps,ca-certificates,passwd';

/** Kept between runs, and of this program alone. */
export const HOSTS_DIR = '/var/tmp/ai-cdn-test-hosts';

/** Longer than making one takes. */
const STALE_MS = 600_000;

/** The tree's folder, not to be written to; `packages` beside what a minimal server has. */
export async function baseTree(suite: Suite, packages: readonly string[] = []): Promise<string> {
  const include = [PACKAGES, ...packages].join(',');
  const key = createHash('sha256')
    .update(JSON.stringify([suite, include, MIRRORS[suite]]))
    .digest('hex');
  const tree = path.join(HOSTS_DIR, 'trees', `${suite}-${key.slice(0, 12)}`);
  mkdirSync(path.dirname(tree), { recursive: true, mode: 0o755 });
  const lock = `${tree}.lock`;
  while (!existsSync(tree)) {
    if (!locked(lock)) {
      await sleep(200);
      continue;
    }
    try {
      if (!existsSync(tree)) await make(suite, include, tree);
    } finally {
      rmSync(lock, { recursive: true, force: true });
    }
  }
  return tree;
}

/** Test files run at the same time; one that was killed while it held it does not hold it for ever. */
function locked(lock: string): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch {
    const made = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - made > STALE_MS) rmSync(lock, { recursive: true, force: true });
    return false;
  }
}

async function make(suite: Suite, include: string, tree: string): Promise<void> {
  const work = `${tree}.${process.pid}`;
  rmSync(work, { recursive: true, force: true });
  const flags = ['--quiet', '--variant=minbase', `--include=${include}`];
  await execa('mmdebstrap', [...flags, suite, work, ...MIRRORS[suite]]);
  // A host's own: given at its first boot.
  rmSync(path.join(work, 'etc/hostname'), { force: true });
  writeFileSync(path.join(work, 'etc/machine-id'), '');
  renameSync(work, tree);
}
