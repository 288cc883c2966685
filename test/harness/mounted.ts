import { mkdirSync } from 'node:fs';
import { execa } from 'execa';

/** A file system of its own, gone with `stop`. Needs root. */
export async function mounted(at: string, args: readonly string[]): Promise<{ stop(): Promise<void> }> {
  mkdirSync(at, { recursive: true, mode: 0o700 });
  await execa('mount', [...args, at]);
  return {
    async stop() {
      await execa('umount', ['--lazy', at], { reject: false });
    },
  };
}

/** So many bytes of memory and no more. */
export function tinyDisk(at: string, bytes: number): ReturnType<typeof mounted> {
  return mounted(at, ['-t', 'tmpfs', '-o', `size=${bytes},mode=0700`, 'none']);
}
