import pino, { type DestinationStream } from 'pino';
import type { Log } from './service/ports.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface MasterLog extends Log {
  /** Everything said so far is written. */
  flush(): void;
}

/** JSON, a line each, on standard output. */
export function createLog(level: LogLevel, out?: DestinationStream): MasterLog {
  const destination = out ?? pino.destination({ dest: 1, sync: false });
  const log = pino(
    {
      level,
      base: { program: 'aicdn-master' },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  const at =
    (name: LogLevel) =>
    (message: string, fields: Record<string, unknown> = {}): void => {
      log[name](fields, message);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    flush() {
      if ('flushSync' in destination && typeof destination.flushSync === 'function') {
        try {
          destination.flushSync();
        } catch {
          // Not open yet, or nobody reads any more: there is nobody to tell.
        }
      }
    },
  };
}
