import type { ServerResponse } from 'node:http';

/** Sends a value as JSON. */
export function sendJson(response: ServerResponse, status: number, value: object, isHead = false): void {
  sendJsonText(response, status, `${JSON.stringify(value)}\n`, isHead);
}

/** Sends JSON text. Nobody may keep it: it depends on who asks, and on when. */
export function sendJsonText(response: ServerResponse, status: number, text: string, isHead: boolean): void {
  const body = Buffer.from(text);
  response.writeHead(status, [
    'Content-Type',
    'application/json',
    'Content-Length',
    String(body.length),
    'Cache-Control',
    'no-store',
    'X-Content-Type-Options',
    'nosniff',
  ]);
  response.end(isHead ? undefined : body);
}
