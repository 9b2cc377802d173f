package cartwheel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Tests the client against the server that scripts/test-clients starts. */
@Timeout(120)
final class CartwheelTest {
  private static final String URL = setting("CARTWHEEL_URL");
  private static final String KEY = setting("CARTWHEEL_API_KEY");

  /** Long enough for a machine that is busy. */
  private static final Duration PATIENT = Duration.ofSeconds(30);

  private static String setting(String name) {
    String value = System.getenv(name);
    if (value == null) {
      throw new IllegalStateException(name + " is not set: run scripts/test-clients");
    }
    return value;
  }

  private static Settings at(String url) {
    return new Settings(url, KEY).withAttempts(PATIENT, 2);
  }

  private static String newUser() {
    return "java-" + UUID.randomUUID();
  }

  private static Map<String, Object> add(String user, String... products) {
    return Map.of("event", "add_to_cart", "user_id", user, "product_ids", List.of(products));
  }

  private static Map<String, Integer> cartOf(String user) {
    try (var client = new Cartwheel(at(URL))) {
      Map<String, Integer> cart = new TreeMap<>();
      String path = "/v1/users/" + Cartwheel.segment(user) + "/cart";
      for (JsonNode item : client.request("GET", path, null).path("items")) {
        cart.put(item.path("product_id").asText(), item.path("quantity").asInt());
      }
      return cart;
    }
  }

  /** A proxy in front of the server that refuses the first request, or drops the first answers. */
  private static final class Faulty implements AutoCloseable {
    final List<String> seen = new CopyOnWriteArrayList<>();
    final String url;
    private final HttpServer server;
    private final int status;
    private final int drops;

    Faulty(int status, int drops) throws IOException {
      this.status = status;
      this.drops = drops;
      server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
      server.createContext("/", this::answer);
      server.start();
      url = "http://127.0.0.1:" + server.getAddress().getPort();
    }

    private void answer(HttpExchange exchange) throws IOException {
      byte[] body = exchange.getRequestBody().readAllBytes();
      seen.add(new String(body, StandardCharsets.UTF_8));
      if (status != 0 && seen.size() == 1) {
        exchange.getResponseHeaders().add("retry-after", "1");
        exchange.sendResponseHeaders(status, -1);
        exchange.close();
        return;
      }
      var request =
          HttpRequest.newBuilder(URI.create(URL + exchange.getRequestURI()))
              .header("content-type", "application/json")
              .header("x-api-key", KEY)
              .POST(HttpRequest.BodyPublishers.ofByteArray(body))
              .build();
      try {
        var client = HttpClient.newHttpClient();
        var answer = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
        if (seen.size() <= drops) {
          throw new IOException("told to fail");
        }
        exchange.sendResponseHeaders(answer.statusCode(), answer.body().length);
        exchange.getResponseBody().write(answer.body());
      } catch (InterruptedException error) {
        throw new IOException(error);
      } finally {
        exchange.close();
      }
    }

    @Override
    public void close() {
      server.stop(0);
    }
  }

  @Test
  void eventsInRecommendationsOut() {
    String user = newUser();
    var client = new Cartwheel(at(URL));
    for (String product : List.of("1", "2", "2")) {
      assertTrue(client.track(add(user, product)));
    }
    client.flush();
    assertEquals(0, client.waiting());
    assertEquals(Map.of("1", 1, "2", 2), cartOf(user));
    assertEquals(10, client.submit(add(user, "3")).path("recommendations").size());
    var found = client.recommend(Map.of("user_id", user, "limit", 4)).path("recommendations");
    assertEquals(4, found.size());
    var lists = List.of(Map.of("name", "home"), Map.of("name", "cart"));
    var page = client.page(Map.of("user_id", user, "placements", lists)).path("placements");
    assertEquals("cart", page.path(1).path("placement").asText());
    client.close();
  }

  @Test
  void anEventWhoseAnswerIsLostCountsOnce() throws IOException {
    String user = newUser();
    try (var proxy = new Faulty(0, 2)) {
      var client = new Cartwheel(at(proxy.url).withQueue(9, 9, Duration.ofHours(1), (e, w) -> {}));
      client.track(add(user, "1"));
      client.close();
      assertEquals(3, proxy.seen.size());
      assertEquals(proxy.seen.get(0), proxy.seen.get(2));
    }
    assertEquals(Map.of("1", 1), cartOf(user));
  }

  @Test
  void theClientWaitsAsLongAsTheServerAsks() throws IOException {
    try (var proxy = new Faulty(429, 0);
        var client = new Cartwheel(at(proxy.url))) {
      long started = System.nanoTime();
      client.recommend(Map.of("user_id", newUser()));
      assertTrue(System.nanoTime() - started >= 990_000_000L);
      assertEquals(2, proxy.seen.size());
    }
  }

  @Test
  void errorsSayWhetherTheyPass() throws IOException {
    try (var proxy = new Faulty(503, 0);
        var client = new Cartwheel(at(proxy.url).withAttempts(PATIENT, 0))) {
      var error =
          assertThrows(
              CartwheelException.class, () -> client.recommend(Map.of("user_id", newUser())));
      assertTrue(error.isPassing());
    }
    try (var client = new Cartwheel(at(URL))) {
      var error =
          assertThrows(
              CartwheelException.class,
              () -> client.placement("nowhere", Map.of("user_id", newUser())));
      assertEquals(404, error.status());
      assertFalse(error.isPassing());
      assertTrue(error.problem().path("detail").asText().contains("home"), error.getMessage());
    }
  }

  @Test
  void theQueueIsBoundedAndSaysWhatItLoses() {
    String user = newUser();
    List<String> lost = new ArrayList<>();
    var settings = at(URL).withQueue(2, 9, Duration.ofHours(1), (event, why) -> lost.add(why));
    var client = new Cartwheel(settings);
    assertTrue(client.track(add(user, "1")));
    assertTrue(client.track(add(user)));
    assertFalse(client.track(add(user, "2")));
    client.close();
    assertEquals(Map.of("1", 1), cartOf(user));
    assertEquals("the queue is full", lost.get(0));
    assertTrue(lost.get(1).contains("product"), lost.get(1));
  }

  @Test
  void aTokenActsForItsShopperAndIsFetchedAgain() {
    String user = newUser();
    List<String> fetched = new ArrayList<>();
    String secret = setting("CARTWHEEL_SIGNING_SECRET");
    var settings =
        at(URL)
            .withToken(
                () -> {
                  String signing = fetched.isEmpty() ? "cws_other" : secret;
                  fetched.add(ShopperToken.sign(signing, user, Duration.ofHours(1)));
                  return fetched.get(fetched.size() - 1);
                });
    try (var client = new Cartwheel(settings)) {
      client.submit(add(user, "5"));
      assertEquals(2, fetched.size());
      assertEquals(Map.of("5", 1), cartOf(user));
      var error =
          assertThrows(
              CartwheelException.class, () -> client.recommend(Map.of("user_id", newUser())));
      assertTrue(error.problem().path("type").asText().endsWith("other-shopper"));
    }
  }

  @Test
  void theExampleOfTheReadmeRuns() throws Exception {
    Matcher block =
        Pattern.compile("```java\n(.*?)```", Pattern.DOTALL)
            .matcher(Files.readString(Path.of("README.md")));
    assertTrue(block.find());
    String example = block.group(1);
    assertTrue(example.lines().count() <= 5, "it is longer than five lines");
    example = example.replace("http://127.0.0.1:8080", URL).replace("cw_…", KEY);
    String source =
        "import cartwheel.Cartwheel;\nimport java.util.*;\n"
            + "public class Example { public static void main(String[] args) {\n"
            + example
            + "} }\n";
    Path folder = Files.createTempDirectory("example");
    Path file = Files.writeString(folder.resolve("Example.java"), source);
    String path = System.getProperty("java.class.path");
    int code =
        ToolProvider.getSystemJavaCompiler()
            .run(null, null, null, "-cp", path, "-d", folder.toString(), file.toString());
    assertEquals(0, code);
    var printed = new ByteArrayOutputStream();
    PrintStream before = System.out;
    try (var loader = new java.net.URLClassLoader(new java.net.URL[] {folder.toUri().toURL()})) {
      System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
      loader.loadClass("Example").getMethod("main", String[].class)
          .invoke(null, (Object) new String[0]);
    } finally {
      System.setOut(before);
    }
    assertFalse(printed.toString(StandardCharsets.UTF_8).isBlank());
  }
}
