import { type ConsoleContext, consoleSettingsFile, loadConsoleSettings } from './console.ts';

export interface ConsoleFlags {
  readonly socket: string | null;
  readonly context: string | null;
}

/**
 * Which master is meant: `--socket`, then `--context`, then `AICDN_SOCKET`, then the contexts file, then
 * `/run/ai-cdn/master.sock`. A socket named outright needs no settings file, not even a readable one.
 * @throws AppError `invalid`
 */
export function chooseContext(
  flags: ConsoleFlags,
  env: Readonly<Record<string, string | undefined>>,
): ConsoleContext {
  if (flags.socket !== null) return { name: flags.context ?? 'default', socket: pathOf(flags.socket) };
  const fromEnv = env['AICDN_SOCKET'] ?? '';
  if (flags.context === null && fromEnv !== '') return { name: 'default', socket: pathOf(fromEnv) };
  const file = consoleSettingsFile(env);
  const { settings } = loadConsoleSettings({
    ...(file === null ? {} : { file, fileOptional: true }),
    env,
    flags: flags.context === null ? {} : { current: flags.context },
  });
  return settings.current;
}

/** `unix:/run/ai-cdn/master.sock`, as gRPC writes it, is the same socket. */
function pathOf(socket: string): string {
  return socket.replace(/^unix:(?:\/\/(?=\/))?/, '');
}
