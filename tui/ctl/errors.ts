import { AppError, type ErrorCode } from '../../proto/vocab/errors.ts';
import type { Refusal } from '../../proto/vocab/node.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { cutEnd, width } from '../theme/width.ts';
import { type CtlIo, EXIT } from './io.ts';

/** The file an `invalid` answer is about, so that its places can be shown. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** What a person can do about it, where the code alone says so. */
const ADVICE: Readonly<Partial<Record<ErrorCode, string>>> = {
  unavailable: 'is the master running? --socket PATH or AICDN_SOCKET name another socket',
  timeout: 'the master did not answer in time; look at it, then try again',
  unauthenticated: 'run it as a user of the group that owns the socket',
  forbidden: 'ask somebody whose role allows it',
  conflict: 'look at what is there now, then decide again',
};

const EXCERPT = 100;

/** The line it is about with its number, and a caret under the column. Columns count UTF-16 units, as editors do. */
function excerpt(source: Source, r: Refusal): readonly string[] {
  if (r.line === undefined) return [];
  const raw = source.text.split(/\r?\n/)[r.line - 1];
  if (raw === undefined) return [];
  const column = Math.max(1, r.column ?? 1);
  // A long line is shown from where the mistake is still in sight.
  const from = column > EXCERPT - 20 ? column - 40 : 0;
  const head = safeText(raw.slice(from, column - 1));
  const all = cutEnd(head + safeText(raw.slice(column - 1)), EXCERPT, '…');
  const number = String(r.line);
  const gutter = ' '.repeat(number.length);
  const lead = from > 0 ? '… ' : '';
  return [`  ${number} | ${lead}${all}`, `  ${gutter} | ${' '.repeat(width(lead) + width(head))}^`];
}

function refusal(r: Refusal, source: Source | null): readonly string[] {
  const at =
    r.line === undefined ? (source?.path ?? '') : `${source?.path ?? 'line'}:${r.line}:${r.column ?? 1}`;
  const path = r.path === undefined ? '' : `${r.path}: `;
  const lines = [safeText(`${at === '' ? '' : `${at}: `}${path}${r.message}`)];
  if (source !== null) lines.push(...excerpt(source, r));
  if (r.hint !== undefined) lines.push(`  do: ${safeText(r.hint)}`);
  return lines;
}

/** What, where, what to do, on stderr. @returns the exit status */
export function report(io: CtlIo, error: unknown, source: Source | null): number {
  if (!(error instanceof AppError)) {
    const text = error instanceof Error ? error.message : String(error);
    io.err(`error: ${safeText(text)}\n`);
    return EXIT.refused;
  }
  // With places given, they say it; the message would only repeat the first of them.
  const n = error.refusals.length;
  const what =
    n === 0
      ? safeText(error.message)
      : `refused, ${n} ${n === 1 ? 'mistake' : 'mistakes'}; nothing was stored`;
  const lines = [`error: ${what} [${error.code}]`];
  for (const r of error.refusals) lines.push(...refusal(r, source));
  const advice = ADVICE[error.code];
  if (error.refusals.length === 0 && advice !== undefined) lines.push(`  do: ${advice}`);
  io.err(`${lines.join('\n')}\n`);
  return error.code === 'unavailable' || error.code === 'timeout' ? EXIT.notConnected : EXIT.refused;
}
