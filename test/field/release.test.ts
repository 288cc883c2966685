import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/demo/process.ts';
import type { Sbom } from '../../scripts/release/sbom.ts';
import { tar } from '../../scripts/release/tar.ts';

// `npm run release`, as an operator gets it: GNU tar, zstd and sha256sum read it, its programs run from it.

const VERSION = '9.8.7-rc.1';
const NAME = `ai-cdn-${VERSION}-linux-${process.arch}`;
let dir: string;
const at = (...parts: string[]): string => path.join(dir, ...parts);

const release = (out: string) =>
  execa('npm', ['run', '-s', 'release', '--', '--quick', '--out', out, '--version', VERSION], { cwd: ROOT });

beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'release-'));
  const { stdout } = await release(at('one'));
  expect(stdout.split('\n').map((line) => path.basename(line))).toEqual([
    ...[`${NAME}.tar.zst`, `${NAME}.tar.gz`, `${NAME}.sbom.json`, `${NAME}.sha256`],
  ]);
  await execa('tar', ['xzf', at('one', `${NAME}.tar.gz`), '-C', dir]);
}, 120_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('a release', () => {
  it('is the same bytes when it is made again', async () => {
    await release(at('two'));
    const sums = ['one', 'two'].map((run) => readFileSync(at(run, `${NAME}.sha256`), 'utf8'));
    expect(sums[0]).toBe(sums[1]);
    const { stdout } = await execa('sha256sum', ['--strict', '-c', `${NAME}.sha256`], { cwd: at('two') });
    expect(stdout.match(/: OK$/gm)).toHaveLength(3);
  });

  it('holds the same in both archives, in order, nobody’s, with two modes', async () => {
    const list = async (file: string) =>
      (await execa('tar', ['tvf', at('one', file), '--numeric-owner', '--full-time'])).stdout.split('\n');
    const lines = await list(`${NAME}.tar.gz`);
    expect(await list(`${NAME}.tar.zst`)).toEqual(lines);
    const rows = lines.map((line) => line.split(/ +/));
    const { stdout: seconds } = await execa('git', ['log', '-1', '--format=%ct'], { cwd: ROOT });
    const { stdout: when } = await execa('date', ['-d', `@${seconds}`, '+%F %T']);
    expect(new Set(rows.map((r) => `${r[1]} ${r[3]} ${r[4]}`))).toEqual(new Set([`0/0 ${when}`]));
    expect(new Set(rows.map((r) => r[0]))).toEqual(new Set(['drwxr-xr-x', '-rwxr-xr-x', '-rw-r--r--']));
    const names = rows.map((r) => r[5] ?? '');
    expect(names).toEqual(names.toSorted());
    const inside = names.map((n) => n.replace(`ai-cdn-${VERSION}/`, ''));
    expect(inside).toEqual(
      expect.arrayContaining([
        ...['', 'LICENSE', 'VERSION', 'sbom.json', 'lib/node', 'lib/libatomic.so.1', 'lib/engine.mjs'],
        ...['config/master.yml', 'config/agent.yml', 'config/gost-edge-hk.yml', 'config/gost-core-cn.yml'],
        ...['aicdn-master', 'aicdn-agent', 'aicdn-engine', 'aicdnctl', 'aicdn-tui'].map((p) => `bin/${p}`),
      ]),
    );
    expect(inside.filter((n) => /\.ts$|\.map$|node_modules/.test(n))).toEqual([]);
  });

  it.each(['aicdn-master', 'aicdn-agent', 'aicdn-engine', 'aicdnctl', 'aicdn-tui'])(
    '%s runs from any folder, through links, with nothing around it',
    async (name) => {
      mkdirSync(at('links', name), { recursive: true });
      symlinkSync(at(`ai-cdn-${VERSION}`), at('links', name, 'current'));
      symlinkSync(`current/bin/${name}`, at('links', name, 'command'));
      const { stdout } = await execa(at('links', name, 'command'), ['--version'], {
        ...{ cwd: '/', env: { PATH: '/usr/bin:/bin' }, extendEnv: false },
      });
      expect(stdout).toBe(VERSION);
    },
  );

  it('takes the libraries of the system, and its own where a minimal one lacks them', async () => {
    const lib = at(`ai-cdn-${VERSION}`, 'lib');
    const { stdout: search } = await execa('patchelf', ['--print-rpath', path.join(lib, 'node')]);
    expect(search.split(':').at(-1)).toBe('$ORIGIN/../lib');
    const { stdout: needed } = await execa('patchelf', ['--print-needed', path.join(lib, 'node')]);
    const ofLibc = /^(ld-linux.*|lib(c|m|dl|pthread))\.so\.\d+$/;
    const others = needed.split('\n').filter((name) => !ofLibc.test(name));
    expect(others).toContain('libatomic.so.1');
    expect(others.filter((name) => !existsSync(path.join(lib, name)))).toEqual([]);
  });

  it('says what is in it', async () => {
    const text = readFileSync(at(`ai-cdn-${VERSION}`, 'sbom.json'), 'utf8');
    expect(readFileSync(at('one', `${NAME}.sbom.json`), 'utf8')).toBe(text);
    const bill = JSON.parse(text) as Sbom;
    expect(bill).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.5', version: 1 });
    expect(bill.serialNumber).toMatch(
      /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
    );
    expect(bill.metadata.component).toMatchObject({ name: 'ai-cdn-tunnel', version: VERSION });
    const refs = bill.components.map((c) => c['bom-ref']);
    expect(new Set(refs).size).toBe(refs.length);
    const known = new Set([...refs, bill.metadata.component['bom-ref']]);
    expect(bill.dependencies.flatMap((d) => [d.ref, ...d.dependsOn]).filter((r) => !known.has(r))).toEqual(
      [],
    );
    const names = bill.components.map((c) => c.name);
    const wanted = Object.keys(
      (JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { dependencies: object })
        .dependencies,
    );
    expect(names).toEqual(
      expect.arrayContaining([...wanted, 'libatomic.so.1', `node-linux-${process.arch}`]),
    );
    expect(names.filter((n) => /darwin|vitest|typescript/.test(n))).toEqual([]);
  });

  it('is refused with words when it is asked for wrongly', async () => {
    const r = await execa('npm', ['run', '-s', 'release', '--', '--version', '../../etc'], {
      ...{ cwd: ROOT, reject: false },
    });
    expect(r.exitCode).toBe(1);
    expect(r.stderr).toBe('release: "../../etc" is no version: write it as 1.2.3');
  });
});

describe('its archive', () => {
  it('holds names as long as tar has room for, and refuses longer ones', async () => {
    const long = `${'a'.repeat(90)}/${'b'.repeat(60)}/${'c'.repeat(90)}`;
    writeFileSync(at('long.tar'), tar([{ name: long, mode: 0o644, content: Buffer.from('x') }], 1));
    expect((await execa('tar', ['tf', at('long.tar')])).stdout).toBe(long);
    expect(() => tar([{ name: 'd'.repeat(101), mode: 0o644 }], 1)).toThrow('too long for a tar archive');
  });
});
