import { copyFileSync, existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';

/** npm's package that holds the runtime of this machine. */
export const RUNTIME = `node-linux-${process.arch}`;

/**
 * The pinned runtime, without its symbols, and the library it wants that a minimal system lacks: it finds the one beside
 * it. Both into `lib`.
 */
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
  const found = /libatomic\.so\.1 => (\/\S+)/.exec(stdout)?.[1];
  if (found === undefined)
    throw new Error(`libatomic.so.1 is not on this machine: apt-get install libatomic1`);
  copyFileSync(realpathSync(found), path.join(lib, 'libatomic.so.1'));
  await tool('strip', ['--strip-unneeded', node], 'binutils');
  await tool('patchelf', ['--set-rpath', '$ORIGIN/../lib', node], 'patchelf');
}

async function tool(name: string, args: readonly string[], from: string): Promise<void> {
  await execa(name, args).catch((e: NodeJS.ErrnoException) => {
    throw e.code === 'ENOENT' ? new Error(`${name} is not on this machine: apt-get install ${from}`) : e;
  });
}
