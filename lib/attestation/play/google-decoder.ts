import { OptionChecks } from '../jose/option-checks.js';
import { googleService, serviceUnavailable, type GoogleAccess } from '../jose/post-json.js';
import type { PlayDecoder } from './play.types.js';
import { reject } from './verdict.js';

const SERVICE = 'https://playintegrity.googleapis.com/v1';

/**
 * Decodes tokens with Google (`decodeIntegrityToken`). The service account of `accessToken` needs the scope
 * `https://www.googleapis.com/auth/playintegrity` and a project that is linked to the app in the Play Console. A service
 * that is slow, down, forbids the call or answers nonsense is `store_unavailable`.
 *
 * @example playIntegrity({ decode: googleDecoder({ accessToken }) })
 * @throws TabConfigError when the options cannot work
 */
export function googleDecoder(access: GoogleAccess): PlayDecoder {
  new OptionChecks('googleDecoder').object(access, '{ accessToken }');
  const post = googleService('Play Integrity', access, 'googleDecoder');
  return async (packageName, token) => {
    const url = `${SERVICE}/${encodeURIComponent(packageName)}:decodeIntegrityToken`;
    const answer = await post(url, { integrity_token: token });
    if (answer === undefined) return reject('decode', 'Google does not take the token');
    if (answer['tokenPayloadExternal'] === undefined)
      throw serviceUnavailable('Play Integrity', new Error('the answer has no tokenPayloadExternal'));
    return answer['tokenPayloadExternal'];
  };
}
