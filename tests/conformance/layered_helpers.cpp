// What layered providers call: tables of handle contexts, APCs, notice of changes (Wah*).

#include "exports.h"

#include <ws2spi.h>

using namespace conformance;

namespace {

/// The beginning of what a provider keeps for a handle.
struct Context {
    HANDLE handle;
    LONG reference_count;
};

using Enumerator = BOOL(WSAAPI*)(void*, Context*);

HANDLE number(ULONG_PTR value)
{
    return reinterpret_cast<HANDLE>(value * 4);
}

struct Table {
    DWORD(WSAAPI* create)(void**);
    DWORD(WSAAPI* destroy)(void*);
    Context*(WSAAPI* insert)(void*, Context*);
    Context*(WSAAPI* reference)(void*, HANDLE);
    DWORD(WSAAPI* remove)(void*, Context*);
    BOOL(WSAAPI* enumerate)(void*, Enumerator, void*);
    void* handle;

    Table()
        : create(export_of<decltype(create)>("WahCreateHandleContextTable"))
        , destroy(export_of<decltype(destroy)>("WahDestroyHandleContextTable"))
        , insert(export_of<decltype(insert)>("WahInsertHandleContext"))
        , reference(export_of<decltype(reference)>("WahReferenceContextByHandle"))
        , remove(export_of<decltype(remove)>("WahRemoveHandleContext"))
        , enumerate(export_of<decltype(enumerate)>("WahEnumerateHandleContexts"))
        , handle(nullptr)
    {
        assert_int_equal(create(&handle), 0);
        assert_non_null(handle);
    }
};

void a_context_is_found_by_its_handle(void**) // [Wah/1], [Wah/2]
{
    Table table;
    constexpr unsigned kCount = 1000;
    auto* contexts = static_cast<Context*>(lasting_memory(kCount * sizeof(Context)));
    for (unsigned i = 0; i < kCount; ++i) {
        contexts[i] = { number(i + 1), 1 };
        assert_ptr_equal(table.insert(table.handle, &contexts[i]), &contexts[i]);
        assert_int_equal(contexts[i].reference_count, 1);
    }
    for (unsigned i = 0; i < kCount; ++i) {
        assert_ptr_equal(table.reference(table.handle, number(i + 1)), &contexts[i]);
        assert_int_equal(contexts[i].reference_count, 2);
    }
    assert_null(table.reference(table.handle, number(kCount + 1)));
    assert_int_equal(table.destroy(table.handle), 0);
    assert_int_equal(table.destroy(table.handle), WSAEINVAL);
    assert_null(table.reference(table.handle, number(1)));
}

void references_of_all_threads_count(void**) // [Wah/2]
{
    const Table table;
    constexpr int kThreads = 4;
    constexpr int kReferences = 5000;
    auto* context = lasting<Context>();
    context->handle = number(1);
    table.insert(table.handle, context);
    Background* threads[kThreads];
    for (Background*& thread : threads) {
        thread = run_in_background([table] {
            long long found = 0;
            for (int i = 0; i < kReferences; ++i)
                found += table.reference(table.handle, number(1)) != nullptr;
            return found;
        });
    }
    for (Background* thread : threads)
        assert_int_equal(join(thread).value, kReferences);
    assert_int_equal(context->reference_count, kThreads * kReferences);
    assert_int_equal(table.destroy(table.handle), 0);
}

void a_new_context_replaces_that_of_its_handle(void**) // [Wah/1], [Wah/3]
{
    Table table;
    auto* contexts = static_cast<Context*>(lasting_memory(2 * sizeof(Context)));
    contexts[0].handle = contexts[1].handle = number(7);
    assert_ptr_equal(table.insert(table.handle, &contexts[0]), &contexts[0]);
    assert_ptr_equal(table.insert(table.handle, &contexts[1]), &contexts[0]);
    assert_ptr_equal(table.reference(table.handle, number(7)), &contexts[1]);
    assert_int_equal(table.remove(table.handle, &contexts[0]), WSAENOTSOCK);
    assert_int_equal(table.remove(table.handle, &contexts[1]), 0);
    assert_int_equal(table.remove(table.handle, &contexts[1]), WSAENOTSOCK);
    assert_null(table.reference(table.handle, number(7)));
    assert_int_equal(table.destroy(table.handle), 0);
}

/// What an enumeration has seen.
struct Walk {
    Table* table;
    unsigned count;
    unsigned limit; // it stops there
};

BOOL WSAAPI remove_each(void* argument, Context* context)
{
    auto* walk = static_cast<Walk*>(argument);
    walk->table->remove(walk->table->handle, context);
    return ++walk->count < walk->limit;
}

void every_context_is_enumerated(void**) // [Wah/4]
{
    Table table;
    constexpr unsigned kCount = 300;
    auto* contexts = static_cast<Context*>(lasting_memory(kCount * sizeof(Context)));
    for (unsigned i = 0; i < kCount; ++i) {
        contexts[i].handle = number(i + 1);
        table.insert(table.handle, &contexts[i]);
    }
    Walk walk = { &table, 0, 10 };
    assert_false(table.enumerate(table.handle, remove_each, &walk));
    assert_int_equal(walk.count, 10);
    walk = { &table, 0, kCount };
    assert_true(table.enumerate(table.handle, remove_each, &walk)); // What the first one left.
    assert_int_equal(walk.count, kCount - 10);
    assert_true(table.enumerate(table.handle, remove_each, &walk));
    assert_int_equal(walk.count, kCount - 10);
    assert_int_equal(table.destroy(table.handle), 0);
}

BOOL WSAAPI end_the_table(void* argument, Context*)
{
    auto* walk = static_cast<Walk*>(argument);
    ++walk->count;
    walk->table->destroy(walk->table->handle);
    return TRUE;
}

void a_table_that_is_ended_shows_no_more(void**) // [Wah/10]
{
    Table table;
    auto* contexts = static_cast<Context*>(lasting_memory(2 * sizeof(Context)));
    for (unsigned i = 0; i < 2; ++i) {
        contexts[i].handle = number(i + 1);
        table.insert(table.handle, &contexts[i]);
    }
    Walk walk = { &table, 0, 0 };
    assert_true(table.enumerate(table.handle, end_the_table, &walk));
    assert_int_equal(walk.count, 1);
    assert_int_equal(table.destroy(table.handle), WSAEINVAL);
    assert_false(table.enumerate(table.handle, end_the_table, &walk));
}

void a_table_can_be_ended_by_any_thread(void**) // [Wah/10]
{
    constexpr int kTables = 200;
    constexpr int kThreads = 3;
    auto* context = lasting<Context>();
    context->handle = number(1);
    for (int i = 0; i < kTables; ++i) {
        const Table table;
        table.insert(table.handle, context);
        Background* threads[kThreads];
        for (Background*& thread : threads) {
            thread = run_in_background([table] {
                while (table.reference(table.handle, number(1))) { }
                return 0LL;
            });
        }
        assert_int_equal(table.destroy(table.handle), 0);
        for (Background* thread : threads)
            join(thread);
    }
}

void bad_tables_are_refused(void**) // [Wah/5]
{
    Table table;
    Context context = { number(1), 0 };
    int garbage = 0;
    assert_int_equal(table.create(nullptr), WSAEFAULT);
    for (void* bad : { (void*)nullptr, (void*)&garbage }) {
        assert_int_equal(table.destroy(bad), WSAEINVAL);
        assert_null(table.insert(bad, &context));
        assert_null(table.reference(bad, number(1)));
        assert_int_equal(table.remove(bad, &context), WSAEINVAL);
        assert_false(table.enumerate(bad, remove_each, nullptr));
    }
    assert_null(table.insert(table.handle, nullptr));
    assert_int_equal(table.destroy(table.handle), 0);
}

void a_context_that_cannot_be_written_is_refused(void**) // [Wah/9]
{
    static const Context s_read_only = { nullptr, 1 };
    auto* const context = const_cast<Context*>(&s_read_only);
    Table table;
    assert_null(table.insert(table.handle, context));
    assert_null(table.reference(table.handle, context->handle));
    assert_int_equal(table.remove(table.handle, context), WSAEINVAL);
    assert_int_equal(table.destroy(table.handle), 0);
}

DWORD_PTR apc_context;
DWORD apc_thread;

void CALLBACK note_apc(DWORD_PTR context)
{
    apc_context = context;
    apc_thread = GetCurrentThreadId();
}

struct ApcExports {
    DWORD(WSAAPI* open)(HANDLE*);
    DWORD(WSAAPI* open_thread)(HANDLE, WSATHREADID*);
    DWORD(WSAAPI* close_thread)(HANDLE, WSATHREADID*);
    DWORD(WSAAPI* queue)(HANDLE, WSATHREADID*, LPWSAUSERAPC, DWORD_PTR);
};

ApcExports apc_exports()
{
    return {
        export_of<decltype(ApcExports::open)>("WahOpenApcHelper"),
        export_of<decltype(ApcExports::open_thread)>("WahOpenCurrentThread"),
        export_of<decltype(ApcExports::close_thread)>("WahCloseThread"),
        export_of<decltype(ApcExports::queue)>("WahQueueUserApc"),
    };
}

void an_apc_reaches_the_thread_it_is_for(void**) // [Wah/6]
{
    const ApcExports apc = apc_exports();
    const auto close = export_of<DWORD(WSAAPI*)(HANDLE)>("WahCloseApcHelper");
    HANDLE helper = nullptr;
    auto* thread = lasting<WSATHREADID>();

    assert_int_equal(apc.open(&helper), 0);
    assert_int_equal(apc.open_thread(helper, thread), 0);
    apc_context = 0;
    Background* caller = run_in_background([=] { return apc.queue(helper, thread, note_apc, 77); });
    assert_int_equal(join(caller).value, 0);
    assert_int_equal(apc_context, 0);
    assert_int_equal(SleepEx(kHangLimit, TRUE), WAIT_IO_COMPLETION);
    assert_int_equal(apc_context, 77);
    assert_int_equal(apc_thread, GetCurrentThreadId());
    assert_int_equal(apc.close_thread(helper, thread), 0);
    assert_int_equal(close(helper), 0);
    assert_int_not_equal(apc.queue(nullptr, thread, note_apc, 1), 0);
    assert_int_not_equal(apc.open(nullptr), 0);
}

void an_apc_needs_a_thread(void**) // [Wah/6]
{
    const ApcExports apc = apc_exports();
    HANDLE helper = nullptr;
    auto* ended = lasting<WSATHREADID>();
    auto* event = lasting<WSATHREADID>();
    event->ThreadHandle = new_event();

    assert_int_equal(apc.open(&helper), 0);
    Background* opener = run_in_background([=] { return apc.open_thread(helper, ended); });
    assert_int_equal(join(opener).value, 0);
    WaitForSingleObject(ended->ThreadHandle, kHangLimit);
    assert_int_equal(apc.queue(helper, ended, note_apc, 1), WSAEFAULT);
    assert_int_equal(apc.queue(helper, event, note_apc, 1), WSAEFAULT);
    assert_int_equal(apc.queue(helper, nullptr, note_apc, 1), WSAEFAULT);
    assert_int_equal(apc.open_thread(helper, nullptr), WSAEFAULT);
    assert_int_equal(apc.close_thread(helper, ended), 0);
    assert_int_equal(apc.queue(helper, ended, note_apc, 1), WSAEFAULT);
}

void a_change_is_waited_for_with_a_helper(void**) // [Wah/7]
{
    const auto open = export_of<DWORD(WSAAPI*)(HANDLE*)>("WahOpenNotificationHandleHelper");
    const auto create = export_of<DWORD(WSAAPI*)(HANDLE, HANDLE*)>("WahCreateNotificationHandle");
    const auto wait = export_of<DWORD(WSAAPI*)(HANDLE, HANDLE, WSAOVERLAPPED*,
        LPWSAOVERLAPPED_COMPLETION_ROUTINE)>("WahWaitForNotification");
    const auto close = export_of<DWORD(WSAAPI*)(HANDLE)>("WahCloseNotificationHandleHelper");
    HANDLE helper = nullptr;
    HANDLE notification = nullptr;
    auto* overlapped = lasting<WSAOVERLAPPED>();
    overlapped->hEvent = new_event();

    assert_int_equal(open(&helper), 0);
    assert_int_equal(create(helper, &notification), 0);
    owned(notification);
    assert_int_equal(wait(helper, notification, overlapped, nullptr), WSA_IO_PENDING);
    assert_int_equal(overlapped->Internal, STATUS_PENDING);
    assert_false(is_signaled(overlapped->hEvent));
    assert_int_equal(wait(helper, nullptr, overlapped, nullptr), WSA_INVALID_HANDLE);
    assert_int_not_equal(create(nullptr, &notification), 0);
    // Who may change the catalog tells of it.
    const auto notify = export_of<DWORD(WSAAPI*)(HANDLE)>("WahNotifyAllProcesses");
    assert_int_equal(notify(helper), WSAEACCES);
    assert_int_equal(notify(nullptr), WSAEINVAL);
    assert_int_equal(
        export_of<DWORD(WSAAPI*)(void*, void*)>("WahWriteLSPEvent")(nullptr, nullptr), WSAEACCES);
    assert_int_equal(close(helper), 0);
    assert_int_equal(close(nullptr), WSAEINVAL);
}

void handles_that_are_no_files_are_not_supported(void**) // [Wah/8]
{
    HANDLE helper = number(1);
    SOCKET socket = INVALID_SOCKET;
    WSAOVERLAPPED overlapped = {};
    assert_int_equal(export_of<DWORD(WSAAPI*)(HANDLE*)>("WahOpenHandleHelper")(&helper),
        ERROR_CALL_NOT_IMPLEMENTED);
    assert_null(helper);
    assert_int_equal(
        export_of<DWORD(WSAAPI*)(HANDLE, SOCKET*)>("WahCreateSocketHandle")(helper, &socket),
        WSAEINVAL);
    assert_int_equal(socket, INVALID_SOCKET);
    assert_int_equal(
        export_of<DWORD(WSAAPI*)(HANDLE, SOCKET)>("WahCloseSocketHandle")(helper, socket),
        WSAEINVAL);
    assert_int_equal(export_of<DWORD(WSAAPI*)(HANDLE, SOCKET, WSAOVERLAPPED*, DWORD, DWORD)>(
                         "WahCompleteRequest")(helper, socket, &overlapped, 0, 0),
        WSAEINVAL);
    assert_int_equal(export_of<DWORD(WSAAPI*)(HANDLE)>("WahCloseHandleHelper")(helper), WSAEINVAL);
    for (const char* name : { "WahEnableNonIFSHandleSupport", "WahDisableNonIFSHandleSupport" })
        assert_int_equal(export_of<DWORD(WSAAPI*)()>(name)(), WSAEACCES);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_context_is_found_by_its_handle),
    cmocka_unit_test(references_of_all_threads_count),
    cmocka_unit_test(a_new_context_replaces_that_of_its_handle),
    cmocka_unit_test(every_context_is_enumerated),
    cmocka_unit_test(a_table_that_is_ended_shows_no_more),
    cmocka_unit_test(a_table_can_be_ended_by_any_thread),
    cmocka_unit_test(bad_tables_are_refused),
    cmocka_unit_test(a_context_that_cannot_be_written_is_refused),
    cmocka_unit_test(an_apc_reaches_the_thread_it_is_for),
    cmocka_unit_test(an_apc_needs_a_thread),
    cmocka_unit_test(a_change_is_waited_for_with_a_helper),
    cmocka_unit_test(handles_that_are_no_files_are_not_supported),
};

} // namespace

CONFORMANCE_GROUP(layered_helpers, kCases);
