import { type Command, InvalidArgumentError } from 'commander';
import type { MutationArgs } from '../../proto/link/console-api.ts';
import { labels, many, nodeName, nodeType, word } from './target.ts';

export interface MutationFlags {
  readonly reason?: string;
  readonly requestId?: string;
  readonly ifRevision?: number;
}

export function whole(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('a whole number.');
  return Number(text);
}

/** What goes around every change. @param ifRevision whether there is an entity that could have changed meanwhile */
export function mutates(command: Command, more: { reason?: 'wanted'; ifRevision?: true } = {}): Command {
  if (more.reason === 'wanted') command.requiredOption('--reason <text>', 'why; kept in the audit log');
  else command.option('--reason <text>', 'why; kept in the audit log');
  command.option('--request-id <id>', 'a repeat with the same id gets the first answer, and does nothing');
  if (more.ifRevision) {
    command.option(
      '--if-revision <n>',
      'only when it is still at this modRevision; else it ends with 6',
      whole,
    );
  }
  return command;
}

export function mutation(flags: MutationFlags, reason: string): MutationArgs {
  return {
    reason: flags.reason ?? reason,
    ...(flags.requestId === undefined ? {} : { requestId: flags.requestId }),
    ...(flags.ifRevision === undefined ? {} : { ifRevision: flags.ifRevision }),
  };
}

export function watches(command: Command): Command {
  return command.option('-w, --watch', 'again when something changed, until ctrl-c');
}

/** Flags that say which nodes. */
export function aims(command: Command): Command {
  return command
    .option('--type <type>', 'nodes of this type: edge or core', nodeType)
    .option('--region <region>', 'nodes of this region; may be given again', many(word))
    .option('--node <name>', 'this node; may be given again', many(nodeName))
    .option('-l, --label-selector <k=v>', 'nodes with this label; may be given again', labels);
}

/** For what may reach further than one region. */
export function reaches(command: Command): Command {
  return command.option('--confirm <count>', 'the number of nodes, when it is more than one region');
}
