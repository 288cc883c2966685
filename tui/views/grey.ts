import { type Row, seg } from '../theme/row.ts';

/** The last data of a master that is away. */
export function greyed(r: Row): Row {
  const segs = r.segs.map((s) => seg(s.text, 'stale'));
  return r.accent === true ? { segs, accent: true } : { segs };
}
