/** Calls `run` until the returned function is called; nothing is kept running for it. */
export function every(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms);
  timer.unref();
  return () => clearInterval(timer);
}

/** Calls `run` once, unless the returned function is called before; nothing is kept running for it. */
export function after(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  timer.unref();
  return () => clearTimeout(timer);
}
