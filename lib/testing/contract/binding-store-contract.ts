import { blockCases } from './block-cases.js';
import { breachCases } from './breach-cases.js';
import type { ContractCase, OpenBindingStore } from './contract.types.js';
import { credentialCases } from './credential-cases.js';
import { instanceCases } from './instance-cases.js';
import { sessionCases } from './session-cases.js';
import { sweepCases } from './sweep-cases.js';

/**
 * The rules of `BindingStore`, as tests. All times are fixed; no case waits.
 *
 * @param open opens an empty store for each case
 */
export function bindingStoreContract(open: OpenBindingStore): ContractCase[] {
  return [
    ...instanceCases(open),
    ...sessionCases(open),
    ...credentialCases(open),
    ...breachCases(open),
    ...blockCases(open),
    ...sweepCases(open),
  ];
}
