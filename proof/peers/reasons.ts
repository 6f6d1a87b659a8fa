/** Reasons of the format why a POSIX test fails on famfs. The first one that fits is reported. */
export const reasons: readonly { readonly why: string; readonly fits: RegExp }[] = [
  { why: 'a path has at most 79 bytes', fits: /got ENAMETOOLONG|[0-9a-f]{60}/ },
  {
    why: 'there are directories and files only: no links, no special files',
    fits: /'.*\b(symlink|link|mkfifo|mknod|bind) .*got EPERM/,
  },
  { why: 'a published name stays: no rename', fits: /'.*\brename .*got (EPERM|EINVAL)/ },
  // Scripts make empty files with `create` and use them. A bare `not ok` number is a check that the script itself makes on such a
  // file.
  { why: 'there are no empty files', fits: /got (ENOENT|EINVAL)$|expected EEXIST, got 0$|^not ok \d+$/ },
  { why: 'famfs has no times of its own', fits: /utimensat|[am]time/ },
];

/** A failure that follows from an earlier one in the same script. */
const FOLLOWS = 'follows from the one above';
export const UNEXPLAINED = 'no reason known';

/** The reasons of a script's failures, one for each. */
export function explain(failures: readonly string[]): string[] {
  let isBroken = false;
  return failures.map((failure) => {
    const found = reasons.find(({ fits }) => fits.test(failure));
    if (found) {
      isBroken = true;
      return found.why;
    }
    return isBroken ? FOLLOWS : UNEXPLAINED;
  });
}
