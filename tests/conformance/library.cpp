// The DLL as a module: what it keeps open of a process that loads, uses and frees it.

#include "open_handles.h"
#include "sockets.h"

#include <atomic>

using namespace conformance;

namespace {

/// A copy of the library under another name: a module that this program does not hold, so that
/// freeing it unloads it.
class Copy {
public:
    /// Makes the file, which is deleted with the case.
    void make()
    {
        wchar_t original[MAX_PATH];
        wchar_t folder[MAX_PATH];
        assert_true(GetModuleFileNameW(GetModuleHandleW(L"ws2_32.dll"), original, MAX_PATH));
        assert_true(GetTempPathW(MAX_PATH, folder));
        assert_true(GetTempFileNameW(folder, L"ws2", 0, m_path));
        assert_true(CopyFileW(original, m_path, FALSE));
        const HANDLE file
            = CreateFileW(m_path, DELETE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                nullptr, OPEN_EXISTING, FILE_FLAG_DELETE_ON_CLOSE, nullptr);
        assert_true(file != INVALID_HANDLE_VALUE);
        owned(file);
    }
    /// False: the system loads it under its own name only.
    bool load()
    {
        m_module = LoadLibraryExW(m_path, nullptr, LOAD_WITH_ALTERED_SEARCH_PATH);
        return m_module && take(startup, "WSAStartup") && take(cleanup, "WSACleanup")
            && take(open, "socket") && take(select, "select") && take(find_service, "getservbyname")
            && take(find_host, "gethostbyname");
    }
    /// Fails the case when it stays loaded.
    void unload()
    {
        assert_true(FreeLibrary(m_module));
        assert_null(GetModuleHandleW(m_path));
    }

    decltype(&::WSAStartup) startup;
    decltype(&::WSACleanup) cleanup;
    decltype(&::socket) open;
    decltype(&::select) select;
    decltype(&::getservbyname) find_service;
    decltype(&::gethostbyname) find_host;

private:
    template <typename Function> bool take(Function& function, const char* name)
    {
        function
            = reinterpret_cast<Function>(reinterpret_cast<void*>(GetProcAddress(m_module, name)));
        return function != nullptr;
    }

    wchar_t m_path[MAX_PATH] = {};
    HMODULE m_module = nullptr;
};

/// A select that waits, and the tables of names: what a library opens for the process and the
/// thread. Asserts nothing, for any thread may call it. Returns the number of calls that failed.
int use(const Copy& copy, SOCKET socket)
{
    fd_set sockets = {};
    FD_SET(socket, &sockets);
    timeval moment = { 0, 1000 };
    return (copy.select(0, &sockets, nullptr, nullptr, &moment) != 0)
        + !copy.find_service("http", "tcp") + !copy.find_host("127.0.0.1");
}

/// A thread that uses the library in each round, and outlives it each time.
struct Other {
    Copy copy;
    SOCKET socket;
    HANDLE begin; // auto-reset events
    HANDLE end;
    std::atomic<bool> is_last;
    std::atomic<int> failures;
};

long long run_other(Other& other)
{
    while (WaitForSingleObject(other.begin, kHangLimit) == WAIT_OBJECT_0 && !other.is_last) {
        other.failures += use(other.copy, other.socket);
        SetEvent(other.end);
    }
    return other.is_last;
}

void run_round(Other& other)
{
    Copy& copy = other.copy;
    assert_true(copy.load());
    WSADATA data;
    assert_int_equal(copy.startup(MAKEWORD(2, 2), &data), 0);
    other.socket = copy.open(AF_INET, SOCK_DGRAM, 0);
    assert_true(other.socket != INVALID_SOCKET);
    assert_int_equal(use(copy, other.socket), 0);
    SetEvent(other.begin);
    assert_becomes_signaled(other.end);
    assert_int_equal(copy.cleanup(), 0);
    copy.unload();
}

void a_freed_library_leaves_nothing_open(void**) // [WSAStartup/12]
{
    auto& other = *lasting<Other>();
    other.copy.make();
    if (!other.copy.load())
        skip();
    other.copy.unload();
    other.begin = new_auto_event();
    other.end = new_auto_event();
    Background* thread = run_in_background([&other] { return run_other(other); });

    assert_rounds_leave_nothing_open([&other] { run_round(other); });

    other.is_last = true;
    SetEvent(other.begin);
    assert_int_equal(join(thread).value, true);
    assert_int_equal(other.failures, 0);
}

void start_use_and_end_winsock()
{
    const HMODULE module = LoadLibraryW(L"ws2_32.dll");
    WSADATA data;
    assert_int_equal(WSAStartup(MAKEWORD(2, 2), &data), 0);
    const TcpPair pair = new_tcp_pair();
    const WSAEVENT event = new_event();
    assert_wsa_ok(WSAEventSelect(pair.server, event, FD_READ | FD_CLOSE));
    send_text(pair.client, "x");
    assert_becomes_signaled(event);
    disown(pair.client);
    disown(pair.server);
    assert_wsa_ok(WSACleanup());
    close_owned(event);
    assert_true(FreeLibrary(module));
}

void an_ended_winsock_leaves_nothing_open(void**) // [WSACleanup/6]
{
    assert_rounds_leave_nothing_open(start_use_and_end_winsock);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_freed_library_leaves_nothing_open),
    cmocka_unit_test(an_ended_winsock_leaves_nothing_open),
};

} // namespace

CONFORMANCE_GROUP_NOT_STARTED(library, kCases);
