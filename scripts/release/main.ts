// `npm run release`: the programs, the runtime they need, units, settings and scripts as one archive for a bare host.
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { execa } from 'execa';
import { entriesOf, layOut } from './layout.ts';
import { carryRuntime, LIBRARIES, RUNTIME } from './runtime.ts';
import { sbom } from './sbom.ts';
import { tar } from './tar.ts';

const HELP = `npm run release [-- options]
  --out DIR       where the archives go (dist-release)
  --version V     what the release calls itself (the one of package.json)
  --quick         compress little: for tests
Makes ai-cdn-V-linux-ARCH.tar.zst and .tar.gz, their .sha256 and .sbom.json, and prints their paths. Two runs over one
commit make the same bytes; SOURCE_DATE_EPOCH, when set, is their time instead of the commit's.
`;

const root = path.resolve(import.meta.dirname, '../..');

async function release(args: { out: string; version: string; quick: boolean }): Promise<readonly string[]> {
  const { out, version, quick } = args;
  if (!/^\d+\.\d+\.\d+[0-9A-Za-z.+-]*$/.test(version)) {
    throw new Error(`${JSON.stringify(version)} is no version: write it as 1.2.3`);
  }
  const seconds = await epoch();
  const work = mkdtempSync(path.join(tmpdir(), 'ai-cdn-release-'));
  try {
    const dir = path.join(work, `ai-cdn-${version}`);
    await layOut({ root, into: dir, version });
    await carryRuntime({ root, lib: path.join(dir, 'lib') });
    const libraries = Object.fromEntries(
      LIBRARIES.map((name) => [name, sha256(readFileSync(path.join(dir, 'lib', name)))]),
    );
    const bill = `${JSON.stringify(await sbom({ root, version, seconds, runtime: RUNTIME, libraries }), null, 2)}\n`;
    writeFileSync(path.join(dir, 'sbom.json'), bill);

    const archive = tar(entriesOf(dir), seconds);
    const name = `ai-cdn-${version}-linux-${process.arch}`;
    mkdirSync(out, { recursive: true });
    const files = {
      [`${name}.tar.zst`]: zstdCompressSync(archive, {
        params: {
          [constants.ZSTD_c_compressionLevel]: quick ? 1 : 19,
          [constants.ZSTD_c_checksumFlag]: 1,
        },
      }),
      [`${name}.tar.gz`]: gzipSync(archive, { level: quick ? 1 : 9 }),
      [`${name}.sbom.json`]: Buffer.from(bill),
    };
    for (const [file, content] of Object.entries(files)) writeFileSync(path.join(out, file), content);
    const sums = Object.entries(files).map(([file, content]) => `${sha256(content)}  ${file}\n`);
    writeFileSync(path.join(out, `${name}.sha256`), sums.join(''));
    return [...Object.keys(files), `${name}.sha256`].map((file) => path.join(out, file));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Seconds since 1970: the time of everything in the archive. */
async function epoch(): Promise<number> {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given !== undefined && /^\d+$/.test(given)) return Number(given);
  const { stdout } = await execa('git', ['-C', root, 'log', '-1', '--format=%ct'], { reject: false });
  const seconds = Number(stdout);
  if (!Number.isInteger(seconds) || seconds <= 0) {
    throw new Error(
      'this tree has no commit to take the time from: set SOURCE_DATE_EPOCH to seconds since 1970',
    );
  }
  return seconds;
}

const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: path.join(root, 'dist-release') },
      version: { type: 'string' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const own = (JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string })
    .version;
  const made = await release({
    out: path.resolve(values.out),
    version: values.version ?? own,
    quick: values.quick,
  });
  process.stdout.write(`${made.join('\n')}\n`);
}

main().catch((e: unknown) => {
  process.stderr.write(`release: ${e instanceof Error ? e.message : String(e)}\n`);
  process.exitCode = 1;
});
