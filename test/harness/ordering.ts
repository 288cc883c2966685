import type { ConsoleApi } from '../../proto/link/console-api.ts';
import type { CommandOptions, CommandResult, CommandTask, CommandType } from '../../proto/vocab/command.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { until } from '../../scripts/demo/process.ts';

/** Runs a command on these nodes and waits until every one of them has answered. */
export async function ordered(
  api: ConsoleApi,
  type: CommandType,
  nodes: readonly string[],
  options: CommandOptions = {},
): Promise<CommandTask> {
  const { command } = await api.runCommand(
    { reason: 'test' },
    {
      type,
      target: { nodes: nodes as readonly NodeName[] },
      timeoutMs: null,
      expiresMs: null,
      dryRun: false,
      maxParallel: null,
      options,
    },
  );
  return until(`${type} has ended`, 30_000, async () => {
    const task = await api.getCommand(command.id);
    return task.endedAt === null ? null : task;
  });
}

/** The same for one node: its part. */
export async function told(
  api: ConsoleApi,
  type: CommandType,
  node: string,
  options: CommandOptions = {},
): Promise<CommandResult> {
  const result = Object.values<CommandResult>((await ordered(api, type, [node], options)).results)[0];
  if (!result) throw new Error(`${type}: no result`);
  return result;
}
