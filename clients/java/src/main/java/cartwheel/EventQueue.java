package cartwheel;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;

/** Events that wait to be sent. Each has an id before its first attempt and keeps it. */
final class EventQueue {
  private static final int MOST_BATCH = 500;
  private static final long MOST_WAIT_MS = 30_000;

  private final Transport transport;
  private final Settings settings;
  private final int batchSize;
  private final Deque<ObjectNode> events = new ArrayDeque<>();

  /** One sender at a time. */
  private final ReentrantLock sending = new ReentrantLock();

  private Thread thread;
  private boolean isClosed;

  EventQueue(Transport transport, Settings settings) {
    this.transport = transport;
    this.settings = settings;
    this.batchSize = Math.max(1, Math.min(settings.batchSize(), MOST_BATCH));
  }

  static ObjectNode withId(Object event) {
    ObjectNode node = Transport.JSON.valueToTree(event);
    if (!node.hasNonNull("event_id")) {
      node.put("event_id", UUID.randomUUID().toString());
    }
    return node;
  }

  synchronized int size() {
    return events.size();
  }

  boolean put(Object event) {
    ObjectNode node = withId(event);
    synchronized (this) {
      if (events.size() < settings.maxQueue()) {
        events.add(node);
        if (thread == null && !isClosed) {
          thread = new Thread(this::run, "cartwheel");
          thread.setDaemon(true);
          thread.start();
        }
        if (events.size() >= batchSize) {
          notifyAll();
        }
        return true;
      }
    }
    settings.onLost().accept(node, "the queue is full");
    return false;
  }

  private void run() {
    long wait = settings.interval().toMillis();
    while (true) {
      synchronized (this) {
        try {
          if (!isClosed && events.size() < batchSize) {
            wait(Math.max(1, wait));
          }
        } catch (InterruptedException interrupted) {
          return;
        }
        if (isClosed) {
          return;
        }
      }
      try {
        flush();
        wait = settings.interval().toMillis();
      } catch (CartwheelException error) {
        wait = Math.min(2 * Math.max(wait, 500), MOST_WAIT_MS);
        if (!pause(wait)) {
          return;
        }
      }
    }
  }

  /** Waits after a failure, whatever arrives; returns whether to go on. */
  private synchronized boolean pause(long ms) {
    long end = System.nanoTime() + ms * 1_000_000;
    try {
      for (long left = ms; left > 0 && !isClosed; ) {
        wait(left);
        left = (end - System.nanoTime()) / 1_000_000;
      }
    } catch (InterruptedException interrupted) {
      return false;
    }
    return !isClosed;
  }

  void flush() {
    sending.lock();
    try {
      while (true) {
        List<ObjectNode> batch = first();
        if (batch.isEmpty()) {
          return;
        }
        List<ObjectNode> again = send(batch);
        synchronized (this) {
          batch.forEach(event -> events.removeFirst());
          for (int at = again.size() - 1; at >= 0; at--) {
            events.addFirst(again.get(at));
          }
        }
        if (!again.isEmpty()) {
          String message = again.size() + " events could not be stored yet";
          throw new CartwheelException(message, 503, null, null, null);
        }
      }
    } finally {
      sending.unlock();
    }
  }

  private synchronized List<ObjectNode> first() {
    return events.stream().limit(batchSize).toList();
  }

  /** Sends events and returns those that have to be sent again. */
  private List<ObjectNode> send(List<ObjectNode> batch) {
    JsonNode records;
    try {
      records = transport.request("POST", "/v1/events", batch).path("records");
    } catch (CartwheelException error) {
      // A wrong key is no reason to lose events.
      if (error.isPassing() || error.status() == 401 || error.status() == 403) {
        throw error;
      }
      batch.forEach(event -> settings.onLost().accept(event, error.getMessage()));
      return List.of();
    }
    List<ObjectNode> again = new ArrayList<>();
    for (int at = 0; at < batch.size(); at++) {
      JsonNode problem = records.path(at).path("error");
      if (problem.isObject() && CartwheelException.isPassing(problem.path("status").asInt())) {
        again.add(batch.get(at));
      } else if (problem.isObject()) {
        settings.onLost().accept(batch.get(at), problem.path("detail").asText());
      }
    }
    return again;
  }

  void close() {
    synchronized (this) {
      isClosed = true;
      notifyAll();
    }
    flush();
  }
}
