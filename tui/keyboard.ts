import type { Hub } from './client/hub.ts';
import type { Input } from './keys/key.ts';
import { match } from './keys/match.ts';
import { type Frame, focusOf } from './presenter.ts';

/** A sheet takes keys this long after its frame was written. */
export const ARM_MS = 150;

/** Held keys beyond this are a stuck key or a paste that lost its brackets. */
const MOST_WAITING = 64;

export interface Keyboard {
  input(input: Input): void;
  /** A frame is on its way to the terminal. */
  presented(frame: Frame): void;
  /** It has been written. */
  written(version: number): void;
  stop(): void;
}

/**
 * Keys in their order, each against the state it meets. A key that acts waits until what it would act on has been
 * drawn: the node under the cursor is the one in the last frame written.
 */
export function createKeyboard(needs: {
  readonly hub: Pick<Hub, 'state' | 'dispatch'>;
  readonly after: (ms: number, fn: () => void) => () => void;
}): Keyboard {
  const { hub, after } = needs;
  const waiting: Input[] = [];
  let frame: Frame | null = null;
  let writtenVersion = 0;
  let arming: { readonly sheet: number; readonly cancel: () => void } | null = null;
  let stopped = false;

  function isDrawn(): boolean {
    return frame !== null && writtenVersion >= frame.version && frame.focus === focusOf(hub.state());
  }

  function take(input: Input): boolean {
    const m = match(hub.state(), input);
    switch (m.kind) {
      case 'nothing':
        return true;
      case 'intent':
        if (m.acts && !isDrawn()) return false;
        hub.dispatch({ kind: 'intent', intent: m.intent });
        return true;
      case 'off':
        hub.dispatch(m);
        return true;
      case 'say':
        hub.dispatch(m);
        return true;
    }
  }

  function run(): void {
    while (!stopped) {
      const next = waiting[0];
      if (next === undefined || !take(next)) return;
      waiting.shift();
    }
  }

  function arm(): void {
    const sheet = hub.state().sheet;
    if (sheet === null || sheet.armed || arming?.sheet === sheet.id) return;
    if (frame === null || frame.sheet !== sheet.id || writtenVersion < frame.version) return;
    arming?.cancel();
    const { id } = sheet;
    arming = { sheet: id, cancel: after(ARM_MS, () => hub.dispatch({ kind: 'sheet-armed', sheet: id })) };
  }

  return {
    input(input) {
      if (waiting.length < MOST_WAITING) waiting.push(input);
      run();
    },
    presented(next) {
      frame = next;
      if (writtenVersion >= next.version) {
        arm();
        run();
      }
    },
    written(version) {
      writtenVersion = Math.max(writtenVersion, version);
      arm();
      run();
    },
    stop() {
      stopped = true;
      arming?.cancel();
    },
  };
}
