import { CommandError, type Command, type Output } from './command.js';
import { COMMANDS } from './commands.js';

/** The exit status: 0 done, 1 not done, 2 called wrongly. */
export type Status = 0 | 1 | 2;

/** Runs the command that `args` (without `node` and script) name. */
export async function run(args: readonly string[], output: Output, commands = COMMANDS): Promise<Status> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    output.out(await help(commands));
    return name === undefined ? 2 : 0;
  }
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!load) {
    output.err(`nestjs-tab: usage: there is no command '${name}'; there are: ${Object.keys(commands).join(', ')}\n`);
    return 2;
  }
  return execute(await load(), rest, output);
}

async function execute(command: Command, args: readonly string[], output: Output): Promise<Status> {
  if (args.includes('--help') || args.includes('-h')) {
    output.out(`${command.summary}\n\nUsage: nestjs-tab ${command.usage}\n`);
    return 0;
  }
  try {
    await command.run(args, output);
    return 0;
  } catch (error) {
    // The message of another error may quote what was read.
    const { code, message } = error instanceof CommandError ? error : { code: 'failed', message: nameOf(error) };
    output.err(`nestjs-tab: ${code}: ${message}\n`);
    if (code === 'usage') output.err(`Usage: nestjs-tab ${command.usage}\n`);
    return code === 'usage' ? 2 : 1;
  }
}

async function help(commands: typeof COMMANDS): Promise<string> {
  const lines = Object.values(commands).map(async (load) => {
    const { usage, summary } = await load();
    return `  ${usage}\n      ${summary}\n`;
  });
  return `Usage: nestjs-tab <command>\n\n${(await Promise.all(lines)).join('')}`;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown error';
}
