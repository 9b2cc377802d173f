package cartwheel;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.function.BiConsumer;
import java.util.function.Supplier;

/**
 * How a client reaches the server and collects events. Each {@code with…} returns a changed copy.
 *
 * @param url the server, such as {@code https://recommendations.example}
 * @param key a secret key; may be null
 * @param token fetches a shopper token, again after one was refused; may be null
 * @param timeout ends an attempt
 * @param retries further attempts after one that failed
 * @param maxQueue most events that wait; further ones are lost
 * @param batchSize most events of a request, at most 500
 * @param interval how long events are collected
 * @param onLost hears of each event that is lost, and why
 */
public record Settings(
    String url,
    String key,
    Supplier<String> token,
    Duration timeout,
    int retries,
    int maxQueue,
    int batchSize,
    Duration interval,
    BiConsumer<JsonNode, String> onLost) {

  /** The defaults. */
  public Settings(String url, String key) {
    this(
        url, key, null, Duration.ofSeconds(2), 2, 10_000, 100, Duration.ofSeconds(1), (e, w) -> {});
  }

  /** With another way to say who calls. */
  public Settings withToken(Supplier<String> token) {
    return new Settings(
        url, key, token, timeout, retries, maxQueue, batchSize, interval, onLost);
  }

  /** With other attempts. */
  public Settings withAttempts(Duration timeout, int retries) {
    return new Settings(
        url, key, token, timeout, retries, maxQueue, batchSize, interval, onLost);
  }

  /** With another queue of events. */
  public Settings withQueue(
      int maxQueue, int batchSize, Duration interval, BiConsumer<JsonNode, String> onLost) {
    return new Settings(
        url, key, token, timeout, retries, maxQueue, batchSize, interval, onLost);
  }
}
