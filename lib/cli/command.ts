/** Where a command writes. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** One command of `nestjs-tab`. */
export interface Command {
  /** How it is called, without the program's name. */
  readonly usage: string;
  /** What it does, in one line. */
  readonly summary: string;
  /**
   * Does it with the arguments after the command's name.
   * @throws CommandError, which `run` tells; anything else that it throws is told as `failed`, without its message
   */
  run(args: readonly string[], output: Output): Promise<void>;
}

/** What stops a command. Messages hold no key and no content of a file. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  /** `usage` ends with status 2, everything else with 1. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
