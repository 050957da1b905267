// Runs everything that has to do with Nest against Nest 11: a copy of the project, in a folder of its own, with Nest 11 installed.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const NEST_11 = {
  '@nestjs/cli': '^11',
  '@nestjs/common': '^11',
  '@nestjs/core': '^11',
  '@nestjs/passport': '^11',
  '@nestjs/platform-express': '^11',
  '@nestjs/platform-fastify': '^11',
  '@nestjs/terminus': '^11',
  '@nestjs/testing': '^11',
  '@nestjs/typeorm': '^11.0.2',
};
const COPIED = [
  'lib',
  'test',
  'sample',
  'docs',
  'scripts',
  'README.md',
  'SECURITY.md',
  'tsconfig.json',
  'tsconfig.build.json',
  'nest-cli.json',
  'vitest.config.ts',
];

const root = process.cwd();
const copy = resolve(root, '.nest11');
mkdirSync(copy, { recursive: true });
for (const name of COPIED) {
  rmSync(join(copy, name), { recursive: true, force: true });
  if (existsSync(join(root, name)))
    cpSync(join(root, name), join(copy, name), {
      recursive: true,
      filter: (path) => !path.includes(join('sample', 'bank', 'dist')),
    });
}
const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
Object.assign(manifest.devDependencies, NEST_11);
writeFileSync(join(copy, 'package.json'), JSON.stringify(manifest, null, 2));

const vectors = process.env.TAB_VECTORS ?? resolve(root, '../shared/vectors');
const run = (command, args) =>
  execFileSync(command, args, { cwd: copy, stdio: 'inherit', env: { ...process.env, TAB_VECTORS: vectors } });
// Nest 11's own packages declare the older TypeORM only; ours is what this package is tested with.
run('npm', ['install', '--no-audit', '--no-fund', '--legacy-peer-deps']);
// What never meets Nest has been tested once already.
const WITHOUT_NEST = [
  'test/unit/{attestation,cli,defender,token,trust}/**',
  'test/{browser,vectors}/**',
  'test/e2e/runtime/**',
  // Its processes are of the package as it is built here.
  'test/e2e/soak.spec.ts',
];
const excluded = WITHOUT_NEST.flatMap((pattern) => ['--exclude', pattern]);
run('npx', ['vitest', 'run', ...excluded, ...process.argv.slice(2)]);
