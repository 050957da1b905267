import { readFile, stat, writeFile } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { BESIDE, createManifest, present, type Manifest } from '../defender/node/manifest.js';
import { ManifestError, signManifest } from '../defender/node/signed-manifest.js';
import { CommandError, type Command, type Output } from './command.js';

/** Left out unless asked for. */
const DEPENDENCIES = '/node_modules';

interface Wishes {
  readonly root: string;
  readonly sign: string | undefined;
  readonly out: string | undefined;
  /** What is left out where it is there. */
  readonly beside: readonly string[];
  /** What is left out in any case. */
  readonly exclude: readonly string[];
}

/**
 * `nestjs-tab manifest`: the manifest of a folder, for the tamper probe. Codes: `folder_unreadable`, `folder_empty`,
 * `key_unreadable`, `key_unusable`, `out_unwritable`, `usage`.
 */
export const manifestCommand: Command = {
  usage: 'manifest <dir> [--sign key.pem] [--out file] [--include-node-modules] [--exclude name]...',
  summary: 'Lists the files of a built app with their hashes, signed with --sign, for the tamper probe.',
  async run(args, output) {
    const wishes = parse(args);
    const pem = wishes.sign === undefined ? undefined : await readKey(wishes.sign);
    const manifest = await describe(wishes);
    const text = pem === undefined ? JSON.stringify(manifest, null, 2) : await sign(manifest, pem);
    await publish(`${text}\n`, wishes.out, output);
  },
};

function parse(args: readonly string[]): Wishes {
  const { values, positionals } = parsed(args);
  const [root] = positionals;
  if (root === undefined || positionals.length > 1) throw new CommandError('usage', 'name one folder');
  const names = (values.exclude ?? []).filter((name) => name !== '');
  const own = values.out === undefined ? [] : insideOf(root, values.out);
  const beside = BESIDE.filter((path) => path !== DEPENDENCIES || values['include-node-modules'] !== true);
  return { root, sign: values.sign, out: values.out, beside, exclude: [...names, ...own] };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        sign: { type: 'string' },
        out: { type: 'string' },
        exclude: { type: 'string', multiple: true },
        'include-node-modules': { type: 'boolean' },
      },
    });
  } catch (error) {
    // Its messages name options, not files.
    throw new CommandError('usage', error instanceof Error ? error.message : 'the options cannot be read');
  }
}

/** The manifest cannot contain its own hash: where it is written below the folder, its path is left out. */
function insideOf(root: string, out: string): string[] {
  const path = relative(resolve(root), resolve(out));
  return path === '' || path.startsWith('..') || isAbsolute(path) ? [] : [`/${path.split(sep).join('/')}`];
}

async function readKey(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CommandError('key_unreadable', `${path} cannot be read (${error.code ?? 'unknown'})`);
  });
}

async function describe({ root, beside, exclude }: Wishes): Promise<Manifest> {
  const folder = await stat(root).catch(() => undefined);
  if (folder?.isDirectory() !== true) throw new CommandError('folder_unreadable', `${root} is not a folder`);
  const left = [...(await present(root, beside)), ...exclude];
  const manifest = await createManifest(root, { exclude: left }).catch((error: NodeJS.ErrnoException) => {
    throw new CommandError('folder_unreadable', `${error.path ?? root} cannot be read (${error.code ?? 'unknown'})`);
  });
  // An app without files is a wrong folder; a manifest of nothing would fail the app at its first start.
  if (Object.keys(manifest.files).length === 0) throw new CommandError('folder_empty', `${root} has no files`);
  return manifest;
}

async function sign(manifest: Manifest, pem: string): Promise<string> {
  return signManifest(manifest, pem).catch((error: unknown) => {
    throw new CommandError('key_unusable', error instanceof ManifestError ? error.message : 'the key cannot sign');
  });
}

async function publish(text: string, out: string | undefined, output: Output): Promise<void> {
  if (out === undefined) {
    output.out(text);
    return;
  }
  await writeFile(out, text).catch((error: NodeJS.ErrnoException) => {
    throw new CommandError('out_unwritable', `${out} cannot be written (${error.code ?? 'unknown'})`);
  });
}
