import type { Probe, ProbeResult } from '../probe.js';

/** Options of the overlay probe. */
export interface OverlayProbeOptions {
  /** Origins that may have this page in a frame; default none but its own. */
  readonly allow?: readonly string[];
}

/**
 * `overlay`: the page is in a frame of another origin, which can lay anything over it or take its clicks. It does not see what
 * lies over the page within itself, over the browser, or on the screen. `Content-Security-Policy: frame-ancestors` prevents
 * what this only detects.
 */
export function overlayProbe(options: OverlayProbeOptions = {}): Probe {
  const trusted = (options.allow ?? []).map((origin) => new URL(origin).origin);
  return { name: 'overlay', run: () => (typeof window === 'undefined' ? 'unknown' : look(trusted)) };
}

function look(allow: readonly string[]): ProbeResult {
  if (window.top === window.self) return 'clear';
  const trusted = new Set([location.origin, ...allow]);
  const { ancestorOrigins } = location as Partial<Location>;
  // Firefox has had no list for long; there only ancestors of one's own origin can be told.
  const origins = ancestorOrigins ? [...ancestorOrigins] : readableAncestors();
  return origins.every((origin) => origin !== undefined && trusted.has(origin)) ? 'clear' : 'found';
}

/** The origins of the ancestors; undefined for one that may not be looked at. */
function readableAncestors(): (string | undefined)[] {
  const origins: (string | undefined)[] = [];
  let ancestor: Window = window;
  while (ancestor !== ancestor.parent) {
    ancestor = ancestor.parent;
    origins.push(originOf(ancestor));
  }
  return origins;
}

function originOf(other: Window): string | undefined {
  try {
    return other.location.origin;
  } catch {
    return undefined;
  }
}
