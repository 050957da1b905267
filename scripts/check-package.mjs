// Checks the package as its users get it: what is packed, its types, and what importing the root loads.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LAZY = [
  'typeorm',
  'ioredis',
  'redis',
  'passport',
  'passport-custom',
  '@nestjs/passport',
  '@nestjs/terminus',
  'pg',
  'mysql2',
  'better-sqlite3',
  '@peculiar/asn1-schema',
  'asn1js',
  'cborg',
  'eventsource',
];
const CLIENT_ONLY = ['@nestjs', 'typeorm', 'rxjs', 'passport', '@peculiar', 'asn1js', 'cborg'];

const scratch = mkdtempSync(join(tmpdir(), 'nestjs-tab-package-'));
const run = (command, args, env) =>
  execFileSync(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });

/** The packages that importing `specifier` loads. */
function loadedBy(specifier) {
  const record = join(scratch, `${specifier.replaceAll('/', '_')}.txt`);
  run(
    process.execPath,
    ['--import', './scripts/record-imports.mjs', '--input-type=module', '--eval', `await import('${specifier}')`],
    {
      RECORD_IMPORTS: record,
    },
  );
  const urls = readFileSync(record, 'utf8').split('\n');
  return new Set(
    urls.flatMap((url) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*\/node_modules\/)/.exec(url)?.[1] ?? []),
  );
}

function refuse(specifier, unwanted) {
  const loaded = [...loadedBy(specifier)];
  const wrong = loaded.filter((name) => unwanted.some((each) => name === each || name.startsWith(`${each}/`)));
  if (wrong.length > 0) throw new Error(`importing '${specifier}' loads ${wrong.join(', ')}`);
  console.log(`importing '${specifier}' loads: ${loaded.join(', ') || 'nothing'}`);
}

try {
  console.log(run('npx', ['publint', '--strict']));
  run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', scratch]);
  const tarball = readdirSync(scratch).find((name) => name.endsWith('.tgz'));
  console.log(run('npx', ['attw', join(scratch, tarball), '--profile', 'esm-only']));
  refuse('nestjs-tab', LAZY);
  refuse('nestjs-tab/defender', CLIENT_ONLY);
  for (const runtime of ['node', 'web', 'bridge', 'axios', 'event-source'])
    refuse(`nestjs-tab/defender/${runtime}`, CLIENT_ONLY);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
