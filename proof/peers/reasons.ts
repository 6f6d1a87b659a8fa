const SPECIAL = 'there are files, directories and symbolic links only: no fifos, sockets and device nodes';
/** Reasons of the format why a POSIX test fails on famfs, by `SCRIPT: FAILURE`. The first one that fits is reported. */
export const reasons: readonly { readonly why: string; readonly fits: RegExp }[] = [
  { why: SPECIAL, fits: /'(?:-[^']* )?(mkfifo|mknod|bind) .*got EPERM/ },
  {
    why: 'a file takes its whole length: there are no holes',
    fits: /'.*\bpwrite \d+ \w+ \d{10,}', .*got ENOSPC/,
  },
  // Of 10^15 bytes it expects EFBIG.
  { why: 'a file takes its whole length: there are no holes', fits: /^12\.t: not ok 2$/ },
  { why: 'a directory has one link, whatever is in it', fits: /'lstat \S+ nlink', expected [23], got 1$/ },
];

/** A failure that follows from an earlier one in the same script. */
const FOLLOWS = 'follows from the one above';
export const UNEXPLAINED = 'no reason known';
/** A script's own check prints a bare number: it is about what was tried just before. */
const JUST_BEFORE = 5;
/** So far behind a refusal a script still works on what it wanted to make, by names that lead to it (symbolic links). */
const SOON_AFTER = 20;

/**
 * The reasons of a script's failures, one for each. What is tried with a name that should have been made, and was refused, follows from
 * that; so does what is tried with a name that such an attempt should have made.
 */
export function explain(failures: readonly string[], script = ''): string[] {
  const broken = new Set<string>();
  let last = Number.NEGATIVE_INFINITY;
  return failures.map((failure) => {
    const number = Number(/^not ok (\d+)/.exec(failure)?.[1]);
    const names = failure.match(/pjdfstest_[0-9a-f]{32,}/g) ?? [];
    const isBare = /^not ok \d+$/.test(failure);
    const found = reasons.find(({ fits }) => fits.test(`${script}: ${failure}`));
    const leadsThere = failure.endsWith('got ENOENT') && number - last <= SOON_AFTER;
    const follows = isBare
      ? number - last <= JUST_BEFORE
      : leadsThere || names.some((name) => broken.has(name));
    if (!found && !follows) return UNEXPLAINED;
    last = number;
    for (const name of names) broken.add(name);
    return found?.why ?? FOLLOWS;
  });
}
