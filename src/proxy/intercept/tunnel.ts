import type { Socket } from 'node:net';

/**
 * Joins two connections until either ends, or nothing was said for `idle` milliseconds. Each waits for the other when it
 * is slow, so that nothing heaps up here.
 */
export function join(client: Socket, server: Socket, head: Buffer, idle: number): void {
  const end = (): void => {
    client.destroy();
    server.destroy();
  };
  for (const socket of [client, server]) {
    socket.setTimeout(idle, end);
    socket.once('error', end).once('close', end);
  }
  if (head.length > 0) server.write(head);
  client.pipe(server);
  server.pipe(client);
}
