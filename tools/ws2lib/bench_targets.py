"""What `ws2 bench` measures against: how much faster each workload is to be, and how many requests to
Wine's server a call may cost on ntke."""

from dataclasses import dataclass

from .bench_report import APART, aligned, ratio, ratio_range

# Requests per call on a socket in a fast state. Nothing may cost more than on the builtin anyway.
MOST_REQUESTS = {
    **dict.fromkeys((
        "send", "send (accepted)", "recv", "recv (accepted)", "recv (would block)", "sendto", "recvfrom",
        "select", "select (64 sockets)", "WSAPoll", "WSAPoll (64 sockets)", "ioctlsocket FIONREAD",
        "getsockname", "getsockname (accepted)", "getpeername", "getpeername (accepted)",
        "RIOReceive, RIOSend (polled)", "RIOSend (a batch of 4)", "ProcessSocketNotifications (ready)",
        "AcceptEx", "setsockopt SO_UPDATE_ACCEPT_CONTEXT", "receive, send (port)", "send, receive (port)",
        "receive, send (port, skip)", "send, receive (port, skip)", "post, get (port)",
        "IOCTL_AFD_POLL (ready)",
        "WSAEnumNetworkEvents (no event)", "WSAEnumNetworkEvents (no event, FD_READ)",
        "WSAEnumNetworkEvents (event)", "WSAEnumNetworkEvents (event, FD_READ)", "WSASetEvent", "WSAResetEvent",
        "WSAWaitForMultipleEvents (signaled)", "WSAWaitForMultipleEvents (not signaled)", "SetEvent",
        "ResetEvent", "WaitForSingleObject (signaled)", "WSARecv (overlapped, pending)",
        "WSARecv (overlapped, ready)", "WSASend (overlapped)", "receive, send (events)"), 0),
    "connect": 3,
    "connect to close": 11,
}


@dataclass(frozen=True)
class Target:
    """Our DLL on ntke is to be `factor` times as fast as `base` at `workload`."""
    workload: str
    factor: float
    base: str = "builtin"
    place: str = ""  # where programs and server are to run for it; empty: anywhere


def _both(workload: str, factor: float, share: float) -> tuple[Target, Target]:
    """`factor` times the builtin, and at least this share of what the native program does."""
    return Target(workload, factor), Target(workload, share, base="native")


TARGETS = (
    Target("send_recv_1", 15),
    Target("recv_wouldblock", 30),
    *_both("event_echo_rtt", 5, 0.5),
    Target("event_echo_rtt", 20, place=APART),
    *_both("event_echo_throughput_64", 8, 0.5),
    Target("select_64", 10),
    Target("poll_64", 10),
    Target("udp_pingpong", 15),
    Target("blocking_pingpong", 5),
    Target("event_set", 20),
    Target("event_reset", 20),
    Target("kernel_event_set", 20),
    Target("event_wait_signaled", 15),
    Target("overlapped_event_echo", 8),
    *_both("overlapped_send_recv", 6, 0.6),
    *_both("iocp_echo_rtt", 12, 0.5),
    *_both("iocp_echo_rtt_skip", 12, 0.5),
    *_both("iocp_echo_throughput_64", 12, 0.5),
    *_both("iocp_echo_throughput_64_skip", 12, 0.5),
    *_both("afd_poll_echo_64", 8, 0.4),
    *_both("udp_overlapped_pingpong", 15, 0.5),
    *_both("iocp_bulk_64k", 3, 0.8),
    Target("notification_echo_64", 0.5, base="native"),
    Target("rio_echo_64", 0.5, base="native"),
    Target("rio_udp_pingpong", 0.5, base="native"),
    Target("rio_udp_send_batch_32", 0.7, base="native"),
    Target("rio_udp_receive_batch_32", 0.5, base="native"),
    Target("port_post_get", 20),
    Target("connectex_acceptex_close", 1.5),
    Target("acceptex_iocp", 1.5),
    Target("bulk_64k", 1.5),
    Target("bulk_64k", 0.7, base="native"),
    Target("process_start", 0.9),
    *_both("go_echo_1", 15, 0.5),
    *_both("go_echo_64", 15, 0.5),
    *_both("go_udp", 15, 0.5),
    *_both("go_http_32", 6, 0.6),
    *_both("node_http_32", 4, 0.6),
    *_both("node_echo_64", 4, 0.6),
    Target("postgres_select_8", 1.5),
)


def table(figures: dict) -> str:
    """The targets of the workloads that were measured, with the ratio reached; empty if there is none."""
    workloads = {row["name"]: row for row in figures["workloads"]}
    rows = [["target", "of", "at least", "reached", "(quartiles)", ""]]
    for target in TARGETS:
        row = workloads.get(target.workload)
        reached = ratio(row, "ntke", target.base) if row else None
        if reached is None or target.place not in ("", figures["machine"].get("place")):
            continue
        low, high = ratio_range(row, "ntke", target.base)
        rows.append([target.workload, f"ntke over {target.base}", f"{target.factor:g}x",
                     f"{reached:.3g}x", f"{low:.3g}..{high:.3g}",
                     "" if reached >= target.factor else "missed"])
    return aligned(rows, left=2) if len(rows) > 1 else ""


def too_many_requests(figures: dict, names: dict) -> list[str]:
    """The calls that cost more requests than they may. `names` says which these are, for a run that has
    counted them itself."""
    found = []
    for row in figures["requests"]:
        call = row["call"]
        for name in ("host", "ntke"):
            limits = [(row["builtin"], "as many as on the builtin")] if "builtin" in row else []
            if name == "ntke" and call in MOST_REQUESTS:
                limits.append((MOST_REQUESTS[call], "the most on ntke"))
            if name not in row or not limits:
                continue
            limit, why = min(limits)
            if row[name] > limit:
                which = f": {', '.join(names[call, name])}" if (call, name) in names else ""
                found.append(f"{call} needs {row[name]:g} server requests on {name}, and {limit:g} is {why}"
                             + which)
    return found
