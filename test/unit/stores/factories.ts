export {
  aBlock,
  aBreach,
  aHash,
  aKey,
  anEnding,
  anInstance,
  aRebinding,
  aSession,
  aSessionId,
  NOW,
  race,
  swapCase,
} from '../../../lib/testing/contract/factories.js';
import { NOW } from '../../../lib/testing/contract/factories.js';

/** A clock that moves when told to; milliseconds. */
export function fakeClock(start = NOW) {
  let seconds = start;
  return {
    read: () => seconds * 1000,
    set: (to: number) => void (seconds = to),
  };
}
