// A server of one file: whole, from an offset on, and cut off in the middle. Prints its port.
import { createServer } from 'node:http';

const body = Buffer.alloc(3_000_000, 'abcdefghij');

const server = createServer((request, response) => {
  if (request.url === '/short') {
    response.end('short\n');
    return;
  }
  const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const rest = body.subarray(from);
  const range = { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` };
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': rest.length, ...(from > 0 && range) });
  if (request.url === '/cut') response.write(rest.subarray(0, 1_000_000), () => response.destroy());
  else response.end(rest);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
