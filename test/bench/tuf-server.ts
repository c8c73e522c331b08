import { once } from 'node:events';
import { killProcess, startProcess } from '../tools/process.ts';

/** Files over HTTP/1.1 on the loopback, from a process of its own, so that its work is not counted as a client's. */
const SERVER = `
const { createServer } = require('node:http');
const { readFileSync } = require('node:fs');
const { join, basename } = require('node:path');
const folder = process.argv[1];
const server = createServer((request, response) => {
  try {
    const bytes = readFileSync(join(folder, basename(decodeURIComponent(request.url))));
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': bytes.length }).end(bytes);
  } catch {
    response.writeHead(404, { 'content-length': 0 }).end();
  }
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

export interface FileServer {
  /** Ends with `/`. */
  readonly url: string;
  stop(): void;
}

export async function serveFolder(folder: string): Promise<FileServer> {
  const child = startProcess(process.execPath, ['-e', SERVER, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.stdout === null) throw new Error('the server has no output');
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return { url: `http://127.0.0.1:${Number(port)}/`, stop: () => killProcess(child) };
}
