#!/usr/bin/python3
"""Runs eBPF tools of Debian in a guest, one after the other, and writes JUnit to out/.

Each one is started with the arguments of TOOLS. While it runs, its activity is done again and again: until the tool
has written what must be seen, ended, or had its time. Then it is interrupted, as with Ctrl-C, and must end well.
Arguments: names or patterns of tools, or names of groups.
"""

from __future__ import annotations

import contextlib
import fnmatch
import mmap
import os
import pty
import re
import resource
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SECONDS = 30
"""How long a tool may take to show what must be seen."""
END_SECONDS = 40
"""How long it may take to end once it is interrupted."""
DISK, DISK_FILE = "/mnt", "/root/disk.img"
"""Where the ext4 file system of the group `disk` is mounted."""
GROUPS = "/tmp/groups"
"""Where the control groups are mounted."""
MOST_CHARACTERS = 3000


def files() -> None:
    """Make, write, look at, read, rename and remove a file, and have it written to its device."""
    name = "/tmp/bpfmatrix-file"
    with open(name, "w") as file:
        file.write("x" * 5000)
        file.flush()
        os.fsync(file.fileno())
    os.stat(name)
    os.statvfs(name)  # bpftrace's statsnoop knows no newfstatat(2), which stat(3) is now
    with open(name) as file:
        file.read()
    os.rename(name, f"{name}-2")
    os.remove(f"{name}-2")


def syncs() -> None:
    """Write all file systems to their devices."""
    os.sync()


def processes() -> None:
    """Run a command to its end."""
    subprocess.run(["/usr/bin/busybox", "true"], check=False)


def failing_process() -> None:
    """Run a command that ends with a signal."""
    child = subprocess.Popen(["/usr/bin/busybox", "sleep", "100"])
    os.kill(child.pid, signal.SIGTERM)
    child.wait()


def connections() -> None:
    """Connect over TCP on the loopback device, send a little there and back, and close."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.socket() as client:
            client.connect(server.getsockname())
            other = server.accept()[0]
            with other:
                for data in (b"a" * 2000, b"b" * 2000):
                    client.sendall(data)
                    other.recv(4096)
                    other.sendall(data)
                    client.recv(4096)


def names() -> None:
    """Look up the address of a name; whether there is one does not matter."""
    with contextlib.suppress(OSError):
        socket.getaddrinfo(b"localhost", 80)


def privileges() -> None:
    """Do what asks for a capability."""
    os.chroot("/")
    os.setpriority(os.PRIO_PROCESS, 0, -1)


def mounts() -> None:
    """Mount a file system, and unmount it."""
    os.makedirs("/tmp/mounted", exist_ok=True)
    subprocess.run(["/usr/bin/busybox", "mount", "-t", "tmpfs", "none", "/tmp/mounted"], check=False)
    subprocess.run(["/usr/bin/busybox", "umount", "/tmp/mounted"], check=False)


def locks() -> None:
    """Let threads wait for each other."""
    lock = threading.Lock()

    def contend() -> None:
        for _ in range(3):
            with lock:
                time.sleep(0.002)

    threads = [threading.Thread(target=contend) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def work() -> None:
    """Keep the processor busy for a moment, with more than one process that could run."""
    child = subprocess.Popen(["/usr/bin/busybox", "sh", "-c", "i=0; while [ $i -lt 300 ]; do i=$((i+1)); done"])
    sum(range(100_000))
    child.wait()


def memory() -> None:
    """Take pages of memory, and give them back."""
    with mmap.mmap(-1, 4 << 20) as pages:
        for place in range(0, len(pages), 4096):
            pages[place] = 1


def shell() -> None:
    """Type a line into an interactive bash."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv("/usr/bin/bash", ["bash", "--norc", "-i"])
    try:
        os.write(terminal, b"echo from-bash\nexit\n")
        while os.read(terminal, 4096):
            pass
    except OSError:
        pass
    os.close(terminal)
    os.waitpid(pid, 0)


def disk() -> None:
    """Write to a disk and read from it."""
    name = f"{DISK}/file"
    with open(name, "wb") as file:
        file.write(os.urandom(32 << 10))
        file.flush()
        os.fsync(file.fileno())
    fd = os.open(name, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    while os.read(fd, 16384):
        pass
    os.lseek(fd, 0, os.SEEK_SET)
    while os.read(fd, 16384):  # from memory, this time
        pass
    os.close(fd)


def kill_for_memory() -> None:
    """Let the kernel kill a process that takes more memory than its group may have."""
    group = f"{GROUPS}/small"
    if not os.path.isdir(GROUPS):
        os.makedirs(GROUPS)
        subprocess.run(["/usr/bin/busybox", "mount", "-t", "cgroup2", "none", GROUPS], check=True)
        put(f"{GROUPS}/cgroup.subtree_control", "+memory")
    os.makedirs(group, exist_ok=True)
    put(f"{group}/memory.max", "8M")
    take = f"echo $$ > {group}/cgroup.procs; exec /usr/bin/busybox dd if=/dev/zero of=/dev/null bs=64M count=1"
    subprocess.run(["/usr/bin/busybox", "sh", "-c", take], stderr=subprocess.DEVNULL, check=False)


def put(name: str, text: str) -> None:
    """Write to a file of the kernel."""
    with open(name, "w") as file:
        file.write(text)


def nothing() -> None:
    """Do nothing: what the tool shows is always there."""


@dataclass(frozen=True)
class Tool:
    """A tool: its arguments, what its output must match, and what makes it write that.

    Those of libbpf-tools are called NAME-libbpf; of others `args` are the whole command. `group` is what the guest must
    have for it. Without `seen` it must only run for a while and end well.
    """

    name: str
    args: str
    seen: str
    activity: Callable[[], None]
    group: str = "system"
    seconds: float = SECONDS

    @property
    def argv(self) -> list[str]:
        """Its command."""
        own = [f"{self.name}-libbpf"] if self.group in LIBBPF_TOOLS else []
        return [*own, *shlex.split(self.args)]


LIBBPF_TOOLS = ("system", "disk")
"""The groups of libbpf-tools."""
VETH = "/usr/sbin/ip link add veth0 type veth peer name veth1 && /usr/sbin/ip link set veth0 up"
"""In busybox's shell `ip` is its own, which makes no pairs."""
HISTOGRAM = r"\|\*+"
"""A bar of a histogram that is not empty."""
STARTED = ""
"""Of what does not happen in a guest: it must only start, and end when it is interrupted."""

TOOLS = (
    Tool("bashreadline", "", r"from-bash", shell),
    Tool("bindsnoop", "", r"suite\.py", connections),
    Tool("biolatency", "1 5", HISTOGRAM, disk, "disk"),
    Tool("biopattern", "1 5", r"loop\d", disk, "disk"),
    Tool("biosnoop", "", r"loop\d", disk, "disk"),
    Tool("biostacks", "3", HISTOGRAM, disk, "disk"),
    Tool("biotop", "-C 1 5", r"loop\d", disk, "disk"),
    Tool("bitesize", "1 5", HISTOGRAM, disk, "disk"),
    Tool("cachestat", "1 5", r"(?m)^ *[1-9]\d* +\d+ +\d+", disk, "disk"),
    Tool("capable", "", r"CAP_SYS_CHROOT", privileges),
    Tool("cpudist", "1 5", HISTOGRAM, work),
    Tool("cpufreq", "-d 2", STARTED, work),
    Tool("drsnoop", "-d 2", STARTED, memory),
    Tool("execsnoop", "", r"busybox", processes),
    Tool("exitsnoop", "", r"busybox", processes),
    Tool("filelife", "", r"bpfmatrix-file", files),
    Tool("filetop", "-C 1 5", r"bpfmatrix-fil|suite", files),
    Tool("fsdist", "-t ext4 1 5", HISTOGRAM, disk, "disk"),
    Tool("fsslower", "-t ext4 -m 0", r"suite\.py", disk, "disk"),
    Tool("funclatency", "-d 2 vfs_read", HISTOGRAM, files),
    Tool("futexctn", "1 5", HISTOGRAM, locks),
    Tool("gethostlatency", "", r"localhost", names),
    Tool("hardirqs", "1 5", r"(?m)^\S+ +[1-9]\d*$", files),
    Tool("klockstat", "-d 2", r"suite\.py|busybox|[1-9]\d* +\S+ +\S+", files, seconds=120),
    Tool("ksnoop", "trace vfs_unlink", r"vfs_unlink", files),
    Tool("llcstat", "2", r"(?m)^\d+ ", work),
    Tool("mdflush", "", STARTED, nothing, "disk"),
    Tool("memleak", "1 2", r"bytes in \d+ allocations", memory),
    Tool("mountsnoop", "", r"mount\(", mounts),
    Tool("numamove", "", STARTED, nothing),
    Tool("offcputime", "2", r"(?m)^\s+\d+$", locks),
    Tool("oomkill", "", r"Triggered by PID", kill_for_memory),
    Tool("opensnoop", "", r"bpfmatrix-file", files),
    Tool("profile", "2", r"(?m)^\s+\d+$", work, seconds=120),
    Tool("readahead", "-d 3", r"pages", disk, "disk"),
    Tool("runqlat", "1 5", HISTOGRAM, work),
    Tool("runqlen", "1 5", HISTOGRAM, work),
    Tool("runqslower", "1", r"busybox|suite|sh", work),
    Tool("sigsnoop", "", r"suite\.py", failing_process),
    Tool("slabratetop", "-C 1 5", r"(?m)^\S+ +[1-9]\d* +\d+$", files),
    Tool("softirqs", "1 5", r"(?m)^\S+ +[1-9]\d*$", connections),
    Tool("solisten", "", r"suite\.py", connections),
    Tool("statsnoop", "", r"bpfmatrix-file", files),
    Tool("syncsnoop", "", r"sync", syncs),
    Tool("syscount", "-i 1 -d 5", r"(?m)^\S+ +[1-9]\d*$", files),
    Tool("tcpconnect", "", r"127\.0\.0\.1", connections),
    Tool("tcpconnlat", "", r"127\.0\.0\.1", connections),
    Tool("tcplife", "", r"127\.0\.0\.1", connections),
    Tool("tcppktlat", "", r"127\.0\.0\.1", connections),
    Tool("tcprtt", "-i 1 -d 5", HISTOGRAM, connections),
    Tool("tcpstates", "", r"127\.0\.0\.1", connections),
    Tool("tcpsynbl", "1 5", HISTOGRAM, connections),
    Tool("tcptop", "-C 1 5", r"127\.0\.0\.1", connections),
    Tool("tcptracer", "", r"127\.0\.0\.1", connections),
    Tool("vfsstat", "1 5", r"(?m)^[\d:]+ +[\d ]*[1-9]", files),
    Tool("wakeuptime", "2", r"(?m)^\s+\d+$", locks),
    # bpftrace
    Tool("capable.bt", "capable.bt", r"CAP_SYS_CHROOT", privileges, "bpftrace", 120),
    Tool("cpuwalk.bt", "cpuwalk.bt", r"Sampling", work, "bpftrace", 120),
    Tool("execsnoop.bt", "execsnoop.bt", r"busybox", processes, "bpftrace", 120),
    Tool("killsnoop.bt", "killsnoop.bt", r"suite", failing_process, "bpftrace", 120),
    Tool("opensnoop.bt", "opensnoop.bt", r"bpfmatrix-file", files, "bpftrace", 120),
    Tool("pidpersec.bt", "pidpersec.bt", r"PIDs/sec: @: [1-9]", processes, "bpftrace", 120),
    Tool("runqlat.bt", "runqlat.bt", r"Tracing", work, "bpftrace", 120),
    Tool("statsnoop.bt", "statsnoop.bt", r"bpfmatrix-file", files, "bpftrace", 120),
    Tool("syncsnoop.bt", "syncsnoop.bt", r"suite", syncs, "bpftrace", 120),
    Tool("tcpconnect.bt", "tcpconnect.bt", r"127\.0\.0\.1", connections, "bpftrace", 120),
    Tool("vfscount.bt", "vfscount.bt", r"Tracing", files, "bpftrace", 120),
    # bpftool, xdp-tools
    Tool("bpftool-prog", "sh -c 'bpftool prog && echo done'", r"done", nothing, "bpftool"),
    Tool("bpftool-feature", "bpftool feature probe", r"bpf_syscall|eBPF helpers", nothing, "bpftool", 120),
    Tool(
        "bpftool-load",
        "sh -c 'bpftool prog load object.o /sys/fs/bpf/mine && bpftool prog show pinned /sys/fs/bpf/mine'",
        r"jited",
        nothing,
        "bpftool",
    ),
    Tool(
        "bpftool-btf", "bpftool btf dump file /sys/kernel/btf/vmlinux", r"STRUCT 'task_struct'", nothing, "bpftool", 120
    ),
    Tool("xdp-filter", f"sh -c '{VETH} && xdp-filter load veth0 -m skb && xdp-filter status'", "veth0", nothing, "xdp"),
    Tool(
        "xdp-loader", "sh -c 'xdp-loader status veth0 && xdp-loader unload veth0 --all'", "xdpfilt|xdp", nothing, "xdp"
    ),
    Tool("xdp-monitor", "xdp-monitor", STARTED, nothing, "xdp"),
)

NOT_TRIED = {"javagc": "it needs a Java virtual machine"}


@dataclass(frozen=True)
class Ran:
    """How a tool ran: what is wrong with that, "" where nothing is; how long it took; what it wrote."""

    wrong: str
    seconds: float
    output: str


def run(tool: Tool) -> Ran:
    """Run one tool with its activity, and judge what it did."""
    begun, where = time.monotonic(), ""
    argv = tool.argv
    with tempfile.TemporaryFile() as file:
        process = subprocess.Popen(["stdbuf", "-oL", *argv], stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        seconds = 4 if tool.seen == STARTED else tool.seconds
        while process.poll() is None and time.monotonic() - begun < seconds:
            tool.activity()
            time.sleep(0.05)
            if tool.seen and re.search(tool.seen, written(file)):
                break
        ended = process.poll()
        if ended is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                where = waits_in(process.pid)
                process.kill()
                process.wait()
        output = written(file)
    wrong = ""
    if ended is None and process.returncode == -signal.SIGKILL:
        wrong = f"it did not end {END_SECONDS} seconds after SIGINT: {where}"
    elif process.returncode not in (0, -signal.SIGINT):
        wrong = f"it ended with {process.returncode}: {last_lines(output)}"
    elif tool.seen and not re.search(tool.seen, output):
        wrong = f"it did not show {tool.seen}: {last_lines(output)}"
    return Ran(wrong, time.monotonic() - begun, output)


def written(file: object) -> str:
    """Return what a tool has written until now."""
    fd = file.fileno()  # type: ignore[attr-defined]
    return os.pread(fd, 16 << 20, 0).decode(errors="replace")


def waits_in(pid: int) -> str:
    """Return in which functions of the kernel a process waits."""
    with open(f"/proc/{pid}/stack") as file:
        return " < ".join(line.split()[-1].partition("+")[0] for line in file)


def last_lines(text: str) -> str:
    """Return the end of an output in one line."""
    return " | ".join(line.strip() for line in text.splitlines() if line.strip())[-400:]


def make_disk() -> None:
    """Make an ext4 file system on a loop device, and mount it."""
    os.makedirs(DISK, exist_ok=True)
    with open(DISK_FILE, "wb") as file:
        file.truncate(16 << 20)
    for command in (f"mke2fs -q -t ext4 -O ^has_journal {DISK_FILE}", f"busybox mount -o loop {DISK_FILE} {DISK}"):
        subprocess.run(command.split(), check=True)


def chosen(patterns: Sequence[str]) -> list[Tool]:
    """Return the tools whose name or group is among some patterns."""
    return [
        tool for tool in TOOLS if tool.group in patterns or any(fnmatch.fnmatch(tool.name, each) for each in patterns)
    ]


def main(patterns: Sequence[str]) -> int:
    """Run tools, write JUnit, and return the exit code: always 0, since the test cases say what failed."""
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    tools = chosen(patterns)
    if any(tool.group == "disk" for tool in tools):
        make_disk()
    cases = []
    for tool in tools:
        ran = run(tool)
        print(f"{tool.name} {tool.args}: {ran.wrong or 'ok'} ({ran.seconds:.1f} s)", flush=True)
        failure = f'<failure message="{escaped(ran.wrong)}"/>' if ran.wrong else ""
        output = f"<system-out>{escaped(ran.output[-MOST_CHARACTERS:])}</system-out>"
        cases.append(f'<testcase name="{tool.name}" time="{ran.seconds:.3f}">{failure}{output}</testcase>')
    cases += [
        f'<testcase name="{name}"><skipped message="{escaped(why)}"/></testcase>'
        for name, why in NOT_TRIED.items()
        if "system" in patterns or any(fnmatch.fnmatch(name, each) for each in patterns)
    ]
    os.makedirs("out", exist_ok=True)
    with open("out/tools.xml", "w") as file:
        file.write("\n".join(['<testsuite name="tools">', *cases, "</testsuite>\n"]))
    return 0


def escaped(text: str) -> str:
    """Return a text as it may be in XML; the guest's Python has no module for that."""
    text = re.sub(r"[^\t\n\x20-\ud7ff]", "?", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
