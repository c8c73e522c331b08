/** What Node.js's own client lacks, loaded when it is needed. A module of its own: a bundle finds no names in what is imported later of CommonJS. */
export { Agent, EnvHttpProxyAgent, ProxyAgent, request } from 'undici';
