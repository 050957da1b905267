/** Milliseconds between two warnings of one kind. */
const PAUSE = 60_000;

/** Warns once a minute of what may happen with every request. */
export class QuietLog {
  readonly #last = new Map<string, number>();

  /** @param clock milliseconds since the epoch */
  constructor(
    private readonly write: (message: string) => void,
    private readonly clock: () => number,
  ) {}

  /** Writes unless this kind was written within the last minute; tells whether it has. */
  warn(kind: string, message: () => string): boolean {
    const now = this.clock();
    const last = this.#last.get(kind);
    if (last !== undefined && now - last < PAUSE && now >= last) return false;
    this.#last.set(kind, now);
    this.write(message());
    return true;
  }
}

/** An error in a word: messages of others may quote what they failed on. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown error';
}
