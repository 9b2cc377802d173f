export { Cartwheel } from './client.js';
export { CartwheelError } from './error.js';
export type { Schemas } from './operations.js';
export type { Event, QueueSettings } from './queue.js';
export { shopperToken, type TokenOptions } from './token.js';
export type { Options, Settings } from './transport.js';
