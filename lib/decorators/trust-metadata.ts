import { Reflector } from '@nestjs/core';
import type { TrustRequirementOptions } from '../trust/requirement.js';

/** What one `@RequireTrust()` says: a named policy, members of its own, or both, the members winning. */
export interface TrustDeclaration {
  readonly policy?: string;
  readonly members?: TrustRequirementOptions;
}

/** Metadata of `@RequireTrust()`. */
export const TrustDeclared = Reflector.createDecorator<TrustDeclaration>();

/** Metadata of `@SkipTrust()`. */
export const TrustSkipped = Reflector.createDecorator<boolean>();
