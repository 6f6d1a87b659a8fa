import net from 'node:net';

/** A call that the agent answered with an error; `code` is the errno name where there is one. */
export class GuestError extends Error {
  constructor(
    message: string,
    readonly code: string | undefined,
    guestStack: string | undefined,
  ) {
    super(message);
    if (guestStack) this.stack = `GuestError${code ? ` ${code}` : ''}, in the VM: ${guestStack}`;
  }
}

export interface Answer {
  id?: number;
  ready?: unknown;
  value?: unknown;
  error?: { message: string; code?: string; stack?: string };
}

/** The value of an answer. @throws GuestError */
export function valueIn({ value, error }: Answer): unknown {
  if (error) throw new GuestError(error.message, error.code, error.stack);
  return value;
}

interface Pending {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** JSON lines to and from a VM's agent, over the socket QEMU connects its port to. */
export class Connection {
  /** The agent's first message. */
  readonly ready: Promise<unknown>;
  readonly #server: net.Server;
  readonly #pending = new Map<number, Pending>();
  #socket: net.Socket | null = null;
  #text = '';
  #nextId = 1;
  #broken: Error | null = null;
  #sayReady!: Pending;

  private constructor(server: net.Server) {
    this.#server = server;
    this.ready = new Promise((resolve, reject) => {
      this.#sayReady = { resolve: ({ ready }) => resolve(ready), reject };
    });
    this.ready.catch(() => undefined);
    server.once('connection', (socket) => this.#take(socket));
  }

  /** Listens. Start QEMU after that. */
  static async listen(path: string): Promise<Connection> {
    const server = net.createServer();
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
    return new Connection(server);
  }

  call(module: string, name: string, args: readonly unknown[]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#broken || !this.#socket) {
        reject(this.#broken ?? new Error('the VM is not there yet'));
        return;
      }
      const id = this.#nextId++;
      this.#pending.set(id, { resolve, reject });
      this.#socket.write(`${JSON.stringify({ id, module, name, args })}\n`);
    });
  }

  /** Fails all calls that are under way and all later ones. */
  break(error: Error): void {
    if (this.#broken) return;
    this.#broken = error;
    this.#sayReady.reject(error);
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#socket?.destroy();
    this.#server.close();
  }

  #take(socket: net.Socket): void {
    this.#socket = socket;
    socket.setEncoding('utf8');
    // The end of QEMU reports the rest.
    socket.on('error', () => undefined);
    socket.on('data', (text: string) => {
      const lines = (this.#text + text).split('\n');
      this.#text = lines.pop()!;
      for (const line of lines) this.#answered(JSON.parse(line) as Answer);
    });
  }

  #answered(answer: Answer): void {
    if (answer.ready !== undefined) {
      this.#sayReady.resolve(answer);
      return;
    }
    const pending = this.#pending.get(answer.id!);
    this.#pending.delete(answer.id!);
    pending?.resolve(answer);
  }
}
