import path from 'node:path';
import { z } from 'zod';
import { isWord } from '../proto/vocab/ids.ts';
import { key, quote, reading, socketPath, text, type Values } from './key.ts';
import { type Loaded, type LoadFrom, loadKeys, settingsRefused } from './load.ts';

const contextName = reading<string>(text, (v: string) =>
  isWord(v) ? { ok: v } : { message: `${quote(v)} is not a name`, hint: 'up to 63 of a-z, 0-9, -, _ and .' },
);

export const CONSOLE_KEYS = {
  contexts: key(
    z
      .array(
        z.strictObject(
          { name: contextName, socket: socketPath },
          {
            error: (issue) =>
              issue.code === 'unrecognized_keys'
                ? `holds ${quote(issue.keys.join(', '))}, which is not read`
                : 'must hold name and socket',
          },
        ),
        { error: 'must be a list' },
      )
      .min(1, 'the list is empty'),
    [{ name: 'default', socket: '/run/ai-cdn/master.sock' }],
    'the fleets this console knows',
  ),
  current: key(contextName.nullable(), null, 'the fleet it opens; the first one when not given'),
};

export interface ConsoleContext {
  readonly name: string;
  readonly socket: string;
}

export interface ConsoleSettings {
  readonly contexts: readonly ConsoleContext[];
  readonly current: ConsoleContext;
}

/** `$XDG_CONFIG_HOME/ai-cdn/console.yml` or `~/.config/ai-cdn/console.yml`; `null` without a home. */
export function consoleSettingsFile(env: Readonly<Record<string, string | undefined>>): string | null {
  const base = env['XDG_CONFIG_HOME'] || (env['HOME'] ? path.join(env['HOME'], '.config') : null);
  return base ? path.join(base, 'ai-cdn', 'console.yml') : null;
}

/** @throws AppError `invalid` */
export function loadConsoleSettings(from: LoadFrom): Loaded<ConsoleSettings> {
  const { settings, sources } = loadKeys(CONSOLE_KEYS, from);
  const { contexts, current }: Values<typeof CONSOLE_KEYS> = settings;
  const wanted = current ?? contexts[0]?.name;
  const chosen = contexts.find((c) => c.name === wanted);
  if (chosen) return { settings: { contexts, current: chosen }, sources };
  throw settingsRefused([
    {
      code: 'bad_value',
      path: sources['current'] === 'file' ? `${from.file}: current` : 'current',
      message: `there is no context ${quote(current)}`,
      hint: `one of ${contexts.map((c) => c.name).join(', ')}`,
    },
  ]);
}
