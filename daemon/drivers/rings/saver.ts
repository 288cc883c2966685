import type { Log } from '../../service/ports.ts';
import type { KeptRings } from './rings.ts';

const SAVE_MS = 60_000;

/** Writes the rings aside each minute, and once more at the end: what a restart may lose of them is a minute. */
export class RingSaver {
  private readonly file: string;
  private readonly rings: Pick<KeptRings, 'save' | 'load'>;
  private readonly log: Log;
  private timer: NodeJS.Timeout | null = null;
  private saving: Promise<void> | null = null;
  private failing = false;

  constructor(file: string, rings: Pick<KeptRings, 'save' | 'load'>, log: Log) {
    this.file = file;
    this.rings = rings;
    this.log = log;
  }

  /** Before the first report. Figures are no reason not to start. */
  async start(): Promise<void> {
    const fault = await this.rings.load(this.file);
    if (fault !== null) this.log.warn('figures of before are not all there', { why: fault });
    this.timer = setInterval(() => void this.save(false), SAVE_MS);
  }

  async stop(): Promise<void> {
    if (this.timer) clearInterval(this.timer);
    await this.saving;
    await this.save(true);
  }

  private save(ended: boolean): Promise<void> {
    this.saving ??= this.rings
      .save(this.file, ended)
      .then(
        () => {
          this.failing = false;
        },
        (error: unknown) => {
          // Each minute the same: said once.
          if (!this.failing) this.log.warn('figures are not written aside', { error: String(error) });
          this.failing = true;
        },
      )
      .finally(() => {
        this.saving = null;
      });
    return this.saving;
  }
}
