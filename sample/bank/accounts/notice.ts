import type { TrustContext } from 'nestjs-tab';

/**
 * What the app should tell its user now, before a transfer surprises them: `transfers-limited; found="vpn"`. Undefined when
 * there is nothing to tell.
 */
export function noticeOf(trust: TrustContext): string | undefined {
  if (!trust.verified || trust.flags.length === 0) return undefined;
  // The policy denies unknown names, so these are ones that the bank has written down itself.
  return `transfers-limited; found="${[...trust.flags].sort().join(' ')}"`;
}
