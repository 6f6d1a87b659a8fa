/** The second opinion, by `strace -e inject`, is not written yet: said aloud, so that nobody takes its silence for an answer. */
export async function runUnderStrace(_json: boolean): Promise<number> {
  process.stderr.write('faults --strace: not there yet; the injector of this process is what there is\n');
  return 2;
}
