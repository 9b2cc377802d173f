package cartwheel;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.NullNode;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;

/** Sends requests, again where that helps. */
final class Transport {
  static final ObjectMapper JSON = new ObjectMapper();
  private static final long FIRST_WAIT_MS = 200;
  private static final long MOST_WAIT_MS = 10_000;

  /** Requests that change nothing, or whose events have ids: a second one does no harm. */
  private static final Pattern REPEATABLE =
      Pattern.compile("/(submit|v1/(events|page|rank|recommendations|placements/[^/]+))");

  private final Settings settings;
  private final String base;
  private final HttpClient http;
  private String token;

  Transport(Settings settings) {
    this.settings = settings;
    this.base = settings.url().replaceAll("/+$", "");
    this.http = HttpClient.newBuilder().connectTimeout(settings.timeout()).build();
  }

  JsonNode request(String method, String path, Object body) {
    boolean isRepeatable =
        method.equals("GET") || method.equals("PUT") || REPEATABLE.matcher(path).matches();
    boolean isRenewed = false;
    for (int attempt = 0; ; ) {
      try {
        return send(method, path, body);
      } catch (CartwheelException error) {
        if (error.status() == 401 && settings.token() != null && !isRenewed) {
          isRenewed = true;
          forget();
          continue;
        }
        // A request that was refused for its rate was not carried out.
        boolean mayRepeat = isRepeatable || error.status() == 429;
        if (!mayRepeat || !error.isPassing() || attempt >= settings.retries()) {
          throw error;
        }
        pause(attempt, error);
        attempt++;
      }
    }
  }

  private JsonNode send(String method, String path, Object body) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(base + path)).timeout(settings.timeout());
    if (body == null) {
      request.method(method, BodyPublishers.noBody());
    } else {
      request.header("content-type", "application/json");
      request.method(method, BodyPublishers.ofByteArray(bytes(body)));
    }
    if (settings.token() != null) {
      request.header("authorization", "Bearer " + token());
    } else if (settings.key() != null) {
      request.header("x-api-key", settings.key());
    }
    HttpResponse<byte[]> answer;
    try {
      answer = http.send(request.build(), BodyHandlers.ofByteArray());
    } catch (IOException error) {
      throw new CartwheelException("no answer: " + error, 0, null, null, error);
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
      throw new CartwheelException("interrupted", 0, null, null, error);
    }
    JsonNode content = parsed(answer.body());
    if (answer.statusCode() < 300) {
      return content;
    }
    Duration retryAfter =
        answer
            .headers()
            .firstValue("retry-after")
            .filter(text -> text.matches("\\d{1,9}"))
            .map(text -> Duration.ofSeconds(Long.parseLong(text)))
            .orElse(null);
    String message = answer.statusCode() + ": " + content.path("detail").asText();
    throw new CartwheelException(message, answer.statusCode(), content, retryAfter, null);
  }

  private static byte[] bytes(Object body) {
    try {
      return JSON.writeValueAsBytes(body);
    } catch (JsonProcessingException error) {
      throw new IllegalArgumentException("the body cannot be written as JSON", error);
    }
  }

  private static JsonNode parsed(byte[] content) {
    try {
      return content.length == 0 ? NullNode.getInstance() : JSON.readTree(content);
    } catch (IOException error) {
      // A proxy has answered.
      return NullNode.getInstance();
    }
  }

  private synchronized String token() {
    if (token == null) {
      token = settings.token().get();
    }
    return token;
  }

  private synchronized void forget() {
    token = null;
  }

  private static void pause(int attempt, CartwheelException error) {
    double share = ThreadLocalRandom.current().nextDouble(0.5, 1);
    long backoff = (long) ((FIRST_WAIT_MS << attempt) * share);
    long wait = error.retryAfter() == null ? backoff : error.retryAfter().toMillis();
    try {
      Thread.sleep(Math.min(wait, MOST_WAIT_MS));
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw error;
    }
  }
}
