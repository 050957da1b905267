import { open, readFile } from 'node:fs/promises';
import { TabConfigError } from '../../errors/tab-error.js';
import { CommandError, type Command } from '../command.js';
import { inspectEvidence } from './evidence.js';
import { withVerdict, type Finding } from './finding.js';
import type { Judgement } from './judgement.js';
import { renderJson, renderTree } from './render.js';
import { INSPECT_USAGE, readWishes, type Wishes } from './wishes.js';

/** Largest input, in octets. */
const MAX_OCTETS = 1_048_576;

/** Reads standard input, or any other stream. */
export type ReadInput = () => AsyncIterable<Uint8Array | string>;

/**
 * `nestjs-tab inspect`: what a piece of evidence says, and why a server would refuse it, without key or network. Status 0:
 * nothing speaks against it as far as can be told here; 1 (`refused`, `unknown_form`): it would be refused; 2 (`usage`).
 */
export const inspectCommand: Command = createInspectCommand(() => process.stdin);

/** The command with another standard input. */
export function createInspectCommand(input: ReadInput): Command {
  return {
    usage: INSPECT_USAGE,
    summary: 'Says what an attestation, a token or an enrolment body holds, and why it would be refused.',
    async run(args, output) {
      const wishes = readWishes(args);
      const octets = wishes.source === '-' ? await readStream(input()) : await readFileOf(wishes.source);
      const finding = judged(octets, await judgementOf(wishes));
      output.out(wishes.json ? renderJson(finding) : renderTree(finding));
      const refused = withVerdict(finding, 'refused').length;
      if (refused > 0) throw new CommandError('refused', `${refused} of its checks failed`);
    },
  };
}

function judged(octets: Buffer, judgement: Judgement): Finding {
  try {
    const finding = inspectEvidence(octets, judgement);
    if (finding !== undefined) return finding;
  } catch (error) {
    // Its messages name what was given besides the evidence.
    if (error instanceof TabConfigError) throw new CommandError('usage', error.message);
    throw error;
  }
  throw new CommandError(
    'unknown_form',
    'neither certificates, App Attest evidence, a compact JWT nor an enrolment body',
  );
}

async function judgementOf(wishes: Wishes): Promise<Judgement> {
  const { at, rootFiles, ...rest } = wishes;
  const roots = await Promise.all(rootFiles.map((path) => readFile(path, 'utf8').catch(unreadable(path))));
  return { ...rest, now: new Date(at), roots: roots.length === 0 ? undefined : roots };
}

function unreadable(path: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    if (error instanceof CommandError) throw error;
    throw new CommandError('usage', `${path} cannot be read (${error.code ?? 'unknown'})`);
  };
}

async function readFileOf(path: string): Promise<Buffer> {
  const file = await open(path).catch(unreadable(path));
  try {
    return await readStream(file.createReadStream({ autoClose: false })).catch(unreadable(path));
  } finally {
    await file.close();
  }
}

/** Reads up to the limit and not one octet further. */
async function readStream(stream: AsyncIterable<Uint8Array | string>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    const octets = Buffer.from(chunk as Uint8Array);
    length += octets.length;
    if (length > MAX_OCTETS) throw new CommandError('usage', `the input is longer than ${MAX_OCTETS} octets`);
    chunks.push(octets);
  }
  return Buffer.concat(chunks);
}
