package cartwheel;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * A client of one server. Threads may share it; most programs need one. Questions and events are
 * maps, Jackson's trees, or objects that Jackson writes; answers are trees.
 */
public final class Cartwheel implements AutoCloseable {
  private final Transport transport;
  private final EventQueue queue;

  /** A client of the server at a URL, with the secret key. */
  public Cartwheel(String url, String key) {
    this(new Settings(url, key));
  }

  /** A client with other settings. */
  public Cartwheel(Settings settings) {
    transport = new Transport(settings);
    queue = new EventQueue(transport, settings);
  }

  /**
   * Asks any route of the API, such as {@code GET /v1/products/12/similar?limit=4}.
   *
   * @param body may be null
   * @throws CartwheelException if the server refuses or does not answer
   */
  public JsonNode request(String method, String path, Object body) {
    return transport.request(method, path, body);
  }

  /**
   * Sends an event in the background, together with others. Returns false if it is lost because too
   * many wait.
   */
  public boolean track(Map<String, ?> event) {
    return queue.put(event);
  }

  /** Stores an event and recommends: the answer already reflects it. */
  public JsonNode submit(Map<String, ?> event) {
    return request("POST", "/submit", EventQueue.withId(event));
  }

  /** Recommends products to a shopper. */
  public JsonNode recommend(Map<String, ?> question) {
    return request("POST", "/v1/recommendations", question);
  }

  /** Fills a placement for a shopper. */
  public JsonNode placement(String name, Map<String, ?> question) {
    return request("POST", "/v1/placements/" + segment(name), question);
  }

  /** Fills the placements of a page, without a product in two of them. */
  public JsonNode page(Map<String, ?> question) {
    return request("POST", "/v1/page", question);
  }

  /** An id as a part of a path. */
  public static String segment(String id) {
    return URLEncoder.encode(id, StandardCharsets.UTF_8).replace("+", "%20");
  }

  /** The number of events that wait. */
  public int waiting() {
    return queue.size();
  }

  /**
   * Sends every event that waits. If the server cannot take them now, they wait on.
   *
   * @throws CartwheelException if the server cannot take them now
   */
  public void flush() {
    queue.flush();
  }

  /** Sends every event that waits, and ends the client. */
  @Override
  public void close() {
    queue.close();
  }
}
