const LOOK_MS = 1_000;
/** Looks without an answer. An event loop that has stood still for so long carries nothing. */
const PATIENCE = 15;
/** A look that comes later than this: it is the machine, or this process, that stood still. */
const LATE_MS = 3_000;

/**
 * Finds processes whose event loop hangs: each is asked once a second, and one that has left its question unanswered
 * over 15 looks is hung. It counts its own looks, so that who is suspended with all the others accuses nobody.
 */
export class Watchdog {
  readonly #needs: {
    readonly clock: () => number;
    readonly ask: (id: number) => Promise<unknown>;
    readonly through: (() => Promise<unknown>) | null;
    readonly onHung: (id: number) => void;
  };
  /** Looks since the question, by who has been asked; null: nothing is open. */
  readonly #open = new Map<number, number | null>();
  readonly #stop: () => void;
  #wayOpen = true;
  #lookedAt: number;

  /** `through`: what all answers come through. While it is silent itself nobody else is to blame. */
  constructor(needs: {
    clock: () => number;
    every: (ms: number, run: () => void) => () => void;
    /** However it ends, it is an answer. */
    ask: (id: number) => Promise<unknown>;
    through?: () => Promise<unknown>;
    /** It is not watched any more. */
    onHung: (id: number) => void;
  }) {
    this.#needs = { ...needs, through: needs.through ?? null };
    this.#lookedAt = needs.clock();
    this.#stop = needs.every(LOOK_MS, () => this.#look());
  }

  watch(id: number): void {
    this.#open.set(id, null);
  }

  forget(id: number): void {
    this.#open.delete(id);
  }

  close(): void {
    this.#stop();
  }

  #look(): void {
    const { clock, through } = this.#needs;
    const now = clock();
    const stood = now - this.#lookedAt > LATE_MS || !this.#wayOpen;
    this.#lookedAt = now;
    if (through !== null && this.#wayOpen) {
      this.#wayOpen = false;
      const open = (): void => {
        this.#wayOpen = true;
      };
      through().then(open, open);
    }
    for (const [id, looks] of this.#open) {
      if (looks === null) this.#ask(id);
      else if (stood) this.#open.set(id, 0);
      else if (looks + 1 < PATIENCE) this.#open.set(id, looks + 1);
      else {
        this.#open.delete(id);
        this.#needs.onHung(id);
      }
    }
  }

  #ask(id: number): void {
    this.#open.set(id, 0);
    const answered = (): void => {
      if (this.#open.has(id)) this.#open.set(id, null);
    };
    this.#needs.ask(id).then(answered, answered);
  }
}
