import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const COMMAND_SECONDS = 240;

/**
 * Packages of a Debian suite that this machine does not use, from the mirror that it does use. The sources, lists and archives are
 * its own, below one directory: nothing is installed, and the machine's apt knows nothing of it.
 */
export class AptSuite {
  readonly #options: readonly string[];

  /** Fetches the suite's list of packages. @throws Error when the mirror does not have it, or cannot be reached */
  constructor(
    readonly suite: string,
    directory: string,
  ) {
    for (const name of ['lists/partial', 'archives/partial'])
      fs.mkdirSync(path.join(directory, name), { recursive: true });
    const sources = path.join(directory, 'sources.list');
    fs.writeFileSync(sources, `deb ${keyring()} ${mirror()} ${suite} main\n`);
    const settings = {
      'Dir::Etc::SourceList': sources,
      'Dir::Etc::SourceParts': '-',
      'Dir::Etc::Preferences': '-',
      'Dir::Etc::PreferencesParts': '-',
      'Dir::State::Lists': path.join(directory, 'lists'),
      'Dir::State::Status': '/dev/null',
      'Dir::Cache': directory,
      'APT::Sandbox::User': 'root',
    };
    this.#options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
    quietly('apt-get', [...this.#options, 'update', '-q'], directory);
  }

  /** The names of its packages that match. */
  names(pattern: RegExp): string[] {
    const { stdout } = spawnSync('apt-cache', [...this.#options, 'pkgnames'], {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    });
    return stdout.split('\n').filter((name) => pattern.test(name));
  }

  /** A package and all that it depends on. */
  withDependencies(name: string): string[] {
    const without = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'];
    const words = ['depends', '--recurse', ...without.map((kind) => `--no-${kind}`), name];
    const { stdout } = spawnSync('apt-cache', [...this.#options, ...words], { encoding: 'utf8' });
    return [...new Set(stdout.split('\n').filter((line) => /^[a-z0-9]/.test(line)))];
  }

  /** Downloads packages and unpacks the files below some directories of theirs. */
  unpack(names: readonly string[], members: string, into: string): void {
    const archives = fs.mkdtempSync(path.join(into, '.archives-'));
    try {
      quietly('apt-get', [...this.#options, 'download', '-q', ...names], archives);
      for (const archive of fs.readdirSync(archives)) {
        const unpacked = `dpkg-deb --fsys-tarfile "$0" | tar -x -C "$1" --wildcards ${members} 2>&1 || true`;
        quietly('sh', ['-c', unpacked, path.join(archives, archive), into], archives);
      }
    } finally {
      fs.rmSync(archives, { recursive: true, force: true });
    }
  }
}

/** The mirror of Debian that the machine is configured with. */
function mirror(): string {
  const { stdout } = spawnSync('apt-get', ['indextargets', '--format', '$(ORIGIN)|$(LABEL)|$(REPO_URI)'], {
    encoding: 'utf8',
  });
  const line = (stdout ?? '').split('\n').find((each) => each.startsWith('Debian|Debian|'));
  if (line === undefined) throw new Error('apt has no source of Debian');
  return line.split('|')[2]!;
}

function keyring(): string {
  const file = '/usr/share/keyrings/debian-archive-keyring.gpg';
  return fs.existsSync(file) ? `[signed-by=${file}]` : '';
}

/** Runs a program that must succeed, within a time. @throws Error with the last line that it said */
export function quietly(program: string, args: string[], cwd: string): void {
  try {
    execFileSync('timeout', [String(COMMAND_SECONDS), program, ...args], { cwd, stdio: 'pipe' });
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new Error(`${program} failed: ${said.split('\n').at(-1)}`);
  }
}
