/**
 * Calls `trigger` when the page comes back to its user: what has been measured before may have changed meanwhile.
 * @returns ends the calls
 */
export function onReturn(trigger: () => void): () => void {
  if (typeof document === 'undefined') return () => undefined;
  const listening = new AbortController();
  const visible = () => {
    if (document.visibilityState === 'visible') trigger();
  };
  document.addEventListener('visibilitychange', visible, { signal: listening.signal });
  window.addEventListener('focus', trigger, { signal: listening.signal });
  return () => listening.abort();
}
