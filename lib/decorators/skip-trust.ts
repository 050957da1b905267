import { TrustSkipped } from './trust-metadata.js';

/** Lets a controller or handler be reached without a TAB token, where `TabGuard` guards everything. */
export function SkipTrust(): ClassDecorator & MethodDecorator {
  return TrustSkipped(true);
}
