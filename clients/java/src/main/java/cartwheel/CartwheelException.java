package cartwheel;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.Set;

/** A request that the server refused, or that has no answer. */
public final class CartwheelException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private static final Set<Integer> PASSING = Set.of(0, 408, 425, 429, 500, 502, 503, 504);

  private final int status;
  private final transient JsonNode problem;
  private final Duration retryAfter;

  CartwheelException(
      String message, int status, JsonNode problem, Duration retryAfter, Throwable cause) {
    super(message, cause);
    this.status = status;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  /** The status of the answer, 0 without one. */
  public int status() {
    return status;
  }

  /** What the server says is wrong, and with which field; null without an answer of its own. */
  public JsonNode problem() {
    return problem;
  }

  /** How long the server asks to wait; null if it does not say. */
  Duration retryAfter() {
    return retryAfter;
  }

  /** Whether the same request may succeed later, so that a program can show something else. */
  public boolean isPassing() {
    return isPassing(status);
  }

  static boolean isPassing(int status) {
    return PASSING.contains(status);
  }
}
