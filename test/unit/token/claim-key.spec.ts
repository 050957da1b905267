import { describe, expect, it } from 'vitest';
import { CHALLENGE_KEPT, challengeClaimKey, JTI_KEPT, jtiClaimKey } from '../../../lib/token/claim-key.js';

/** An instance id and a jti; the keys below were computed with OpenSSL from PROTOCOL section 6. */
const KID = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I';
const JTI = 'AAAAAAAAAAAAAAAAAAAAAA';

describe('claim keys', () => {
  it('are those of the protocol', () => {
    expect(jtiClaimKey(KID, JTI)).toBe('c8lGWkl2irpZ-Xlu6xIprQ');
    expect(challengeClaimKey(JTI)).toBe('KPkSMy-K1WJC0dM0xBsAxQ');
  });

  it('are kept as long as the protocol says', () => {
    expect(JTI_KEPT).toBe(180);
    expect(CHALLENGE_KEPT).toBe(60);
  });

  it('have one size, whatever is claimed', () => {
    for (const text of ['', 'x', 'x'.repeat(256), 'é']) {
      expect(jtiClaimKey(KID, text)).toMatch(/^[A-Za-z0-9_-]{22}$/);
      expect(challengeClaimKey(text)).toMatch(/^[A-Za-z0-9_-]{22}$/);
    }
  });

  it('keep instances, ids and kinds apart', () => {
    const other = KID.toLowerCase();
    const all = [
      jtiClaimKey(KID, JTI),
      jtiClaimKey(other, JTI),
      jtiClaimKey(KID, JTI.toLowerCase()),
      challengeClaimKey(JTI),
      challengeClaimKey(`${KID}.${JTI}`),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});
