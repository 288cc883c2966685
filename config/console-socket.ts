import { AppError } from '../proto/vocab/errors.ts';
import { type ConsoleContext, consoleSettingsFile, isPin, loadConsoleSettings } from './console.ts';

export interface ConsoleFlags {
  readonly socket: string | null;
  readonly context: string | null;
  /** `host:port`, with `caPin`. */
  readonly addr?: string | null;
  readonly caPin?: string | null;
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Which master is meant: `--socket` or `--addr` with `--ca-pin`, then `--context`, then `AICDN_SOCKET` or `AICDN_ADDR`
 * with `AICDN_CA_PIN`, then the contexts file, then `/run/ai-cdn/master.sock`. A master named outright needs no
 * settings file, not even a readable one.
 * @throws AppError `invalid`
 */
export function chooseContext(flags: ConsoleFlags, env: Env): ConsoleContext {
  const { socket, context, addr = null, caPin = null } = flags;
  if (socket !== null && addr !== null) {
    throw new AppError('invalid', '--socket and --addr both say where the master is: give one of them');
  }
  if (socket !== null) return { name: context ?? 'default', socket: pathOf(socket) };
  if (addr !== null) return remote(context ?? addr, addr, caPin ?? (env['AICDN_CA_PIN'] || null), '--addr');
  if (context === null && env['AICDN_SOCKET'])
    return { name: 'default', socket: pathOf(env['AICDN_SOCKET']) };
  if (context === null && env['AICDN_ADDR']) {
    return remote(env['AICDN_ADDR'], env['AICDN_ADDR'], env['AICDN_CA_PIN'] || null, 'AICDN_ADDR');
  }
  return contextsOf(env, context).current;
}

/** All that the contexts file names. @throws AppError `invalid` */
export function contextsOf(
  env: Env,
  wanted: string | null,
): ReturnType<typeof loadConsoleSettings>['settings'] {
  const file = consoleSettingsFile(env);
  return loadConsoleSettings({
    ...(file === null ? {} : { file, fileOptional: true }),
    env,
    flags: wanted === null ? {} : { current: wanted },
  }).settings;
}

function remote(name: string, addr: string, caPin: string | null, what: string): ConsoleContext {
  if (caPin === null) {
    throw new AppError(
      'invalid',
      `${what} ${addr} needs the pin of the master's CA: --ca-pin or AICDN_CA_PIN, 64 hex digits, as in a join token`,
    );
  }
  if (!isPin(caPin.toLowerCase())) {
    throw new AppError(
      'invalid',
      `the pin ${caPin.slice(0, 80)} is not 64 hex digits; a join token holds it`,
    );
  }
  if (!/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/.test(addr)) {
    throw new AppError('invalid', `${what} ${addr.slice(0, 80)} is no address: write it like host:50051`);
  }
  return { name, addr, caPin: caPin.toLowerCase() };
}

/** `unix:/run/ai-cdn/master.sock`, as gRPC writes it, is the same socket. */
function pathOf(socket: string): string {
  return socket.replace(/^unix:(?:\/\/(?=\/))?/, '');
}
