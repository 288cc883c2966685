import type { Theme } from '../theme/theme.ts';

/** What every view is told besides its props. Cells. */
export interface Ui {
  readonly width: number;
  readonly height: number;
  readonly theme: Theme;
}

/** From here on the long words are used. */
export const WIDE = 100;

export const MIN_WIDTH = 60;
export const MIN_HEIGHT = 15;
