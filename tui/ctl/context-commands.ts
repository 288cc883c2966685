import type { Command } from 'commander';
import { AppError } from '../../proto/vocab/errors.ts';
import { type Master, whereOf } from '../client/place.ts';
import { type Ctl, noun } from './ctl.ts';
import { show, showDone } from './output.ts';
import { word } from './target.ts';

/** The contexts file, as main.ts reads and writes it. */
export interface Contexts {
  /** @throws AppError `invalid`, with file, line and field */
  readonly all: () => { readonly contexts: readonly Master[]; readonly current: Master };
  readonly add: (context: Master) => void;
  readonly use: (name: string) => void;
  /** Path of the file. @throws AppError without a home */
  readonly file: () => string;
}

interface AddFlags {
  readonly to?: string;
  readonly pin?: string;
  readonly user?: string;
}

const FILE = `
The file is ~/.config/ai-cdn/console.yml ($XDG_CONFIG_HOME), for aicdnctl and aicdn-tui:

  contexts:
    - name: here
      socket: /run/ai-cdn/master.sock
    - name: prod-asia
      addr: master.example.org:50051      # the agents' port
      ca_pin: 9f2b…                       # 64 hex digits, as in a join token
      user: lin                           # who logs in
  current: prod-asia`;

export function contextCommands(program: Command, ctl: Ctl, contexts: Contexts): void {
  const context = noun(program, 'context', 'contexts')
    .description('which masters there are, and which one is meant')
    .addHelpText('after', FILE);

  context
    .command('list')
    .description('the masters of the contexts file; * is the one that is meant')
    .action(() =>
      ctl.local((run) => {
        const { contexts: all, current } = contexts.all();
        show(run, {
          rows: all,
          data: { contexts: all, current: current.name, file: contexts.file() },
          name: (c) => c.name,
          empty: 'none',
          columns: [
            { head: '', of: (c) => (c.name === current.name ? '*' : '') },
            { head: 'NAME', of: (c) => c.name },
            { head: 'WHERE', of: whereOf },
            { head: 'USER', of: (c) => c.user ?? '-' },
            { head: 'CA PIN', of: (c) => ('caPin' in c ? c.caPin : '-'), wide: true },
          ],
        });
      }),
    );

  context
    .command('use')
    .description('this one from now on')
    .argument('<name>')
    .action((name: string) =>
      ctl.local((run) => {
        const { contexts: all } = contexts.all();
        if (!all.some((c) => c.name === name)) {
          throw new AppError(
            'not_found',
            `there is no context ${name}: ${all.map((c) => c.name).join(', ')}`,
          );
        }
        contexts.use(name);
        showDone(run, { current: name }, name, `${name} from now on`);
      }),
    );

  context
    .command('add')
    .description('another master: a socket of this host, or host:port with the pin of its CA')
    .argument('<name>', 'what it is called here', word)
    .argument('<where>', '/run/ai-cdn/master.sock, or master.example.org:50051')
    .option('--pin <hex>', 'sha256 of its CA, as in a join token; for host:port')
    .option('--user <name>', 'who logs in there')
    .action((name: string, where: string, flags: AddFlags) =>
      ctl.local((run) => {
        const user = flags.user === undefined ? {} : { user: flags.user };
        if (where.startsWith('/')) contexts.add({ name, socket: where, ...user });
        else if (flags.pin === undefined) {
          throw new AppError(
            'invalid',
            `${where} needs --pin: nobody is believed by name. A join token holds it: ct1.PIN.…`,
          );
        } else contexts.add({ name, addr: where, caPin: flags.pin, ...user });
        showDone(
          run,
          { name, file: contexts.file() },
          name,
          `${name} is in ${contexts.file()}; aicdnctl context use ${name}`,
        );
      }),
    );
}
