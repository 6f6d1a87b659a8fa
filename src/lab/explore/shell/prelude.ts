/** The shell functions that an emitted script needs. */

const TRY = `try() {
  what=$1
  shift
  if answer=$("$@" 2>&1); then echo "$what: ok\${answer:+ ($answer)}"; else echo "$what: failed: $answer"; fi
}`;

const PUT = `# One write(2), as the attribute sees it.
put() { printf '%s' "$1" | dd of="$2" bs=4096 conv=notrunc status=none; }`;

const AGENT = `# A process that holds files and mappings between the lines. A touch is tried in a child first, which may die of SIGBUS.
agent_dir=$(mktemp -d)
mkfifo "$agent_dir/in" "$agent_dir/out"
python3 -u -c '
import mmap, os, sys
files, maps = {}, {}
unit = int(sys.argv[1])
def touch(m, at):
    child = os.fork()
    if child == 0:
        maps[m][at]
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return "signal %d" % os.WTERMSIG(status)
    maps[m][at]
    return "ok"
def run(what, *w):
    if what == "open": files[w[0]] = os.open(w[1], os.O_RDWR)
    elif what == "close": os.close(files.pop(w[0]))
    elif what == "mmap":
        name = os.readlink("/proc/self/fd/%d" % files[w[1]])
        size = int(open("/sys/bus/dax/devices/%s/size" % os.path.basename(name)).read())
        maps[w[0]] = mmap.mmap(files[w[1]], size, mmap.MAP_SHARED)
    elif what == "map":
        fd = os.open(w[1], os.O_RDWR)
        maps[w[0]] = mmap.mmap(fd, unit, mmap.MAP_SHARED, offset=int(w[2]) * unit)
        os.close(fd)
        return touch(w[0], 0)
    elif what == "munmap": maps.pop(w[0]).close()
    elif what == "touch": return touch(w[0], int(w[1]) * unit)
    return "ok"
for line in sys.stdin:
    try: print(run(*line.split()))
    except OSError as error: print("failed:", error.strerror)
' "$UNIT" <"$agent_dir/in" >"$agent_dir/out" &
agent_pid=$!
exec 3>"$agent_dir/in" 4<"$agent_dir/out"
trap 'exec 3>&- 4<&-; kill "$agent_pid"; rm -r "$agent_dir"' EXIT
agent() {
  echo "$*" >&3
  read -r answer <&4
  echo "$answer"
  [ "$answer" = ok ]
}`;

const MOUNTING = `# A file system that holds the device (famfs), with a file $FILE that covers it.
MOUNTS=\${MOUNTS:-/mnt}
FILE=\${FILE:-data}
mount_on() { mkdir -p "$MOUNTS/$1" && mount -t famfs -o noatime "$2" "$MOUNTS/$1"; }`;

const SPAN = `span() { printf '0x%x-0x%x' "$(($1 + $2 * UNIT))" "$(($1 + ($2 + $3) * UNIT - 1))"; }`;

const PAGE_AT = `# hpa of page N of a device, over all its ranges.
page_at() {
  for mapping in "$SYS/bus/dax/devices/$1"/mapping[0-9]*; do
    start=$(cat "$mapping/start") end=$(cat "$mapping/end") first=$(cat "$mapping/page_offset")
    pages=$(((end + 1 - start) / 4096))
    [ "$2" -ge $((first)) ] && [ "$2" -lt $((first + pages)) ] && echo $((start + ($2 - first) * 4096)) && return
  done
  return 1
}`;

const FAILING = `# The Nth allocation of the write fails (CONFIG_FAULT_INJECTION, failslab): the place of the model's N-th step differs by
# kernel, try neighbours.
failing() {
  python3 -c '
import sys
attribute = open(sys.argv[3], "wb", 0)
open("/proc/thread-self/fail-nth", "w").write(sys.argv[1])
attribute.write(sys.argv[2].encode())' "$1" "$2" "$3"
}`;

const KERNEL = `# No system call leads here directly: call it from a test module or through a file system.
kernel() { echo "by hand: $1"; }`;

const CALLS = `# Two things at once: the kernel must be stopped between its two steps (a kprobe with a delay), or this run in a loop.
start() {
  call=$1
  shift
  case $1 in
    umount) umount "$MOUNTS/$2" & ;;
    notify) put "$(page_at "$2" $(($3 * 512)))" "$SYS/devices/system/memory/hard_offline_page" & ;;
    unbind) put "$2" "$SYS/bus/dax/drivers/$3/unbind" & ;;
  esac
  eval "call_$call=$!"
}
finish() { eval "wait \\$call_$1"; }`;

const BLOCK = `BLOCK=$((0x$(cat "$SYS/devices/system/memory/block_size_bytes")))`;

/** Each function, and the pattern of script lines that need it. */
const PIECES: readonly { readonly text: string; readonly when: RegExp }[] = [
  { text: PUT, when: /\bput / },
  { text: TRY, when: /^try /m },
  { text: SPAN, when: /\$\(span / },
  { text: PAGE_AT, when: /\bpage_at |^start \w+ notify/m },
  { text: FAILING, when: /' failing / },
  { text: MOUNTING, when: /\$MOUNTS|mount_on / },
  { text: AGENT, when: /' agent / },
  { text: KERNEL, when: /' kernel / },
  { text: CALLS, when: /^(start|finish) /m },
  { text: BLOCK, when: /\/ BLOCK/ },
];

export function preludeFor(lines: readonly string[]): string[] {
  const text = lines.join('\n');
  const used = PIECES.filter(({ when }) => when.test(text));
  // A background call writes attributes, so `put` is needed whatever else the trace does.
  const all = used.some((piece) => piece.text === CALLS) ? [PIECES[0]!, ...used] : used;
  return [...new Set(all)].map((piece) => piece.text);
}
