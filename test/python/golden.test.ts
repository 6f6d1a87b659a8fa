// Golden images, made by C famfs: Python reads what udax reads, tree, modes, sizes and bytes, and refuses what udax refuses.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mountFamfs, type Volume } from '../../src/index.js';
import { golden, goldenNames, storedBytes } from '../famfs/golden.js';
import { because, noPython, pythons, run, temporaryDirectory, UUID } from './support.js';

const HEAD = 4096;
const STEP = 2 * 2 ** 20;
const MOST_STEPS = 256;

interface Answer {
  code?: string;
  problems?: string[];
  stopped?: string | null;
  files?: Record<
    string,
    [isDirectory: boolean, size: number, mode: number, uid: number, gid: number, hash: string]
  >;
}

/** The same in Python. Both hash the head of each 2 MiB of a file. */
const PYTHON = `
import hashlib, json, sys, udax
HEAD, STEP, MOST = ${HEAD}, ${STEP}, ${MOST_STEPS}
def digest(file):
    found = hashlib.sha256()
    view = file.buffer() if file.size <= 64 * STEP else None
    for at in range(0, min(file.size, STEP * MOST), STEP):
        data = file.pread(HEAD, at)
        assert view is None or bytes(view[at : at + HEAD]) == data
        found.update(data)
    return found.hexdigest()
def answer(image):
    try:
        volume = udax.open_volume(image)
    except udax.UdaxError as error:
        return {"code": error.code}
    files = {}
    for top, directories, names in volume.walk():
        for name in (*directories, *names):
            path = f"{top.rstrip('/')}/{name}"
            stat = volume.stat(path)
            try:
                text = "" if stat.is_dir else digest(volume.open(path))
            except udax.UdaxError as error:
                text = error.code
            files[path] = [stat.is_dir, stat.size, stat.mode, stat.uid, stat.gid, text]
    problems = [problem.code for problem in volume.problems]
    return {"problems": problems, "stopped": volume.stopped and volume.stopped.code, "files": files}
json.dump({image: answer(image) for image in sys.argv[1:]}, sys.stdout)
`;

function hashOf(volume: Volume, name: string): string {
  const hash = createHash('sha256');
  const head = new Uint8Array(HEAD);
  try {
    const file = volume.open(name);
    for (let at = 0; at < Math.min(file.size, STEP * MOST_STEPS); at += STEP) {
      hash.update(head.subarray(0, file.read(head, at)));
    }
    file.close();
    return hash.digest('hex');
  } catch (error) {
    return (error as { code: string }).code;
  }
}

function answerOfUdax(image: string): Answer {
  let volume: Volume;
  try {
    volume = mountFamfs(image, { readOnly: true });
  } catch (error) {
    return { code: (error as { code: string }).code };
  }
  const files: Answer['files'] = {};
  for (const stat of volume.walk()) {
    const isDirectory = stat.isDirectory();
    files[stat.path] = [
      isDirectory,
      stat.size,
      stat.mode & 0o7777,
      stat.uid,
      stat.gid,
      isDirectory ? '' : hashOf(volume, stat.path),
    ];
  }
  // The Python package accounts no space, so it does not see overlaps.
  const problems = volume.problems.map(({ code }) => code).filter((code) => code !== 'extent-overlap');
  volume.close();
  return { problems, files };
}

describe.skipIf(noPython !== '')(`golden images in Python${because}`, () => {
  const directory = temporaryDirectory();
  const imageOf = (name: string) => path.join(directory, `${name}.img`);
  const answers = new Map<string, Record<string, Answer>>();

  beforeAll(() => {
    process.env.UDAX_SYSTEM_UUID = UUID;
    for (const name of goldenNames) {
      const { device_size: size, decoded_by_c: decoded } = golden(name);
      const fd = fs.openSync(imageOf(name), 'w');
      fs.ftruncateSync(fd, size);
      // Each 2 MiB of each extent gets its own number, so that no two places look alike. The file stays sparse.
      for (const { extents = [], strips = [] } of decoded.entries) {
        for (const [, offset, length] of [...extents, ...strips]) {
          for (let at = offset; at < Math.min(offset + length, offset + 32 * STEP, size - 64); at += STEP)
            fs.writeSync(fd, Buffer.from(`at ${at}`), 0, undefined, at);
        }
      }
      fs.writeSync(fd, storedBytes(name), 0, undefined, 0);
      fs.closeSync(fd);
    }
    for (const { program } of pythons)
      answers.set(program, JSON.parse(run(program, ['-c', PYTHON, ...goldenNames.map(imageOf)])));
  });
  afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

  it('there are all of them', () => {
    expect(goldenNames.length).toBeGreaterThanOrEqual(29);
  });

  describe.each(pythons)('$version', ({ program }) => {
    it.each(goldenNames)('%s: as udax', (name) => {
      const expected = answerOfUdax(imageOf(name));
      const { stopped, ...found } = answers.get(program)![imageOf(name)]!;
      if (found.problems && expected.problems) {
        // udax lists the entry at which it stopped among the problems.
        const own = stopped ? [...found.problems, stopped] : found.problems;
        expect(new Set(own)).toEqual(new Set(expected.problems));
      }
      expect({ code: found.code, files: found.files }).toEqual({
        code: expected.code,
        files: expected.files,
      });
    });
  });

  it('most of them have files with bytes of their own', () => {
    const all = Object.values(answers.get(pythons[0]!.program)!);
    const hashes = all.flatMap(({ files = {} }) => Object.values(files).map((file) => file[5]));
    expect(new Set(hashes).size).toBeGreaterThan(60);
  });
});
