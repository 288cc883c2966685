import { X509Certificate } from 'node:crypto';
import type { TunnelDocument } from '../../proto/document/document.ts';
import type { Millis } from '../../proto/vocab/ids.ts';
import type { DrainView, EngineInfo, Standing } from '../../proto/vocab/node.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import type { Engine } from '../engine/port.ts';

/** A result holds no more. */
const MOST = 4096;
const MOST_CERTIFICATES = 16;

const at = (t: Millis): string => new Date(t).toISOString();

/** Engine, listeners, streams and certificates, a line each. */
export async function statusText(needs: {
  readonly engine: Engine;
  readonly standing: () => Promise<Standing>;
  readonly certificate: () => { readonly node: string; readonly notAfter: Millis };
  readonly readFile: (file: string) => Promise<string>;
}): Promise<string> {
  const { engine, certificate } = needs;
  const info = await engine.info().catch(() => null);
  const stats = await engine.stats().catch(() => null);
  const effective = await engine.effective().catch(() => null);
  const { stopped, drains } = await needs.standing();
  const streams = new Map(stats?.services.map((s) => [s.service, s.streams]) ?? []);
  const { node, notAfter } = certificate();
  const lines = [
    ...engineLines(info),
    ...(stopped ? ['stopped: takes no new streams until it is started'] : []),
    ...drains.map(drainLine),
    ...(info?.listeners ?? []).map(
      (l) => `listener ${l.service} ${l.type} ${l.addr}, ${counted(streams.get(l.service))}`,
    ),
    // Of services that are gone, while their streams finish.
    ...[...streams]
      .filter(([name, n]) => n > 0 && !info?.listeners.some((l) => l.service === name))
      .map(([name, n]) => `finishing ${name}, ${counted(n)}`),
    `certificate of ${node}, until ${at(notAfter)}`,
    ...(await certificateLines(effective?.document ?? null, needs.readFile)),
  ];
  return clipped(lines.map((l) => safeText(l, { max: 500 })));
}

function engineLines(info: EngineInfo | null): string[] {
  if (!info) return ['engine: none answers'];
  const workers = info.workers ? `, ${info.workers.length} workers, ${info.restarts ?? 0} replaced` : '';
  const document = info.documentHash ? `document ${info.documentHash.slice(0, 12)}` : 'no document';
  return [
    `engine ${info.kind} ${info.version}, pid ${info.pid}, since ${at(info.startedAt)}${workers}`,
    `${document}, generation ${info.generation}`,
  ];
}

function drainLine(d: DrainView): string {
  const eta = d.etaMs === null || d.streams === 0 ? '' : `, over in about ${Math.ceil(d.etaMs / 1000)} s`;
  return `drain ${d.service ?? 'of every service'}: ${counted(d.streams)}, oldest ${Math.round(d.oldestMs / 1000)} s, deadline ${at(d.deadline)}${eta}`;
}

function counted(n: number | undefined): string {
  return n === undefined ? 'streams unknown' : n === 1 ? '1 stream' : `${n} streams`;
}

/** Certificates that the document names by file: whose, and until when. Keys are not looked at. */
async function certificateLines(
  document: TunnelDocument | null,
  readFile: (file: string) => Promise<string>,
): Promise<string[]> {
  const files = new Set<string>();
  JSON.stringify(document, (key, value: unknown) => {
    if (key === 'certFile' && typeof value === 'string' && value !== '') files.add(value);
    return value;
  });
  const lines: string[] = [];
  for (const file of [...files].slice(0, MOST_CERTIFICATES)) {
    try {
      const { subject, subjectAltName, validToDate } = new X509Certificate(await readFile(file));
      const of = subjectAltName ?? subject.replaceAll('\n', ' ');
      lines.push(`certificate ${file} of ${of}, until ${validToDate.toISOString()}`);
    } catch (e) {
      lines.push(`certificate ${file}: ${e instanceof Error ? e.message : String(e)}`);
    }
  }
  return lines;
}

/** The engine's last lines, newest last; what a result cannot hold is left out at the head, and said. */
export async function logText(engine: Engine, lines: number): Promise<string> {
  const all = (await engine.logs(0, 1000)).lines.slice(-lines);
  return clipped(all.map((l) => `${at(l.at)} ${l.level} ${safeText(l.text, { max: 1000 })}`));
}

/** Whole lines from the end. */
function clipped(lines: readonly string[]): string {
  const kept: string[] = [];
  let room = MOST - 64;
  for (const line of lines.toReversed()) {
    if (line.length + 1 > room) break;
    room -= line.length + 1;
    kept.unshift(line);
  }
  const out = lines.length - kept.length;
  return [...(out > 0 ? [`… ${out} earlier lines do not fit`] : []), ...kept].join('\n');
}
