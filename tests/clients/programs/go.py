"""Go's net and net/http over TCP and UDP (scripts/network.go), with many goroutines: AcceptEx, ConnectEx,
WSARecv, WSASend, WSARecvFrom and WSASendTo on a completion port that several threads serve, reads that a
deadline cancels. The other end is the same program, for Windows or for this machine."""

from harness.go_program import GoProgram
from harness.report import expect_equal
from harness.wine import Wine

CASES = ["two_windows_programs_echo", "a_native_client_is_served", "a_native_server_serves", "http_goes_both_ways",
         "datagrams_come_back", "deadlines_lose_no_byte", "ipv6_echoes"]

_ANY = "127.0.0.1:0"
# Of each client: how many at a time, and bytes.
_ECHO = ("150", "200000")
_HURRY = ("40", "20000")
_GET = ("32", "100000")
_ASK = ("32", "1400")


def prepare(wine: Wine) -> dict:
    go = GoProgram(wine)

    def serve_and_run(server: tuple, client: tuple, run, result: str) -> None:
        program, address = go.serve(*server)
        expect_equal(run(client[0], server[1], address, *client[1:]), result, "the client")
        go.end(program)

    def be_served_natively(server: tuple, client: tuple, result: str) -> None:
        with go.native_server(*server) as native:
            expect_equal(go.run(client[0], server[1], native.address, *client[1:]), result, "the client")

    echoed = "verified 30000000"
    answered = "verified 6400"  # datagrams
    got = "verified 32000000"

    def two_windows_programs_echo():
        serve_and_run(("echo", "tcp", _ANY), ("dial", *_ECHO), go.run, echoed)

    def a_native_client_is_served():
        serve_and_run(("echo", "tcp", _ANY), ("dial", *_ECHO), go.run_native, echoed)

    def a_native_server_serves():
        be_served_natively(("echo", "tcp", _ANY), ("dial", *_ECHO), echoed)

    def http_goes_both_ways():
        serve_and_run(("serve", "tcp", _ANY), ("get", *_GET), go.run_native, got)
        be_served_natively(("serve", "tcp", _ANY), ("get", *_GET), got)

    def datagrams_come_back():
        serve_and_run(("answer", "udp", _ANY), ("ask", *_ASK), go.run, answered)
        be_served_natively(("answer", "udp", _ANY), ("ask", *_ASK), answered)

    def deadlines_lose_no_byte():
        serve_and_run(("echo", "tcp", _ANY), ("hurry", *_HURRY), go.run, "verified 800000")

    def ipv6_echoes():
        serve_and_run(("echo", "tcp6", "[::1]:0"), ("dial", "8", "100000"), go.run, "verified 800000")

    functions = (two_windows_programs_echo, a_native_client_is_served, a_native_server_serves, http_goes_both_ways,
                 datagrams_come_back, deadlines_lose_no_byte, ipv6_echoes)
    return {function.__name__: function for function in functions}
