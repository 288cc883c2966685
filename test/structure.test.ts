import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseSync } from 'oxc-parser';
import { describe, expect, it } from 'vitest';
import { LEAST, mayImport, PURE, ROOMS, TEST_OUTSIDE } from './may-import.ts';

// dependency-cruiser reads no module under TypeScript 7 and passes, so this test counts what it saw.

const root = path.resolve(import.meta.dirname, '..');
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.ts', '*.tsx', '*.mjs'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((f) => f.includes('/'));
const sources = files.filter((f) => !f.startsWith('proto/gen/'));

const roomOf = (file: string): string | null =>
  ROOMS.find(([prefix]) => file.startsWith(prefix))?.[1] ?? null;
const isTest = (file: string): boolean => /\.test\.tsx?$/.test(file);

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly line: number;
}

function importsOf(file: string): Edge[] {
  const text = readFileSync(path.join(root, file), 'utf8');
  const { module, errors, program } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  const edges: Edge[] = [];
  const add = (to: string, offset: number): void => {
    edges.push({ from: file, to, line: text.slice(0, offset).split('\n').length });
  };
  for (const i of module.staticImports) add(i.moduleRequest.value, i.start);
  for (const e of module.staticExports) {
    for (const entry of e.entries) if (entry.moduleRequest) add(entry.moduleRequest.value, e.start);
  }
  for (const d of module.dynamicImports) {
    add(text.slice(d.moduleRequest.start, d.moduleRequest.end).replace(/^['"`]|['"`]$/g, ''), d.start);
  }
  // `import('…').T` in a type position is an import as well.
  walk(program, (node) => {
    const source = node['type'] === 'TSImportType' ? node['source'] : null;
    const value = isObject(source) ? source['value'] : null;
    if (typeof value === 'string') add(value, Number(node['start']));
  });
  return edges;
}

type Tree = Record<string, unknown>;
const isObject = (v: unknown): v is Tree => typeof v === 'object' && v !== null;

function walk(node: unknown, visit: (node: Tree) => void): void {
  if (Array.isArray(node)) for (const n of node) walk(n, visit);
  else if (isObject(node)) {
    visit(node);
    for (const v of Object.values(node)) if (isObject(v)) walk(v, visit);
  }
}

const edges = sources.flatMap(importsOf);
const targetOf = (e: Edge): string => path.posix.normalize(path.posix.join(path.posix.dirname(e.from), e.to));

const allowedOutside = (list: readonly string[], spec: string): boolean =>
  list.some((a) =>
    a === '*' ? true : a === 'node:*' ? spec.startsWith('node:') : spec === a || spec.startsWith(`${a}/`),
  );

describe('rooms', () => {
  it('every module belongs to a room that has a rule', () => {
    const homeless = files.filter((f) => !Object.hasOwn(mayImport, roomOf(f) ?? ''));
    expect(homeless).toEqual([]);
  });

  it('saw the tree: modules in every room, and the edges between them', () => {
    const seen = new Map<string, number>();
    for (const f of sources) seen.set(roomOf(f) ?? '', (seen.get(roomOf(f) ?? '') ?? 0) + 1);
    for (const [room, least] of Object.entries(LEAST)) {
      expect(seen.get(room) ?? 0, `modules in ${room}`).toBeGreaterThanOrEqual(least);
    }
    // Type imports are edges too: ports.ts imports nothing but types.
    expect(edges.filter((e) => e.from === 'daemon/service/ports.ts').length).toBeGreaterThan(5);
    expect(edges.length).toBeGreaterThan(60);
  });

  it('a room imports only what it may', () => {
    const wrong: string[] = [];
    for (const e of edges) {
      const room = roomOf(e.from) ?? '';
      const rule = mayImport[room];
      if (!rule) continue;
      const at = `${e.from}:${e.line} imports ${e.to}`;
      if (e.to.startsWith('.')) {
        const to = roomOf(targetOf(e));
        if (to === room || rule.rooms.includes('*') || (to && rule.rooms.includes(to))) continue;
        // A test beside its file may use the working twins of test/.
        if (isTest(e.from) && to === 'test') continue;
        wrong.push(`${at}: ${room} may not import ${to ?? 'that'}`);
      } else if (!allowedOutside(rule.outside, e.to)) {
        if (isTest(e.from) && allowedOutside(TEST_OUTSIDE, e.to)) continue;
        wrong.push(`${at}: not among the packages of ${room}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('the three programs meet only in proto/ and config/', () => {
    const program = (f: string): string | undefined => /^(daemon|agent|tui)\//.exec(f)?.[1];
    const wrong = edges.filter((e) => {
      const [from, to] = [program(e.from), e.to.startsWith('.') ? program(targetOf(e)) : undefined];
      return from !== undefined && to !== undefined && from !== to;
    });
    expect(wrong).toEqual([]);
  });

  it('pure rooms touch no clock, no randomness, no process and no timer', () => {
    const impure =
      /\b(Date\.now\(|new Date\(\)|Math\.random\(|setTimeout\(|setInterval\(|setImmediate\(|process\.|console\.|performance\.now\(|crypto\.random)/;
    const wrong: string[] = [];
    for (const f of sources) {
      if (!PURE.includes(roomOf(f) ?? '') || isTest(f)) continue;
      readFileSync(path.join(root, f), 'utf8')
        .split('\n')
        .forEach((line, i) => {
          if (impure.test(line.replace(/\/\/.*$|^\s*\*.*$/, ''))) wrong.push(`${f}:${i + 1}: ${line.trim()}`);
        });
    }
    expect(wrong).toEqual([]);
  });
});
