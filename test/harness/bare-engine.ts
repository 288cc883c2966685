import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ENGINE_NODE_FLAGS } from '../../agent/host/engine-process.ts';
import { Running } from './running.ts';

const ENGINE = join(import.meta.dirname, '../../dist/engine.mjs');

/** The engine as it is installed, without an agent, carrying this document. `dir` is its own. */
export async function startBareEngine(args: {
  dir: string;
  document: string;
  identity?: { certFile: string; keyFile: string; caFile: string };
  /** Its own choice when left out. */
  workers?: number;
  /** More of its flags. */
  more?: readonly string[];
  env?: Record<string, string>;
  /** What starts it: a command that takes another as its arguments, such as `ip netns exec NAME`. */
  within?: readonly string[];
}): Promise<Running> {
  const { dir, document, identity, workers, more = [], env = {}, within = [] } = args;
  const file = join(dir, 'effective.yml');
  await writeFile(file, document);
  const flags = ['--socket', join(dir, 'engine.sock'), '--document', file];
  if (identity !== undefined) {
    const { certFile, keyFile, caFile } = identity;
    flags.push('--identity-cert', certFile, '--identity-key', keyFile, '--identity-ca', caFile);
  }
  if (workers !== undefined) flags.push('--workers', String(workers));
  const [program = '', ...words] = [
    ...within,
    process.execPath,
    ...ENGINE_NODE_FLAGS,
    ENGINE,
    ...flags,
    ...more,
  ];
  const engine = new Running(program, words, { NODE_ENV: 'production', ...env });
  const said = await engine.wrote(/generation 1 carries|is not carried.*/);
  if (said.startsWith('is not')) {
    await engine.stop();
    throw new Error(`the engine: ${engine.text}`);
  }
  return engine;
}
