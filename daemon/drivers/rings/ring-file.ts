import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { NodeName } from '../../../proto/vocab/ids.ts';
import type { HostFigures } from '../../../proto/vocab/metrics.ts';
import type { NodeType } from '../../../proto/vocab/node.ts';
import type { Packed } from './cell.ts';
import { TENTHS } from './day.ts';
import { GroupRing } from './group-ring.ts';
import { NodeRing } from './node-ring.ts';
import type { Tools } from './tools.ts';

// Rings in a file, beside the journal: figures are worth keeping over a restart, not a sync each. A line that says what it
// is, then records: length, crc32 and content, which is a line of JSON and the packed texts that it counts.

/** As long as each other: the file of a master that ended is marked, in its place, as one that runs. */
const ENDED = 'ai-cdn rings 2 ended\n';
const RUNS = 'ai-cdn rings 2 runs \n';
/** Bytes written before others get their turn. */
const BYTES_A_TURN = 256 * 1024;
/** Nodes read before others do. */
const NODES_A_TURN = 100;

interface NodeLine {
  readonly node: NodeName;
  readonly names: readonly string[];
  readonly lastAt: number;
  readonly lastMs: number;
  readonly host: HostFigures;
  readonly recent: number;
  readonly minutes: number;
  readonly since: number;
  readonly uncounted: number;
  readonly unfolded: number;
  readonly day: boolean;
}
interface GroupLine {
  readonly region: string;
  readonly nodeType: NodeType;
  readonly names: readonly string[];
  readonly minutes: number;
  readonly tens: number;
}

/**
 * Writes all or nothing: the file before stays until the new one is on the disk.
 * @param rings.ended nothing is counted or told any more after this
 * @returns bytes
 */
export async function writeRings(
  file: string,
  rings: {
    readonly nodes: ReadonlyMap<NodeName, NodeRing>;
    readonly groups: Iterable<GroupRing>;
    readonly tools: Tools;
    readonly ended: boolean;
  },
): Promise<number> {
  const tmp = `${file}.tmp`;
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(tmp, 'w', 0o600);
  try {
    await handle.writeFile(rings.ended ? ENDED : RUNS);
    const page = new Page();
    let bytes = RUNS.length;
    const flush = async (): Promise<void> => {
      bytes += page.length;
      await handle.writeFile(page.taken());
      // Somebody may be waiting for this process.
      await turn();
    };
    for (const g of rings.groups) groupRecord(page, g, rings.tools);
    for (const [name, ring] of [...rings.nodes]) {
      nodeRecord(page, name, ring);
      if (page.length >= BYTES_A_TURN) await flush();
    }
    await flush();
    await handle.datasync();
    await handle.close();
    await rename(tmp, file);
    return bytes;
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(tmp, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** A file that is damaged is read up to there; one of another kind is not read. `fault` says so. */
export async function readRings(file: string): Promise<{
  readonly nodes: ReadonlyMap<NodeName, NodeRing>;
  readonly groups: readonly GroupRing[];
  readonly fault: string | null;
}> {
  const nodes = new Map<NodeName, NodeRing>();
  const groups: GroupRing[] = [];
  const done = (fault: string | null) => ({ nodes, groups, fault });
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return done(missing ? null : `${file} cannot be read: ${String(error)}`);
  }
  const line = bytes.subarray(0, RUNS.length).toString('latin1');
  if (line !== RUNS && line !== ENDED) {
    return done(`${file} holds no figures of this release: they begin anew`);
  }
  const ended = line === ENDED && (await markRunning(file));
  let at = RUNS.length;
  try {
    while (at < bytes.length) {
      const length = bytes.readUInt32LE(at);
      const content = bytes.subarray(at + 8, at + 8 + length);
      if (content.length !== length || crc32(content) !== bytes.readUInt32LE(at + 4)) {
        throw new RangeError('a record is damaged');
      }
      readRecord(content, ended, nodes, groups);
      at += 8 + length;
      if (nodes.size % NODES_A_TURN === 0) await turn();
    }
    return done(null);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return done(`${file} is damaged at byte ${at} (${why}): figures behind it are lost`);
  }
}

/** On the disk, before anything more is counted. `false`: it cannot be told from the file of a master that was killed. */
async function markRunning(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'r+');
    try {
      await handle.write(RUNS, 0);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    return true;
  } catch {
    return false;
  }
}

function nodeRecord(page: Page, node: NodeName, ring: NodeRing): void {
  const { names, recent, minutes, since, uncounted, unfolded, totals, day, lastAt, lastMs, host } =
    ring.keep();
  const line: NodeLine = {
    node,
    names,
    lastAt,
    lastMs,
    host,
    recent: recent.length,
    minutes: minutes.length,
    since: since.length,
    uncounted,
    unfolded,
    day: day !== null,
  };
  const bytes = day === null ? [] : [Buffer.from(day.buffer, day.byteOffset, day.byteLength)];
  page.record(line, [...recent, ...minutes, ...since, totals], bytes);
}

function groupRecord(page: Page, group: GroupRing, tools: Tools): void {
  const { region, nodeType, names, minutes, tens, totals } = group.keep(tools);
  const line: GroupLine = { region, nodeType, names, minutes: minutes.length, tens: tens.length };
  page.record(line, [...minutes, ...tens, totals]);
}

/**
 * Records on their way to the file. One piece of memory for all: as many new ones as a large fleet takes each minute
 * would have the whole heap collected each minute.
 */
class Page {
  private bytes = Buffer.allocUnsafe(2 * BYTES_A_TURN);
  private at = 0;

  get length(): number {
    return this.at;
  }

  /** Good until the next record. */
  taken(): Buffer {
    const taken = this.bytes.subarray(0, this.at);
    this.at = 0;
    return taken;
  }

  record(line: object, packed: readonly Packed[], more: readonly Buffer[] = []): void {
    const told = `${JSON.stringify(line)}\n`;
    const texts = packed.reduce((n, p) => n + 4 + p.length, 0);
    const length = Buffer.byteLength(told) + texts + more.reduce((n, m) => n + m.length, 0);
    this.makeRoom(8 + length);
    const { bytes: out, at: start } = this;
    let at = start + 8;
    at += out.write(told, at);
    for (const p of packed) {
      at = out.writeUInt32LE(p.length, at);
      at += out.write(p, at, 'latin1');
    }
    for (const m of more) at += m.copy(out, at);
    out.writeUInt32LE(length, start);
    out.writeUInt32LE(crc32(out.subarray(start + 8, at)), start + 4);
    this.at = at;
  }

  private makeRoom(length: number): void {
    if (this.at + length <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.at + length));
    this.bytes.copy(larger, 0, 0, this.at);
    this.bytes = larger;
  }
}

function readRecord(
  content: Buffer,
  ended: boolean,
  nodes: Map<NodeName, NodeRing>,
  groups: GroupRing[],
): void {
  const end = content.indexOf(10);
  if (end < 0) throw new RangeError('a record without its line');
  const line = JSON.parse(content.subarray(0, end).toString()) as NodeLine | GroupLine;
  let at = end + 1;
  const texts = (n: number): Packed[] =>
    Array.from({ length: n }, () => {
      const length = content.readUInt32LE(at);
      const text = content.subarray(at + 4, at + 4 + length).toString('latin1');
      at += 4 + length;
      return text;
    });
  if ('node' in line) {
    const [recent, minutes, since] = [texts(line.recent), texts(line.minutes), texts(line.since)];
    const [totals = ''] = texts(1);
    const day = line.day
      ? Uint16Array.from(new Uint16Array(Uint8Array.from(content.subarray(at)).buffer))
      : null;
    const kept = { ...line, recent, minutes, since, totals, day };
    nodes.set(line.node, NodeRing.from(kept, ended, nodes.size % TENTHS));
  } else {
    const [minutes, tens, [totals = '']] = [texts(line.minutes), texts(line.tens), texts(1)];
    groups.push(GroupRing.from({ ...line, minutes, tens, totals }, ended));
  }
}
