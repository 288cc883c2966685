import { formatDuration } from '../../proto/vocab/duration.ts';
import { AppError, type ErrorCode, formatRefusal } from '../../proto/vocab/errors.ts';
import type { Refusal } from '../../proto/vocab/node.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { cutEnd, width } from '../theme/width.ts';
import { type CtlIo, EXIT, NotConfirmed } from './io.ts';

/** The file an `invalid` answer is about, so that its places can be shown. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** What a person can do about it, where the code alone says so. */
const ADVICE: Readonly<Record<ErrorCode, string>> = {
  invalid: 'the words above say what is wanted; --help of the command has the rest',
  not_found: 'the list of the same noun shows what there is',
  unavailable: 'is the master running? --context, --socket PATH or AICDN_SOCKET name another one',
  timeout: 'the master did not answer in time; look at it, then try again with the same --request-id',
  unauthenticated:
    'aicdnctl login, or AICDN_API_KEY; on the master itself: as a user of the group that owns the socket',
  forbidden: 'aicdnctl whoami says who you are; ask somebody whose role allows it',
  conflict: 'look at what is there now, then decide again',
  precondition: 'do what is named above first',
  too_large: 'send less of it',
  unsupported: 'this master or engine cannot do it; --help shows what there is',
  internal: 'the log of the master has more',
};

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  unavailable: EXIT.notConnected,
  timeout: EXIT.notConnected,
  unauthenticated: EXIT.notAllowed,
  forbidden: EXIT.notAllowed,
  not_found: EXIT.notFound,
  conflict: EXIT.conflict,
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

export function refusalLines(r: Refusal, source: Source | null): readonly string[] {
  const at =
    r.line === undefined ? (source?.path ?? '') : `${source?.path ?? 'line'}:${r.line}:${r.column ?? 1}`;
  const path = r.path === undefined ? '' : `${r.path}: `;
  const lines = [safeText(`${at === '' ? '' : `${at}: `}${path}${r.message}`)];
  if (source !== null) lines.push(...excerpt(source, r));
  if (r.hint !== undefined) lines.push(`  do: ${safeText(r.hint)}`);
  return lines;
}

/** Settings, not the master, refuse it. */
export class SettingsRefused extends Error {
  readonly why: AppError;
  constructor(why: AppError) {
    super(why.message);
    this.why = why;
  }
}

/** What, where, what to do, on stderr. @returns the exit status */
export function report(io: CtlIo, error: unknown, source: Source | null): number {
  if (error instanceof NotConfirmed) {
    io.err(`error: ${safeText(error.message)}\n`);
    return EXIT.notConfirmed;
  }
  if (error instanceof SettingsRefused) {
    const { message, refusals } = error.why;
    const places = refusals.map((r) => `\n  ${safeText(formatRefusal(r))}`).join('');
    io.err(`error: ${refusals.length > 0 ? `these settings are refused:${places}` : safeText(message)}\n`);
    io.err('  do: aicdnctl context --help says how contexts are written\n');
    return EXIT.usage;
  }
  if (!(error instanceof AppError)) {
    const text = error instanceof Error ? error.message : String(error);
    io.err(`error: ${safeText(text)}\n  do: this is a fault of aicdnctl; send what you typed\n`);
    return EXIT.refused;
  }
  // With places given, they say it; the message would only repeat the first of them.
  const n = error.refusals.length;
  const what =
    n === 0
      ? safeText(error.message, { newline: 'keep' })
      : `refused, ${n} ${n === 1 ? 'mistake' : 'mistakes'}; nothing was stored`;
  const lines = [`error: ${what} [${error.code}]`];
  for (const r of error.refusals) lines.push(...refusalLines(r, source));
  if (error.refusals.length === 0) lines.push(`  do: ${advice(error)}`);
  io.err(`${lines.join('\n')}\n`);
  return STATUS[error.code] ?? EXIT.refused;
}

function advice(error: AppError): string {
  if (error.retryAfterMs === null) return ADVICE[error.code];
  return `wait ${formatDuration(Math.max(1_000, error.retryAfterMs))}, then try again`;
}
