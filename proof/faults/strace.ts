/**
 * A second check through `strace -e inject` is not implemented. This function says so, so that nobody takes silence for a result.
 */
export async function runUnderStrace(_json: boolean): Promise<number> {
  process.stderr.write('faults --strace: not there yet; the injector of this process is what there is\n');
  return 2;
}
