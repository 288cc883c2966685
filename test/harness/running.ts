import { execa } from 'execa';

const STOP_MS = 3_000;

/** A program that runs until it is stopped, and what it has written. */
export class Running {
  readonly pid: number;
  readonly #child: ReturnType<typeof launch>;
  readonly #name: string;
  readonly #exit: Promise<unknown>;
  #text = '';
  #exited = false;
  #wake: (() => void)[] = [];

  constructor(file: string, args: readonly string[], env: Record<string, string> = {}) {
    this.#name = [file, ...args.slice(0, 2)].join(' ');
    this.#child = launch(file, args, env);
    this.pid = this.#child.pid ?? 0;
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on('data', (c) => {
        this.#text += c;
        this.#woken();
      });
    }
    // How it ended is told by what it wrote.
    this.#exit = this.#child.then((result) => this.#over(result.failed ? (result.shortMessage ?? '') : ''));
  }

  get text(): string {
    return this.#text;
  }

  get exited(): boolean {
    return this.#exited;
  }

  /** Waits until it has written this; the first group, or all that matched. Throws when it exits before. */
  async wrote(what: RegExp): Promise<string> {
    for (;;) {
      const match = what.exec(this.#text);
      if (match !== null) return match[1] ?? match[0];
      if (this.#exited) throw new Error(`${this.#name} has exited: ${this.#text.trim()}`);
      await new Promise<void>((r) => this.#wake.push(r));
    }
  }

  /** On its stdin. */
  tell(text: string): void {
    this.#child.stdin.write(text);
  }

  /** Ends its stdin, and waits for it to be gone. */
  async finish(): Promise<void> {
    this.#child.stdin.end();
    await this.#exit;
  }

  /** Asks it to end, so that it can end its own children, and makes it after a while. */
  async stop(): Promise<void> {
    if (!this.#exited) this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await this.#exit;
    clearTimeout(late);
  }

  #over(why: string): void {
    this.#text += why;
    this.#exited = true;
    this.#woken();
  }

  #woken(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const w of wake) w();
  }
}

function launch(file: string, args: readonly string[], env: Record<string, string>) {
  return execa(file, args, {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    buffer: false,
    reject: false,
    env,
  });
}
