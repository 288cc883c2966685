import type { ReadStream } from 'node:tty';
import { AppError } from '../../proto/vocab/errors.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';

export interface PromptNeeds {
  readonly stdin: ReadStream;
  /** A terminal that is not stdout: what is asked is no output. */
  readonly write: (text: string) => void;
}

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const CTRL_U = '\u0015';

/**
 * One line that a person types; `hidden`: without echo. The terminal is as it was when this settles.
 * @throws AppError `precondition` when it was broken off
 */
export function promptLine(
  prompt: string,
  { hidden }: { readonly hidden: boolean },
  { stdin, write }: PromptNeeds,
): Promise<string> {
  write(safeText(prompt));
  const raw = stdin.isRaw;
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  return new Promise((resolve, reject) => {
    let typed: string[] = [];
    const end = (settle: () => void): void => {
      stdin.off('data', onData);
      stdin.setRawMode(raw);
      stdin.pause();
      write('\n');
      settle();
    };
    const erase = (n: number): void => {
      const gone = typed.splice(typed.length - n);
      if (!hidden) write(gone.map(() => '\b \b').join(''));
    };
    const onData = (chunk: string) => {
      for (const [at, key] of [...chunk].entries()) {
        if (key === '\r' || key === '\n') {
          // What was pasted behind it is for the next question, or for nobody.
          const rest = [...chunk].slice(at + 1).join('');
          if (rest !== '') stdin.unshift(rest);
          return end(() => resolve(typed.join('')));
        }
        if (key === CTRL_C || (key === CTRL_D && typed.length === 0)) {
          return end(() => reject(new AppError('precondition', 'broken off: nothing was done')));
        }
        if (key === '\u007f' || key === '\b') erase(Math.min(1, typed.length));
        else if (key === CTRL_U) erase(typed.length);
        else if (key >= ' ') {
          typed = [...typed, key];
          if (!hidden) write(safeText(key));
        }
      }
    };
    stdin.on('data', onData);
    stdin.resume();
  });
}
