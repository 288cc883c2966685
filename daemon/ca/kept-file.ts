import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import path from 'node:path';

/** `null` when there is none. What is found is durable: its writer may have been killed before it had synced the name. */
export async function readKept(file: string): Promise<string | null> {
  try {
    const content = await readFile(file, 'utf8');
    await synced(path.dirname(file), 'r', async () => {});
    return content;
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw e;
  }
}

/** tmp (0600) -> fsync -> link -> fsync of the directory (0700). A link, for it never replaces a file: EEXIST. */
export async function writeKept(file: string, content: string): Promise<void> {
  const dir = path.dirname(file);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const tmp = `${file}.tmp`;
  await synced(tmp, 'w', async (handle) => {
    await handle.chmod(0o600);
    await handle.writeFile(content);
  });
  try {
    await link(tmp, file);
  } finally {
    await unlink(tmp);
  }
  await synced(dir, 'r', async () => {});
  await synced(path.dirname(dir), 'r', async () => {});
}

async function synced(
  file: string,
  flags: string,
  work: (handle: Awaited<ReturnType<typeof open>>) => Promise<void>,
): Promise<void> {
  const handle = await open(file, flags, 0o600);
  try {
    await work(handle);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
