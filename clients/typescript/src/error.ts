import type { Schemas } from './operations.js';

/** Statuses that go away by themselves. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** A request that failed: refused by the server, or without an answer. */
export class CartwheelError extends Error {
  override readonly name = 'CartwheelError';

  constructor(
    message: string,
    /** The status of the answer; 0 without one. */
    readonly status: number,
    /** What the server says is wrong, and with which field. */
    readonly problem?: Schemas['Problem'],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** Whether the same request may succeed later. */
  get isPassing(): boolean {
    return this.status === 0 || PASSING.has(this.status);
  }
}

/** The error that an answer means. */
export async function errorOf(response: Response): Promise<CartwheelError> {
  const text = await response.text().catch(() => '');
  let problem: Schemas['Problem'] | undefined;
  try {
    problem = JSON.parse(text) as Schemas['Problem'];
  } catch {
    // A proxy has answered.
  }
  const detail = problem?.detail ?? text.slice(0, 200);
  return new CartwheelError(`${response.status}: ${detail}`, response.status, problem);
}
