import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import type { VmAssets } from './assets.js';

export interface QemuOptions {
  readonly assets: VmAssets;
  /** The file that is its NVDIMM; bytes. */
  readonly memory: { readonly path: string; readonly size: number };
  /** RAM of the VM, MiB. */
  readonly ramMiB: number;
  readonly cpus: number;
  /** Unix sockets on which this process listens, for the ports of these names. */
  readonly ports: Readonly<Record<string, string>>;
  /** `udax.KEY=VALUE` parameters on the kernel's command line, for the init script. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Additional kernel parameters. */
  readonly kernelParameters?: string;
}

/** The command line of a VM: software emulation, one NVDIMM over the shared file, a serial console. */
export function qemuArguments(options: QemuOptions): string[] {
  const { assets, memory, ramMiB, cpus, ports, parameters, kernelParameters = '' } = options;
  const words = Object.entries(parameters).map(([key, value]) => `udax.${key}=${value}`);
  return [
    ...['-machine', 'q35,nvdimm=on', '-cpu', 'max', '-accel', 'tcg,thread=multi', '-smp', String(cpus)],
    ...['-m', `${ramMiB}M,slots=4,maxmem=8G`],
    '-object',
    `memory-backend-file,id=nv,mem-path=${memory.path},size=${memory.size},share=on,align=2M`,
    ...['-device', 'nvdimm,id=nvd,memdev=nv'],
    ...['-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-reboot'],
    ...['-kernel', assets.kernel, '-initrd', assets.initramfs],
    '-append',
    `console=ttyS0 quiet panic=-1 mitigations=off ${kernelParameters} ${words.join(' ')}`,
    ...['-device', 'virtio-serial-pci'],
    ...Object.entries(ports).flatMap(([name, path], number) => [
      ...['-chardev', `socket,id=port${number},path=${path}`],
      ...['-device', `virtserialport,chardev=port${number},name=${name}`],
    ]),
  ];
}

const haveSetpriv = spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0;

/** A running QEMU and its console output. It dies with this process. */
export class Qemu {
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  #console = '';

  constructor(options: QemuOptions) {
    const words = ['qemu-system-x86_64', ...qemuArguments(options)];
    if (haveSetpriv) words.unshift('setpriv', '--pdeathsig', 'KILL');
    this.#child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        this.#console = (this.#console + text).slice(-100_000);
      });
    }
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(`QEMU did not start: ${error.message}`));
      this.#child.once('exit', (code, signal) => resolve(`QEMU ended (${signal ?? `exit ${code}`})`));
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** The last lines of the console, without terminal control sequences. */
  console(lines = 25): string {
    const escapes = new RegExp(`${String.fromCharCode(27)}(\\[[0-9;?]*[A-Za-z]|c)`, 'g');
    const text = this.#console.replace(escapes, '').replaceAll('\r', '').trimEnd();
    return text.split('\n').slice(-lines).join('\n');
  }

  /** Cuts the power. Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}
