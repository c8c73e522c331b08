import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { keepWaiting } from './keep-waiting.ts';

describe('keepWaiting', () => {
  it('sends interim answers until the answer begins', async () => {
    const server = createServer((request, response) => {
      const stop = keepWaiting(request, response, 10);
      setTimeout(() => {
        stop();
        response.end('whole');
      }, 100);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    let interim = 0;
    const body = await new Promise<string>((resolve, reject) => {
      httpRequest({ port, host: '127.0.0.1' }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.once('end', () => resolve(text));
      })
        .on('continue', () => (interim += 1))
        .once('error', reject)
        .end();
    });
    expect(body).toBe('whole');
    expect(interim).toBeGreaterThan(0);
    await new Promise((resolve) => server.close(resolve));
  });
});
