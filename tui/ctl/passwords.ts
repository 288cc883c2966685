import { AppError } from '../../proto/vocab/errors.ts';
import type { CtlIo } from './io.ts';

/** A secret as it is typed, without echo, or the first line of stdin. @throws AppError when nobody is there to ask */
export async function passwordOf(io: CtlIo, stdin: boolean | undefined, prompt: string): Promise<string> {
  if (stdin === true) return firstLine(io, '-');
  if (io.ask === null) {
    throw new AppError('precondition', 'nobody is here to type a password: give it with --password-stdin');
  }
  const typed = await io.ask(prompt, { hidden: true });
  if (typed === '') throw new AppError('invalid', 'no password was typed');
  return typed;
}

/** One that is new is typed twice: nobody sees what was typed. */
export async function newPassword(io: CtlIo, stdin: boolean | undefined, what: string): Promise<string> {
  const once = await passwordOf(io, stdin, `${what}: `);
  if (stdin === true) return once;
  const twice = await passwordOf(io, false, `${what}, again: `);
  if (once !== twice) throw new AppError('invalid', 'the two are not the same: nothing was done');
  return once;
}

export async function firstLine(io: CtlIo, path: string): Promise<string> {
  const bytes = await io.read(path).catch((e: unknown) => {
    throw new AppError('precondition', e instanceof Error ? e.message : String(e));
  });
  const line = new TextDecoder().decode(bytes).split(/\r?\n/)[0] ?? '';
  if (line === '') throw new AppError('invalid', `${path === '-' ? 'stdin' : path} has an empty first line`);
  return line;
}
