import type { InputEvent, Timers } from './router.ts';

const ESC = String.fromCharCode(27);

// OSC 11 asks for the background; the dot is ambiguous width, and the cursor's column says how wide it was drawn.
const ASK_BACKGROUND = `${ESC}]11;?${ESC}\\`;
const ASK_WIDTH = `${ESC}[H●${ESC}[6n${ESC}[H${ESC}[2K`;

export interface ProbeResult {
  /** 16 bits a channel; `null`: the terminal did not say. */
  readonly background: readonly [number, number, number] | null;
  /** `null`: it did not say. */
  readonly ambiguousWide: boolean | null;
}

/**
 * Asks the terminal, once, on an empty screen; waits `ms` at most for both. Only replies are taken: keys typed in the
 * meantime go where they always go, and a late answer is swallowed by the router.
 */
export function probe(
  settings: { readonly ms: number; readonly askWidth: boolean },
  needs: {
    readonly write: (data: string) => void;
    readonly timers: Timers;
    /** Every event of the router; the answer unsubscribes. */
    readonly subscribe: (fn: (e: InputEvent) => void) => () => void;
  },
): Promise<ProbeResult> {
  return new Promise((done) => {
    let background: ProbeResult['background'] = null;
    let ambiguousWide: boolean | null = null;
    const asked = new Set(settings.askWidth ? ['background', 'width'] : ['background']);
    const finish = () => {
      unsubscribe();
      stopTimer();
      done({ background, ambiguousWide });
    };
    const unsubscribe = needs.subscribe((e) => {
      if (e.kind !== 'reply') return;
      const rgb = parseBackground(e.text);
      const column = parseColumn(e.text);
      if (rgb !== null) {
        background = rgb;
        asked.delete('background');
      } else if (column !== null) {
        ambiguousWide = column > 2;
        asked.delete('width');
      }
      if (asked.size === 0) finish();
    });
    const stopTimer = needs.timers.start(settings.ms, finish);
    needs.write(settings.askWidth ? ASK_BACKGROUND + ASK_WIDTH : ASK_BACKGROUND);
  });
}

/** `]11;rgb:1e1e/1e1e/1e1e`, one to four hex digits a channel. */
export function parseBackground(reply: string): readonly [number, number, number] | null {
  const m = /^\]11;rgba?:([0-9a-f]{1,4})\/([0-9a-f]{1,4})\/([0-9a-f]{1,4})/i.exec(reply);
  if (m === null) return null;
  const channel = (hex: string | undefined) => {
    const digits = hex ?? '0';
    return Math.round((Number.parseInt(digits, 16) / (16 ** digits.length - 1)) * 0xffff);
  };
  return [channel(m[1]), channel(m[2]), channel(m[3])];
}

function parseColumn(reply: string): number | null {
  const m = /^\[\d+;(\d+)R$/.exec(reply);
  return m === null ? null : Number(m[1]);
}
