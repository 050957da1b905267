import type { Command } from './command.js';

/** The commands by name, each loaded only when it is called. */
export const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  manifest: async () => (await import('./manifest-command.js')).manifestCommand,
  inspect: async () => (await import('./inspect/inspect.js')).inspectCommand,
};
