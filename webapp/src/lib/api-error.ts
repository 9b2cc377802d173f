/** Errors of the API client. Pure. */
import type { Problem } from './types';

/**
 * Why a request failed. After `network` and `timeout` the server may have accepted the
 * event; `refused` is an error status; `invalid` is a response that cannot be read;
 * `aborted` means that the caller cancelled the request.
 */
export type FailureKind = 'network' | 'timeout' | 'refused' | 'invalid' | 'aborted';

/** A failed request, with a message for the user. */
export class ApiError extends Error {
  constructor(
    readonly kind: FailureKind,
    message: string,
    /** HTTP status; 0 without a response. */
    readonly status = 0,
    readonly problem: Problem | null = null,
    /** Seconds that the server asks the client to wait before it retries, if any. */
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** Converts a thrown value to an {@link ApiError}. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError('invalid', error instanceof Error ? error.message : String(error));
}

/** The error of a request that got no readable response. */
export function failure(error: unknown, timeoutMs: number): ApiError {
  const name = error instanceof Error ? error.name : '';
  if (name === 'TimeoutError') {
    return new ApiError(
      'timeout',
      `The server did not respond within ${timeoutMs / 1000} seconds.`,
    );
  }
  if (name === 'AbortError') return new ApiError('aborted', 'The request was cancelled.');
  if (error instanceof SyntaxError) {
    return new ApiError('invalid', "The server's response is not JSON.");
  }
  return new ApiError('network', 'The server could not be reached.');
}

function isProblem(raw: unknown): raw is Problem {
  return typeof raw === 'object' && raw !== null && 'title' in raw;
}

/** The error of a response with an error status. */
export function refusal(response: Response, raw: unknown): ApiError {
  const { status } = response;
  const problem = isProblem(raw) ? raw : null;
  const message =
    problem?.detail || problem?.title || `The server responded with status ${status}.`;
  const wait = Number(response.headers.get('retry-after') ?? Number.NaN);
  const retryAfter = Number.isFinite(wait) && wait >= 0 ? Math.min(wait, 3600) : null;
  return new ApiError('refused', message, status, problem, retryAfter);
}
