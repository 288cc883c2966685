const ESC = String.fromCharCode(27);

// Alternate screen, no cursor, pastes marked, no wrap at the last column (a terminal that counts a character wider
// than we do must not push the rest of the frame down).
export const ENTER = `${ESC}[?1049h${ESC}[?25l${ESC}[?2004h${ESC}[?7l${ESC}[m${ESC}[2J${ESC}[H`;
// CAN first: a sequence may have been cut off in the middle.
export const LEAVE = `\u0018${ESC}[?2026l${ESC}[m${ESC}[r${ESC}[?7h${ESC}[?2004l${ESC}[?25h${ESC}[?1049l`;

type ExitSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGQUIT';
const EXIT_SIGNALS: Readonly<Record<ExitSignal, number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 };

/** The part of `process` this needs. */
export interface ProcessPort {
  readonly pid: number;
  on(event: string, fn: (arg: unknown) => void): unknown;
  off(event: string, fn: (arg: unknown) => void): unknown;
  exit(code: number): void;
  kill(pid: number, signal: string): unknown;
}

export interface TerminalNeeds {
  readonly proc: ProcessPort;
  /** Raw mode of the keyboard. */
  readonly setRawMode: (on: boolean) => void;
  /** Synchronous: on the way out nothing is left that would wait. Errors are the terminal's end and are ignored. */
  readonly writeSync: (data: string) => void;
  /** A line for the person, on stderr, after the screen is theirs again. */
  readonly tell: (line: string) => void;
  /** The screen is empty: paint it whole. After SIGCONT, and after `resume`. */
  readonly onResume: () => void;
  /** Called before an exit by signal or crash; must not throw. */
  readonly onExit?: () => void;
}

/**
 * Owns the terminal's modes. Whatever ends the process (exit, signal, crash) gives the terminal back first.
 * outside -> inside -> outside; inside -> suspended -> inside.
 */
export class TerminalModes {
  readonly #needs: TerminalNeeds;
  readonly #listeners: (readonly [string, (arg: unknown) => void])[] = [];
  #state: 'outside' | 'inside' | 'suspended' = 'outside';

  constructor(needs: TerminalNeeds) {
    this.#needs = needs;
  }

  get inside(): boolean {
    return this.#state === 'inside';
  }

  /** outside -> inside. From here on every way out restores. */
  enter(): void {
    if (this.#state !== 'outside') return;
    this.#state = 'inside';
    this.#listen();
    this.#needs.setRawMode(true);
    this.#needs.writeSync(ENTER);
  }

  /** inside | suspended -> outside. Twice is once. */
  leave(): void {
    if (this.#state === 'outside') return;
    const held = this.#state === 'inside';
    this.#state = 'outside';
    for (const [event, fn] of this.#listeners.splice(0)) this.#needs.proc.off(event, fn);
    if (held) this.#giveBack();
  }

  /** inside -> suspended: the terminal is another program's for a while. */
  suspend(): void {
    if (this.#state !== 'inside') return;
    this.#state = 'suspended';
    this.#giveBack();
  }

  /** suspended -> inside */
  resume(): void {
    if (this.#state !== 'suspended') return;
    this.#state = 'inside';
    this.#needs.setRawMode(true);
    this.#needs.writeSync(ENTER);
    this.#needs.onResume();
  }

  /** ctrl-z: to the shell, and back with `fg`. */
  stop(): void {
    if (this.#state !== 'inside') return;
    this.suspend();
    this.#needs.proc.kill(this.#needs.proc.pid, 'SIGSTOP');
  }

  #giveBack(): void {
    // Neither may keep the other from happening: a terminal that is gone fails both.
    attempt(() => this.#needs.writeSync(LEAVE));
    attempt(() => this.#needs.setRawMode(false));
  }

  #listen(): void {
    const on = (event: string, fn: (arg: unknown) => void) => {
      this.#needs.proc.on(event, fn);
      this.#listeners.push([event, fn]);
    };
    on('exit', () => this.leave());
    for (const [signal, n] of Object.entries(EXIT_SIGNALS)) on(signal, () => this.#end(128 + n, null));
    on('SIGTSTP', () => this.stop());
    on('SIGCONT', () => this.resume());
    on('uncaughtException', (e) => this.#end(1, e));
    on('unhandledRejection', (e) => this.#end(1, e));
  }

  /** inside -> outside -> gone; what went wrong is told on the person's own screen. */
  #end(code: number, error: unknown): void {
    attempt(() => this.#needs.onExit?.());
    this.leave();
    if (error !== null) attempt(() => this.#needs.tell(crashText(error)));
    this.#needs.proc.exit(code);
  }
}

function attempt(fn: () => void): void {
  try {
    fn();
  } catch {
    // On the way out there is nobody left to tell.
  }
}

function crashText(e: unknown): string {
  const what = e instanceof Error ? (e.stack ?? e.message) : String(e);
  return `aicdn-tui: it failed by a fault of its own; nodes, streams and the master run on.\n${what}`;
}
