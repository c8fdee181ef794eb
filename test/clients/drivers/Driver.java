import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;

/** The Java client behind the lines of test/clients/driver.ts: a command in, an answer out. */
public final class Driver {
  private static final long SLOW_NS = 5_000_000;
  private static VartaWatch.Client client;

  /** What the client to be opened says of itself. */
  private static UnaryOperator<VartaWatch.Client> called = UnaryOperator.identity();

  public static void main(String[] arguments) throws Exception {
    var lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = lines.readLine()) != null; ) {
      System.out.println(perform(line.split(" ")));
      System.out.flush();
    }
  }

  private static String perform(String[] words) throws Exception {
    switch (words[0]) {
      case "unix-stream" -> client = called.apply(VartaWatch.connectStream(words[1]));
      case "udp" ->
          client = called.apply(VartaWatch.connectUdp(words[1], Integer.parseInt(words[2])));
      case "default" -> client = VartaWatch.connect();
      case "beat" -> {
        return told(client.beat(statusOf(words[1]), Integer.parseUnsignedInt(words[2])));
      }
      case "crash" -> {
        return told(client.crashBeat(Integer.parseInt(words[1])));
      }
      case "fill" -> {
        return fill(Integer.parseInt(words[1]));
      }
      case "threads" -> {
        return threads(Integer.parseInt(words[1]), Integer.parseInt(words[2]));
      }
      case "die" -> {
        client.installCrashBeat();
        throw new IllegalStateException("as the test asked for");
      }
      case "encode" -> {
        return encoded(words);
      }
      case "hello", "bye" -> {
        return control(words);
      }
      case "called" -> {
        var interval = Duration.ofMillis(Long.parseLong(words[2]));
        called = made -> made.named(words[1], interval);
        return "done";
      }
      case "exit" -> System.exit(Integer.parseInt(words[1]));
      case "close" -> client.close();
      case "goodbye" -> client.goodbye();
      case "fail-in-block" -> failInBlock();
      default -> {
        return "unknown " + words[0];
      }
    }
    client.logTo(text -> {});
    return "done";
  }

  private static void failInBlock() {
    try (var closing = client) {
      throw new IllegalStateException("as the test asked of " + closing);
    } catch (IllegalStateException asAsked) {
      // The block has ended.
    }
  }

  private static String told(VartaWatch.Outcome outcome) {
    return (outcome.kind().name().toLowerCase() + " " + outcome.reason()).strip();
  }

  private static VartaWatch.Status statusOf(String word) {
    return Arrays.stream(VartaWatch.Status.values())
        .filter(status -> status.name().equalsIgnoreCase(word))
        .findFirst()
        .orElse(null);
  }

  /** Beats until one is dropped and more times more: the last outcome, sent ones, slow ones. */
  private static String fill(int more) {
    int sent = 0, slow = 0, left = -1;
    VartaWatch.Outcome last;
    do {
      var before = System.nanoTime();
      last = client.beat();
      var took = System.nanoTime() - before;
      if (last.isSent()) sent++;
      if (left > 0) {
        left--;
        if (took > SLOW_NS) slow++;
      } else if (left < 0 && !last.isSent()) {
        left = more;
      }
    } while (left != 0);
    return told(last) + " " + sent + " " + slow;
  }

  private static String encoded(String[] words) {
    var frame = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
    var nonce = Long.parseUnsignedLong(words[4]);
    var payload = Integer.parseUnsignedInt(words[5]);
    var timestamp = Long.parseUnsignedLong(words[3]);
    var pid = Integer.parseUnsignedInt(words[2]);
    VartaWatch.putFrame(frame, Integer.parseInt(words[1]), pid, timestamp, nonce, payload);
    return HexFormat.of().formatHex(frame.array(), 0, frame.limit());
  }

  private static String control(String[] words) {
    var frame = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
    var word = (byte) (words[0].equals("hello") ? 1 : 2);
    var nonce = Long.parseUnsignedLong(words[2]);
    var interval = Integer.parseUnsignedInt(words[3]);
    var name = words.length > 4 ? words[4] : "";
    VartaWatch.putControl(frame, word, Integer.parseUnsignedInt(words[1]), nonce, interval, name);
    return HexFormat.of().formatHex(frame.array());
  }

  private static String threads(int count, int beats) throws InterruptedException {
    var sent = new AtomicInteger();
    var running = new Thread[count];
    for (int at = 0; at < count; at++) {
      running[at] =
          new Thread(
              () -> {
                for (int beat = 0; beat < beats; beat++)
                  if (client.beat().isSent()) sent.incrementAndGet();
              });
      running[at].start();
    }
    for (var thread : running) thread.join();
    return String.valueOf(sent.get());
  }
}
