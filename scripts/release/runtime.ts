import { copyFileSync, existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';

/** npm's package that holds the runtime of this machine. */
export const RUNTIME = `node-linux-${process.arch}`;

/** What it wants and a minimal system may lack. */
export const LIBRARIES = ['libatomic.so.1', 'libstdc++.so.6', 'libgcc_s.so.1'] as const;

/** The system's own come first: ours want a C library as new as that of the machine they were taken from. */
const TRIPLET = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
const SEARCH = `/usr/lib/${TRIPLET}:/lib/${TRIPLET}:/usr/lib64:$ORIGIN/../lib`;

/** The pinned runtime, without its symbols, and `LIBRARIES`: all of it into `lib`. */
export async function carryRuntime(args: { readonly root: string; readonly lib: string }): Promise<void> {
  const { root, lib } = args;
  const source = path.join(root, 'node_modules', RUNTIME, 'bin/node');
  if (process.platform !== 'linux' || !existsSync(source)) {
    throw new Error(
      `a release is made on Linux, for the architecture it is made on: ${source} is not there (npm ci brings it)`,
    );
  }
  const node = path.join(lib, 'node');
  copyFileSync(source, node);
  const { stdout } = await execa('ldd', [source]);
  for (const name of LIBRARIES) {
    const found = stdout.split('\n').find((line) => line.trim().startsWith(`${name} => /`));
    if (found === undefined) {
      throw new Error(`${name} is not on this machine: apt-get install libatomic1 libstdc++6`);
    }
    copyFileSync(realpathSync(found.trim().split(' ')[2] ?? ''), path.join(lib, name));
  }
  await tool('strip', ['--strip-unneeded', node], 'binutils');
  await tool('patchelf', ['--set-rpath', SEARCH, node], 'patchelf');
}

async function tool(name: string, args: readonly string[], from: string): Promise<void> {
  await execa(name, args).catch((e: NodeJS.ErrnoException) => {
    throw e.code === 'ENOENT' ? new Error(`${name} is not on this machine: apt-get install ${from}`) : e;
  });
}
