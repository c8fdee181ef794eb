import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.PortUnreachableException;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.zip.CRC32C;

/**
 * Tells varta-watch that this process lives: one 32-byte beat at a time, one file, no dependency.
 *
 * <p>It lives in other people's programs, so beat() never blocks, never throws and queues nothing.
 * A beat that was not sent is lost, and the next one carries its nonce. Any thread may beat. The
 * protocol is docs/spec/01-wire.md, the promises are docs/spec/21-clients.md. Java has no Unix
 * datagrams: locally it needs a unix-stream listener.
 *
 * <pre>{@code
 * try (var client = VartaWatch.connect()) {
 *   for (var job : jobs) {
 *     job.run();
 *     client.beat();
 *   }
 * }
 * }</pre>
 */
public final class VartaWatch {
  /** What a program says of itself in a beat. */
  public enum Status {
    /** Work gets done. */
    OK,
    /** Making progress, but in trouble. */
    DEGRADED,
    /** An alarm. */
    CRITICAL
  }

  /** What became of a beat in one word: passes by itself if dropped, needs a change if failed. */
  public enum Kind {
    SENT,
    DROPPED,
    FAILED
  }

  /**
   * What became of a beat.
   *
   * @param reason empty of a sent one; "queue_full", "no_observer" or "closed" of a dropped one;
   *     "bad_status", "bad_path", "bad_address", "bad_name", "reserved_pid", "EACCES", "EMFILE",
   *     "EPROTOTYPE" or "error" of a failed one
   * @param text one sentence for a log, without a full stop
   */
  public record Outcome(Kind kind, String reason, String text) {
    public boolean isSent() {
      return kind == Kind.SENT;
    }
  }

  /** What a program needs of a client; {@link Fake} is one for unit tests. */
  public interface Beater extends AutoCloseable {
    Outcome beat(Status status, int payload);

    Outcome crashBeat(int payload);

    /** Says that this program ends on purpose, and closes: the end that follows is a clean one. */
    void goodbye();

    /** Closes without a word, since a block with resources closes after an exception too. */
    @Override
    void close();

    default Outcome beat() {
      return beat(Status.OK, 0);
    }

    /**
     * Beats from a daemon thread while isAlive answers true, and waits for the interval between two
     * questions: a call that took long is not followed by a burst. A call that throws counts as
     * false. close() of what it returns ends the beats.
     */
    default Repeat every(Duration interval, BooleanSupplier isAlive) {
      return new Repeat(this, interval, isAlive);
    }
  }

  /** The beats of a thread of its own. */
  public static final class Repeat implements AutoCloseable {
    private final ScheduledExecutorService executor;
    private final ScheduledFuture<?> beats;

    private Repeat(Beater beater, Duration interval, BooleanSupplier isAlive) {
      // What is not alive for want of an isAlive would be so for ever, and silently.
      Objects.requireNonNull(isAlive, "isAlive");
      executor =
          Executors.newSingleThreadScheduledExecutor(
              work -> {
                var thread = new Thread(work, "varta-watch");
                thread.setDaemon(true);
                return thread;
              });
      beats =
          executor.scheduleWithFixedDelay(
              () -> beatIfAlive(beater, isAlive), 0, interval.toNanos(), TimeUnit.NANOSECONDS);
    }

    private static void beatIfAlive(Beater beater, BooleanSupplier isAlive) {
      boolean alive;
      try {
        alive = isAlive.getAsBoolean();
      } catch (Throwable error) {
        // Not known to be alive is not alive; the beats go on when it answers again. An Error, too:
        // one that left here would end them for good, without a word.
        return;
      }
      if (alive) beater.beat();
    }

    /** Ends the beats. It does not wait for a call of isAlive that hangs. */
    @Override
    public void close() {
      beats.cancel(false);
      executor.shutdown();
    }
  }

  /** Takes the calls of a client in unit tests, and keeps the beats. */
  public static final class Fake implements Beater {
    /** A beat that was asked for. */
    public record Beat(Status status, int payload) {}

    /** What beats are told. */
    public volatile Outcome answer = SENT;

    private final java.util.List<Beat> beats = new java.util.concurrent.CopyOnWriteArrayList<>();
    private volatile boolean isClosed;
    private volatile boolean saidGoodbye;

    public java.util.List<Beat> beats() {
      return java.util.List.copyOf(beats);
    }

    public boolean isClosed() {
      return isClosed;
    }

    public boolean saidGoodbye() {
      return saidGoodbye;
    }

    @Override
    public Outcome beat(Status status, int payload) {
      beats.add(new Beat(status, payload));
      return answer;
    }

    @Override
    public Outcome crashBeat(int payload) {
      return beat(Status.CRITICAL, payload);
    }

    @Override
    public void goodbye() {
      saidGoodbye = true;
      isClosed = true;
    }

    @Override
    public void close() {
      isClosed = true;
    }
  }

  private static final Outcome SENT = new Outcome(Kind.SENT, "", "Beat sent");
  private static final Outcome QUEUE_FULL =
      dropped("queue_full", "the queue to the observer is full");
  private static final Outcome NO_OBSERVER = dropped("no_observer", "no observer listens there");
  private static final Outcome CLOSED = dropped("closed", "the client was closed");
  private static final Outcome BAD_STATUS = failed("bad_status", "status must not be null");
  private static final Outcome BAD_PATH =
      failed("bad_path", "the socket path must have 1..107 bytes and no NUL");
  private static final Outcome BAD_ADDRESS =
      failed(
          "bad_address",
          "host must be an IP address such as \"192.0.2.10\", not a name, and port in 1..65535");
  private static final Outcome BAD_NAME =
      failed(
          "bad_name",
          "a name has letters, digits, _ . @ : and -, at most 40, is not digits alone, not other");
  private static final Outcome RESERVED_PID =
      failed(
          "reserved_pid",
          "pid 1 is reserved over a network: start the program under an init (docker run --init)");

  private static final String IPV4_PART = "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])";
  private static final String IPV4 = "(" + IPV4_PART + "[.]){3}" + IPV4_PART;

  private static final String MAY_BEAT =
      " (mode and group of the listener in varta.toml say who may beat)";

  private static final int PATH_BYTES_MAX = 107;
  private static final int CONTROL_BYTES = 64;
  private static final int NAME_BYTES = 40;
  private static final byte HELLO = 1;
  private static final byte BYE = 2;
  private static final long NONCE_TERMINAL = -1;

  /**
   * Least time between two attempts to connect; up to half as much again is added at random, so
   * that a thousand clients do not come back in the same millisecond.
   */
  private static final long RECONNECT_NS = 100_000_000;

  /** A cause is told when it begins, and once a minute at most. */
  private static final long TELL_AGAIN_NS = 60_000_000_000L;

  /** By UDP nothing says that the observer was restarted and has forgotten the name. */
  private static final long HELLO_AGAIN_NS = 60_000_000_000L;

  /** Two clients of one door share its numbering: two would be refused as out of order. */
  private static final Map<String, Numbering> NUMBERINGS = new ConcurrentHashMap<>();

  private static final class Numbering {
    private final ReentrantLock lock = new ReentrantLock();
    private long nonce = 1;
    private long timestamp;

    /** Never decreases; that of a crash beat is greater than all before. It is CLOCK_MONOTONIC. */
    long stamp(boolean isTerminal) {
      timestamp = Math.max(System.nanoTime(), timestamp + (isTerminal ? 1 : 0));
      return timestamp;
    }

    /** 2^64-1 marks a crash beat: after 2^64-2 comes 0. */
    void advance() {
      nonce = nonce + 1 == NONCE_TERMINAL ? 0 : nonce + 1;
    }
  }

  private VartaWatch() {}

  /** VARTA_STREAM, else stream.sock in the default directory of this user. */
  public static Client connect() {
    var path = System.getenv("VARTA_STREAM");
    return connectStream(path == null || path.isEmpty() ? defaultPath() : path);
  }

  /** A client of a unix-stream listener. It is returned whether or not an observer is there. */
  public static Client connectStream(String path) {
    var bytes = path.getBytes(StandardCharsets.UTF_8).length;
    if (bytes == 0 || bytes > PATH_BYTES_MAX)
      return new Client("unix-stream", path, null, BAD_PATH);
    try {
      return new Client("unix-stream", path, UnixDomainSocketAddress.of(path), null);
    } catch (InvalidPathException error) {
      // A NUL, or what the character set of this machine cannot say.
      return new Client("unix-stream", path, null, BAD_PATH);
    }
  }

  /** A client of a plain udp listener. Whoever reaches it can forge such beats. */
  public static Client connectUdp(String host, int port) {
    var endpoint = host + ":" + port;
    // A name is never looked up, which would block, and Java looks up 999.1.1.1 as one. What has a
    // colon and is no address is refused by getByName without that.
    if (!host.matches(IPV4 + "|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\\w+)?") || port < 1 || port > 65535)
      return new Client("udp", endpoint, null, BAD_ADDRESS);
    try {
      var ip = InetAddress.getByName(host);
      return new Client("udp", endpoint, new InetSocketAddress(ip, port), null);
    } catch (IOException error) {
      return new Client("udp", endpoint, null, BAD_ADDRESS);
    }
  }

  /** Sends the beats of this process to one observer. Made by the connect methods. */
  public static final class Client implements Beater {
    private final String kind;
    private final String endpoint;
    private final SocketAddress address;
    private final Outcome fault;
    private final Numbering numbering;
    private final int pid = (int) ProcessHandle.current().pid();
    private final ByteBuffer buffer =
        ByteBuffer.allocateDirect(CONTROL_BYTES).order(ByteOrder.LITTLE_ENDIAN);

    /** What a stream did not take of a frame goes ahead of the next one: frames are never cut. */
    private final ByteBuffer rest = ByteBuffer.allocateDirect(CONTROL_BYTES).limit(0);

    private final Map<String, Long> told = new HashMap<>();
    private volatile Consumer<String> log =
        text -> System.getLogger("varta-watch").log(System.Logger.Level.WARNING, text);
    private volatile boolean isClosed;

    private String name = "";
    private int intervalMs;
    private Outcome nameFault;
    private java.nio.channels.Channel channel;
    private boolean isGreeted;
    private long greetedNs;
    private long retryAtNs = System.nanoTime();
    private Outcome unconnected = NO_OBSERVER;

    /**
     * Announces a name and how often this program means to beat, by a hello when the observer is
     * reached. The observer takes the name where a rule has announce.
     */
    public Client named(String name, Duration interval) {
      synchronized (buffer) {
        this.name = name;
        intervalMs = (int) Math.max(0, Math.min(interval.toMillis(), 0xffffffffL));
        nameFault = isName(name) ? null : BAD_NAME;
        isGreeted = false;
      }
      return this;
    }

    /** Gets one line for each cause, once a minute at most, in place of the platform's logger. */
    public Client logTo(Consumer<String> log) {
      this.log = log;
      return this;
    }

    private Client(String kind, String endpoint, SocketAddress address, Outcome fault) {
      this.kind = kind;
      this.endpoint = endpoint;
      this.address = address;
      this.fault = fault;
      numbering = NUMBERINGS.computeIfAbsent(kind + " " + endpoint, unused -> new Numbering());
    }

    @Override
    public Outcome beat(Status status, int payload) {
      return tell(status == null ? BAD_STATUS : emit(status, payload, false));
    }

    @Override
    public Outcome crashBeat(int payload) {
      return tell(emit(Status.CRITICAL, payload, true));
    }

    /** From now on an uncaught error of any thread sends a crash beat first. */
    public void installCrashBeat() {
      var before = Thread.getDefaultUncaughtExceptionHandler();
      Thread.setDefaultUncaughtExceptionHandler(
          (thread, error) -> {
            crashBeat(0);
            if (before != null) before.uncaughtException(thread, error);
            else {
              System.err.print("Exception in thread \"" + thread.getName() + "\" ");
              error.printStackTrace();
            }
          });
    }

    @Override
    public void goodbye() {
      synchronized (buffer) {
        if (!isClosed && channel != null) sendControl(BYE);
        close();
      }
    }

    @Override
    public void close() {
      synchronized (buffer) {
        isClosed = true;
        disconnect();
      }
    }

    private Outcome emit(Status status, int payload, boolean isTerminal) {
      synchronized (buffer) {
        if (isClosed) return CLOSED;
        if (fault != null) return fault;
        if (nameFault != null) return nameFault;
        if (pid == 1 && kind.equals("udp")) return RESERVED_PID;
        try {
          if (channel == null && !connect(isTerminal)) return unconnected;
          greet();
          if (channel == null) return unconnected;
          return number(status, payload, isTerminal);
        } catch (RuntimeException error) {
          // A fault of ours must not be one of our host.
          return failed("error", String.valueOf(error));
        }
      }
    }

    private void greet() {
      if (name.isEmpty() && intervalMs == 0) return;
      var now = System.nanoTime();
      var isOld = kind.equals("udp") && now - greetedNs >= HELLO_AGAIN_NS;
      if (isGreeted && !isOld) return;
      isGreeted = sendControl(HELLO);
      greetedNs = now;
    }

    private Outcome number(Status status, int payload, boolean isTerminal) {
      numbering.lock.lock();
      try {
        var nonce = isTerminal ? NONCE_TERMINAL : numbering.nonce;
        putFrame(
            buffer, status.ordinal(), pid, numbering.stamp(isTerminal), nonce, payload);
        var outcome = send(isTerminal);
        if (outcome == SENT && !isTerminal) numbering.advance();
        return outcome;
      } finally {
        numbering.lock.unlock();
      }
    }

    private boolean sendControl(byte word) {
      var isHello = word == HELLO;
      numbering.lock.lock();
      try {
        putControl(
            buffer, word, pid, numbering.nonce, isHello ? intervalMs : 0, isHello ? name : "");
        write();
        numbering.advance();
        return true;
      } catch (IOException error) {
        if (!kind.equals("udp") && outcomeOf(error) != QUEUE_FULL) {
          disconnect();
          unconnected = outcomeOf(error);
        }
        return false;
      } finally {
        numbering.lock.unlock();
      }
    }

    private Outcome send(boolean isTerminal) {
      try {
        write();
        return SENT;
      } catch (IOException error) {
        var outcome = outcomeOf(error);
        if (outcome == QUEUE_FULL) return outcome;
        if (error instanceof PortUnreachableException) return refused(isTerminal);
        // The observer is gone, perhaps because it was restarted: one new socket, one attempt.
        disconnect();
        unconnected = outcome;
        return connect(isTerminal) ? again() : unconnected;
      }
    }

    /**
     * What was refused is an earlier beat, and the socket is good. A crash beat has no later one
     * that could arrive in its place.
     */
    private Outcome refused(boolean isTerminal) {
      isGreeted = false;
      return isTerminal ? again() : NO_OBSERVER;
    }

    private Outcome again() {
      try {
        buffer.rewind();
        write();
        return SENT;
      } catch (IOException error) {
        return outcomeOf(error);
      }
    }

    private void write() throws IOException {
      if (channel instanceof DatagramChannel datagrams) {
        if (datagrams.write(buffer) == 0) throw new QueueFull();
        return;
      }
      var stream = (SocketChannel) channel;
      if (rest.hasRemaining()) stream.write(rest);
      if (rest.hasRemaining() || stream.write(buffer) == 0) throw new QueueFull();
      if (buffer.hasRemaining()) rest.clear().put(buffer).flip();
    }

    private boolean connect(boolean isAtOnce) {
      var now = System.nanoTime();
      if (now - retryAtNs < 0 && !isAtOnce) return false;
      retryAtNs = now + RECONNECT_NS + ThreadLocalRandom.current().nextLong(RECONNECT_NS / 2);
      try {
        channel = kind.equals("udp") ? connectedDatagrams() : connectedStream();
        isGreeted = false;
        return true;
      } catch (IOException error) {
        unconnected = outcomeOf(error);
        return false;
      }
    }

    private DatagramChannel connectedDatagrams() throws IOException {
      var made = DatagramChannel.open();
      try {
        made.configureBlocking(false);
        made.connect(address);
        return made;
      } catch (IOException error) {
        made.close();
        throw error;
      }
    }

    /** A Unix socket is connected at once or not at all: a full queue of connections is no wait. */
    private SocketChannel connectedStream() throws IOException {
      var made = SocketChannel.open(StandardProtocolFamily.UNIX);
      try {
        made.configureBlocking(false);
        if (!made.connect(address)) throw new QueueFull();
        return made;
      } catch (IOException error) {
        made.close();
        throw error;
      }
    }

    private void disconnect() {
      rest.limit(0);
      if (channel == null) return;
      try {
        channel.close();
      } catch (IOException error) {
        // It is gone all the same.
      }
      channel = null;
    }

    /** Not an error of the system: the kernel took nothing. */
    private static final class QueueFull extends IOException {
      private static final long serialVersionUID = 1;

      @Override
      public synchronized Throwable fillInStackTrace() {
        return this;
      }
    }

    /** Java has no numbers of errors. */
    private Outcome outcomeOf(IOException error) {
      if (error instanceof QueueFull) return QUEUE_FULL;
      var text = String.valueOf(error.getMessage());
      if (text.contains("temporarily unavailable")) return QUEUE_FULL;
      if (text.contains("Permission denied"))
        return failed("EACCES", text + MAY_BEAT);
      if (text.contains("Too many open files")) return failed("EMFILE", text);
      if (text.contains("wrong type for socket")) return failed("EPROTOTYPE", text);
      if (error instanceof PortUnreachableException
          || text.contains("refused")
          || text.contains("No such file")
          || text.contains("Broken pipe")
          || text.contains("Connection reset")
          || error instanceof ConnectException
          || error instanceof ClosedChannelException) return NO_OBSERVER;
      // The texts are in the language of the machine: of another one the file itself says it.
      if (address instanceof UnixDomainSocketAddress unix) {
        if (Files.notExists(unix.getPath())) return NO_OBSERVER;
        if (!Files.isWritable(unix.getPath())) return failed("EACCES", text + MAY_BEAT);
      }
      return failed("error", text);
    }

    private Outcome tell(Outcome outcome) {
      if (outcome == SENT || !isToBeTold(outcome.reason)) return outcome;
      try {
        log.accept(outcome.text + " [" + endpoint + "]");
      } catch (RuntimeException error) {
        // A logger that fails must not end its program here.
      }
      return outcome;
    }

    private boolean isToBeTold(String reason) {
      synchronized (told) {
        var now = System.nanoTime();
        var last = told.get(reason);
        if (last != null && now - last < TELL_AGAIN_NS) return false;
        told.put(reason, now);
        return true;
      }
    }
  }

  /** The 32 bytes of a beat (docs/spec/01-wire.md section 1), ready to be written. */
  static void putFrame(
      ByteBuffer to, int status, int pid, long timestamp, long nonce, int payload) {
    to.clear();
    to.put((byte) 'V').put((byte) 'A').put((byte) 2).put((byte) status);
    to.putInt(pid).putLong(timestamp).putLong(nonce).putInt(payload);
    seal(to);
  }

  /** The 64 bytes of a hello or a bye (docs/spec/01-wire.md section 9), ready to be written. */
  static void putControl(
      ByteBuffer to, byte word, int pid, long nonce, int intervalMs, String name) {
    to.clear();
    to.put((byte) 'V').put((byte) 'C').put((byte) 1).put(word);
    to.putInt(pid).putLong(nonce).putInt(intervalMs);
    to.put(name.getBytes(StandardCharsets.US_ASCII));
    while (to.position() < CONTROL_BYTES - 4) to.put((byte) 0);
    seal(to);
  }

  private static void seal(ByteBuffer frame) {
    var crc = new CRC32C();
    var end = frame.position();
    crc.update(frame.flip());
    frame.limit(end + 4).position(end);
    frame.putInt((int) crc.getValue()).flip();
  }

  private static boolean isName(String name) {
    return name.matches("[A-Za-z0-9_.@:-]{1," + NAME_BYTES + "}")
        && !name.matches("[0-9]+")
        && !name.equals("other");
  }

  private static String defaultPath() {
    var user = userId();
    var own = System.getenv("XDG_RUNTIME_DIR");
    if (user == 0) return "/run/varta/stream.sock";
    if (own != null && own.startsWith("/")) return own + "/varta/stream.sock";
    var temporary = System.getenv("TMPDIR");
    var base = temporary != null && temporary.startsWith("/") ? temporary : "/tmp";
    return base + "/varta-" + user + "/stream.sock";
  }

  private static int userId() {
    try {
      return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    } catch (IOException | RuntimeException error) {
      return 0;
    }
  }

  private static Outcome dropped(String reason, String text) {
    return new Outcome(Kind.DROPPED, reason, "Beat dropped: " + text);
  }

  private static Outcome failed(String reason, String text) {
    return new Outcome(Kind.FAILED, reason, "cannot send beat: " + text);
  }
}
