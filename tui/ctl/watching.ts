import type { CtlRun } from './ctl.ts';
import { type Listing, listed, show } from './output.ts';

const AGAIN_MS = 2_000;
const HOME_AND_CLEAR = '\u001b[H\u001b[2J';

/** Once, or again and again: on a terminal in place, in a pipe when something changed (a JSON document a line). */
export async function list<T>(
  run: CtlRun,
  watch: boolean | undefined,
  read: () => Promise<Listing<T>>,
): Promise<void> {
  const { io } = run;
  if (watch !== true) return show(run, await read());
  let before = '';
  for (;;) {
    const l = await read();
    const text = listed(run, l, true) || `${l.empty}\n`;
    if (text !== before) io.out(io.outIsTty ? HOME_AND_CLEAR + text : text);
    before = text;
    await io.sleep(AGAIN_MS);
  }
}

/** One line on a person's stderr that is written over; nothing in a pipe. */
export function progress(run: Pick<CtlRun, 'io'>): { say(text: string): void; end(): void } {
  const { io } = run;
  let shown = '';
  return {
    say(text) {
      if (!io.errIsTty || text === shown) return;
      shown = text;
      io.err(`\r\u001b[K${text}`);
    },
    end() {
      if (shown !== '') io.err('\r\u001b[K');
      shown = '';
    },
  };
}
