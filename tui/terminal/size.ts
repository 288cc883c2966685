export interface Size {
  readonly width: number;
  readonly height: number;
}

/** What is asked of a terminal's stream. */
export interface SizeSource {
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  on(event: 'resize', fn: () => void): unknown;
  off(event: 'resize', fn: () => void): unknown;
}

/** A terminal that does not say is 80x24. */
export function readSize(s: Pick<SizeSource, 'columns' | 'rows'>): Size {
  const width = s.columns ?? 0;
  const height = s.rows ?? 0;
  return { width: width > 0 ? width : 80, height: height > 0 ? height : 24 };
}

/** Calls back with every size that differs from the one before. Returns the way to stop. */
export function watchSize(s: SizeSource, fn: (size: Size) => void): () => void {
  let last = readSize(s);
  const onResize = () => {
    const now = readSize(s);
    if (now.width === last.width && now.height === last.height) return;
    last = now;
    fn(now);
  };
  s.on('resize', onResize);
  return () => {
    s.off('resize', onResize);
  };
}
