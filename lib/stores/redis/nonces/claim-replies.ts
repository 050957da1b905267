/** What the script says of one claim. */
export type ClaimReply = 'won' | 'lost' | 'over';

const REPLIES: ReadonlySet<string> = new Set<ClaimReply>(['won', 'lost', 'over']);

/**
 * Reads a reply of `CLAIM`. Anything but exactly one known word for each claim is no answer to any of them.
 *
 * @returns `changed`, or the words in the order of the claims, or undefined
 */
export function readReplies(reply: unknown, count: number): readonly ClaimReply[] | 'changed' | undefined {
  if (reply === 'changed') return reply;
  if (typeof reply !== 'string') return undefined;
  const words = reply.split(' ');
  if (words.length !== count || !words.every((word): word is ClaimReply => REPLIES.has(word))) return undefined;
  return words;
}
