import { Box, Text } from 'ink';
import { memo, type ReactElement } from 'react';
import { BLANK, paint, type Row } from '../theme/row.ts';
import type { Ui } from './ui.ts';

/** The parts of a screen, top to bottom. Exactly `ui.height` rows come out. */
export interface FrameParts {
  /** Three rows. */
  readonly header: readonly Row[];
  /** Takes what is left between header and foot. */
  readonly body: readonly Row[];
  /** Peek, message, keys; a screen without a peek gives two. */
  readonly foot: readonly Row[];
  /** Rises from the bottom over body and foot, so that the row it is about stays in view. */
  readonly sheet?: readonly Row[];
}

export function bodyHeight(ui: Ui, parts: { header: number; foot: number }): number {
  return Math.max(0, ui.height - parts.header - parts.foot);
}

export function composeFrame(parts: FrameParts, ui: Ui): readonly Row[] {
  const room = bodyHeight(ui, { header: parts.header.length, foot: parts.foot.length });
  const rows: Row[] = [...parts.header, ...parts.body.slice(0, room)];
  while (rows.length < ui.height - parts.foot.length) rows.push(BLANK);
  rows.push(...parts.foot);
  const sheet = parts.sheet ?? [];
  const keep = Math.max(0, ui.height - sheet.length);
  return [...rows.slice(0, keep), ...sheet].slice(0, ui.height);
}

const Line = memo(function Line(props: { readonly text: string }): ReactElement {
  return <Text wrap="truncate">{props.text}</Text>;
});

/** One `<Text>` a row: a `<Box>` a cell costs two and a half times as much. */
export function Frame(props: { readonly rows: readonly Row[]; readonly ui: Ui }): ReactElement {
  const { rows, ui } = props;
  return (
    <Box flexDirection="column" width={ui.width} height={rows.length}>
      {rows.map((r, y) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a row of the screen is its position
        <Line key={y} text={paint(r, ui.width, ui.theme)} />
      ))}
    </Box>
  );
}
