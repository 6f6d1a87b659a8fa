export async function runUnderStrace(_json: boolean): Promise<number> {
  return 0;
}
