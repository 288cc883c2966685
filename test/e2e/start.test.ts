import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { alive, ROOT, until } from '../../scripts/demo/process.ts';
import { guarded, openTty } from '../harness/tty.ts';

const main = path.join(ROOT, 'scripts/demo/main.ts');
const folders = (): string[] => readdirSync(tmpdir()).filter((f) => f.startsWith('ai-cdn-'));

interface Described {
  readonly chat: string;
  readonly console: string;
  readonly ca: string;
  readonly state: string;
  readonly pids: {
    readonly master: number;
    readonly agents: Record<string, number>;
    readonly engines: Record<string, number>;
  };
}

describe('npm start', () => {
  it('--check runs the whole loop and says what it saw', { timeout: 120_000 }, async () => {
    const r = await execa(process.execPath, [main, '--check'], { reject: false, stdin: 'ignore' });
    expect(r.stdout).toContain('● the loop holds');
    expect(r.stdout.match(/^● /gm)?.length).toBe(7);
    expect(r.exitCode).toBe(0);
  });

  it('--headless prints one JSON line; ctrl-c leaves no process and no file behind', async () => {
    const child = execa(process.execPath, [main, '--headless'], {
      reject: false,
      stdin: 'ignore',
      buffer: false,
    });
    let out = '';
    child.stdout.on('data', (d: Buffer) => {
      out += d.toString();
    });
    await until('the JSON line', 40_000, () => (out.includes('\n') ? true : null));
    const d = JSON.parse(out) as Described;
    const pids = [d.pids.master, ...Object.values(d.pids.agents), ...Object.values(d.pids.engines)];
    expect(pids).toHaveLength(7);
    expect(pids.filter((p) => !alive(p))).toEqual([]);
    expect(existsSync(d.console) && existsSync(d.ca)).toBe(true);
    const models = await fetch(`${d.chat}/models`);
    expect(await models.json()).toMatchObject({ object: 'list' });

    child.kill('SIGINT');
    await child;
    expect(pids.filter(alive)).toEqual([]);
    expect(existsSync(d.state)).toBe(false);
    expect(folders().filter((f) => d.state.endsWith(f))).toEqual([]);
  });

  it('with the console open, a signal to it alone ends all of it and gives the terminal back', async () => {
    const tmp = mkdtempSync(path.join(tmpdir(), 'start-'));
    const tty = openTty({ cols: 100, rows: 30, env: { TMPDIR: tmp }, waitMs: 40_000 });
    try {
      const file = path.join(tmp, 'pid');
      tty.type(guarded(`bash -c 'echo $$ > ${file}; exec ${process.execPath} ${main}'`));
      await tty.wait(/hk-2 +hk/);
      process.kill(Number(readFileSync(file, 'utf8')), 'SIGTERM');
      expect(await tty.wait(/code=\d+[\s\S]*same/)).toContain('code=143');
      expect(readdirSync(tmp)).toEqual(['pid']);
    } finally {
      tty.close();
      rmSync(tmp, { recursive: true, force: true });
    }
  });
});
