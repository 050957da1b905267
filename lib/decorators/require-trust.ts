import { applyDecorators, UseGuards } from '@nestjs/common';
import { TabGuard } from '../guards/tab.guard.js';
import type { TrustRequirementOptions } from '../trust/requirement.js';
import { TrustDeclared } from './trust-metadata.js';

/**
 * Guards a controller or a handler: requests must prove what the requirement asks for. On both, the handler's wins,
 * member by member; what neither says comes from the module's `policy`.
 *
 * @param requirement a named policy of the module's `policies`, or members of a requirement; default: the module's policy
 * @param members further members, over those of the named policy
 */
export function RequireTrust(
  requirement?: string | TrustRequirementOptions,
  members?: TrustRequirementOptions,
): ClassDecorator & MethodDecorator {
  const declaration = typeof requirement === 'string' ? { policy: requirement, members } : { members: requirement };
  return applyDecorators(TrustDeclared(declaration), UseGuards(TabGuard));
}
