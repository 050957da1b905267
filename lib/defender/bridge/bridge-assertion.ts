import type { AssertionMaker } from '../defender-options.js';
import { decodeBase64, encodeBase64 } from './base64.js';
import { callBridge, resolveBridge, type BridgeOptions } from './bridge-call.js';
import type { NativeBridge } from './native-bridge.js';

/** Options of `bridgeAssertion`. */
export interface BridgeAssertionOptions extends BridgeOptions {
  /** Whether a request needs an assertion, which takes the platform tens of milliseconds; default: every request. */
  readonly when?: (request: { readonly method: string; readonly url: URL }) => boolean;
}

/**
 * Has the shell make App Attest's assertions, for `assertion` of a Defender.
 * @throws TypeError when the shell cannot make any
 */
export function bridgeAssertion(bridge: NativeBridge, options: BridgeAssertionOptions = {}): AssertionMaker {
  const { when = () => true } = options;
  const resolved = resolveBridge(bridge, options);
  const { alias } = resolved;
  if (!bridge.assert) throw new TypeError('Bridge: the shell has no assert()');
  return (clientDataHash, request) => {
    if (!when(request)) return undefined;
    const call = async () => bridge.assert?.({ alias, clientDataHash: encodeBase64(clientDataHash) });
    return callBridge(resolved, 'assert', call, (answer) => {
      if (decodeBase64(answer?.assertion) === undefined) throw new TypeError('No assertion');
      return answer?.assertion;
    });
  };
}
