// Memory that runs out: every scenario with its first, second, ... allocation failing, until it
// gets through. Each time the services say so, and nothing is left behind.
#include "ke/pool.h"

#include <pthread.h>

#include "ob/handle_table.h"
#include "sockets.h"
#include "test_file.h"

namespace {

using Scenario = bool (*)();

bool is_out_of_memory(NTSTATUS status)
{
    return status == STATUS_NO_MEMORY || status == STATUS_INSUFFICIENT_RESOURCES;
}

/// True for success; a refusal for want of memory is the only other result a scenario may see.
bool succeeded(NTSTATUS status)
{
    if (!NT_SUCCESS(status))
        assert_true(is_out_of_memory(status));
    return NT_SUCCESS(status);
}

bool create_event()
{
    HANDLE event = nullptr;
    if (!succeeded(NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, kNotificationEvent, FALSE))) {
        assert_null(event);
        return false;
    }
    assert_status(NtClose(event), STATUS_SUCCESS);
    return true;
}

bool create_many_events()
{
    // Enough to need new pages of the handle table.
    constexpr int kCount = 1500;
    static HANDLE events[kCount];
    int made = 0;
    while (made < kCount
        && succeeded(
            NtCreateEvent(&events[made], EVENT_ALL_ACCESS, nullptr, kSynchronizationEvent, TRUE)))
        ++made;
    for (int i = 0; i < made; ++i)
        assert_status(NtClose(events[i]), STATUS_SUCCESS);
    return made == kCount;
}

bool use_a_port()
{
    HANDLE port = nullptr;
    if (!succeeded(NtCreateIoCompletion(&port, GENERIC_ALL, nullptr, 1)))
        return false;
    bool is_complete = true;
    for (ULONG_PTR key = 1; key <= 3; ++key)
        is_complete &= succeeded(NtSetIoCompletion(port, key, key, STATUS_SUCCESS, 0));
    const LARGE_INTEGER now {};
    CompletionPacket packet;
    ULONG removed = 0;
    is_complete &= succeeded(NtRemoveIoCompletionEx(port, &packet, 1, &removed, &now, FALSE));
    assert_status(NtClose(port), STATUS_SUCCESS); // with packets in it
    if (ke::Thread* thread = ke::Thread::current())
        io::CompletionQueue::leave(*thread);
    return is_complete;
}

void NTAPI ignore_apc(PVOID, PVOID, PVOID)
{
}

bool queue_an_apc()
{
    const auto self = reinterpret_cast<HANDLE>(intptr_t { -2 });
    if (!succeeded(
            NtQueueApcThread(self, reinterpret_cast<PVOID>(ignore_apc), nullptr, nullptr, nullptr)))
        return false;
    return succeeded(NtTestAlert());
}

bool duplicate_a_thread()
{
    const auto process = reinterpret_cast<HANDLE>(intptr_t { -1 });
    const auto self = reinterpret_cast<HANDLE>(intptr_t { -2 });
    HANDLE handle = nullptr;
    if (!succeeded(NtDuplicateObject(process, self, process, &handle, 0, 0, DUPLICATE_SAME_ACCESS)))
        return false;
    assert_status(NtClose(handle), STATUS_SUCCESS);
    return true;
}

bool request_and_cancel()
{
    ob::Ref<unit::TestFile> file = unit::TestFile::create();
    if (!file)
        return false;
    HANDLE handle = nullptr;
    if (!succeeded(ob::HandleTable::current().insert(*file, 0, 0, &handle)))
        return false;
    bool is_complete = true;
    IO_STATUS_BLOCK blocks[2];
    for (IO_STATUS_BLOCK& iosb : blocks)
        is_complete &= succeeded(NtDeviceIoControlFile(
            handle, nullptr, nullptr, nullptr, &iosb, unit::kPend, nullptr, 0, nullptr, 0));
    assert_status(NtClose(handle), STATUS_SUCCESS); // cancels what was issued
    return is_complete;
}

/// A request on its way, ended by the scope at the latest.
struct Running {
    HANDLE event = unit::new_event();
    IO_STATUS_BLOCK iosb {};
    NTSTATUS issued = STATUS_NO_MEMORY;

    /// The status it ends with.
    NTSTATUS end()
    {
        if (issued != STATUS_PENDING)
            return issued;
        NtWaitForSingleObject(event, FALSE, nullptr);
        return iosb.Status;
    }
    ~Running()
    {
        if (event)
            NtClose(event);
    }
};

bool accept_into_a_socket()
{
    unit::Name name;
    const HANDLE listener = unit::new_socket();
    const HANDLE acceptor = unit::new_socket();
    const HANDLE client = unit::new_socket();
    bool is_complete = listener && acceptor && client && unit::listen_at(listener, name);
    if (is_complete) {
        afd::AcceptIntoParams params { static_cast<uint32_t>(reinterpret_cast<uintptr_t>(acceptor)),
            4, 32 };
        char output[4 + 2 * 32];
        Running accepting;
        if (accepting.event)
            accepting.issued = NtDeviceIoControlFile(listener, accepting.event, nullptr, nullptr,
                &accepting.iosb, afd::kIoctlAcceptInto, &params, sizeof(params), output,
                sizeof(output));
        is_complete = succeeded(accepting.issued) && unit::connect_to(client, name)
            && succeeded(unit::send_all(client, "data", 4));
        if (!is_complete) {
            IO_STATUS_BLOCK ignored;
            NtCancelIoFileEx(listener, nullptr, &ignored);
        }
        const NTSTATUS status = accepting.end();
        is_complete &= status == STATUS_SUCCESS;
    }
    for (HANDLE socket : { client, acceptor, listener }) {
        if (socket)
            NtClose(socket);
    }
    return is_complete;
}

bool transfer_and_poll()
{
    unit::Name name;
    const HANDLE listener = unit::new_socket();
    const HANDLE client = unit::new_socket();
    bool is_complete
        = listener && client && unit::listen_at(listener, name) && unit::connect_to(client, name);
    const HANDLE server = is_complete ? unit::accept_from(listener) : nullptr;
    is_complete &= server != nullptr;
    if (is_complete) {
        struct {
            afd::PollHeader header;
            afd::PollEntry entry;
        } block { { afd::kPollForever, 1, 0, {} },
            { reinterpret_cast<ULONG_PTR>(server), afd::kPollReceive, 0 } };
        char data[4];
        Running polling;
        Running receiving;
        if (polling.event)
            polling.issued = NtDeviceIoControlFile(server, polling.event, nullptr, nullptr,
                &polling.iosb, afd::kIoctlPoll, &block, sizeof(block), &block, sizeof(block));
        if (receiving.event)
            receiving.issued
                = unit::begin_receive(server, receiving.event, &receiving.iosb, data, sizeof(data));
        is_complete &= succeeded(polling.issued) && succeeded(receiving.issued)
            && succeeded(unit::send_all(client, "data and more", 13));
        if (!is_complete) {
            IO_STATUS_BLOCK ignored;
            NtCancelIoFileEx(server, nullptr, &ignored);
        }
        is_complete &= NT_SUCCESS(receiving.end());
        is_complete &= NT_SUCCESS(polling.end());
        // More than Linux takes at once, on a socket that does not wait.
        static char much[8 << 20];
        unit::Buffer buffer { sizeof(much), much };
        afd::SendMsgParams params {};
        params.count = 1;
        params.buffers = afd::ptr64(&buffer);
        const int32_t on = 1;
        ULONG_PTR sent = 0;
        is_complete = is_complete
            && succeeded(unit::control(client, afd::kIoctlFionbio, &on, sizeof(on)))
            && succeeded(unit::control(
                client, afd::kIoctlSendMsg, &params, sizeof(params), nullptr, 0, &sent))
            && sent == sizeof(much);
    }
    for (HANDLE socket : { server, client, listener }) {
        if (socket)
            NtClose(socket);
    }
    return is_complete;
}

/// A thread's first call makes its thread object, which may fail as well.
template <Scenario scenario> void* run_on_new_thread(void* is_complete)
{
    const LARGE_INTEGER now {};
    const bool has_thread = succeeded(NtDelayExecution(FALSE, &now));
    *static_cast<bool*>(is_complete) = scenario() && has_thread;
    return nullptr;
}

template <Scenario scenario> bool on_new_thread()
{
    bool is_complete = false;
    pthread_t thread;
    assert_int_equal(
        pthread_create(&thread, nullptr, run_on_new_thread<scenario>, &is_complete), 0);
    pthread_join(thread, nullptr);
    return is_complete;
}

template <Scenario scenario> void walk(void**)
{
    scenario(); // what is allocated once and kept: table pages
    const int64_t objects = unit::object_count();
    const int64_t blocks = ke::pool_blocks_in_use();
    for (int64_t failing = 0;; ++failing) {
        assert_true(failing < 10'000); // or the scenario never gets through
        ke::pool_fail_after(failing);
        const bool is_complete = scenario();
        const bool has_failed = ke::pool_failure_happened();
        ke::pool_fail_after(-1);
        assert_int_equal(unit::object_count(), objects);
        assert_int_equal(ke::pool_blocks_in_use(), blocks);
        assert_int_equal(is_complete, !has_failed);
        if (!has_failed)
            break;
    }
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        { "create_event", walk<create_event>, nullptr, nullptr, nullptr },
        { "create_many_events", walk<create_many_events>, nullptr, nullptr, nullptr },
        { "use_a_port", walk<on_new_thread<use_a_port>>, nullptr, nullptr, nullptr },
        { "queue_an_apc", walk<on_new_thread<queue_an_apc>>, nullptr, nullptr, nullptr },
        { "duplicate_a_thread", walk<on_new_thread<duplicate_a_thread>>, nullptr, nullptr,
            nullptr },
        { "request_and_cancel", walk<on_new_thread<request_and_cancel>>, nullptr, nullptr,
            nullptr },
        { "accept_into_a_socket", walk<on_new_thread<accept_into_a_socket>>, nullptr, nullptr,
            nullptr },
        { "transfer_and_poll", walk<on_new_thread<transfer_and_poll>>, nullptr, nullptr, nullptr },
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
