"""The PostgreSQL server: WSAEventSelect on every socket in turn, one event per wait, FD_CLOSE told
once, sockets handed from the postmaster to each backend (WSADuplicateSocket), overlapped WSASend and
WSARecv made synchronous. The clients are on the Linux side."""

import concurrent.futures
import contextlib
import hashlib
import subprocess
import threading
import time

from harness import peers
from harness.payload import payload
from harness.postgres_client import Connection, PostgresError
from harness.report import CaseFailed, expect, expect_equal
from harness.wine import PATIENCE, Wine, windows_path
from ws2lib.fetch import POSTGRES, unpacked_npm

CASES = [
    "answers_queries_with_the_expected_dll",
    "many_clients_at_once",
    "eight_clients_read_and_read",
    "large_copy_both_ways",
    "notifications_reach_a_waiting_client",
    "cancel_request_ends_a_query",
    "dropped_connection_ends_its_backend",
    "fast_shutdown_ends_waiting_clients",
]


def prepare(wine: Wine) -> dict:
    suite = _Suite(wine, unpacked_npm(POSTGRES) / "native" / "bin")
    return {name: getattr(suite, name) for name in CASES}


class _Suite:
    """One data folder and one running server for all the cases; the last case stops it."""

    def __init__(self, wine: Wine, folder):
        self.wine = wine
        self.folder = folder
        self.data = wine.scratch / "pgdata"
        self.log = wine.scratch / "postgres.log"
        self.port = peers.closed_port()
        self._run("initdb.exe", "-D", windows_path(self.data), "-U", "postgres", "-A", "trust",
                  "-E", "UTF8", "--no-locale", "--no-sync")
        wine.at_end(self._stop_at_once)
        self._start()

    def _stop_at_once(self) -> None:
        if (self.data / "postmaster.pid").exists():
            self._stop("immediate")

    def _stop(self, mode: str) -> None:
        self._run("pg_ctl.exe", "-D", windows_path(self.data), "-m", mode, "-w", "-t", str(PATIENCE),
                  "stop")

    def _run(self, name: str, *args) -> subprocess.CompletedProcess:
        """The helper programs start the server without rights it refuses to run with."""
        with open(self.wine.scratch / f"{name}.log", "wb") as log:
            result = subprocess.run(
                [self.wine.command, str(self.folder / name), *args], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=self.wine.environment({"WINEDEBUG": "-all,+pid,+loaddll"}),
                timeout=4 * PATIENCE, cwd=self.wine.scratch)
        if result.returncode != 0:
            text = (self.wine.scratch / f"{name}.log").read_text(errors="replace")
            raise RuntimeError(f"{name} failed: {text[-2000:]}")
        return result

    def _start(self) -> None:
        self._run("pg_ctl.exe", "-D", windows_path(self.data), "-l", windows_path(self.log), "-w",
                  "-t", str(PATIENCE), "-o", f"-p {self.port} -h 127.0.0.1 -F", "start")

    def _connect(self) -> Connection:
        return Connection(self.port, PATIENCE)

    def answers_queries_with_the_expected_dll(self):
        with self._connect() as session:
            expect_equal(session.query("SELECT g, md5(g::text) FROM generate_series(1, 3) g"),
                         [("1", "c4ca4238a0b923820dcc509a6f75849b"),
                          ("2", "c81e728d9d4c2f636f067f89cc14862c"),
                          ("3", "eccbc87e4b5ce2fe28308fd9f2a7baf3")], "rows")
            try:
                session.query("SELECT 1/0")
                raise CaseFailed("a division by zero succeeded")
            except PostgresError as error:
                expect(str(error).startswith("22012"), f"the error is {error}")
        # Every server process writes to what pg_ctl was given as standard error.
        self.wine.check_trace((self.wine.scratch / "pg_ctl.exe.log").read_text(errors="replace"),
                              "postgres.exe")

    def many_clients_at_once(self):
        clients, rounds = 12, 10
        with self._connect() as session:
            session.query("DROP TABLE IF EXISTS tally")
            session.query("CREATE TABLE tally (client int, round int, body text)")

        def work(client: int) -> None:
            with self._connect() as session:
                for number in range(rounds):
                    body = f"client {client} round {number} " + "x" * (number * 500)
                    session.query(f"INSERT INTO tally VALUES ({client}, {number}, '{body}')")
                    expect_equal(session.query(f"SELECT body FROM tally WHERE client = {client} "
                                               f"AND round = {number}"), [(body,)], "the row")

        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            list(pool.map(work, range(clients)))
        with self._connect() as session:
            expect_equal(session.query("SELECT count(*), count(DISTINCT client) FROM tally"),
                         [(str(clients * rounds), str(clients))], "the tally")

    def eight_clients_read_and_read(self):
        """A read-only load: each client as fast as it is answered."""
        clients, rounds, rows = 8, 400, 1000
        with self._connect() as session:
            session.query("DROP TABLE IF EXISTS facts")
            session.query(f"CREATE TABLE facts AS SELECT g AS number, md5(g::text) AS body "
                          f"FROM generate_series(0, {rows - 1}) g")
            session.query("CREATE UNIQUE INDEX ON facts (number)")
        bodies = [hashlib.md5(str(number).encode()).hexdigest() for number in range(rows)]

        def work(client: int) -> None:
            with self._connect() as session:
                for turn in range(rounds):
                    number = (client * 131 + turn * 7) % rows
                    expect_equal(session.query(f"SELECT body FROM facts WHERE number = {number}"),
                                 [(bodies[number],)], "the row")

        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            list(pool.map(work, range(clients)))

    def large_copy_both_ways(self):
        text = payload("copy", 1_500_000).hex().encode()
        lines = b"".join(b"%d\t%s\n" % (number, text[at:at + 1000])
                         for number, at in enumerate(range(0, len(text), 1000)))
        with self._connect() as session:
            session.query("DROP TABLE IF EXISTS big")
            session.query("CREATE TABLE big (number int, body text)")
            session.copy_in("COPY big FROM STDIN", lines)
            copied = session.copy_out("COPY (SELECT * FROM big ORDER BY number) TO STDOUT")
        expect(copied == lines, f"{len(copied)} bytes came back for {len(lines)}, or others")

    def notifications_reach_a_waiting_client(self):
        with self._connect() as listener, self._connect() as sender:
            listener.query("LISTEN news")
            for number in range(5):
                sender.query(f"NOTIFY news, 'item {number}'")
                expect_equal(listener.wait_for_notification(), ("news", f"item {number}"), "notification")

    def cancel_request_ends_a_query(self):
        with self._connect() as session, self._connect() as watcher:
            outcome = []

            def sleep():
                try:
                    session.query("SELECT pg_sleep(3600)")
                except PostgresError as error:
                    outcome.append(str(error)[:5])

            thread = threading.Thread(target=sleep)
            thread.start()
            self._wait_for_count(watcher, "wait_event = 'PgSleep'", 1)
            session.cancel()
            thread.join(PATIENCE)
            expect_equal(outcome, ["57014"], "the outcome of the query")
            expect_equal(session.query("SELECT 'alive'"), [("alive",)], "the next query")

    def dropped_connection_ends_its_backend(self):
        with self._connect() as watcher:
            for _ in range(3):
                session = self._connect()
                session.query("SET application_name = 'doomed'")
                self._wait_for_count(watcher, "application_name = 'doomed'", 1)
                session.drop()
                self._wait_for_count(watcher, "application_name = 'doomed'", 0)

    @staticmethod
    def _wait_for_count(watcher: Connection, condition: str, count: int) -> None:
        deadline = time.monotonic() + PATIENCE
        question = f"SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND {condition}"
        while watcher.query(question) != [(str(count),)]:
            expect(time.monotonic() < deadline, f"never {count} backends with {condition}")
            time.sleep(0.05)

    def fast_shutdown_ends_waiting_clients(self):
        with contextlib.ExitStack() as stack:
            sessions = [self._connect() for _ in range(4)]
            for session in sessions:
                stack.callback(session.drop)
            self._stop("fast")
            for session in sessions:
                try:
                    session.query("SELECT 1")
                    raise CaseFailed("a query succeeded after the server ended")
                except (PostgresError, OSError) as error:
                    if isinstance(error, PostgresError) and "closed" not in str(error):
                        expect(str(error).startswith("57P01"), f"the error is {error}")
        expect("database system is shut down" in self.log.read_text(errors="replace"),
               "the server did not log its shutdown")
