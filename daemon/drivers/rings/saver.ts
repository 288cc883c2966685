import type { Log } from '../../service/ports.ts';
import type { KeptRings } from './rings.ts';

const SAVE_MS = 60_000;
/** A large fleet's rings are some hundred megabytes: written each minute, they would wear out a disk. */
const BYTES_A_SECOND = 512 * 1024;

/**
 * Writes the rings aside each minute, those of a large fleet less often, and once more at the end: what a master that is
 * killed may lose of them is a minute with up to 2,000 nodes, some six with 10,000.
 */
export class RingSaver {
  private readonly file: string;
  private readonly rings: Pick<KeptRings, 'save' | 'load'>;
  private readonly log: Log;
  private timer: NodeJS.Timeout | null = null;
  private saving: Promise<void> | null = null;
  private failing = false;
  private stopped = false;

  constructor(file: string, rings: Pick<KeptRings, 'save' | 'load'>, log: Log) {
    this.file = file;
    this.rings = rings;
    this.log = log;
  }

  /** Before the first report. Figures are no reason not to start. */
  async start(): Promise<void> {
    const fault = await this.rings.load(this.file);
    if (fault !== null) this.log.warn('figures of before are not all there', { why: fault });
    this.next(0);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    await this.saving;
    await this.save(true);
  }

  /** @param bytes written last */
  private next(bytes: number): void {
    if (this.stopped) return;
    const ms = Math.max(SAVE_MS, (bytes / BYTES_A_SECOND) * 1000);
    this.timer = setTimeout(() => {
      this.saving = this.save(false).then((written) => {
        this.saving = null;
        this.next(written);
      });
    }, ms);
  }

  /** @returns bytes */
  private async save(ended: boolean): Promise<number> {
    try {
      const bytes = await this.rings.save(this.file, ended);
      this.failing = false;
      return bytes;
    } catch (error) {
      // Each time the same: said once.
      if (!this.failing) this.log.warn('figures are not written aside', { error: String(error) });
      this.failing = true;
      return 0;
    }
  }
}
