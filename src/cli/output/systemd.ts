/** Unit files of systemd: how words and paths are written so that systemd reads them as they are (systemd.syntax(7), systemd.service(5)). */

/** A section, `[Service]`, with its settings in order. A name may come several times. */
export type Section = readonly [name: string, settings: readonly (readonly [name: string, value: string])[]];

export function unitText(comments: readonly string[], sections: readonly Section[]): string {
  const head = comments.map((comment) => `# ${comment.replaceAll('\n', ' ')}\n`).join('');
  const body = sections.map(
    ([name, settings]) => `[${name}]\n${settings.map(([key, value]) => `${key}=${value}\n`).join('')}`,
  );
  return `${head}\n${body.join('\n')}`;
}

/** The words of a command line. systemd would expand `%` and `$`, and split at blanks. */
export function words(list: readonly string[]): string {
  return list.map((word) => quotedWord(word.replaceAll('$', '$$$$'))).join(' ');
}

/** A path as the value of a setting. */
export function path(text: string): string {
  return quotedWord(text);
}

function quotedWord(word: string): string {
  const literal = word.replaceAll('%', '%%');
  if (/^[\w@%+=:,./$-]+$/.test(literal)) return literal;
  const escaped = literal
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\t', '\\t');
  return `"${escaped}"`;
}
